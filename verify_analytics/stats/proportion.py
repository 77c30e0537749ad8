"""How sure can we be of a share, and of the difference of two shares? Wilson, and Newcombe."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verify_analytics.errors import ArgumentError

from .checks import normal_quantile

# A number for a number, an array for an array.
Numbers = float | NDArray[np.float64]


class Interval(NamedTuple):
    """The lowest and the highest share that the data leave plausible."""

    low: Numbers
    high: Numbers


class Difference(NamedTuple):
    """The first share minus the second, and the interval of that difference."""

    difference: Numbers
    low: Numbers
    high: Numbers


def wilson(count: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Say between which shares the true one plausibly lies, given `count` successes among `n`.

    The score interval: the shares p for which `count` would not be a surprise under a normal approximation with the
    variance that p itself implies. It stays within [0, 1] and is not degenerate at 0 of n or n of n.

    Parameters
    ----------
    count
        Successes, at least 0 and at most `n`; a number or an array. Fractions are taken, for effective sizes.
    n
        Trials; same shape as `count` or broadcast against it. Where it is 0 both bounds are NaN.
    confidence
        Two-sided coverage aimed at, strictly between 0 and 1. A one-sided 95 % bound is one end of ``confidence=0.9``.

    Returns
    -------
    Interval
        `low` and `high` in [0, 1], floats for numbers, arrays for arrays; one value per pair of `count` and `n`.

    Raises
    ------
    ArgumentError
        For a count below 0 or above `n`, or a confidence outside (0, 1).

    Notes
    -----
    The interval takes trials as independent. Several attempts of one session are not: it is then too narrow.
    NaN in, NaN out. Coverage near 0 and 1 falls a little short of the nominal level (92 to 93 % for 95 %).

    References
    ----------
    Wilson EB (1927), Probable inference, the law of succession, and statistical inference, JASA 22:209-212.
    Newcombe RG (1998), Two-sided confidence intervals for the single proportion, Stat Med 17:857-872, method 3.

    Examples
    --------
    >>> low, high = wilson(190, 200)
    >>> f"{low:.4f} {high:.4f}"
    '0.9104 0.9726'
    >>> wilson(0, 0)
    Interval(low=nan, high=nan)
    """
    k, m = counts_of(count, n)
    z = normal_quantile(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = k / m
        middle = (p + z * z / (2 * m)) / (1 + z * z / m)
        half = z * np.sqrt(p * (1 - p) / m + z * z / (4 * m * m)) / (1 + z * z / m)
    # At the two ends the bound is exactly 0 or 1; rounding must not leave 1e-17 there.
    low = np.where(k == 0, 0.0, np.clip(middle - half, 0.0, 1.0))
    high = np.where(k == m, 1.0, np.clip(middle + half, 0.0, 1.0))
    known = m > 0
    return Interval(plain(np.where(known, low, np.nan)), plain(np.where(known, high, np.nan)))


def newcombe(
    count_1: ArrayLike, n_1: ArrayLike, count_2: ArrayLike, n_2: ArrayLike, *, confidence: float = 0.95
) -> Difference:
    """Say how far apart two shares plausibly are: the first minus the second, with its interval.

    Puts the two Wilson intervals together (Newcombe's hybrid score interval), for two independent groups.

    Parameters
    ----------
    count_1, n_1, count_2, n_2
        Successes and trials of either group; numbers or arrays that broadcast.
    confidence
        Two-sided coverage aimed at, strictly between 0 and 1.

    Returns
    -------
    Difference
        `difference`, `low`, `high` in [-1, 1]; NaN where either group is empty. One value per pair of groups.

    Raises
    ------
    ArgumentError
        As for `wilson`.

    Notes
    -----
    Not for the same sessions seen twice (paired data), nor for a before and after that share sessions.

    References
    ----------
    Newcombe RG (1998), Interval estimation for the difference between independent proportions: comparison of eleven
    methods, Stat Med 17:873-890, method 10.

    Examples
    --------
    >>> difference, low, high = newcombe(56, 70, 48, 80)
    >>> f"{difference:.4f} {low:.4f} {high:.4f}"
    '0.2000 0.0524 0.3339'
    """
    k_1, m_1 = counts_of(count_1, n_1)
    k_2, m_2 = counts_of(count_2, n_2)
    low_1, high_1 = wilson(k_1, m_1, confidence=confidence)
    low_2, high_2 = wilson(k_2, m_2, confidence=confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_1, p_2 = k_1 / m_1, k_2 / m_2
        difference = p_1 - p_2
        low = difference - np.hypot(p_1 - low_1, high_2 - p_2)
        high = difference + np.hypot(high_1 - p_1, p_2 - low_2)
    return Difference(plain(difference), plain(low), plain(high))


def counts_of(count: ArrayLike, n: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give both as float arrays of one shape, and refuse what cannot be counted."""
    try:
        k, m = np.broadcast_arrays(np.asarray(count, dtype=float), np.asarray(n, dtype=float))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"count and n must be numbers of one shape; got {count!r} and {n!r}") from error
    wrong = (k < 0) | (k > m)
    if np.any(wrong):
        first = np.flatnonzero(wrong)[0]
        raise ArgumentError(f"a count lies between 0 and n; got {k.flat[first]:g} of {m.flat[first]:g}")
    return k, m


def plain(values: NDArray[np.float64]) -> Numbers:
    """Give a number for an array without dimensions."""
    return float(values) if values.ndim == 0 else values
