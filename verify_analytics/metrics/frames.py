"""The one long frame of every rate metric: numerator, denominator, rate, interval, and what was left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from verify_analytics import stats

from .by import ALL, OTHERS, is_time
from .counting import Context, Ints
from .tally import Tally

# After the split columns, and in this order; a metric may add columns of its own after the split.
RATE_COLUMNS = (
    "measure",
    "count",
    "n",
    "rate",
    "low",
    "high",
    "interval",
    "design_effect",
    "immature",
    "unobserved",
    "unknown",
    "as_of",
    "patience_seconds",
)
WILSON, CLUSTERED = "wilson", "cluster_wilson"


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
        With a last column `pooled`: ``"others"`` for what `top` pooled, ``"all"`` for the whole, else empty. In the
        rows of the whole, text of the split is ``"all"`` and times are missing.
    """
    split = make(list(names))
    texts = [name for name in names if not is_time(name)]
    others = (split[texts] == OTHERS).any(axis="columns") if texts else pd.Series(False, index=split.index)
    split = split.assign(pooled=pd.Series(np.where(others, OTHERS, ""), index=split.index, dtype="str"))
    if not totals or not names:
        return split
    whole = make([])
    # A column that the metric has by itself (a code's channel) stays: it says what the row is about.
    for name in reversed([name for name in names if name not in whole.columns]):
        values = [None] * len(whole) if is_time(name) else [ALL] * len(whole)
        whole.insert(0, name, pd.Series(values, index=whole.index, dtype=split[name].dtype))
    whole["pooled"] = pd.Series(ALL, index=whole.index, dtype="str")
    return pd.concat([split, whole[split.columns]], ignore_index=True)
