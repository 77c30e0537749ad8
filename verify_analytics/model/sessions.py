"""What became of each verification as a whole? Attempts grouped by session, with how it ended and who saw that."""

from datetime import timedelta

import narwhals as nw
from narwhals.typing import IntoFrameT

from verify_analytics.errors import options_by_name
from verify_analytics.model.columns import ATTEMPTS, SESSIONS, require
from verify_analytics.model.frames import either, names, opened
from verify_analytics.model.look import with_ends
from verify_analytics.model.moments import duration_us
from verify_analytics.model.settle import settle_sessions

DEFAULT_WINDOW = "10min"

# What holds for the whole table, or for all that began in one minute; the smallest is taken.
_OF_THE_MOMENT = (
    *("app_first_us", "app_last_us", "callback_first_us", "callback_last_us", "covered_until_us"),
    *("as_of", "as_of_us", "patience_seconds"),
    *("app_silence_from_us", "app_silence_until_us", "callback_silence_from_us", "callback_silence_until_us"),
)


@options_by_name
def sessions(attempts: IntoFrameT, *, window: str | timedelta = DEFAULT_WINDOW) -> IntoFrameT:
    """Tell how every verification ended, as far as it was known.

    Parameters
    ----------
    attempts
        What `model.attempts` gave, with all attempts of each session: filter sessions afterwards, by what was known at
        their start.
    window
        How long after its last attempt a session may still be verified, such as ``"10min"``.

    Returns
    -------
    frame of the same engine
        The columns `SESSIONS`, in no order. ``outcome`` is ``verified`` (either source, however late), ``expired`` (a
        callback said so), ``abandoned`` (mature, no end seen) or ``open``. ``ended_us`` is the competing end, the
        expiry or the last attempt before verification plus window, whichever is earlier, null if it lies after
        ``as_of``. ``observable_…``: that source was reporting; the session started between its first and last report,
        and from there to the last attempt plus window lay no long silence of it (`silences`). ``unobserved``: in the
        same time the collector was not always up. ``attempts_missing``: attempts that were there when
        `model.attempts` read them and are not here, because a filter took them. One row per session_id.

    Raises
    ------
    ArgumentError
        If ``window`` cannot be read.
    SchemaError
        If a column is missing.
    """
    window_us = duration_us(window, name="window")
    frame = opened(attempts)
    needed = [column.name for column in ATTEMPTS]
    require(needed, names(frame), what="attempts", advice="Make them with model.attempts(...)")
    is_attempt, observed = nw.col("is_attempt"), nw.col("observed_until_us")
    marked = frame.with_columns(_attempt_observed=nw.when(is_attempt).then(observed), _any_observed=observed)
    least = (*_OF_THE_MOMENT, "_attempt_observed", "_any_observed")
    grouped = settle_sessions(marked, least=least, largest=("has_app_source", "coverage_known"))
    seen = grouped.with_columns(observed_until_us=either("_attempt_observed", "_any_observed"))
    finished = with_ends(seen, window_us)
    return nw.to_native(finished.select(*(column.name for column in SESSIONS)))  # type: ignore[no-any-return]
