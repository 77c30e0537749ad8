"""How is a frame of rates drawn? By what it is split: rows of groups, lines over time, small panels, or a heat map."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from verify_analytics.errors import ArgumentError

from .canvas import Chart, Words, message
from .clocks import HOURS, WEEKDAYS
from .frames import ALL, group_name, in_reading_order, largest, times_of, without_totals
from .heat import draw_heat
from .multiples import draw_multiples
from .palette import PLAIN, Look, channel_look
from .rows import Mark, Row, Section, draw_rows
from .trend import Line, Panel, draw_trend
from .words import many, named

MOST_ROWS = 24
MOST_PANELS = 6
# Beyond so many groups the lines over time become small panels on a common scale.
FEW_PANELS = 4
CHANNELS = ("channel", "first_channel")


class Rates(NamedTuple):
    """What is drawn: the metric's name, what it was split by, its measures in words, and what n counts."""

    metric: str
    by: tuple[str, ...]
    measures: Mapping[str, str]
    unit: str = "attempt"


def draw_rates(frame: pd.DataFrame, rates: Rates, words: Words, *, narrow: bool) -> Chart:
    """Draw the first measure of a frame, and a second beside it where rows or lines leave room.

    Parameters
    ----------
    frame
        A metric's frame of rates.
    rates
        How to read it; of the measures only those that the frame holds are drawn, in this order, two at most.
    words
        Title, subtitle and notes.
    narrow
        Lay it out for a phone.

    Raises
    ------
    ArgumentError
        For two splits by time that do not make a week of hours.
    """
    there = set(frame["measure"])
    drawn = {measure: name for measure, name in rates.measures.items() if measure in there}
    drawn = dict(list(drawn.items())[:2])
    rates = rates._replace(measures=drawn)
    frame = frame[frame["measure"].isin(list(drawn))]
    if not (frame["n"] > 0).any():
        text = f"No {rates.unit} is old enough to be judged, so there is no rate to draw."
        return message(words, text, narrow=narrow)
    times = times_of(rates.by)
    if len(times) == 2:
        return _week(frame, rates, times, words, narrow=narrow)
    return (_over_time if times else _by_group)(frame, rates, words, narrow=narrow)


def _week(frame: pd.DataFrame, rates: Rates, times: Sequence[str], words: Words, *, narrow: bool) -> Chart:
    days = [name for name in times if name in WEEKDAYS]
    hours = [name for name in times if name in HOURS]
    if not days or not hours:
        raise ArgumentError(
            f"charts.{rates.metric} draws one axis of time, and of two only a week of hours: split by "
            f"{' or by '.join(map(repr, times))}, or by 'weekday' and 'hour'"
        )
    measure, name = next(iter(rates.measures.items()))
    rows = without_totals(frame[frame["measure"] == measure])
    return draw_heat(words, rows, (days[0], hours[0]), name, rates.unit, narrow=narrow)


def look_of(row: pd.Series, by: Sequence[str]) -> Look:
    """Give a group the look of its channel, where it has one."""
    channel = next((name for name in CHANNELS if name in by), None)
    if channel is None or row.get("pooled") == ALL:
        return Look(PLAIN, "o", "-", "")
    return channel_look(str(row[channel]))


def _by_group(frame: pd.DataFrame, rates: Rates, words: Words, *, narrow: bool) -> Chart:
    by, drawn = list(rates.by), list(rates.measures)
    kept, more = largest(frame[frame["measure"] == drawn[0]], by, MOST_ROWS)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    sections: dict[str, list[Row]] = {}
    for _, first in in_reading_order(kept, by).iterrows():
        whole = first.get("pooled") == ALL
        heading = "" if len(by) < 2 or whole else named(first[by[0]], by[0])
        name = "all" if whole else group_name(first, by[1:] if len(by) > 1 else by) or f"all {rates.unit}s"
        look = look_of(first, by)
        marks = []
        for at, measure in enumerate(drawn):
            row = _same_group(frame[frame["measure"] == measure], first, by)
            if row is not None and row["n"] > 0:
                numbers = (float(row["rate"]), float(row["low"]), float(row["high"]), float(row["n"]))
                marks.append(Mark(measure, *numbers, look, filled=at == 0))
        sections.setdefault(heading, []).append(Row(name, tuple(marks), float(first["n"])))
    made = [Section(heading, tuple(rows)) for heading, rows in sections.items()]
    return draw_rows(words, made, list(rates.measures.values()), narrow=narrow)


def _same_group(rows: pd.DataFrame, first: pd.Series, by: Sequence[str]) -> pd.Series | None:
    for name in by:
        rows = rows[rows[name].isna() if pd.isna(first[name]) else rows[name] == first[name]]
    if "pooled" in rows.columns:
        rows = rows[rows["pooled"] == first["pooled"]]
    return rows.iloc[0] if len(rows) else None


def _over_time(frame: pd.DataFrame, rates: Rates, words: Words, *, narrow: bool) -> Chart:
    [time] = times_of(rates.by)
    others = [name for name in rates.by if name != time]
    lines = without_totals(frame)
    if others and len(lines[others].drop_duplicates()) > FEW_PANELS:
        return _multiples(lines, rates, time, others, words, narrow=narrow)
    kept, more = largest(lines, others, MOST_PANELS)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    panels = []
    for _, rows in in_reading_order(kept, others).groupby(others, sort=False) if others else [((), kept)]:
        panels.append(Panel(group_name(rows.iloc[0], others), _lines(rows, rates, others)))
    return draw_trend(words, panels, time, narrow=narrow)


def _multiples(frame: pd.DataFrame, rates: Rates, time: str, others: list[str], words: Words, *, narrow: bool) -> Chart:
    rows = in_reading_order(frame, others)
    panels = [
        Panel(group_name(mine.iloc[0], others), _lines(mine, rates, others))
        for _, mine in rows.groupby(others, sort=False)
    ]
    signs = zip(("Filled points", "hollow points"), rates.measures.values(), strict=False)
    key = ", ".join(f"{sign}: {name}" for sign, name in signs)
    words = words._replace(notes=(f"{key}. The largest groups first.", *words.notes))
    return draw_multiples(words, panels, time, narrow=narrow)


def _lines(rows: pd.DataFrame, rates: Rates, others: list[str]) -> tuple[Line, ...]:
    look = look_of(rows.iloc[0], others)
    return tuple(
        Line(name, rows[rows["measure"] == measure], look, first=at == 0)
        for at, (measure, name) in enumerate(rates.measures.items())
        if (rows["measure"] == measure).any()
    )
