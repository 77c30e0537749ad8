"""Wilson and Newcombe, held to published tables and to other people's code."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


@pytest.mark.parametrize("name", ["prop_wilson_190_200", "prop_wilson_30_30"])
def test_wilson_agrees_with_r_binom(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    low, high = stats.wilson(check["inputs"]["successes"], check["inputs"]["n"])
    assert low == pytest.approx(check["expected"]["lower"], abs=check["tolerance"])
    assert high == pytest.approx(check["expected"]["upper"], abs=check["tolerance"])


def test_wilson_agrees_with_newcombe_1998_table_1(published: dict[str, Any]) -> None:
    check = published["newcombe98_wilson_15_148"]
    low, high = stats.wilson(check["inputs"]["successes"], check["inputs"]["n"])
    assert low == pytest.approx(check["expected"]["lower"], abs=check["tolerance"])
    assert high == pytest.approx(check["expected"]["upper"], abs=check["tolerance"])


def test_one_end_of_a_90_percent_wilson_interval_agrees_with_r_desctools_one_sided(published: dict[str, Any]) -> None:
    check = published["prop_wilson_100_200_onesided_lower"]
    low, _ = stats.wilson(check["inputs"]["successes"], check["inputs"]["n"], confidence=0.90)
    assert low == pytest.approx(check["expected"]["lower"], abs=check["tolerance"])


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_wilson_agrees_with_scipy_and_statsmodels(confidence: float) -> None:
    for n in (1, 2, 7, 50, 1_000_000):
        for count in {0, 1, n // 3, n - 1, n}:
            low, high = stats.wilson(count, n, confidence=confidence)
            scipy = binomtest(count, n).proportion_ci(confidence, method="wilson")
            assert (low, high) == pytest.approx((scipy.low, scipy.high), abs=1e-12)
            assert (low, high) == pytest.approx(
                proportion_confint(count, n, alpha=1 - confidence, method="wilson"), abs=1e-12
            )


@pytest.mark.parametrize(
    "name", ["newcombe_diff_56_70_48_80", "newcombe_diff_9_10_3_10", "newcombe_diff_84_101_89_105"]
)
def test_newcombe_agrees_with_newcombe_1998_table_2(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    x1, n1, x2, n2 = (check["inputs"][key] for key in ("x1", "n1", "x2", "n2"))
    difference, low, high = stats.newcombe(x1, n1, x2, n2)
    assert difference == pytest.approx(check["expected"]["diff"], abs=check["tolerance"])
    assert low == pytest.approx(check["expected"]["lower"], abs=check["tolerance"])
    assert high == pytest.approx(check["expected"]["upper"], abs=check["tolerance"])


@pytest.mark.parametrize("counts", [(56, 70, 48, 80), (9, 10, 3, 10), (0, 12, 5, 9), (30, 30, 0, 4)])
def test_newcombe_agrees_with_statsmodels(counts: tuple[int, int, int, int]) -> None:
    _, low, high = stats.newcombe(*counts)
    assert (low, high) == pytest.approx(
        confint_proportions_2indep(*counts, method="newcomb", compare="diff"), abs=1e-12
    )


def test_no_trials_give_no_interval_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(math.isnan(bound) for bound in np.asarray(stats.wilson(0, 0)))
        assert all(math.isnan(value) for value in np.asarray(stats.newcombe(1, 2, 0, 0)))


def test_the_bounds_at_none_and_all_are_exactly_0_and_1() -> None:
    n = np.arange(1, 400)
    assert np.all(np.asarray(stats.wilson(np.zeros_like(n), n).low) == 0)
    assert np.all(np.asarray(stats.wilson(n, n).high) == 1)


def test_arrays_give_arrays_and_numbers_give_numbers() -> None:
    several = stats.wilson([0, 5, 0], [10, 10, 0])
    assert isinstance(several.low, np.ndarray)
    assert several.low.shape == (3,)
    alone = stats.wilson(5, 10)
    assert isinstance(alone.low, float)
    assert several.low[1] == alone.low


@pytest.mark.parametrize(("count", "n"), [(-1, 10), (11, 10), ([1, 12], [10, 10])])
def test_a_count_outside_its_n_is_refused_by_name(count: Any, n: Any) -> None:
    with pytest.raises(ArgumentError, match=r"between 0 and n; got (-1|11|12) of 10"):
        stats.wilson(count, n)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.1])
def test_a_confidence_in_percent_is_refused(confidence: float) -> None:
    with pytest.raises(ArgumentError, match=r"for example 0\.95"):
        stats.wilson(1, 2, confidence=confidence)
    with pytest.raises(ArgumentError, match=r"for example 0\.95"):
        stats.newcombe(1, 2, 1, 2, confidence=confidence)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ArgumentError, match="one shape"):
        stats.wilson([1, 2, 3], [4, 5])
