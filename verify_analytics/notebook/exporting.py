"""Where do a notebook's charts and tables go? Each chart as PNG and SVG, each frame as CSV, in one folder."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from verify_analytics.charts import Chart, png, svg
from verify_analytics.errors import ArgumentError, NotFoundError
from verify_analytics.report.tables import as_csv

from .showing import Readable

LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789-")


class Exported(list[Path]):
    """The files that were written, named when it is shown."""

    def __repr__(self) -> str:
        if not self:
            return "Nothing was written: give out= a folder."
        return f"{len(self)} files in {self[0].parent}: {', '.join(path.name for path in self)}"


def export(things: Mapping[str, Chart | Readable | pd.DataFrame], *, out: str | Path | None) -> Exported:
    """Write charts as PNG and SVG and frames as CSV, under the names given.

    Parameters
    ----------
    things
        What to write, by name: lower case letters, digits and hyphens. A chart and a frame may not share one.
    out
        The folder; made if it is not there, in a folder that is. Files of the same names are replaced. None or an empty
        text: nothing is written.

    Returns
    -------
    list of Path
        The files. A CSV file opens in a spreadsheet without running anything.

    Raises
    ------
    ArgumentError
        For a name that cannot be a file, and for what is neither chart nor frame.
    NotFoundError
        If the folder cannot be made because its own folder does not exist.
    """
    files: dict[str, bytes] = {}
    for name, thing in things.items():
        if not name or not set(name) <= LETTERS:
            raise ArgumentError(f"{name!r} is no name of a file: use lower case letters, digits and hyphens")
        if isinstance(thing, Chart):
            files |= {f"{name}.png": png(thing), f"{name}.svg": svg(thing, name=name).encode()}
        elif isinstance(thing, Readable | pd.DataFrame):
            frame = thing.frame if isinstance(thing, Readable) else thing
            files[f"{name}.csv"] = as_csv(frame).encode()
        else:
            raise ArgumentError(f"{name}: export writes charts and frames, not a {type(thing).__name__}")
    if not out:
        return Exported()
    folder = Path(out)
    if not folder.absolute().parent.is_dir():
        raise NotFoundError(f"there is no folder {str(folder.parent)!r} to make {folder.name!r} in; make it first")
    folder.mkdir(exist_ok=True)
    written = Exported()
    for name, content in files.items():
        (folder / name).write_bytes(content)
        written.append(folder / name)
    return written
