"""When do we look, and how long may an attempt wait? Readings of ``as_of`` and of durations such as ``"15min"``.

Times are compared as whole microseconds since 1970 UTC: the one form that every engine treats alike.
"""

import re
from datetime import UTC, datetime, timedelta

from verify_analytics.errors import ArgumentError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US

EARLIEST_YEAR, LATEST_YEAR = 2000, 2100
LONGEST_US = 366 * 24 * 60 * MINUTE_US
_UNITS_US = {"s": SECOND_US, "min": MINUTE_US, "h": 60 * MINUTE_US, "d": 24 * 60 * MINUTE_US}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def moment(value: str | datetime, *, name: str = "as_of") -> datetime:
    """Read a moment that says its own time zone.

    Parameters
    ----------
    value
        ISO 8601 text with a zone, or an aware `datetime` (a pandas ``Timestamp`` is one).
    name
        What the argument is called, for messages.

    Returns
    -------
    datetime
        The same moment in UTC, to the microsecond.

    Raises
    ------
    ArgumentError
        If it cannot be read, lies outside of the years 2000 to 2099 as written, or has no zone: midnight is another
        moment in every country.

    Examples
    --------
    >>> moment("2026-10-29T02:00+02:00").isoformat()
    '2026-10-29T00:00:00+00:00'
    """
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ArgumentError(f'{name}={value!r} is no moment; write it as "2026-10-29T00:00Z"') from None
    elif isinstance(value, datetime):
        # A pandas Timestamp is a datetime with nanoseconds (and NaT is one too): both are left behind here.
        if value != value:  # noqa: PLR0124 - the one test that NaT fails without importing pandas
            raise ArgumentError(f'{name} is missing; write it as "2026-10-29T00:00Z"')
        read = datetime.combine(value.date(), value.time(), tzinfo=value.tzinfo)
        read = read.replace(fold=value.fold)
    else:
        raise ArgumentError(f'{name}={value!r} is no moment; write it as "2026-10-29T00:00Z"')
    if read.utcoffset() is None:
        written = read.isoformat(timespec="minutes" if not read.second and not read.microsecond else "auto")
        raise ArgumentError(f'{name}={str(value)!r} has no time zone; for UTC write "{written}Z"')
    # Compared by year before any arithmetic: near the ends of the calendar a change of zone has nowhere to go.
    if not EARLIEST_YEAR <= read.year < LATEST_YEAR:
        raise ArgumentError(
            f"{name}={str(value)!r} cannot be meant: it must lie after {EARLIEST_YEAR - 1} and before {LATEST_YEAR}"
        )
    return read.astimezone(UTC)


def microseconds(value: datetime) -> int:
    """Count microseconds since 1970 UTC, exactly.

    >>> microseconds(moment("2000-01-01T00:00Z"))
    946684800000000
    """
    return (value - EPOCH) // MICROSECOND


def duration_us(value: str | timedelta, *, name: str) -> int:
    """Read a duration as whole microseconds.

    Parameters
    ----------
    value
        A number with ``s``, ``min``, ``h`` or ``d``, or a `timedelta`. It must be positive.
    name
        What the argument is called, for messages.

    Raises
    ------
    ArgumentError
        If it has no unit, an unknown one (``m`` might be a month), is not positive, or is longer than 366 days.

    Examples
    --------
    >>> duration_us("90s", name="patience")
    90000000
    """
    if isinstance(value, timedelta):
        length = value // MICROSECOND
    else:
        read = _DURATION.fullmatch(value.lower()) if isinstance(value, str) else None
        if read is None or read[2] not in _UNITS_US:
            raise ArgumentError(f'{name}={value!r} is no duration; write it as "90s", "15min", "1h" or "2d"')
        length = round(min(float(read[1]) * _UNITS_US[read[2]], 2.0 * LONGEST_US))
    if length > LONGEST_US:
        raise ArgumentError(f"{name}={str(value)[:40]!r} cannot be meant: it must not be longer than 366 days")
    if length <= 0:
        raise ArgumentError(f'{name}={value!r} must be longer than nothing; write it as "15min"')
    return length
