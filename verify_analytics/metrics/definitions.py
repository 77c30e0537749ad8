"""What is each figure a share of? Every measure of every metric with its numerator and denominator, in one table.

The metric dictionary (docs/metrics.md) prints this table, and a test holds it against what the metrics really give: a
measure that is not here, and an entry that no metric gives, are both caught.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from verify_analytics.errors import ArgumentError, near_name

RATE, SECONDS, NUMBER, CURVE, COUNT = "rate", "seconds", "number", "curve", "count"


class Definition(NamedTuple):
    """One figure: the metric that gives it, its measure, what it is, what is counted, and of how many.

    `measure` may hold ``{k}`` for a whole number and ``{q}`` for a percentage. `kind` says which column holds it:
    ``rate``, ``seconds``, ``number`` (the column `mean`), ``curve`` (a rate by seconds), ``count`` (a count alone).
    """

    metric: str
    measure: str
    kind: str
    above: str
    below: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """Match the measures this entry stands for."""
        parts = re.split(r"(\{[kq]\})", self.measure)
        return re.compile("".join(r"\d+(?:\.\d+)?" if part in {"{k}", "{q}"} else re.escape(part) for part in parts))


def _of(metric: str, *rows: tuple[str, str, str, str]) -> tuple[Definition, ...]:
    return tuple(Definition(metric, *row) for row in rows)


KNOWN = "mature attempts with a known outcome: delivered, undelivered, failed, accepted or silent"
WATCHED = "sessions that can be watched from the source, mature or not; the open ones for as long as they were seen"
RECEIPTED = "attempts of groups whose receipts can be trusted, mature or not; those without an end up to as_of"

DEFINITIONS: tuple[Definition, ...] = (
    *_of(
        "delivery_rate",
        ("confirmed", RATE, "delivered", KNOWN),
        ("accepted", RATE, "delivered, and accepted without a receipt", "the same"),
        ("coverage", RATE, "delivered and undelivered", "delivered, undelivered and accepted"),
        ("not_handed_over", RATE, "failed", "the same as confirmed"),
        ("not_handed_over_policy", RATE, "failed with code 451 or 452 (a fraud rule)", "the same as confirmed"),
        ("not_handed_over_account", RATE, "failed with code 450 or 900 (the account)", "the same as confirmed"),
    ),
    *_of(
        "error_codes",
        (
            "share_of_unsuccessful",
            RATE,
            "failed or undelivered with this code",
            "mature attempts failed or undelivered",
        ),
        ("share_of_all", RATE, "failed or undelivered with this code", KNOWN),
    ),
    *_of(
        "time_to_verify",
        ("within_{k}s", RATE, "verified within k seconds of the start (estimated, where some still wait)", WATCHED),
        ("p{q}", SECONDS, "the time by which q % are verified", WATCHED),
        ("restricted_mean", SECONDS, "the mean wait, at most the horizon", WATCHED),
        ("curve", CURVE, "verified by each second", WATCHED),
        ("not_observable", COUNT, "nothing: no session of the group can be watched", "none"),
    ),
    *_of(
        "time_to_deliver",
        ("within_{k}s", RATE, "delivered within k seconds of the start, by the receipt's arrival", RECEIPTED),
        ("p{q}", SECONDS, "the time by which q % are delivered", RECEIPTED),
        ("restricted_mean", SECONDS, "the mean wait, at most the horizon", RECEIPTED),
        ("curve", CURVE, "delivered by each second", RECEIPTED),
        ("not_observable", COUNT, "nothing: the receipt coverage of the group is below the floor", "none"),
    ),
    *_of(
        "when_to_switch",
        ("verified_next", RATE, "verified within the next while", "sessions still waiting after so many seconds"),
        ("not_observable", COUNT, "nothing: no session of the group can be watched", "none"),
    ),
)


def definition(metric: str, measure: str) -> Definition:
    """Say what a figure is.

    Raises
    ------
    ArgumentError
        For a metric or a measure that nobody defined.

    Examples
    --------
    >>> definition("delivery_rate", "coverage").below
    'delivered, undelivered and accepted'
    """
    of_metric = [entry for entry in DEFINITIONS if entry.metric == metric]
    if not of_metric:
        raise ArgumentError(f"no metric {metric!r} is defined: {near_name(metric, {e.metric for e in DEFINITIONS})}")
    for entry in of_metric:
        if entry.pattern.fullmatch(measure):
            return entry
    raise ArgumentError(f"{metric} has no measure {measure!r}: {near_name(measure, [e.measure for e in of_metric])}")


def undefined(metric: str, measures: Iterable[str]) -> list[str]:
    """Name the measures of a metric that nobody defined."""
    entries = [entry for entry in DEFINITIONS if entry.metric == metric]
    return sorted({name for name in measures if not any(entry.pattern.fullmatch(name) for entry in entries)})
