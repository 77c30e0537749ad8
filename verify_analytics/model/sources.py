"""Who says that a session was verified? The application's own reports and the provider's callbacks, kept apart.

When a source was reporting at all is asked in `silences`: outside of that time its silence means nothing. It is asked
by reception, on our own clock, so that one report from a wrong clock cannot stretch it.
"""

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics.model.columns import VERIFICATIONS, require, with_microseconds
from verify_analytics.model.frames import Frame, beside, names, no_number
from verify_analytics.model.silences import minutes_of, with_silences

_NEEDED = [column.name for column in with_microseconds(VERIFICATIONS) if column.kind != "moment"]


def with_reports(attempts: Frame, minutes: Frame, verifications: IntoFrame | None, *, as_of_us: int) -> Frame:
    """Add the earliest success that the application reported for each session, and when each source was reporting.

    Parameters
    ----------
    attempts
        With the session's facts.
    minutes
        What `reported_minutes` gave.
    verifications
        As `load.verifications` gives them, or None where the store keeps none.
    as_of_us
        Reports received later do not exist yet.
    """
    known = _known(attempts, verifications, as_of_us)
    if known is None:
        told = attempts.with_columns(has_app_source=nw.lit(False), session_verified_app_us=no_number("started_us"))
        return with_silences(told, minutes)
    first = known.group_by("session_id").agg(nw.col("verified_us").min().alias("session_verified_app_us"))
    told = attempts.join(first, on="session_id", how="left").with_columns(has_app_source=nw.lit(True))
    return with_silences(told, minutes)


def reported_minutes(states: Frame, verifications: IntoFrame | None, *, as_of_us: int) -> Frame:
    """Say of each minute what `silences.minutes_of` says, by the reports received up to a moment."""
    return minutes_of(states, _known(states, verifications, as_of_us))


def _known(frame: Frame, verifications: IntoFrame | None, as_of_us: int) -> Frame | None:
    if verifications is None:
        return None
    reports = beside(frame, verifications, what="verifications")
    require(_NEEDED, names(reports), what="verifications", advice="Bring them in with load.verifications(...)")
    return reports.filter(nw.col("received_us") <= as_of_us)
