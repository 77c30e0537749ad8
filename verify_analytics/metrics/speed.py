"""How long does it take until somebody is verified? Curves over all sessions, also those that never get there."""

import warnings
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame
from numpy.typing import NDArray

from verify_analytics import stats
from verify_analytics.errors import ArgumentError, DoubtfulWarning
from verify_analytics.model.frames import Frame
from verify_analytics.model.moments import SECOND_US, duration_us

from .by import SESSION_BY, By, checked_by, columns_of
from .counting import CONTEXT, Counts, count_rows, moment, warn_if_stale
from .engine import collected, opened
from .frames import with_context
from .sources import checked_sources

SHARES_WITHIN = (10, 30, 60, 120)
QUANTILES = (0.5, 0.9, 0.95)
# A callback's retries may bring it 7 minutes late, so the last minutes before `as_of` are not whole yet.
LATE_SECONDS = {"app": 0, "callback": 8 * 60}
# Times are grouped in the engine, rounded up, so that what comes over is bounded and "within 10 s" stays exact.
TICK_US = 10_000
TICKS_PER_SECOND = SECOND_US // TICK_US
LONGEST_SECONDS = 86_400

NEEDED = ("unobserved", "started_us", "lowest_sequence", "ended_us", "window_seconds", *CONTEXT)
CONTEXT_WITH_WINDOW = (*CONTEXT, "window_seconds")
BESIDE = ("immature", "unobserved", "unknown", "not_observable", "clock_faults", "censored")


def time_to_verify(
    sessions: IntoFrame, *, by: By = (), source: str | None = None, horizon: str | timedelta = "10min"
) -> pd.DataFrame:
    """Say what share of all sessions is verified after how many seconds, and how long one waits on average.

    The clock runs from the session's start. A session that expires, or is given up (`window` after its last attempt),
    has ended otherwise and stays in the denominator: "72 % within 60 s" is about all sessions, and not about those
    that verified. A session still open at `as_of` counts for as long as it was watched.

    Parameters
    ----------
    sessions
        What ``model.sessions`` gives, of any engine; filter it as you like.
    by
        Up to two of ``first_channel``, ``country``, ``day``, ``hour``: what was known when the session started.
        To split by what happened later (the last channel, say) would count time in which it could not have happened.
    source
        Who says that a session is verified: ``"app"``, the application itself, or ``"callback"``, the provider.
        Without it both are given, each by itself; they are never pooled.
    horizon
        How far the curve is drawn, and over how long the restricted mean is taken; at most a day.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `source`, `measure`, `seconds`, `rate`, `low`, `high`, `n`, `interval`, the counts
        `immature`, `unobserved`, `unknown`, `not_observable`, `clock_faults`, `censored`, then `horizon_seconds`,
        `as_of`, `patience_seconds`, `window_seconds`. The measures, per group and source:

        ``within_10s``, ``within_30s``, ``within_60s``, ``within_120s``: `rate` is the share verified by `seconds`.
        ``p50``, ``p90``, ``p95``: `seconds` by which the share `rate` is verified; NaN is "not reached".
        ``restricted_mean``: `seconds` one waits on average when nobody is watched beyond the horizon; a session that
        never verifies counts the whole horizon.
        ``curve``: `rate` verified by `seconds`, whole seconds from 0; a row where it changes, and the last.
        ``not_observable``: the only row of a group in which nothing can be seen from this source; `n` is 0.

        `n` sessions are in the curve, `censored` of them still open when last watched. Left out, and counted beside:
        `unobserved` (waited while the collector was not listening), `not_observable` (this source was not reporting
        then), `immature` (too young: see Notes), `unknown` (the first attempt was never seen, so the start is not
        known), `clock_faults` (ended before they started: the function `clock_faults` lists them, nothing is
        clamped). These and `n` add up to all sessions of the group.
        One row per group, source and measure, and per second of a curve.

    Raises
    ------
    ArgumentError
        For a `by`, `source` or `horizon` that cannot be, something that is no dataframe, a frame of several `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.sessions``.

    Warns
    -----
    DoubtfulWarning
        Where nothing is observable, where sessions ended before they started, and where `as_of` is later than the
        collector is known to have listened.

    Notes
    -----
    Of the callbacks only the arrival is known, which a retry may delay by 7 minutes. So for ``callback`` only
    sessions that started more than 8 minutes before `as_of` enter, and are watched until then; for ``app`` the
    application's own time counts and they are watched until `as_of`. Times are rounded up to hundredths of a second.
    `low` and `high` are NaN and `interval` is ``"none"``: these are point estimates.
    Not the time from message to typing, and not a delivery time.

    References
    ----------
    `verify_analytics.stats.cumulative_incidence` (Aalen and Johansen 1978), `incidence_quantiles`, `restricted_mean`.
    """
    asked_by = "metrics.time_to_verify"
    names = checked_by(by, SESSION_BY, grain="sessions")
    sources = checked_sources(source)
    seconds = duration_us(horizon, name="horizon") / SECOND_US
    if seconds > LONGEST_SECONDS:
        raise ArgumentError(f"horizon={horizon!r} is too far: a curve is drawn for at most a day")
    frame = _opened(sessions, names, sources, asked_by)
    found = []
    for each in sources:
        counts = count_rows(
            _classified(frame, each),
            names,
            ["_class", "_event", "_ticks"],
            started="started_us",
            context=CONTEXT_WITH_WINDOW,
        )
        found.append((each, counts))
    _warn(found, asked_by=asked_by)
    parts = [_finish(each, counts, seconds) for each, counts in found]
    return _in_order(parts, names)


