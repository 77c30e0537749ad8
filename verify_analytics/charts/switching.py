"""When should we switch the channel? What waiting a while longer still brings, for those who are still waiting."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .canvas import MARGIN, Chart, Sheet, Words, in_house_style, message
from .frames import (
    INTERVAL,
    best_source,
    checked,
    group_name,
    in_reading_order,
    largest,
    left_out,
    seen_from,
    sentence,
    split_by,
    title_of,
    without_totals,
)
from .palette import SOFT, Look
from .rates import look_of
from .words import count, many, named, percent, seconds

NEEDED = ("source", "measure", "after_seconds", "within_seconds", "count", "n", "rate", "low", "high", "as_of")
MOST_GROUPS = 4
HEADING, PANEL, AXIS, RISK, GAP, LEFT = 18.0, 132.0, 32.0, 24.0, 12.0, 42.0
# Times at which the figure is written beside the line.
WRITTEN = (15.0, 30.0, 60.0, 120.0)
CAVEAT = (
    "It says what waiting brings, not what switching would: those who ask again differ from those who wait. "
    "Only a timer drawn by lot can tell."
)


@in_house_style
def when_to_switch(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw, for those still waiting after so many seconds, the share that verifies within the next while.

    Where the line is low, waiting on brings little, and offering another channel costs little. One source is drawn: the
    application where it reported, else the provider; filter by `source` for the other.

    Parameters
    ----------
    frame
        What ``metrics.when_to_switch`` gives, for any `by`; filter its rows as you like.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError
        For something else than a frame.
    SchemaError
        For a frame without the metric's columns.
    """
    frame = checked(frame, NEEDED, name="when_to_switch")
    by = split_by(frame, "source")
    mine = frame[frame["measure"] == "verified_next"]
    source = best_source(mine)
    rows = mine[(mine["source"] == source) & mine["rate"].notna()]
    more_seconds = f" {seconds(float(mine['within_seconds'].iloc[0]))}" if len(mine) else ""
    what = f"Of the sessions still waiting then, the share that verifies within the next{more_seconds or ' while'}"
    who = f"as {named(source)}" if source else ""
    words = Words(title_of("Is it worth waiting longer?", by), sentence(what, who, INTERVAL, seen_from(frame)))
    if rows.empty:
        return message(words, "Not observable: nobody told when a session was verified.", narrow=narrow)
    kept, more = largest(rows, by, MOST_GROUPS, size="n")
    notes = [*_plan(without_totals(kept), by), CAVEAT, left_out(mine[mine["source"] == source], by, "session")]
    notes = [f"{many(more, 'smaller group')} not drawn; see the table.", *notes] if more else notes
    words = words._replace(notes=tuple(note for note in notes if note))
    groups = in_reading_order(kept, by).groupby(by, sort=False) if by else [((), kept)]
    panels = [(group_name(group.iloc[0], by), group) for _, group in groups]
    return _draw(words, panels, by, narrow=narrow)


def _plan(rows: pd.DataFrame, by: list[str]) -> list[str]:
    """Say what an experiment would take, at the time nearest to half a minute."""
    if by or not {"sessions_to_start", "detect"} <= set(rows.columns):
        return []
    row = rows.iloc[int((rows["after_seconds"] - 30).abs().argmin())]
    if pd.isna(row["sessions_to_start"]):
        return []
    points = f"{100 * float(row['detect']):.0f} points"
    when, many_more = seconds(float(row["after_seconds"])), count(row["sessions_to_start"])
    return [f"To learn whether a switch after {when} changes this by {points}: about {many_more} sessions."]


def _draw(words: Words, panels: list[tuple[str, pd.DataFrame]], by: list[str], *, narrow: bool) -> Chart:
    each = HEADING + PANEL + AXIS + RISK + GAP
    sheet = Sheet(words, len(panels) * each, narrow=narrow)
    end = max(float(rows["after_seconds"].max()) for _, rows in panels)
    top_share = min(1.0, max(float(np.ceil(rows["high"].max() * 10) / 10) for _, rows in panels))
    told = []
    for at, (name, rows) in enumerate(panels):
        top = sheet.top + at * each
        look = look_of(rows.iloc[0], by)
        sheet.write(name, MARGIN, top + HEADING / 2 - 1, size=9.5, weight="bold")
        axes = sheet.axes(LEFT, top + HEADING, sheet.width - MARGIN - 10, top + HEADING + PANEL)
        _line(axes, rows, look, (end, top_share), narrow=narrow)
        _still_waiting(sheet, axes, rows, top + HEADING + PANEL + AXIS, end)
        told.append(_told(name, rows))
    sheet.figure.say([words.title, words.subtitle, *told, *words.notes])
    return sheet.figure


def _line(axes: Axes, rows: pd.DataFrame, look: Look, ends: tuple[float, float], *, narrow: bool) -> None:
    end, top = ends
    at, rate, low, high = (rows[name].to_numpy(dtype=np.float64) for name in ("after_seconds", "rate", "low", "high"))
    axes.fill_between(at, low, high, color=look.colour, alpha=0.18, linewidth=0, label="interval")
    axes.plot(at, rate, color=look.colour, marker=look.marker, markersize=3.6, label="verified in the next while")
    axes.set_xlim(0, end)
    axes.set_ylim(0, top)
    step = 0.25 if top > 0.5 else 0.1
    marks = np.arange(0, top + 1e-9, step)
    axes.set_yticks(marks, [f"{100 * mark:.0f}\N{NO-BREAK SPACE}%" for mark in marks])
    axes.set_xticks(*_ticks(end, 4 if narrow else 8))
    axes.set_xlabel("already waited")
    axes.grid(visible=True)
    for second, share, n in zip(at, rate, rows["n"], strict=True):
        if second in WRITTEN:
            side, off = ("right", (-2, 7)) if second > 0.9 * end else ("left", (4, 6))
            text, where = percent(share, float(n)), (second, share)
            axes.annotate(text, where, xytext=off, textcoords="offset points", fontsize=8, weight="bold", ha=side)


def _ticks(end: float, most: int) -> tuple[list[float], list[str]]:
    step = next((step for step in (10.0, 15.0, 30.0, 60.0, 300.0, 600.0, 3600.0) if end / step <= most), 21600.0)
    places = [step * at for at in range(int(end / step) + 1)]
    return places, [seconds(place).replace(" ", "\N{NO-BREAK SPACE}") if place else "0" for place in places]


def _still_waiting(sheet: Sheet, axes: Axes, rows: pd.DataFrame, top: float, end: float) -> None:
    sheet.write("still waiting", MARGIN, top + 2, size=7, color=SOFT)
    box = axes.get_position()
    beyond = -np.inf
    for second, n in zip(rows["after_seconds"], rows["n"], strict=True):
        x = (box.x0 + box.width * float(second) / end) * sheet.width
        if x - beyond > (30 if sheet.narrow else 34) and x < sheet.width - MARGIN:
            sheet.write(count(n), x, top + 12, size=7, color=SOFT, ha="center")
            beyond = x


def _told(name: str, rows: pd.DataFrame) -> str:
    said = [
        f"after {seconds(float(second))} {percent(float(share), float(n))} of {count(n)}"
        for second, share, n in zip(rows["after_seconds"], rows["rate"], rows["n"], strict=True)
        if second in WRITTEN
    ]
    return f"{name + ': ' if name else ''}{', '.join(said)}"
