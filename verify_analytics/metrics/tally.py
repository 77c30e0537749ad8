"""How many units fell into each category, and in which sessions? One query, a small table back.

A metric names categories, one for each row; every numerator and denominator is a sum of categories. So that intervals
can widen because attempts come in sessions, rows are counted by cluster first, and clusters of the same make-up
are counted together: the table stays small, however many sessions there are.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from verify_analytics import stats
from verify_analytics.model.frames import Frame

from .by import is_time, key
from .clusters import ALONE, CLUSTER, by_cluster, with_cluster
from .counting import CONTEXT, Context, Ints, context_of, groups_of, places_in, with_keys
from .engine import collected

CATEGORY = "_category"


class Tally:
    """Counts by group and category; `groups` has one row per group, in reading order."""

    def __init__(
        self, table: pd.DataFrame, by: Sequence[str], categories: Sequence[str], context: Context, rows: Frame
    ) -> None:
        self.context = context
        self.by = by
        # The rows in their engine, with their keys and categories, for what is counted within clusters.
        self.frame = rows
        self.table = table
        self.categories = tuple(categories)
        # How many clusters (or rows, where they are taken as independent) share each make-up.
        self.weight: Ints = table["rows"].to_numpy(dtype=np.int64)
        self.groups = groups_of(table, by)
        self.place = self.places(table)

    def places(self, table: pd.DataFrame) -> Ints:
        """Say into which group each row of a table of counts falls."""
        return places_in(self.groups, table, self.by)

    def total(self, names: Iterable[str]) -> Ints:
        """Count the units of each group in any of these categories."""
        found = np.zeros(len(self.groups), dtype=np.int64)
        np.add.at(found, self.place, self._of(names) * self.weight)
        return found

    def clusters(self, count: Iterable[str], n: Iterable[str]) -> stats.Clusters:
        """Sum up the clusters of each group: successes are units in `count`, trials those in `n`, which holds it."""
        return stats.clusters_of(
            self._of(count), self._of(n), weights=self.weight, group=self.place, groups=len(self.groups)
        )

    def _of(self, names: Iterable[str]) -> Ints:
        found = np.zeros(len(self.table), dtype=np.int64)
        for name in names:
            found += self.table[_column(name)].to_numpy(dtype=np.int64)
        return found


def tally(
    frame: Frame,
    by: Sequence[str],
    category: nw.Expr,
    categories: Sequence[str],
    *,
    started: str,
    cluster: str,
    context: Sequence[str] = CONTEXT,
    top: int | None = None,
    of_sessions: bool = False,
) -> Tally:
    """Count rows by split and category, in the engine, clusters of the same make-up together.

    Parameters
    ----------
    frame
        What `engine.opened` gave, filtered to the rows that count.
    by
        The split, already checked.
    category
        One of `categories` for each row, never null.
    categories
        All that may occur.
    started
        The column of microseconds from which times are taken.
    cluster
        The unit of independence: ``"session"``, or ``"recipient"`` (the session, where the recipient is not known).
    context
        The columns that say from when and how the data are seen.
    top
        How many groups are kept apart.
    of_sessions
        Whether each row is a session.

    Raises
    ------
    ArgumentError
        For a frame that was put together from readings with different `as_of`, patience or window.
    """
    named = frame.with_columns(category.alias(CATEGORY))
    flags = {name: nw.col(CATEGORY) == name for name in categories}
    return tally_flags(
        named, by, flags, started=started, cluster=cluster, context=context, top=top, of_sessions=of_sessions
    )


def tally_flags(
    frame: Frame,
    by: Sequence[str],
    flags: Mapping[str, nw.Expr],
    *,
    started: str,
    cluster: str,
    context: Sequence[str] = CONTEXT,
    top: int | None = None,
    of_sessions: bool = False,
) -> Tally:
    """Count rows by split, and how many have each of some properties; a row may have several, or none.

    Parameters
    ----------
    frame, by, started, cluster, context, top, of_sessions
        As for `tally`.
    flags
        Each property by its name, true or false and never null. Of what is given to `Tally.total` and
        `Tally.clusters` together, no row may have two.

    Raises
    ------
    ArgumentError
        As for `tally`.
    """
    keys = ["_all", *(key(name) for name in by)]
    columns = [_column(name) for name in flags]
    clustered = with_cluster(frame, cluster, of_sessions=of_sessions)
    flagged = with_keys(clustered, by, started=started, top=top).with_columns(
        nw.when(flag).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64).alias(_column(name))
        for name, flag in flags.items()
    )
    table = collected(
        by_cluster(flagged, keys, columns, context)
        .group_by(*keys, *columns)
        .agg(
            nw.len().alias("rows"),
            *(nw.col(f"{name}_min").min() for name in context),
            *(nw.col(f"{name}_max").max() for name in context),
        )
    )
    return Tally(_in_one_order(table), by, tuple(flags), context_of(table, context), flagged)


def _in_one_order(table: pd.DataFrame) -> pd.DataFrame:
    """Sort a small table by all it holds: sums of fractions depend on their order, and engines give rows in any."""
    return table.sort_values(list(table.columns), kind="stable", ignore_index=True)


class Within(NamedTuple):
    """Units of each kind within each cluster: clusters with the same numbers are one row of `table`.

    `units` of the row's kind in each of its `rows` clusters, which fall into group `place`; `sizes` has, for each
    kind of denominator, the units of the cluster in it.
    """

    table: pd.DataFrame
    place: Ints
    units: Ints
    rows: Ints
    sizes: list[Ints]


def within_clusters(
    found: Tally, kinds: Sequence[str], count: Iterable[str], sizes: Collection[Iterable[str]]
) -> Within:
    """Count units of each kind (an error code, say) within each cluster, beside the cluster's sizes.

    Parameters
    ----------
    found
        What `tally` gave.
    kinds
        Columns of its rows that tell kinds apart; missing values are a kind.
    count
        The categories that are told apart by kind.
    sizes
        For each denominator, its categories.
    """
    # Missing values do not meet in a join: numbers and texts that do not occur stand for them.
    joined = {f"_join_{name}": _filled(name) for name in found.by}
    keys = ["_all", *(key(name) for name in found.by)]
    keyed = found.frame.with_columns(
        _counted=_any_of(count), **{f"_size_{i}": _any_of(names) for i, names in enumerate(sizes)}, **joined
    )
    of_sizes = [f"_size_{i}" for i in range(len(sizes))]
    told = [*keys, *kinds, "_counted", *of_sizes]
    alone, others = keyed.filter(nw.col(ALONE)), keyed.filter(~nw.col(ALONE))
    whole = (
        others.group_by(*joined, CLUSTER)
        .agg(nw.col(name).sum() for name in of_sizes)
        .with_columns(nw.col(name).cast(nw.Int64) for name in of_sizes)
    )
    parts = (
        others.filter(nw.col("_counted") == 1)
        .select(*keys, *joined, CLUSTER, *kinds, "_counted")
        .group_by(*keys, *joined, CLUSTER, *kinds)
        .agg(nw.col("_counted").sum())
        .with_columns(nw.col("_counted").cast(nw.Int64))
    )
    met = parts.join(whole, on=[*joined, CLUSTER], how="inner")
    clusters = nw.concat([alone.filter(nw.col("_counted") == 1).select(*told), met.select(*told)])
    table = collected(clusters.group_by(*told).agg(nw.len().alias("rows")))
    table = _in_one_order(table)
    ints = {name: table[name].to_numpy(dtype=np.int64) for name in ("_counted", "rows", *of_sizes)}
    return Within(table, found.places(table), ints["_counted"], ints["rows"], [ints[name] for name in of_sizes])


def _any_of(names: Iterable[str]) -> nw.Expr:
    inside = nw.col(CATEGORY).is_in(list(names))
    return nw.when(inside).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64)


def _filled(name: str) -> nw.Expr:
    return nw.col(key(name)).fill_null(-1 if is_time(name) else "(null)")


def _column(category: str) -> str:
    return f"_in_{category}"
