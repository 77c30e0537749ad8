"""What share has arrived by when, if some still wait and some end otherwise? Aalen and Johansen."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify_analytics.errors import ArgumentError

from .checks import histories

Floats = NDArray[np.float64]

# Two heights of a curve this close are one height: products of fractions are not exact (as in R's survival).
SAME_HEIGHT = float(np.sqrt(np.finfo(float).eps))


class CumulativeIncidence(NamedTuple):
    """A step curve with what it was made of; every array has one value per distinct time, in rising order.

    `incidence` holds from its `time` up to the next one. `waiting` is the share with no end of any kind yet.
    `at_risk`, `events`, `competing` and `censored` are (weighted) counts: those still waiting just before that time,
    and what became of them at it. `variance` is that of `incidence`; its square root is the standard error.
    """

    time: Floats
    incidence: Floats
    waiting: Floats
    at_risk: Floats
    events: Floats
    competing: Floats
    censored: Floats
    variance: Floats


class Steps(NamedTuple):
    """The three curves that counts of ends give; one value per distinct time."""

    incidence: Floats
    waiting: Floats
    variance: Floats


def cumulative_incidence(
    durations: ArrayLike, events: ArrayLike, *, weights: ArrayLike | None = None, cause: int = 1
) -> CumulativeIncidence:
    """Say what share of all reach an end by each time, although some still wait and some end otherwise.

    The Aalen-Johansen estimator of the cumulative incidence of one cause. At each distinct time the share still
    waiting is multiplied by the fraction that reaches the end then; what ends otherwise leaves the waiting without
    arriving. With a single kind of end it is one minus Kaplan and Meier.

    Parameters
    ----------
    durations
        Times from the start, at least 0; one per unit, or one per group of units with the same time (see `weights`).
    events
        What happened then: 0 still waiting (censored), `cause` the end of interest, any other positive number a
        competing end.
    weights
        How many units each row stands for; fractions are taken. Without it, one each.
    cause
        The code of the end of interest.

    Returns
    -------
    CumulativeIncidence
        One value per distinct time. No data give empty arrays.

    Raises
    ------
    ArgumentError
        For arrays of different length, a negative or missing duration, an event code that is no whole number from 0
        up, or a negative or missing weight.

    Notes
    -----
    Equal times are one time, never jittered: ends at a time come before the censorings at the same time. The cost
    grows with the number of rows (once, to sort) and then with the number of distinct times.
    It takes censoring as telling nothing about the end to come. It is *not* the share among those that arrived, and
    not one minus Kaplan and Meier with the competing ends censored, which is too high.

    References
    ----------
    Aalen OO, Johansen S (1978), An empirical transition matrix for non-homogeneous Markov chains based on censored
    observations, Scand J Stat 5:141-150.

    Examples
    --------
    Five sessions: verified after 5 and 8, expired at 10, two seen for 6 seconds only.

    >>> curve = cumulative_incidence([5, 8, 10, 6], [1, 1, 2, 0], weights=[1, 1, 1, 2])
    >>> curve.time
    array([ 5.,  6.,  8., 10.])
    >>> curve.incidence.round(3)
    array([0.2, 0.2, 0.6, 0.6])
    """
    time, kind, weight = histories(durations, events, weights)
    distinct, place = np.unique(time, return_inverse=True)

    def total(chosen: NDArray[np.bool_]) -> Floats:
        return np.bincount(place[chosen], weights=weight[chosen], minlength=len(distinct)).astype(float)

    of_interest, competing, censored = total(kind == cause), total((kind != cause) & (kind != 0)), total(kind == 0)
    at_risk = np.cumsum((of_interest + competing + censored)[::-1])[::-1]
    steps = curve_of_counts(at_risk, of_interest, competing)
    return CumulativeIncidence(
        distinct, steps.incidence, steps.waiting, at_risk, of_interest, competing, censored, steps.variance
    )


def curve_of_counts(at_risk: Floats, events: Floats, competing: Floats) -> Steps:
    """Multiply up what happened at each time to those at risk then; all three from the first time on."""
    # Nobody at risk (all weights zero): nothing happens, and 0 / 0 must not poison what follows.
    safe = np.where(at_risk > 0, at_risk, 1.0)
    ends = events + competing
    # What rounding leaves of fractional weights is nobody.
    left = np.where(at_risk - ends > 1e-12 * at_risk, at_risk - ends, 0.0)
    waiting: Floats = np.cumprod(np.where((left > 0) | (at_risk <= 0), 1.0 - ends / safe, 0.0), dtype=float)
    before = np.concatenate(([1.0], waiting))[:-1]
    rise = before * events / safe
    # How uncertain the fraction that ends is, the rise itself, and how the two go together (multinomial counts).
    of_ends = np.where(left > 0, ends / (safe * np.where(left > 0, left, 1.0)), 0.0)
    of_rise = before**2 * events * (safe - events) / safe**3
    of_both = before * events / safe**2
    # An error at an earlier time carries over to all that rises later. The sums over the earlier times of
    # of_ends * (F(t) - F)² and of_both * (F(t) - F) grow by what each rise adds: all terms positive, one pass.
    ends_before = _before(of_ends)
    first_power = np.cumsum(rise * ends_before)
    second_power = np.cumsum(2 * rise * np.concatenate(([0.0], first_power))[:-1] + rise**2 * ends_before)
    together = np.cumsum(rise * _before(of_both))
    variance = np.maximum(second_power + np.cumsum(of_rise) - 2 * together, 0.0)
    # Rounding may lift the sum of all a hair above all.
    return Steps(np.minimum(np.cumsum(rise), 1.0), waiting, variance)


def _before(values: Floats) -> Floats:
    """Sum what stands before each place."""
    return np.concatenate(([0.0], np.cumsum(values)))[:-1]


def incidence_at(curve: CumulativeIncidence, times: ArrayLike) -> Floats:
    """Read off the curve: the share that has arrived by each of these times.

    Parameters
    ----------
    curve
        What `cumulative_incidence` gave.
    times
        When to look, in the unit of the durations.

    Returns
    -------
    numpy.ndarray
        One share per time. NaN after the last time of the curve if some were still waiting there, because nobody was
        watched for that long; NaN everywhere for an empty curve.

    Examples
    --------
    >>> incidence_at(cumulative_incidence([5, 8], [1, 0]), [4, 5, 8, 9])
    array([0. , 0.5, 0.5, nan])
    """
    at = np.atleast_1d(np.asarray(times, dtype=float))
    if not len(curve.time):
        return np.full(at.shape, np.nan)
    heights = np.concatenate(([0.0], curve.incidence))[np.searchsorted(curve.time, at, side="right")]
    return np.where(at <= known_until(curve), heights, np.nan)


def incidence_quantiles(curve: CumulativeIncidence, probabilities: ArrayLike) -> Floats:
    """Say by when a given share of all has arrived: ``0.5`` for the median over all, also those that never arrive.

    Parameters
    ----------
    curve
        What `cumulative_incidence` gave.
    probabilities
        Shares of all, each strictly between 0 and 1.

    Returns
    -------
    numpy.ndarray
        One time per share; NaN where the curve never rises that far ("p90 not reached").

    Raises
    ------
    ArgumentError
        For a probability outside (0, 1).

    Notes
    -----
    The first time at which the curve reaches the share. Where the curve runs flat at exactly that share (heights
    within 1.5e-8 are equal), any time of the flat piece would do, and the middle of the piece is given, the piece
    ending at the next rise, or at the last time somebody was watched. This is the rule of R's survival. One addition:
    where the flat piece is the curve's end and nobody was left waiting, the piece has no end, and its beginning is
    given.

    Examples
    --------
    >>> curve = cumulative_incidence([1, 2, 3, 4], [1, 1, 1, 2])
    >>> incidence_quantiles(curve, [0.3, 0.5, 0.9])
    array([2. , 2.5, nan])
    """
    asked = np.atleast_1d(np.asarray(probabilities, dtype=float))
    if not np.all((asked > 0) & (asked < 1)):
        raise ArgumentError(f"a quantile is asked for a share between 0 and 1, for example 0.5; got {probabilities!r}")
    reached = np.searchsorted(curve.incidence, asked - SAME_HEIGHT, side="left")
    beyond = np.searchsorted(curve.incidence, asked + SAME_HEIGHT, side="right")
    size = len(curve.time)
    until = known_until(curve)
    if until == -np.inf:
        return np.full(asked.shape, np.nan)
    first = curve.time[np.minimum(reached, size - 1)]
    last = first if until == np.inf else np.full(asked.shape, until)
    end = np.where(beyond < size, curve.time[np.minimum(beyond, size - 1)], last)
    flat = np.abs(curve.incidence[np.minimum(reached, size - 1)] - asked) <= SAME_HEIGHT
    return np.where(reached < size, np.where(flat, (first + end) / 2, first), np.nan)


def restricted_mean(curve: CumulativeIncidence, *, horizon: float) -> float:
    """Say how long one waits on average when nobody is watched for longer than `horizon`.

    The area over the curve, ``∫ (1 - F(t)) dt`` from 0 to the horizon: the mean of min(time, horizon), where those
    that never arrive, or end otherwise, count the whole horizon.

    Parameters
    ----------
    curve
        What `cumulative_incidence` gave.
    horizon
        Where the watch ends, in the unit of the durations; greater than 0.

    Returns
    -------
    float
        Between 0 and `horizon`. NaN for an empty curve, and where nobody was watched up to the horizon although some
        were still waiting.

    Raises
    ------
    ArgumentError
        For a horizon that is not a positive, finite number.

    References
    ----------
    Royston P, Parmar MKB (2013), Restricted mean survival time, BMC Med Res Methodol 13:152.

    Examples
    --------
    Three sessions: verified after 10 and 20 seconds, and never.

    >>> restricted_mean(cumulative_incidence([10, 20, 600], [1, 1, 2]), horizon=60)
    30.0
    """
    if not (np.isfinite(horizon) and horizon > 0):
        raise ArgumentError(f"the horizon is a time greater than 0; got {horizon!r}")
    if horizon > known_until(curve):
        return float("nan")
    inside = curve.time < horizon
    edges = np.concatenate(([0.0], curve.time[inside], [horizon]))
    heights = np.concatenate(([0.0], curve.incidence[inside]))
    return float(np.sum((1.0 - heights) * np.diff(edges)))


def known_until(curve: CumulativeIncidence) -> float:
    """Say up to which time the curve is known: for ever, if nobody was left waiting at its end."""
    watched = curve.time[curve.at_risk > 0]
    if not len(watched):
        return -np.inf
    return np.inf if curve.waiting[-1] <= SAME_HEIGHT else float(watched[-1])
