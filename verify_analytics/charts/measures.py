"""Which metric gives which measure? So that a frame of another metric is known for what it is.

A test holds this list against the definitions of the metrics, which this room does not import.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

# ``{k}`` is a whole number, ``{q}`` a percentage.
MEASURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "collector_health": (
            "accepted",
            "repeated",
            "v3_unproved",
            "quarantined",
            "refused",
            "refused_for",
            "not_observable",
        ),
        "completeness": (
            "whole",
            "lacks_previous_attempt",
            "lacks_acceptance",
            "lacks_end",
            "lacks_several",
            "without_queued",
        ),
        "delivery_rate": (
            "confirmed",
            "accepted",
            "coverage",
            "not_handed_over",
            "not_handed_over_policy",
            "not_handed_over_account",
        ),
        "error_codes": (
            "share_of_unsuccessful",
            "share_of_all",
        ),
        "funnel": (
            "sessions",
            "accepted",
            "delivered",
            "verified",
            "not_handed_over_policy",
            "not_handed_over_account",
            "not_handed_over_network",
            "silent",
            "undelivered",
            "no_receipt",
            "delivered_not_verified",
            "verified_delivered",
            "verified_without_receipt",
            "verified_against_receipt",
        ),
        "lawful_order": (
            "delivered_and_undelivered",
            "undelivered_after_delivered",
            "delivered_after_undelivered",
            "failed_and_receipt",
            "sequence_jump",
            "sequence_shared",
            "facts_conflict",
            "codes_differ",
            "requested_after_arrival",
            "requested_before_previous",
            "verified_after_expired",
            "expired_after_verified",
            "verified_before_start",
        ),
        "receipt_trust": (
            "verified_against_receipt",
            "delivered_not_verified",
        ),
        "retries": (
            "attempts_per_session",
            "reaches_attempt_{k}",
            "gap_to_attempt_{k}_p{q}",
            "resent_too_early",
            "fell_back_too_early",
            "second_attempt",
            "verified_before_attempt_{k}",
            "rescue",
            "second_attempt_then_verified",
        ),
        "time_to_deliver": (
            "within_{k}s",
            "p{q}",
            "restricted_mean",
            "curve",
            "not_observable",
        ),
        "time_to_verify": (
            "within_{k}s",
            "p{q}",
            "restricted_mean",
            "curve",
            "not_observable",
        ),
        "transitions": ("next_state",),
        "verification_rate": (
            "verified",
            "first_attempt_conversion",
            "attempts_before_verification",
            "verified_with_attempt_1",
            "verified_with_attempt_2",
            "verified_with_attempt_3_or_later",
        ),
        "webhook_health": (
            "redelivered",
            "after_60s",
            "after_120s",
            "after_240s",
            "after_skipped_try",
            "after_other_gap",
            "soon_after_outage",
            "unproved",
            "unknown_status",
            "without_attempt",
        ),
        "when_to_switch": (
            "verified_next",
            "not_observable",
        ),
    }
)


def metrics_of(measures: Iterable[str]) -> list[str]:
    """Name the metric that gives most of these measures; several, if it cannot be told from them.

    >>> metrics_of(["reaches_attempt_2", "rescue"]), metrics_of(["a measure of nobody"])
    (['retries'], [])
    """
    names = set(measures)
    known = {metric: sum(gives(metric, name) for name in names) for metric in MEASURES}
    return [metric for metric, many in known.items() if many and many == max(known.values())]


def gives(metric: str, measure: str) -> bool:
    """Say whether a metric has this measure.

    >>> gives("time_to_verify", "within_30s"), gives("time_to_verify", "rescue")
    (True, False)
    """
    return any(_pattern(each).fullmatch(measure) for each in MEASURES.get(metric, ()))


def _pattern(measure: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[kq]\\}", lambda _: r"\d+(?:\.\d+)?", re.escape(measure)))
