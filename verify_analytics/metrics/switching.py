"""When is it no longer worth waiting? What becomes of those still waiting, and what an experiment would need."""

from collections.abc import Iterable
from datetime import timedelta
from math import ceil, isnan

import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics import stats
from verify_analytics.errors import ArgumentError, options_by_name
from verify_analytics.model.moments import duration_us

from .by import SESSION_BY, By, checked_by
from .clusters import checked_cluster
from .curves import in_long_form
from .frames import split_and_total
from .judged import NOT_OBSERVABLE
from .session_ends import Told, columns_of_clusters, ends_by_source, opened_sessions, told_by, warn_of_sessions
from .sources import checked_sources
from .watching import BESIDE, LONGEST_SECONDS, TICK_US, TICKS_PER_SECOND, Floats, Units, left_beside, units_by_group

AFTER = tuple(range(5, 125, 5))
COLUMNS = (
    "measure",
    "after_seconds",
    "within_seconds",
    "count",
    "n",
    "rate",
    "low",
    "high",
    "interval",
    "design_effect",
    "sessions",
    "detect",
    "power",
    "per_arm",
    "sessions_to_start",
    *BESIDE,
)


@options_by_name
def when_to_switch(
    sessions: IntoFrame,
    *,
    by: By = (),
    source: str | None = None,
    after: Iterable[float] = AFTER,
    within: str | timedelta = "30s",
    detect: float = 0.02,
    power: float = 0.8,
    top: int | None = None,
    totals: bool = False,
    cluster: str = "session",
) -> pd.DataFrame:
    """Say how likely those not verified after some seconds are to verify soon, and what an experiment would need.

    For each time `after`: of the sessions still waiting then, the share that verifies `within` the next while.

    Parameters
    ----------
    sessions, by, source, top, totals, cluster
        As for `time_to_verify`.
    after
        Seconds since the session's start at which to look; each from 0 up to a day.
    within
        How much longer one would wait.
    detect
        The smallest difference of that share which would change a decision, between 0 and 1: for the experiment.
    power
        With what probability the experiment is to show a difference that large.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `source`, `measure`, `after_seconds`, `within_seconds`, `count`, `n`, `rate`, `low`, `high`,
        `interval`, `design_effect`, `sessions`, `detect`, `power`, `per_arm`, `sessions_to_start`, then the counts,
        `as_of`, `patience_seconds`, `window_seconds` and the last columns as for `time_to_verify`; `shrunk` is NaN.

        ``verified_next``: `n` sessions were still waiting, and watched, when `after_seconds` were over; `count` of
        them were seen to verify within the next `within_seconds`. `rate` estimates that share, also where some are not
        watched for so long; NaN where nobody was left, or nobody was watched for so long. `low` and `high` are its
        95 % interval. `sessions` is the number the curve began with.
        `per_arm` and `sessions_to_start` plan a randomised timer: at `after_seconds`, those still waiting are sent by
        lot either to another channel or to wait on. `per_arm` sessions in each of the two show a difference of
        `detect` from `rate` (up or down, whichever needs more) with probability `power`, at 95 % confidence, more of
        them by the design effect; about `sessions_to_start` must start for so many to be still waiting. NaN where
        there is no `rate`, or neither `rate` + `detect` nor `rate` - `detect` is a share.
        ``not_observable``: the only row of a group in which nothing can be seen from this source.
        One row per group, source and time `after`.

    Raises
    ------
    ArgumentError
        As for `time_to_verify`, and for an `after`, `within`, `detect` or `power` that cannot be.
    SchemaError
        For a frame that lacks a column of ``model.sessions``.

    Warns
    -----
    DoubtfulWarning
        As for `time_to_verify`.

    Notes
    -----
    It claims nothing about the effect of switching. Those who asked for another code had not been served, or were
    impatient, or both; those who waited on differ from them in ways that no column holds. Comparing the two compares
    people, not timers. What would settle it is the randomised timer that is planned here.
    Sessions that asked again meanwhile are in it: it is what happens under today's rules. Neighbouring rows rest on
    much the same sessions and are not independent. `count` / `n` is too low where sessions were not watched for so
    long; `rate` is not.
    Watch the number still waiting: late rows rest on few.

    References
    ----------
    `verify_analytics.stats.conditional_incidence` (van Houwelingen 2007), `sample_size_two_proportions`.
    """
    asked_by = "metrics.when_to_switch"
    names = checked_by(by, SESSION_BY, grain="sessions", top=top)
    sources = checked_sources(source)
    moments = _checked_after(after)
    more = duration_us(within, name="within") / TICK_US
    if isinstance(detect, bool) or not isinstance(detect, int | float) or not 0 < detect < 1:
        raise ArgumentError(f"detect={detect!r} is no difference of shares: give one between 0 and 1, such as 0.02")
    # Refused here, and not only when there is a rate to plan with.
    stats.sample_size_two_proportions(0.5, 0.25, power=power)
    extra = columns_of_clusters(checked_cluster(cluster))
    frame = opened_sessions(sessions, names, sources, asked_by=asked_by, extra=extra)
    ends = ends_by_source(frame, sources)
    counted: list[list[Told]] = []

    def measured(split: list[str]) -> pd.DataFrame:
        kept = top if split else None
        counted.append([told_by(ends[each], each, split, cluster=cluster, top=kept) for each in sources])
        parts = [_finish(told, moments, more, detect, power) for told in counted[-1]]
        made = pd.concat(parts, ignore_index=True)
        first = [*split, "source", *COLUMNS]
        return made[[*first, *(name for name in made.columns if name not in first)]]

    made = split_and_total(measured, names, totals=totals)
    warn_of_sessions(counted[0], asked_by=asked_by)
    return made


