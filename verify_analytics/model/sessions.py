"""What became of each verification as a whole? Attempts grouped by session, with how it ended and who saw that."""

from datetime import timedelta

import narwhals as nw
from narwhals.typing import IntoFrameT

from verify_analytics.errors import options_by_name
from verify_analytics.model.columns import ATTEMPTS, SESSIONS, require
from verify_analytics.model.coverage import unobserved
from verify_analytics.model.frames import Frame, earlier, either, is_true, names, opened
from verify_analytics.model.moments import SECOND_US, duration_us

DEFAULT_WINDOW = "10min"

# What every row of a session has alike, or what holds for the whole table; the smallest is taken.
_COPIED = (
    "provider",
    "recipient_key",
    "country",
    "number_block",
    "first_channel",
    "lowest_sequence",
    "app_first_us",
    "app_last_us",
    "callback_first_us",
    "callback_last_us",
    "covered_until_us",
    "as_of",
    "as_of_us",
    "patience_seconds",
    "app_silence_from_us",
    "app_silence_until_us",
    "callback_silence_from_us",
    "callback_silence_until_us",
)
_RENAMED = {
    "started_us": "session_started_us",
    "verified_app_us": "session_verified_app_us",
    "verified_callback_us": "session_verified_callback_us",
    "expired_us": "session_expired_us",
}


@options_by_name
def sessions(attempts: IntoFrameT, *, window: str | timedelta = DEFAULT_WINDOW) -> IntoFrameT:
    """Tell how every verification ended, as far as it was known.

    Parameters
    ----------
    attempts
        What `model.attempts` gave, with all attempts of each session: filter sessions afterwards, by what was known at
        their start.
    window
        How long after its last attempt a session may still be verified, such as ``"10min"``.

    Returns
    -------
    frame of the same engine
        The columns `SESSIONS`, in no order. ``outcome`` is ``verified`` (either source, however late), ``expired`` (a
        callback said so), ``abandoned`` (mature, no end seen) or ``open``. ``ended_us`` is the competing end, the
        expiry or the last attempt before verification plus window, whichever is earlier, null if it lies after
        ``as_of``. ``observable_…``: that source was reporting; the session started between its first and last report,
        and from there to the last attempt plus window lay no long silence of it (`silences`). ``unobserved``: in the
        same time the collector was not always up. ``attempts_missing``: attempts that were there when
        `model.attempts` read them and are not here, because a filter took them. One row per session_id.

    Raises
    ------
    ArgumentError
        If ``window`` cannot be read.
    SchemaError
        If a column is missing.
    """
    window_us = duration_us(window, name="window")
    frame = opened(attempts)
    needed = [column.name for column in ATTEMPTS]
    require(needed, names(frame), what="attempts", advice="Make them with model.attempts(...)")
    grouped = _grouped(_masked(frame))
    finished = _with_ends(grouped, window_us)
    return nw.to_native(finished.select(*(column.name for column in SESSIONS)))  # type: ignore[no-any-return]


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
        _attempt_observed=nw.when(is_attempt).then(nw.col("observed_until_us")),
        # Every attempt but the first has a time since the one before, unless that was not seen or cannot be told.
        _loose=is_attempt
        & ~is_true(nw.col("attempt_sequence") == 1)
        & (nw.col("attempt_sequence").is_null() | nw.col("seconds_since_previous").is_null()),
    )


def _grouped(masked: Frame) -> Frame:
    return (
        masked.group_by("session_id")
        .agg(
            *(nw.col(name).min() for name in _COPIED),
            *(nw.col(column).min().alias(name) for name, column in _RENAMED.items()),
            nw.col("last_started_us").max(),
            nw.col("_attempts").sum().alias("attempts"),
            nw.col("_before").sum().alias("attempts_before_verified"),
            nw.col("_sequence").max().alias("highest_sequence"),
            nw.col("_loose").max(),
            nw.col("_before_started").max().alias("_last_before"),
            nw.col("_later_started").min().alias("second_started_us"),
            nw.col("_fallback_started").min().alias("fallback_started_us"),
            nw.col("_attempt_observed").min(),
            nw.col("observed_until_us").min().alias("_any_observed"),
            nw.col("attempts_in_session").max().alias("_in_session"),
            nw.col("requested_at_shared").max(),
            nw.col("has_app_source").max(),
            nw.col("coverage_known").max(),
        )
        # DuckDB sums integers to 128 bits, which leave it as decimals.
        .with_columns(nw.col("attempts").cast(nw.Int64), nw.col("attempts_before_verified").cast(nw.Int64))
        .with_columns(attempts_missing=nw.col("_in_session") - nw.col("attempts"))
    )


def _with_ends(grouped: Frame, window_us: int) -> Frame:
    as_of = nw.col("as_of_us")
    last_us = nw.col("last_started_us") + window_us
    patience_us = (nw.col("patience_seconds") * SECOND_US).cast(nw.Int64)
    ended = grouped.with_columns(
        verified_us=earlier("verified_app_us", "verified_callback_us"),
        _waited_until=either("_last_before", "last_started_us") + window_us,
        observed_until_us=either("_attempt_observed", "_any_observed"),
        mature=nw.col("last_started_us") + patience_us <= as_of - window_us,
        window_seconds=nw.lit(window_us / SECOND_US, dtype=nw.Float64),
    ).with_columns(_end=earlier("expired_us", "_waited_until"))
    return ended.with_columns(
        ended_us=nw.when(nw.col("_end") <= as_of).then(nw.col("_end")),
        outcome=nw.when(~nw.col("verified_us").is_null())
        .then(nw.lit("verified"))
        .when(~nw.col("expired_us").is_null())
        .then(nw.lit("expired"))
        .when(nw.col("mature"))
        .then(nw.lit("abandoned"))
        .otherwise(nw.lit("open")),
        unobserved=unobserved(last_us),
        observable_app=_observable("app", last_us),
        observable_callback=_observable("callback", last_us),
        fell_back=~nw.col("fallback_started_us").is_null(),
        complete=is_true(nw.col("lowest_sequence") == 1)
        & is_true(nw.col("attempts") == nw.col("highest_sequence"))
        & ~nw.col("_loose"),
    )


def _observable(source: str, last_us: nw.Expr) -> nw.Expr:
    """Say whether a source was reporting while a session waited, judged by time alone.

    The session began between the source's first and last report, and its waiting met no long silence in between.
    """
    started = nw.col("started_us")
    within = (started >= nw.col(f"{source}_first_us")) & (started <= nw.col(f"{source}_last_us"))
    # The silence that is carried is the first one that was not over when the session started.
    return is_true(within) & ~is_true(nw.col(f"{source}_silence_from_us") <= last_us)
