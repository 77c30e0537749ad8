"""Which way do people go when no code comes? From the first attempt to the second, and whether they are verified.

All bands of the picture are of the same sessions: those that one source watched. So what flows in flows out.
"""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from verify_analytics.errors import ArgumentError

from .canvas import MARGIN, Chart, Sheet, Words, in_house_style, message, shortened, text_width
from .frames import best_source, checked, left_out, seen_from, sentence, split_by
from .palette import FAINT, INK, OUTCOMES, PAPER, PLAIN, SOFT, channel_look
from .rows import lighter
from .words import count, many, named, percent

NEEDED = ("source", "from_channel", "to_channel", "measure", "count", "n", "as_of")
FIRST, LATER, WAY = "verified_before_attempt_2", "second_attempt_then_verified", "second_attempt"
BAR, KEY_ROW, ZOOM, HEADS, FLOW, GAP = 20.0, 15.0, 26.0, 16.0, 190.0, 10.0
NODE = 9.0
# Between two nodes of a column, in points.
APART = 9.0
MOST_WAYS = 8
# A drawing of fewer points has its names set smaller.
NARROWEST = 200.0
YES, NO = "verified", "not verified"
VERIFIED, LOST, AGAIN = OUTCOMES["delivered"], FAINT, PLAIN


class Way(NamedTuple):
    """Sessions that asked again one way: from which channel to which, how many, how many of them were verified.

    Where no source told (`is_seen` is false) the last figure means nothing.
    """

    begin: str
    end: str
    n: float
    verified: float
    is_seen: bool = True


class Node(NamedTuple):
    """A place in a column: where its top is and how high it is, in points of the drawing."""

    top: float
    height: float


