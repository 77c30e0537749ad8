"""Small groups drawn towards the common rate, held to scipy's beta-binomial and to the truth of simulated groups."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta as betadist
from scipy.stats import betabinom

from verify_analytics import stats
from verify_analytics.errors import ArgumentError

# Boys among the first twelve children of 6,115 families in Saxony (Geissler 1889; Lindsey and Altham 1998).
SAXONY = [3, 24, 104, 286, 670, 1033, 1343, 1112, 829, 478, 181, 45, 7]


def test_the_likeliest_spread_agrees_with_scipys_beta_binomial_on_the_families_of_saxony() -> None:
    boys = np.repeat(np.arange(13), SAXONY)
    shrunk = stats.beta_binomial_shrinkage(boys, np.full(boys.shape, 12))

    def likelihood(alpha: float, beta: float) -> float:
        return float(np.dot(SAXONY, betabinom.logpmf(np.arange(13), 12, alpha, beta)))

    best = likelihood(shrunk.alpha, shrunk.beta)
    assert (shrunk.alpha, shrunk.beta) == pytest.approx((34.10286, 31.57823), abs=2e-5)
    for near in (0.999, 1.001):
        assert likelihood(shrunk.alpha * near, shrunk.beta) < best
        assert likelihood(shrunk.alpha, shrunk.beta * near) < best
    # With so many families the spread is known, and a rate is what it is at the likeliest one.
    plain = (shrunk.alpha + boys) / (shrunk.alpha + shrunk.beta + 12)
    assert shrunk.rate == pytest.approx(plain, abs=2e-3)


def test_a_small_group_is_drawn_further_than_a_large_one() -> None:
    count, n = np.array([90, 70, 95, 80, 0, 2]), np.array([100, 100, 100, 100, 2, 2])
    rate, low, high, alpha, beta = stats.beta_binomial_shrinkage(count, n)
    common = alpha / (alpha + beta)
    assert np.all((rate > np.minimum(count / n, common) - 0.03) & (rate < np.maximum(count / n, common) + 0.03))
    assert 0.3 < rate[4] < 0.75
    assert rate[1] == pytest.approx(0.7, abs=0.03)
    assert np.all((low > 0) & (low < rate) & (rate < high) & (high < 1))
    assert high[4] - low[4] > high[1] - low[1]


def test_groups_that_differ_by_no_more_than_chance_come_close_together() -> None:
    rate, low, high, alpha, beta = stats.beta_binomial_shrinkage([50, 51, 49, 50], [100, 100, 100, 100])
    assert math.isinf(alpha)
    assert math.isinf(beta)
    assert np.ptp(rate) < 0.01
    assert np.all((low < rate) & (rate < high))
    assert high[0] - low[0] < np.subtract(*stats.wilson(50, 100)[::-1])


def test_groups_that_are_all_or_nothing_are_not_taken_for_certain() -> None:
    rate, low, high, *_ = stats.beta_binomial_shrinkage([0, 5, 5, 0], [5, 5, 5, 5])
    assert np.all(high - low > 0.1)
    assert rate[0] < 0.2
    nobody = stats.beta_binomial_shrinkage([0, 0, 0], [30, 40, 50])
    assert np.all((nobody.rate > 0) & (nobody.rate < 0.03))
    assert np.all(nobody.high < 0.15)


def test_the_order_of_the_groups_does_not_matter_and_equal_ones_are_equal() -> None:
    count, n = np.array([3, 9, 3, 40]), np.array([10, 10, 10, 90])
    one, other = stats.beta_binomial_shrinkage(count, n), stats.beta_binomial_shrinkage(count[::-1], n[::-1])
    assert one.rate == pytest.approx(other.rate[::-1], abs=1e-12)
    assert one.rate[0] == one.rate[2]
    assert one.low[0] == one.low[2]


def test_what_is_turned_about_is_turned_about() -> None:
    count, n = np.array([3, 9, 7, 40]), np.array([10, 10, 15, 90])
    won, lost = stats.beta_binomial_shrinkage(count, n), stats.beta_binomial_shrinkage(n - count, n)
    assert won.rate == pytest.approx(1 - lost.rate, abs=1e-9)
    assert won.low == pytest.approx(1 - lost.high, abs=1e-9)


def test_two_groups_do_not_say_how_much_groups_differ_and_an_empty_one_says_nothing() -> None:
    for count, n in (([], []), ([3], [5]), ([3, 4, 0], [5, 5, 0])):
        shrunk = stats.beta_binomial_shrinkage(count, n)
        assert len(shrunk.rate) == len(count)
        assert np.isnan(shrunk.rate).all()
        assert math.isnan(shrunk.alpha)
    rate, low, high, *_ = stats.beta_binomial_shrinkage([3, 4, 0, 9], [10, 10, 0, 10])
    assert np.isnan([rate[2], low[2], high[2]]).all()
    assert not np.isnan(rate[[0, 1, 3]]).any()


def test_groups_of_a_million_keep_their_own_rate() -> None:
    n = np.array([1e6, 1e6, 1e6, 10])
    rate, low, high, *_ = stats.beta_binomial_shrinkage(n * [0.9, 0.8, 0.7, 0.5], n)
    assert rate[:3] == pytest.approx([0.9, 0.8, 0.7], abs=1e-4)
    assert np.all(high[:3] - low[:3] < 0.002)
    assert high[3] - low[3] > 0.1


@pytest.mark.parametrize(
    ("count", "n", "says"), [([11], [10], "between 0 and n"), ([[1, 2]], [[3, 4]], "one list"), (3, 4, "one list")]
)
def test_what_are_no_groups_is_refused(count: Any, n: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        stats.beta_binomial_shrinkage(count, n)


def held_by_intervals(groups: int, size: float, runs: int) -> float:
    random, held = np.random.default_rng(0), 0
    for _ in range(runs):
        truth = random.beta(0.8 * size, 0.2 * size, groups)
        n = random.integers(5, 60, groups)
        _, low, high, *_ = stats.beta_binomial_shrinkage(random.binomial(n, truth), n)
        held += int(np.sum((low <= truth) & (truth <= high)))
    return held / (runs * groups)


@pytest.mark.parametrize(("count", "n"), [([3, 9, 12, 40, 5], [10, 10, 15, 50, 5]), ([50, 51, 49], [100, 100, 100])])
def test_mean_and_interval_agree_with_the_whole_posterior_reckoned_out_on_a_grid(count: Any, n: Any) -> None:
    """The same prior, without Laplace's approximation and without a beta distribution of the same moments.

    The latter leaves up to some 8 % instead of 2.5 % beyond a bound near 0 or 1.
    """
    k, m = np.array(count), np.array(n)
    weight = np.linspace(0.0005, 0.9995, 250)
    size, mean = np.meshgrid(np.median(m) * weight / (1 - weight), np.linspace(0.002, 0.998, 250))
    alpha, beta = size * mean, size * (1 - mean)
    likelihood = sum(betabinom.logpmf(one, total, alpha, beta) for one, total in zip(k, m, strict=True))
    share = np.exp(likelihood - likelihood.max())
    share /= share.sum()
    rate, low, high, *_ = stats.beta_binomial_shrinkage(count, n)
    for place in range(len(k)):
        assert rate[place] == pytest.approx(np.sum(share * (alpha + k[place]) / (size + m[place])), abs=0.01)
        below = [
            np.sum(share * betadist.cdf(at, alpha + k[place], beta + m[place] - k[place]))
            for at in (low[place], high[place])
        ]
        assert below == pytest.approx([0.025, 0.975], abs=0.06)


@pytest.mark.full
@pytest.mark.parametrize(("groups", "size"), [(3, 40), (5, 4), (5, 40), (20, 10)])
def test_intervals_of_few_groups_hold_the_true_rates_about_as_often_as_they_say(groups: int, size: float) -> None:
    """The likeliest spread alone would hold some 80 % of five groups."""
    assert 0.9 <= held_by_intervals(groups, size, runs=200) <= 0.99
