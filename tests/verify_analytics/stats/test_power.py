"""Sizes of experiments, held to R's power.prop.test and to statsmodels."""

import math
from typing import Any

import pytest
from scipy.stats import norm
from statsmodels.stats.proportion import power_proportions_2indep, samplesize_proportions_2indep_onetail

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


def test_the_size_agrees_with_r_power_prop_test(published: dict[str, Any]) -> None:
    check = published["r_power_prop_test_n"]
    given = check["inputs"]
    n = stats.power_two_proportions(given["p1"], given["p2"], power=given["power"])
    assert n == pytest.approx(check["expected"]["n"], abs=check["tolerance"])
    assert stats.sample_size_two_proportions(given["p1"], given["p2"], power=given["power"]) == n


@pytest.mark.parametrize(("p1", "p2"), [(0.9, 0.92), (0.5, 0.75), (0.02, 0.001), (0.99, 0.9)])
def test_power_and_size_agree_with_statsmodels_and_with_each_other(p1: float, p2: float) -> None:
    n = stats.sample_size_two_proportions(p1, p2, power=0.8, confidence=0.9)
    witness = samplesize_proportions_2indep_onetail(p1 - p2, p2, 0.8, alpha=0.1, alternative="two-sided")
    assert n == pytest.approx(witness, rel=1e-6)
    assert stats.power_two_proportions(p1, p2, n=n, confidence=0.9) == pytest.approx(0.8, abs=1e-9)
    # statsmodels adds the chance of a difference in the wrong direction.
    both = power_proportions_2indep(p1 - p2, p2, 400, alpha=0.1, return_results=False)
    assert stats.power_two_proportions(p1, p2, n=400, confidence=0.9) == pytest.approx(both, abs=5e-3)


def test_a_design_effect_of_two_asks_for_twice_as_many() -> None:
    plain = stats.sample_size_two_proportions(0.9, 0.92)
    assert stats.sample_size_two_proportions(0.9, 0.92, design_effect=2) == pytest.approx(2 * plain)
    assert stats.power_two_proportions(0.9, 0.92, n=2 * plain, design_effect=2) == pytest.approx(0.8)


def test_the_detectable_rates_are_those_whose_power_is_just_enough() -> None:
    below, above = stats.detectable_difference(0.9, n=1000, power=0.9)
    for rate in (below, above):
        assert stats.power_two_proportions(0.9, rate, n=1000) == pytest.approx(0.9, abs=1e-6)
    assert below < 0.9 < above
    assert math.isnan(stats.detectable_difference(0.9, n=10).above)


def test_equal_rates_are_never_told_apart_and_certain_ones_are_at_once() -> None:
    assert stats.sample_size_two_proportions(0.5, 0.5) == math.inf
    assert stats.power_two_proportions(0.5, 0.5, n=1000) == pytest.approx(norm.sf(1.959964), abs=1e-6)
    assert stats.power_two_proportions(0, 1, n=10) == 1
    assert stats.power_two_proportions(0, 0, n=10) == 0
    assert stats.power_two_proportions(0.5, 0.6, n=0) < 0.05


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"p2": 0.6}, "either n or power"),
        ({"p2": 0.6, "n": 10, "power": 0.8}, "either n or power"),
        ({"p2": 60, "n": 10}, r"for example 0\.9"),
        ({"p2": 0.6, "power": 80}, r"for example 0\.8"),
        ({"p2": 0.6, "power": 0.01}, r"for example 0\.8"),
        ({"p2": 0.6, "n": -1}, "size of each group"),
        ({"p2": 0.6, "n": 10, "design_effect": 0.5}, "from 1 up"),
    ],
)
def test_what_cannot_be_planned_is_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        stats.power_two_proportions(0.5, **asked)
