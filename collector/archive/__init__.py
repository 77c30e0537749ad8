"""Closed days leave the store for a folder of Parquet files, and nothing is lost or there twice on the way.

``callbacks/day=YYYY-MM-DD/part-0001.parquet``, ``verifications/day=…/``, ``pulse/day=…/``, and ``manifest.json`` with
the rows, the digest and the schema of every part.

The order of steps is the whole of it. A part grows under a name that does not end in ``.parquet``, is flushed, read
back and compared with what was read from the store; one rename shows it, the manifest follows, and only then are
exactly its rows deleted from the store, by their keys. So whoever reads the store first and lists the parts afterwards
misses no row, and drops what is in both by its identity. A shown part is only ever replaced whole under its own name or
removed.

`folder` keeps the folder and its manifest, `kinds` says what the three tables look like, `parts` writes and reads
Parquet, `source` reads the store, `sealing` brings days over, `checking` reads all of it back, `forgetting` takes
people out, `removing` whole days, `facts` says what is there. pyarrow is imported in this package alone, and only by
whoever opens a part.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from collector.archive import checking, sealing
from collector.archive.folder import MANIFEST, need
from collector.archive.kinds import folder_of
from collector.errors import CollectorError

__all__ = ["sealed", "verified"]


def sealed(url: str, root: Path, now: int, *, is_meant: bool, told: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Bring every closed day over, or only say which there are; give what was done in words, a table a line."""
    if not is_meant:
        need(root, to_write=True)
        for name, days in sealing.waiting(url, now).items():
            of = f" of {len(days):,} days, {folder_of(min(days))[4:]} to {folder_of(max(days))[4:]}" if days else ""
            yield name, f"{sum(days.values()):,}{of}"
        return
    done = sealing.archive(url, root, now, told=told)
    for name in ("callbacks", "verifications", "pulse"):
        again = f", and {done.left[name]:,} that it had already" if done.left[name] else ""
        yield name, f"{done.rows[name]:,}{again}"
    yield "parts", f"{done.parts:,}"


def verified(root: Path, told: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Read every part back; give what there is in words.

    Raises
    ------
    CollectorError
        Naming every part that is not as it should be.
    """
    rows, problems = checking.verify(root, told)
    if problems:
        raise CollectorError("; ".join(problems))
    for name, (parts, count) in rows.items():
        yield name, f"{count:,} in {parts:,} parts"
    if (root / MANIFEST).exists():
        yield "archive", "every part is as the manifest says"
    else:
        # So does an empty mount look.
        yield "archive", f"{root.absolute()} has no manifest: nothing was archived here yet, if it is the right folder"
