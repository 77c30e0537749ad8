"""Curves of arrivals, group by group: shares by a time, quantiles, means and steps, as rows of one long frame."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from verify_analytics import stats
from verify_analytics.errors import ArgumentError
from verify_analytics.model.moments import duration_us

from .counting import Ints
from .frames import with_context
from .judged import NOT_OBSERVABLE
from .watching import LONGEST_SECONDS, TICK_US, TICKS_PER_SECOND, Floats, Units, Watched

SHARES_WITHIN = (10, 30, 60, 120)
QUANTILES = (0.5, 0.9, 0.95)
MEASURED = (
    "measure",
    "seconds",
    "rate",
    "low",
    "high",
    "unit",
    "count",
    "n",
    "at_risk",
    "interval",
    "design_effect",
)


def horizon_ticks(horizon: str | timedelta) -> float:
    """Read how far a curve goes, in ticks.

    Raises
    ------
    ArgumentError
        For something that is no duration, or more than a day.
    """
    ticks = duration_us(horizon, name="horizon") / TICK_US
    if ticks > LONGEST_SECONDS * TICKS_PER_SECOND:
        raise ArgumentError(f"horizon={horizon!r} is too far: a curve is drawn for at most a day")
    return ticks


def curve_rows(units: Units, horizon: float) -> pd.DataFrame:
    """Make the measures of one group: shares, quantiles, mean and curve; for nobody, that nothing can be seen."""
    if not units.n:
        return nothing_seen()
    curve = units.curve()
    within = np.array(SHARES_WITHIN, dtype=float) * TICKS_PER_SECOND
    shares = stats.incidence_interval_at(curve, within)
    times = stats.quantile_intervals(curve, QUANTILES)
    mean = stats.restricted_mean_interval(curve, horizon=horizon)
    grid = np.arange(np.floor(horizon / TICKS_PER_SECOND) + 1) * TICKS_PER_SECOND
    heights = stats.incidence_at(curve, grid)
    grid, heights = grid[~np.isnan(heights)], heights[~np.isnan(heights)]
    kept = np.diff(heights, prepend=np.nan) != 0
    kept[-1:] = True
    steps = stats.incidence_interval_at(curve, grid[kept])
    names = [f"within_{at}s" for at in SHARES_WITHIN]
    quantiles = [f"p{100 * share:g}" for share in QUANTILES]
    parts = [
        _rows(units, names, ticks=within, rate=shares.value, bounds=shares, unit="share"),
        _rows(units, quantiles, ticks=times.value, rate=QUANTILES, bounds=times, unit="seconds"),
        _mean(units, mean, horizon),
        _rows(units, ["curve"] * int(kept.sum()), ticks=grid[kept], rate=steps.value, bounds=steps, unit="share"),
    ]
    return pd.concat(parts, ignore_index=True)


def _rows(
    units: Units, names: Sequence[str], *, ticks: ArrayLike, rate: ArrayLike, bounds: stats.Estimate, unit: str
) -> pd.DataFrame:
    """Make rows for times and shares that belong together, with the bounds of one of the two."""
    at = np.asarray(ticks, dtype=float)
    low, high = (np.asarray(end, dtype=float) / (1 if unit == "share" else TICKS_PER_SECOND) for end in bounds[1:])
    reached = ~np.isnan(at)
    known = ~(np.isnan(low) & np.isnan(high))
    waiting = pd.array(units.waiting(np.where(reached, at, 0.0)), dtype="Int64")
    waiting[~reached] = pd.NA
    return pd.DataFrame(
        {
            "measure": pd.Series(names, dtype="str"),
            "seconds": at / TICKS_PER_SECOND,
            "rate": np.asarray(rate, dtype=float),
            "low": low,
            "high": high,
            "unit": pd.Series([unit] * len(at), dtype="str"),
            "count": units.arrived(np.where(reached, at, np.inf)),
            "n": units.n,
            "at_risk": waiting,
            "interval": pd.Series(np.where(known, units.interval("log_log"), "none"), dtype="str"),
            "design_effect": units.effect,
        }
    )


def _mean(units: Units, mean: tuple[float, float, float], horizon: float) -> pd.DataFrame:
    value, low, high = (np.array([float(end)]) for end in mean)
    bounds = stats.Estimate(value, low, high)
    made = _rows(units, ["restricted_mean"], ticks=value, rate=[np.nan], bounds=bounds, unit="seconds")
    waiting = pd.array(units.waiting(horizon), dtype="Int64")
    kind = "none" if np.isnan(value[0]) else units.interval("normal")
    interval = pd.Series([kind], dtype="str")
    return made.assign(count=units.arrived(horizon), at_risk=waiting, interval=interval)


def nothing_seen() -> pd.DataFrame:
    """Make the one row of a group in which nothing can be seen."""
    nobody = Units(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64), np.nan)
    none = np.array([np.nan])
    bounds = stats.Estimate(none, none, none)
    made = _rows(nobody, [NOT_OBSERVABLE], ticks=none, rate=none, bounds=bounds, unit="")
    return made.assign(at_risk=pd.array([0], dtype="Int64"))


def in_long_form(
    parts: Sequence[pd.DataFrame],
    found: Watched,
    beside: Mapping[str, Ints | Floats],
    *,
    window: bool,
    empty: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Put the rows of all groups below each other, each with its split, with what was left out, and the context.

    Parameters
    ----------
    parts
        The rows of each group, in the order of the groups.
    found
        What was counted.
    beside
        What is said of each group on each of its rows.
    window
        Whether the context has a window.
    empty
        The columns of `parts` without rows, for a frame without groups; without it, those of `nothing_seen`.
    """
    groups = found.counts.groups
    group_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    # A frame without groups has its columns in their types, too.
    made = pd.concat([nothing_seen().iloc[:0] if empty is None else empty, *parts], ignore_index=True)
    split = {str(name): groups[name].take(group_of).reset_index(drop=True) for name in groups.columns}
    made = pd.DataFrame(split, index=made.index).join(made)
    return with_context(
        made.assign(**{name: values[group_of] for name, values in beside.items()}), found.counts.context, window=window
    )
