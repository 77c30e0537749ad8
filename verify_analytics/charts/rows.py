"""How are many groups shown at once? One row each: a name, how many, a point or bar with its interval, the figure."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .canvas import MARGIN, Chart, Sheet, Words, shortened, text_width
from .palette import INK, LINE, PAPER, SOFT, Look
from .words import FEW, count, interval, percent

HEADING, KEY, AXIS = 24.0, 18.0, 20.0
ROW = {"wide": 29.0, "narrow": 37.0}
WIDE_COLUMN, NARROW_COLUMN = 74.0, 50.0
TOGETHER, TOGETHER_COLUMN = "together", 58.0
WIDEST_LABEL = 216.0
# Up to which end of the scale its ticks stand how far apart.
STEPS = ((0.05, 0.01), (0.1, 0.02), (0.2, 0.05), (0.5, 0.1), (0.8, 0.2), (1.0, 0.25))
# In points: the size of a dot, and of the ends of an interval.
DOT, END = 5.4, 7.5
# Figures from few cases are drawn lighter: there, and not leading the eye.
LIGHT = 0.45


class Mark(NamedTuple):
    """One rate of a row, as the metric's frame has it; `measure` names it for whoever inspects the chart."""

    measure: str
    rate: float
    low: float
    high: float
    n: float
    look: Look
    filled: bool = True


class Row(NamedTuple):
    """One group: its name, its marks, how many there are, something to say under it, and what to say if it has none.

    `together` is a figure of the row and those above it, in a column of its own.
    """

    name: str
    marks: tuple[Mark, ...]
    n: float
    under: str = ""
    together: str = ""
    missing: str = "nothing to judge yet"

    @property
    def cases(self) -> str:
        """How many stand behind the row."""
        return f"n = {count(self.n)}{' (few)' if 0 < self.n < FEW else ''}"


class Section(NamedTuple):
    """Rows that belong together, under a heading that may be empty."""

    heading: str
    rows: tuple[Row, ...]


class Ground(NamedTuple):
    """Where rows are drawn: the sheet, the axes they share, the right edges of the columns of figures, and how."""

    sheet: Sheet
    axes: Axes
    columns: tuple[float, ...]
    kind: str


def draw_rows(
    words: Words,
    sections: Sequence[Section],
    measures: Sequence[str],
    *,
    narrow: bool,
    kind: Literal["dot", "bar"] = "dot",
    top: float = 1.0,
) -> Chart:
    """Draw sections of rows on one scale of shares.

    Parameters
    ----------
    words
        Title, subtitle and notes.
    sections
        What to draw; each row has one mark per measure, or none.
    measures
        How the marks of a row are called, in their order; a single one needs no key.
    narrow
        For a phone: the name stands over the marks, not beside them.
    kind
        Points where zero is no anchor, bars where shares of one whole are compared.
    top
        The end of the scale, at most 1.
    """
    height = ROW["narrow" if narrow else "wide"]
    beside = any(row.together for section in sections for row in section.rows)
    key = KEY if len(measures) > 1 or (beside and not narrow) else 0.0
    rows = [row for section in sections for row in section.rows]
    body = sum(HEADING for section in sections if section.heading) + len(rows) * height
    sheet = Sheet(words, key + body + AXIS, narrow=narrow)
    left, right, columns = _edges(sheet, rows, len(measures))
    axes = sheet.axes(left, sheet.top + key, right, sheet.top + key + body)
    _scale(axes, body, top)
    ground = Ground(sheet, axes, columns, kind)
    _key(ground, measures, rows)
    y = sheet.top + key
    for section in sections:
        if section.heading:
            y += HEADING
            sheet.write(section.heading, MARGIN, y - 9, size=9.5, weight="bold")
        for row in section.rows:
            (_narrow_row if narrow else _wide_row)(ground, row, y)
            y += height
    sheet.figure.say([words.title, words.subtitle, *_told(sections, measures), *words.notes])
    return sheet.figure


