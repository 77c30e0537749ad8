"""What a session's attempts say of its retries, as one row per session; made in the engine, for `retries` to count."""

from collections.abc import Sequence

import narwhals as nw

from verify_analytics.model.frames import Frame, either

from .judged import class_of, in_time
from .sources import watched_to_the_end

CLUSTER = "_cluster"
# As far as attempts are told apart; further ones count as having reached this one.
MOST = 5
# What `with_retries` says of a session, and what the model said already: few values each, so that counts stay few.
FACTS = (
    *("_class", "_reached", "_missing", "_mixed", "_resent", "_fell", "_from", "_to"),
    *("attempts_before_verified", "complete", "fell_back", "requested_at_shared"),
)
# What one source saw of a session's end.
BLIND, WAITED, VERIFIED = 0, 1, 2


def with_retries(sessions: Frame, attempts: Frame, sources: Sequence[str]) -> Frame:
    """Put beside each session how it can be counted, how far it got, and what happened on the way.

    Parameters
    ----------
    sessions
        What ``model.sessions`` made of the same attempts.
    attempts
        Only rows that are attempts.
    sources
        Who is asked whether the session was verified.
    """
    told = sessions.join(_rolled_up(attempts), on="session_id", how="left").with_columns(
        _class=class_of(),
        _reached=_reached(),
        _missing=nw.col("_given") < nw.col("_in_session"),
        _mixed=nw.col("_last_as_of_us") > nw.col("as_of_us"),
    )
    return told.with_columns(**{f"_end_{source}": _end(source) for source in sources})


def with_recipients(sessions: Frame, cluster: str) -> Frame:
    """Put beside each session whose it is (`CLUSTER`), where sessions of one recipient are taken as alike.

    Empty for sessions that are alone: they are their own clusters, and need no name that would keep them apart.
    """
    if cluster != "recipient":
        return sessions.with_columns(nw.lit("").alias(CLUSTER))
    named = sessions.with_columns(_unit=either("recipient_key", "session_id"))
    sizes = named.group_by("_unit").agg(nw.len().alias("_size"))
    several = nw.when(nw.col("_size") > 1).then(nw.col("_unit")).otherwise(nw.lit(""))
    return named.join(sizes, on="_unit", how="left").with_columns(several.alias(CLUSTER))


def with_delivery_before(attempts: Frame) -> Frame:
    """Put beside each attempt when the one before it in its session was delivered, if it ever was.

    A join and not a shift: where rows were filtered away, the neighbour is not the attempt before; and shifting whole
    numbers with missing values fails on pandas. Attempts without a sequence, or that share one, may get anything here:
    they have no role that is asked for it.
    """
    delivered = (
        attempts.with_columns(_next=nw.col("attempt_sequence") + 1)
        .group_by("session_id", "_next")
        .agg(nw.col("delivered_us").max().alias("_delivered_before"))
    )
    numbered = attempts.with_columns(_next=nw.col("attempt_sequence"))
    return numbered.join(delivered, on=["session_id", "_next"], how="left")


def _rolled_up(attempts: Frame) -> Frame:
    """Reduce attempts to one row per session: only smallest, largest and length of prepared columns."""
    role, sequence = nw.col("role"), nw.col("attempt_sequence")
    wanted = role.is_in(["first_choice", "resend", "fallback", "unknown"])
    too_early = nw.col("_delivered_before") > nw.col("started_us")
    second = (sequence == 2) & role.is_in(["resend", "fallback"])
    one, none = nw.lit(1), nw.lit(0)

    def flag(kind: str) -> nw.Expr:
        """0 for a retry of this kind, 1 for one that came too early, nothing for any other attempt."""
        return nw.when(role == kind).then(nw.when(too_early).then(one).otherwise(none))

    prepared = with_delivery_before(attempts).with_columns(
        _highest=nw.when(wanted).then(sequence),
        _resent=flag("resend"),
        _fell=flag("fallback"),
        _from=nw.when(second).then(nw.col("previous_channel")),
        _to=nw.when(second).then(nw.col("channel")),
    )
    return prepared.group_by("session_id").agg(
        nw.len().alias("_given"),
        nw.col("attempts_in_session").max().alias("_in_session"),
        nw.col("as_of_us").max().alias("_last_as_of_us"),
        nw.col("_highest").max(),
        nw.col("_resent").max(),
        nw.col("_fell").max(),
        nw.col("_from").max(),
        nw.col("_to").max(),
    )


def _reached() -> nw.Expr:
    """Give the attempt a session got to, by its sequence or by how many were seen, whichever is more."""
    seen, highest = nw.col("attempts_before_verified"), nw.col("_highest")
    most = nw.when(highest > seen).then(highest).otherwise(seen)
    return nw.when(most > MOST).then(nw.lit(MOST)).otherwise(most).cast(nw.Int64)


def _end(source: str) -> nw.Expr:
    """Say what a source saw of a mature session: nothing, no verification in time, or one."""
    ends = nw.when(in_time(source)).then(nw.lit(VERIFIED)).otherwise(nw.lit(WAITED))
    return nw.when(watched_to_the_end(source)).then(ends).otherwise(nw.lit(BLIND))
