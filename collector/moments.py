"""Which moment the provider means.

The format of ``RequestTime`` is documented nowhere. Plivo's other interfaces write ``2024-07-02 10:15:04.123456`` and
``2023-07-19T18:04:19.7172+05:30``, and its numbers could be epochs: all of these are read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_WRITTEN = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    r"(?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,](?P<fraction>[0-9]{1,9}))?"
    # A plus sign that was not escaped arrives as a space.
    r" ?(?:(?P<utc>[Zz]|UTC|GMT)|(?P<sign>[+ -])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)?"
)
_EPOCH = re.compile(r"(?P<whole>[0-9]{10}|[0-9]{13}|[0-9]{16})|(?P<seconds>[0-9]{10})[.](?P<fraction>[0-9]{1,9})")
_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# What lies outside is not a moment somebody asked for a code: zero times of Go and of SQL, epochs in another unit.
EARLIEST = (datetime(2000, 1, 1, tzinfo=UTC) - _START) // _MICROSECOND
LATEST = (datetime(2100, 1, 1, tzinfo=UTC) - _START) // _MICROSECOND


def microseconds(text: str) -> int | None:
    """Read a moment: microseconds since 1970 UTC.

    Parameters
    ----------
    text
        A date and a time with ``T`` or a space between, with or without seconds, with up to nine decimals (those past
        the sixth are cut off); then ``Z``, ``UTC``, an offset such as ``+05:30``, or nothing, which means UTC. Or the
        seconds, milliseconds or microseconds since 1970 in 10, 13 or 16 digits, seconds also with decimals.

    Returns
    -------
    int or None
        None for anything else, for a day alone, for a moment that does not exist, and before 2000 or from 2100 on.

    Examples
    --------
    >>> microseconds("2024-07-02 10:15:04.123456"), microseconds("2024-07-02T15:45:04.1234+05:30")
    (1719915304123456, 1719915304123400)
    >>> microseconds("0001-01-01T05:53:28+05:53") is None
    True
    """
    text = text.strip()
    if epoch := _EPOCH.fullmatch(text):
        moment: int | None = _epoch(epoch)
    elif written := _WRITTEN.fullmatch(text):
        moment = _written(written)
    else:
        return None
    return moment if moment is not None and EARLIEST <= moment < LATEST else None


def written(moment: int) -> str:
    """Write a moment of the store as people read it, to the second.

    Examples
    --------
    >>> written(1719915304123456)
    '2024-07-02T10:15:04Z'
    """
    return (_START + timedelta(seconds=moment // 1_000_000)).isoformat().replace("+00:00", "Z")


def _epoch(found: re.Match[str]) -> int:
    if found["seconds"]:
        return int(found["seconds"]) * 1_000_000 + _fraction(found["fraction"])
    return int(found["whole"].ljust(16, "0"))


def _written(found: re.Match[str]) -> int | None:
    try:
        moment = datetime.fromisoformat(f"{found['date']}T{found['time']}").replace(tzinfo=UTC)
    except ValueError:
        return None
    offset = 0
    if found["sign"]:
        hours, minutes = int(found["hours"]), int(found["minutes"] or 0)
        if hours > 15 or minutes > 59:
            return None
        offset = (hours * 60 + minutes) * 60_000_000 * (-1 if found["sign"] == "-" else 1)
    return (moment - _START) // _MICROSECOND + _fraction(found["fraction"]) - offset


def _fraction(digits: str | None) -> int:
    return int((digits or "")[:6].ljust(6, "0"))
