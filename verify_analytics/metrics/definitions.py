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
STARTED = "mature sessions of which an attempt was seen"
JUDGED = f"{STARTED}, and that the source could see"
UNDERSTOOD = "mature attempts, neither unobserved nor with an unlisted status"
OBSERVED = "mature attempts that were not unobserved"

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
        "retries",
        ("attempts_per_session", NUMBER, "attempts made before the verification", STARTED),
        ("reaches_attempt_{k}", RATE, "sessions that made a k-th attempt", STARTED),
        ("gap_to_attempt_{k}_p{q}", SECONDS, "the gap that q % stay below", "sessions whose attempts were all seen"),
        ("resent_too_early", RATE, "an attempt was delivered after its resend had started", "sessions with a resend"),
        ("fell_back_too_early", RATE, "the same of a fallback", "sessions with a fallback"),
        ("second_attempt", RATE, "sessions that went this way", "sessions whose second attempt's way is known"),
        ("verified_before_attempt_{k}", RATE, "verified before attempt k", "sessions that reached the one before it"),
        ("rescue", RATE, "verified after a fallback had started", "sessions that fell back unverified"),
        ("second_attempt_then_verified", RATE, "verified", "sessions that went this way"),
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
    *_of(
        "verification_rate",
        ("verified", RATE, "verified within the window", JUDGED),
        ("first_attempt_conversion", RATE, "verified within the window, before any second attempt", "the same"),
        ("attempts_before_verification", NUMBER, "attempts made before the verification", "verified sessions"),
        ("verified_with_attempt_1", RATE, "verified before any second attempt", "verified sessions"),
        ("verified_with_attempt_2", RATE, "verified after a second attempt, before a third", "verified sessions"),
        ("verified_with_attempt_3_or_later", RATE, "verified after a third attempt", "verified sessions"),
    ),
    *_of(
        "funnel",
        ("sessions", RATE, "all of them, so 1", STARTED),
        ("accepted", RATE, "with an attempt accepted, undelivered or delivered", "the same"),
        ("delivered", RATE, "with a delivered attempt", "the same"),
        ("verified", RATE, "verified within the window", "those that the source could see"),
        ("not_handed_over_policy", RATE, "not verified, at best failed for a fraud rule", "the same as verified"),
        ("not_handed_over_account", RATE, "not verified, at best failed for the account", "the same as verified"),
        ("not_handed_over_network", RATE, "not verified, at best failed otherwise", "the same as verified"),
        ("silent", RATE, "not verified, and nothing was said of any attempt", "the same as verified"),
        ("undelivered", RATE, "not verified, at best undelivered", "the same as verified"),
        ("no_receipt", RATE, "not verified, at best accepted without a receipt", "the same as verified"),
        ("delivered_not_verified", RATE, "delivered and not verified", "the same as verified"),
        ("verified_delivered", RATE, "verified with a delivered attempt", "the same as verified"),
        ("verified_without_receipt", RATE, "verified, at best accepted or silent", "the same as verified"),
        ("verified_against_receipt", RATE, "verified, at best undelivered or failed", "the same as verified"),
    ),
    *_of(
        "receipt_trust",
        (
            "verified_against_receipt",
            RATE,
            "undelivered or failed by its receipt, never delivered",
            "sessions verified with one attempt",
        ),
        ("delivered_not_verified", RATE, "not verified within the window", "sessions with a delivered attempt"),
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
        ("whole", RATE, "attempts that lack nothing", UNDERSTOOD),
        ("lacks_previous_attempt", RATE, "numbered 2 or more, nothing of the number before seen", "the same"),
        ("lacks_acceptance", RATE, "a message settled without sent, a call completed without an answer", "the same"),
        ("lacks_end", RATE, "a message with neither sent nor an end, a call without an end", "the same"),
        ("lacks_several", RATE, "with two of these reasons", "the same"),
        ("without_queued", RATE, "messages without queued; no reason", "messages of the same"),
    ),
    *_of(
        "lawful_order",
        ("delivered_and_undelivered", RATE, "attempts with both receipts", OBSERVED),
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
