"""How is finishing done in parts, and kept? Sessions are settled some at a time, and looked at all together.

For `load`, which keeps on the disk what was settled. The three functions that make something of states may be called
for some sessions after the others; `minutes_known` adds up what was counted of all, and the last two look.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from verify_analytics.model.coverage import covered_minutes
from verify_analytics.model.frames import opened
from verify_analytics.model.look import Alike, Minutes, View, look_at_attempts, look_at_sessions
from verify_analytics.model.moments import duration_us, microseconds, moment
from verify_analytics.model.settle import ATTEMPTS_SETTLED, SESSIONS_SETTLED, settle, settle_sessions
from verify_analytics.model.silences import minutes_of, of_reports, of_sessions
from verify_analytics.model.sources import known

SETTLED_VERSION = 1
"""The format of what was settled; what is kept of another version is made again."""


class Known(NamedTuple):
    """What is known of each minute, as small tables: silences of the sources, and coverage (None without a pulse)."""

    minutes: Any
    covered: Any | None
    has_app_source: bool


def settled_attempts(states: IntoFrameT, *, as_of: str | datetime, verifications: IntoFrame | None) -> IntoFrameT:
    """Settle all states of some sessions, with the reports of theirs: the columns `ATTEMPTS_SETTLED`."""
    made = settle(opened(states), verifications, as_of_us=microseconds(moment(as_of)))
    return nw.to_native(made.select(*ATTEMPTS_SETTLED))  # type: ignore[no-any-return]


def settled_sessions(attempts: IntoFrameT) -> IntoFrameT:
    """Group what `settled_attempts` gave: the columns `SESSIONS_SETTLED`."""
    made = settle_sessions(opened(attempts), least=["session_begun_us"])
    return nw.to_native(made.select(*SESSIONS_SETTLED))  # type: ignore[no-any-return]


def counts_by_minute(states: IntoFrameT, *, as_of: str | datetime, verifications: IntoFrame | None) -> IntoFrameT:
    """Count of the same states what silences are judged by: the columns `silences.COUNTS`."""
    frame = opened(states)
    reports = known(frame, verifications, as_of_us=microseconds(moment(as_of)))
    return nw.to_native(of_sessions(frame, reports))  # type: ignore[no-any-return]


def minutes_known(
    counts: IntoFrameT, *, as_of: str | datetime, verifications: IntoFrame | None, pulse: IntoFrame | None
) -> Known:
    """Say what is known of each minute.

    Parameters
    ----------
    counts
        What `counts_by_minute` gave for all sessions, one part after the other.
    as_of, verifications, pulse
        As for `model.attempts`, whole.
    """
    frame = opened(counts)
    as_of_us = microseconds(moment(as_of))
    reports = known(frame, verifications, as_of_us=as_of_us)
    whole = frame if reports is None else nw.concat([frame, of_reports(reports)])
    covered = covered_minutes(frame, pulse, as_of_us=as_of_us)
    return Known(
        nw.to_native(minutes_of(whole)), None if covered is None else nw.to_native(covered), reports is not None
    )


def attempts_at(
    settled: IntoFrameT, known: Known, *, as_of: str | datetime, patience: str | timedelta, alike: Alike | None = None
) -> IntoFrameT:
    """Look at settled attempts from a moment: the columns `ATTEMPTS`; `alike` is what all of them share, if they do."""
    view = View(moment(as_of), duration_us(patience, name="patience"))
    beside = alike or _minutes(known)
    return nw.to_native(  # type: ignore[no-any-return]
        look_at_attempts(opened(settled), beside, view, has_app_source=known.has_app_source)
    )


def sessions_at(
    settled: IntoFrameT,
    known: Known,
    *,
    as_of: str | datetime,
    patience: str | timedelta,
    window: str | timedelta,
    alike: Alike | None = None,
) -> IntoFrameT:
    """Look at settled sessions from a moment: the columns `SESSIONS`."""
    view = View(moment(as_of), duration_us(patience, name="patience"))
    beside, window_us = alike or _minutes(known), duration_us(window, name="window")
    return nw.to_native(  # type: ignore[no-any-return]
        look_at_sessions(opened(settled), beside, view, window_us, has_app_source=known.has_app_source)
    )


def _minutes(known: Known) -> Minutes:
    return Minutes(opened(known.minutes), None if known.covered is None else opened(known.covered))
