"""Makes a report: one folder for people who open no notebook, with the facts to make it again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from markupsafe import Markup

from verify_analytics import charts
from verify_analytics.charts.spreadsheet import as_csv
from verify_analytics.errors import ArgumentError

from . import folder
from .manifest import manifest
from .page import Shown, render
from .sections import CHAPTERS, Section
from .study import Study, study


def build(
    where: str | Path,
    *,
    as_of: str | datetime,
    out: str | Path,
    since: str | datetime | None = None,
    patience: str | timedelta = "15min",
    window: str | timedelta = "10min",
    note: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write a report on what a store knew at a moment: a page, its charts, its tables, and how to make it again.

    Parameters
    ----------
    where
        Anything ``load.callbacks`` takes by name: a SQLite file, a database URL, a Parquet file, an archive folder.
    as_of
        The moment we look from, with its time zone.
    out
        The folder to write, in a folder that exists. A report that is there is replaced, at once and whole; anything
        else is left alone and refused.
    since
        Leave out sessions that started before; by default all count.
    patience, window
        As in ``model.attempts`` and ``model.sessions``.
    note
        A sentence that stands at the head of the page, for what a reader must know before all: data that are made up.
    progress
        Is told each step in a few words.

    Returns
    -------
    pathlib.Path
        The page, ``index.html``. Beside it: ``charts/NAME.svg`` and ``.png``, ``tables/NAME.csv``, ``manifest.json``.
        The same rows, versions and arguments give the same bytes, whenever and wherever they are made.

    Raises
    ------
    NotFoundError
        If the store, or the folder to write into, does not exist, or if there is nothing to report.
    ArgumentError
        If a moment has no time zone, `since` is not before `as_of`, or `out` is something else than a report.
    SchemaError
        If what is named is no store.
    """
    if not isinstance(where, str | Path):
        raise ArgumentError(f"report.build takes the name of a store, not a {type(where).__name__}")
    say = progress or (lambda _: None)
    target = Path(out).absolute()
    folder.check(target)
    found = study(str(where), as_of=as_of, since=since, patience=patience, window=window, say=say)
    files: dict[str, bytes] = {}
    shown: dict[str, Shown] = {}
    for section in (section for chapter in CHAPTERS for section in chapter.sections):
        say(f"drawing {section.name}")
        shown[section.name] = _draw(section, found, files)
    for name, frame in found.frames.items():
        files[f"tables/{name}.csv"] = as_csv(frame).encode()
    files["index.html"] = render(found, str(where), shown, CHAPTERS, note=note)
    files[folder.MANIFEST] = manifest(found, str(where), files, note=note)
    folder.put_down(target, files)
    return Path(out) / "index.html"


def _draw(section: Section, found: Study, files: dict[str, bytes]) -> Shown:
    """Draw one chart twice, wide and narrow, and keep its files."""
    frame = found.frames[section.name]
    wide, narrow = (section.draw(frame, narrow=narrow) for narrow in (False, True))
    picture = charts.svg(wide, name=section.name)
    files[f"charts/{section.name}.svg"] = picture.encode()
    files[f"charts/{section.name}.png"] = charts.png(wide)
    # Both come from our own charts, which escape every text they draw.
    inline = [charts.inline(each) for each in (picture, charts.svg(narrow, name=f"{section.name}-narrow"))]
    return Shown(
        section,
        Markup(inline[0]),  # noqa: S704
        Markup(inline[1]),  # noqa: S704
        section.read(frame),
        section.table(frame),
    )
