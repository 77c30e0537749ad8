"""The one long frame of every rate metric: numerator, denominator, rate, interval, and what was left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from verify_analytics import stats

from .by import ALL, OTHERS, checked_totals, is_time
from .counting import Context, Ints
from .tally import Tally

# After the split columns, and in this order; a metric may add columns of its own after the split.
WILSON, CLUSTERED = "wilson", "cluster_wilson"
# What stands at the end of every rate frame: a small group leaning on the others, and what was pooled.
GROUP_COLUMNS = ("small", "shrunk", "shrunk_low", "shrunk_high", "pooled")
# Below this many a rate by itself says little: one more success moves it by three points or more.
SMALL = 30
# What tells rows of one group apart, where a metric has it.
KINDS = ("measure", "source", "channel", "code", "from_channel", "to_channel")


def divided(count: Ints, n: Ints) -> NDArray[np.float64]:
    """Divide; 0 / 0 is NaN, because no evidence is not zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 0, count / n, np.nan)


def rate_rows(
    groups: pd.DataFrame, measure: str | Sequence[str], count: Ints, n: Ints, *, clusters: stats.Clusters | None = None
) -> pd.DataFrame:
    """Make one row per group for one measure: the rate with its interval.

    Parameters
    ----------
    groups
        One row per group.
    measure
        Its name; or one name per row, where several measures of the groups are made at once.
    count, n
        Numerator and denominator, one per group.
    clusters
        The same by cluster: the interval is widened by the design effect (``"cluster_wilson"``). Without it, or where
        the design effect cannot be estimated, it is plain (``"wilson"``) and `design_effect` is NaN.

    Returns
    -------
    pandas.DataFrame
        `_group` numbers the groups, for `in_long_form`. One row per group.
    """
    if clusters is None:
        low, high = stats.wilson(count, n)
        effect = np.full(len(groups), np.nan)
    else:
        low, high, effect, _ = stats.cluster_wilson(clusters)
    kind = np.where(np.isnan(effect), WILSON, CLUSTERED)
    return groups.assign(
        measure=pd.Series(measure, index=groups.index, dtype="str"),
        count=count,
        n=n,
        rate=divided(count, n),
        low=low,
        high=high,
        interval=pd.Series(kind, index=groups.index, dtype="str"),
        design_effect=effect,
        _group=range(len(groups)),
    )


def tally_rows(tally: Tally, measure: str, count: Iterable[str], n: Iterable[str]) -> pd.DataFrame:
    """Make one row per group for one measure, counted by category: `count` and `n` name categories, `n` all of them."""
    above, below = tuple(count), tuple(n)
    return rate_rows(
        tally.groups, measure, tally.total(above), tally.total(below), clusters=tally.clusters(above, below)
    )


