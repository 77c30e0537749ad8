"""What the functions of this room accept, refused with one clear sentence each."""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify_analytics.errors import ArgumentError

Floats = NDArray[np.float64]


def normal_quantile(confidence: float) -> float:
    """Give the z of a two-sided confidence, 1.96 for 0.95."""
    return NormalDist().inv_cdf(1 - one_tail(confidence))


def one_tail(confidence: float) -> float:
    """Give what a two-sided confidence leaves on either side, 0.025 for 0.95."""
    if not 0 < confidence < 1:
        raise ArgumentError(f"confidence lies between 0 and 1, for example 0.95; got {confidence!r}")
    return (1 - confidence) / 2


def histories(
    durations: ArrayLike, events: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Give the three as arrays of one length, and refuse what no curve can be made of."""
    time = np.atleast_1d(np.asarray(durations, dtype=float))
    kind = np.atleast_1d(np.asarray(events))
    weight = np.ones(time.shape) if weights is None else np.atleast_1d(np.asarray(weights, dtype=float))
    if time.ndim != 1 or not time.shape == kind.shape == weight.shape:
        raise ArgumentError(
            f"durations, events and weights must have one length; got {time.shape}, {kind.shape}, {weight.shape}"
        )
    if not np.all(np.isfinite(time)) or np.any(time < 0):
        wrong = time[~(np.isfinite(time) & (time >= 0))][0]
        raise ArgumentError(f"a duration is a number from 0 up; got {wrong:g} (set such rows aside, do not clamp them)")
    code = kind.astype(float)
    if not np.all(np.isfinite(code) & (code >= 0) & (code == np.floor(code))):
        raise ArgumentError("an event is a whole number: 0 for still waiting, from 1 up for a kind of end")
    if not np.all(np.isfinite(weight)) or np.any(weight < 0):
        raise ArgumentError("a weight is a number from 0 up: how many units the row stands for")
    return time, code.astype(np.int64), weight
