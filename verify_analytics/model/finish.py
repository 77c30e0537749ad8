"""What became of each attempt, looked at from one moment? Clock, patience and neighbours enter here, after the fold."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from verify_analytics.errors import options_by_name
from verify_analytics.model import outcomes
from verify_analytics.model.columns import ATTEMPTS, FACTS, STATES, require
from verify_analytics.model.coverage import unobserved, with_coverage
from verify_analytics.model.fold import folded, opened_callbacks
from verify_analytics.model.frames import Frame, any_of, beside, differ, names, opened
from verify_analytics.model.moments import SECOND_US, duration_us, microseconds, moment
from verify_analytics.model.roles import with_place, with_role
from verify_analytics.model.sources import reported_minutes, with_reports

DEFAULT_PATIENCE = "15min"

# A requested time that varies is no contradiction: a provider may tell the time of each callback.
_SHOULD_NOT_VARY = tuple(fact for fact in FACTS if fact not in {"attempt_id", "requested_us"})


@options_by_name
def attempts(
    callbacks: IntoFrameT,
    *,
    as_of: str | datetime,
    patience: str | timedelta = DEFAULT_PATIENCE,
    verifications: IntoFrame | None = None,
    pulse: IntoFrame | None = None,
) -> IntoFrameT:
    """Tell what became of every attempt, as far as it was known at a moment.

    Parameters
    ----------
    callbacks
        As `load.callbacks` gives them.
    as_of
        The moment we look from, with its time zone. What was received later does not exist yet, so an old report can be
        made again from a store that has grown.
    patience
        How long an attempt may wait before it counts as accepted or silent, such as ``"15min"``, ``"90s"``, ``"1h"``.
    verifications
        Successes that the application reported (`load.verifications`), or None: then nothing is observable through it.
    pulse
        The minutes in which the collector was up (`load.pulse`), or None: then coverage is not known, which is no gap.

    Returns
    -------
    frame of the same engine
        The columns `ATTEMPTS`, in no order; lazy engines stay lazy. Columns that end in ``_us`` are microseconds since
        1970 UTC, null where it never happened. Rows with ``is_attempt`` false say what a session's callbacks told
        without naming an attempt; their outcome and role are null. One row per key.

    Raises
    ------
    ArgumentError
        If ``as_of`` has no time zone, ``patience`` no unit, or the frames are of different engines.
    SchemaError
        If a column is missing.
    """
    view = _View(moment(as_of), duration_us(patience, name="patience"))
    known = opened_callbacks(callbacks).filter(nw.col("received_us") <= view.as_of_us)
    return nw.to_native(_finished(folded(known), view, verifications, pulse))  # type: ignore[no-any-return]


@options_by_name
def finish(
    states: IntoFrameT,
    *,
    as_of: str | datetime,
    patience: str | timedelta = DEFAULT_PATIENCE,
    verifications: IntoFrame | None = None,
    pulse: IntoFrame | None = None,
) -> IntoFrameT:
    """Give states their outcome, code and role, looked at from one moment.

    Parameters
    ----------
    states
        What `fold` or `merge` made of the callbacks received up to ``as_of``; later ones must not be in it.
    as_of, patience, verifications, pulse
        As for `attempts`.

    Returns
    -------
    frame of the same engine
        As `attempts` gives it. One row per key.

    Raises
    ------
    ArgumentError, SchemaError
        As for `attempts`.
    """
    view = _View(moment(as_of), duration_us(patience, name="patience"))
    frame = opened(states)
    require(STATES, names(frame), what="states", advice="Make them with model.fold(callbacks)")
    return nw.to_native(_finished(frame, view, verifications, pulse))  # type: ignore[no-any-return]


def minutes_of_reports(states: IntoFrameT, *, as_of: str | datetime, verifications: IntoFrame | None) -> IntoFrameT:
    """Say minute by minute when each source reported and was silent, for `finish_some`.

    Parameters
    ----------
    states
        Of all sessions.
    as_of, verifications
        As for `attempts`.
    """
    frame = opened(states)
    made = reported_minutes(frame, verifications, as_of_us=microseconds(moment(as_of)))
    return nw.to_native(made)  # type: ignore[no-any-return]


def finish_some(
    states: IntoFrameT,
    minutes: IntoFrame,
    *,
    as_of: str | datetime,
    patience: str | timedelta,
    verifications: IntoFrame | None,
    pulse: IntoFrame | None,
) -> IntoFrameT:
    """Do as `finish` for whole sessions that are some of many.

    Parameters
    ----------
    states
        All states of some sessions.
    minutes
        What `minutes_of_reports` gave for the states of all.
    as_of, patience, verifications, pulse
        As for `attempts`; of verifications those of these sessions are enough.
    """
    view = _View(moment(as_of), duration_us(patience, name="patience"))
    frame = opened(states)
    made = _finished(frame, view, verifications, pulse, minutes=beside(frame, minutes, what="minutes"))
    return nw.to_native(made)  # type: ignore[no-any-return]


class _View(NamedTuple):
    """From where we look, and how patiently."""

    as_of: datetime
    patience_us: int

    @property
    def as_of_us(self) -> int:
        return microseconds(self.as_of)


def _finished(
    states: Frame,
    view: _View,
    verifications: IntoFrame | None,
    pulse: IntoFrame | None,
    minutes: Frame | None = None,
) -> Frame:
    """Look at states; each step adds columns that the next ones read."""
    placed = with_place(_settled(states))
    if minutes is None:
        minutes = reported_minutes(states, verifications, as_of_us=view.as_of_us)
    sourced = with_reports(placed, minutes, verifications, as_of_us=view.as_of_us)
    covered = with_coverage(with_role(sourced), pulse, as_of_us=view.as_of_us)
    mature = nw.col("started_us") <= view.as_of_us - view.patience_us
    finished = covered.with_columns(
        mature=mature,
        outcome=_outcome(mature, unobserved(nw.col("started_us") + view.patience_us)),
        as_of=nw.lit(view.as_of, dtype=nw.Datetime("us", "UTC")),
        as_of_us=nw.lit(view.as_of_us, dtype=nw.Int64),
        patience_seconds=nw.lit(view.patience_us / SECOND_US, dtype=nw.Float64),
    )
    return finished.select(*(column.name for column in ATTEMPTS))


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


def _outcome(mature: nw.Expr, unobserved: nw.Expr) -> nw.Expr:
    """Give the outcome of an attempt, null where a row is none."""
    seen = {name: ~nw.col(f"{name}_us").is_null() for name in outcomes.STATES}
    nothing_listed = nw.col("has_unknown_status") & ~(seen["queued"] | seen["ringing"] | seen["accepted"])
    return (
        nw.when(~nw.col("is_attempt"))
        .then(nw.lit(None, dtype=nw.String))
        # By time alone, whatever was heard: leaving out only what was not heard would flatter every rate.
        .when(unobserved)
        .then(nw.lit("unobserved"))
        .when(seen["delivered"])
        .then(nw.lit("delivered"))
        .when(seen["undelivered"])
        .then(nw.lit("undelivered"))
        .when(seen["failed"])
        .then(nw.lit("failed"))
        .when(nothing_listed)
        .then(nw.lit("unknown"))
        .when(~mature)
        .then(nw.lit("pending"))
        .when(seen["accepted"])
        .then(nw.lit("accepted"))
        .otherwise(nw.lit("silent"))
    )
