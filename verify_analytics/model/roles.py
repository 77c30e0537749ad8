"""Why was this attempt made? Its place among the attempts of its session: start, role, and the attempt before it.

"Before" is by sequence, and exactly by one: where the attempt with the sequence before was never seen, or several
attempts carry the same sequence, the role is ``unknown`` rather than guessed.
"""

import narwhals as nw

from verify_analytics.model.frames import Frame, earlier, either, is_true
from verify_analytics.model.moments import SECOND_US

# Larger than any sequence the collector lets in: attempts without one stand after those that have one,
# and rows that are no attempt after all attempts, where they are nobody's neighbour.
_NO_SEQUENCE = 2**40
_NO_ATTEMPT = 2**40 + 1


def with_place(states: Frame) -> Frame:
    """Add when each attempt started, what the attempts next to it in its session say, and what all of them say.

    Only where a session has several attempts has one of them neighbours. Those are looked for among a few columns of
    few rows, because engines sort all columns they are given for a window.
    """
    begun = _with_begin(states)
    among = _among_several(begun, _facts(begun))
    placed = begun.join(_facts(begun), on="session_id", how="left").join(among, on="key", how="left")
    several = nw.col("attempts_in_session") > 1

    def chosen(among_several: str, alone: nw.Expr) -> nw.Expr:
        return nw.when(several).then(nw.col(among_several)).otherwise(alone)

    shared = is_true(nw.col("_shared"))
    by_arrival = shared | nw.col("requested_us").is_null()
    return placed.with_columns(
        requested_at_shared=shared,
        started_us=chosen("_started", nw.col("_begun_us")),
        started_at_source=nw.when(by_arrival).then(nw.lit("received_at")).otherwise(nw.lit("requested_at")),
        session_started_us=chosen("_first_started", either("_attempts_begun", "_any_begun")),
        last_started_us=chosen("_last_started", either("_attempts_last_begun", "_any_last_begun")),
        first_channel=chosen("_first_channel", nw.col("_any_channel")),
    )


def _with_begin(states: Frame) -> Frame:
    """Add when each row begins by what it says itself, and its sequence if it is an attempt."""
    return states.with_columns(
        _sequence=nw.when(nw.col("is_attempt")).then(nw.col("attempt_sequence")),
        _begun_us=either("requested_us", "first_received_us"),
    )


def _facts(begun: Frame) -> Frame:
    """Reduce rows to what those of a session say together; attempts alone decide where there is one."""
    is_attempt = nw.col("is_attempt")
    masked = begun.with_columns(
        _attempt_begun=nw.when(is_attempt).then(nw.col("_begun_us")),
        _attempt_channel=nw.when(is_attempt).then(nw.col("channel")),
        _is_attempt=is_attempt.cast(nw.Int64),
    )
    # Grouped and joined, where a window over the same would say it in one step: see `with_place`.
    facts = masked.group_by("session_id").agg(
        nw.col("_attempt_begun").min().alias("_attempts_begun"),
        nw.col("_begun_us").min().alias("_any_begun"),
        nw.col("_attempt_begun").max().alias("_attempts_last_begun"),
        nw.col("_begun_us").max().alias("_any_last_begun"),
        nw.col("_sequence").min().alias("lowest_sequence"),
        nw.col("_attempt_channel").max().alias("_any_channel"),
        nw.col("_is_attempt").sum().alias("attempts_in_session"),
        nw.col("verified_us").min().alias("session_verified_callback_us"),
        nw.col("expired_us").min().alias("session_expired_us"),
    )
    # DuckDB sums integers to 128 bits, which leave it as decimals.
    return facts.with_columns(nw.col("attempts_in_session").cast(nw.Int64))


def _among_several(begun: Frame, facts: Frame) -> Frame:
    """Look at the rows of sessions with several attempts: each one's neighbours, and what that makes of the session.

    Returns
    -------
    Frame
        By ``key``: ``_started``, the requested time, or the first arrival where there is none. Where an attempt has the
        very requested time of the one before it in sequence, the field tells the session's time (``_shared``): then it
        is the first arrival too. ``_follows``: it came right after the attempt before it, whose channel is
        ``_channel_before``, and ``_gap_us`` is the time between their starts. ``_first_started``, ``_last_started``,
        ``_first_channel``: of the session.
    """
    several = facts.filter(nw.col("attempts_in_session") > 1).select("session_id")
    read = ["key", "session_id", "is_attempt", "channel", "first_received_us", "requested_us", "_sequence", "_begun_us"]
    is_attempt = nw.col("is_attempt")
    placed = (
        begun.select(*read)
        .join(several, on="session_id", how="inner")
        .with_columns(
            _place=nw.when(is_attempt).then(nw.col("_sequence").fill_null(_NO_SEQUENCE)).otherwise(_NO_ATTEMPT),
        )
    )
    started = _with_start(_with_neighbours(placed))
    masked = started.with_columns(
        _attempt_started=nw.when(is_attempt).then(nw.col("_started")),
        _channel_of_first=nw.when(is_attempt & nw.col("_key_before").is_null()).then(nw.col("channel")),
    ).with_columns(
        # There are several attempts, so they decide.
        _first_started=nw.col("_attempt_started").min().over("session_id"),
        _last_started=nw.col("_attempt_started").max().over("session_id"),
        _first_channel=nw.col("_channel_of_first").max().over("session_id"),
    )
    follows, gap = _follows(), nw.col("_started") - nw.col("_started_before")
    arrived = nw.col("first_received_us") - nw.col("_received_before")
    return masked.select(
        *("key", "_started", "_shared", "_channel_before", "_first_started", "_last_started", "_first_channel"),
        _follows=follows,
        _gap_us=nw.when(nw.col("_shared")).then(arrived).otherwise(gap),
    )


