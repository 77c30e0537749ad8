"""How long does it take until somebody is verified? The share of all sessions that is verified by each second."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from .canvas import MARGIN, Chart, Sheet, Words, apart, in_house_style, message, shortened, text_width
from .frames import checked, group_name, in_reading_order, largest, left_out, seen_from, sentence, split_by, title_of
from .palette import CHANNELS, OTHER, PLAIN, SOFT, Look, channel_look
from .words import count, many, named, percent, seconds

NEEDED = ("source", "measure", "seconds", "rate", "low", "high", "n", "horizon_seconds", "as_of")
MOST_GROUPS = 5
HEADING, CURVES, AXIS, TABLE_HEAD, TABLE_ROW, GAP = 20.0, 168.0, 34.0, 18.0, 15.0, 14.0
LEFT = 40.0
NEVER = "—"
UNKNOWN = "not known"
UNREACHED = f"{NEVER} means that the curve never gets there."
BAND = "Shaded: 95\N{NO-BREAK SPACE}% interval at each second by itself."
PROVIDER = "The provider need not report every verification: a lower curve there may be missing callbacks."
TICKS = (0, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)
SHARES = ("within_10s", "within_30s", "within_60s", "within_120s")
# The columns of the small table under the curves: what it is called, and the measure it shows.
TABLE = (("in 30 s", "within_30s"), ("in 60 s", "within_60s"), ("half by", "p50"), ("90 % by", "p90"))


class Curve(NamedTuple):
    """One group as one source saw it: its rows of the metric's frame, how it looks, whether anything was seen."""

    name: str
    rows: pd.DataFrame
    look: Look

    @property
    def n(self) -> float:
        """Number of sessions in the curve."""
        return float(self.rows["n"].iloc[0])

    def value(self, measure: str, column: str) -> float:
        """Give the one number of a measure; NaN where the frame has none."""
        found = self.rows.loc[self.rows["measure"] == measure, column]
        return float(found.iloc[0]) if len(found) else float("nan")


