"""Which sessions ended before they started? A clock is wrong; they are listed, and nothing is clamped."""

import narwhals as nw
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import options_by_name
from verify_analytics.model.moments import SECOND_US

from .counting import moment
from .engine import collected
from .judged import CLOCK_FAULTS
from .session_ends import opened_sessions, with_ends
from .sources import checked_sources


@options_by_name
def clock_faults(sessions: IntoFrame, *, source: str | None = None) -> pd.DataFrame:
    """List the sessions that ended before they started, which only a wrong clock can do.

    Parameters
    ----------
    sessions
        What ``model.sessions`` gives, of any engine.
    source
        ``"app"`` or ``"callback"``; without it, both.

    Returns
    -------
    pandas.DataFrame
        `session_id`, `source`, `started_at`, `ended_at` (UTC) and `seconds` (below 0).
        One row per session and source whose time is impossible, the worst first.

    Raises
    ------
    ArgumentError
        For another `source`, or something that is no dataframe.
    SchemaError
        For a frame that lacks a column of ``model.sessions``.
    """
    sources = checked_sources(source)
    frame = opened_sessions(sessions, [], sources, asked_by="metrics.clock_faults", extra=("session_id",))
    parts = []
    for each in sources:
        rows = with_ends(frame, each).filter(nw.col("_class") == CLOCK_FAULTS)
        parts.append(collected(rows.select("session_id", "started_us", "_spent")).assign(source=each))
    listed = pd.concat(parts).sort_values(["_spent", "session_id", "source"], ignore_index=True)
    spent = listed["_spent"].astype("Int64")
    started = listed["started_us"].astype("Int64")
    return pd.DataFrame(
        {
            "session_id": listed["session_id"].astype("str"),
            "source": listed["source"].astype("str"),
            "started_at": pd.Series([moment(at) for at in started], dtype="datetime64[us, UTC]"),
            "ended_at": pd.Series([moment(at) for at in started + spent], dtype="datetime64[us, UTC]"),
            "seconds": spent.astype("float64") / SECOND_US,
        }
    )
