"""Makes a report: one folder for people who open no notebook, with the facts to make it again."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from verify_analytics import charts
from verify_analytics.charts.spreadsheet import as_csv
from verify_analytics.errors import ArgumentError

from . import folder
from .drawing import Picture, Studio, Task
from .manifest import manifest
from .page import Shown, render
from .sections import CHAPTERS, Section, shown_chapters
from .study import Options, Study, Where, study
from .suppress import checked


def build(
    where: str | Path | Sequence[str | Path],
    *,
    as_of: str | datetime,
    out: str | Path,
    since: str | datetime | None = None,
    patience: str | timedelta = "15min",
    window: str | timedelta = "10min",
    note: str | None = None,
    min_cell: int = 0,
    number_blocks: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write a report on what a store knew at a moment: a page, its charts, its tables, and how to make it again.

    Parameters
    ----------
    where
        Anything ``load.callbacks`` takes by name: a SQLite file, a database URL, a Parquet file, an archive folder; or
        an archive and the store that feeds it, in a list.
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
    min_cell
        Hide what tells of fewer than so many attempts, sessions or callbacks, in every file; also what would follow by
        subtraction. 0 hides nothing.
    number_blocks
        Also show delivery by block of numbers (a number without its last four digits), the twenty largest.
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
        If a moment has no time zone, `since` is not before `as_of`, `min_cell` cannot be, or `out` is something else
        than a report.
    SchemaError
        If what is named is no store.
    """
    named = _named(where)
    say = progress or (lambda _: None)
    target = Path(out).absolute()
    folder.check(target)
    options = Options(checked(min_cell), number_blocks=bool(number_blocks))
    files: dict[str, bytes] = {}
    with Studio() as studio:
        found = study(
            named,
            as_of=as_of,
            since=since,
            patience=patience,
            window=window,
            say=say,
            options=options,
            ready=lambda name, frame: _ask(studio, name, frame),
        )
        pictures = studio.pictures(say)
    chapters = shown_chapters(found.frames)
    shown = {
        section.name: _shown(section, pictures[section.name], found, files)
        for chapter in chapters
        for section in chapter.sections
    }
    if found.change is not None:
        files["tables/comparison.csv"] = as_csv(found.change.rows).encode()
    for name, frame in found.frames.items():
        files[f"tables/{name}.csv"] = as_csv(frame).encode()
    files["index.html"] = render(found, named, shown, chapters, note=note)
    files[folder.MANIFEST] = manifest(found, named, files, note=note)
    folder.put_down(target, files)
    return Path(out) / "index.html"


def _named(where: str | Path | Sequence[str | Path]) -> Where:
    """Read how a store is named, or several."""
    places = where if isinstance(where, list | tuple) else (where,)
    if not places or not all(isinstance(place, str | Path) for place in places):
        kinds = ", ".join(sorted({type(place).__name__ for place in places})) or "nothing"
        raise ArgumentError(f"report.build takes the name of a store, or several in a list, not {kinds}")
    return str(places[0]) if len(places) == 1 else [str(place) for place in places]


def _ask(studio: Studio, name: str, frame: pd.DataFrame) -> None:
    """Have every view of a frame drawn."""
    for section in (section for chapter in CHAPTERS for section in chapter.sections):
        if section.source == name:
            studio.ask(Task(section.name, section.draw, frame))


def _shown(section: Section, picture: Picture, found: Study, files: dict[str, bytes]) -> Shown:
    """Keep the files of one chart, and make it ready for the page."""
    frame = found.frames[section.source]
    files[f"charts/{section.name}.svg"] = picture.wide.encode()
    files[f"charts/{section.name}.png"] = picture.png
    # Both come from our own charts, which escape every text they draw.
    inline = [charts.inline(each) for each in (picture.wide, picture.narrow)]
    return Shown(
        section,
        Markup(inline[0]),  # noqa: S704
        Markup(inline[1]),  # noqa: S704
        section.read(frame),
        None if section.table is None else section.table(frame),
    )
