"""When in the week does it happen? A week of hours as a map: one cell per hour and day, darker where a share is low."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from .canvas import MARGIN, Chart, Sheet, Words, message
from .clocks import DAY_NAMES
from .palette import FAINT, INK, LINE, PAPER, SOFT
from .words import FEW, count, group_word, many, percent

# Light to dark blue with even steps of lightness, so that it reads the same in grey (after ColorBrewer's "Blues").
SCALE = ("#f3f8fc", "#d5e5f2", "#adcfe5", "#7fb2d6", "#4c8fc0", "#246ba3", "#0b4378")
KEY, CELL_WIDE, CELL_NARROW, LABELS = 40.0, 24.0, 15.0, 26.0
# A share of fewer than this is accident: the cell says that it is not known.
ENOUGH = 10
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15)


class Cells(NamedTuple):
    """A week of hours: shares and how many stand behind each, 7 days by 24 hours; NaN and 0 where there is nothing."""

    rate: NDArray[np.float64]
    n: NDArray[np.float64]

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which cells have enough cases for their share to mean something."""
        return self.n >= ENOUGH


def draw_heat(words: Words, rows: pd.DataFrame, by: tuple[str, str], measure: str, unit: str, *, narrow: bool) -> Chart:
    """Draw one cell per weekday and hour, darker where the share is lower; too few are hatched, none is left blank.

    Parameters
    ----------
    words
        Title, subtitle and notes.
    rows
        The rows of one measure, one per weekday and hour.
    by
        The names of the columns of the weekday and of the hour.
    measure, unit
        What the share and n are called.
    narrow
        For a phone: the hours run down, not across.
    """
    cells = _cells(rows, by)
    few = int(((cells.n > 0) & ~cells.judged).sum())
    if few:
        words = words._replace(notes=(*words.notes, f"Hatched: fewer than {ENOUGH} {unit}s in the hour; not judged."))
    if not cells.judged.any():
        text = f"No hour of the week has {ENOUGH} {unit}s that can be judged: too few to draw."
        return message(words, text, narrow=narrow)
    edges = _edges(cells)
    across, down = (7, 24) if narrow else (24, 7)
    sheet = Sheet(words, KEY + LABELS + down * (CELL_NARROW if narrow else CELL_WIDE) + 8, narrow=narrow)
    left, top = MARGIN + 34.0, sheet.top + KEY
    height = down * (CELL_NARROW if narrow else CELL_WIDE)
    axes = sheet.axes(left, top, sheet.width - MARGIN, top + height)
    axes.set_xlim(0, across)
    axes.set_ylim(down, 0)
    _labels(axes, by, narrow=narrow)
    for day in range(7):
        for hour in range(24):
            x, y = (day, hour) if narrow else (hour, day)
            _cell(axes, (x, y), cells.rate[day, hour], cells.n[day, hour], edges)
    _key(sheet, edges, measure)
    sheet.figure.say([words.title, words.subtitle, *_told(cells, measure, unit), *words.notes])
    return sheet.figure


def _cells(rows: pd.DataFrame, by: tuple[str, str]) -> Cells:
    rate, n = np.full((7, 24), np.nan), np.zeros((7, 24))
    known = rows[rows[by[0]].notna() & rows[by[1]].notna()]
    places = (known[by[0]].to_numpy(dtype=np.int64), known[by[1]].to_numpy(dtype=np.int64))
    rate[places] = known["rate"].to_numpy(dtype=np.float64)
    n[places] = known["n"].to_numpy(dtype=np.float64)
    return Cells(rate, n)


def _edges(cells: Cells) -> NDArray[np.float64]:
    """Cut the range of the shares into as many steps as there are shades, at round figures."""
    shares = cells.rate[cells.judged]
    low, high = float(shares.min()), float(shares.max())
    step = next((step for step in STEPS if (high - low) <= step * (len(SCALE) - 1)), STEPS[-1])
    top = min(1.0, float(np.ceil(high / step - 1e-9) * step))
    return np.round(top - step * np.arange(len(SCALE), -1, -1), 6)