def _checked_after(after: Iterable[float]) -> Floats:
    """Read the times to look at, in ticks."""
    try:
        at = [float(each) for each in after]
    except (TypeError, ValueError):
        at = []
    if not at or not all(0 <= each <= LONGEST_SECONDS for each in at):
        raise ArgumentError(
            f"after={after!r} is no list of times: give seconds from 0 up to a day, for example after=[10, 30, 60]"
        )
    # A time such as 0.29 s is no whole number of ticks in binary.
    return np.array([round(each * TICKS_PER_SECOND, 6) for each in at])


def _finish(told: Told, after: Floats, more: float, detect: float, power: float) -> pd.DataFrame:
    parts = [_rows(units, after, more, detect, power) for units in units_by_group(told.found)]
    empty = _rows(_NOBODY, after, more, detect, power).iloc[:0]
    made = in_long_form([*parts], told.found, left_beside(told.found.counts), window=True, empty=empty)
    return made.assign(
        source=pd.Series(told.source, index=made.index, dtype="str"), detect=float(detect), power=float(power)
    )


_NOBODY = Units(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64), np.nan)


def _rows(units: Units, after: Floats, more: float, detect: float, power: float) -> pd.DataFrame:
    """Make the rows of one group, one for each time; for nobody, one row that says so."""
    if not units.n:
        after = np.array([np.nan])
    measure = "verified_next" if units.n else NOT_OBSERVABLE
    curve = units.curve()
    at = after if units.n else np.array([0.0])
    found = stats.conditional_incidence(curve, after=at, within=more)
    rate, low, high = (np.asarray(each, dtype=float) for each in found)
    per_arm = [_per_arm(share, detect, power, units.effect) for share in rate]
    still = np.concatenate(([1.0], curve.waiting))[np.searchsorted(curve.time, at, side="right")]
    to_start = [_per_share(2 * size, share) for size, share in zip(per_arm, still, strict=True)]
    known = ~np.isnan(rate)
    return pd.DataFrame(
        {
            "measure": pd.Series([measure] * len(at), dtype="str"),
            "after_seconds": after / TICKS_PER_SECOND,
            "within_seconds": more / TICKS_PER_SECOND,
            "count": units.arrived(at + more) - units.arrived(at),
            "n": units.waiting(at, after=True),
            "rate": rate,
            "low": low,
            "high": high,
            "interval": pd.Series(np.where(known, units.interval("log_log"), "none"), dtype="str"),
            "design_effect": units.effect,
            "sessions": units.n,
            "per_arm": per_arm,
            "sessions_to_start": to_start,
        }
    )


def _per_arm(rate: float, detect: float, power: float, effect: float) -> float:
    """Give the size of each arm that shows the difference, up or down; NaN where neither is a share."""
    others = [other for other in (rate - detect, rate + detect) if 0 <= other <= 1]
    widened = 1.0 if np.isnan(effect) else effect
    sizes = [stats.sample_size_two_proportions(rate, other, power=power, design_effect=widened) for other in others]
    return float(ceil(max(sizes))) if sizes else float("nan")


def _per_share(size: float, share: float) -> float:
    """Say of how many a share is this many; NaN where the share is nothing, or no size is known."""
    return float(ceil(size / share)) if share > 0 and not isnan(size) else float("nan")
