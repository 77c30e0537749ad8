"""What time is it where the phone is? The recipient's local clock, by country and, where needed, by number block.

A country with one clock settles it. In a country with several, the block may (an area code); where it does not, the
local time is not known, and no guess is made: a mobile number of Russia may be in any of its zones.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache, reduce
from importlib.resources import files
from operator import or_
from typing import NamedTuple
from zoneinfo import ZoneInfo

import narwhals as nw
from phonenumbers.tzdata import TIMEZONE_DATA

from verify_analytics.model.frames import Frame

from .engine import collected
from .periods import DAY_US, MINUTE_US, from_us

# As many characters of a block as tell area codes apart, and few enough that prefixes stay few: "12125", or "+1212".
PREFIX = 6
# Calling codes whose mobile numbers have area codes: North America, and those that libphonenumber calls geographical
# (phonenumbers.phonenumberutil; Indonesia, of whose prefixes few are, is left out). Elsewhere the zone of a mobile
# number would be a guess.
AREAS = ("1", "52", "54", "55", "86")
QUARTER_US = 15 * MINUTE_US

Clock = tuple[tuple[int, int], ...]
"""From which moment (µs since 1970) which offset from UTC (µs) holds; the first piece holds from the beginning."""


class Places(NamedTuple):
    """The places that share one clock: countries as a whole, and prefixes of blocks elsewhere."""

    countries: list[str]
    prefixes: list[str]


def local_us(frame: Frame, *, started: str) -> nw.Expr | None:
    """Give a formula for the local time of each row, as microseconds; null where it is not known.

    Parameters
    ----------
    frame
        With ``country`` and ``number_block``; asked once for its countries and prefixes and for its span of time.
    started
        The column of microseconds in UTC.

    Returns
    -------
    narwhals.Expr or None
        None where the local time of no row is known.
    """
    clocks = _clocks(frame, started)
    country, prefix = nw.col("country").fill_null(""), _prefix().fill_null("")
    at = nw.col(started)
    chain: nw.Expr | None = None
    for clock, places in clocks.items():
        here = reduce(
            or_,
            [held.is_in(names) for held, names in ((country, places.countries), (prefix, places.prefixes)) if names],
        )
        for begins, offset in clock:
            found = nw.when(here & (at >= begins)).then(at + offset)
            chain = found if chain is None else found.otherwise(chain)
    return chain


def _prefix() -> nw.Expr:
    return nw.col("number_block").str.slice(0, PREFIX)


def _clocks(frame: Frame, started: str) -> Mapping[Clock, Places]:
    """Group the places of a frame by the clock they share over the frame's span of time."""
    seen = frame.with_columns(_country=nw.col("country"), _prefix=_prefix(), _at=nw.col(started))
    spans = collected(
        seen.select("_country", "_prefix", "_at")
        .group_by("_country", "_prefix")
        .agg(nw.col("_at").min().alias("first"), nw.col("_at").max().alias("last"))
    )
    made: dict[Clock, Places] = {}
    if not len(spans):
        return made
    first, last = int(spans["first"].min()), int(spans["last"].max())
    whole: dict[str, Clock | None] = {
        str(country): one_clock(zones_of_country(str(country)), first, last)
        for country in spans["_country"].dropna().unique()
    }
    for country, clock in sorted(whole.items()):
        if clock is not None:
            made.setdefault(clock, Places([], [])).countries.append(country)
    for prefix in sorted({str(each) for each in spans["_prefix"].dropna()}):
        clock = one_clock(zones_of_prefix(prefix), first, last)
        if clock is not None:
            made.setdefault(clock, Places([], [])).prefixes.append(prefix)
    return made


@cache
def zones_of_country(country: str) -> frozenset[str]:
    """Name the time zones of a country, by the table of the IANA database; none for a country it does not list.

    >>> sorted(zones_of_country("NZ"))
    ['Pacific/Auckland', 'Pacific/Chatham']
    """
    return _zone_table().get(country, frozenset())


@cache
def _zone_table() -> dict[str, frozenset[str]]:
    text = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    made: dict[str, set[str]] = {}
    for row in rows:
        made.setdefault(row[0], set()).add(row[2])
    return {country: frozenset(zones) for country, zones in made.items()}


@cache
def zones_of_prefix(prefix: str) -> frozenset[str]:
    """Name the time zones of all numbers that begin so: the longest listed beginning, and all that continue it.

    None where mobile numbers have no area codes.

    >>> zones_of_prefix("+1212"), zones_of_prefix("+7916")
    (frozenset({'America/New_York'}), frozenset())
    """
    digits = prefix.removeprefix("+")
    if not digits.startswith(AREAS):
        return frozenset()
    found = {zone for code, zones in _continued(digits[:2]) if code.startswith(digits) for zone in zones}
    longest = next((digits[:size] for size in range(len(digits), 0, -1) if digits[:size] in TIMEZONE_DATA), "")
    return frozenset(found | set(TIMEZONE_DATA.get(longest, ())))


@cache
def _continued(beginning: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((code, zones) for code, zones in TIMEZONE_DATA.items() if code.startswith(beginning))


def one_clock(zones: Iterable[str], first_us: int, last_us: int) -> Clock | None:
    """Give the clock that all these zones show over a span of time, or None if they differ or there are none."""
    clocks = {_pieces(zone, first_us // QUARTER_US, last_us // QUARTER_US) for zone in zones}
    return clocks.pop() if len(clocks) == 1 else None


@cache
def _pieces(zone: str, first: int, last: int) -> Clock:
    """Cut the span between two quarter hours where the zone's offset changes, to the quarter hour.

    One look a day finds the days in which it changes; a clock that changes twice within a day does not exist.
    """
    known = ZoneInfo(zone)
    day = DAY_US // QUARTER_US
    made = [(0, _offset_us(known, first))]
    for begin in range(first, last + 1, day):
        low, high = begin, min(begin + day, last + 1)
        after = _offset_us(known, high)
        if after == made[-1][1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset_us(known, middle) == made[-1][1] else (low, middle)
        made.append((high * QUARTER_US, after))
    return tuple(made)


def _offset_us(zone: ZoneInfo, quarter: int) -> int:
    local: datetime = from_us(quarter * QUARTER_US).astimezone(zone)
    return (local.utcoffset() or timedelta()) // timedelta(microseconds=1)
