"""Who says that a session was verified? The application's own reports and the provider's callbacks, kept apart.

For each source it is also said when it reported first and last: outside of that time its silence means nothing. That
span is by reception, on our own clock, so that one report from a wrong clock cannot stretch it.
"""

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics.model.columns import VERIFICATIONS, require, with_microseconds
from verify_analytics.model.frames import Frame, beside, extremes, names, no_number, on_every_row

_NEEDED = [column.name for column in with_microseconds(VERIFICATIONS) if column.kind != "moment"]
_APP = ("session_verified_app_us", "app_first_us", "app_last_us")


def with_app_reports(attempts: Frame, verifications: IntoFrame | None, *, as_of_us: int) -> Frame:
    """Add the earliest success that the application reported for each session, and the span of its reports.

    Parameters
    ----------
    attempts
        Any frame with ``session_id`` and ``started_us``.
    verifications
        As `load.verifications` gives them, or None where the store keeps none.
    as_of_us
        Reports received later do not exist yet.
    """
    if verifications is None:
        return attempts.with_columns(
            has_app_source=nw.lit(False),
            **{name: no_number("started_us") for name in _APP},
        )
    frame = beside(attempts, verifications, what="verifications")
    require(_NEEDED, names(frame), what="verifications", advice="Bring them in with load.verifications(...)")
    known = frame.filter(nw.col("received_us") <= as_of_us)
    first = known.group_by("session_id").agg(nw.col("verified_us").min().alias("session_verified_app_us"))
    span = extremes(known, "received_us", "app_first_us", "app_last_us")
    return on_every_row(attempts.join(first, on="session_id", how="left"), span).with_columns(
        has_app_source=nw.lit(True)
    )


def with_callback_span(attempts: Frame) -> Frame:
    """Add when a callback reported a verification first and last, over all attempts."""
    return on_every_row(attempts, extremes(attempts, "verified_us", "callback_first_us", "callback_last_us"))
