"""Knows who lives where, when people are awake, and how well codes reach them.

The table of places behind every simulated session. Its figures are plausible and nobody's measurement. All numbers are
made up: they belong to prefixes that resolve to their country, in ranges set aside for fiction where these resolve
(+1 … 555 01xx), and elsewhere in ranges that are in use, where a number drawn by chance may be somebody's.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from verify_analytics.simulate.streams import Floats

Integers = NDArray[np.int64]


class Place(NamedTuple):
    """One place with one time zone; a country may have several. Shares of sessions or of attempts unless said."""

    country: str
    zone: str
    share: float
    """Weight among the places."""
    prefixes: tuple[str, ...]
    digits: int
    """Of a whole number, with its country code."""
    receipts: bool
    """Whether carriers send delivery receipts for SMS."""
    failed: float
    """Of SMS: do not leave the provider."""
    undelivered: float
    """Of SMS to people who can be reached: do not arrive."""
    unreachable: float
    """Of sessions: no SMS can reach this handset."""
    seconds: float
    """Median from request to handset, for an SMS of the fast kind."""
    slow: float
    """Of SMS: the slow kind, with a median of a minute and a half."""
    answered: float
    """Of calls: somebody answers."""
    voice_first: float
    fallback: float
    """Of those who ask again: over the other channel."""
    eager: float
    """Of those who wait in vain: ask again."""
    engaged: float
    """Of people who get a code: type it in."""
    peak: float
    """Local hour of the evening peak."""
    weekend: float
    """How busy a Saturday or Sunday is, a weekday being 1."""
    habit: tuple[tuple[str, float], ...] = ()
    """SMS error codes that are this many times as frequent here as elsewhere."""


def _fiction(areas: str) -> tuple[str, ...]:
    """Give the prefixes of the hundred numbers that each North American area keeps for fiction."""
    return tuple(f"1{area}55501" for area in areas.split())


_EAST = "201 202 203 207 212 215 239 240 267 301 302 304 305 315 321 339 347 401 404 407 410 412 413 434 443 484 508 516 518 540 570 585 603 607 609 610 617 646 678 703 704 716 717 718 732 757 770 774 781 786 802 803 804 813 814 828 843 845 848 856 857 862 863 904 908 910 914 917 919 941 954 973 978 980"  # noqa: E501
_MIDDLE = "205 210 214 217 218 224 225 228 251 254 256 262 281 309 312 314 316 318 319 320 325 331 334 337 361 402 405 409 414 417 430 432 469 479 501 504 507 512 515 563 573 580 601 605 608 612 615 618 630 636 641 651 660 682 701 708 712 713 715 731 763 773 806 815 816 817 830 832 847 870 901 903 913 915 918 920 936 940 952 956 972 979 985"  # noqa: E501
_WEST = "206 209 213 253 310 323 360 408 415 424 425 503 509 510 530 541 559 562 619 626 650 661 702 707 714 760 775 805 818 831 858 909 916 925 949 951 971"  # noqa: E501

# One row per place:
#         country, zone, share, prefixes, digits, receipts, failed, undelivered, unreachable, seconds, slow,
#         answered, voice_first, fallback, eager, engaged, peak, weekend, habit
# fmt: off
PLACES = (
    Place("US", "America/New_York", 11, _fiction(_EAST), 11, False, .006, .015, .015, 3.0, .02,
          .62, .02, .22, .62, .93, 19.5, .86),
    Place("US", "America/Chicago", 6, _fiction(_MIDDLE), 11, False, .006, .016, .016, 3.1, .02,
          .62, .02, .22, .62, .93, 19.5, .88),
    Place("US", "America/Los_Angeles", 6, _fiction(_WEST), 11, False, .006, .014, .014, 3.0, .02,
          .60, .02, .22, .60, .93, 19.0, .90),
    Place("CA", "America/Toronto", 3, _fiction("226 249 289 343 365 416 437 519 613 647 705 807 905"), 11, False,
          .008, .018, .015, 3.4, .025, .62, .02, .24, .60, .92, 19.5, .88),
    Place("CA", "America/Vancouver", 1.5, _fiction("236 250 604 672 778"), 11, False,
          .008, .018, .015, 3.4, .025, .60, .02, .24, .60, .92, 19.0, .90),
    Place("IN", "Asia/Kolkata", 20, ("9198", "9199", "9197", "9190"), 12, True, .018, .055, .040, 6.5, .09,
          .74, .05, .38, .74, .88, 20.5, 1.04, (("30", 3.0), ("100", 2.0))),
    Place("BR", "America/Sao_Paulo", 9, ("551198", "552198", "553198"), 13, True, .010, .035, .025, 5.0, .05,
          .66, .04, .28, .70, .90, 20.5, .92, (("30", 1.6),)),
    Place("GB", "Europe/London", 8, ("447400", "447500", "447733"), 12, True, .005, .014, .012, 2.8, .015,
          .66, .02, .22, .58, .94, 19.0, .84),
    Place("ID", "Asia/Jakarta", 7, ("62811", "62812", "62813"), 12, True, .015, .060, .045, 7.5, .10,
          .70, .06, .40, .74, .86, 19.5, 1.02, (("80", 2.0), ("20", 1.5))),
    Place("DE", "Europe/Berlin", 5, ("4915112", "4917139"), 13, True, .005, .016, .012, 3.2, .02,
          .58, .02, .20, .56, .93, 18.5, .80),
    Place("FR", "Europe/Paris", 5, ("33612", "33698"), 11, True, .006, .020, .015, 3.5, .025,
          .60, .02, .22, .58, .92, 19.5, .86),
    Place("MX", "America/Mexico_City", 5, ("5255", "5233"), 12, True, .010, .045, .030, 5.5, .06,
          .66, .05, .30, .70, .89, 20.0, .96, (("30", 1.5),)),
    Place("NG", "Africa/Lagos", 4.5, ("234803", "234806"), 13, True, .022, .090, .070, 9.0, .14,
          .70, .10, .46, .78, .84, 19.0, .98, (("80", 2.5), ("70", 1.6))),
    Place("ES", "Europe/Madrid", 4, ("34612", "34655"), 11, True, .006, .018, .014, 3.4, .02,
          .62, .02, .22, .58, .92, 21.0, .88),
    Place("PH", "Asia/Manila", 3.5, ("63917", "63918"), 12, True, .014, .070, .045, 8.0, .11,
          .64, .05, .36, .74, .87, 20.0, 1.06, (("30", 2.0),)),
    Place("ZA", "Africa/Johannesburg", 3, ("2782", "2783"), 11, True, .010, .040, .030, 4.8, .05,
          .66, .04, .30, .66, .90, 19.0, .90),
    Place("AU", "Australia/Sydney", 2.5, ("6149157", "6149158"), 11, True, .005, .016, .012, 3.2, .02,
          .60, .02, .20, .56, .93, 19.0, .88),
)
# fmt: on

# What becomes of an SMS that does not arrive, of one to a handset nothing reaches, and of one that is not even sent.
SMS_UNDELIVERED = {"20": 16.0, "30": 22.0, "50": 6.0, "80": 22.0, "90": 9.0, "100": 8.0, "200": 4.0, "420": 8.0, "1000": 5.0}  # fmt: skip  # noqa: E501
SMS_UNREACHABLE = {"70": 35.0, "80": 65.0}
SMS_FAILED = {"10": 6.0, "40": 6.0, "50": 8.0, "300": 34.0, "450": 14.0, "452": 10.0, "900": 12.0, "1000": 10.0}
# (status, hangup cause) of calls that nobody answers, and of those that do not get through. Cause 0 of a call that did
# not complete means "unknown" and is an error; of one that did, it is none.
VOICE_UNDELIVERED = {("no-answer", "3000"): 46.0, ("no-answer", "6010"): 22.0, ("no-answer", "0"): 4.0, ("busy", "3010"): 18.0, ("busy", "3020"): 6.0, ("busy", "3110"): 4.0}  # fmt: skip  # noqa: E501
VOICE_FAILED = {("failed", "2000"): 20.0, ("failed", "2010"): 14.0, ("failed", "3050"): 10.0, ("failed", "3070"): 14.0, ("failed", "3080"): 16.0, ("failed", "3130"): 6.0, ("failed", "5010"): 6.0, ("canceled", "1000"): 4.0, ("timeout", "6010"): 10.0}  # fmt: skip  # noqa: E501


@cache
def column(name: str) -> Floats:
    """Give one figure of all places, to be looked up by the number of a place."""
    return np.array([getattr(place, name) for place in PLACES], dtype=np.float64)


@cache
def share_of_codes(kind: str) -> tuple[tuple[str, ...], Floats]:
    """Give the SMS codes of a kind and, one row per place, the cumulative share of each."""
    base = {"undelivered": SMS_UNDELIVERED, "unreachable": SMS_UNREACHABLE, "failed": SMS_FAILED}[kind]
    habits = [dict(place.habit) for place in PLACES]
    weights = np.array([[weight * habit.get(code, 1.0) for code, weight in base.items()] for habit in habits])
    cumulative = np.cumsum(weights, axis=1)
    return tuple(base), cumulative / cumulative[:, -1:]


def numbers(place: Integers, draw: Floats) -> list[str]:
    """Make up one number for each session: digits with country code, no plus sign.

    Parameters
    ----------
    place
        Number of the place of each session.
    draw
        Uniform in [0, 1), one per session.
    """
    found = np.empty(len(place), dtype=np.int64)
    for index in np.unique(place).tolist():
        prefixes, digits = PLACES[index].prefixes, PLACES[index].digits
        here = place == index
        spread = draw[here] * len(prefixes)
        chosen = spread.astype(np.int64)
        room = np.array([10 ** (digits - len(prefix)) for prefix in prefixes])[chosen]
        found[here] = np.array(prefixes, dtype=np.int64)[chosen] * room + ((spread - chosen) * room).astype(np.int64)
    return list(map(str, found.tolist()))


def neighbours(place: int, base: float, count: int) -> list[str]:
    """Make up numbers in a row, as machines dial them: a few apart, over neighbouring blocks."""
    prefix, digits = PLACES[place].prefixes[0], PLACES[place].digits
    free = digits - len(prefix)
    first = int(base * (10**free - 7 * count - 1))
    return [f"{prefix}{first + 7 * i:0{free}d}" for i in range(count)]
