"""Garwood's interval for a count and Student's for a mean, held to tables, to scipy and to statsmodels."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, ttest_1samp
from statsmodels.stats.rates import confint_poisson

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


@pytest.mark.parametrize("name", ["poisson_exact_10", "poisson_exact_100"])
def test_poisson_exact_agrees_with_garwoods_table(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    low, high = stats.poisson_exact(check["inputs"]["count"])
    assert low == pytest.approx(check["expected"]["lower"], abs=check["tolerance"])
    assert high == pytest.approx(check["expected"]["upper"], abs=check["tolerance"])


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_poisson_exact_agrees_with_scipy_and_statsmodels(confidence: float) -> None:
    count = np.array([0, 1, 2, 7, 250, 400, 1_000_000])
    tail = (1 - confidence) / 2
    low, high = stats.poisson_exact(count, exposure=24, confidence=confidence)
    assert np.asarray(low)[1:] == pytest.approx(chi2.ppf(tail, 2 * count[1:]) / 48, rel=1e-10)
    assert high == pytest.approx(chi2.isf(tail, 2 * count + 2) / 48, rel=1e-10)
    assert (np.asarray(low)[3], np.asarray(high)[3]) == pytest.approx(
        confint_poisson(7, 24, method="exact-c", alpha=1 - confidence), rel=1e-10
    )


def test_no_events_leave_a_rate_of_about_3_plausible() -> None:
    low, high = stats.poisson_exact(0)
    assert low == 0
    assert high == pytest.approx(-math.log(0.025))
    assert all(math.isnan(bound) for bound in np.asarray(stats.poisson_exact(3, exposure=0)))
    assert all(math.isnan(bound) for bound in np.asarray(stats.poisson_exact(math.nan)))


@pytest.mark.parametrize(("count", "exposure"), [(-1, 1), (1, -1), ([1, 2], [1, 2, 3])])
def test_what_cannot_be_counted_is_refused(count: Any, exposure: Any) -> None:
    with pytest.raises(ArgumentError, match="exposure"):
        stats.poisson_exact(count, exposure=exposure)


def test_the_mean_and_its_interval_agree_with_scipy() -> None:
    values = [1, 1, 1, 2, 1, 3, 1, 2, 1, 5]
    value, low, high = stats.mean_interval(values, confidence=0.9)
    witness = ttest_1samp(values, 0).confidence_interval(0.9)
    assert value == pytest.approx(1.8)
    assert (low, high) == pytest.approx((witness.low, witness.high), rel=1e-10)
    assert stats.mean_interval([1, 2, 3, 5], weights=[6, 2, 1, 1], confidence=0.9) == pytest.approx((value, low, high))


def test_of_one_there_is_a_mean_and_no_interval_and_of_none_neither() -> None:
    value, low, high = stats.mean_interval([4])
    assert all(math.isnan(bound) for bound in stats.mean_interval([0.1, 0.3], weights=[0, 7])[1:])
    assert all(math.isnan(bound) for bound in stats.mean_interval([1, 1])[1:])
    assert value == 4
    assert math.isnan(low)
    assert math.isnan(high)
    assert all(math.isnan(number) for number in stats.mean_interval([]))
    assert all(math.isnan(number) for number in stats.mean_interval([3, 4], weights=[0, 0]))


@pytest.mark.parametrize(("values", "weights"), [([math.nan], None), ([1, 2], [1]), ([1], [-1]), ([1], [math.nan])])
def test_a_mean_of_what_is_missing_is_refused(values: Any, weights: Any) -> None:
    with pytest.raises(ArgumentError, match="none missing"):
        stats.mean_interval(values, weights=weights)
