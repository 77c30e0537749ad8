"""How long does it take until somebody is verified? Curves over all sessions, also those that never get there."""

from datetime import timedelta

import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import options_by_name

from .by import SESSION_BY, By, checked_by
from .clusters import checked_cluster
from .curves import MEASURED, curve_rows, horizon_ticks, in_long_form
from .frames import split_and_total
from .session_ends import Told, columns_of_clusters, ends_by_source, opened_sessions, told_by, warn_of_sessions
from .sources import checked_sources
from .watching import BESIDE, TICKS_PER_SECOND, left_beside, units_by_group


@options_by_name
def time_to_verify(
    sessions: IntoFrame,
    *,
    by: By = (),
    source: str | None = None,
    horizon: str | timedelta = "10min",
    top: int | None = None,
    totals: bool = False,
    cluster: str = "session",
) -> pd.DataFrame:
    """Say what share of all sessions is verified after how many seconds, and how long one waits on average.

    The clock runs from the session's start. A session that expires, or is given up (`window` after its last attempt),
    has ended otherwise and stays in the denominator: "72 % within 60 s" is about all sessions, and not about those
    that verified. A session still open at `as_of` counts for as long as it was watched.

    Parameters
    ----------
    sessions
        What ``model.sessions`` gives, of any engine; filter it as you like, by what was known at their start.
    by
        Up to two of ``first_channel``, ``country``, ``number_block`` (with `top`) and what `delivery_rate` says of
        times: what was known when the session started. To split by what happened later (the last channel, say) would
        count time in which it could not have happened.
    source
        Who says that a session is verified: ``"app"``, the application itself, or ``"callback"``, the provider.
        Without it both are given, each by itself; they are never pooled.
    horizon
        How far the curve is drawn, and over how long the restricted mean is taken; at most a day.
    top, totals
        As for `delivery_rate`.
    cluster
        The unit of independence: ``"session"``, or ``"recipient"`` (all sessions of one recipient).

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `source`, `measure`, `seconds`, `rate`, `low`, `high`, `unit`, `count`, `n`, `at_risk`,
        `interval`, `design_effect`, the counts `immature`, `unobserved`, `unknown`, `not_observable`, `clock_faults`,
        `censored`, then `horizon_seconds`, `as_of`, `patience_seconds`, `window_seconds`, and `small`, `shrunk`,
        `shrunk_low`, `shrunk_high`, `pooled` as for `delivery_rate`. The measures, per group and source:

        ``within_10s``, ``within_30s``, ``within_60s``, ``within_120s``: `rate` is the share verified by `seconds`.
        ``p50``, ``p90``, ``p95``: `seconds` by which the share `rate` is verified; NaN is "not reached".
        ``restricted_mean``: `seconds` one waits on average when nobody is watched beyond the horizon; a session that
        never verifies counts the whole horizon.
        ``curve``: `rate` verified by `seconds`, whole seconds from 0; a row where it changes, and the last.
        ``not_observable``: the only row of a group in which nothing can be seen from this source; `n` is 0.

        `low` and `high` are the 95 % interval of what the measure estimates, and `unit` says which that is:
        ``"share"`` where they belong to `rate` (within, curve), ``"seconds"`` where they belong to `seconds`
        (quantiles, mean). Of a quantile each of the three may be missing by itself: no `high` is "no upper bound".
        `interval` is ``"cluster_log_log"`` (``"cluster_normal"`` for the mean); without ``cluster_`` where the design
        effect could not be estimated and is NaN; ``"none"`` where there are no bounds.

        `n` sessions are in the curve, `censored` of them still open when last watched. `count` of them were seen to
        verify by `seconds` (for the mean, by the horizon; for a quantile not reached, at all), and `at_risk` were
        still waiting and watched just before then. With censoring `rate` is more than `count` / `n`. Left out, and
        counted beside: `unobserved` (waited while the collector was not listening), `not_observable` (this source was
        not reporting then), `immature` (too young: see Notes), `unknown` (the first attempt was never seen, so the
        start is not known), `clock_faults` (ended before they started: the function `clock_faults` lists them, nothing
        is clamped). These and `n` add up to all sessions of the group.
        One row per group, source and measure, and per second of a curve.

    Raises
    ------
    ArgumentError
        For a `by`, `top`, `source`, `cluster` or `horizon` that cannot be, something that is no dataframe, a frame of
        several `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.sessions``.

    Warns
    -----
    DoubtfulWarning
        Where nothing is observable, where sessions ended before they started, where sessions were made of attempts from
        which a filter had taken some, and where `as_of` is later than the collector is known to have listened.

    Notes
    -----
    Of the callbacks only the arrival is known, which a retry may delay by 7 minutes. So for ``callback`` only
    sessions that started more than 8 minutes before `as_of` enter, and are watched until then; for ``app`` the
    application's own time counts and they are watched until `as_of`. Of either source nobody is watched beyond its last
    report. An application that reports late (from a queue, once a night) makes the last sessions look slow. Times are
    rounded up to hundredths of a second; nobody is watched for longer than a day.
    The band holds at each time by itself, not for the whole curve at once. The design effect is that of the share
    verified in the end, of mature sessions, and is taken for the whole curve. Censoring is taken as telling nothing: a
    change of the last minutes (an outage now) breaks that.
    Only a verified session can have a clock fault, so the curve ends too low by about their share, times the share not
    verified; `verification_rate` counts them as verified.
    Not the time from message to typing, and not a delivery time.

    References
    ----------
    `verify_analytics.stats.cumulative_incidence` (Aalen and Johansen 1978), `incidence_interval_at` (log-log),
    `quantile_intervals` (Brookmeyer and Crowley 1982), `restricted_mean_interval`, `cluster_wilson` for the design
    effect.
    """
    asked_by = "metrics.time_to_verify"
    names = checked_by(by, SESSION_BY, grain="sessions", top=top)
    sources = checked_sources(source)
    ticks = horizon_ticks(horizon)
    extra = columns_of_clusters(checked_cluster(cluster))
    frame = opened_sessions(sessions, names, sources, asked_by=asked_by, extra=extra)
    ends = ends_by_source(frame, sources)
    counted: list[list[Told]] = []

    def measured(split: list[str]) -> pd.DataFrame:
        kept = top if split else None
        counted.append([told_by(ends[each], each, split, cluster=cluster, top=kept) for each in sources])
        return pd.concat([_finish(told, ticks, split) for told in counted[-1]], ignore_index=True)

    made = split_and_total(measured, names, totals=totals)
    warn_of_sessions(counted[0], asked_by=asked_by)
    return made


def _finish(told: Told, horizon: float, split: list[str]) -> pd.DataFrame:
    """Make the rows of one source, group by group."""
    parts = [curve_rows(units, horizon) for units in units_by_group(told.found)]
    made = in_long_form(parts, told.found, left_beside(told.found.counts), window=True)
    source = pd.Series(told.source, index=made.index, dtype="str")
    made = made.assign(source=source, horizon_seconds=horizon / TICKS_PER_SECOND)
    first = [*split, "source", *MEASURED, *BESIDE, "horizon_seconds"]
    return made[[*first, *(name for name in made.columns if name not in first)]]
