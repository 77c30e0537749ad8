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
from .clusters import ALONE, CLUSTER, make_ups, with_cluster
from .counting import CONTEXT, MISSING, Context, Ints, context_of, groups_of, places_in, with_keys
from .engine import collected

CATEGORY = "_category"


class Tally:
    """Counts by group and category; `groups` has one row per group, in reading order."""

    def __init__(
        self,
        table: pd.DataFrame,
        by: Sequence[str],
        categories: Sequence[str],
        context: Context,
        rows: Frame,
        *,
        kinds: Sequence[str] = (),
    ) -> None:
        self.context = context
        self.kinds = tuple(kinds)
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
        np.add.at(found, self.place, self.of_clusters(names) * self.weight)
        return found

    def clusters(self, count: Iterable[str], n: Iterable[str]) -> stats.Clusters:
        """Sum up the clusters of each group: successes are units in `count`, trials those in `n`, which holds it."""
        return stats.clusters_of(
            self.of_clusters(count), self.of_clusters(n), weights=self.weight, group=self.place, groups=len(self.groups)
        )

    def sums(self, column: str) -> Ints:
        """Give what a column of integers sums up to in a cluster; one value per row of the table."""
        return self.table[column].to_numpy(dtype=np.int64)

    def of_clusters(self, names: Iterable[str]) -> Ints:
        """Count a cluster's units in any of these categories; one value per row of the table."""
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
    kinds: Sequence[str] = (),
    summed: Sequence[str] = (),
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
    kinds
        Texts of few values by which rows that are alone in their cluster are counted, for `within_clusters`.
    summed
        Columns of integers that are summed up within each cluster, for `Tally.sums`.

    Raises
    ------
    ArgumentError
        For a frame that was put together from readings with different `as_of`, patience or window.
    """
    named = frame.with_columns(category.alias(CATEGORY))
    keyed = with_keys(with_cluster(named, cluster, of_sessions=of_sessions), by, started=started, top=top)
    flags = {name: nw.col(CATEGORY) == name for name in categories}
    return _tally(keyed, by, flags, context, told_by=[CATEGORY], kinds=kinds, summed=summed)


def tally_flags(
    frame: Frame,
    by: Sequence[str],
    flags: Mapping[str, nw.Expr],
    *,
    started: str,
    cluster: str,
    context: Sequence[str] = CONTEXT,
    top: int | None = None,
) -> Tally:
    """Count rows by split, and how many have each of some properties; a row may have several, or none.

    Parameters
    ----------
    frame, by, started, cluster, context, top
        As for `tally`.
    flags
        Each property by its name, true or false and never null. Of what is given to `Tally.total` and
        `Tally.clusters` together, no row may have two.

    Raises
    ------
    ArgumentError
        As for `tally`.
    """
    keyed = with_keys(with_cluster(frame, cluster), by, started=started, top=top)
    return _tally(keyed, by, flags, context)


def _tally(
    keyed: Frame,
    by: Sequence[str],
    flags: Mapping[str, nw.Expr],
    context: Sequence[str],
    *,
    told_by: Sequence[str] = (),
    kinds: Sequence[str] = (),
    summed: Sequence[str] = (),
) -> Tally:
    columns = {_column(name): flag for name, flag in flags.items()}
    # What a filter took away may differ within a cluster of several sessions: it adds up, and is no reading.
    readings = [name for name in context if name != MISSING]
    keys = ["_all", *(key(name) for name in by), *readings]
    sums = [*summed, *(name for name in context if name == MISSING)]
    table = collected(make_ups(keyed, keys, columns, told_by=told_by, kinds=kinds, summed=sums))
    return Tally(_in_one_order(table), by, tuple(flags), context_of(table, context), keyed, kinds=kinds)


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


def within_clusters(found: Tally, count: Iterable[str], sizes: Collection[Iterable[str]]) -> Within:
    """Count units of each kind (an error code, say) within each cluster, beside the cluster's sizes.

    Parameters
    ----------
    found
        What `tally` gave, asked for `kinds`; a missing value is a kind.
    count
        The categories that are told apart by kind.
    sizes
        For each denominator, its categories.
    """
    of_sizes = [f"_size_{i}" for i in range(len(sizes))]
    told = [*(key(name) for name in found.by), *found.kinds, "_counted", *of_sizes, "rows"]
    units = zip(["_counted", *of_sizes], [count, *sizes], strict=True)
    alone = found.table.assign(**{name: found.of_clusters(names) for name, names in units})
    alone = alone[alone[ALONE].astype(bool) & (alone["_counted"] > 0)]
    table = _in_one_order(pd.concat([alone[told], _of_others(found, count, sizes)[told]], ignore_index=True))
    ints = {name: table[name].to_numpy(dtype=np.int64) for name in ("_counted", "rows", *of_sizes)}
    return Within(table, found.places(table), ints["_counted"], ints["rows"], [ints[name] for name in of_sizes])


def _of_others(found: Tally, count: Iterable[str], sizes: Collection[Iterable[str]]) -> pd.DataFrame:
    """Count units of each kind within clusters that may have several units."""
    # Missing values do not meet in a join: numbers and texts that do not occur stand for them.
    joined = {f"_join_{name}": _filled(name) for name in found.by}
    keys = ["_all", *(key(name) for name in found.by)]
    of_sizes = {f"_size_{i}": _one_of(names) for i, names in enumerate(sizes)}
    others = found.frame.filter(~nw.col(ALONE)).with_columns(**joined, **of_sizes)
    # Counted and not summed, as in `make_ups`.
    whole = (
        others.group_by(*joined, CLUSTER)
        .agg(nw.col(name).count() for name in of_sizes)
        .with_columns(nw.col(name).cast(nw.Int64) for name in of_sizes)
    )
    parts = (
        others.filter(nw.col(CATEGORY).is_in(list(count)))
        .group_by(*keys, *joined, CLUSTER, *found.kinds)
        .agg(nw.len().alias("_counted"))
    )
    met = parts.join(whole, on=[*joined, CLUSTER], how="inner")
    return collected(met.group_by(*keys, *found.kinds, "_counted", *of_sizes).agg(nw.len().alias("rows")))


def _one_of(names: Iterable[str]) -> nw.Expr:
    """Give 1 for a unit in any of these categories, and nothing for another, which is not counted."""
    return nw.when(nw.col(CATEGORY).is_in(list(names))).then(nw.lit(1))


def _filled(name: str) -> nw.Expr:
    return nw.col(key(name)).fill_null(-1 if is_time(name) else "(null)")


def _column(category: str) -> str:
    return f"_in_{category}"
