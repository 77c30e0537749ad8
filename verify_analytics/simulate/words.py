"""Holds the words that the provider uses, and its ways to write a moment.

The vocabulary of the simulated callbacks, as tables that arrays point into, and the formats of RequestTime.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from verify_analytics.simulate.countries import Integers

CHANNELS: Final = ("sms", "voice", "whatsapp", "telegram")
SMS, VOICE, WHATSAPP, TELEGRAM = range(4)

# "" stands for a callback that names no status.
STATUSES: Final = (
    "", "queued", "ringing", "sent", "in-progress", "answer", "delivered", "read", "completed", "undelivered",
    "no-answer", "busy", "failed", "canceled", "timeout", "rerouted", "buffered",
)  # fmt: skip
STATUS: Final = {text: index for index, text in enumerate(STATUSES)}
# What the world's documents do not list. Both are made up.
ODD_STATUSES: Final = ("rerouted", "buffered")
ODD_CODES: Final = ("777", "31337")

SESSION_STATUSES: Final = ("in-progress", "verified", "expired")
IN_PROGRESS, VERIFIED, EXPIRED = range(3)

# How an attempt really ended, or what its receipt says.
FATES: Final = ("none", "delivered", "undelivered", "failed")
NONE, DELIVERED, UNDELIVERED, FAILED = range(4)

# How "no error" is written: the usual way first. None: the field is missing.
NO_ERROR: Final = ("", "000", "0", None)

USUAL_TIME: Final = 0
# A format of RequestTime → the µs it can tell apart; 0 where nothing can be read from it.
TIME_GRAINS: Final = (1, 10, 100, 1_000_000, 1_000_000, 1_000, 1, 0, 0)
_INDIA_US = 19_800_000_000


def written_times(moments_us: Integers, formats: Integers) -> list[str | None]:
    """Write each moment of a request as the provider might.

    Parameters
    ----------
    moments_us
        µs since 1970 UTC.
    formats
        Which of the formats, 0 being the usual one (``2026-09-01 12:00:00.123456``). What falls below its grain
        (`TIME_GRAINS`) is cut off. The last two are a zero time, which nobody can mean, and no field at all.

    Returns
    -------
    list of str or None
        None where the field is missing.

    Examples
    --------
    >>> moment = np.full(9, 1788264000_123456)
    >>> for text in written_times(moment, np.arange(9)):
    ...     print(text)
    2026-09-01 12:00:00.123456
    2026-09-01T12:00:00.12345Z
    2026-09-01T17:30:00.1234+05:30
    2026-09-01 12:00:00
    1788264000
    1788264000123
    1788264000123456
    0001-01-01T05:53:28+05:53
    None
    """
    plain = np.datetime_as_string(moments_us.astype("datetime64[us]")).tolist()
    texts: list[str | None] = [text.replace("T", " ") for text in plain]
    for i in np.nonzero(formats != USUAL_TIME)[0].tolist():
        texts[i] = _unusual(int(formats[i]), int(moments_us[i]), plain[i])
    return texts


def read_times(moments_us: Integers, formats: Integers) -> Integers:
    """Say which moment a reader finds in what was written: cut to the format's grain, -1 where there is none."""
    grain = np.array(TIME_GRAINS)[formats]
    return np.where(grain > 0, moments_us - moments_us % np.maximum(grain, 1), -1)


def _unusual(format_number: int, moment_us: int, plain: str) -> str | None:
    if format_number == 2:
        local = str(np.datetime64(moment_us + _INDIA_US, "us"))
        return f"{local[:24]}+05:30"
    return {
        1: f"{plain[:25]}Z",
        3: plain[:19].replace("T", " "),
        4: str(moment_us // 1_000_000),
        5: str(moment_us // 1_000),
        6: str(moment_us),
        7: "0001-01-01T05:53:28+05:53",
        8: None,
    }[format_number]
