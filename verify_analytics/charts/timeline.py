"""How do several figures move over the same time? Bars, one panel below the other; or, where that says more, lines."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from .canvas import MARGIN, Chart, Sheet, Words, shortened, text_width
from .clocks import CYCLES, ends, noun, ticks
from .palette import INK, LINE, SOFT, Look
from .words import count, group_word, percent

PANEL, GAP, HEADING, AXIS, LEFT = 44.0, 10.0, 15.0, 24.0, 52.0
LINE_HEIGHT = 17.0


class Panel(NamedTuple):
    """One figure over time: its name, where, how much, with which ends, and how a figure of it is written."""

    name: str
    x: NDArray[np.float64]
    values: NDArray[np.float64]
    high: NDArray[np.float64] | None
    share: bool
    look: Look

    @property
    def most(self) -> float:
        """The largest value, 0 where none is known."""
        return float(np.nanmax(self.values, initial=0.0))


def draw_timeline(words: Words, panels: Sequence[Panel], time: str, *, narrow: bool) -> Chart:
    """Draw bars of each figure over the same time; a figure that is never more than nothing is only said."""
    heights = [HEADING + (PANEL if panel.most else 0.0) + GAP for panel in panels]
    sheet = Sheet(words, sum(heights) + AXIS, narrow=narrow)
    every = np.concatenate([panel.x for panel in panels])
    first, last = ends(every[~np.isnan(every)], time)
    lowest = max((at for at, panel in enumerate(panels) if panel.most), default=None)
    told, top = [], sheet.top
    places, names = ticks(first, last, time, narrow=narrow)
    for at, (panel, height) in enumerate(zip(panels, heights, strict=True)):
        figure = f"at most {_written(panel.most, panel)} in a {noun(time)}" if panel.most else "none"
        told.append(f"{panel.name}: {figure}")
        _heading(sheet, panel.name, figure, top + HEADING / 2 - 1)
        if panel.most:
            axes = sheet.axes(LEFT, top + HEADING, sheet.width - MARGIN, top + HEADING + PANEL)
            _bars(axes, panel)
            axes.set_xlim(first, last)
            axes.set_xticks(places, names if at == lowest else [""] * len(names))
            if at == lowest:
                axes.set_xlabel(group_word(time) if time in CYCLES else "")
                top += AXIS
        top += height
    sheet.figure.say([words.title, words.subtitle, *told, *words.notes])
    return sheet.figure


def _heading(sheet: Sheet, name: str, figure: str, y: float) -> None:
    sheet.write(name, LEFT, y, size=8.5, weight="bold")
    where = LEFT + text_width(name, 8.5, bold=True) + 8
    sheet.write(shortened(figure, 7.5, sheet.width - MARGIN - where), where, y, size=7.5, color=SOFT)


def _written(value: float, panel: Panel) -> str:
    return percent(value) if panel.share else count(value)


def _bars(axes: Axes, panel: Panel) -> None:
    values = np.nan_to_num(panel.values)
    axes.bar(panel.x + 0.5, values, width=0.78, color=panel.look.colour, label=panel.name)
    reach = float(values.max(initial=0.0))
    if panel.high is not None:
        known = ~np.isnan(panel.high) & (values > 0)
        at = panel.x[known] + 0.5
        axes.vlines(at, values[known], panel.high[known], color=INK, linewidth=1.0, label=f"interval of {panel.name}")
        reach = float(np.max(panel.high[known], initial=reach))
    top = reach * 1.08 or 1.0
    axes.set_ylim(0, top)
    axes.set_yticks([0, reach or 1.0], ["0", _written(reach, panel) if reach else ""])
    axes.tick_params(axis="y", labelsize=7)
    axes.spines["bottom"].set_color(LINE)


def write_lines(words: Words, lines: Sequence[str], *, narrow: bool) -> Chart:
    """Write lines where a drawing would say less."""
    sheet = Sheet(words, len(lines) * LINE_HEIGHT + 4, narrow=narrow)
    for at, line in enumerate(lines):
        sheet.write(line, MARGIN, sheet.top + (at + 0.5) * LINE_HEIGHT, size=8.5 if narrow else 9)
    sheet.figure.say([words.title, words.subtitle, *lines, *words.notes])
    return sheet.figure
