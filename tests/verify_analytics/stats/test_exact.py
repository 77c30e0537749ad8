"""Clopper and Pearson, and Jeffreys, held to R's tables, to Newcombe's, and to scipy and statsmodels."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


@pytest.mark.parametrize(
    "name",
    [
        "prop_beta_4_200",
        "prop_beta_190_200",
        "prop_beta_29_30",
        "prop_beta_0_30",
        "prop_beta_30_30",
        "prop_beta_100_200",
        "newcombe98_cp_1_29",
    ],
)
def test_clopper_pearson_agrees_with_r_binom_and_newcombe_1998(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    low, high = stats.clopper_pearson(check["inputs"]["successes"], check["inputs"]["n"])
    assert low == pytest.approx(check["expected"]["lower"], abs=check["tolerance"])
    assert high == pytest.approx(check["expected"]["upper"], abs=check["tolerance"])


@pytest.mark.parametrize("name", ["prop_jeffreys_4_20", "prop_jeffreys_4_200"])
def test_jeffreys_agrees_with_r_binom(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    low, high = stats.jeffreys(check["inputs"]["successes"], check["inputs"]["n"])
    assert low == pytest.approx(check["expected"]["lower"], abs=check["tolerance"])
    assert high == pytest.approx(check["expected"]["upper"], abs=check["tolerance"])


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_both_agree_with_scipy_and_statsmodels(confidence: float) -> None:
    for n in (1, 2, 7, 50, 20_000):
        counts = np.array(sorted({0, 1, n // 3, n - 1, n}))
        exact = stats.clopper_pearson(counts, n, confidence=confidence)
        by_prior = stats.jeffreys(counts, n, confidence=confidence)
        for place, count in enumerate(counts):
            scipy = binomtest(int(count), n).proportion_ci(confidence, method="exact")
            assert np.asarray(exact.low)[place] == pytest.approx(scipy.low, abs=1e-10)
            assert np.asarray(exact.high)[place] == pytest.approx(scipy.high, abs=1e-10)
            if 0 < count < n:
                low, high = proportion_confint(count, n, alpha=1 - confidence, method="jeffreys")
                assert np.asarray(by_prior.low)[place] == pytest.approx(low, abs=1e-10)
                assert np.asarray(by_prior.high)[place] == pytest.approx(high, abs=1e-10)


@pytest.mark.parametrize("interval", [stats.clopper_pearson, stats.jeffreys])
def test_none_all_and_nothing_at_all(interval: Any) -> None:
    assert interval(0, 10).low == 0
    assert interval(10, 10).high == 1
    assert all(math.isnan(bound) for bound in interval(0, 0))
    low, high = interval([0, 3, 0], [10, 10, 0])
    assert low.shape == high.shape == (3,)
    assert np.isnan(low[2])


def test_turned_about_the_interval_is_turned_about() -> None:
    count = np.arange(31)
    low, high = (np.asarray(bound) for bound in stats.clopper_pearson(count, 30))
    assert low == pytest.approx(1 - high[::-1], abs=1e-12)


def test_bad_counts_and_confidences_are_refused() -> None:
    with pytest.raises(ArgumentError, match="between 0 and n; got 11 of 10"):
        stats.clopper_pearson(11, 10)
    with pytest.raises(ArgumentError, match=r"for example 0\.95"):
        stats.jeffreys(1, 10, confidence=95)
