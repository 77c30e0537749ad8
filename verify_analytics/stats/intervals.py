"""How sure can we be of a curve of arrivals: all along it, at a time, and of its quantiles."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .checks import Floats, normal_quantile
from .incidence import CumulativeIncidence, incidence_at, incidence_quantiles, known_until


class Band(NamedTuple):
    """The lowest and the highest curve, point by point; one value per distinct time of the curve."""

    low: Floats
    high: Floats


class Estimate(NamedTuple):
    """Values with the lowest and the highest that the data leave plausible; one of each per question asked."""

    value: Floats
    low: Floats
    high: Floats


class Mean(NamedTuple):
    """A mean with the lowest and the highest that the data leave plausible; three numbers."""

    value: float
    low: float
    high: float


def incidence_band(curve: CumulativeIncidence, *, confidence: float = 0.95) -> Band:
    """Say between which curves the true one plausibly runs, at each time taken by itself.

    The interval is symmetric for log(-log F): from ``F ** exp(z s)`` to ``F ** exp(-z s)`` with
    ``s = sqrt(variance) / |F log F|``, so that it stays within 0 and 1.

    Parameters
    ----------
    curve
        What `cumulative_incidence` gave.
    confidence
        Two-sided coverage aimed at, for each time by itself; strictly between 0 and 1.

    Returns
    -------
    Band
        `low` and `high`; one value per distinct time of the curve. Empty for an empty curve.

    Raises
    ------
    ArgumentError
        For a confidence outside (0, 1).

    Notes
    -----
    While nobody has arrived the variance is 0, which is no knowledge: the band is then Wilson's for 0 of those whose
    state is known at that time (all but the ones censored before it). The same, from above, where everybody has
    arrived; there it is also no tighter than what the last ones at risk allow.
    It covers the curve at one time, not at all times at once. It is too narrow where few are left at risk, where one
    recipient stands behind several rows, and where censoring goes with slowness.

    References
    ----------
    Kalbfleisch JD, Prentice RL (2002), The Statistical Analysis of Failure Time Data, 2nd ed., Wiley, section 8.2.
    Choudhury JB (2002), Non-parametric confidence interval estimation for competing risks analysis, Stat Med
    21:1129-1144.

    Examples
    --------
    >>> from verify_analytics.stats import cumulative_incidence
    >>> low, high = incidence_band(cumulative_incidence([1, 2, 3, 4, 5, 6], [0, 1, 1, 2, 2, 0], cause=2))
    >>> low.round(4), high.round(4)
    (array([0.    , 0.    , 0.    , 0.0084, 0.052 , 0.052 ]), array([0.3903, 0.4345, 0.4345, 0.5819, 0.7528, 0.7528]))
    """
    return Band(*band_at(curve, curve.time, normal_quantile(confidence)))


def incidence_interval_at(curve: CumulativeIncidence, times: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Read off the curve, with its interval: the share that has arrived by each of these times.

    Parameters
    ----------
    curve
        What `cumulative_incidence` gave.
    times
        When to look, in the unit of the durations.
    confidence
        Two-sided coverage aimed at, strictly between 0 and 1.

    Returns
    -------
    Estimate
        `value` as `incidence_at` gives it, `low` and `high` as `incidence_band`; NaN where the share is not known.
        One value per time.

    Raises
    ------
    ArgumentError
        For a confidence outside (0, 1).

    Notes
    -----
    As for `incidence_band`: with no arrival by then the interval is Wilson's for 0 of those watched, not [0, 0].

    Examples
    --------
    >>> from verify_analytics.stats import cumulative_incidence
    >>> value, low, high = incidence_interval_at(cumulative_incidence([5, 8, 9, 9], [1, 1, 1, 2]), [3, 8])
    >>> value, low.round(3), high.round(3)
    (array([0. , 0.5]), array([0.   , 0.058]), array([0.49 , 0.845]))
    """
    z = normal_quantile(confidence)
    value = incidence_at(curve, times)
    low, high = band_at(curve, np.atleast_1d(np.asarray(times, dtype=float)), z)
    unknown = np.isnan(value)
    return Estimate(value, np.where(unknown, np.nan, low), np.where(unknown, np.nan, high))