def clock_faults(sessions: IntoFrame, *, source: str | None = None) -> pd.DataFrame:
    """List the sessions that ended before they started, which only a wrong clock can do.

    Parameters
    ----------
    sessions
        What ``model.sessions`` gives, of any engine.
    source
        ``"app"`` or ``"callback"``; without it, both.

    Returns
    -------
    pandas.DataFrame
        `session_id`, `source`, `started_at`, `ended_at` (UTC) and `seconds` (below 0).
        One row per session and source whose time is impossible, the worst first.

    Raises
    ------
    ArgumentError
        For another `source`, or something that is no dataframe.
    SchemaError
        For a frame that lacks a column of ``model.sessions``.
    """
    sources = checked_sources(source)
    frame = _opened(sessions, [], sources, "metrics.clock_faults", extra=("session_id",))
    parts = []
    for each in sources:
        rows = _classified(frame, each).filter(nw.col("_class") == "clock_faults")
        parts.append(collected(rows.select("session_id", "started_us", "_spent")).assign(source=each))
    listed = pd.concat(parts).sort_values(["_spent", "session_id", "source"], ignore_index=True)
    spent = listed["_spent"].astype("Int64")
    started = listed["started_us"].astype("Int64")
    return pd.DataFrame(
        {
            "session_id": listed["session_id"].astype("str"),
            "source": listed["source"].astype("str"),
            "started_at": pd.Series([moment(at) for at in started], dtype="datetime64[us, UTC]"),
            "ended_at": pd.Series([moment(at) for at in started + spent], dtype="datetime64[us, UTC]"),
            "seconds": spent.astype("float64") / SECOND_US,
        }
    )


def _opened(
    sessions: IntoFrame, names: Sequence[str], sources: Sequence[str], asked_by: str, extra: Sequence[str] = ()
) -> Frame:
    of_source = [
        f"{column}_{each}{unit}" for each in sources for column, unit in (("verified", "_us"), ("observable", ""))
    ]
    split = columns_of(names)
    columns = dict.fromkeys([*NEEDED, *of_source, *split, *extra])
    return opened(sessions, list(columns), asked_by=asked_by, made_by="model.sessions")


def _classified(frame: Frame, source: str) -> Frame:
    """Say of each session whether it can be watched, what became of it (`_event`), and after how long (`_spent`, µs).

    Nested choices on integers alone, each written as a positive test: what a missing value does is the same on every
    engine.
    """
    started, verified = nw.col("started_us"), nw.col(f"verified_{source}_us")
    frame = frame.with_columns(_cut=nw.col("as_of_us") - LATE_SECONDS[source] * SECOND_US)
    ended, cut = nw.col("ended_us"), nw.col("_cut")
    in_time = (verified <= cut) & (ended.is_null() | (verified <= ended))
    ended_otherwise = nw.when(ended <= cut).then(nw.lit(2)).otherwise(nw.lit(0))
    frame = frame.with_columns(_event=nw.when(in_time).then(nw.lit(1)).otherwise(ended_otherwise).cast(nw.Int64))
    last = nw.when(nw.col("_event") == 2).then(ended).otherwise(cut)
    frame = frame.with_columns(_last=nw.when(nw.col("_event") == 1).then(verified).otherwise(last))
    frame = frame.with_columns(_spent=nw.col("_last") - started)
    # The last one asked is the first one that counts.
    kind = nw.when(nw.col("_spent") < 0).then(nw.lit("clock_faults")).otherwise(nw.lit("seen"))
    kind = nw.when(started >= cut).then(nw.lit("immature")).otherwise(kind)
    kind = nw.when(nw.col(f"observable_{source}")).then(kind).otherwise(nw.lit("not_observable"))
    kind = nw.when(nw.col("unobserved")).then(nw.lit("unobserved")).otherwise(kind)
    kind = nw.when(nw.col("lowest_sequence") == 1).then(kind).otherwise(nw.lit("unknown"))
    frame = frame.with_columns(_class=kind)
    ticks = (nw.col("_spent") + (TICK_US - 1)) // TICK_US
    return frame.with_columns(_ticks=nw.when(nw.col("_class") == "seen").then(ticks))