@in_house_style
def time_to_verify(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw the share of all sessions that is verified by each second: one panel per source, one curve per group.

    Sources are never pooled, and one that could see nothing says so. Under the curves stand the number of sessions,
    the shares within 30 and 60 seconds, and by when half and 90 % of all sessions were verified.

    Parameters
    ----------
    frame
        What ``metrics.time_to_verify`` gives, for any `by`; filter its rows as you like.
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
    frame = checked(frame, NEEDED, name="time_to_verify")
    by = split_by(frame, "source")
    sources = list(dict.fromkeys(frame["source"]))
    what = "Share verified by then, of all sessions, also those that never are"
    subtitle = sentence(what, seen_from(frame))
    words = Words(title_of("How long verification takes", by), subtitle)
    if not (frame["n"] > 0).any():
        text = "Not observable: nobody told when a session was verified, or no session is old enough."
        return message(words, text, narrow=narrow)
    panels, more = [], 0
    for source in sources:
        rows = frame[frame["source"] == source]
        kept, others = largest(rows[rows["n"] > 0], by, MOST_GROUPS)
        more = max(more, others)
        panels.append((source, _curves(kept, by)))
        words = words._replace(notes=(*words.notes, *_source_notes(source, rows, by)))
    if frame.loc[frame["measure"].isin(["p50", "p90"]), "seconds"].isna().any():
        words = words._replace(notes=(UNREACHED, *words.notes))
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    if "callback" in sources:
        words = words._replace(notes=(*words.notes, PROVIDER))
    if frame.loc[frame["measure"] == "curve", "low"].notna().any():
        words = words._replace(notes=(*words.notes, BAND))
    return _draw(words, panels, float(frame["horizon_seconds"].max()), narrow=narrow)


def _source_notes(source: str, rows: pd.DataFrame, by: list[str]) -> tuple[str, ...]:
    said = left_out(rows, by, "session", "whose first attempt was never seen")
    return (f"{named(source).capitalize()}: {said[0].lower()}{said[1:]}",) if said else ()


def _curves(rows: pd.DataFrame, by: list[str]) -> list[Curve]:
    curves = []
    groups = in_reading_order(rows, by).groupby(by, sort=False) if by else [((), rows)] if len(rows) else []
    # A channel has its own look; other groups take the looks in turn, told apart by line and label.
    turns = [PLAIN_LOOK, *(look for name, look in CHANNELS.items() if name != "sms"), OTHER]
    for at, (_, mine) in enumerate(groups):
        first = mine.iloc[0]
        look = channel_look(str(first["first_channel"])) if by == ["first_channel"] else turns[at % len(turns)]
        curves.append(Curve(group_name(first, by) or "all sessions", mine, look))
    return curves


PLAIN_LOOK = Look(PLAIN, "o", "-", "")


def _draw(words: Words, panels: Sequence[tuple[str, list[Curve]]], horizon: float, *, narrow: bool) -> Chart:
    heights = [_height(curves) for _, curves in panels]
    sheet = Sheet(words, sum(heights), narrow=narrow)
    y = sheet.top
    for (source, curves), height in zip(panels, heights, strict=True):
        sheet.write(f"Verified as {named(source)}", MARGIN, y + 8, size=9.5, weight="bold")
        if curves:
            _panel(sheet, curves, y + HEADING, horizon, source)
        else:
            sheet.write("Not observable: this source reported nothing.", MARGIN, y + 26, color=SOFT, style="italic")
        y += height
    told = [f"As {named(source)}: {_told(curve)}" for source, curves in panels for curve in curves]
    missing = [f"As {named(source)}: not observable" for source, curves in panels if not curves]
    sheet.figure.say([words.title, words.subtitle, *told, *missing, *words.notes])
    return sheet.figure


def _height(curves: Sequence[Curve]) -> float:
    if not curves:
        return HEADING + 22 + GAP
    return HEADING + CURVES + AXIS + TABLE_HEAD + len(curves) * TABLE_ROW + GAP


def _panel(sheet: Sheet, curves: Sequence[Curve], top: float, horizon: float, source: str) -> None:
    names = max(text_width(curve.name, 8, bold=True) for curve in curves)
    right = sheet.width - MARGIN - (14 if len(curves) == 1 else min(names, 90) + 12)
    axes = sheet.axes(LEFT, top, right, top + CURVES)
    _scales(axes, horizon, narrow=sheet.narrow)
    for curve in curves:
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
        if len(curves) == 1:
            _figures(axes, [point for point in points if not (sheet.narrow and point[0] == 60)], curve.n)
    if len(curves) > 1:
        _names(sheet, axes, curves, right, top)
    _table(sheet, curves, top + CURVES + AXIS)
    axes.set_gid(f"curves-{source}")


def _scales(axes: Axes, horizon: float, *, narrow: bool) -> None:
    """Give the first minute room: seconds are drawn by their square root, and every tick is labelled."""
    axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    axes.set_xlim(0, horizon)
    axes.set_ylim(0, 1)
    ticks = [tick for tick in TICKS if tick <= horizon and not (narrow and tick in {10, 60})]
    axes.set_xticks(ticks, [seconds(tick).replace(" s", "\N{NO-BREAK SPACE}s") if tick else "0" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [f"{share}\N{NO-BREAK SPACE}%" for share in (0, 25, 50, 75, 100)])
    axes.grid(visible=True)
    axes.set_xlabel("after the session's start (first minutes stretched)")


def _figures(axes: Axes, points: Sequence[tuple[float, float]], n: float) -> None:
    """Write the shares beside their points; left and above, where a rising curve leaves room."""
    for at, share in points:
        if not np.isnan(share):
            where = (at, share)
            text = percent(share, n)
            axes.annotate(text, where, xytext=(-5, 4), textcoords="offset points", ha="right", fontsize=8)


def _names(sheet: Sheet, axes: Axes, curves: Sequence[Curve], right: float, top: float) -> None:
    """Name each curve at its end, moved apart where the ends are close."""
    ends = []
    for curve in curves:
        drawn = curve.rows.loc[curve.rows["measure"] == "curve", "rate"]
        ends.append((1 - float(drawn.iloc[-1])) * CURVES if len(drawn) else CURVES)
    for curve, y in zip(curves, apart(ends, 11.0, CURVES), strict=True):
        name = shortened(curve.name, 8, sheet.width - MARGIN - right - 6, bold=True)
        sheet.write(name, right + 6, top + y, size=8, color=curve.look.colour, weight="bold")
    _ = axes


def _table(sheet: Sheet, curves: Sequence[Curve], top: float) -> None:
    """Set the figures of each curve under it, right-aligned in columns."""
    column = 40.0 if sheet.narrow else 66.0
    size = 7.0 if sheet.narrow else 8.0
    edges = [sheet.width - MARGIN - column * (len(TABLE) - 1 - at) for at in range(len(TABLE))]
    room = edges[0] - 2 * column - MARGIN
    heads = ["sessions", *(head for head, _ in TABLE)]
    for head, x in zip(heads, [edges[0] - column, *edges], strict=True):
        sheet.write(head, x, top + TABLE_HEAD / 2, size=size, color=SOFT, ha="right")
    for at, curve in enumerate(curves):
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
