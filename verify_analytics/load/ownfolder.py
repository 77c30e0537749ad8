"""Is a folder free for what we keep, and can what is read be read to its end? What is not so is told in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from verify_analytics.errors import ArgumentError, VerifyAnalyticsError
from verify_analytics.load.statefiles import FOLDER, MANIFEST

# The folders that an archive fills, and the one that we fill in it.
_FILLED = ("callbacks", "verifications", "pulse", FOLDER)
# What DuckDB raises for reasons of its own; anything else comes of a file, and a damaged one has many names.
_NO_DAMAGE = (
    *(duckdb.OutOfMemoryException, duckdb.InterruptException),
    *(duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException),
)


def own_folder(folder: str | Path) -> Path:
    """Take a folder in which something is to be kept.

    Raises
    ------
    ArgumentError
        If it is no path, a file, an archive, or a folder that an archive fills and reads.
    """
    if not isinstance(folder, str | Path) or not str(folder).strip():
        # Who gives a frame here must not see its rows in a message.
        what = "an empty text" if isinstance(folder, str) else type(folder).__name__
        raise ArgumentError(f"{what} names no folder; give one of its own for what is worked out")
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise ArgumentError(f"{str(place)!r} is a file; give a folder of its own for what is worked out")
    if (place / MANIFEST).exists():
        raise ArgumentError(f"{str(place)!r} is an archive; give a folder of its own for what is worked out")
    whole = place.resolve()
    for archive in whole.parents:
        if (archive / MANIFEST).exists() and whole.relative_to(archive).parts[0] in _FILLED:
            raise ArgumentError(
                f"{str(place)!r} lies among the files of the archive {str(archive)!r}, which would be read with it; "
                "give a folder beside it"
            )
    return place


@contextmanager
def read_to_the_end(*, can_be_deleted: str) -> Iterator[None]:
    """Say in one sentence where the engine cannot read a file to its end.

    What was given is not named: it may be a frame of rows, or an address with a password. The engine names the file.

    Parameters
    ----------
    can_be_deleted
        What is made anew if it is not there.

    Raises
    ------
    VerifyAnalyticsError
        In place of the engine's own error.
    """
    try:
        yield
    except _NO_DAMAGE:
        raise
    except duckdb.Error as error:
        raise VerifyAnalyticsError(
            f"the data could not be read to the end: {str(error).splitlines()[0]}. Is a file damaged? Of an archive "
            f"`collector archive --verify` says which; {can_be_deleted} can be deleted at any time and is made anew"
        ) from None
