"""From which state does an attempt go to which? A square of states for each channel, the impossible marked."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from .canvas import MARGIN, Chart, Sheet, Words, in_house_style, message
from .frames import checked, seen_from, sentence, split_by
from .heat import SCALE
from .palette import INK, LINE, OUTCOMES, PAPER, SOFT
from .words import count, many, named, percent, printable

NEEDED = ("channel", "from_state", "to_state", "lawful", "measure", "count", "n", "rate", "as_of")
# In the order in which they should follow each other.
STATES = ("(start)", "queued", "ringing", "accepted", "failed", "undelivered", "delivered", "unknown")
SHORT = {"(start)": "start", "undelivered": "undeliv.", "delivered": "deliv.", "accepted": "accept."}
MOST_CHANNELS = 4
HEADING, COLUMN_NAMES, CELL, GAP, LEFT = 18.0, 16.0, 24.0, 14.0, 76.0
UNLAWFUL = OUTCOMES["undelivered"]


@in_house_style
def transitions(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw from which state attempts went to which, as a share of those that were in it; the impossible is framed.

    Parameters
    ----------
    frame
        What ``metrics.transitions`` gives; filter its rows as you like.
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
    frame = checked(frame, NEEDED, name="transitions")
    subtitle = sentence(
        "Share of the callbacks in a state (row) by the state that came next (column)", seen_from(frame)
    )
    odd = int(frame.loc[frame["lawful"] == "no", "count"].sum())
    notes = (f"Framed: {many(odd, 'step')} that should not follow; callbacks that overtook each other look like this.",)
    words = Words("Which state follows which", subtitle, notes if odd else ())
    if not (frame["n"] > 0).any():
        return message(words, "No callback named an attempt up to then: nothing to draw.", narrow=narrow)
    _ = split_by(frame, "from_state")
    sizes = frame.groupby("channel")["count"].sum().sort_values(ascending=False, kind="stable")
    if len(sizes) > MOST_CHANNELS:
        left = many(len(sizes) - MOST_CHANNELS, "smaller channel")
        words = words._replace(notes=(f"{left} not drawn; see the table.", *words.notes))
    return _draw(words, frame, [str(name) for name in sizes.index[:MOST_CHANNELS]], narrow=narrow)


def _draw(words: Words, frame: pd.DataFrame, channels: list[str], *, narrow: bool) -> Chart:
    tables = [(channel, frame[frame["channel"] == channel]) for channel in channels]
    heights = [HEADING + COLUMN_NAMES + len(_states(rows, "from_state")) * CELL + GAP for _, rows in tables]
    sheet = Sheet(words, sum(heights), narrow=narrow)
    y = sheet.top
    for (channel, rows), height in zip(tables, heights, strict=True):
        total = f"{named(channel, 'channel')}, {many(int(rows['count'].sum()), 'step')}"
        sheet.write(total, MARGIN, y + HEADING / 2, size=9.5, weight="bold")
        _matrix(sheet, rows, y + HEADING, narrow=narrow)
        y += height
    told = [
        f"{named(row['channel'], 'channel')}, {row['from_state']} to {row['to_state']}: "
        f"{percent(float(row['rate']), float(row['n']))} of {count(row['n'])}"
        for _, row in frame.sort_values("count", ascending=False, kind="stable").head(8).iterrows()
    ]
    sheet.figure.say([words.title, words.subtitle, *told, *words.notes])
    return sheet.figure


def _states(rows: pd.DataFrame, column: str) -> list[str]:
    there = set(rows[column].astype(str))
    return [*(state for state in STATES if state in there), *sorted(there - set(STATES))]


def _matrix(sheet: Sheet, rows: pd.DataFrame, top: float, *, narrow: bool) -> None:
    froms, tos = _states(rows, "from_state"), _states(rows, "to_state")
    width = min((sheet.width - MARGIN - LEFT) / len(tos), 70.0)
    below = top + COLUMN_NAMES
    size = 6.0 if narrow else 7.5
    for at, state in enumerate(tos):
        name = printable(SHORT.get(state, state), 9)
        sheet.write(name, LEFT + (at + 0.5) * width, top + 8, size=size, color=SOFT, ha="center")
    for at, state in enumerate(froms):
        sheet.write(printable(state, 12), LEFT - 6, below + (at + 0.5) * CELL, size=8, color=SOFT, ha="right")
    axes = sheet.axes(LEFT, below, LEFT + width * len(tos), below + CELL * len(froms))
    axes.set_xlim(0, len(tos))
    axes.set_ylim(len(froms), 0)
    axes.set_axis_off()
    for x in range(len(tos)):
        for y in range(len(froms)):
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=PAPER, edgecolor=LINE, linewidth=0.6))
    for _, row in rows.iterrows():
        _cell(axes, row, (tos.index(str(row["to_state"])), froms.index(str(row["from_state"]))), size)


def _cell(axes: Axes, row: pd.Series, where: tuple[int, int], size: float) -> None:
    x, y = where
    share = float(row["rate"])
    shade = 0 if np.isnan(share) else round(share * (len(SCALE) - 1))
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=SCALE[shade], edgecolor=PAPER, linewidth=0.8, label="share"))
    if row["lawful"] == "no":
        frame = Rectangle(
            (x + 0.04, y + 0.08), 0.92, 0.84, fill=False, edgecolor=UNLAWFUL, linewidth=1.4, linestyle="--"
        )
        frame.set_label("not possible in this order")
        axes.add_patch(frame)
    text = percent(share, float(row["n"])).replace("\N{NO-BREAK SPACE}", "")
    axes.text(x + 0.5, y + 0.5, text, fontsize=size, color=PAPER if shade >= 4 else INK, ha="center", va="center")
