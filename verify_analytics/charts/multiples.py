"""How do many groups move over time? One small panel each, on one scale, the largest first."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .canvas import MARGIN, Chart, Sheet, Words, message, shortened, text_width
from .clocks import CYCLES, ends, noun, ticks
from .palette import LINE, PAPER, SOFT
from .trend import ENOUGH, Line, Panel, scale_of_shares, x_of
from .words import count, group_word, many, percent

MOST = 12
HEADING, PANEL, GAP, AXIS, LEFT = 15.0, 62.0, 12.0, 22.0, 34.0


def draw_multiples(words: Words, panels: Sequence[Panel], time: str, *, narrow: bool) -> Chart:
    """Draw the lines of each panel small, with their intervals; three panels side by side, one on a phone.

    The first line has filled points, a second one hollow ones; what they are stands in the notes.

    Parameters
    ----------
    words
        Title, subtitle and notes.
    panels
        Groups in the order to be read; those without a moment of enough cases are left out and counted in a note.
    time
        The column of time.
    narrow
        Lay it out for a phone.
    """
    drawn = [panel for panel in panels if panel.is_drawn]
    shown = drawn[:MOST]
    left = [
        (len(panels) - len(drawn), f"too small: fewer than {ENOUGH} cases in every {noun(time)}"),
        (len(drawn) - len(shown), "smaller"),
    ]
    words = words._replace(
        notes=(*(f"{many(number, 'group')} not drawn, {why}." for number, why in left if number), *words.notes)
    )
    if not shown:
        text = f"No {noun(time)} has {ENOUGH} cases that can be judged: too few to draw."
        return message(words, text, narrow=narrow)
    columns = 1 if narrow else 3
    lines = int(np.ceil(len(shown) / columns))
    sheet = Sheet(words, lines * (HEADING + PANEL + GAP) + AXIS, narrow=narrow)
    bottom, top, step = scale_of_shares([line for panel in shown for line in panel.lines])
    every = np.concatenate([x_of(panel.lines[0].rows, time) - 0.5 for panel in shown])
    first, last = ends(every, time)
    room = (sheet.width - 2 * MARGIN - LEFT + GAP) / columns
    for at, panel in enumerate(shown):
        line, column = divmod(at, columns)
        y = sheet.top + line * (HEADING + PANEL + GAP)
        x = MARGIN + LEFT + column * room
        _heading(sheet, panel, x, y + HEADING / 2 - 1, room - GAP)
        axes = sheet.axes(x, y + HEADING, x + room - GAP, y + HEADING + PANEL)
        axes.set_xlim(first, last)
        axes.set_ylim(bottom, top)
        marks = np.round(np.arange(np.ceil(bottom / step - 1e-9) * step, top + 1e-9, step), 6) + 0.0
        axes.set_yticks(marks, [f"{100 * mark:.0f}\N{NO-BREAK SPACE}%" for mark in marks] if column == 0 else [])
        axes.grid(visible=True, axis="y")
        for one in panel.lines:
            _line(axes, one, panel.name, time)
        last_of_column = at + columns >= len(shown)
        places, names = ticks(first, last, time, narrow=True)
        axes.set_xticks(places, names if last_of_column else [""] * len(names))
        axes.tick_params(labelsize=7)
        if last_of_column and time in CYCLES:
            axes.set_xlabel(group_word(time), fontsize=7)
    sheet.figure.say([words.title, words.subtitle, *map(_told, shown), *words.notes])
    return sheet.figure


def _heading(sheet: Sheet, panel: Panel, x: float, y: float, room: float) -> None:
    rows = panel.lines[0].rows
    cases = f"n = {count(rows['n'].sum())}"
    name = shortened(panel.name, 8.5, room - text_width(cases, 7) - 8, bold=True)
    sheet.write(name, x, y, size=8.5, weight="bold")
    sheet.write(cases, x + room, y, size=7, color=SOFT, ha="right")


def _line(axes: Axes, line: Line, name: str, time: str) -> None:
    """Draw the shares of moments with enough cases; a moment without them breaks the line."""
    rows = line.rows[line.rows[time].notna()].sort_values(time)
    x = x_of(rows, time)
    whole = np.arange(x[0], x[-1] + 1)
    rows = rows.set_index(x).reindex(whole)
    enough = rows["n"].to_numpy(dtype=np.float64, na_value=0.0) >= ENOUGH
    rate, low, high = (
        np.where(enough, rows[name].to_numpy(dtype=np.float64, na_value=np.nan), np.nan)
        for name in ("rate", "low", "high")
    )
    colour = line.look.colour
    label = f"{line.measure}: {name}"
    width, alpha = (3.2, 0.28) if line.first else (1.4, 0.35)
    axes.vlines(whole, low, high, color=colour, linewidth=width, alpha=alpha, label=f"interval of {label}")
    axes.plot(
        whole,
        rate,
        color=colour,
        linewidth=1.3 if line.first else 0.9,
        marker="o",
        markersize=2.8,
        markerfacecolor=colour if line.first else PAPER,
        markeredgewidth=0.8,
        label=label,
        clip_on=False,
    )
    axes.spines["bottom"].set_color(LINE)


def _told(panel: Panel) -> str:
    told = []
    for line in panel.lines:
        rows = line.rows[line.rows["n"] >= ENOUGH]
        least, most = float(rows["rate"].min()), float(rows["rate"].max())
        told.append(f"{line.measure} between {percent(least)} and {percent(most)}")
    return f"{panel.name}: {', '.join(told)}"
