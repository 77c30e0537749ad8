"""What became of each attempt, looked at from one moment? Clock, patience and neighbours enter here, after the fold."""

from datetime import datetime, timedelta

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from verify_analytics.errors import options_by_name
from verify_analytics.model.columns import STATES, require
from verify_analytics.model.coverage import covered_minutes
from verify_analytics.model.fold import folded, opened_callbacks
from verify_analytics.model.frames import Frame, names, opened
from verify_analytics.model.look import Minutes, View, look_at_attempts
from verify_analytics.model.moments import duration_us, moment
from verify_analytics.model.settle import settle
from verify_analytics.model.silences import minutes_of, of_reports, of_sessions
from verify_analytics.model.sources import known

DEFAULT_PATIENCE = "15min"


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
    view = View(moment(as_of), duration_us(patience, name="patience"))
    received = opened_callbacks(callbacks).filter(nw.col("received_us") <= view.as_of_us)
    return nw.to_native(_finished(folded(received), view, verifications, pulse))  # type: ignore[no-any-return]


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
    view = View(moment(as_of), duration_us(patience, name="patience"))
    frame = opened(states)
    require(STATES, names(frame), what="states", advice="Make them with model.fold(callbacks)")
    return nw.to_native(_finished(frame, view, verifications, pulse))  # type: ignore[no-any-return]


def _finished(states: Frame, view: View, verifications: IntoFrame | None, pulse: IntoFrame | None) -> Frame:
    """Look at states; each step adds columns that the next ones read."""
    reports = known(states, verifications, as_of_us=view.as_of_us)
    counts = of_sessions(states, reports)
    minutes = minutes_of(counts if reports is None else nw.concat([counts, of_reports(reports)]))
    covered = covered_minutes(states, pulse, as_of_us=view.as_of_us)
    settled = settle(states, verifications, as_of_us=view.as_of_us)
    return look_at_attempts(settled, Minutes(minutes, covered), view, has_app_source=reports is not None)
