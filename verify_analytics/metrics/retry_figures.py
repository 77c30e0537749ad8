"""The figures on retries, made from two small tables of counts: one of sessions, one of the gaps between attempts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from verify_analytics import stats

from .counting import Counts, Ints
from .frames import in_long_form, rate_rows, with_context
from .judged import NOT_OBSERVABLE, SEEN
from .outcomes import LEFT_OUT
from .retry_sessions import BLIND, CLUSTER, MOST, VERIFIED

GAP_QUANTILES = (0.5, 0.9)
Mask = NDArray[np.bool_]
BETWEEN = "\n"  # between the two channels of a flow; no channel holds it

# What a figure that is no rate has of its own.
REPLACED = ("rate", "low", "high", "interval", "design_effect")
COLUMNS = (
    "source",
    "from_channel",
    "to_channel",
    "measure",
    "count",
    "n",
    "rate",
    "mean",
    "seconds",
    "low",
    "high",
    "interval",
    "design_effect",
    *LEFT_OUT,
    NOT_OBSERVABLE,
    "incomplete",
)


class Part(NamedTuple):
    """One measure of all groups: `figures` replace those of a rate, and `shown` are the groups that have it."""

    measure: str
    above: Ints
    below: Ints
    clusters: stats.Clusters
    source: str = ""
    flow: str = ""
    figures: Mapping[str, NDArray[Any]] = {}
    shown: Mask | None = None


class Figures:
    """The measures of all groups, made from two small tables of counts."""

    def __init__(self, counts: Counts, gaps: Counts, sources: Sequence[str]) -> None:
        self.counts, self.gaps, self.sources = counts, gaps, sources
        self.groups = counts.groups
        table = counts.table
        self.seen: Mask = (table["_class"] == SEEN).to_numpy(dtype=bool)
        self.reached = table["_reached"].to_numpy(dtype=float, na_value=0)
        self.furthest = int(self.reached[self.seen].max(initial=2))
        known = (table["_from"].notna() & table["_to"].notna()).to_numpy(dtype=bool)
        named = table["_from"].astype("str") + BETWEEN + table["_to"].astype("str")
        self.flow = np.where(known, named.to_numpy(dtype=object), "")
        self.flows = sorted(set(self.flow[self.seen & known]))
        self.unit, self.units = _numbered(counts)
        self.left_out = {name: counts.total(table["_class"] == name) for name in LEFT_OUT}
        self.left_out["incomplete"] = counts.total(self.seen & ~table["complete"].to_numpy(dtype=bool))

    def frame(self) -> pd.DataFrame:
        """Give all measures, group by group; made at once, because a frame for each measure takes far longer."""
        parts = [*self.without_source(), *(part for each in self.sources for part in self.of_source(each))]
        group = np.tile(np.arange(len(self.groups)), len(parts))
        made = rate_rows(
            self.groups.take(group).reset_index(drop=True),
            [part.measure for part in parts for _ in range(len(self.groups))],
            np.concatenate([part.above for part in parts]),
            np.concatenate([part.below for part in parts]),
            clusters=stats.Clusters(*(np.concatenate(each) for each in zip(*(p.clusters for p in parts), strict=True))),
        )
        named = {"source": [part.source for part in parts]}
        for number, name in ((0, "from_channel"), (2, "to_channel")):
            named[name] = [part.flow.partition(BETWEEN)[number] for part in parts]
        blind = {source: self.blind(source) for source in ("", *self.sources)}
        made = made.assign(
            **{name: pd.Series(np.repeat(each, len(self.groups)), dtype="str") for name, each in named.items()},
            **{name: values[group] for name, values in self.left_out.items()},
            not_observable=np.concatenate([blind[part.source] for part in parts]),
            **{name: self.replaced(parts, name, made.get(name)) for name in ("mean", "seconds", *REPLACED)},
            _group=group,
        )
        everywhere = np.ones(len(self.groups), dtype=bool)
        shown = np.concatenate([everywhere if part.shown is None else part.shown for part in parts])
        first = [*self.groups.columns, *COLUMNS, "_group"]
        return with_context(in_long_form([made.loc[shown, first]]), self.counts.context, window=True)

    def replaced(self, parts: Sequence[Part], name: str, rates: pd.Series | None) -> pd.Series:
        """Give a column of figures: a rate's own, or those of a part that is no rate."""
        size = len(self.groups)
        values = np.full(size * len(parts), np.nan) if rates is None else rates.to_numpy(copy=True)
        for number, part in enumerate(parts):
            if name in part.figures:
                values[number * size : (number + 1) * size] = part.figures[name]
        return pd.Series(values, dtype="float64" if rates is None else rates.dtype)

    def blind(self, source: str) -> Ints:
        """Count the sessions of each group of which a source cannot tell how they ended."""
        blind = (self.counts.table[f"_end_{source}"] == BLIND).to_numpy(dtype=bool) if source else ~self.seen
        return self.counts.total(self.seen & blind)

    def without_source(self) -> Iterator[Part]:
        """Give what needs no verification: how far, how soon, too early, on which channel."""
        seen = self.seen
        yield self.mean_attempts()
        for k in range(2, self.furthest + 1):
            yield self.rates(f"reaches_attempt_{k}", seen & (self.reached >= k), seen)
        for k in range(2, self.furthest + 1):
            yield from self.gap(k)
        for measure, name in (("resent_too_early", "_resent"), ("fell_back_too_early", "_fell")):
            early = self.counts.table[name].to_numpy(dtype=float, na_value=np.nan)
            yield self.rates(measure, seen & (early == 1), seen & ~np.isnan(early))
        moved = seen & (self.flow != "")
        for flow in self.flows:
            yield self.rates("second_attempt", moved & (self.flow == flow), moved, flow=flow)

    def of_source(self, source: str) -> Iterator[Part]:
        """Give what one source says of the verifications."""
        end = self.counts.table[f"_end_{source}"].to_numpy(dtype=float)
        seen, verified = self.seen & (end != BLIND), end == VERIFIED
        # From the last attempt that is told apart there is no next one.
        for k in range(1, min(self.furthest, MOST - 1) + 1):
            chosen = seen & (self.reached >= k)
            there = chosen & verified & (self.reached == k)
            yield self.rates(f"verified_before_attempt_{k + 1}", there, chosen, source=source)
        # An attempt is a fallback only while nobody was verified, so what was verified came after it.
        fell_back = seen & self.counts.table["fell_back"].to_numpy(dtype=bool)
        yield self.rates("rescue", fell_back & verified, fell_back, source=source)
        for flow in self.flows:
            chosen = seen & (self.flow == flow)
            yield self.rates("second_attempt_then_verified", chosen & verified, chosen, source=source, flow=flow)

    def rates(self, measure: str, chosen: Mask, among: Mask, *, source: str = "", flow: str = "") -> Part:
        """Make one measure; of a flow, only for the groups in which it was seen."""
        shown = self.counts.total(self.seen & (self.flow == flow)) > 0 if flow else None
        count, n = self.counts.total(chosen), self.counts.total(among)
        return Part(measure, count, n, self.clusters(chosen, among), source, flow, shown=shown)

    def clusters(self, chosen: Mask, among: Mask) -> stats.Clusters:
        """Sum up the clusters of each group: sessions that are alone by their numbers, the others by whose they are."""
        alone = self.unit < 0
        count, n = (self.counts.total(mask & alone).astype(float) for mask in (chosen, among))
        in_count, in_n = (
            np.bincount(self.unit[mask & ~alone], self.counts.rows[mask & ~alone], len(self.units))
            for mask in (chosen, among)
        )
        several = stats.clusters_of(in_count, in_n, group=self.units, groups=len(self.groups))
        # Of a session that is alone every sum over sizes is its one trial, and over successes its one success or none.
        single = stats.Clusters(count, n, clusters=n, squares=n, spread=count, successes_squared=count, products=count)
        return stats.Clusters(*(one + other for one, other in zip(single, several, strict=True)))

    def bare(self, measure: str, count: Ints, n: Ints, kind: str, figures: Mapping[str, NDArray[Any]]) -> Part:
        """Make a measure that is no rate, with its own figures and a kind of interval."""
        nothing = np.zeros(len(self.counts.rows), dtype=bool)
        interval = np.where(np.isnan(figures["low"]), "none", kind).astype(object)
        own = {"rate": np.full(len(n), np.nan), "interval": interval, **figures}
        return Part(measure, count, n, self.clusters(nothing, nothing), figures=own)

    def mean_attempts(self) -> Part:
        """Make the mean number of attempts."""
        attempts = self.counts.table["attempts_before_verified"].to_numpy(dtype=float, na_value=0).astype(np.int64)
        found = []
        for group in range(len(self.groups)):
            mine = self.seen & (self.counts.place == group)
            # By value, so that sums do not depend on the order in which an engine gives its rows.
            sessions = np.bincount(attempts[mine], self.counts.rows[mine], 1).astype(np.int64)
            number = np.arange(len(sessions))
            found.append((number @ sessions, *stats.mean_interval(number, weights=sessions)))
        count, mean, low, high = np.array(found, dtype=float).reshape(-1, 4).T
        figures = {"mean": mean, "low": low, "high": high}
        sessions_seen = self.counts.total(self.seen)
        return self.bare("attempts_per_session", count.astype(np.int64), sessions_seen, "t", figures)

    def gap(self, k: int) -> Iterator[Part]:
        """Make the quantiles of the time from attempt k - 1 to k."""
        table = self.gaps.table
        of_k = table["attempt_sequence"].to_numpy(dtype=float) == k
        seconds = table["seconds_since_previous"].to_numpy(dtype=float)
        size = np.zeros(len(self.groups), dtype=np.int64)
        found = np.full((3, len(GAP_QUANTILES), len(self.groups)), np.nan)
        # Groups of the gaps are found among the groups of the sessions, for not every group has a gap.
        for place, group in enumerate(_places(self.groups, self.gaps.groups)):
            mine = of_k & (self.gaps.place == place)
            curve = stats.cumulative_incidence(seconds[mine], np.ones(mine.sum()), weights=self.gaps.rows[mine])
            size[group] = self.gaps.rows[mine].sum()
            found[:, :, group] = stats.quantile_intervals(curve, GAP_QUANTILES)
        for number, share in enumerate(GAP_QUANTILES):
            figures = dict(zip(("seconds", "low", "high"), found[:, number], strict=True))
            yield self.bare(f"gap_to_attempt_{k}_p{100 * share:g}", size, size, "log_log", figures)


def _numbered(counts: Counts) -> tuple[Ints, Ints]:
    """Give recipients of several sessions a number in each group: each row's (-1 for none), and each number's group."""
    named = pd.DataFrame({"place": counts.place, "unit": counts.table[CLUSTER].astype("str").to_numpy()})
    several = (named["unit"] != "").to_numpy()
    numbers = named[several].groupby(["place", "unit"], sort=True).ngroup().to_numpy(dtype=np.int64)
    unit = np.full(len(named), -1, dtype=np.int64)
    unit[several] = numbers
    group_of = np.zeros(numbers.max(initial=-1) + 1, dtype=np.int64)
    group_of[numbers] = counts.place[several]
    return unit, group_of


def _places(groups: pd.DataFrame, some: pd.DataFrame) -> list[int]:
    """Say where each of some groups stands among all of them."""
    if not len(groups.columns):
        return [0] * len(some)
    numbered = groups.assign(_group=range(len(groups)))
    return [int(place) for place in some.merge(numbered, on=list(groups.columns), how="left")["_group"]]