def _edges(sheet: Sheet, rows: Sequence[Row], measures: int) -> tuple[float, float, tuple[float, ...]]:
    """Choose where the track begins and ends, and where the columns of figures end."""
    column = NARROW_COLUMN if sheet.narrow else WIDE_COLUMN
    beside = 0.0 if sheet.narrow or not any(row.together for row in rows) else TOGETHER_COLUMN
    columns = tuple(sheet.width - MARGIN - beside - column * (measures - 1 - at) for at in range(measures))
    if sheet.narrow:
        return MARGIN + 6, sheet.width - MARGIN - 12, columns
    widest = max(text_width(row.name, 9) for row in rows)
    return MARGIN + min(max(widest, 84.0), WIDEST_LABEL) + 16, columns[0] - column + 6, columns


def _scale(axes: Axes, height: float, end: float) -> None:
    """Give the axes all rows share: shares from left to right, points from the top down."""
    axes.set_xlim(0, end)
    axes.set_ylim(height, 0)
    step = next(step for most, step in STEPS if end <= most)
    ticks = [step * at for at in range(int(end / step + 1e-9) + 1)]
    axes.set_xticks(ticks, [f"{100 * tick:.0f}\N{NO-BREAK SPACE}%" for tick in ticks])
    axes.set_yticks([])
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="x", length=0, pad=4)
    axes.spines["bottom"].set_visible(False)


def _key(ground: Ground, measures: Sequence[str], rows: Sequence[Row]) -> None:
    """Name the marks at the head of their column of figures, with the sign that stands for them."""
    first = next((row.marks for row in rows if row.marks), ())
    sheet = ground.sheet
    if not sheet.narrow and any(row.together for row in rows):
        sheet.write(TOGETHER, sheet.width - MARGIN, sheet.top + KEY / 2 - 4, size=8, color=SOFT, ha="right")
    if len(measures) < 2:
        return
    y = sheet.top + KEY / 2 - 4
    several = len({row.marks[0].look.marker for row in rows if row.marks}) > 1
    x = MARGIN + 5
    for measure, mark, edge in zip(measures, first, ground.columns, strict=False):
        width = text_width(measure, 8, bold=True)
        if not sheet.narrow:
            x = edge - width - 9
        sign = Line2D(
            [x / sheet.width],
            [1 - y / sheet.height],
            transform=sheet.figure.transFigure,
            marker="o" if several else mark.look.marker,
            markersize=5.5,
            markerfacecolor=INK if mark.filled else PAPER,
            markeredgecolor=INK,
            linestyle="none",
        )
        sheet.figure.add_artist(sign)
        sheet.write(measure, x + 8, y, size=8, weight="bold")
        x += width + 26


def _wide_row(ground: Ground, row: Row, y: float) -> None:
    sheet, middle = ground.sheet, y + ROW["wide"] / 2
    room = ground.axes.get_position().x0 * sheet.width - MARGIN - 12
    under = " · ".join(part for part in (row.cases, row.under) if part)
    sheet.write(shortened(row.name, 9, room), MARGIN, middle - 5.5)
    sheet.write(shortened(under, 7.5, room), MARGIN, middle + 6.5, size=7.5, color=SOFT)
    _marks(ground, row, middle)
    for mark, edge in zip(row.marks, ground.columns, strict=False):
        colour = INK if row.n >= FEW else SOFT
        sheet.write(percent(mark.rate, mark.n), edge, middle - 5.5, color=colour, ha="right", weight="bold")
        sheet.write(interval(mark.low, mark.high, mark.n), edge, middle + 6.5, size=7.5, color=SOFT, ha="right")

    if row.together:
        sheet.write(row.together, sheet.width - MARGIN, middle - 5.5, color=SOFT, ha="right")


