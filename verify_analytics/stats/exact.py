"""How sure can we be of a share, by the binomial distribution itself? Clopper and Pearson, and Jeffreys."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from .checks import Floats, one_tail
from .proportion import Interval, counts_of, plain
from .special import beta_quantile


def clopper_pearson(count: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Say between which shares the true one lies with at least the stated certainty, whatever it is.

    The exact interval: the shares for which `count` or fewer, and `count` or more, each have at least a probability of
    (1 - confidence) / 2. Its bounds are quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k).

    Parameters
    ----------
    count
        Successes, at least 0 and at most `n`; a number or an array. Fractions are taken, for effective sizes.
    n
        Trials; same shape as `count` or broadcast against it. Where it is 0 both bounds are NaN.
    confidence
        Two-sided coverage guaranteed, strictly between 0 and 1.

    Returns
    -------
    Interval
        `low` and `high` in [0, 1]; one value per pair of `count` and `n`.

    Raises
    ------
    ArgumentError
        As for `wilson`.

    Notes
    -----
    Wider than it need be: its true coverage is often 97 or 98 % for 95 %. Take it for a promise ("at least"), and
    `wilson` for a table. It takes trials as independent. NaN in, NaN out.

    References
    ----------
    Clopper CJ, Pearson ES (1934), The use of confidence or fiducial limits illustrated in the case of the binomial,
    Biometrika 26:404-413.

    Examples
    --------
    >>> low, high = clopper_pearson(1, 29)
    >>> f"{low:.4f} {high:.4f}"
    '0.0009 0.1776'
    """
    return _by_beta(count, n, confidence, lambda k, left: (k, left + 1), lambda k, left: (k + 1, left))


def jeffreys(count: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Say between which shares the true one plausibly lies, if beforehand each was as good as another.

    Quantiles of Beta(k + ½, n - k + ½): the posterior of Jeffreys' prior, with 0 for the lower bound at 0 of n and 1
    for the upper one at n of n.

    Parameters
    ----------
    count, n, confidence
        As for `clopper_pearson`; coverage is aimed at, not guaranteed.

    Returns
    -------
    Interval
        `low` and `high` in [0, 1]; one value per pair of `count` and `n`. NaN where `n` is 0.

    Raises
    ------
    ArgumentError
        As for `wilson`.

    Notes
    -----
    About as good as `wilson` on the average, with coverage that dips near 0 and 1. It takes trials as independent.

    References
    ----------
    Brown LD, Cai TT, DasGupta A (2001), Interval estimation for a binomial proportion, Stat Sci 16:101-133.

    Examples
    --------
    >>> low, high = jeffreys(4, 20)
    >>> f"{low:.4f} {high:.4f}"
    '0.0715 0.4082'
    """
    return _by_beta(count, n, confidence, lambda k, left: (k + 0.5, left + 0.5), lambda k, left: (k + 0.5, left + 0.5))


def _by_beta(
    count: ArrayLike,
    n: ArrayLike,
    confidence: float,
    lower: Callable[[Floats, Floats], tuple[Floats, Floats]],
    upper: Callable[[Floats, Floats], tuple[Floats, Floats]],
) -> Interval:
    k, m = counts_of(count, n)
    tail = one_tail(confidence)
    low, high = np.where(m > 0, 0.0, np.nan), np.where(m > 0, 1.0, np.nan)
    some, not_all = (k > 0) & (m > 0), (k < m) & (m > 0)
    low[some] = beta_quantile(tail, *lower(k[some], (m - k)[some]))
    a, b = upper(k[not_all], (m - k)[not_all])
    high[not_all] = 1 - beta_quantile(tail, b, a)
    return Interval(plain(low), plain(high))
