"""Is one slice different from another? Each figure of both, the difference with its interval, and a plain verdict."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .canvas import MARGIN, Chart, Sheet, Words, in_house_style, message, shortened, wrapped
from .frames import INTERVAL, checked, sentence
from .palette import INK, LINE, PAPER, SOFT
from .words import count, many, moment, named, percent, seconds

NEEDED = ("measure", "first", "second", "unit", "value_first", "value_second", "difference", "low", "high", "verdict")
MOST_ROWS = 18
ROW_WIDE, ROW_NARROW, HEAD, AXIS = 34.0, 52.0, 18.0, 22.0
# What a verdict is drawn with: colour, marker; a verdict is also written, so neither stands alone.
SURE, NOTHING, LITTLE = "#1f4e79", "#52606d", "#9aa5b1"
VERDICTS = {
    "higher": (SURE, "▲ higher"),
    "lower": (SURE, "▼ lower"),
    "no evidence of a difference": (NOTHING, "= no evidence of a difference"),
    "too little data": (LITTLE, "? too little data"),
}
UNITS = {"share": "points", "seconds": "", "number": ""}
SCALES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Line(NamedTuple):
    """One comparison in words: what is compared, the two figures, and the row of the frame."""

    name: str
    figures: str
    row: pd.Series


@in_house_style
def compare(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw the difference of two slices with its interval around zero, both figures, and the verdict in words.

    Differences of shares are drawn, in points; those of times and numbers are written with their verdict. The verdict
    is that of the first against the second.

    Parameters
    ----------
    frame
        What ``metrics.compare`` gives; filter its rows as you like: each row is one comparison.
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
    frame = checked(frame, NEEDED, name="compare")
    if frame.empty:
        words = Words("Two slices compared", "No figure stands in both.")
        return message(words, "There is nothing to compare.", narrow=narrow)
    first, second = (named(frame[side].iloc[0]) for side in ("first", "second"))
    seen = [frame[name].max() for name in ("as_of_first", "as_of_second") if name in frame.columns]
    known = [each for each in seen if pd.notna(each)]
    ends = f"as of {moment(max(known))}" if known else ""
    what = f"Difference {first} minus {second}"
    adjusted = f"verdicts adjusted for {many(len(frame), 'question')}" if _adjusted(frame) else ""
    words = Words(f"{first} against {second}", sentence(what, INTERVAL, adjusted, ends))
    one_sided = frame["value_first"].isna() | frame["value_second"].isna()
    if one_sided.any() and not one_sided.all():
        lacking = many(int(one_sided.sum()), "figure")
        words = words._replace(notes=(f"{lacking} known of one side only: not drawn; see the table.",))
        frame = frame[~one_sided]
    if len(frame) > MOST_ROWS:
        more = f"{many(len(frame) - MOST_ROWS, 'more comparison')} in the table."
        words = words._replace(notes=(more, *words.notes))
    lines = [_line(row, frame) for _, row in frame.head(MOST_ROWS).iterrows()]
    return _draw(words, lines, narrow=narrow)


def _adjusted(frame: pd.DataFrame) -> bool:
    return "adjust" in frame.columns and bool((frame["adjust"].fillna("") != "").any())


def _line(row: pd.Series, frame: pd.DataFrame) -> Line:
    before = list(frame.columns)[: list(frame.columns).index("measure")]
    after = [name for name in ("source",) if name in frame.columns and name not in before]
    keys = [named(row[name], name) for name in (*before, *after) if str(row[name])]
    name = str(row["measure"]).replace("_", " ")
    figures = " and ".join(_figure(row, side) for side in ("first", "second"))
    return Line(" · ".join([name, *keys]), figures, row)


def _figure(row: pd.Series, side: str) -> str:
    value, n = float(row[f"value_{side}"]), row.get(f"n_{side}", np.nan)
    if row["unit"] == "share":
        text = percent(value, float(n) if pd.notna(n) else np.inf)
    elif row["unit"] == "seconds":
        text = seconds(value)
    else:
        text = "none" if np.isnan(value) else f"{value:.2f}"
    return f"{text} of {count(n)}" if pd.notna(n) and row["unit"] == "share" else text


def _draw(words: Words, lines: Sequence[Line], *, narrow: bool) -> Chart:
    height = ROW_NARROW if narrow else ROW_WIDE
    shares = [line.row for line in lines if line.row["unit"] == "share"]
    end = _end(shares)
    drawn = end > 0
    sheet = Sheet(words, HEAD + len(lines) * height + (AXIS if drawn else 0), narrow=narrow)
    top = sheet.top + HEAD
    left, right = (MARGIN + 8, sheet.width - MARGIN - 8) if narrow else (MARGIN + 214, sheet.width - MARGIN - 128)
    axes = sheet.axes(left, top, right, top + len(lines) * height)
    _scale(axes, end, len(lines) * height, lines_through=not narrow)
    axes.set_visible(drawn)
    for at, line in enumerate(lines):
        y = top + at * height
        (_narrow if narrow else _wide)(sheet, line, y, left, right)
        _mark(axes, line, at * height + (height - 14 if narrow else height / 2))
    if drawn:
        heads = (("lower", left, "left"), ("higher", right, "right"))
        for text, x, side in heads:
            sheet.write(text, x, top - 8, size=7.5, color=SOFT, ha=side)
    told = [f"{line.name}: {line.figures}, {_difference(line.row)}, {line.row['verdict']}" for line in lines]
    sheet.figure.say([words.title, words.subtitle, *told, *words.notes])
    return sheet.figure


def _end(rows: Sequence[pd.Series]) -> float:
    """Choose how far the scale of differences goes to either side; 0 where no share has a difference."""
    found = [abs(float(row[name])) for row in rows for name in ("difference", "low", "high") if pd.notna(row[name])]
    return next((end for end in SCALES if max(found) <= end), 1.0) if found else 0.0


def _scale(axes: Axes, end: float, height: float, *, lines_through: bool) -> None:
    """Give the axes one scale; on a phone no line goes through the words above each mark."""
    end = end or 1.0
    axes.set_xlim(-end, end)
    axes.set_ylim(height, 0)
    marks = [-end, -end / 2, 0.0, end / 2, end]
    axes.set_xticks(marks, [f"{100 * mark:+.3g}" if mark else "0" for mark in marks])
    axes.set_yticks([])
    axes.set_xlabel("points")
    if lines_through:
        axes.grid(visible=True, axis="x")
        axes.axvline(0, color=INK, linewidth=1.0, label="no difference")
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)


def _look(row: pd.Series) -> tuple[str, str]:
    return VERDICTS.get(str(row["verdict"]), (SOFT, str(row["verdict"])))


def _difference(row: pd.Series) -> str:
    """Write a difference with its interval, in the unit of the figure."""
    value, low, high = (float(row[name]) for name in ("difference", "low", "high"))
    if np.isnan(value):
        return "no difference can be computed"
    if row["unit"] == "share":
        ends = "" if np.isnan(low) or np.isnan(high) else f" ({100 * low:+.1f} to {100 * high:+.1f})"
        return f"{100 * value:+.1f} points{ends}"
    sign = "s" if row["unit"] == "seconds" else ""
    ends = f" ({_end_of(low)} to {_end_of(high)})"
    return f"{value:+.1f}{sign and ' ' + sign}{ends}"


def _end_of(value: float) -> str:
    return "open" if np.isnan(value) else f"{value:+.1f}"


def _wide(sheet: Sheet, line: Line, y: float, left: float, right: float) -> None:
    middle = y + ROW_WIDE / 2
    colour, verdict = _look(line.row)
    room = left - MARGIN - 12
    sheet.write(shortened(line.name, 9, room), MARGIN, middle - 6)
    sheet.write(shortened(line.figures, 7.5, room), MARGIN, middle + 6, size=7.5, color=SOFT)
    lines = wrapped(verdict, 8, sheet.width - MARGIN - right - 12, bold=True)
    offset = middle - 5.5 * len(lines)
    for at, text in enumerate(lines):
        sheet.write(text, right + 12, offset + at * 10.5, size=8, color=_dark(colour), weight="bold")
    text = shortened(_difference(line.row), 7, sheet.width - right - 14)
    sheet.write(text, right + 12, offset + len(lines) * 10.5, size=7, color=SOFT)


def _narrow(sheet: Sheet, line: Line, y: float, left: float, right: float) -> None:
    colour, verdict = _look(line.row)
    room = right - left
    sheet.write(shortened(line.name, 8.5, room), left - 8, y + 7, size=8.5)
    text = shortened(f"{line.figures} · {_difference(line.row)}", 7, room + 16)
    sheet.write(text, left - 8, y + 17, size=7, color=SOFT)
    sheet.write(verdict, left - 8, y + 27, size=7.5, color=_dark(colour), weight="bold")


def _dark(colour: str) -> str:
    """Write in a colour that can be read: the palest verdict is for lines only."""
    return SOFT if colour == LITTLE else colour


def _mark(axes: Axes, line: Line, y: float) -> None:
    row = line.row
    colour, _ = _look(row)
    axes.axhline(y, color=LINE, linewidth=0.8, zorder=0.5)
    axes.plot([0, 0], [y - 7, y + 7], color=INK, linewidth=1.0, label="no difference", zorder=0.6)
    if row["unit"] != "share" or pd.isna(row["difference"]):
        return
    if pd.notna(row["low"]) and pd.notna(row["high"]):
        axes.plot(
            [row["low"], row["high"]],
            [y, y],
            color=colour,
            linewidth=2.2,
            marker="|",
            markersize=7,
            label=f"interval of {line.name}",
        )
    filled = row["verdict"] in {"higher", "lower"}
    axes.plot(
        [row["difference"]],
        [y],
        marker="o",
        markersize=6,
        color=colour,
        markerfacecolor=colour if filled else PAPER,
        markeredgewidth=1.4,
        linestyle="none",
        label=line.name,
    )
