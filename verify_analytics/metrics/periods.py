"""Into which period does a moment fall? Days, weeks, months and clock spans in UTC, counted from integer microseconds.

No engine's own calendar is asked: they disagree on time zones, and some lack the remainder of a division. Each period
is a whole number in the engine, and becomes the moment at which it starts when the small result is here.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import narwhals as nw
import pandas as pd

from verify_analytics.model.frames import Frame

from .engine import collected

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MINUTE_US = 60_000_000

# 1970-01-01 was a Thursday, three days after a Monday.
DAYS_SINCE_MONDAY = 3
MONTHS = "_months"
OF_MONTHS = ("month", "quarter", "year")
CALENDAR = ("day", "week", "month", "quarter", "year")
# What repeats: the hour of a day and the day of a week (0 is Monday).
CYCLES = ("hour", "weekday", "local_hour", "local_weekday")
LOCAL = {"local_hour": "hour", "local_weekday": "weekday"}
_SPAN = re.compile(r"([1-9][0-9]*)(min|h)")


class Period(NamedTuple):
    """A span of time that a figure may be split by: how it is counted in the engine, and when number n starts."""

    number: nw.Expr
    name: str


def span_us(name: str) -> int | None:
    """Read a clock span such as ``"15min"`` or ``"6h"`` that divides a day; None for anything else.

    Examples
    --------
    >>> span_us("15min"), span_us("7h"), span_us("day")
    (900000000, None, None)
    """
    read = _SPAN.fullmatch(name)
    if read is None:
        return None
    length = int(read[1]) * {"min": MINUTE_US, "h": HOUR_US}[read[2]]
    return length if divmod(DAY_US, length)[1] == 0 else None


def is_period(name: str) -> bool:
    """Say whether a name is a period: a calendar's, or a clock span."""
    return name in CALENDAR or span_us(name) is not None


def number_of(name: str, at: nw.Expr) -> nw.Expr:
    """Count periods of this name since 1970 up to a moment, or give the hour of the day or the day of the week.

    Parameters
    ----------
    name
        A period, ``"hour"`` or ``"weekday"``.
    at
        Microseconds since 1970, UTC or shifted to a local clock. Months and what is made of them are read from the
        column that `with_months` adds.
    """
    length = span_us(name)
    if length is not None:
        return at // length
    days = at // DAY_US
    monday = (days + DAYS_SINCE_MONDAY) // 7
    if name == "hour":
        return at // HOUR_US - days * 24
    if name == "weekday":
        return days + DAYS_SINCE_MONDAY - monday * 7
    if name == "day":
        return days
    if name == "week":
        return monday
    months = nw.col(MONTHS)
    return {"month": months, "quarter": months // 3, "year": months // 12}[name]


def with_months(frame: Frame, *, started: str) -> Frame:
    """Add the months since year 0 as the column `MONTHS`.

    The frame is asked once for the days it has, and each moment compared with the beginnings of their months: the
    arithmetic of the calendar, as one formula, names the days so often that DuckDB takes a minute to read it; and all
    months of a span would be too many to nest where one wrong clock stretches it over decades.
    """
    days = frame.select(_day=nw.col(started) // DAY_US).group_by("_day").agg(nw.len().alias("rows"))
    known = collected(days)["_day"].dropna()
    first, *later = sorted({_month(from_us(int(day) * DAY_US)) for day in known}) or [_month(from_us(0))]
    chain = nw.lit(first, dtype=nw.Int64)
    for month in later:
        chain = nw.when(nw.col(started) >= _first_day_us(month)).then(nw.lit(month, dtype=nw.Int64)).otherwise(chain)
    return frame.with_columns(chain.alias(MONTHS))


def _month(at: datetime) -> int:
    return at.year * 12 + at.month - 1


def starts(name: str, numbers: pd.Series) -> pd.Series:
    """Give the moments at which numbered periods start, aware UTC; a missing number gives NaT."""
    length = span_us(name)
    whole = numbers.astype("Int64")
    if length is not None:
        micros = whole * length
    elif name == "day":
        micros = whole * DAY_US
    elif name == "week":
        micros = (whole * 7 - DAYS_SINCE_MONDAY) * DAY_US
    else:
        months = {"month": 1, "quarter": 3, "year": 12}[name]
        micros = whole.map(lambda number: _first_day_us(int(number) * months), na_action="ignore").astype("Int64")
    return pd.to_datetime(micros, unit="us", utc=True).astype("datetime64[us, UTC]")


def _first_day_us(month: int) -> int:
    year, before = divmod(month, 12)
    return (date(year, before + 1, 1) - date(1970, 1, 1)).days * DAY_US


def from_us(microseconds: int) -> datetime:
    """Give the aware UTC moment of microseconds since 1970.

    >>> from_us(1_793_232_000_000_000).isoformat()
    '2026-10-29T00:00:00+00:00'
    """
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
