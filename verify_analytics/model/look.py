"""What does the clock say? Settled attempts and sessions looked at from one moment, row by row.

Coverage, silences and maturity enter here: what is known of each minute lies beside the rows as a small table, or is
the same for all of them, so that nothing is grouped and nothing large is joined.
"""

from datetime import datetime
from typing import NamedTuple

import narwhals as nw

from verify_analytics.model.columns import ATTEMPTS, SESSIONS
from verify_analytics.model.coverage import unobserved, with_coverage
from verify_analytics.model.frames import Frame, earlier, either, is_true
from verify_analytics.model.moments import SECOND_US, microseconds
from verify_analytics.model.silences import SOURCED, with_silences

# An attempt that will have one of these outcomes may still get a receipt while it is not mature.
_WAITING = ("accepted", "silent")
COVERED = ("covered_until_us", "observed_until_us")
"""What `coverage.with_coverage` says in numbers."""


class View(NamedTuple):
    """From where we look, and how patiently."""

    as_of: datetime
    patience_us: int

    @property
    def as_of_us(self) -> int:
        """The moment in microseconds since 1970 UTC."""
        return microseconds(self.as_of)


class Minutes(NamedTuple):
    """What is known of each minute: `silences.minutes_of`, and `coverage.covered_minutes` (None without a pulse)."""

    minutes: Frame
    covered: Frame | None

    @property
    def over(self) -> bool:
        """Nothing is known of all rows."""
        return False

    def beside(self, settled: Frame) -> Frame:
        """Put it beside each row."""
        return with_coverage(with_silences(settled, self.minutes), self.covered)


class Alike(NamedTuple):
    """What is the same for all rows: of sources `SOURCED`, of coverage `COVERED`.

    ``over`` says that all have waited for as long as they may, and somebody listened all the time.
    """

    sourced: tuple[int | None, ...]
    covered: tuple[int | None, ...]
    over: bool

    def beside(self, settled: Frame) -> Frame:
        """Put it beside each row; nothing is joined."""
        named = dict(zip((*SOURCED, *COVERED), (*self.sourced, *self.covered), strict=True))
        whole = {name: nw.lit(value, dtype=nw.Int64) for name, value in named.items()}
        return settled.with_columns(**whole, coverage_known=nw.lit(self.covered[0] is not None))


def look_at_attempts(settled: Frame, known: Minutes | Alike, view: View, *, has_app_source: bool) -> Frame:
    """Give settled attempts their outcome.

    Parameters
    ----------
    settled
        With the columns `ATTEMPTS_SETTLED`.
    known
        Of the minutes that these rows lie in.
    view
        The moment and the patience.
    has_app_source
        Whether the application's reports are kept.

    Returns
    -------
    Frame
        The columns `ATTEMPTS`. One row per key.
    """
    seen = _seen(settled, known, view, has_app_source=has_app_source)
    if known.over:
        looked = seen.with_columns(mature=nw.lit(value=True), outcome=nw.col("last_outcome"))
    else:
        mature = nw.col("started_us") <= view.as_of_us - view.patience_us
        outcome = _outcome(mature, unobserved(nw.col("started_us") + view.patience_us))
        looked = seen.with_columns(mature=mature, outcome=outcome)
    return looked.select(*(column.name for column in ATTEMPTS))


def look_at_sessions(
    settled: Frame, known: Minutes | Alike, view: View, window_us: int, *, has_app_source: bool
) -> Frame:
    """Say how settled sessions ended.

    Parameters
    ----------
    settled
        With the columns `SESSIONS_SETTLED`.
    known, view, has_app_source
        As for `look_at_attempts`.
    window_us
        How long after its last attempt a session may still be verified.

    Returns
    -------
    Frame
        The columns `SESSIONS`. One row per session_id.
    """
    # Coverage lasts no shorter from a later start, so that of the session's start is the least of its attempts'.
    seen = _seen(settled, known, view, has_app_source=has_app_source)
    return with_ends(seen, window_us, over=known.over).select(*(column.name for column in SESSIONS))


def with_ends(sessions: Frame, window_us: int, *, over: bool = False) -> Frame:
    """Add how each session ended and who could have seen it; `over` is known of all of them as in `Alike`."""
    as_of = nw.col("as_of_us")
    last_us = nw.col("last_started_us") + window_us
    patience_us = (nw.col("patience_seconds") * SECOND_US).cast(nw.Int64)
    mature = nw.lit(value=True) if over else nw.col("last_started_us") + patience_us <= as_of - window_us
    ended = sessions.with_columns(
        verified_us=earlier("verified_app_us", "verified_callback_us"),
        _waited_until=either("last_before_us", "last_started_us") + window_us,
        mature=mature,
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
        unobserved=nw.lit(value=False) if over else unobserved(last_us),
        observable_app=_observable("app", last_us),
        observable_callback=_observable("callback", last_us),
        fell_back=~nw.col("fallback_started_us").is_null(),
        complete=is_true(nw.col("lowest_sequence") == 1)
        & is_true(nw.col("attempts") == nw.col("highest_sequence"))
        & ~nw.col("has_loose"),
    )


def _seen(settled: Frame, known: Minutes | Alike, view: View, *, has_app_source: bool) -> Frame:
    """Put beside each row what is known of its minutes, and from where we look."""
    return known.beside(settled).with_columns(
        has_app_source=nw.lit(has_app_source),
        as_of=nw.lit(view.as_of, dtype=nw.Datetime("us", "UTC")),
        as_of_us=nw.lit(view.as_of_us, dtype=nw.Int64),
        patience_seconds=nw.lit(view.patience_us / SECOND_US, dtype=nw.Float64),
    )


def _outcome(mature: nw.Expr, unobserved: nw.Expr) -> nw.Expr:
    """Give the outcome of an attempt, null where a row is none."""
    last = nw.col("last_outcome")
    return (
        nw.when(~nw.col("is_attempt"))
        .then(nw.lit(None, dtype=nw.String))
        # By time alone, whatever was heard: leaving out only what was not heard would flatter every rate.
        .when(unobserved)
        .then(nw.lit("unobserved"))
        .when(~mature & last.is_in(_WAITING))
        .then(nw.lit("pending"))
        .otherwise(last)
    )


def _observable(source: str, last_us: nw.Expr) -> nw.Expr:
    """Say whether a source was reporting while a session waited, judged by time alone.

    The session began between the source's first and last report, and its waiting met no long silence in between.
    """
    started = nw.col("started_us")
    within = (started >= nw.col(f"{source}_first_us")) & (started <= nw.col(f"{source}_last_us"))
    # The silence that is carried is the first one that was not over when the session started.
    return is_true(within) & ~is_true(nw.col(f"{source}_silence_from_us") <= last_us)