def _with_neighbours(placed: Frame) -> Frame:
    def neighbour(column: str, steps: int) -> nw.Expr:
        return nw.col(column).shift(steps).over("session_id", order_by=["_place", "_begun_us", "key"])

    return placed.with_columns(
        _key_before=neighbour("key", 1),
        _sequence_before=neighbour("_sequence", 1),
        _sequence_before_that=neighbour("_sequence", 2),
        _sequence_after=neighbour("_sequence", -1),
        _channel_before=neighbour("channel", 1),
        _begun_before=neighbour("_begun_us", 1),
        _received_before=neighbour("first_received_us", 1),
        _requested_before=neighbour("requested_us", 1),
        _requested_before_that=neighbour("requested_us", 2),
    )


def _with_start(attempts: Frame) -> Frame:
    shared = _shared("requested_us", "_requested_before", "_sequence", "_sequence_before")
    shared_before = _shared("_requested_before", "_requested_before_that", "_sequence_before", "_sequence_before_that")
    return attempts.with_columns(
        _shared=shared,
        _started=nw.when(shared).then(nw.col("first_received_us")).otherwise(nw.col("_begun_us")),
        _started_before=nw.when(shared_before).then(nw.col("_received_before")).otherwise(nw.col("_begun_before")),
    )


def _shared(requested: str, requested_before: str, sequence: str, sequence_before: str) -> nw.Expr:
    """Say whether two neighbours of different sequence have one requested time."""
    return is_true((nw.col(requested) == nw.col(requested_before)) & (nw.col(sequence) > nw.col(sequence_before)))


def _follows() -> nw.Expr:
    """Say whether the attempt before is the one with the sequence before, and neither has a double."""
    ambiguous = (
        is_true(nw.col("_sequence") == nw.col("_sequence_before"))
        | is_true(nw.col("_sequence") == nw.col("_sequence_after"))
        | is_true(nw.col("_sequence_before") == nw.col("_sequence_before_that"))
    )
    return is_true(nw.col("_sequence") == nw.col("_sequence_before") + 1) & ~ambiguous


def with_role(attempts: Frame) -> Frame:
    """Add the role of each attempt, the channel of the one before it, and the seconds since that one started.

    Parameters
    ----------
    attempts
        With the session's facts, its verification by either source among them.
    """
    follows = is_true(nw.col("_follows"))
    # A report that puts the success before the session began comes from a wrong clock: the speed metrics list it, and
    # it must not turn every later attempt into one after verification. When it began is known if attempt 1 was seen.
    wrong = is_true(nw.col("session_verified_app_us") < nw.col("session_started_us")) & is_true(
        nw.col("lowest_sequence") == 1
    )
    attempts = attempts.with_columns(_reported_us=nw.when(~wrong).then(nw.col("session_verified_app_us")))
    verified_us = earlier("_reported_us", "session_verified_callback_us")
    unknown_channel = nw.col("channel").is_null() | nw.col("_channel_before").is_null()
    return attempts.with_columns(
        previous_channel=nw.when(follows).then(nw.col("_channel_before")),
        seconds_since_previous=nw.when(follows).then(nw.col("_gap_us").cast(nw.Float64) / SECOND_US),
        role=nw.when(~nw.col("is_attempt"))
        .then(nw.lit(None, dtype=nw.String))
        # Before anything else: a verification that seems to precede the first attempt is a clock that is wrong.
        .when(is_true(nw.col("_sequence") == 1))
        .then(nw.lit("first_choice"))
        .when(is_true(nw.col("started_us") > verified_us))
        .then(nw.lit("after_verified"))
        .when(~follows | unknown_channel)
        .then(nw.lit("unknown"))
        .when(nw.col("channel") == nw.col("_channel_before"))
        .then(nw.lit("resend"))
        .otherwise(nw.lit("fallback")),
    )