def in_long_form(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put measures below each other: groups stay together, and within a group measures keep their order."""
    return pd.concat(parts).sort_values("_group", kind="stable").drop(columns="_group").reset_index(drop=True)


def put_together(parts: Sequence[pd.DataFrame], left_out: Mapping[str, Ints], context: Context) -> pd.DataFrame:
    """Put measures together, each row with what was left out of its group and the context.

    Every part has one row per group, in the order of the groups.
    """
    return with_context(in_long_form([part.assign(**left_out) for part in parts]), context)


def with_context(frame: pd.DataFrame, context: Context, *, window: bool = False) -> pd.DataFrame:
    """Add from when and how the data were seen, as columns, so that they survive filtering and concatenation."""
    made = frame.assign(
        as_of=pd.Series([context.as_of] * len(frame), index=frame.index, dtype="datetime64[us, UTC]"),
        patience_seconds=context.patience_seconds,
    )
    return made.assign(window_seconds=context.window_seconds) if window else made


def split_and_total(
    make: Callable[[list[str]], pd.DataFrame], names: Sequence[str], *, totals: bool = False
) -> pd.DataFrame:
    """Make a metric's frame for a split, and below it, where asked for, the rows of all groups together.

    Parameters
    ----------
    make
        Gives the metric's frame for a split; called a second time without one for the totals, because a session that
        is in several groups is one cluster of the whole.
    names
        The split.
    totals
        Whether the rows of the whole are added.

    Returns
    -------
    pandas.DataFrame
        With the last columns `GROUP_COLUMNS`, as `with_shrinkage` has them; `pooled` is ``"others"`` for what `top`
        pooled, ``"all"`` for the whole, else empty. In the rows of the whole, text of the split is ``"all"`` and times
        are missing.

    Raises
    ------
    ArgumentError
        If `totals` is neither true nor false.
    """
    is_whole_asked = checked_totals(totals)
    split = with_shrinkage(make(list(names)), names)
    if not is_whole_asked or not names:
        return split
    whole = with_shrinkage(make([]), [])
    # A column that the metric has by itself (a code's channel) stays: it says what the row is about.
    for name in reversed([name for name in names if name not in whole.columns]):
        values = [None] * len(whole) if is_time(name) else [ALL] * len(whole)
        whole.insert(0, name, pd.Series(values, index=whole.index, dtype=split[name].dtype))
    whole["pooled"] = pd.Series(ALL, index=whole.index, dtype="str")
    return pd.concat([split, whole[split.columns]], ignore_index=True)


def with_shrinkage(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Mark small groups, and put beside each rate what it plausibly is in the light of the other groups.

    Parameters
    ----------
    frame
        A metric's frame, with `measure`, `count`, `n`, `rate` and `design_effect`; rows without a rate are left alone.
    names
        The split. Groups are of one kind within a measure and what else tells rows apart (a code, a flow, a source).

    Returns
    -------
    pandas.DataFrame
        With the columns `GROUP_COLUMNS`: `small` where `n` is below `SMALL`; `shrunk` with its interval, NaN where no
        group of the kind is small or there are fewer than three, without a split, for ``"others"``, which are not one
        of a kind, and where a group has no row of this kind (a code it never met), so that how much groups differ
        cannot be seen. Of a frame of times only the shares by a time lean on each other, among the groups that can be
        seen: steps of a curve are too many, those left waiting differ at each time, and the share of a quantile is
        given and not found. A design effect makes `n` as many fewer as it says; of units that were not watched to the
        end the estimated share is taken, as if all had been.
    """
    texts = [name for name in names if not is_time(name)]
    others = (frame[texts] == OTHERS).any(axis="columns") if texts else pd.Series(False, index=frame.index)
    made = frame.assign(
        small=frame["n"] < SMALL,
        shrunk=np.nan,
        shrunk_low=np.nan,
        shrunk_high=np.nan,
        pooled=pd.Series(np.where(others, OTHERS, ""), index=frame.index, dtype="str"),
    )
    if not names:
        return made
    effect = np.maximum(frame["design_effect"].fillna(1.0), 1.0)
    kinds = [name for name in KINDS if name in frame.columns and name not in names]
    alike = ~others & (frame["measure"] != "not_observable")
    groups = len(frame.loc[alike, list(names)].drop_duplicates())
    if "unit" in frame.columns:
        alike &= (frame["unit"] == "share") & (frame["measure"] != "curve")
    if "after_seconds" in frame.columns:
        alike &= False
    for _, rows in made[alike].groupby(kinds, sort=False):
        if len(rows) < groups:
            continue
        kind = rows[rows["rate"].notna()]
        # Where no group is small each says enough by itself, and leaning would only cost time.
        if not kind["small"].any():
            continue
        at = kind.index
        # Whole numbers are wanted: the likelihood counts successes.
        n = (kind["n"] / effect[at]).round()
        found = kind["rate"] * kind["n"]
        counted = kind["count"].where((kind["count"] - found).abs() < 1e-6 * (1 + kind["n"]), found)
        count = np.minimum((counted / effect[at]).round(), n)
        shrunk = stats.shrunk_rates(count.to_numpy(), n.to_numpy())
        made.loc[at, "shrunk"] = shrunk.rate
        made.loc[at, "shrunk_low"], made.loc[at, "shrunk_high"] = shrunk.low, shrunk.high
    return made
