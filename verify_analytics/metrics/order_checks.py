"""What may not happen in an attempt or a session? Each check as a formula, with the two moments that do not agree."""

from typing import NamedTuple

import narwhals as nw

from verify_analytics.model.frames import Frame, earlier, is_true

from .sequences import previous_never_seen, with_shared_numbers

ATTEMPT, SESSION = "attempt", "session"


class Check(NamedTuple):
    """One thing that should not be: of what unit, and the columns of the two moments to show for it."""

    unit: str
    first: str
    second: str


CHECKS = {
    "delivered_and_undelivered": Check(ATTEMPT, "delivered_us", "undelivered_us"),
    "undelivered_after_delivered": Check(ATTEMPT, "delivered_us", "undelivered_us"),
    "delivered_after_undelivered": Check(ATTEMPT, "undelivered_us", "delivered_us"),
    "failed_and_receipt": Check(ATTEMPT, "failed_us", "_receipt_us"),
    "sequence_jump": Check(ATTEMPT, "first_received_us", "last_received_us"),
    "sequence_shared": Check(ATTEMPT, "first_received_us", "last_received_us"),
    "facts_conflict": Check(ATTEMPT, "first_received_us", "last_received_us"),
    "codes_differ": Check(ATTEMPT, "first_received_us", "last_received_us"),
    "requested_after_arrival": Check(ATTEMPT, "first_received_us", "requested_us"),
    "requested_before_previous": Check(ATTEMPT, "requested_us", "_requested_before"),
    "verified_after_expired": Check(SESSION, "expired_us", "_verified_last_us"),
    "expired_after_verified": Check(SESSION, "verified_us", "expired_us"),
    "verified_before_start": Check(SESSION, "verified_us", "started_us"),
}
"""By name, in the order in which they are shown."""


def flag(name: str) -> str:
    """Name the column that says whether a check has found something."""
    return f"_found_{name}"


def checked_attempts(attempts: Frame, *, tolerance_us: int) -> Frame:
    """Add what each check of attempts finds, and `_judged`: mature, and the collector was up while it waited.

    Parameters
    ----------
    attempts
        Attempts alone, with all of each session.
    tolerance_us
        How far the provider's clock may be ahead of ours.
    """
    placed = with_shared_numbers(attempts).with_columns(
        _requested_before=nw.col("requested_us").shift(1).over("session_id", order_by=["_number", "key"]),
        _receipt_us=earlier("undelivered_us", "delivered_us"),
    )
    delivered, undelivered, requested = (nw.col(f"{name}_us") for name in ("delivered", "undelivered", "requested"))
    later_number = is_true(nw.col("attempt_sequence") > nw.col("_one_before"))
    found = {
        "delivered_and_undelivered": ~delivered.is_null() & ~undelivered.is_null(),
        "undelivered_after_delivered": is_true(undelivered > delivered),
        "delivered_after_undelivered": is_true(delivered > undelivered),
        "failed_and_receipt": ~nw.col("failed_us").is_null() & ~nw.col("_receipt_us").is_null(),
        "sequence_jump": previous_never_seen(),
        "sequence_shared": nw.col("_shares_number"),
        "facts_conflict": nw.col("conflict"),
        "codes_differ": nw.col("codes_differ"),
        "requested_after_arrival": is_true(requested > nw.col("first_received_us") + tolerance_us),
        "requested_before_previous": later_number & is_true(requested < nw.col("_requested_before")),
    }
    unobserved = nw.col("outcome").fill_null("unknown") == "unobserved"
    return placed.with_columns(
        **{flag(name): formula for name, formula in found.items()},
        _judged=nw.col("mature") & ~unobserved,
        _unobserved=nw.col("mature") & unobserved,
    )


def checked_sessions(sessions: Frame) -> Frame:
    """Add what each check of sessions finds, and `_judged`: mature, and the collector was up while it ran.

    Also `_begun`: judged, and its first attempt was seen, so that its start is known.
    """
    app, told = nw.col("verified_app_us"), nw.col("verified_callback_us")
    last = nw.when(is_true(app > told) | told.is_null()).then(app).otherwise(told)
    placed = sessions.with_columns(_verified_last_us=last)
    expired, verified = nw.col("expired_us"), nw.col("verified_us")
    begun = is_true(nw.col("lowest_sequence") == 1)
    found = {
        "verified_after_expired": is_true(nw.col("_verified_last_us") > expired),
        "expired_after_verified": is_true(expired > verified),
        "verified_before_start": begun & is_true(verified < nw.col("started_us")),
    }
    judged = nw.col("mature") & ~nw.col("unobserved")
    return placed.with_columns(
        **{flag(name): formula for name, formula in found.items()},
        _judged=judged,
        _begun=judged & begun,
        _unobserved=nw.col("mature") & nw.col("unobserved"),
    )
