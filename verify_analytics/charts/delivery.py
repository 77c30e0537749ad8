"""Do the messages and calls arrive? Shares with their intervals, by group or over time."""

import pandas as pd

from verify_analytics.errors import ArgumentError

from .canvas import Chart, Words, in_house_style, message
from .frames import (
    INTERVAL,
    checked,
    group_name,
    in_reading_order,
    largest,
    left_out,
    seen_from,
    sentence,
    split_by,
    title_of,
)
from .palette import PLAIN, Look, channel_look
from .rows import Mark, Row, Section, draw_rows
from .trend import Line, Panel, draw_trend
from .words import many, named

NEEDED = ("measure", "count", "n", "rate", "low", "high", "immature", "unobserved", "unknown", "as_of")
TIMES = ("day", "hour")
# What each measure is called, and what it counts.
MEANINGS = {
    "confirmed": ("confirmed", "a receipt says delivered"),
    "accepted": ("accepted", "that, or taken by the network with no receipt to follow"),
    "coverage": ("coverage", "of those the network took, how many got a receipt"),
    "not_handed_over": ("not handed over", "failed before the network took it"),
    "not_handed_over_policy": ("stopped by policy", "failed because of a fraud rule"),
    "not_handed_over_account": ("stopped by account", "failed because of the account's settings"),
}
MOST_ROWS = 24
MOST_PANELS = 6


@in_house_style
def delivery_rate(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw what share of the attempts reached the phone, with intervals.

    Two measures are drawn: ``confirmed`` (filled) and ``accepted`` (hollow), or the first two that the frame holds.
    Where they lie apart, carriers send few receipts. A split by ``day`` or ``hour`` is drawn as a line over time.

    Parameters
    ----------
    frame
        What ``metrics.delivery_rate`` gives, for any `by`; filter its rows as you like.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError
        For something else than a frame, or one split by day and hour at once.
    SchemaError
        For a frame without the metric's columns.
    """
    frame = checked(frame, NEEDED, name="delivery_rate")
    by = split_by(frame, "measure")
    drawn = [measure for measure in MEANINGS if measure in set(frame["measure"])][:2]
    words = Words(title_of("Codes delivered", by), _definition(frame, drawn), _notes(frame, by))
    if not (frame["n"] > 0).any():
        return message(words, "No attempt is old enough to be judged, so there is no rate to draw.", narrow=narrow)
    if set(TIMES) <= set(by):
        raise ArgumentError("charts.delivery_rate draws one axis of time: split by day or by hour, not by both")
    if set(TIMES) & set(by):
        return _over_time(frame, by, drawn, words, narrow=narrow)
    return _by_group(frame, by, drawn, words, narrow=narrow)


def _definition(frame: pd.DataFrame, drawn: list[str]) -> str:
    meanings = [f"{MEANINGS[name][0].capitalize()}: {MEANINGS[name][1]}." for name in drawn]
    return " ".join([*meanings, sentence("Of attempts old enough to be judged", INTERVAL, seen_from(frame))])


def _notes(frame: pd.DataFrame, by: list[str]) -> tuple[str, ...]:
    notes = [left_out(frame, by, "attempt")]
    if "channel" in by and "role" not in by:
        notes.append("No fair comparison of channels: most calls follow a message that failed. Split by role too.")
    return tuple(note for note in notes if note)


def _look(row: pd.Series, by: list[str]) -> Look:
    return channel_look(str(row["channel"])) if "channel" in by else Look(PLAIN, "o", "-", "")


def _by_group(frame: pd.DataFrame, by: list[str], drawn: list[str], words: Words, *, narrow: bool) -> Chart:
    size = frame[frame["measure"] == drawn[0]]
    kept, more = largest(size, by, MOST_ROWS)
    kept = in_reading_order(kept, by)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    sections: dict[str, list[Row]] = {}
    for _, first in kept.iterrows():
        heading = named(first[by[0]], by[0]) if len(by) > 1 else ""
        name = group_name(first, by[1:] if len(by) > 1 else by) or "all attempts"
        look = _look(first, by)
        marks = []
        for at, measure in enumerate(drawn):
            row = _same_group(frame[frame["measure"] == measure], first, by)
            if row["n"] > 0:
                numbers = (float(row["rate"]), float(row["low"]), float(row["high"]), float(row["n"]))
                marks.append(Mark(measure, *numbers, look, filled=at == 0))
        sections.setdefault(heading, []).append(Row(name, tuple(marks), float(first["n"])))
    made = [Section(heading, tuple(rows)) for heading, rows in sections.items()]
    return draw_rows(words, made, [MEANINGS[name][0] for name in drawn], narrow=narrow)


def _same_group(rows: pd.DataFrame, first: pd.Series, by: list[str]) -> pd.Series:
    for name in by:
        rows = rows[rows[name] == first[name]]
    return rows.iloc[0]


def _over_time(frame: pd.DataFrame, by: list[str], drawn: list[str], words: Words, *, narrow: bool) -> Chart:
    time = next(name for name in by if name in TIMES)
    others = [name for name in by if name != time]
    kept, more = largest(frame, others, MOST_PANELS, size="n")
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    groups = in_reading_order(kept, others).groupby(others, sort=False) if others else [((), kept)]
    panels = []
    for _, rows in groups:
        look = _look(rows.iloc[0], others)
        lines = tuple(
            Line(MEANINGS[measure][0], rows[rows["measure"] == measure], look, first=at == 0)
            for at, measure in enumerate(drawn)
        )
        panels.append(Panel(group_name(rows.iloc[0], others), lines))
    return draw_trend(words, panels, time, narrow=narrow)
