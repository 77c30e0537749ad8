"""Durations in arguments are written with their unit, as ``"10min"``."""

import re
from datetime import timedelta

from verify_analytics.errors import ArgumentError

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def seconds_of(duration: str | timedelta, *, name: str) -> float:
    """Read a duration as seconds: a `timedelta`, or a number with one of the units s, min, h, d.

    Raises
    ------
    ArgumentError
        For something without a unit, not above 0, or longer than a day.

    Examples
    --------
    >>> seconds_of("10min", name="horizon")
    600.0
    """
    if isinstance(duration, timedelta):
        seconds = duration.total_seconds()
    else:
        read = re.fullmatch(rf"\s*(\d+(?:\.\d+)?)\s*({'|'.join(UNITS)})\s*", str(duration))
        if read is None:
            raise ArgumentError(
                f"{name} is a duration above 0 with its unit (s, min, h, d), for example '10min'; got {duration!r}"
            )
        seconds = float(read[1]) * UNITS[read[2]]
    if not 0 < seconds <= UNITS["d"]:
        raise ArgumentError(f"{name} lies above 0 and is at most a day; got {duration!r}")
    return seconds