@in_house_style
def retry_flow(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw the ways sessions take: verified at once, gone, or asking again, on which channel, and what followed.

    The bar is all sessions that one source watched (the application where it reported, else the provider). Below, those
    that asked again unverified are spread out: the width of a band is a number of sessions. Filter by `source` for the
    other source.

    Parameters
    ----------
    frame
        What ``metrics.retries`` gives without a split, or one group of it.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError
        For something else than a frame, or a frame of several groups.
    SchemaError
        For a frame without the metric's columns.
    """
    frame = checked(frame, NEEDED, name="retry_flow", metric="retries")
    _one_group(frame)
    source = best_source(frame)
    who = f"verified as {named(source)}" if source else "verification is not observable"
    mine = frame[frame["source"] == source]
    notes = ["Followed by, not caused by: those who ask again differ from those who wait."]
    notes += [left_out(mine if source else frame, [], "session", "of which no attempt was seen")]
    subtitle = sentence("The width of a band is a number of sessions", who, seen_from(frame))
    words = Words("What people do when no code comes", subtitle, tuple(note for note in notes if note))
    ways = _ways(frame, source)
    whole = _whole(frame, source, ways)
    if not whole["sessions"]:
        return message(words, "No session is old enough to be judged, so there is nothing to draw.", narrow=narrow)
    asked = sum(way.n for way in ways)
    unknown = whole["again"] - asked
    if unknown > 0:
        words = words._replace(notes=(*words.notes, f"{many(unknown, 'session')} went a way that is not known."))
    return _draw(words, whole, ways, narrow=narrow)


def _one_group(frame: pd.DataFrame) -> None:
    by = split_by(frame, "source")
    if by and len(frame[by].drop_duplicates()) > 1:
        raise ArgumentError(
            f"charts.retry_flow draws one group, and this frame is split by {', '.join(by)}: keep the rows of one, "
            "or ask metrics.retries without by"
        )


def _ways(frame: pd.DataFrame, source: str) -> list[Way]:
    """Read the ways of a source; without any, those of all sessions, of which nobody knows whether they verified."""
    measure = LATER if source else WAY
    rows = frame[(frame["measure"] == measure) & (frame["source"] == source)]
    size = rows["n"] if source else rows["count"]
    ways = [
        Way(str(row["from_channel"]), str(row["to_channel"]), float(n), float(row["count"]), bool(source))
        for n, (_, row) in zip(size, rows.iterrows(), strict=True)
        if n > 0
    ]
    ways.sort(key=lambda way: -way.n)
    if len(ways) <= MOST_WAYS:
        return ways
    rest = ways[MOST_WAYS - 1 :]
    both = (sum(way.n for way in rest), sum(way.verified for way in rest))
    return [*ways[: MOST_WAYS - 1], Way("others", "others", *both, bool(source))]


def _whole(frame: pd.DataFrame, source: str, ways: list[Way]) -> dict[str, float]:
    """Give how many sessions there are, were verified at once, asked again unverified, and did neither."""
    rows = frame[frame["source"] == source]
    first = rows[rows["measure"] == FIRST]
    if source and len(first):
        later = rows.loc[rows["measure"] == "verified_before_attempt_3", "n"]
        again = float(later.iloc[0]) if len(later) else sum(way.n for way in ways)
        n, at_once = float(first["n"].iloc[0]), float(first["count"].iloc[0])
        return {"sessions": n, "first": at_once, "again": again, "gone": n - at_once - again}
    reached = frame[frame["measure"] == "reaches_attempt_2"]
    sessions = frame.loc[frame["measure"] == "attempts_per_session", "n"]
    n = float(sessions.iloc[0]) if len(sessions) else 0.0
    again = float(reached["count"].iloc[0]) if len(reached) else 0.0
    return {"sessions": n, "first": 0.0, "again": again, "gone": n - again}


def _draw(words: Words, whole: dict[str, float], ways: list[Way], *, narrow: bool) -> Chart:
    seen = any(way.is_seen for way in ways) or whole["first"] > 0
    parts = [
        ("verified with the first attempt", whole["first"], VERIFIED),
        ("no second attempt, not verified" if seen else "one attempt", whole["gone"], LOST),
        ("asked again", whole["again"], AGAIN),
    ]
    parts = [part for part in parts if part[1] > 0]
    key = KEY_ROW * (len(parts) if narrow else 1)
    flows = ZOOM + HEADS + FLOW if ways else 0.0
    sheet = Sheet(words, key + BAR + flows + GAP, narrow=narrow)
    _key(sheet, parts, whole["sessions"])
    _bar(sheet, parts, whole["sessions"], sheet.top + key, zoomed=bool(ways))
    if ways:
        _flow(sheet, ways, sheet.top + key + BAR + ZOOM)
    told = [f"{name}: {count(number)} of {many(whole['sessions'], 'session')}" for name, number, _ in parts]
    told += [_told(way) for way in ways]
    sheet.figure.say([words.title, words.subtitle, *told, *words.notes])
    return sheet.figure


def _told(way: Way) -> str:
    name = f"{named(way.begin, 'channel')} then {named(way.end, 'channel')}: {count(way.n)}"
    return name if not way.is_seen else f"{name}, of which {count(way.verified)} were verified"


def _key(sheet: Sheet, parts: list[tuple[str, float, str]], whole: float) -> None:
    x = MARGIN
    for at, (name, number, colour) in enumerate(parts):
        y = sheet.top + KEY_ROW / 2 - 2 + (at * KEY_ROW if sheet.narrow else 0)
        text = f"{name}: {percent(number / whole, whole)} ({count(number)})"
        axes = sheet.axes(x, y - 4, x + 8, y + 4)
        axes.add_patch(Rectangle((0, 0), 1, 1, facecolor=colour, label="key"))
        axes.set_axis_off()
        sheet.write(text, x + 13, y, size=8)
        x += 0 if sheet.narrow else 13 + text_width(text, 8) + 16


def _bar(sheet: Sheet, parts: list[tuple[str, float, str]], whole: float, top: float, *, zoomed: bool) -> None:
    """Draw all sessions as one bar, and lines from the part that asked again to the picture below."""
    axes = sheet.axes(MARGIN, top, sheet.width - MARGIN, top + BAR + (ZOOM if zoomed else 0))
    axes.set_xlim(0, whole)
    axes.set_ylim(BAR + (ZOOM if zoomed else 0), 0)
    axes.set_axis_off()
    at = 0.0
    for name, number, colour in parts:
        hatch = "////" if colour == VERIFIED else ""
        box = Rectangle((at, 0), number, BAR, facecolor=colour, edgecolor=PAPER, linewidth=1.0, hatch=hatch, label=name)
        axes.add_patch(box)
        if name == "asked again" and zoomed:
            for begin, end in ((at, 0.0), (at + number, whole)):
                axes.plot([begin, end], [BAR, BAR + ZOOM - 4], color=FAINT, linewidth=0.8, label="_zoom")
        at += number


def _flow(sheet: Sheet, ways: list[Way], top: float) -> None:
    """Draw the alluvial: first channel, second channel, and what followed where that is known."""
    seen = ways[0].is_seen
    left, right = MARGIN + (46 if sheet.narrow else 70), sheet.width - MARGIN - (72 if sheet.narrow else 130)
    middle = left + (right - left) * (0.5 if seen else 1.0)
    word = "" if sheet.narrow else " attempt"
    heads = [(f"first{word}", left, "left"), (f"second{word}", middle, "center" if seen else "right")]
    heads += [("then", right, "right")] if seen else []
    for text, x, side in heads:
        sheet.write(text, x, top + HEADS / 2 - 2, size=7.5, color=SOFT, ha=side)
    axes = sheet.axes(left, top + HEADS, right, top + HEADS + FLOW)
    axes.set_xlim(0, right - left)
    axes.set_ylim(FLOW, 0)
    axes.set_axis_off()
    total = sum(way.n for way in ways)
    begins, ends = _sums(ways, "begin"), _sums(ways, "end")
    columns = [begins, ends] + ([{YES: sum(way.verified for way in ways)}] if seen else [])
    if seen:
        columns[2][NO] = total - columns[2][YES]
        columns[2] = {name: number for name, number in columns[2].items() if number > 0}
    scale = min((FLOW - APART * (len(column) - 1)) / total for column in columns)
    places = [_places(column, scale) for column in columns]
    xs = [0.0, middle - left - (NODE / 2 if seen else NODE), right - left - NODE]
    _bands(axes, ways, places, xs, scale)
    for at, column in enumerate(columns):
        for name in column:
            _node(axes, (at, len(columns)), name, places[at][name], (xs[at], column[name] / total))


def _sums(ways: list[Way], column: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for way in ways:
        name = str(getattr(way, column))
        sums[name] = sums.get(name, 0.0) + way.n
    return dict(sorted(sums.items(), key=lambda each: -each[1]))


def _places(column: dict[str, float], scale: float) -> dict[str, Node]:
    """Stack the nodes of a column, the largest at the top, and centre it."""
    y = (FLOW - sum(column.values()) * scale - APART * (len(column) - 1)) / 2
    places = {}
    for name, number in column.items():
        places[name] = Node(y, number * scale)
        y += number * scale + APART
    return places


def _bands(axes: Axes, ways: list[Way], places: list[dict[str, Node]], xs: list[float], scale: float) -> None:
    """Draw the bands in the order of the nodes, so that none crosses another more than it must."""
    filled: list[dict[str, float]] = [dict.fromkeys(column, 0.0) for column in places]
    out = dict.fromkeys(places[1], 0.0)
    order = {name: at for at, name in enumerate(places[0])}
    goals = {name: at for at, name in enumerate(places[1])}
    for way in sorted(ways, key=lambda way: (order[way.begin], goals[way.end])):
        height = way.n * scale
        a, b = places[0][way.begin].top + filled[0][way.begin], places[1][way.end].top + filled[1][way.end]
        name = f"{way.begin} to {way.end}"
        _band(axes, (xs[0] + NODE, a), (xs[1], b), height, (_colour(way.end), channel_look(way.end).hatch, name))
        filled[0][way.begin] += height
        filled[1][way.end] += height
    if len(places) < 3:
        return
    for goal in (YES, NO):
        for way_end in places[1]:
            number = sum(way.verified if goal == YES else way.n - way.verified for way in ways if way.end == way_end)
            if number <= 0:
                continue
            a, b = places[1][way_end].top + out[way_end], places[2][goal].top + filled[2][goal]
            colour = VERIFIED if goal == YES else LOST
            hatch = "////" if goal == YES else ""
            ends = ((xs[1] + NODE, a), (xs[2], b))
            _band(axes, *ends, number * scale, (colour, hatch, f"{way_end}: {goal}"))
            out[way_end] += number * scale
            filled[2][goal] += number * scale


def _band(
    axes: Axes, begin: tuple[float, float], end: tuple[float, float], height: float, look: tuple[str, str, str]
) -> None:
    colour, hatch, name = look
    (x0, y0), (x1, y1) = begin, end
    half = (x0 + x1) / 2
    corners = [
        (x0, y0), (half, y0), (half, y1), (x1, y1),
        (x1, y1 + height), (half, y1 + height), (half, y0 + height), (x0, y0 + height), (x0, y0),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    patch = PathPatch(Path(corners, codes), facecolor=lighter(colour, 0.38), edgecolor=PAPER, linewidth=0.7, label=name)
    patch.set_hatch(hatch)
    axes.add_patch(patch)


def _colour(channel: str) -> str:
    return channel_look(channel).colour


def _node(axes: Axes, where: tuple[int, int], name: str, place: Node, at: tuple[float, float]) -> None:
    """Draw a node, and write its name and number beside it; in the middle on the band, where there is room."""
    (column, columns), (x, share) = where, at
    outcome = columns == 3 and column == 2
    colour = {YES: VERIFIED, NO: LOST}.get(name, PLAIN) if outcome else _colour(name)
    axes.add_patch(Rectangle((x, place.top), NODE, place.height, facecolor=colour, label=f"node {name}"))
    text = f"{name if outcome else named(name, 'channel')} {percent(share).replace(' ', '')}"
    middle = place.top + place.height / 2
    size = 8.0 if axes.get_xlim()[1] > NARROWEST else 7.0
    if column == 0:
        axes.text(-5, middle, shortened(named(name, "channel"), size, 60), fontsize=size, ha="right", va="center")
        return
    offset = NODE + 4
    axes.text(x + offset, middle, text, fontsize=size, color=INK, ha="left", va="center", clip_on=False)
