"""Where on an axis does a period stand, and what is it called? Days, weeks, months, clock spans, hours and weekdays.

Each period has a whole number, and neighbours have numbers that differ by one: so a time without cases leaves a gap
of its own width, and months of unequal length stand equally far apart.
"""

import re
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CALENDAR = ("day", "week", "month", "quarter", "year")
HOURS, WEEKDAYS = ("hour", "local_hour"), ("weekday", "local_weekday")
CYCLES = (*HOURS, *WEEKDAYS)
DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SPAN = re.compile(r"([1-9][0-9]*)(min|h)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# 1970-01-01 was a Thursday, three days after a Monday.
_THURSDAY = 3
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# So many labels fit under a wide and under a narrow chart.
WIDE_TICKS, NARROW_TICKS = 8, 4


def span_minutes(name: str) -> int | None:
    """Read a clock span such as ``"15min"`` or ``"6h"``; None for anything else.

    >>> span_minutes("15min"), span_minutes("6h"), span_minutes("day")
    (15, 360, None)
    """
    read = _SPAN.fullmatch(name)
    return None if read is None else int(read[1]) * (60 if read[2] == "h" else 1)


def is_period(name: str) -> bool:
    """Say whether a column holds moments at which a period starts."""
    return name in CALENDAR or span_minutes(name) is not None


def is_time(name: str) -> bool:
    """Say whether a split is by time: a period, or what repeats each day or week."""
    return is_period(name) or name in CYCLES


def noun(name: str) -> str:
    """Name one of these periods in a sentence.

    >>> noun("local_hour"), noun("week"), noun("6h")
    ('hour', 'week', 'span of 6h')
    """
    cycle = "hour" if name in HOURS else "weekday" if name in WEEKDAYS else ""
    return cycle or (name if name in CALENDAR else f"span of {name}")


def numbers(values: pd.Series, name: str) -> NDArray[np.float64]:
    """Count the periods of a column from 1970; NaN where none is known.

    >>> numbers(pd.Series(pd.to_datetime(["2026-10-29T00:00Z", None])), "month")
    array([681.,  nan])
    """
    if name in CYCLES:
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    moments = pd.DatetimeIndex(pd.to_datetime(values, utc=True))
    if name in _MONTHS:
        months = (np.asarray(moments.year, dtype=np.float64) - 1970) * 12 + np.asarray(moments.month) - 1
        return np.asarray(np.floor(months / _MONTHS[name]))
    minutes = np.asarray((moments - pd.Timestamp(_EPOCH)) / pd.Timedelta("1min"), dtype=np.float64)
    if name == "week":
        return np.asarray(np.floor((minutes / 1440 + _THURSDAY) / 7))
    return np.asarray(np.floor(minutes / (span_minutes(name) or 1440)))


def start(number: int, name: str) -> datetime:
    """Give the moment at which a period starts.

    >>> start(681, "month").isoformat(), start(2965, "week").isoformat()
    ('2026-10-01T00:00:00+00:00', '2026-10-26T00:00:00+00:00')
    """
    if name in _MONTHS:
        year, month = divmod(number * _MONTHS[name], 12)
        return datetime.combine(date(1970 + year, month + 1, 1), datetime.min.time(), UTC)
    if name == "week":
        return _EPOCH + timedelta(days=7 * number - _THURSDAY)
    return _EPOCH + number * timedelta(minutes=span_minutes(name) or 1440)


def ends(every: NDArray[np.float64], name: str) -> tuple[float, float]:
    """Give the ends of the axis: all of a day or week, or from the first period to the last."""
    if name in CYCLES:
        return 0.0, 24.0 if name in HOURS else 7.0
    return float(np.nanmin(every)), float(np.nanmax(every)) + 1


def ticks(first: float, last: float, name: str, *, narrow: bool) -> tuple[list[float], list[str]]:
    """Choose which periods are named under the axis, each at its middle, so that the names do not meet.

    Returns
    -------
    tuple
        The places on the axis and their names.
    """
    if name in HOURS:
        places = [float(hour) for hour in range(0, 25, 6)]
        return places, [f"{hour:02.0f}:00" for hour in places]
    if name in WEEKDAYS:
        return [day + 0.5 for day in range(7)], [day[:1] if narrow else day for day in DAY_NAMES]
    every = max(1, int(np.ceil((last - first) / (NARROW_TICKS if narrow else WIDE_TICKS))))
    if span_minutes(name) is not None:
        return _clock_ticks(first, last, name, every)
    chosen = list(range(int(first), int(last), every))
    form = {"month": "%b %y", "year": "%Y"}.get(name, "%d %b")
    names = [f"Q{(start(at, name).month + 2) // 3} {start(at, name):%y}" for at in chosen] if name == "quarter" else []
    return [at + 0.5 for at in chosen], names or [f"{start(at, name):{form}}" for at in chosen]


def _clock_ticks(first: float, last: float, name: str, every: int) -> tuple[list[float], list[str]]:
    """Name whole days where the axis is longer than two of them, else whole hours."""
    in_day = 1440 / (span_minutes(name) or 1440)
    if last - first <= 2 * in_day:
        chosen = list(range(int(first), int(last), every))
        return [float(at) for at in chosen], [f"{start(at, name):%H:%M}" for at in chosen]
    days = list(range(int(np.ceil(first / in_day)), int(last // in_day) + 1))
    step = max(1, int(np.ceil(every / in_day)))
    kept = days[::step]
    return [day * in_day for day in kept], [f"{start(day, 'day'):%d %b}" for day in kept]
