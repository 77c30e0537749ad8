"""Why a coverage is off 95 %, where the reason was found. The first that fits counts."""

import re
from typing import NamedTuple

NOT_FOUND = "no reason was found yet"


class Reason(NamedTuple):
    """What is behind some rows: worlds and estimators as regular expressions, each for the whole name."""

    worlds: str
    estimators: str
    said: str


REASONS = (
    Reason(
        "quiet|late|outage|gaps|small",
        "coverage.*",
        "every attempt has its receipt: the share is 1, and an interval can hardly miss it",
    ),
    Reason(
        "lossy",
        "(coverage|confirmed).*",
        "by definition: a receipt that was lost is none, so 5 % of what was delivered counts as accepted. `coverage` "
        "is where that shows, and `accepted` is not moved by it",
    ),
    Reason(
        "lossy", "delivered.*", "by definition: a receipt that was lost is waited for, so the curve is low by as much"
    ),
    Reason(
        "usual",
        "not_handed_over.*",
        "too wide: much of it is of bots, and each history has as many bots as the other; an interval allows for "
        "chance in that",
    ),
    Reason(
        ".*",
        ".*plain",
        "attempts are taken as independent, and sessions in which people ask again are those that fail: the design "
        "effect of the other rows is about 1.5",
    ),
    Reason(
        "usual",
        "verified.*|within.*|p50|restricted_mean",
        "the application reports 97 % of what it verifies, and stops once for 2.4 hours. About 15 reports are missing "
        "then, too few to tell a silence from chance: in five of six histories its sessions count as not verified",
    ),
    Reason(
        "usual",
        "(coverage|confirmed), recipients",
        "too wide: the simulator draws where a session is from before whose it is, so recipients, who are alike in "
        "their country, add no variance of their own",
    ),
    Reason(
        "usual",
        "confirmed by country.*",
        "bots come in one burst in one country, whose rate in that history is not what it usually is; and countries "
        "without receipts are another kind, on which the others should not lean",
    ),
    Reason(
        "gaps",
        "verified.*|within.*|p50|restricted_mean",
        "what a source could tell begins and ends with a report, so somebody verified stands at each edge, and here "
        "are four edges: half a point too high, a quarter of a second too soon",
    ),
    Reason(
        "late",
        "resent_too_early|delivered.*",
        "by definition: of a receipt only the arrival is known, and 15 % come one to seven minutes late",
    ),
    Reason(
        "small",
        "(sms|voice) .*",
        "a code that did not occur has no row, so only the histories in which chance favoured it are here: see `none`",
    ),
    Reason(
        "small",
        "restricted_mean|attempts_per_session",
        "the interval is symmetric and the mean of some 35 sessions is not: one in seven never verifies and counts ten "
        "minutes, one in six asks again and may ask often",
    ),
    Reason(
        "small",
        "within.*|verified_next.*|difference.*|.*shrunk",
        "too wide, on the safe side: one arrival or none, one call or two, five sessions to a country",
    ),
    Reason(
        ".*",
        "sms 80.*",
        "a handset that is off fails every attempt with this code: few sessions carry the share and its design effect, "
        "and where few of them came both are too small together",
    ),
)


def reason(world: str, estimator: str) -> str:
    """Give the reason for a world and an estimator."""
    fits = (one.said for one in REASONS if re.fullmatch(one.worlds, world) and re.fullmatch(one.estimators, estimator))
    return next(fits, NOT_FOUND)
