"""What of attempts and sessions does not depend on the moment we look from? Neighbours and facts, not yet the clock.

This is the part of finishing that groups and joins, so it is what takes long; once no more callbacks and reports of a
session come, it stays as it is. What the clock says of it, `look` adds row by row.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics.model import outcomes
from verify_analytics.model.columns import FACTS, STATES
from verify_analytics.model.frames import Frame, any_of, differ, either, is_true
from verify_analytics.model.roles import with_place, with_role
from verify_analytics.model.sources import with_success

# A requested time that varies is no contradiction: a provider may tell the time of each callback.
_SHOULD_NOT_VARY = tuple(fact for fact in FACTS if fact not in {"attempt_id", "requested_us"})

ATTEMPTS_SETTLED = (
    *("key", "is_attempt", "provider", "session_id", "attempt_id", "channel", "attempt_sequence", "recipient_key"),
    *("country", "number_block", "requested_us", "started_us", "started_at_source", "requested_at_shared"),
    *("first_received_us", "last_received_us", *(f"{name}_us" for name in outcomes.STATES)),
    *("settled_us", "error_code", "codes_differ", "conflict", "has_unknown_status", "role", "previous_channel"),
    *("seconds_since_previous", "attempts_in_session", "lowest_sequence", "session_started_us", "first_channel"),
    *("last_started_us", "session_verified_app_us", "session_verified_callback_us", "session_expired_us"),
    *("session_begun_us", "last_outcome"),
)
"""Of `ATTEMPTS` what no clock is needed for; ``session_begun_us``, in whose minute the session counts as begun; and
``last_outcome``, the outcome once an attempt is mature, had somebody listened."""

# What every row of a session has alike; the smallest is taken.
_ALIKE = ("provider", "recipient_key", "country", "number_block", "first_channel", "lowest_sequence")
_RENAMED = {
    "started_us": "session_started_us",
    "verified_app_us": "session_verified_app_us",
    "verified_callback_us": "session_verified_callback_us",
    "expired_us": "session_expired_us",
}
SESSIONS_SETTLED = (
    *("session_id", *_ALIKE, *_RENAMED, "last_started_us", "attempts", "attempts_before_verified", "attempts_missing"),
    *("highest_sequence", "has_loose", "last_before_us", "second_started_us", "fallback_started_us"),
    *("requested_at_shared", "session_begun_us"),
)
"""The same of `SESSIONS`; ``has_loose``: an attempt whose place cannot be told; ``last_before_us``: when the last
attempt before the verification started."""


def settle(states: Frame, verifications: IntoFrame | None, *, as_of_us: int) -> Frame:
    """Say of every attempt what no clock is needed for.

    Parameters
    ----------
    states
        All states of each session.
    verifications
        As `load.verifications` gives them, or None.
    as_of_us
        Reports received later do not exist yet.

    Returns
    -------
    Frame
        With the columns `ATTEMPTS_SETTLED`. One row per key.
    """
    placed = with_success(with_place(_settled(states)), verifications, as_of_us=as_of_us)
    return with_role(placed).with_columns(
        session_begun_us=either("_attempts_begun", "_any_begun"), last_outcome=_last_outcome()
    )


def settle_sessions(attempts: Frame, *, least: Sequence[str] = (), largest: Sequence[str] = ()) -> Frame:
    """Reduce settled attempts to sessions.

    Parameters
    ----------
    attempts
        What `settle` gave, looked at or not.
    least, largest
        Further columns, of which the smallest or the largest is taken.

    Returns
    -------
    Frame
        With the columns `SESSIONS_SETTLED`, but for ``session_begun_us``, and with those named. One row per session_id.
    """
    return (
        _masked(attempts)
        .group_by("session_id")
        .agg(
            *(nw.col(name).min() for name in (*_ALIKE, *least)),
            *(nw.col(name).max() for name in largest),
            *(nw.col(column).min().alias(name) for name, column in _RENAMED.items()),
            nw.col("last_started_us").max(),
            nw.col("_attempts").sum().alias("attempts"),
            nw.col("_before").sum().alias("attempts_before_verified"),
            nw.col("_sequence").max().alias("highest_sequence"),
            nw.col("_loose").max().alias("has_loose"),
            nw.col("_before_started").max().alias("last_before_us"),
            nw.col("_later_started").min().alias("second_started_us"),
            nw.col("_fallback_started").min().alias("fallback_started_us"),
            nw.col("attempts_in_session").max().alias("_in_session"),
            nw.col("requested_at_shared").max(),
        )
        # DuckDB sums integers to 128 bits, which leave it as decimals.
        .with_columns(nw.col("attempts").cast(nw.Int64), nw.col("attempts_before_verified").cast(nw.Int64))
        .with_columns(attempts_missing=nw.col("_in_session") - nw.col("attempts"))
    )


def _masked(attempts: Frame) -> Frame:
    """Prepare one column for each fact, so that only smallest, largest and sum remain to be taken."""
    is_attempt = nw.col("is_attempt")
    role = nw.col("role").fill_null("")
    before = is_attempt & ~role.is_in(["after_verified"])
    later = before & is_true(nw.col("attempt_sequence") > 1)
    fallback = role.is_in(["fallback"])
    return attempts.with_columns(
        _sequence=nw.when(is_attempt).then(nw.col("attempt_sequence")),
        _attempts=is_attempt.cast(nw.Int64),
        _before=before.cast(nw.Int64),
        _before_started=nw.when(before).then(nw.col("started_us")),
        _later_started=nw.when(later).then(nw.col("started_us")),
        _fallback_started=nw.when(fallback).then(nw.col("started_us")),
        # Every attempt but the first has a time since the one before, unless that was not seen or cannot be told.
        _loose=is_attempt
        & ~is_true(nw.col("attempt_sequence") == 1)
        & (nw.col("attempt_sequence").is_null() | nw.col("seconds_since_previous").is_null()),
    )


def _last_outcome() -> nw.Expr:
    """Give the outcome that an attempt comes to, null where a row is none."""
    seen = {name: ~nw.col(f"{name}_us").is_null() for name in outcomes.STATES}
    nothing_listed = nw.col("has_unknown_status") & ~(seen["queued"] | seen["ringing"] | seen["accepted"])
    return (
        nw.when(~nw.col("is_attempt"))
        .then(nw.lit(None, dtype=nw.String))
        .when(seen["delivered"])
        .then(nw.lit("delivered"))
        .when(seen["undelivered"])
        .then(nw.lit("undelivered"))
        .when(seen["failed"])
        .then(nw.lit("failed"))
        .when(nothing_listed)
        .then(nw.lit("unknown"))
        .when(seen["accepted"])
        .then(nw.lit("accepted"))
        .otherwise(nw.lit("silent"))
    )


def _settled(states: Frame) -> Frame:
    """Add the strongest receipt with its time and code, and whether something did not fit together."""

    def of_receipt(column: str, receipts: Iterable[str]) -> nw.Expr:
        chain: Any = nw
        for name in reversed(outcomes.RECEIPTS):
            value = nw.col(column.format(name)) if name in receipts else nw.lit(None, dtype=nw.String)
            chain = chain.when(~nw.col(f"{name}_us").is_null()).then(value)
        found: nw.Expr = chain
        return found

    conflict = nw.col("is_attempt") & any_of(
        differ(fact, f"{fact}_max", empty=-1 if fact == "attempt_sequence" else "") for fact in _SHOULD_NOT_VARY
    )
    with_code = ("failed", "undelivered")
    smallest, largest = of_receipt("code_{}", with_code), of_receipt("code_{}_max", with_code)
    return states.with_columns(
        settled_us=of_receipt("{}_us", outcomes.RECEIPTS),
        error_code=smallest,
        codes_differ=smallest.fill_null("") != largest.fill_null(""),
        conflict=conflict,
    ).drop(*(name for name in STATES if name.endswith("_max") or name.startswith("code_")))
