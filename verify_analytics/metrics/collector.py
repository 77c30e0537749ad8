"""Did our own collector listen, and what did it take in or refuse? Read from its pulse, minute by minute."""

import warnings
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame
from numpy.typing import NDArray

from verify_analytics import stats
from verify_analytics.errors import ArgumentError, DoubtfulWarning, near_name, options_by_name

from .arrivals import looked_from
from .by import ALL, PULSE_BY, By, checked_by, checked_totals, finished, in_order, is_time, key
from .counting import Context, Ints, moment, warn_if_stale, with_keys
from .engine import collected
from .gaps import gaps_between, pulse_rows
from .periods import HOUR_US, MINUTE_US
from .pulse_minutes import FOR, KINDS, TAKEN, V3_UNPROVED, each_collector, minutes_of

_COLUMNS = ("collector", "minute_us", *KINDS, "refused_by")


@options_by_name
def collector_health(
    pulse: IntoFrame | None, *, as_of: str | datetime, by: By = (), totals: bool = False
) -> pd.DataFrame:
    """Say how many requests the collector took in, put aside and refused, and for how many minutes it was down.

    Parameters
    ----------
    pulse
        As ``load.pulse`` gives it, of any engine, or None where the store has none: then nothing is known.
    as_of
        The moment we look from, with its time zone. Minutes that end later do not exist yet.
    by
        Up to two of ``collector``, a period of the minute in UTC (``day``, ``week``, …, ``"15min"``), ``hour`` and
        ``weekday``. Without ``collector`` a minute is down when no collector listened; with it, each is judged by
        itself, between its own first and last minute.
    totals
        Whether to add the rows of all together, marked ``"all"``: there a minute is down when no collector listened.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `measure`, `reason` (empty but for ``refused_for``), `count` (requests), `per_hour` (`count` /
        hours in which a collector listened), `low`, `high` and `interval` of `per_hour` (``"poisson_exact"``,
        ``"poisson_dispersed"``, or empty), `design_effect`, `minutes_up`, `minutes_down`, `gaps` (that begin in the
        group), `as_of`, `pooled` (``"all"`` or empty). The measures:

        ``accepted``
            Callbacks that were new to the store.
        ``repeated``
            Further arrivals of one nonce with the same content. Redeliveries with a nonce of their own are accepted:
            `webhook_health` counts both.
        ``v3_unproved``
            Of the accepted, repeated and quarantined: proved by V2 while a V3 signature came along that proved nothing.
            No refusals, and in no sum of them.
        ``quarantined``
            Proved requests that could not be read.
        ``refused``
            All refused requests; ``refused_for`` has them by reason, the most frequent first, ``"(not told)"`` where
            the pulse names none.
        ``not_observable``
            The only row where there is no pulse; its counts are 0 of nothing and no finding.

        One row per group, measure and reason; a reason that a group never met is no row of it.

    Raises
    ------
    ArgumentError
        For an `as_of` without zone, a `by` that is not allowed, or something that is no dataframe.
    SchemaError
        For a frame that lacks a column of ``load.pulse``.

    Warns
    -----
    DoubtfulWarning
        Where there is no pulse, and where `as_of` is later than the collector is known to have listened.

    Notes
    -----
    Only what is quarantined and refused has an interval: it comes by accident or from strangers, and its rate may be
    asked for. What is accepted follows the traffic. Refusals come in bursts (one wrong token, one scanner), which a
    Poisson interval does not expect. So where a group spans at least two clock hours, `design_effect` is by how much
    more they vary between hours than chance would have it (at least 1), and the interval is that of as many fewer
    events in as much less time. A burst that lasts for days is still one event and looks like many.
    Before the first and after the last minute nothing is known, which is no downtime.

    References
    ----------
    `verify_analytics.stats.poisson_exact`. Wedderburn R (1974), Quasi-likelihood functions, generalized linear models,
    and the Gauss-Newton method, Biometrika 61:439-447, for the dispersion (Pearson's chi-squared / degrees of freedom).
    """
    asked_by = "metrics.collector_health"
    names = checked_by(by, PULSE_BY, grain="minutes of the collector")
    is_whole_asked = checked_totals(totals)
    as_of_us = looked_from(as_of)
    # A minute that stands in the frame twice (files put together that overlap) is one.
    rows = pulse_rows(pulse, _COLUMNS, as_of_us=as_of_us).drop_duplicates(ignore_index=True)
    if not len(rows):
        _warn_of_nothing(asked_by)
        return _nothing(names, as_of_us)
    parts = [_measured(rows, names, pooled="")]
    if is_whole_asked and names:
        whole = _measured(rows, [], pooled=ALL)
        for name in reversed(names):
            values = [None] * len(whole) if is_time(name) else [ALL] * len(whole)
            whole.insert(0, name, pd.Series(values, index=whole.index, dtype=parts[0][name].dtype))
        parts.append(whole)
    made = pd.concat(parts, ignore_index=True)
    made.insert(made.columns.get_loc("pooled"), "as_of", _as_of(as_of_us, made.index))  # type: ignore[arg-type]
    warn_if_stale(_context(rows, as_of_us), asked_by=asked_by)
    return made


