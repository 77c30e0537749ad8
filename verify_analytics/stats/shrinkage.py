"""What is a small group's rate worth, when one knows how much such groups differ? Beta-binomial shrinkage."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from verify_analytics.errors import ArgumentError

from .checks import Floats, one_tail
from .proportion import counts_of, wilson
from .special import beta_quantile, digamma, trigamma

# Where the groups' spread is looked for: the logarithm of alpha + beta, of the trials that the common rate counts for.
# One trial is what Jeffreys' prior counts for; with less, a group of 3 of 3 would be certain.
_SMALLEST, _GREATEST = math.log(1.0), math.log(1e7)


class Shrunk(NamedTuple):
    """The rates drawn towards the common one, and what they were drawn by.

    `rate`, `low` and `high` have one value per group. The groups' rates were taken to be spread as Beta(`alpha`,
    `beta`): their mean is alpha / (alpha + beta), and it counts for alpha + beta trials in each group.
    """

    rate: Floats
    low: Floats
    high: Floats
    alpha: float
    beta: float


def beta_binomial_shrinkage(count: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> Shrunk:
    """Say what each group's rate plausibly is, leaning on all groups together where a group itself is small.

    The rates of the groups are taken to be spread as a beta distribution, whose two parameters are fitted to all groups
    by maximum likelihood (the beta-binomial distribution). The posterior of a group's rate is then
    Beta(alpha + k, beta + n - k); its mean ``(alpha + k) / (alpha + beta + n)`` is the shrunk rate.

    Parameters
    ----------
    count
        Successes of each group: whole numbers, at least 0 and at most its `n`.
    n
        Trials of each group.
    confidence
        Probability that the interval holds, half of the rest on either side; strictly between 0 and 1.

    Returns
    -------
    Shrunk
        One `rate`, `low` and `high` per group. NaN for a group without trials. All NaN where fewer than three groups
        have any, because from two one cannot tell how much groups differ. Where the groups differ no more than chance
        makes them, `alpha` and `beta` are infinite: every group gets the pooled rate with its Wilson interval.
        alpha + beta is at least 1, what Jeffreys' prior counts for.

    Raises
    ------
    ArgumentError
        As for `wilson`, and for counts that are not one list of numbers.

    Notes
    -----
    The interval takes alpha and beta as known; with few groups (below ten or so) it is too narrow. It is wrong for a
    group that is not one of a kind with the others: shrink countries by country, not a test channel among real ones.
    Shrunk rates are for ranking and for tables with small groups, not for adding up: they do not sum to the total.
    Trials within a group are taken as independent.

    References
    ----------
    Griffiths DA (1973), Maximum likelihood estimation for the beta-binomial distribution, Biometrics 29:637-648.
    Gelman A et al. (2013), Bayesian Data Analysis, 3rd ed., CRC, section 5.3.

    Examples
    --------
    A group of 2 among groups of 100 says little by itself.

    >>> shrunk = beta_binomial_shrinkage([90, 70, 95, 80, 0], [100, 100, 100, 100, 2])
    >>> shrunk.rate.round(2)
    array([0.89, 0.71, 0.94, 0.8 , 0.67])
    """
    tail = one_tail(confidence)
    k, m = counts_of(count, n)
    if k.ndim != 1:
        raise ArgumentError(f"shrinkage wants the counts of several groups in one list; got {count!r} and {n!r}")
    some = m > 0
    nothing = np.full(k.shape, np.nan)
    if np.sum(some) < 3:
        return Shrunk(nothing, nothing.copy(), nothing.copy(), np.nan, np.nan)
    pairs, place, sizes = np.unique(
        np.column_stack((k[some], m[some])), axis=0, return_inverse=True, return_counts=True
    )
    groups = _Groups(pairs[:, 0], pairs[:, 1], sizes.astype(float))
    alpha, beta = _fitted(groups)
    rate, low, high = nothing, nothing.copy(), nothing.copy()
    if np.isinf(alpha):
        successes, trials = float(np.sum(k[some])), float(np.sum(m[some]))
        rate[some] = successes / trials
        low[some], high[some] = wilson(successes, trials, confidence=confidence)
        return Shrunk(rate, low, high, alpha, beta)
    a, b = alpha + groups.k, beta + groups.n - groups.k
    rate[some] = (a / (a + b))[place]
    low[some], high[some] = beta_quantile(tail, a, b)[place], (1 - beta_quantile(tail, b, a))[place]
    return Shrunk(rate, low, high, alpha, beta)


def _fitted(groups: "_Groups") -> tuple[float, float]:
    """Give the alpha and beta under which the counts are the most likely."""
    pooled = groups.pooled()
    # The slope of the likelihood where the groups do not differ at all: not above 0, no spread beyond chance.
    if not 0 < pooled < 1 or groups.spread(pooled) <= 0:
        return np.inf, np.inf
    log_size = _falling_root(lambda one: groups.slope(one)[0], float(np.log(np.median(groups.n))))
    if log_size >= _GREATEST:
        return np.inf, np.inf
    size, mean = np.exp(log_size), groups.slope(log_size)[1]
    return float(size * mean), float(size * (1 - mean))


def _falling_root(function: Callable[[float], float], start: float) -> float:
    """Find where a function falls below 0, by false position with halved weights (Illinois); an end if it does not."""
    low = high = start
    at_low = at_high = function(start)
    while at_low <= 0 and low > _SMALLEST:
        low, high, at_high = max(low - 1.5, _SMALLEST), low, at_low
        at_low = function(low)
    while at_high > 0 and high < _GREATEST:
        high, low, at_low = min(high + 1.5, _GREATEST), high, at_high
        at_high = function(high)
    if at_low <= 0 or at_high > 0:
        return low if at_low <= 0 else high
    middle = before = low
    for _ in range(100):
        middle, before = (low * at_high - high * at_low) / (at_high - at_low), middle
        value = function(middle)
        if value == 0 or abs(middle - before) < 1e-10:
            break
        if value > 0:
            low, at_low, at_high = middle, value, at_high / 2
        else:
            high, at_high, at_low = middle, value, at_low / 2
    return middle


class _Groups(NamedTuple):
    """The distinct (count, n), and how many groups have them."""

    k: Floats
    n: Floats
    groups: Floats

    def pooled(self) -> float:
        """Give the rate of all groups together."""
        return float(np.sum(self.groups * self.k) / np.sum(self.groups * self.n))

    def spread(self, mean: float) -> float:
        """Give the slope of the likelihood by the spread of the groups, at no spread (Tarone 1979)."""
        k, left = self.k, self.n - self.k
        more = k * (k - 1) / mean + left * (left - 1) / (1 - mean) - self.n * (self.n - 1)
        return float(np.sum(self.groups * more))

    def slope(self, log_size: float) -> tuple[float, float]:
        """Give the slope of the likelihood by the log of alpha + beta, at the best mean for them, and that mean."""
        size = float(np.exp(log_size))
        low, high, mean = 0.0, 1.0, self.pooled()
        for _ in range(100):
            won, lost = self._gains(digamma, size * mean, size * (1 - mean))
            # The likelihood is concave in the mean: one root, which Newton finds, kept between bounds.
            off = won - lost
            low, high = (mean, high) if off > 0 else (low, mean)
            if abs(off) <= 1e-14 * (won + lost) or high - low < 1e-15:
                break
            step = mean - off / (size * sum(self._gains(trigamma, size * mean, size * (1 - mean))))
            mean = step if low < step < high else (low + high) / 2
        whole = float(np.sum(self.groups * (digamma(size + self.n) - digamma(np.array(size)))))
        return size * (mean * won + (1 - mean) * lost - whole), mean

    def _gains(self, of: Callable[[Floats], Floats], alpha: float, beta: float) -> tuple[float, float]:
        won = of(alpha + self.k) - of(np.array(alpha))
        lost = of(beta + self.n - self.k) - of(np.array(beta))
        return float(np.sum(self.groups * won)), float(np.sum(self.groups * lost))