def quantile_intervals(curve: CumulativeIncidence, probabilities: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Say by when a given share of all has arrived, and between which times that plausibly is.

    Parameters
    ----------
    curve
        What `cumulative_incidence` gave.
    probabilities
        Shares of all, each strictly between 0 and 1.
    confidence
        Two-sided coverage aimed at, strictly between 0 and 1.

    Returns
    -------
    Estimate
        `value` as `incidence_quantiles` gives it. `low` is the first time at which the upper curve of the band reaches
        the share, `high` the first at which the lower one does. Each of the three is NaN where its curve never rises
        that far: `high` often is, and says "no upper bound". One value per probability.

    Raises
    ------
    ArgumentError
        For a probability or a confidence outside (0, 1).

    Notes
    -----
    The times that a test of "the share by then is p" would not reject, for the same band (Brookmeyer and Crowley).
    `low` is 0 if so few are watched that even with no arrival the share cannot be excluded. Times rounded up make all
    three too late by up to one unit of rounding.

    References
    ----------
    Brookmeyer R, Crowley J (1982), A confidence interval for the median survival time, Biometrics 38:29-41.

    Examples
    --------
    >>> from verify_analytics.stats import cumulative_incidence
    >>> curve = cumulative_incidence(range(1, 21), [1] * 15 + [2] * 5)
    >>> quantile_intervals(curve, [0.25, 0.5, 0.8])
    Estimate(value=array([ 5.5, 10.5,  nan]), low=array([ 2.,  6., 13.]), high=array([10., nan, nan]))
    """
    z = normal_quantile(confidence)
    value = incidence_quantiles(curve, probabilities)
    if known_until(curve) == -np.inf:
        return Estimate(value, value.copy(), value.copy())
    asked = np.atleast_1d(np.asarray(probabilities, dtype=float))
    times = np.concatenate(([0.0], curve.time))
    low, high = band_at(curve, times, z)

    def first(bound: Floats) -> Floats:
        # Point by point a bound may fall again; the first time it reaches the share is what counts.
        place = np.searchsorted(np.maximum.accumulate(bound), asked, side="left")
        return np.append(times, np.nan)[place]

    return Estimate(value, first(high), first(low))


def band_at(
    curve: CumulativeIncidence, times: ArrayLike, z: float, *, everybody: float | None = None
) -> tuple[Floats, Floats]:
    """Give the bounds at any times, without asking whether the curve is known there."""
    at = np.asarray(times, dtype=float)
    if everybody is None:
        everybody = float(curve.at_risk[0]) if len(curve.time) else 0.0

    def held(values: Floats, side: Literal["left", "right"] = "right") -> Floats:
        return np.concatenate((np.zeros(1), values))[np.searchsorted(curve.time, at, side=side)]

    share, variance = held(curve.incidence), held(curve.variance)
    inside = (share > 0) & (share < 1) & (variance > 0)
    safe = np.where(inside, share, 0.5)
    with np.errstate(over="ignore"):
        power = np.exp(z * np.sqrt(variance) / np.abs(safe * np.log(safe)))
    low, high = safe**power, safe ** (1 / power)
    # With nobody, and with everybody, the variance is 0. What Wilson allows for 0 of n is z² / (n + z²).
    known = everybody - held(np.cumsum(curve.censored), "left")
    other = z * z / (known + z * z)
    before = np.concatenate((np.ones(1), curve.waiting))[:-1]
    last = held(before * z * z / (curve.at_risk + z * z))
    all_arrived = held(((curve.waiting == 0) & (np.cumsum(curve.competing) == 0)).astype(float)) > 0
    low = np.where(inside, low, np.where(all_arrived, 1 - np.maximum(other, last), 0.0))
    high = np.where(inside, high, np.where(all_arrived, 1.0, other))
    return low, high
