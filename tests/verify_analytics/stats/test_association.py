"""Tests of no difference, overall and within strata, held to R, to scipy and to statsmodels."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.proportion import proportions_ztest

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


def test_several_shares_agree_with_r_prop_test(published: dict[str, Any]) -> None:
    check = published["r_prop_test_smokers"]
    found = stats.equal_proportions(check["inputs"]["x"], check["inputs"]["n"])
    assert found.statistic == pytest.approx(check["expected"]["chi2"], abs=check["tolerance"])
    assert found.degrees == check["expected"]["df"]
    assert found.p == pytest.approx(check["expected"]["p"], abs=5e-7)


@pytest.mark.parametrize("counts", [(83, 86, 70, 82), (1, 30, 9, 31), (0, 12, 4, 11), (500_000, 10**6, 501_500, 10**6)])
def test_two_shares_agree_with_statsmodels_and_with_chi_squared_of_scipy(counts: tuple[int, int, int, int]) -> None:
    k_1, n_1, k_2, n_2 = counts
    p = stats.two_proportions_p(*counts)
    assert p == pytest.approx(proportions_ztest([k_1, k_2], [n_1, n_2])[1], rel=1e-9)
    chi2 = chi2_contingency([[k_1, n_1 - k_1], [k_2, n_2 - k_2]], correction=False)
    assert p == pytest.approx(chi2.pvalue, rel=1e-9)
    several = stats.equal_proportions([k_1, k_2], [n_1, n_2])
    assert (several.statistic, several.p) == pytest.approx((chi2.statistic, chi2.pvalue), rel=1e-9)


def test_where_nothing_differs_or_nothing_is_there() -> None:
    assert stats.two_proportions_p(0, 10, 0, 20) == 1
    assert stats.two_proportions_p(5, 5, 7, 7) == 1
    assert math.isnan(float(stats.two_proportions_p(0, 0, 3, 6)))
    assert stats.equal_proportions([0, 0, 0], [3, 4, 0]) == (0.0, 1, 1.0)
    assert math.isnan(stats.equal_proportions([3], [4]).p)
    assert math.isnan(stats.equal_proportions([], []).p)


@pytest.mark.parametrize("name", ["mh2", "mh3_ucb_like"])
def test_mantel_haenszel_agrees_with_r_mantelhaen_test(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    expected = check["expected"]
    found = stats.mantel_haenszel(check["inputs"]["tables"], correction=check["inputs"]["continuity_correction"])
    assert found.odds_ratio == pytest.approx(expected["or_pooled"], abs=check["tolerance"])
    assert found.statistic == pytest.approx(expected["mh_stat"], abs=check["tolerance"])
    assert found.p == pytest.approx(expected["p"], abs=1e-4)
    assert found.odds_ratio_low == pytest.approx(expected["or_lcb"], abs=check["tolerance"])
    assert found.odds_ratio_high == pytest.approx(expected["or_ucb"], abs=check["tolerance"])


@pytest.mark.parametrize("correction", [True, False])
def test_mantel_haenszel_agrees_with_statsmodels(correction: bool) -> None:
    tables = np.random.default_rng(0).integers(1, 60, (6, 2, 2))
    found = stats.mantel_haenszel(tables, correction=correction, confidence=0.9)
    witness = StratifiedTable([table.astype(float) for table in tables])
    assert found.odds_ratio == pytest.approx(witness.oddsratio_pooled)
    low, high = witness.oddsratio_pooled_confint(alpha=0.1)
    assert (found.odds_ratio_low, found.odds_ratio_high) == pytest.approx((low, high))
    test = witness.test_null_odds(correction=correction)
    assert (found.statistic, found.p) == pytest.approx((test.statistic, test.pvalue))


def test_one_stratum_gives_the_plain_difference_and_many_alike_give_it_too() -> None:
    table = [[8, 2], [5, 5]]
    assert stats.mantel_haenszel([table]).difference == pytest.approx(0.3)
    many = stats.mantel_haenszel([table] * 50)
    assert many.difference == pytest.approx(0.3)
    # By hand: the variance of the difference of two shares, 0.8 and 0.5 of 500 each.
    half = 1.959964 * math.sqrt(0.8 * 0.2 / 500 + 0.5 * 0.5 / 500)
    assert many.difference_high - many.difference == pytest.approx(half, rel=0.03)


def test_like_is_compared_with_like_where_the_whole_says_the_contrary() -> None:
    """Within either country the first channel is better by 0.1; it is used where delivery is hard."""
    easy, hard = [[95, 5], [850, 150]], [[600, 400], [50, 50]]
    pooled = (95 + 600) / 1100 - (850 + 50) / 1100
    assert pooled < 0
    assert stats.mantel_haenszel([easy, hard]).difference == pytest.approx(0.1)


@pytest.mark.full
def test_the_interval_of_the_common_difference_holds_it_as_often_as_it_says() -> None:
    random, held, runs = np.random.default_rng(0), 0, 4000
    base = np.array([0.5, 0.7, 0.9])
    for _ in range(runs):
        first, second = random.binomial(60, base + 0.05), random.binomial(40, base)
        tables = np.stack([np.stack([first, 60 - first], 1), np.stack([second, 40 - second], 1)], 1)
        found = stats.mantel_haenszel(tables)
        held += found.difference_low <= 0.05 <= found.difference_high
    assert held / runs == pytest.approx(0.95, abs=0.015)


def test_where_nothing_can_be_compared_there_is_no_number() -> None:
    for tables in ([], [[[1, 2], [0, 0]]]):
        assert all(math.isnan(number) for number in stats.mantel_haenszel(tables))
    assert stats.mantel_haenszel([[[5, 0], [3, 2]]]).odds_ratio == math.inf
    assert math.isnan(stats.mantel_haenszel([[[5, 0], [3, 2]]]).odds_ratio_high)


@pytest.mark.parametrize(
    "tables", [[1, 2], [[[1, 2, 3], [4, 5, 6]]], [[[1, -2], [3, 4]]], [[[1, math.nan], [3, 4]]], "no"]
)
def test_what_is_no_table_is_refused(tables: Any) -> None:
    with pytest.raises(ArgumentError, match="table"):
        stats.mantel_haenszel(tables)
