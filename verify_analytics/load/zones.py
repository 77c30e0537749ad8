"""Which moment does a clock on a wall mean? The spans of local time that stand for one moment and no other."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from verify_analytics.model.moments import EARLIEST_YEAR, LATEST_YEAR, MICROSECOND, microseconds


class Span(NamedTuple):
    """Local time from a begin to before an end, and how far it is ahead of UTC; microseconds since 1970."""

    begin: int
    end: int
    offset: int


@lru_cache(maxsize=8)
def local_spans(zone: str) -> tuple[Span, ...]:
    """Give the spans in which a local time is one moment, latest first.

    Parameters
    ----------
    zone
        A zone that exists, such as ``Europe/Berlin``.

    Returns
    -------
    tuple
        From 2000 up to 2100, without the hours that the clock tells twice (put back) or never (put forward). One item
        per span between two changes of the clock.

    Examples
    --------
    >>> len(local_spans("UTC")), len(local_spans("Europe/Berlin"))
    (1, 201)
    """
    place = ZoneInfo(zone)
    changes = _changes(place)
    spans = []
    for before, (begin, end), after in zip([None, *changes], _pairs(changes), [*changes[1:], None], strict=False):
        offset = _offset(place, begin)
        first = begin + offset if before is None else max(begin + offset, begin + _offset(place, begin - 1))
        last = end + offset if after is None else min(end + offset, end + _offset(place, end))
        spans.append(Span(first, last, offset))
    return tuple(reversed(spans))


def _changes(place: ZoneInfo) -> list[int]:
    """Find the first moment of the years in question, and every one at which the clock is put forward or back."""
    day = timedelta(days=1) // MICROSECOND
    begin, end = (microseconds(datetime(year, 1, 1, tzinfo=UTC)) for year in (EARLIEST_YEAR, LATEST_YEAR))
    found = [begin]
    for start in range(begin, end, day):
        low, high = start, min(start + day, end)
        if _offset(place, low) == _offset(place, high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(place, middle) == _offset(place, low) else (low, middle)
        found.append(high)
    return found


def _pairs(changes: list[int]) -> list[tuple[int, int]]:
    end = microseconds(datetime(LATEST_YEAR, 1, 1, tzinfo=UTC))
    return list(zip(changes, [*changes[1:], end], strict=True))


def _offset(place: ZoneInfo, moment: int) -> int:
    ahead = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)).astimezone(place).utcoffset()
    return 0 if ahead is None else ahead // MICROSECOND
