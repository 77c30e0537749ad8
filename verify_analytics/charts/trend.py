"""How does a share move over time, or through the day or week? Lines with their intervals, one panel per group.

All panels share one scale; under each stands how many are behind it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from .canvas import MARGIN, Chart, Sheet, Words, apart, message, text_width
from .clocks import CYCLES, ends, noun, numbers, ticks
from .palette import FAINT, LINE, PAPER, SOFT, Look
from .words import count, group_word, listed, named, percent

HEADING, PANEL, STRIP, GAP, AXIS = 18.0, 116.0, 20.0, 12.0, 20.0
LEFT = 42.0
# A share of fewer than this is 0, a half or 1 by accident; lines between such shares only make noise.
ENOUGH = 10
SCALE = "The scale of shares does not begin at 0 %."


class Line(NamedTuple):
    """One measure of one group over time: its rows of the metric's frame."""

    measure: str
    rows: pd.DataFrame
    look: Look
    first: bool = True


class Panel(NamedTuple):
    """One group: its name, and its lines."""

    name: str
    lines: tuple[Line, ...]

    @property
    def is_drawn(self) -> bool:
        """Say whether there is any moment with enough cases for its share to mean something."""
        return bool(self.lines[0].rows["n"].max() >= ENOUGH)


class Span(NamedTuple):
    """What the panels share: the column of time, its ends, and the scale of shares."""

    time: str
    first: float
    last: float
    low: float
    high: float
    step: float


def draw_trend(words: Words, panels: Sequence[Panel], time: str, *, narrow: bool) -> Chart:
    """Draw each panel's lines with their intervals over `time` (a period, or hour or weekday), and bars of n beneath.

    All panels share both axes, so that heights can be compared. Where nothing could be judged a line is broken.
    """
    small = [panel.name for panel in panels if not panel.is_drawn]
    panels = [panel for panel in panels if panel.is_drawn]
    if small:
        words = words._replace(notes=(*words.notes, f"Not drawn, too few in each {noun(time)}: {listed(small)}."))
    if not panels:
        return message(words, f"No {noun(time)} has {ENOUGH} cases that can be judged: too few to draw.", narrow=narrow)
    span = _span(panels, time)
    if span.low > 0:
        words = words._replace(notes=(SCALE, *words.notes))
    names = {line.measure for panel in panels for line in panel.lines}
    only = next(iter(names)).capitalize() if len(names) == 1 else ""
    heading = HEADING if only or any(panel.name for panel in panels) else 4.0
    each = heading + PANEL + STRIP + GAP
    sheet = Sheet(words, len(panels) * each + AXIS + (10 if time in CYCLES else 0), narrow=narrow)
    # One measure needs no name at its line's end: it is named above.
    beside = max(text_width(name, 8, bold=True) for name in names) + 6 if len(names) > 1 else 0.0
    right = sheet.width - MARGIN - beside - 8
    for at, panel in enumerate(panels):
        top = sheet.top + at * each
        sheet.write(panel.name or only, MARGIN, top + heading / 2 - 2, size=9.5, weight="bold")
        axes = sheet.axes(LEFT, top + heading, right, top + heading + PANEL)
        _shares(axes, span)
        for line in reversed(panel.lines):
            _line(axes, line, span, panel.name)
        _names(sheet, panel, span, (right + 8, top + heading))
        strip = sheet.axes(LEFT, top + heading + PANEL + 5, right, top + heading + PANEL + STRIP)
        _sizes(strip, panel.lines[0], span)
        _times(strip, span, narrow=narrow, labels=at == len(panels) - 1)
        most = count(panel.lines[0].rows["n"].max())
        sheet.write(f"n ≤ {most}", LEFT - 5, top + heading + PANEL + 15, size=6.5, color=SOFT, ha="right")
    sheet.figure.say([words.title, words.subtitle, *_told(panels, time), *words.notes])
    return sheet.figure


def x_of(rows: pd.DataFrame, time: str) -> NDArray[np.float64]:
    """Place each period at its middle: a bar stands for the whole of its time."""
    return numbers(rows[time], time) + 0.5


def scale_of_shares(lines: Sequence[Line]) -> tuple[float, float, float]:
    """Choose one scale for all: as much of 0 to 1 as the intervals need, in steps of a tenth, at least 0.2.

    Returns
    -------
    tuple
        The lower end, the upper end, and how far apart its ticks stand.
    """
    judged = [line.rows[line.rows["n"] > 0] for line in lines]
    lowest = np.nanmin([*(float(rows["low"].min()) for rows in judged if len(rows)), 1.0])
    highest = np.nanmax([*(float(rows["high"].max()) for rows in judged if len(rows)), 0.0])
    bottom = round(max(min(float(np.floor(lowest * 10 + 1e-9) / 10), 0.8), 0.0), 6)
    top = round(min(max(float(np.ceil(highest * 10 - 1e-9) / 10), bottom + 0.2), 1.0), 6)
    return bottom, top, 0.05 if top - bottom <= 0.25 else 0.1 if top - bottom <= 0.5 else 0.25


