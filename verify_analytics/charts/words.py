"""How is a number or a name written for people? One way, in charts and in the report."""

import math
import unicodedata
from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from .clocks import CYCLES, DAY_NAMES, WEEKDAYS, is_time, span_minutes

NAMES = {
    "sms": "SMS",
    "voice": "Voice",
    "whatsapp": "WhatsApp",
    "rcs": "RCS",
    "first_choice": "first choice",
    "resend": "resend",
    "fallback": "fallback",
    "after_verified": "after verified",
    "unknown": "unknown",
    "app": "reported by the application",
    "callback": "reported by the provider",
}
GROUPS = {
    "channel": "channel",
    "role": "role",
    "country": "country",
    "number_block": "number block",
    "day": "day",
    "hour": "hour of day (UTC)",
    "weekday": "day of week (UTC)",
    "local_hour": "local hour of day",
    "local_weekday": "local day of week",
    "first_channel": "first channel",
}
# Below this many, a rate says little whatever it is.
FEW = 30
LONGEST_NAME = 48


def percent(rate: float, n: float = math.inf) -> str:
    r"""Write a share as a percentage, with a decimal only where there are enough cases to carry it.

    >>> percent(0.91234), percent(0.75, 8), percent(float("nan"))
    ('91.2\xa0%', '75\xa0%', 'none')
    """
    return "none" if math.isnan(rate) else f"{figure(rate, n)}\N{NO-BREAK SPACE}%"


def figure(rate: float, n: float = math.inf) -> str:
    """Write a share in hundredths without the sign; never 100 or 0 when it is not quite that.

    >>> figure(0.9996), figure(0.0004), figure(1.0), figure(0.5, 12)
    ('>99.9', '<0.1', '100', '50')
    """
    decimals = 1 if n >= 100 else 0
    step = 10**-decimals
    if 0 < rate < step / 200:
        return f"<{step:.{decimals}f}"
    if 1 - step / 200 < rate < 1:
        return f">{100 - step:.{decimals}f}"
    return "100" if rate == 1 else f"{100 * rate:.{decimals}f}"


def interval(low: float, high: float, n: float = math.inf) -> str:
    """Write an interval of shares in hundredths.

    >>> interval(0.9012, 0.9234)
    '90.1–92.3'
    """
    if math.isnan(low) or math.isnan(high):
        return ""
    decimals = 1 if n >= 100 else 0
    return "–".join(f"{100 * end:.{0 if end in {0, 1} else decimals}f}" for end in (low, high))


def count(number: float) -> str:
    """Write a whole number with its thousands apart.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{int(number):,}"


def many(number: float, one: str, more: str = "") -> str:
    """Write a count with its noun.

    >>> many(1, "session"), many(2000, "session"), many(0, "reply", "replies")
    ('1 session', '2,000 sessions', '0 replies')
    """
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def seconds(value: float, missing: str = "not reached") -> str:
    """Write a duration.

    >>> seconds(7.24), seconds(42.4), seconds(92), seconds(600), seconds(7200), seconds(float("nan"))
    ('7.2 s', '42 s', '1 min 32 s', '10 min', '2 h', 'not reached')
    """
    if math.isnan(value):
        return missing
    if value < 10:
        return f"{value:.0f} s" if value == int(value) else f"{value:.1f} s"
    whole = round(value)
    for unit, name, small in ((3600, "h", 60), (60, "min", 1)):
        if whole >= unit:
            rest = (whole % unit) // small
            return f"{whole // unit} {name}" + (f" {rest} {'min' if small == 60 else 's'}" if rest else "")
    return f"{whole} s"


def moment(value: datetime) -> str:
    """Write a UTC moment to the minute.

    >>> moment(datetime.fromisoformat("2026-10-29T00:00+00:00"))
    '2026-10-29 00:00 UTC'
    """
    return f"{value:%Y-%m-%d %H:%M} UTC"


def named(value: object, column: str = "") -> str:
    r"""Write a value of a column as a person would; what the provider invented stays as it came, made printable.

    >>> named("first_choice"), named("unknown", "role"), named("pi\ngeon"), named(14, "hour"), named(0, "weekday")
    ('first choice', 'role unknown', 'pi geon', '14:00', 'Mon')
    """
    if is_time(column):
        return "not known" if pd.isna(value) else _period(value, column)  # type: ignore[call-overload]
    if column == "role" and value == "unknown":
        return "role unknown"
    return NAMES.get(str(value), printable(str(value)))


def _period(value: object, column: str) -> str:
    """Name one period.

    >>> [_period(pd.Timestamp("2026-10-26T06:00Z"), name) for name in ("week", "month", "quarter", "6h")]
    ['week of 2026-10-26', 'Oct 2026', 'Q4 2026', '2026-10-26 06:00']
    """
    if column in CYCLES:
        return DAY_NAMES[int(str(value))] if column in WEEKDAYS else f"{int(str(value)):02d}:00"
    start = pd.Timestamp(str(value))
    if column == "quarter":
        return f"Q{start.quarter} {start.year}"
    form = {"day": "%Y-%m-%d", "week": "week of %Y-%m-%d", "month": "%b %Y", "year": "%Y"}
    return start.strftime(form.get(column, "%Y-%m-%d %H:%M"))


def group_word(column: str) -> str:
    """Name what a figure is split by.

    >>> group_word("local_hour"), group_word("6h")
    ('local hour of day', '6 h')
    """
    minutes = span_minutes(column)
    return GROUPS.get(column, column) if minutes is None else seconds(60.0 * minutes)


def printable(text: str, longest: int = LONGEST_NAME) -> str:
    r"""Make a foreign text safe to draw: no control characters, no endless length.

    >>> printable("a\x00b"), printable("x" * 100, 8)
    ('a b', 'xxxxxxx…')
    """
    clean = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def listed(names: Iterable[str], last: str = "and") -> str:
    """Join names as one speaks.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    every = list(names)
    return f" {last} ".join([", ".join(every[:-1]), every[-1]]) if len(every) > 1 else "".join(every)