def _warn(found: Sequence[tuple[str, Counts]], *, asked_by: str) -> None:
    """Say what a reader should doubt; pointed at the line that asked for the metric."""
    warn_if_stale(found[0][1].context, asked_by=asked_by, stacklevel=4)
    classes = [(each, counts.table["_class"]) for each, counts in found]
    if not any((kind == "seen").any() for _, kind in classes):
        named = " and ".join(repr(each) for each, _ in found)
        warnings.warn(
            f"{asked_by}: not observable: no session can be watched from {named}. Was the application's report of its "
            "verifications given to model.attempts (verifications=), and do callbacks say 'verified'?",
            DoubtfulWarning,
            stacklevel=3,
        )
    for each, counts in found:
        faults = int(counts.rows[counts.table["_class"] == "clock_faults"].sum())
        if faults:
            warnings.warn(
                f"{asked_by}: {faults} session{'s' * (faults > 1)} ended before the start according to {each!r}: a "
                "clock is wrong. They are left out; metrics.clock_faults(sessions) lists them",
                DoubtfulWarning,
                stacklevel=3,
            )


def _finish(source: str, counts: Counts, horizon: float) -> pd.DataFrame:
    """Make the rows of one source, group by group."""
    kind, event = counts.table["_class"], counts.table["_event"].to_numpy(dtype=float)
    seen = (kind == "seen").to_numpy(dtype=bool)
    beside = {name: counts.total(kind == name) for name in BESIDE}
    beside["censored"] = counts.total(seen & (event == 0))
    ticks = counts.table["_ticks"].to_numpy(dtype=float, na_value=np.nan)
    parts = [_measured([]).assign(_group=pd.Series(dtype="int64"), n=pd.Series(dtype="int64"))]
    for group in range(len(counts.groups)):
        mine = seen & (counts.place == group)
        rows = _rows(ticks[mine] / TICKS_PER_SECOND, event[mine], counts.rows[mine], horizon)
        parts.append(rows.assign(_group=group, n=counts.rows[mine].sum()))
    made = pd.concat(parts, ignore_index=True)
    group_of = made.pop("_group").to_numpy(dtype=np.int64)
    made = made.assign(
        **{name: values[group_of] for name, values in beside.items()},
        **{str(name): counts.groups[name].take(group_of).reset_index(drop=True) for name in counts.groups.columns},
        source=pd.Series(source, index=made.index, dtype="str"),
        horizon_seconds=horizon,
    )
    return with_context(made, counts.context, window=True)


def _rows(seconds: NDArray[Any], event: NDArray[Any], size: NDArray[Any], horizon: float) -> pd.DataFrame:
    """Make the measures of one group from its times, kinds of end and numbers of sessions."""
    if not len(seconds):
        return _measured([("not_observable", np.nan, np.nan)])
    curve = stats.cumulative_incidence(seconds, event, weights=size)
    shares = stats.incidence_at(curve, SHARES_WITHIN)
    times = stats.incidence_quantiles(curve, QUANTILES)
    grid = np.arange(np.floor(horizon) + 1)
    heights = stats.incidence_at(curve, grid)
    known = ~np.isnan(heights)
    grid, heights = grid[known], heights[known]
    kept = np.diff(heights, prepend=np.nan) != 0
    kept[-1:] = True
    return _measured(
        [
            *((f"within_{at}s", float(at), share) for at, share in zip(SHARES_WITHIN, shares, strict=True)),
            *((f"p{100 * share:g}", time, share) for share, time in zip(QUANTILES, times, strict=True)),
            ("restricted_mean", stats.restricted_mean(curve, horizon=horizon), np.nan),
            *(("curve", at, height) for at, height in zip(grid[kept], heights[kept], strict=True)),
        ]
    )


def _measured(rows: Sequence[tuple[str, float, float]]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["measure", "seconds", "rate"]).astype({"measure": "str"})
    none = pd.Series("none", index=made.index, dtype="str")
    return made.astype({"seconds": "float64", "rate": "float64"}).assign(low=np.nan, high=np.nan, interval=none)


def _in_order(parts: Sequence[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """Put the sources together, each whole, and the columns in the order the docstring has them."""
    first = [*names, "source", "measure", "seconds", "rate", "low", "high", "n", "interval", *BESIDE, "horizon_seconds"]
    made = pd.concat(parts, ignore_index=True)
    return made[[*first, *(name for name in made.columns if name not in first)]]
