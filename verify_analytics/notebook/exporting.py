"""How does what a notebook showed become files? Charts as PNG and SVG, frames as CSV, all under the name given."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import narwhals as nw

from verify_analytics import charts
from verify_analytics.charts.spreadsheet import as_csv
from verify_analytics.errors import ArgumentError, VerifyAnalyticsError, options_by_name

from .display import Shown
from .places import root, target

# Letters, digits and hyphens: a name becomes a file's name and the ids inside an SVG.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,79}")


class Written:
    """The files that were written, or why there are none."""

    def __init__(self, folder: Path | None, files: tuple[Path, ...]) -> None:
        self.folder = folder
        self.files = files

    def __repr__(self) -> str:
        """Say what was written and where."""
        if self.folder is None:
            return 'Nothing was written: name a folder in the parameter out, such as out = "data/out".'
        named = ", ".join(file.name for file in self.files)
        return f"{len(self.files)} files in {_near(self.folder)}: {named}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>"


@options_by_name
def export(shown: Mapping[str, Any], *, out: str | Path | None) -> Written:
    """Write what was shown into a folder: each chart as PNG and SVG, each frame as CSV for a spreadsheet.

    Parameters
    ----------
    shown
        Name of the files to what they hold: a chart, a frame, what `show` gave, or a tuple of these, such as
        ``{"delivery": (frame, chart)}``. Names have letters, digits and hyphens.
    out
        The folder; a relative one is meant from the project's root. It is made where it is missing, files of the same
        name are written anew, and nothing else in it is touched. None writes nothing.

    Returns
    -------
    Written
        Which files. A CSV holds every column and row of the frame, at full precision; no cell of it starts a formula.

    Raises
    ------
    ArgumentError
        For a name that cannot be a file's, or something that is neither chart nor table.
    VerifyAnalyticsError
        If the folder cannot be written to.
    """
    things = list(_checked(shown))
    if out is None or out == "":
        return Written(None, ())
    files = {file: content for name, thing in things for file, content in _contents(name, thing)}
    folder = target(str(out))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise VerifyAnalyticsError(f"out={str(out)!r} cannot be written to: {error.strerror or error}") from None
    return Written(folder, tuple(folder / name for name in files))


def _checked(shown: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give each thing with its name, or say what cannot be exported; nothing is drawn yet."""
    if not isinstance(shown, Mapping):
        raise ArgumentError('export takes names and what they stand for, such as {"delivery": (frame, chart)}')
    for name, things in shown.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ArgumentError(f"{str(name)[:80]!r} is no name for files: use letters, digits and hyphens")
        for thing in things if isinstance(things, tuple | list) else (things,):
            if not isinstance(thing, charts.Chart):
                _table(name, thing)
            yield name, thing


def _contents(name: str, thing: Any) -> Iterator[tuple[str, bytes]]:
    if isinstance(thing, charts.Chart):
        yield f"{name}.png", charts.png(thing)
        yield f"{name}.svg", charts.svg(thing, name=name).encode()
        return
    table = _table(name, thing)
    frame = (table.collect() if isinstance(table, nw.LazyFrame) else table).to_pandas()
    yield f"{name}.csv", as_csv(frame).encode()


def _table(name: str, thing: Any) -> Any:
    try:
        return nw.from_native(thing.frame if isinstance(thing, Shown) else thing)
    except TypeError:
        raise ArgumentError(f"{name}: a chart or a frame can be exported, and not {type(thing).__name__}") from None


def _near(folder: Path) -> str:
    """Name a folder from the project's root, where it lies in it: no paths of a machine go into a notebook."""
    return str(folder.relative_to(root())) if folder.is_relative_to(root()) else folder.name
