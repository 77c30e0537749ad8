"""What was left out, and why? A small frame whose rows add up to all there was, and the sentence that loading says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw

from verify_analytics.load.exclusions import KEPT, Exclusions, judged
from verify_analytics.load.mapping import Mapped
from verify_analytics.load.phones import masked
from verify_analytics.model.frames import Frame, opened

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("what", "reason", "callbacks", "attempts", "sessions")
# A sentence with more names than this is not read.
_MOST_NAMES = 8


class Count(NamedTuple):
    """How many callbacks, and of how many attempts and sessions."""

    callbacks: int = 0
    attempts: int = 0
    sessions: int = 0


def counted(callbacks: Any, exclude: Exclusions | None, mapping: Mapped | None) -> pd.DataFrame:
    """Count what was left out, what was kept, and, without asking for reasons, all that there was.

    Parameters
    ----------
    callbacks
        In our shape, before exclusions.
    exclude
        What is excluded.
    mapping
        What reading by a mapping left out before.

    Returns
    -------
    pandas.DataFrame
        The columns `COLUMNS`. One row per reason, one for what is kept and one for all.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    if mapping is not None:
        rows += [("left out", reason, *count) for reason, count in unread(mapping).items()]
    counts = excluded(callbacks, exclude or Exclusions())
    reasons = () if exclude is None else exclude.reasons
    rows += [("left out", reason, *counts.get(place, Count())) for place, reason in enumerate(reasons)]
    rows.append(("kept", "", *counts.get(KEPT, Count())))
    rows.append(("all", "", *(_all(callbacks) if mapping is None else _all_mapped(mapping))))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def excluded(callbacks: Any, exclude: Exclusions) -> dict[int, Count]:
    """Count callbacks, attempts and sessions by the place of their reason in `Exclusions.reasons`; kept ones by -1."""
    return _counts(judged(callbacks, exclude))


def _all(callbacks: Any) -> Count:
    frame = opened(callbacks).with_columns(_excluded=nw.lit(KEPT, dtype=nw.Int64))
    return _counts(frame).get(KEPT, Count())


def _counts(frame: Frame) -> dict[int, Count]:
    small = (
        frame.group_by("_excluded", "session_id", "attempt_id")
        .agg(nw.len().alias("_callbacks"))
        .with_columns(nw.col("_callbacks").cast(nw.Int64), _attempts=(~nw.col("attempt_id").is_null()).cast(nw.Int64))
        .group_by("_excluded", "session_id")
        .agg(nw.col("_callbacks").sum(), nw.col("_attempts").sum())
        .with_columns(nw.col("_callbacks").cast(nw.Int64), nw.col("_attempts").cast(nw.Int64))
        .group_by("_excluded")
        .agg(nw.col("_callbacks").sum(), nw.col("_attempts").sum(), nw.len().alias("_sessions"))
        .with_columns(nw.col("_callbacks").cast(nw.Int64), nw.col("_attempts").cast(nw.Int64))
    )
    table = small.lazy().collect().to_pandas()[["_excluded", "_callbacks", "_attempts", "_sessions"]]
    return {int(row[0]): Count(*(int(n) for n in row[1:])) for row in table.itertuples(index=False)}


def unread(mapping: Mapped) -> dict[str, Count]:
    """Count the rows that reading left out, by reason; of attempts and sessions those of which nothing is kept."""
    lost = mapping.rows.filter("_why IS NOT NULL")
    found = {why: Count(lines) for why, lines in mapping.lines.items()}
    rows = {str(why): int(n) for why, n in lost.aggregate("_why, count(*)", "_why").order("_why").fetchall()}
    names = {column.name for column in mapping.shape}
    attempts = _lost_wholly(mapping, "session_id", "attempt_id") if "attempt_id" in names else {}
    sessions = _lost_wholly(mapping, "session_id") if "session_id" in names else {}
    return found | {why: Count(n, attempts.get(why, 0), sessions.get(why, 0)) for why, n in rows.items()}


def _lost_wholly(mapping: Mapped, *keys: str) -> dict[str, int]:
    """Count what has rows that were left out and none that were kept; where the reasons differ, by the first."""
    there = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    named = ", ".join(keys)
    seen = mapping.rows.filter(there).aggregate(f"{named}, count(*) - count(_why) AS kept, min(_why) AS why", named)
    gone = seen.filter("kept = 0").aggregate("why, count(*)", "why")
    return {str(why): int(n) for why, n in gone.fetchall()}


def _all_mapped(mapping: Mapped) -> Count:
    attempts = "count(DISTINCT (session_id, attempt_id)) FILTER (session_id IS NOT NULL AND attempt_id IS NOT NULL)"
    [row] = mapping.rows.aggregate(f"count(*), {attempts}, count(DISTINCT session_id)").fetchall()
    return Count(int(row[0]) + sum(mapping.lines.values()), int(row[1]), int(row[2]))


def sentence(what: str, mapping: Mapped | None, counts: dict[int, Count] | None, exclude: Exclusions | None) -> str:
    """Say in one sentence what was left out; nothing, if nothing was and nothing was asked for.

    Parameters
    ----------
    what
        What was loaded: ``callbacks``, ``verifications``, ``pulse``.
    mapping
        What reading by a mapping left out.
    counts
        Of `excluded`.
    exclude
        What was excluded.
    """
    parts: list[str] = []
    if mapping is not None:
        parts += [f"{count.callbacks:,} rows ({reason})" for reason, count in unread(mapping).items()]
    if exclude is not None and counts is not None:
        for place, reason in enumerate(exclude.reasons):
            count = counts.get(place, Count())
            parts.append(f"{count.callbacks:,} callbacks of {count.sessions:,} sessions ({reason})")
    if mapping is not None:
        parts += [f"{n:,} values ({name} cannot be read)" for name, n in mapping.values.items()]
        asked = mapping.asked
        if asked.recipient_dropped:
            parts.append("recipients (pepper= would keep a keyed hash of them)")
        if asked.absent:
            parts.append(f"what no column says ({_named(asked.absent)})")
        if asked.unread:
            parts.append(f"columns that were not asked for ({_named(asked.unread)})")
    if not parts:
        return ""
    kept = "" if counts is None else f"; kept {counts.get(KEPT, Count()).callbacks:,}"
    return f"{what}: left out {', '.join(parts)}{kept}"


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(masked(name) for name in names[:_MOST_NAMES]) + more
