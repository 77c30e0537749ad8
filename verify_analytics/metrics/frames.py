"""The one long frame of every rate metric: numerator, denominator, rate, interval, and what was left out."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from verify_analytics import stats

from .counting import Context, Ints

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


def divided(count: Ints, n: Ints) -> NDArray[np.float64]:
    """Divide; 0 / 0 is NaN, because no evidence is not zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 0, count / n, np.nan)


def rate_rows(groups: pd.DataFrame, measure: str, count: Ints, n: Ints) -> pd.DataFrame:
    """Make one row per group for one measure: the rate with its plain Wilson interval.

    `design_effect` is NaN: the interval takes rows as independent, and nothing has been estimated to say otherwise.
    `_group` numbers the groups, for `in_long_form`.
    """
    low, high = stats.wilson(count, n)
    return groups.assign(
        measure=pd.Series(measure, index=groups.index, dtype="str"),
        count=count,
        n=n,
        rate=divided(count, n),
        low=low,
        high=high,
        interval=pd.Series("wilson", index=groups.index, dtype="str"),
        design_effect=np.nan,
        _group=range(len(groups)),
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
