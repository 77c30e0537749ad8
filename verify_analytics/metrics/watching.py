"""For how long was each unit watched, and what became of it? Counted in the engine, by group, in whole hundredths.

Times are whole ticks here and seconds only at the end: sums of fractions of a second are not exact, and "within 10 s"
must be.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify_analytics import stats
from verify_analytics.model.frames import Frame
from verify_analytics.model.moments import SECOND_US

from .counting import Counts, Ints, count_rows
from .judged import CLOCK_FAULTS, NOT_OBSERVABLE, SEEN
from .outcomes import LEFT_OUT
from .tally import tally

# Times are grouped in the engine, rounded up, so that what comes over is bounded and "within 10 s" stays exact.
TICK_US = 10_000
TICKS_PER_SECOND = SECOND_US // TICK_US
LONGEST_SECONDS = 86_400

# Why a unit is in no curve; and, last, how many of those in one were still waiting.
BESIDE = (*LEFT_OUT, NOT_OBSERVABLE, CLOCK_FAULTS, "censored")

Floats = NDArray[np.float64]


def with_ticks(frame: Frame) -> Frame:
    """Add `_ticks`, the time of a unit in whole ticks, rounded up; nobody is watched for longer than a day.

    Parameters
    ----------
    frame
        With `_class`; `_event`, 0 for a unit still waiting, 1 for one that arrived, 2 for one that ended otherwise; and
        `_spent`, how long it was watched, in microseconds.
    """
    seen = nw.col("_class") == SEEN
    beyond = nw.col("_spent") > LONGEST_SECONDS * SECOND_US
    # Those that wait for ever would each have a time of their own, and bring the whole table over.
    shortened = frame.with_columns(
        _event=nw.when(beyond).then(nw.lit(0)).otherwise(nw.col("_event")).cast(nw.Int64),
        _watched=nw.when(beyond).then(nw.lit(LONGEST_SECONDS * SECOND_US)).otherwise(nw.col("_spent")),
    )
    ticks = (nw.col("_watched") + (TICK_US - 1)) // TICK_US
    return shortened.with_columns(_ticks=nw.when(seen).then(ticks))


class Watched(NamedTuple):
    """Units counted by split, class, kind of end and time, and the design effect of each group."""

    counts: Counts
    effect: Floats


def watched(
    frame: Frame,
    names: Sequence[str],
    *,
    unit: str,
    cluster: str,
    context: Sequence[str],
    top: int | None,
    also: Sequence[str] = (),
) -> Watched:
    """Count units in the engine, and say how much less they tell where those of one cluster are alike.

    Parameters
    ----------
    frame
        What `with_ticks` gave, with ``started_us`` and ``mature``.
    names
        The split, already checked.
    unit
        ``"session"`` or ``"attempt"``.
    cluster
        The unit of independence, already checked. Sessions are taken as independent without asking.
    context
        The columns that say from when and how the data are seen.
    top
        How many groups are kept apart.
    also
        More columns to count by.
    """
    counts = count_rows(
        frame, names, ["_class", "_event", "_ticks", *also], started="started_us", context=context, top=top
    )
    if unit == cluster:
        return Watched(counts, np.ones(len(counts.groups)))
    # How alike those of one cluster are is taken from the share that arrived in the end, of those old enough.
    decided = (nw.col("_class") == SEEN) & nw.col("mature")
    arrived = nw.when(decided & (nw.col("_event") == 1)).then(nw.lit("arrived"))
    category = arrived.otherwise(nw.when(decided).then(nw.lit("not")).otherwise(nw.lit("beside")))
    found = tally(
        frame,
        names,
        category,
        ("arrived", "not", "beside"),
        started="started_us",
        cluster=cluster,
        context=context,
        top=top,
        of_sessions=unit == "session",
    )
    effect = stats.cluster_wilson(found.clusters(["arrived"], ["arrived", "not"])).design_effect
    return Watched(counts, effect)


class Units(NamedTuple):
    """The units of one group that can be watched: how long, to which end, how many; in order of time.

    `effect` is the design effect, NaN where it could not be estimated.
    """

    ticks: Floats
    event: Floats
    size: Ints
    effect: float

    @property
    def n(self) -> int:
        """Number of units."""
        return int(self.size.sum())

    def curve(self) -> stats.CumulativeIncidence:
        """Give the share arrived by each tick, with the variance of as many independent units as these are worth."""
        worth = self.size / (1.0 if np.isnan(self.effect) else self.effect)
        return stats.cumulative_incidence(self.ticks, self.event, weights=worth)

    def arrived(self, ticks: ArrayLike) -> Ints:
        """Count those seen to arrive by each of these times."""
        return self._before(self.size * (self.event == 1), ticks, "right")

    def waiting(self, ticks: ArrayLike, *, after: bool = False) -> Ints:
        """Count those still waiting, and watched, just before each of these times (or just after)."""
        return self.n - self._before(self.size, ticks, "right" if after else "left")

    def _before(self, sizes: Ints, ticks: ArrayLike, side: str) -> Ints:
        sums = np.concatenate(([0], np.cumsum(sizes)))
        at = np.atleast_1d(np.asarray(ticks, dtype=float))
        # Side is one of two words; numpy's declaration wants them written out.
        places = np.searchsorted(self.ticks, at, side="right" if side == "right" else "left")
        return np.asarray(sums[places], dtype=np.int64)

    def interval(self, kind: str) -> str:
        """Name the kind of interval; what could not be widened for clusters is marked by its plain name."""
        return kind if np.isnan(self.effect) else f"cluster_{kind}"


def units_by_group(found: Watched) -> Iterator[Units]:
    """Give the units of each group, in the order of the groups."""
    table, place = found.counts.table, found.counts.place
    seen = (table["_class"] == SEEN).to_numpy(dtype=bool)
    ticks = table["_ticks"].to_numpy(dtype=float, na_value=np.nan)
    event = table["_event"].to_numpy(dtype=float)
    # In one order, because sums of fractions depend on it and engines give rows in any.
    order = np.lexsort((found.counts.rows, event, ticks, place))
    order = order[seen[order]]
    cuts = np.searchsorted(place[order], np.arange(len(found.counts.groups) + 1))
    for group, effect in enumerate(found.effect):
        mine = order[cuts[group] : cuts[group + 1]]
        yield Units(ticks[mine], event[mine], found.counts.rows[mine], float(effect))


def left_beside(counts: Counts) -> dict[str, Ints]:
    """Count what is in no curve, by reason, and those in one that were still waiting when last watched."""
    kind = counts.table["_class"]
    found = {name: counts.total(kind == name) for name in BESIDE}
    waiting = (kind == SEEN).to_numpy(dtype=bool) & (counts.table["_event"].to_numpy(dtype=float) == 0)
    found["censored"] = counts.total(waiting)
    return found
