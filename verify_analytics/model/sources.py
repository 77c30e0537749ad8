"""Who says that a session was verified? The application's own reports and the provider's callbacks, kept apart.

When a source was reporting at all is asked in `silences`: outside of that time its silence means nothing. It is asked
by reception, on our own clock, so that one report from a wrong clock cannot stretch it.
"""

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics.model.columns import VERIFICATIONS, require, with_microseconds
from verify_analytics.model.frames import Frame, beside, names, no_number

_NEEDED = [column.name for column in with_microseconds(VERIFICATIONS) if column.kind != "moment"]


def with_success(attempts: Frame, verifications: IntoFrame | None, *, as_of_us: int) -> Frame:
    """Add the earliest success that the application reported for each session.

    Parameters
    ----------
    attempts
        With the session's facts.
    verifications
        As `load.verifications` gives them, or None where the store keeps none.
    as_of_us
        Reports received later do not exist yet.
    """
    reports = known(attempts, verifications, as_of_us=as_of_us)
    if reports is None:
        return attempts.with_columns(session_verified_app_us=no_number("started_us"))
    first = reports.group_by("session_id").agg(nw.col("verified_us").min().alias("session_verified_app_us"))
    return attempts.join(first, on="session_id", how="left")


def known(frame: Frame, verifications: IntoFrame | None, *, as_of_us: int) -> Frame | None:
    """Open the reports that were received up to a moment, beside a frame of the same engine; None where none are kept.

    Raises
    ------
    ArgumentError
        If they are of another engine.
    SchemaError
        If a column is missing.
    """
    if verifications is None:
        return None
    reports = beside(frame, verifications, what="verifications")
    require(_NEEDED, names(reports), what="verifications", advice="Bring them in with load.verifications(...)")
    return reports.filter(nw.col("received_us") <= as_of_us)
