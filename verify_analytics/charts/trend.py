"""How does a share move over days or hours? One panel per group on a common scale, with how many stand behind it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from .canvas import MARGIN, Chart, Sheet, Words, apart, message, text_width
from .palette import FAINT, LINE, PAPER, SOFT, Look
from .words import GROUPS, count, listed, named, percent

HEADING, PANEL, STRIP, GAP, AXIS = 18.0, 116.0, 20.0, 12.0, 20.0
LEFT = 42.0
# A share of fewer than this is 0, a half or 1 by accident; lines between such shares only make noise.
ENOUGH = 10
DAY = pd.Timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    """What the panels share: the column of time, its ends, and the ends of the scale of shares."""

    time: str
    first: float
    last: float
    low: float
    high: float


def draw_trend(words: Words, panels: Sequence[Panel], time: str, *, narrow: bool) -> Chart:
    """Draw each panel's lines with their intervals over `time` (``day`` or ``hour``), and bars of n beneath.

    All panels share both axes, so that heights can be compared. Where nothing could be judged a line is broken.
    """
    small = [panel.name for panel in panels if not panel.is_drawn]
    panels = [panel for panel in panels if panel.is_drawn]
    if small:
        words = words._replace(notes=(*words.notes, f"Not drawn, too few in each {time}: {listed(small)}."))
    if not panels:
        return message(words, f"No {time} has {ENOUGH} attempts that can be judged: too few to draw.", narrow=narrow)
    span = _span(panels, time)
    if span.low > 0:
        words = words._replace(notes=(SCALE, *words.notes))
    heading = HEADING if any(panel.name for panel in panels) else 4.0
    each = heading + PANEL + STRIP + GAP
    sheet = Sheet(words, len(panels) * each + AXIS + (10 if time == "hour" else 0), narrow=narrow)
    names = {line.measure for panel in panels for line in panel.lines}
    right = sheet.width - MARGIN - max(text_width(name, 8, bold=True) for name in names) - 14
    for at, panel in enumerate(panels):
        top = sheet.top + at * each
        sheet.write(panel.name, MARGIN, top + heading / 2 - 2, size=9.5, weight="bold")
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


def _x(rows: pd.DataFrame, time: str) -> NDArray[np.float64]:
    """Place days at their noon (in days since 1970) and hours at their half: a bar stands for the whole of its time."""
    if time == "hour":
        return rows["hour"].to_numpy(dtype=np.float64, na_value=np.nan) + 0.5
    days = (rows["day"] - pd.Timestamp(EPOCH)) / DAY
    return np.asarray(days.to_numpy(), dtype=np.float64) + 0.5


def _span(panels: Sequence[Panel], time: str) -> Span:
    """Choose one scale for all panels: as much of 0 to 1 as the intervals need, in steps of a tenth, at least 0.2."""
    judged = [line.rows[line.rows["n"] > 0] for panel in panels for line in panel.lines]
    lowest = min((float(rows["low"].min()) for rows in judged), default=0.0)
    highest = max((float(rows["high"].max()) for rows in judged), default=1.0)
    bottom = min(float(np.floor(lowest * 10 + 1e-9) / 10), 0.8)
    top = max(float(np.ceil(highest * 10 - 1e-9) / 10), bottom + 0.2)
    every = np.concatenate([_x(line.rows, time) for panel in panels for line in panel.lines])
    ends = (0.0, 24.0) if time == "hour" else (float(np.nanmin(every)) - 0.5, float(np.nanmax(every)) + 0.5)
    return Span(time, *ends, round(max(bottom, 0.0), 6), round(min(top, 1.0), 6))


def _shares(axes: Axes, span: Span) -> None:
    axes.set_xlim(span.first, span.last)
    axes.set_ylim(span.low, span.high)
    axes.set_xticks([])
    step = 0.05 if span.high - span.low <= 0.25 else 0.1 if span.high - span.low <= 0.5 else 0.25
    ticks = np.round(np.arange(np.ceil(span.low / step - 1e-9) * step, span.high + 1e-9, step), 6) + 0.0  # no -0 %
    axes.set_yticks(ticks, [f"{100 * tick:.0f}\N{NO-BREAK SPACE}%" for tick in ticks])
    axes.grid(visible=True, axis="y")


def _line(axes: Axes, line: Line, span: Span, name: str) -> None:
    rows = line.rows.sort_values(span.time)
    x = _x(rows, span.time)
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
    if len(panel.lines) < 2 and panel.name:
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
    strip.bar(_x(line.rows, span.time), line.rows["n"].to_numpy(dtype=np.float64), width=0.72, color=FAINT, label="n")
    strip.set_xlim(span.first, span.last)
    strip.set_ylim(0, max(1.0, float(line.rows["n"].max())))
    strip.set_yticks([])
    strip.spines["bottom"].set_color(LINE)


def _times(strip: Axes, span: Span, *, narrow: bool, labels: bool) -> None:
    if span.time == "hour":
        ticks = np.arange(0, 25, 6)
        strip.set_xticks(ticks, [f"{tick:02d}:00" if labels else "" for tick in ticks])
        if labels:
            strip.set_xlabel(GROUPS["hour"])
        return
    every = max(1, int(np.ceil((span.last - span.first) / (4 if narrow else 8))))
    days = np.arange(span.first, span.last, every)
    names = [f"{EPOCH + timedelta(days=float(day)):%d %b}" for day in days]
    strip.set_xticks(days + 0.5, names if labels else [""] * len(names))


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