def _narrow_row(ground: Ground, row: Row, y: float) -> None:
    sheet = ground.sheet
    for mark, edge in zip(row.marks, ground.columns, strict=False):
        colour = INK if row.n >= FEW else SOFT
        sheet.write(percent(mark.rate, mark.n), edge, y + 9, size=8.5, color=colour, ha="right", weight="bold")
    room = ground.columns[0] - (NARROW_COLUMN - 6 if row.marks else 0) - MARGIN
    name = shortened(row.name, 8.5, room - text_width(row.cases, 7.5) - 5)
    sheet.write(name, MARGIN, y + 9, size=8.5)
    sheet.write(row.cases, MARGIN + text_width(name, 8.5) + 5, y + 9.3, size=7.5, color=SOFT)
    _marks(ground, row, y + 24)


def _marks(ground: Ground, row: Row, middle: float) -> None:
    """Draw the marks of one row, each with its interval; two stand a little apart, so that both can be seen."""
    axes = ground.axes
    y = middle - (1 - axes.get_position().y1) * ground.sheet.height
    axes.axhline(y, color=LINE, linewidth=0.8, zorder=0.5)
    if not row.marks:
        axes.text(0, y - 5, row.missing, fontsize=7.5, color=SOFT, style="italic", va="center")
    alpha = 1.0 if row.n >= FEW or ground.kind == "bar" else LIGHT
    for at, mark in enumerate(row.marks):
        here = y + (2 * at - 1) * 3.4 if len(row.marks) > 1 else y
        label = f"{mark.measure}: {row.name}"
        look = mark.look
        if ground.kind == "bar":
            axes.barh(here, mark.rate, height=11, color=look.colour, hatch=look.hatch, edgecolor=PAPER, label=label)
            axes.plot([mark.low, mark.high], [here, here], color=PAPER, linewidth=3.6, label="_edge", zorder=2)
        colour = INK if ground.kind == "bar" else lighter(look.colour, alpha)
        _whisker(ground, mark, here, colour, label)
        if ground.kind == "dot":
            axes.plot(
                [mark.rate],
                [here],
                marker=look.marker,
                markersize=DOT,
                markerfacecolor=lighter(look.colour, alpha) if mark.filled else PAPER,
                markeredgecolor=lighter(look.colour, alpha),
                markeredgewidth=1.3,
                linestyle="none",
                label=label,
                zorder=3,
                clip_on=False,
            )


def _whisker(ground: Ground, mark: Mark, y: float, colour: str, label: str) -> None:
    """Draw an interval as a line with ends; the ends are left off where they would fall inside the dot."""
    low, high = ground.axes.get_xlim()
    points = (mark.high - mark.low) / (high - low) * ground.axes.get_position().width * ground.sheet.width
    ground.axes.plot(
        [mark.low, mark.high],
        [y, y],
        color=colour,
        linewidth=1.5,
        label=f"interval of {label}",
        marker="|" if points > DOT + 2 or ground.kind == "bar" else None,
        markersize=END,
        markeredgewidth=1.3,
        zorder=2.5,
        clip_on=False,
    )


def lighter(colour: str, alpha: float) -> str:
    """Mix a colour with white paper; unlike transparency it prints and overlaps cleanly.

    >>> lighter("#000000", 0.5)
    '#808080'
    """
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 - alpha * (255 - part)):02x}" for part in parts)


def _told(sections: Sequence[Section], measures: Sequence[str], most: int = 8) -> list[str]:
    """Tell the rows in words, the first of them."""
    told = []
    for section in sections:
        for row in section.rows:
            name = f"{section.heading}, {row.name}" if section.heading else row.name
            said = [
                f"{measure + ' ' if len(measures) > 1 else ''}{percent(mark.rate, mark.n)}"
                f" ({interval(mark.low, mark.high, mark.n)})"
                for measure, mark in zip(measures, row.marks, strict=False)
            ]
            told.append(f"{name}: {', '.join(said) if said else row.missing}, {row.cases}")
    rest = len(told) - most
    return [*told[:most], f"{rest} more rows are drawn"] if rest > 0 else told
