"""Decides when sessions begin, and when the collector was down.

Everything that is decided once for the whole period: how busy each hour is in each place (by local time), where the
parts of a long history begin, the bursts of bots and the outages of the collector.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from verify_analytics.simulate.countries import PLACES, Integers
from verify_analytics.simulate.features import Features
from verify_analytics.simulate.streams import Floats, Streams

HOUR = 3_600_000_000
MINUTE = 60_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Calendar(NamedTuple):
    """How busy each hour of the period is; hours are counted from its start."""

    start_us: int
    cumulative: Floats
    """Share of all sessions that began by the end of each hour, with a 0 in front; shape (hours + 1,)."""
    places: Floats
    """Cumulative share of each place within each hour; shape (hours, places)."""


class Burst(NamedTuple):
    """Bots at work: so many sessions in one place between two moments, over neighbouring numbers."""

    place: int
    from_us: int
    to_us: int
    sessions: int
    base: float


class Outage(NamedTuple):
    """A span of whole minutes in which the collector receives nothing: from included, to excluded."""

    from_us: int
    to_us: int


def microseconds(moment: datetime) -> int:
    """Give a moment as microseconds since 1970 UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def hours_awake(hour: Floats, peak: float) -> Floats:
    """Say how busy a local hour of the day is: quiet at four, a hill at noon, the peak in the evening.

    Examples
    --------
    >>> hours_awake(np.array([4.0, 13.0, 19.5]), peak=19.5).round(2).tolist()
    [0.06, 0.73, 1.07]
    """
    away = np.abs((hour - peak + 12) % 24 - 12)
    noon = np.abs((hour - 12.5 + 12) % 24 - 12)
    return 0.06 + np.exp(-((away / 3.4) ** 2)) + 0.66 * np.exp(-((noon / 3.2) ** 2))


@lru_cache(maxsize=8)
def calendar(end: datetime, days: int) -> Calendar:
    """Work out how busy each hour of the period is, from the local time of every place."""
    start = end - timedelta(days=days)
    middles = [start + timedelta(hours=h, minutes=30) for h in range(24 * days)]
    weights = np.empty((24 * days, len(PLACES)))
    for index, place in enumerate(PLACES):
        zone = ZoneInfo(place.zone)
        local = [moment.astimezone(zone) for moment in middles]
        hour = np.array([moment.hour + moment.minute / 60 for moment in local])
        weekend = np.array([moment.weekday() >= 5 for moment in local])
        busy = hours_awake(hour, place.peak) / hours_awake(np.arange(24.0), place.peak).mean()
        weights[:, index] = place.share * busy * np.where(weekend, place.weekend, 1.0)
    total = np.concatenate([[0.0], np.cumsum(weights.sum(axis=1))])
    places = np.cumsum(weights, axis=1)
    return Calendar(microseconds(start), total / total[-1], places / places[:, -1:])


def moments(known: Calendar, position: Floats) -> Integers:
    """Turn shares of the period's sessions into moments: µs since 1970."""
    hours = np.interp(position, known.cumulative, np.arange(len(known.cumulative), dtype=np.float64))
    return known.start_us + np.floor(hours * HOUR).astype(np.int64)


def places(known: Calendar, start_us: Integers, draw: Floats) -> Integers:
    """Choose a place for each session, by how busy the places are in its hour."""
    hour = np.minimum((start_us - known.start_us) // HOUR, len(known.places) - 1)
    chosen: Integers = (draw[:, None] >= known.places[hour]).sum(axis=1).astype(np.int64)
    return chosen


def borders(streams: Streams, sizes: list[int]) -> Floats:
    """Cut the period into parts so that together they are one draw of sessions, with no trace of the cuts.

    The gaps between sorted uniform moments are exponential, so the share of time that `n` of them take is Gamma(n).

    Returns
    -------
    array
        Positions in [0, 1] where each part begins, and 1 at the end.
    """
    lengths = np.array([streams.generator(f"borders.{i}").gamma(size) for i, size in enumerate(sizes)])
    return np.concatenate([[0.0], np.cumsum(lengths) / lengths.sum()])


def bursts(streams: Streams, features: Features, known: Calendar, sessions: int) -> list[Burst]:
    """Choose when and where bots are at work: up to three bursts of about an hour."""
    total = round(sessions * features.bots)
    count = min(3, total // 5)
    if not count:
        return []
    draw = streams.uniform("bots.bursts", (3, 4))
    span = HOUR * (len(known.cumulative) - 1)
    # Only where there is room for numbers in a row.
    homes = [index for index, place in enumerate(PLACES) if place.receipts]
    found = []
    for i in range(count):
        length = min(int((0.4 + draw[i, 1]) * HOUR), span // 4)
        begin = known.start_us + int((0.15 + 0.6 * draw[i, 0]) * span)
        place = homes[int(draw[i, 2] * len(homes))]
        size = total // count + (i < total % count)
        found.append(Burst(place, begin, begin + length, size, float(draw[i, 3])))
    return found


def outages(streams: Streams, features: Features, known: Calendar) -> list[Outage]:
    """Choose when the collector was down: whole minutes, in order, apart, rather in busy hours than in quiet ones."""
    count = len(features.outage_minutes)
    if not count:
        return []
    # Each outage has a part of the period's middle to itself, measured in sessions.
    parts = 0.15 + 0.7 * np.arange(count + 1) / count
    draw = parts[:-1] + np.diff(parts) * 0.9 * streams.uniform("outages", count)
    begins = -(-moments(known, draw) // MINUTE) * MINUTE
    latest = moments(known, parts[1:]) // MINUTE * MINUTE
    ends = np.minimum(begins + np.array(features.outage_minutes) * MINUTE, latest - MINUTE)
    return [Outage(begin, end) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True) if begin < end]


def inside(received_us: NDArray[np.int64], spans: list[Outage]) -> NDArray[np.bool_]:
    """Say which moments lie in one of the spans."""
    hit = np.zeros(received_us.shape, dtype=np.bool_)
    for span in spans:
        hit |= (received_us >= span.from_us) & (received_us < span.to_us)
    return hit