@options_by_name
def collector_gaps(
    pulse: IntoFrame | None, *, as_of: str | datetime, by: str | Iterable[str] | None = ()
) -> pd.DataFrame:
    """List the times in which no collector listened.

    Parameters
    ----------
    pulse, as_of
        As for `collector_health`.
    by
        Nothing, or ``collector``: then the gaps of each one are listed, also those in which another listened.

    Returns
    -------
    pandas.DataFrame
        `collector` (with that `by`), `from_at` (the first minute without a pulse), `to_at` (the first with one again),
        both UTC, `minutes`, `as_of`. In order of time. No rows where there were no gaps, and none where there is no
        pulse, with a warning: then they are not known. One row per gap.

    Raises
    ------
    ArgumentError, SchemaError
        As for `collector_health`.

    Warns
    -----
    DoubtfulWarning
        As for `collector_health`.
    """
    asked_by = "metrics.collector_gaps"
    names = [by] if isinstance(by, str) else list(by or [])
    if names not in ([], ["collector"]):
        raise ArgumentError(f"gaps cannot be listed by {', '.join(names)}: {near_name(names[0], ['collector'])}")
    as_of_us = looked_from(as_of)
    rows = pulse_rows(pulse, ["collector", "minute_us"], as_of_us=as_of_us)
    if not len(rows):
        _warn_of_nothing(asked_by)
    else:
        warn_if_stale(_context(rows, as_of_us), asked_by=asked_by)
    whole = [
        (name, gaps_between(of_one["minute_us"])) for name, of_one in each_collector(rows, by_collector=bool(names))
    ]
    listed = pd.DataFrame(
        [(name, gap.from_us, gap.to_us, gap.minutes) for name, gaps in whole for gap in gaps],
        columns=["collector", "from_at", "to_at", "minutes"],
    ).sort_values(["from_at", "collector"], ignore_index=True)
    for name in ("from_at", "to_at"):
        listed[name] = pd.to_datetime(listed[name].astype("Int64"), unit="us", utc=True).astype("datetime64[us, UTC]")
    listed = listed.astype({"collector": "str", "minutes": "int64"}).assign(as_of=_as_of(as_of_us, listed.index))
    return listed if names else listed.drop(columns="collector")


class _Grouped(NamedTuple):
    """Minutes with the group of each, and the groups in reading order."""

    minutes: pd.DataFrame
    place: Ints
    groups: pd.DataFrame

    def total(self, name: str) -> Ints:
        """Add up a column by group."""
        found = np.zeros(len(self.groups), dtype=np.int64)
        np.add.at(found, self.place, self.minutes[name].to_numpy(dtype=np.int64))
        return found


def _grouped(minutes: pd.DataFrame, names: Sequence[str]) -> _Grouped:
    if not names:
        return _Grouped(minutes, np.zeros(len(minutes), dtype=np.int64), pd.DataFrame(index=[0]))
    keyed = collected(with_keys(nw.from_native(minutes), names, started="minute_us"))
    keys = finished(keyed, names)
    groups = in_order(keys.drop_duplicates()).reset_index(drop=True)
    place = keys.merge(groups.reset_index(names="_place"), on=list(names), how="left")["_place"]
    return _Grouped(keyed, place.to_numpy(dtype=np.int64), groups)


def _measured(rows: pd.DataFrame, names: Sequence[str], *, pooled: str) -> pd.DataFrame:
    found = _grouped(minutes_of(rows, by_collector="collector" in names), names)
    reasons = sorted(name for name in found.minutes.columns if str(name).startswith(FOR))
    sums = {name: int(found.total(name).sum()) for name in reasons}
    words = sorted((name for name in reasons if sums[name]), key=lambda name: sums[name], reverse=True)
    columns = [*TAKEN, V3_UNPROVED, "quarantined", "refused", *words]
    parts = [_rows(found, column) for column in columns]
    made = pd.concat(parts).sort_values("_group", kind="stable").drop(columns="_group").reset_index(drop=True)
    # A reason that a group never met is no row of it.
    made = made[(made["reason"] == "") | (made["count"] > 0)].reset_index(drop=True)
    return made.assign(pooled=pd.Series(pooled, index=made.index, dtype="str"))


