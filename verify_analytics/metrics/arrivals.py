"""Which arrivals bring something new, and which the same again? Callbacks told apart by their content."""

from datetime import datetime

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics.model.fold import opened_callbacks
from verify_analytics.model.frames import Frame, is_true
from verify_analytics.model.moments import microseconds, moment

# One content of one attempt; contents are compared by their keyed hash.
_CONTENT = ("session_id", "_attempt", "digest")


def arrivals_until(callbacks: IntoFrame, *, as_of_us: int) -> Frame:
    """Take what was received up to a moment, each arrival once, and say when the same content came before.

    Parameters
    ----------
    callbacks
        As `load.callbacks` gives them.
    as_of_us
        What was received later does not exist yet.

    Returns
    -------
    Frame
        With ``_before_us``: when the same content of the same attempt arrived the time before, null for its first
        arrival. An arrival that stands in the frame twice (files put together that overlap) is one.
        One row per arrival.
    """
    known = opened_callbacks(callbacks).filter(nw.col("received_us") <= as_of_us)
    named = known.with_columns(_attempt=nw.col("attempt_id").fill_null(""))
    order = ["received_us", "arrival_id"]
    placed = named.with_columns(
        _arrival_before=nw.col("arrival_id").shift(1).over(*_CONTENT, order_by=order),
        _before_us=nw.col("received_us").shift(1).over(*_CONTENT, order_by=order),
    )
    return placed.filter(~is_true(nw.col("_arrival_before") == nw.col("arrival_id")))


def looked_from(as_of: str | datetime) -> int:
    """Read a moment as microseconds since 1970 UTC.

    Raises
    ------
    ArgumentError
        If it has no time zone, or is none.
    """
    return microseconds(moment(as_of))
