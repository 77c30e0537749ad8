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
JUDGED = "mature attempts, neither unobserved nor with an unlisted status"
WATCHED = "mature attempts that were not unobserved"

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
        "webhook_health",
        ("redelivered", RATE, "arrivals whose content had arrived before", "arrivals"),
        ("after_60s", RATE, "redeliveries 45 to 75 s after the arrival before: a first retry", "redeliveries"),
        ("after_120s", RATE, "redeliveries 105 to 135 s after the arrival before: a second retry", "redeliveries"),
        ("after_240s", RATE, "redeliveries 225 to 255 s after the arrival before: a third retry", "redeliveries"),
        ("after_skipped_try", RATE, "redeliveries 180, 360 or 420 s after it, within 15 s", "redeliveries"),
        ("after_other_gap", RATE, "redeliveries after any other gap", "redeliveries"),
        ("soon_after_outage", RATE, "arrivals in the 7 minutes after a gap of the collector", "arrivals while covered"),
        ("unproved", RATE, "arrivals without a verified signature", "arrivals"),
        ("unknown_status", RATE, "contents with a status that nobody listed", "contents: redeliveries count once"),
        ("without_attempt", RATE, "contents that name no attempt", "contents: redeliveries count once"),
    ),
    *_of(
        "collector_health",
        ("accepted", COUNT, "callbacks new to the store", "the minutes in which a collector listened"),
        ("repeated", COUNT, "further arrivals of one nonce with the same content", "the same"),
        ("v3_unproved", COUNT, "taken in on V2 while a V3 signature proved nothing; no refusals", "the same"),
        ("quarantined", COUNT, "proved requests that could not be read", "the same"),
        ("refused", COUNT, "refused requests", "the same"),
        ("refused_for", COUNT, "refused requests with this reason", "the same"),
        ("not_observable", COUNT, "nothing: there is no pulse", "nothing"),
    ),
    *_of(
        "completeness",
        ("whole", RATE, "attempts that lack nothing", JUDGED),
        ("lacks_previous_attempt", RATE, "numbered 2 or more, nothing of the number before seen", "the same"),
        ("lacks_acceptance", RATE, "a message settled without sent, a call completed without an answer", "the same"),
        ("lacks_end", RATE, "a message with neither sent nor an end, a call without an end", "the same"),
        ("lacks_several", RATE, "with two of these reasons", "the same"),
        ("without_queued", RATE, "messages without queued; no reason", "messages of the same"),
    ),
    *_of(
        "lawful_order",
        ("delivered_and_undelivered", RATE, "attempts with both receipts", WATCHED),
        ("undelivered_after_delivered", RATE, "attempts delivered first, undelivered later", "the same"),
        ("delivered_after_undelivered", RATE, "attempts undelivered first, delivered later", "the same"),
        ("failed_and_receipt", RATE, "attempts never handed over, with a receipt", "the same"),
        ("sequence_jump", RATE, "attempts numbered 2 or more, nothing of the number before seen", "the same"),
        ("sequence_shared", RATE, "attempts that carry another's number", "the same"),
        ("facts_conflict", RATE, "attempts with facts that vary and should not", "the same"),
        ("codes_differ", RATE, "attempts with several error codes", "the same"),
        ("requested_after_arrival", RATE, "attempts requested after their first arrival (2 s tolerated)", "the same"),
        ("requested_before_previous", RATE, "attempts requested before the number before", "the same"),
        ("verified_after_expired", RATE, "sessions verified after their expiry", "mature observed sessions"),
        ("expired_after_verified", RATE, "sessions that expired after they were verified", "mature observed sessions"),
        ("verified_before_start", RATE, "sessions verified before they started", "the same, first attempt seen"),
    ),
    *_of(
        "transitions",
        ("next_state", RATE, "steps to this state", "steps of the channel from one state, redeliveries dropped"),
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
