"""What is a small group's rate worth, when one knows how much such groups differ? Beta-binomial shrinkage."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from verify_analytics.errors import ArgumentError

from .checks import Floats, one_tail
from .proportion import counts_of
from .special import beta_quantile, digamma, log_gamma, trigamma

# Where the likeliest spread is looked for: the logarithm of alpha + beta, the trials that the common rate counts for.
_SMALLEST, _GREATEST = math.log(1e-3), math.log(1e7)
# How many spreads are weighed, and at how many common rates each: nodes and weights for a normal distribution.
_SPREADS = 40
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)


class Shrunk(NamedTuple):
    """The rates drawn towards the common one, and how the groups' rates are most likely spread.

    `rate`, `low` and `high` have one value per group. The likeliest spread is Beta(`alpha`, `beta`): its mean is
    alpha / (alpha + beta), and the common rate counts for about alpha + beta trials in each group.
    """

    rate: Floats
    low: Floats
    high: Floats
    alpha: float
    beta: float


class ShrunkRates(NamedTuple):
    """The rates drawn towards the common one; one value per group."""

    rate: Floats
    low: Floats
    high: Floats


def beta_binomial_shrinkage(count: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> Shrunk:
    """Say what each group's rate plausibly is, leaning on all groups together where a group itself is small.

    The rates of the groups are taken to be spread as a beta distribution. If it were known to be Beta(a, b), a group's
    rate would be Beta(a + k, b + n - k) after its own counts, with the mean ``(a + k) / (a + b + n)``. It is not known:
    many of them are tried, each weighed by how well it explains all groups, and the mean and the variance of a rate
    over all of them are those of the beta distribution whose mean and quantiles are given.

    Parameters
    ----------
    count
        Successes of each group, at least 0 and at most its `n`.
    n
        Trials of each group.
    confidence
        Probability that the interval holds, half of the rest on either side; strictly between 0 and 1.

    Returns
    -------
    Shrunk
        One `rate`, `low` and `high` per group; NaN for a group without trials. All NaN where fewer than three groups
        have any, because from two one cannot tell how much groups differ. `alpha` and `beta` are the most likely ones
        (maximum likelihood of the beta-binomial distribution), two numbers, and infinite where the groups differ no
        more than chance makes them: then only chance is left to draw rates apart, and they come close together.

    Raises
    ------
    ArgumentError
        As for `wilson`, and for counts that are not one list of numbers.

    Notes
    -----
    Beforehand the weight of the common rate in a group of middling size, ``(a + b) / (a + b + median n)``, is as likely
    to be one share as another, and so is the common rate. With the likeliest spread alone, as is often done, intervals
    of 95 % held 75 to 85 % of the true rates of five simulated groups; these held 91 to 96 % of three to twenty groups,
    least where rates lie near 0 or 1, and are shorter than `wilson`'s. A bound near 0 or 1 of a group that has none, or
    all, can leave 8 % beyond it instead of 2.5 %, because a beta distribution stands in for a mixture of them.
    In simulated histories of 300 sessions in 14 countries they held the true delivery rate in 94.0 % of the countries,
    with an error of 0.052 (root of the mean square) where the bare rate has 0.086; in histories of 20 to 50 sessions in
    98.3 %, with 0.099 for 0.179 (``python3 run.py bench coverage``).
    That is so over all groups. It is wrong for a group that is not one of a kind with the others: shrink countries
    among countries, not a test channel among real ones; one that is truly far out is drawn in too far.
    Shrunk rates are for ranking and for tables with small groups, not for adding up: they do not sum to the total.
    Trials within a group are taken as independent.

    References
    ----------
    Griffiths DA (1973), Maximum likelihood estimation for the beta-binomial distribution, Biometrics 29:637-648.
    Christiansen CL, Morris CN (1997), Hierarchical Poisson regression modeling, JASA 92:618-632 (the weights of the
    spreads, and the matching of moments).
    Gelman A et al. (2013), Bayesian Data Analysis, 3rd ed., CRC, section 5.3.

    Examples
    --------
    A group of 2 among groups of 100 says little by itself.

    >>> shrunk = beta_binomial_shrinkage([90, 70, 95, 80, 0], [100, 100, 100, 100, 2])
    >>> shrunk.rate.round(2)
    array([0.89, 0.71, 0.93, 0.8 , 0.65])
    """
    rate, low, high, groups = _leaning(count, n, confidence)
    return Shrunk(rate, low, high, *((np.nan, np.nan) if groups is None else _likeliest(groups)))


def shrunk_rates(count: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> ShrunkRates:
    """Give the rates of `beta_binomial_shrinkage` alone, in half the time: how much groups differ is not told.

    Parameters
    ----------
    count, n, confidence
        As for `beta_binomial_shrinkage`.

    Returns
    -------
    ShrunkRates
        One `rate`, `low` and `high` per group, NaN as there.

    Raises
    ------
    ArgumentError
        As for `beta_binomial_shrinkage`.
    """
    return ShrunkRates(*_leaning(count, n, confidence)[:3])


def _leaning(count: ArrayLike, n: ArrayLike, confidence: float) -> tuple[Floats, Floats, Floats, "_Groups | None"]:
    """Give the rates with their bounds, and the groups they lean on, where there are enough."""
    tail = one_tail(confidence)
    k, m = counts_of(count, n)
    if k.ndim != 1:
        raise ArgumentError(f"shrinkage wants the counts of several groups in one list; got {count!r} and {n!r}")
    some = m > 0
    rate, low, high = np.full((3, len(k)), np.nan)
    if np.sum(some) < 3:
        return rate, low, high, None
    pairs, place, sizes = np.unique(
        np.column_stack((k[some], m[some])), axis=0, return_inverse=True, return_counts=True
    )
    groups = _Groups(pairs[:, 0], pairs[:, 1], sizes.astype(float), float(np.median(m[some])))
    mean, variance = _posterior(groups)
    worth = mean * (1 - mean) / variance - 1
    a, b = mean * worth, (1 - mean) * worth
    rate[some] = mean[place]
    ends = beta_quantile(tail, np.concatenate((a, b)), np.concatenate((b, a)))
    low[some], high[some] = ends[: len(a)][place], (1 - ends[len(a) :])[place]
    return rate, low, high, groups


class _Groups(NamedTuple):
    """The distinct (count, n), how many groups have them, and the median n of all groups."""

    k: Floats
    n: Floats
    groups: Floats
    middling: float

    def spread(self) -> float:
        """Give the slope of the likelihood by the spread of the groups, at no spread (Tarone 1979)."""
        pooled = float(np.sum(self.groups * self.k) / np.sum(self.groups * self.n))
        if not 0 < pooled < 1:
            return 0.0
        k, left = self.k, self.n - self.k
        more = k * (k - 1) / pooled + left * (left - 1) / (1 - pooled) - self.n * (self.n - 1)
        return float(np.sum(self.groups * more))

    def gains(self, of: Callable[[Floats], Floats], alpha: Floats, beta: Floats) -> tuple[Floats, Floats]:
        """Sum over the groups by how much a function rises from alpha to alpha + k, and from beta to beta + n - k."""
        a, b = alpha[:, None], beta[:, None]
        # Asked once for all: on few groups a call costs more than its numbers.
        many = len(self.k)
        found = of(np.concatenate((a + self.k, b + self.n - self.k, a, b), axis=1))
        won, lost = found[:, :many] - found[:, -2:-1], found[:, many : 2 * many] - found[:, -1:]
        return won @ self.groups, lost @ self.groups

    def likelihood(self, alpha: Floats, beta: Floats) -> Floats:
        """Give the logarithm of the likelihood of all counts, but for a constant."""
        won, lost = self.gains(log_gamma, alpha, beta)
        size = (alpha + beta)[:, None]
        return won + lost - (log_gamma(size + self.n) - log_gamma(size)) @ self.groups

    def best_means(self, sizes: Floats, prior: float) -> tuple[Floats, Floats]:
        """Give for each alpha + beta the common rate that explains the counts best, and how sharply (as a variance).

        With a `prior` of 1 it is the mode of the logit of the common rate, all rates being equally likely beforehand.
        """
        low, high = np.zeros(sizes.shape), np.ones(sizes.shape)
        mean = np.full(sizes.shape, (self.groups @ self.k + prior) / (self.groups @ self.n + 2 * prior))
        for _ in range(60):
            won, lost = self.gains(digamma, sizes * mean, sizes * (1 - mean))
            slope = sizes * (won - lost) + prior * (1 / mean - 1 / (1 - mean))
            won, lost = self.gains(trigamma, sizes * mean, sizes * (1 - mean))
            bend = sizes**2 * (won + lost) - prior * (1 / mean**2 + 1 / (1 - mean) ** 2)
            # Concave: one root, which Newton finds, kept between bounds.
            low, high = np.where(slope > 0, mean, low), np.where(slope > 0, high, mean)
            step = mean - slope / bend
            new = np.where((step > low) & (step < high), step, (low + high) / 2)
            near = np.all(np.abs(new - mean) <= 1e-9 * np.minimum(mean, 1 - mean))
            mean = new
            # What Newton leaves is the square of what was left before.
            if near:
                break
        return mean, -1 / bend


def _posterior(groups: _Groups) -> tuple[Floats, Floats]:
    """Give the mean and the variance of each group's rate over all spreads and common rates."""
    # Evenly on the logarithm of alpha + beta, weighed so that the weight of the common rate is uniform beforehand.
    sizes = np.exp(np.linspace(math.log(0.3), math.log(100 * groups.middling + 100), _SPREADS))
    weight_of_common = sizes / (sizes + groups.middling)
    means, sharpness = groups.best_means(sizes, prior=1.0)
    # Laplace's approximation, on the scale of the logit: how well a spread explains the groups at any common rate.
    slope = means * (1 - means)
    spread = np.sqrt(sharpness) / slope
    explains = groups.likelihood(sizes * means, sizes * (1 - means)) + np.log(slope * spread)
    explains += np.log(weight_of_common * (1 - weight_of_common))
    weights = np.exp(explains - np.max(explains))
    total, first, second = 0.0, np.zeros(groups.k.shape), np.zeros(groups.k.shape)
    for node, node_weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
        common = 1 / (1 + np.exp(-(np.log(means / (1 - means)) + node * spread)))
        alpha, size = (sizes * common)[:, None], sizes[:, None]
        mean = (alpha + groups.k) / (size + groups.n)
        share = weights * node_weight
        total += float(np.sum(share))
        first += share @ mean
        second += share @ (mean * (mean * (size + groups.n) + 1) / (size + groups.n + 1))
    mean = first / total
    return mean, second / total - mean**2


def _likeliest(groups: _Groups) -> tuple[float, float]:
    """Give the alpha and beta under which the counts are the most likely."""
    # The slope of the likelihood where the groups do not differ at all: not above 0, no spread beyond chance.
    if groups.spread() <= 0:
        return np.inf, np.inf

    def slope(log_size: float) -> float:
        size = np.exp(np.array([log_size]))
        mean, _ = groups.best_means(size, prior=0.0)
        won, lost = groups.gains(digamma, size * mean, size * (1 - mean))
        whole = (digamma(size[:, None] + groups.n) - digamma(size[:, None])) @ groups.groups
        return float((size * (mean * won + (1 - mean) * lost - whole))[0])

    log_size = _falling_root(slope, math.log(groups.middling))
    if log_size >= _GREATEST:
        return np.inf, np.inf
    size = np.exp(np.array([log_size]))
    mean, _ = groups.best_means(size, prior=0.0)
    return float((size * mean)[0]), float((size * (1 - mean))[0])


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
        if value == 0 or abs(middle - before) < 1e-8:
            break
        if value > 0:
            low, at_low, at_high = middle, value, at_high / 2
        else:
            high, at_high, at_low = middle, value, at_low / 2
    return middle