def _span(panels: Sequence[Panel], time: str) -> Span:
    lines = [line for panel in panels for line in panel.lines]
    every = np.concatenate([x_of(line.rows, time) for line in lines])
    return Span(time, *ends(every - 0.5, time), *scale_of_shares(lines))


def _shares(axes: Axes, span: Span) -> None:
    axes.set_xlim(span.first, span.last)
    axes.set_ylim(span.low, span.high)
    axes.set_xticks([])
    step = span.step
    marks = np.round(np.arange(np.ceil(span.low / step - 1e-9) * step, span.high + 1e-9, step), 6) + 0.0  # no -0 %
    axes.set_yticks(marks, [f"{100 * mark:.0f}\N{NO-BREAK SPACE}%" for mark in marks])
    axes.grid(visible=True, axis="y")


def _line(axes: Axes, line: Line, span: Span, name: str) -> None:
    rows = line.rows[line.rows[span.time].notna()].sort_values(span.time)
    x = x_of(rows, span.time)
    # A time without attempts has no row: it breaks the line, and is not bridged.
    whole = np.arange(x[0], x[-1] + 1)
    rows = rows.set_index(pd.Index(x)).reindex(pd.Index(whole))
    rate, low, high = (rows[column].to_numpy(dtype=np.float64) for column in ("rate", "low", "high"))
    label = f"{line.measure}: {name}" if name else line.measure
    colour = line.look.colour
    axes.fill_between(
        whole, low, high, color=colour, alpha=0.2 if line.first else 0.1, linewidth=0, label=f"interval of {label}"
    )
    # Where neither neighbour is known, the band has no area: a bar shows the interval.
    known = np.pad(~np.isnan(low), 1)
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    axes.vlines(whole[alone], low[alone], high[alone], color=colour, linewidth=1.4, label=f"intervals alone of {label}")
    axes.plot(
        whole,
        rate,
        color=colour,
        linewidth=1.6 if line.first else 1.1,
        marker=line.look.marker,
        markersize=3.4,
        markerfacecolor=colour if line.first else PAPER,
        markeredgewidth=0.9,
        label=label,
        clip_on=False,
    )


def _names(sheet: Sheet, panel: Panel, span: Span, corner: tuple[float, float]) -> None:
    """Name each line where it ends, with its last share."""
    if len(panel.lines) < 2:
        return
    lasts = []
    for line in panel.lines:
        judged = line.rows[line.rows["n"] > 0].sort_values(span.time)
        lasts.append((float(judged["rate"].iloc[-1]) if len(judged) else span.low, len(judged) > 0))
    heights = [(span.high - rate) / (span.high - span.low) * PANEL for rate, _ in lasts]
    for line, y, (_, drawn) in zip(panel.lines, apart(heights, 11.0, PANEL), lasts, strict=True):
        if drawn:
            sheet.write(line.measure, corner[0], corner[1] + y, size=8, color=line.look.colour, weight="bold")


def _sizes(strip: Axes, line: Line, span: Span) -> None:
    """Draw under each point how many attempts stand behind it."""
    strip.bar(x_of(line.rows, span.time), line.rows["n"].to_numpy(dtype=np.float64), width=0.72, color=FAINT, label="n")
    strip.set_xlim(span.first, span.last)
    strip.set_ylim(0, max(1.0, float(line.rows["n"].max())))
    strip.set_yticks([])
    strip.spines["bottom"].set_color(LINE)


def _times(strip: Axes, span: Span, *, narrow: bool, labels: bool) -> None:
    places, names = ticks(span.first, span.last, span.time, narrow=narrow)
    strip.set_xticks(places, names if labels else [""] * len(names))
    if labels and span.time in CYCLES:
        strip.set_xlabel(group_word(span.time))


def _told(panels: Sequence[Panel], time: str) -> list[str]:
    """Tell the first line of each panel in words: where it begins and ends, and its extremes."""
    told = []
    for panel in panels:
        rows = panel.lines[0].rows
        rows = rows[rows["n"] > 0].sort_values(time).reset_index(drop=True)
        if not len(rows):
            continue
        places = (0, len(rows) - 1, int(rows["rate"].argmax()), int(rows["rate"].argmin()))
        first, last, high, low = (
            f"{percent(float(rows['rate'][at]), float(rows['n'][at]))} ({named(rows[time][at], time)})" for at in places
        )
        name = f"{panel.name}: " if panel.name else ""
        told.append(f"{name}{panel.lines[0].measure} {first} to {last}, highest {high}, lowest {low}")
    return told
