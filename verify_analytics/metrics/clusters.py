"""Which units belong together? Sums by cluster, where most clusters have one unit and need no grouping.

Four sessions in five have one attempt. To find that out anew for each metric, engines would group by the text of every
session; the attempts say it themselves.
"""

from collections.abc import Mapping, Sequence

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


def make_ups(
    units: Frame,
    keys: Sequence[str],
    flags: Mapping[str, nw.Expr],
    *,
    told_by: Sequence[str] = (),
    kinds: Sequence[str] = (),
    summed: Sequence[str] = (),
) -> Frame:
    """Count clusters of the same make-up: how many units of a cluster have each of some properties.

    Parameters
    ----------
    units
        What `with_cluster` gave.
    keys
        Columns that make groups; missing values are a group.
    flags
        Each property by its name, true or false and never null.
    told_by
        Columns of few values that all flags are told from: units that are alone are counted by these. Without them
        they are counted by the flags.
    kinds
        Columns of few values by which units that are alone are counted, too; of others they are missing.
    summed
        Columns of integers to be summed up within each cluster.

    Returns
    -------
    Frame
        The keys, the kinds, `ALONE`, a column of integers for each flag and each sum, and ``rows``, in no order. One
        row for each make-up of a group, or several that lie apart by what units are told by.
    """
    kept = [*keys, *kinds, ALONE, *flags, *summed, "rows"]
    alone, others = units.filter(nw.col(ALONE)), units.filter(~nw.col(ALONE))
    ones = {name: nw.when(flag).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64) for name, flag in flags.items()}
    if told_by:
        counted = _rows(alone, [*keys, *kinds, ALONE, *told_by, *summed]).with_columns(**ones)
    else:
        counted = _rows(alone.with_columns(**ones), [*keys, *kinds, ALONE, *flags, *summed])
    together = _rows(_by_cluster(others, [*keys, ALONE], flags, summed), [*keys, ALONE, *flags, *summed])
    unknown = {name: nw.lit(None).cast(nw.String) for name in kinds}
    of_all = [name for name in kept if name not in kinds]
    return nw.concat([counted.select(*kept), together.select(*of_all, **unknown).select(*kept)])


def _rows(frame: Frame, columns: Sequence[str]) -> Frame:
    return frame.group_by(*columns).agg(nw.len().alias("rows"))


def _by_cluster(units: Frame, keys: Sequence[str], flags: Mapping[str, nw.Expr], summed: Sequence[str]) -> Frame:
    return (
        # Counted and not summed: an engine keeps a sum of integers in several words, and there are many clusters.
        units.with_columns(**{name: nw.when(flag).then(nw.lit(1)) for name, flag in flags.items()})
        .group_by(*keys, CLUSTER)
        .agg(*(nw.col(name).count() for name in flags), *(nw.col(name).sum() for name in summed))
        # DuckDB sums integers to 128 bits, which leave it as decimals.
        .with_columns(nw.col(name).cast(nw.Int64) for name in [*flags, *summed])
    )
