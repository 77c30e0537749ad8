"""Simulates histories in several processes, gathers the estimates and compares them with the truth."""

import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench._estimators import ESTIMATORS, Estimates, Estimator, estimate
from bench._truths import Truth, truth_of
from bench._worlds import WORLDS, World, batch
from verify_analytics.errors import DoubtfulWarning

BATCH = 50
CONFIDENCE = 0.95
TOLERANCE = 3.0
"""How many Monte Carlo errors off the mark a coverage must be before it is marked."""

Floats = NDArray[np.float64]


class Verdict(NamedTuple):
    """How an estimator did in a world; each error is one Monte Carlo standard error.

    `spread` is the root of the mean squared error, `none` the share of histories (or groups) without an interval,
    `below` and `above` the shares of intervals that lie wholly below and above the truth.
    """

    true: float
    mean: float
    bias: float
    bias_error: float
    spread: float
    coverage: float
    coverage_error: float
    width: float
    none: float
    below: float
    above: float

    @property
    def is_off(self) -> bool:
        """Whether the coverage differs from 95 % by more than chance explains."""
        return abs(self.coverage - CONFIDENCE) > TOLERANCE * self.coverage_error


def verdict_of(found: Estimates, truth: float | dict[str, float], *, of_truth: float) -> Verdict:
    """Compare estimates with the truth.

    Parameters
    ----------
    found
        Estimates of many histories.
    truth
        What is true: one number, or one for each group.
    of_truth
        How large a history is beside the one that the truth was read off: the truth has its share of chance too.
    """
    true = np.array([truth.get(str(one), np.nan) for one in found.group]) if isinstance(truth, dict) else truth
    true = np.broadcast_to(np.asarray(true, dtype=float), found.value.shape)
    some = ~np.isnan(found.value) & ~np.isnan(true)
    whole = some & ~np.isnan(found.low) & ~np.isnan(found.high)
    off = (found.value - true)[some]
    low, high, aim = found.low[whole], found.high[whole], true[whole]
    # An exact 0 or 1 may come out as its neighbour.
    below, above = high < aim - 1e-12, low > aim + 1e-12
    error = _error_of_mean(off, found.history[some])
    chance = error * math.sqrt(max(1, len(np.unique(found.history[some]))) * of_truth)
    hits = ~(below | above)
    # Where hardly any interval misses, what is seen of the spread says nothing: what 95 % would have is taken.
    least = math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / len(hits)) if len(hits) else math.nan
    return Verdict(
        true=_mean(true[some]),
        mean=_mean(found.value[some]),
        bias=_mean(off),
        bias_error=math.hypot(error, chance),
        spread=math.sqrt(_mean(off**2)) if len(off) else math.nan,
        coverage=_mean(hits),
        coverage_error=max(least, _error_of_mean(hits, found.history[whole])) if len(hits) else math.nan,
        width=_mean(high - low),
        none=1 - _mean(whole),
        below=_mean(below),
        above=_mean(above),
    )


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _error_of_mean(values: NDArray[Any], history: NDArray[np.int64]) -> float:
    """Give the standard error of a mean, groups of one history taken together."""
    if not len(values):
        return math.nan
    off = np.asarray(values, dtype=float) - _mean(values)
    _, place = np.unique(history, return_inverse=True)
    return math.sqrt(float(np.sum(np.bincount(place, weights=off) ** 2))) / len(off)


class Job(NamedTuple):
    """Some histories of one world, for one process."""

    world: int
    seeds: range
    kept: Path | None


def work(job: Job) -> dict[str, Estimates]:
    """Make the estimates of some histories."""
    world = WORLDS[job.world]
    with warnings.catch_warnings():
        # Small histories are full of doubtful things, and a thousand warnings help nobody.
        warnings.simplefilter("ignore", DoubtfulWarning)
        return estimate(world, batch(world, job.seeds, job.kept))


def gathered(world: World, histories: int, pool: Pool, kept: Path | None) -> dict[str, Estimates]:
    """Make the estimates of all histories of a world, with progress."""
    seeds = [range(first, min(first + BATCH, histories)) for first in range(0, histories, BATCH)]
    began, parts = time.perf_counter(), list[dict[str, Estimates]]()
    for part in pool.imap(work, [Job(WORLDS.index(world), each, kept) for each in seeds]):
        parts.append(part)
        done, took = seeds[len(parts) - 1].stop, time.perf_counter() - began
        print(f"  {world.name}: {done:,} of {histories:,} histories, {took:.0f} s", file=sys.stderr, flush=True)
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts: Sequence[Estimates]) -> Estimates:
    return Estimates(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Truths:
    """The truths of worlds; worlds that differ only in what becomes of callbacks share one."""

    def __init__(self, sessions: int) -> None:
        self.sessions = sessions
        self._known: dict[str, Truth] = {}

    def of(self, world: World) -> Truth:
        """Give the truth of a world, made once."""
        features = world.features
        people = repr([getattr(features, name) for name in OF_PEOPLE])
        if people not in self._known:
            print(f"  {world.name}: the truth, of {self.sessions:,} sessions", file=sys.stderr, flush=True)
            # One at a time: each is some hundred MB.
            self._known = {people: truth_of(world, self.sessions)}
        return self._known[people]


# What decides what people and networks do, and what receipts say; the rest is only about what arrives.
OF_PEOPLE = (
    *("resends", "fallback", "voice_first", "reuse", "returning", "bots"),
    *("no_receipts", "missing_receipts", "lying_receipts", "odd_channel", "odd_code"),
)


def judged(
    world: World, truth: Truth, found: dict[str, Estimates], sessions: int
) -> Iterator[tuple[Estimator, Verdict]]:
    """Give the verdict on each estimator of a world."""
    size = sum(world.sessions) / 2
    for one in ESTIMATORS:
        if one.name in found:
            yield one, verdict_of(found[one.name], one.truth(truth), of_truth=size / sessions)
