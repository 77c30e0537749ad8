"""How does a share grow with time? Curves of cumulative incidence with their bands, and below them the figures.

Under the axis stands how many were still waiting then (the numbers at risk), and a small table with the shares and the
times by which half and 90 % were there.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .canvas import MARGIN, Chart, Sheet, Words, apart, shortened, text_width
from .frames import ALL, group_name, in_reading_order
from .palette import CHANNELS, OTHER, PLAIN, SOFT, Look, channel_look
from .words import count, listed, percent, seconds

HEADING, CURVES, AXIS, TABLE_HEAD, TABLE_ROW, GAP = 20.0, 168.0, 34.0, 18.0, 15.0, 14.0
RISK_HEAD, RISK_ROW = 12.0, 10.0
MOST_GROUPS = 5
# A curve of fewer says nothing that its interval does not take back: it stands in the table alone.
ENOUGH = 10
FIGURES = ("seconds", "rate", "at_risk")
LEFT = 40.0
NEVER = "—"
UNKNOWN = "not known"
UNREACHED = f"{NEVER} means that the curve never gets there."
BAND = "Shaded: 95\N{NO-BREAK SPACE}% interval at each second by itself."
TICKS = (0, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)
SHARES = ("within_10s", "within_30s", "within_60s", "within_120s")
# The columns of the small table under the curves: what it is called, and the measure it shows.
TABLE = (("in 30 s", "within_30s"), ("in 60 s", "within_60s"), ("half by", "p50"), ("90 % by", "p90"))


class Curve(NamedTuple):
    """One group: its rows of the metric's frame, how it looks, whether anything was seen."""

    name: str
    rows: pd.DataFrame
    look: Look
    figures: Mapping[str, Mapping[str, float]]

    @property
    def n(self) -> float:
        """How many the curve began with."""
        return float(self.rows["n"].iloc[0])

    def value(self, measure: str, column: str) -> float:
        """Give the one number of a measure; NaN where the frame has none."""
        return self.figures.get(measure, {}).get(column, float("nan"))