def _rows(found: _Grouped, column: str) -> pd.DataFrame:
    """Make one row per group for one column of counts."""
    count, up = found.total(column), found.total("up")
    hours = up / 60
    nothing = np.full(len(count), np.nan)
    low, high, effect = nothing, nothing, nothing
    kind = np.full(len(count), "", dtype=object)
    if column not in (*TAKEN, V3_UNPROVED):
        effect = _dispersion(found, column)
        shrink = np.where(np.isnan(effect), 1.0, effect)
        bounds = stats.poisson_exact(count / shrink, exposure=hours / shrink)
        low, high = np.asarray(bounds.low), np.asarray(bounds.high)
        kind = np.where(shrink > 1, "poisson_dispersed", "poisson_exact")
    reason = column.removeprefix(FOR) if column.startswith(FOR) else ""
    words = {"measure": "refused_for" if reason else column, "reason": reason}
    texts = {name: pd.Series(word, index=found.groups.index, dtype="str") for name, word in words.items()}
    return found.groups.assign(
        **texts,
        count=count,
        per_hour=np.divide(count, hours, out=np.full(len(count), np.nan), where=hours > 0),
        low=low,
        high=high,
        interval=pd.Series(kind, index=found.groups.index, dtype="str"),
        design_effect=effect,
        minutes_up=up,
        minutes_down=found.total("down"),
        gaps=found.total("gaps"),
        _group=range(len(count)),
    )


def _dispersion(found: _Grouped, column: str) -> NDArray[np.float64]:
    """Say by how much more counts vary between clock hours than chance would have it; NaN below two hours or events."""
    up = found.minutes["up"].to_numpy() == 1
    table = pd.DataFrame(
        {
            "place": found.place[up],
            "hour": found.minutes["minute_us"].to_numpy(dtype=np.int64)[up] // HOUR_US,
            "count": found.minutes[column].to_numpy(dtype=np.int64)[up],
            "minutes": 1,
        }
    )
    hours = table.groupby(["place", "hour"], as_index=False)[["count", "minutes"]].sum()
    whole = hours.groupby("place")[["count", "minutes"]].sum()
    rate = (whole["count"] / whole["minutes"]).reindex(hours["place"]).to_numpy()
    expected = rate * hours["minutes"].to_numpy()
    off = hours["count"].to_numpy() - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        chi = np.where(expected > 0, off * off / expected, np.nan)
    of_group = pd.Series(chi).groupby(hours["place"].to_numpy())
    total, size = of_group.sum(), of_group.size()
    enough = (size >= 2) & (whole["count"] >= 2)
    effect = (total / (size - 1).where(enough)).reindex(range(len(found.groups)))
    return np.maximum(effect.to_numpy(dtype=np.float64), 1.0)


def _context(rows: pd.DataFrame, as_of_us: int) -> Context:
    return Context(moment(as_of_us), np.nan, np.nan, moment(int(rows["minute_us"].max()) + MINUTE_US))


def _as_of(as_of_us: int, index: pd.Index) -> pd.Series:
    return pd.Series([moment(as_of_us)] * len(index), index=index, dtype="datetime64[us, UTC]")


def _warn_of_nothing(asked_by: str) -> None:
    warnings.warn(
        f"{asked_by}: not observable: there is no pulse, so nobody knows when the collector was up or what it refused. "
        "Was it brought in with load.pulse(...)?",
        DoubtfulWarning,
        stacklevel=4,
    )


def _nothing(names: Sequence[str], as_of_us: int) -> pd.DataFrame:
    """Make the one row that says that nothing is known."""
    group = finished(pd.DataFrame({key(name): [None] for name in names}, index=[0]), names)
    none = pd.DataFrame({"minute_us": [0], "up": [0], "down": [0], "gaps": [0], "accepted": [0]})
    made = _rows(_Grouped(none, np.zeros(1, dtype=np.int64), group), "accepted").drop(columns="_group")
    return made.assign(
        measure=pd.Series(["not_observable"], dtype="str"),
        as_of=_as_of(as_of_us, made.index),
        pooled=pd.Series([""], dtype="str"),
    )