def _shade(share: float, edges: NDArray[np.float64]) -> int:
    """Choose the shade of a share: the last, darkest one is the lowest."""
    place = int(np.searchsorted(edges, share, side="left")) - 1
    return len(SCALE) - 1 - min(max(place, 0), len(SCALE) - 1)


def _cell(axes: Axes, where: tuple[int, int], share: float, n: float, edges: NDArray[np.float64]) -> None:
    x, y = where
    if n < ENOUGH:
        patch = Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, facecolor=PAPER, edgecolor=LINE, linewidth=0.6)
        if n > 0:
            patch.set(hatch="////", edgecolor=FAINT)
        patch.set_label("too few" if n > 0 else "nothing")
        axes.add_patch(patch)
        return
    shade = _shade(share, edges)
    patch = Rectangle((x + 0.02, y + 0.02), 0.96, 0.96, facecolor=SCALE[shade], edgecolor=PAPER, linewidth=0.6)
    patch.set_label("share")
    axes.add_patch(patch)
    colour = PAPER if shade >= 4 else INK
    weight = "normal" if n >= FEW else "light"
    text = f"{100 * share:.0f}"
    axes.text(x + 0.5, y + 0.5, text, fontsize=6.5, color=colour, ha="center", va="center", weight=weight)


def _labels(axes: Axes, by: tuple[str, str], *, narrow: bool) -> None:
    days = [at + 0.5 for at in range(7)]
    hours = list(range(0, 24, 3))
    names = [f"{hour:02d}:00" for hour in hours]
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if narrow:
        axes.set_xticks(days, DAY_NAMES)
        axes.set_yticks([hour + 0.5 for hour in hours], names)
        axes.set_xlabel(group_word(by[0]))
        return
    axes.set_yticks(days, DAY_NAMES)
    axes.set_xticks([hour + 0.5 for hour in hours], names)
    axes.set_xlabel(group_word(by[1]))


def _key(sheet: Sheet, edges: NDArray[np.float64], measure: str) -> None:
    """Draw the shades with the figures between them; the light end, where all is well, first."""
    width = min(34.0, (sheet.width - 2 * MARGIN - 20) / len(SCALE))
    top = sheet.top + 12
    sheet.write(f"Share {measure}, in %", MARGIN, sheet.top + 3, size=8, weight="bold")
    axes = sheet.axes(MARGIN, top, MARGIN + width * len(SCALE), top + 8)
    axes.set_xlim(0, len(SCALE))
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    for at, colour in enumerate(SCALE):
        axes.add_patch(Rectangle((at, 0), 1, 1, facecolor=colour, edgecolor=LINE, linewidth=0.5))
    falling = [max(float(edge), 0.0) for edge in edges[::-1]]
    decimals = 0 if all(abs(100 * edge - round(100 * edge)) < 1e-6 for edge in falling) else 1
    axes.set_xticks(range(len(SCALE) + 1), [f"{100 * edge:.{decimals}f}" for edge in falling])
    axes.tick_params(axis="x", length=0, pad=2, labelsize=7, labelcolor=SOFT)
    axes.spines["bottom"].set_visible(False)


def _told(cells: Cells, measure: str, unit: str) -> Sequence[str]:
    """Tell the lowest and highest hours in words, and on how many each cell stands."""
    judged = np.where(cells.judged, cells.rate, np.nan)
    low, high = (np.unravel_index(int(find(judged)), judged.shape) for find in (np.nanargmin, np.nanargmax))
    ends = [
        f"{name} {percent(float(judged[at]), float(cells.n[at]))} on {DAY_NAMES[int(at[0])]} at {int(at[1]):02d}:00"
        for name, at in (("lowest", low), ("highest", high))
    ]
    n = cells.n[cells.judged]
    return [
        f"Share {measure} by hour of the week: {', '.join(ends)}",
        f"{many(int(cells.judged.sum()), 'hour')} of 168 judged, on {count(n.min())} to {count(n.max())} {unit}s each",
    ]