def _figures_of(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Read the rows that hold one figure each, all but the steps of the curve."""
    rows = rows[rows["measure"] != "curve"]
    numbers = {name: rows[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in FIGURES}
    told = [str(name) for name in rows["measure"]]
    return {measure: {name: float(numbers[name][at]) for name in FIGURES} for at, measure in enumerate(told)}


def curves_of(rows: pd.DataFrame, by: list[str], everybody: str) -> list[Curve]:
    """Make a curve of each group; `everybody` names the one of a frame without a split."""
    curves = []
    groups = in_reading_order(rows, by).groupby(by, sort=False) if by else [((), rows)] if len(rows) else []
    # A channel has its own look; other groups take the looks in turn, told apart by line and label.
    turns = [PLAIN_LOOK, *(look for name, look in CHANNELS.items() if name != "sms"), OTHER]
    for at, (_, mine) in enumerate(groups):
        first = mine.iloc[0]
        channel = next((name for name in ("first_channel", "channel") if by == [name]), None)
        whole = first.get("pooled") == ALL
        look = turns[at % len(turns)] if channel is None or whole else channel_look(str(first[channel]))
        curves.append(Curve(group_name(first, by) or everybody, mine, look, _figures_of(mine)))
    return curves


PLAIN_LOOK = Look(PLAIN, "o", "-", "")


class Panel(NamedTuple):
    """Curves on one pair of axes: the heading, the name of the panel, and what is said where there is no curve."""

    heading: str
    name: str
    curves: list[Curve]
    missing: str
    unit: str

    @property
    def shown(self) -> list[Curve]:
        """The curves of enough cases to be drawn; all, where none has."""
        return [curve for curve in self.curves if curve.n >= ENOUGH] or self.curves

    @property
    def names(self) -> set[str]:
        """The names of the curves that are drawn."""
        return {curve.name for curve in self.shown}


def draw_curves(words: Words, panels: Sequence[Panel], horizon: float, start: str, *, narrow: bool) -> Chart:
    """Draw panels of curves, one below the other.

    Parameters
    ----------
    words
        Title, subtitle and notes.
    panels
        What to draw.
    horizon
        The end of the axis, in seconds.
    start
        What the seconds are counted from.
    narrow
        Lay it out for a phone.
    """
    small = [curve.name for panel in panels for curve in panel.curves if curve.name not in panel.names]
    if small:
        words = words._replace(notes=(*words.notes, f"Not drawn, fewer than {ENOUGH}: {listed(dict.fromkeys(small))}."))
    heights = [_height(panel.curves) for panel in panels]
    sheet = Sheet(words, sum(heights), narrow=narrow)
    y = sheet.top
    for panel, height in zip(panels, heights, strict=True):
        sheet.write(panel.heading, MARGIN, y + 8, size=9.5, weight="bold")
        if panel.curves:
            _panel(sheet, panel, y + HEADING, horizon, start)
        else:
            sheet.write(panel.missing, MARGIN, y + 26, color=SOFT, style="italic")
        y += height
    told = [f"{panel.heading}: {_told(curve)}" for panel in panels for curve in panel.curves]
    missing = [f"{panel.heading}: {panel.missing}" for panel in panels if not panel.curves]
    sheet.figure.say([words.title, words.subtitle, *told, *missing, *words.notes])
    return sheet.figure


def _height(curves: Sequence[Curve]) -> float:
    if not curves:
        return HEADING + 22 + GAP
    risk = RISK_HEAD + len(curves) * RISK_ROW
    return HEADING + CURVES + AXIS + risk + TABLE_HEAD + len(curves) * TABLE_ROW + GAP


def _panel(sheet: Sheet, panel: Panel, top: float, horizon: float, start: str) -> None:
    curves = panel.curves
    names = max(text_width(curve.name, 8, bold=True) for curve in curves)
    right = sheet.width - MARGIN - (14 if len(curves) == 1 else min(names, 90) + 12)
    axes = sheet.axes(LEFT, top, right, top + CURVES)
    _scales(axes, horizon, start, narrow=sheet.narrow)
    shown = panel.shown
    for curve in shown:
        drawn = curve.rows[curve.rows["measure"] == "curve"]
        at, share = (drawn[column].to_numpy(dtype=np.float64) for column in ("seconds", "rate"))
        if len(at):
            # The last height holds until the horizon, or until nobody was watched any more.
            axes.step(at, share, where="post", color=curve.look.colour, linestyle=curve.look.line, label=curve.name)
            low, high = (drawn[column].to_numpy(dtype=np.float64) for column in ("low", "high"))
            if not np.isnan(low).all():
                axes.fill_between(at, low, high, step="post", color=curve.look.colour, alpha=0.18, linewidth=0)
        points = [(curve.value(name, "seconds"), curve.value(name, "rate")) for name in SHARES]
        axes.plot(
            *zip(*points, strict=True),
            color=curve.look.colour,
            marker=curve.look.marker,
            markersize=4.5,
            linestyle="none",
            label=f"shares of {curve.name}",
        )
        if len(shown) == 1:
            _figures(axes, [point for point in points if not (sheet.narrow and point[0] == 60)], curve.n)
    if len(curves) > 1:
        _names(sheet, shown, right, top)
    risk = RISK_HEAD + len(curves) * RISK_ROW
    _at_risk(sheet, axes, curves, top + CURVES + AXIS, horizon)
    _table(sheet, panel, top + CURVES + AXIS + risk)
    axes.set_gid(f"curves-{panel.name}")


def _at_risk(sheet: Sheet, axes: Axes, curves: Sequence[Curve], top: float, horizon: float) -> None:
    """Write under the axis how many were still waiting: at the start, at the times of the shares, at the horizon."""
    sheet.write("still waiting, and watched", MARGIN, top + 2, size=7, color=SOFT)
    box = axes.get_position()
    for at, curve in enumerate(curves):
        places = [(0.0, curve.n)]
        places += [(curve.value(name, "seconds"), curve.value(name, "at_risk")) for name in SHARES]
        places.append((horizon, curve.value("restricted_mean", "at_risk")))
        y = top + RISK_HEAD + (at + 0.4) * RISK_ROW
        beyond = -np.inf
        for second, number in places:
            if np.isnan(number) or second > horizon:
                continue
            x = (box.x0 + box.width * np.sqrt(second / horizon)) * sheet.width
            text = count(number)
            half = text_width(text, 7) / 2
            x = min(x, sheet.width - MARGIN - half)
            # Where two numbers would meet, the later one is left out: the table has them all.
            if x - half > beyond + 3:
                sheet.write(text, x, y, size=7, color=curve.look.colour, ha="center")
                beyond = x + half


def _scales(axes: Axes, horizon: float, start: str, *, narrow: bool) -> None:
    """Give the first minute room: seconds are drawn by their square root, and every tick is labelled."""
    axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    axes.set_xlim(0, horizon)
    axes.set_ylim(0, 1)
    ticks = [tick for tick in TICKS if tick <= horizon and not (narrow and tick in {10, 60})]
    axes.set_xticks(ticks, [seconds(tick).replace(" s", "\N{NO-BREAK SPACE}s") if tick else "0" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [f"{share}\N{NO-BREAK SPACE}%" for share in (0, 25, 50, 75, 100)])
    axes.grid(visible=True)
    axes.set_xlabel(f"after {start} (first minutes stretched)")


def _figures(axes: Axes, points: Sequence[tuple[float, float]], n: float) -> None:
    """Write the shares beside their points; left and above, where a rising curve leaves room."""
    for at, share in points:
        if not np.isnan(share):
            where = (at, share)
            text = percent(share, n)
            axes.annotate(text, where, xytext=(-5, 4), textcoords="offset points", ha="right", fontsize=8)


def _names(sheet: Sheet, curves: Sequence[Curve], right: float, top: float) -> None:
    """Name each curve at its end, moved apart where the ends are close."""
    ends = []
    for curve in curves:
        drawn = curve.rows.loc[curve.rows["measure"] == "curve", "rate"]
        ends.append((1 - float(drawn.iloc[-1])) * CURVES if len(drawn) else CURVES)
    for curve, y in zip(curves, apart(ends, 11.0, CURVES), strict=True):
        name = shortened(curve.name, 8, sheet.width - MARGIN - right - 6, bold=True)
        sheet.write(name, right + 6, top + y, size=8, color=curve.look.colour, weight="bold")


def _table(sheet: Sheet, panel: Panel, top: float) -> None:
    """Set the figures of each curve under it, right-aligned in columns."""
    column = 40.0 if sheet.narrow else 66.0
    size = 7.0 if sheet.narrow else 8.0
    edges = [sheet.width - MARGIN - column * (len(TABLE) - 1 - at) for at in range(len(TABLE))]
    room = edges[0] - 2 * column - MARGIN
    heads = [panel.unit, *(head for head, _ in TABLE)]
    for head, x in zip(heads, [edges[0] - column, *edges], strict=True):
        sheet.write(head, x, top + TABLE_HEAD / 2, size=size, color=SOFT, ha="right")
    for at, curve in enumerate(panel.curves):
        y = top + TABLE_HEAD + (at + 0.5) * TABLE_ROW
        name = shortened(curve.name, size, room, bold=True)
        sheet.write(name, MARGIN, y, size=size, weight="bold", color=curve.look.colour)
        sheet.write(count(curve.n), edges[0] - column, y, size=size, ha="right")
        for (_, measure), x in zip(TABLE, edges, strict=True):
            sheet.write(_cell(curve, measure), x, y, size=size, ha="right")


def _cell(curve: Curve, measure: str) -> str:
    if measure.startswith("within"):
        share = curve.value(measure, "rate")
        return UNKNOWN if np.isnan(share) else percent(share, curve.n)
    return seconds(curve.value(measure, "seconds"), missing=NEVER)


def _told(curve: Curve) -> str:
    figures = [f"{head} {_cell(curve, measure)}" for head, measure in TABLE]
    return f"{curve.name}: {', '.join(figures)}, n = {count(curve.n)}"
