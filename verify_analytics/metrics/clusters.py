"""Which units belong together? Sums by cluster, where most clusters have one unit and need no grouping.

Four sessions in five have one attempt. To find that out anew for each metric, engines would group by the text of every
session; the attempts say it themselves.
"""

from collections.abc import Sequence

import narwhals as nw

from verify_analytics.errors import ArgumentError, near_name
from verify_analytics.model.frames import Frame, either, is_true, names

CLUSTERS = ("session", "recipient")
CLUSTER = "_cluster"
"""The column that names a unit's cluster."""
ALONE = "_alone"
"""The column that says whether a unit is known to be the only one of its cluster; false says nothing."""


def checked_cluster(cluster: str) -> str:
    """Make sure that a unit of independence is one that is known.

    Raises
    ------
    ArgumentError
        For another name.
    """
    if cluster not in CLUSTERS:
        raise ArgumentError(f"cluster={cluster!r} is no unit of independence: {near_name(str(cluster), CLUSTERS)}")
    return cluster


def cluster_columns(cluster: str) -> list[str]:
    """Name the columns that a unit of independence is read from."""
    return ["session_id", "recipient_key"] if cluster == "recipient" else ["session_id"]


def with_cluster(frame: Frame, cluster: str, *, of_sessions: bool = False) -> Frame:
    """Add `CLUSTER` and `ALONE` to units.

    Parameters
    ----------
    frame
        Attempts without the rows that are none, sessions, or callbacks.
    cluster
        The unit of independence, already checked.
    of_sessions
        Whether each row is a session.
    """
    if cluster == "recipient":
        return frame.with_columns(nw.lit(value=False).alias(ALONE), _cluster=either("recipient_key", "session_id"))
    alone = nw.lit(of_sessions)
    if not of_sessions and "attempts_in_session" in names(frame):
        alone = is_true(nw.col("attempts_in_session") == 1)
    return frame.with_columns(alone.alias(ALONE), _cluster=nw.col("session_id"))


def by_cluster(units: Frame, keys: Sequence[str], summed: Sequence[str], context: Sequence[str] = ()) -> Frame:
    """Sum columns of units by cluster, within the groups that some keys make.

    Parameters
    ----------
    units
        What `with_cluster` gave.
    keys
        Columns that make groups; missing values are a group.
    summed
        Columns of integers.
    context
        Columns of which the smallest and the largest are kept, with ``_min`` and ``_max`` after their names.

    Returns
    -------
    Frame
        The keys, the sums, the extremes, in no order. One row per group and cluster, which is not named.
    """
    ends = {f"{name}_{end}": nw.col(name) for name in context for end in ("min", "max")}
    kept = [*keys, *summed, *ends]
    spread = units.select(*keys, *summed, CLUSTER, ALONE, **ends)
    together = (
        spread.filter(~nw.col(ALONE))
        .group_by(*keys, CLUSTER)
        .agg(
            *(nw.col(name).sum() for name in summed),
            *(nw.col(f"{name}_min").min() for name in context),
            *(nw.col(f"{name}_max").max() for name in context),
        )
        # DuckDB sums integers to 128 bits, which leave it as decimals.
        .with_columns(nw.col(name).cast(nw.Int64) for name in summed)
    )
    return nw.concat([spread.filter(nw.col(ALONE)).select(*kept), together.select(*kept)])
