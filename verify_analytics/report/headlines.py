"""Which few figures does a reader see first? Each with what it counts, of how many, and how sure one can be."""

from math import isnan
from typing import NamedTuple

import pandas as pd

from verify_analytics.charts.words import count, interval, many, named, percent, seconds

from .readings import NOT_KNOWN, leading_channel, of, source_of
from .study import Study


class Headline(NamedTuple):
    """One main figure: its name, the figure, of what it is counted, and how sure; ends of the interval to draw it."""

    name: str
    value: str
    counted: str
    sure: str
    rate: float | None = None
    low: float | None = None
    high: float | None = None


def headlines(study: Study) -> list[Headline]:
    """Choose the main figures; one that cannot be known says so."""
    frames = study.frames
    return [
        _first_attempt(frames["retries"]),
        _within_a_minute(frames["time-to-verify"]),
        *_leading(frames["delivery-by-channel-and-role"]),
        _rate(frames["delivery"], "coverage", "Receipt coverage", "attempts the network took got a receipt"),
        _rate(frames["retries"], "reaches_attempt_2", "Took a second attempt", "sessions"),
    ]


def _of_row(row: pd.Series, name: str, of_what: str) -> Headline:
    n = float(row["n"])
    rate, low, high = (float(row[column]) for column in ("rate", "low", "high"))
    counted = f"{count(row['count'])} of {count(n)} {of_what}"
    return Headline(
        name, percent(rate, n), counted, _unbroken(f"95 % interval {interval(low, high, n)} %"), rate, low, high
    )


def _unbroken(text: str) -> str:
    """Keep an interval on one line."""
    return text.replace("–", "\N{WORD JOINER}–\N{WORD JOINER}").replace(" %", "\N{NO-BREAK SPACE}%")


def _rate(frame: pd.DataFrame, measure: str, name: str, of_what: str) -> Headline:
    row = of(frame, measure)
    return Headline(name, "–", "nothing old enough to be judged", "") if row is None else _of_row(row, name, of_what)


def _first_attempt(frame: pd.DataFrame) -> Headline:
    name = "Verified with the first attempt"
    source = source_of(frame)
    row = None if source is None else of(frame, "verified_before_attempt_2", source=source)
    if row is None:
        return Headline(name, "not observable", "nobody told which sessions were verified", "")
    return _of_row(row, name, f"sessions, as {named(source)}")


def _within_a_minute(frame: pd.DataFrame) -> Headline:
    name = "Verified within 60 s"
    source = source_of(frame)
    minute = None if source is None else of(frame, "within_60s", source=source)
    half = None if source is None else of(frame, "p50", source=source)
    if minute is None or half is None:
        return Headline(name, "not observable", "nobody told when sessions were verified", "")
    rate, n = float(minute["rate"]), float(minute["n"])
    counted = f"of {many(n, 'session')}, as {named(source)}"
    low, high = float(minute["low"]), float(minute["high"])
    if isnan(rate):
        return Headline(name, NOT_KNOWN, counted, "nobody was watched for so long")
    sure = _unbroken(f"95 % interval {interval(low, high, n)} %") + f"; half by {seconds(float(half['seconds']))}"
    return Headline(name, percent(rate, n), counted, sure, rate, low, high)


def _leading(frame: pd.DataFrame) -> list[Headline]:
    channel = leading_channel(frame)
    names = {"confirmed": "Confirmed delivered", "accepted": "Accepted by the network"}
    if channel is None:
        return [Headline(name, "–", "nothing old enough to be judged", "") for name in names.values()]
    made = []
    for measure, name in names.items():
        row = of(frame, measure, channel=channel, role="first_choice")
        if row is not None:
            made.append(_of_row(row, name, f"first-choice attempts by {named(channel, 'channel')}"))
    return made
