"""Which few figures does a reader see first? Each with what it counts, how sure one can be, and whether it changed."""

from math import isnan
from typing import NamedTuple

import pandas as pd

from verify_analytics.charts.words import count, interval, many, named, percent, seconds

from .differences import apart, points
from .readings import NOT_KNOWN, leading_channel, of, source_of
from .study import Study

NOTHING = "nothing old enough to be judged"


class Moved(NamedTuple):
    """How a figure changed: a sign, the verdict in plain words, and the two figures with their difference."""

    sign: str
    verdict: str
    figures: str


class Headline(NamedTuple):
    """One main figure: its name, the figure, of what it is counted, and how sure; ends of the interval to draw it.

    `metric` gave it, and is defined further down the page.
    """

    name: str
    value: str
    counted: str
    sure: str
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    moved: Moved | None = None
    metric: str = ""


def headlines(study: Study) -> list[Headline]:
    """Choose the main figures; one that cannot be known says so."""
    made = [
        ("verified", "verification_rate", _verified(study)),
        ("first_attempt_conversion", "verification_rate", _first_attempt(study)),
        ("within_60s", "time_to_verify", _within_a_minute(study)),
        *zip(("confirmed", "accepted"), ("delivery_rate",) * 2, _leading(study), strict=True),
        ("reaches_attempt_2", "retries", _second_attempt(study)),
    ]
    return [each._replace(moved=_moved(study, measure), metric=metric) for measure, metric, each in made]


SIGNS = {"higher": "▲", "lower": "▼", "no evidence of a difference": "=", "too little data": "?"}


def _moved(study: Study, measure: str) -> Moved | None:
    row = None if study.change is None else study.change.main(measure)
    if row is None:
        return None
    verdict = str(row["verdict"])
    return Moved(SIGNS[verdict], verdict[0].upper() + verdict[1:], f"{apart(row)}: {points(row)}")


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


def _none(study: Study, name: str, value: str = "–", why: str = NOTHING) -> Headline:
    """Say why there is no figure."""
    if study.options.min_cell > 1 and why == NOTHING:
        why = f"not shown: fewer than {study.options.min_cell}, or too few old enough to be judged"
    return Headline(name, value, why, "")


def _told(study: Study, name: str, measure: str) -> Headline:
    """Give a share of sessions as one source tells it."""
    frame = study.frames["verification"]
    source = source_of(frame)
    if source is None:
        return _none(study, name, "not observable", "nobody told which sessions were verified")
    row = of(frame, measure, source=source)
    return _none(study, name) if row is None else _of_row(row, name, f"sessions, as {named(source)}")


def _verified(study: Study) -> Headline:
    return _told(study, "Verified", "verified")


def _first_attempt(study: Study) -> Headline:
    return _told(study, "Verified with the first attempt", "first_attempt_conversion")


def _second_attempt(study: Study) -> Headline:
    row = of(study.frames["retries"], "reaches_attempt_2")
    name = "Took a second attempt"
    if row is None:
        one = of(study.frames["retries"], "attempts_per_session")
        return _none(study, name) if one is None else _none(study, name, why=f"of {many(one['n'], 'session')}")
    return _of_row(row, name, "sessions")


def _within_a_minute(study: Study) -> Headline:
    frame, name = study.frames["time-to-verify"], "Verified within 60 s"
    source = source_of(frame)
    if source is None:
        return _none(study, name, "not observable", "nobody told when sessions were verified")
    minute, half = of(frame, "within_60s", source=source), of(frame, "p50", source=source)
    if minute is None:
        return _none(study, name)
    rate, n = float(minute["rate"]), float(minute["n"])
    counted = f"of {many(n, 'session')}, as {named(source)}"
    if isnan(rate):
        return Headline(name, NOT_KNOWN, counted, "nobody was watched for so long")
    low, high = float(minute["low"]), float(minute["high"])
    ends = "" if half is None else f"; half by {seconds(float(half['seconds']))}"
    sure = _unbroken(f"95 % interval {interval(low, high, n)} %") + ends
    return Headline(name, percent(rate, n), counted, sure, rate, low, high)


def _leading(study: Study) -> list[Headline]:
    frame = study.frames["delivery-by-channel-and-role"]
    channel = leading_channel(frame)
    names = {"confirmed": "Confirmed delivered", "accepted": "Accepted by the network"}
    made = []
    for measure, name in names.items():
        row = None if channel is None else of(frame, measure, channel=channel, role="first_choice")
        of_what = f"first-choice attempts by {named(channel, 'channel')}"
        made.append(_none(study, name) if row is None else _of_row(row, name, of_what))
    return made
