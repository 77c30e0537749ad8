"""The mean wait and the next minute, with intervals, by hand, by landmark and by simulation."""

import math
from typing import Any

import numpy as np
import pytest

from tests.verify_analytics.stats.test_incidence import rounded_history
from verify_analytics import stats
from verify_analytics.errors import ArgumentError

Z = 1.959963984540054


def test_the_mean_wait_of_a_sample_has_the_standard_error_of_a_mean() -> None:
    """Nobody censored: it is the plain mean of min(time, horizon), and never arriving counts the horizon."""
    wait = np.array([3, 9, 9, 14, 30, 60, 60, 60.0])
    kind = np.array([1, 1, 1, 1, 1, 2, 2, 1])
    curve = stats.cumulative_incidence([3, 9, 9, 14, 30, 45, 50, 80], kind)
    value, low, high = stats.restricted_mean_interval(curve, horizon=60)
    assert value == pytest.approx(wait.mean())
    half = Z * math.sqrt(wait.var() / 8)
    assert (low, high) == pytest.approx((wait.mean() - half, wait.mean() + half))


@pytest.mark.parametrize("seed", range(3))
def test_with_one_kind_of_end_the_variance_agrees_with_the_formula_of_survrm2(seed: int) -> None:
    time, event = rounded_history(seed)
    ended = (event > 0).astype(int)
    curve = stats.kaplan_meier(time, ended)
    inside = curve.time < 30
    edges = np.append(curve.time[inside], 30.0)
    areas = np.cumsum((curve.survival[inside] * np.diff(edges))[::-1])[::-1]
    d, n = curve.events[inside], curve.at_risk[inside]
    half = Z * math.sqrt(np.sum(areas**2 * d / (n * (n - d))))
    value, low, high = stats.restricted_mean_interval(stats.cumulative_incidence(time, ended), horizon=30)
    assert value == pytest.approx(edges[0] + areas[0])
    assert (low, high) == pytest.approx((value - half, value + half))


@pytest.mark.parametrize("ends", [[1, 1, 1], [2, 2, 2]])
def test_where_all_end_alike_the_mean_wait_is_no_certainty(ends: list[int]) -> None:
    value, low, high = stats.restricted_mean_interval(stats.cumulative_incidence([12, 12, 12], ends), horizon=60)
    other = Z**2 / (3 + Z**2)
    assert value == (12 if ends[0] == 1 else 60)
    assert (low, high) == pytest.approx((value - value * other, value + (60 - value) * other))


def test_a_mean_wait_that_is_not_known_has_no_interval() -> None:
    curve = stats.cumulative_incidence([5, 8], [1, 0])
    assert all(math.isnan(number) for number in stats.restricted_mean_interval(curve, horizon=9))
    assert all(math.isnan(number) for number in stats.restricted_mean_interval(curve._replace(), horizon=9))
    with pytest.raises(ArgumentError, match="horizon"):
        stats.restricted_mean_interval(curve, horizon=-1)


def test_the_next_minute_is_the_curve_begun_anew_among_those_still_waiting() -> None:
    time, event = rounded_history(1)
    curve = stats.cumulative_incidence(time, event)
    after = np.array([0, 3, 10, 25])
    found = stats.conditional_incidence(curve, after=after, within=12, confidence=0.9)
    for place, start in enumerate(after):
        later = time > start
        anew = stats.cumulative_incidence(time[later] - start, event[later])
        expected = stats.incidence_interval_at(anew, 12, confidence=0.9)
        for one, other in zip(found, expected, strict=True):
            assert one[place] == pytest.approx(other[0], abs=1e-12)
    waiting = curve.waiting[np.searchsorted(curve.time, 10, side="right") - 1]
    rise = np.diff(stats.incidence_at(curve, [10, 22]))[0]
    assert found.value[2] == pytest.approx(rise / waiting)


def test_each_wait_has_its_own_answer_in_its_own_place() -> None:
    curve = stats.cumulative_incidence([10, 20, 600], [1, 1, 2], weights=[4, 3, 3])
    grid = stats.conditional_incidence(curve, after=[[0], [10]], within=[5, 10, 20])
    assert grid.value == pytest.approx(np.array([[0, 0.4, 0.7], [0, 0.5, 0.5]]))
    assert grid.low.shape == grid.high.shape == (2, 3)
    # Nobody of ten, and nobody of six, arrives within five seconds: Wilson.
    assert grid.high[:, 0] == pytest.approx(Z**2 / (np.array([10, 6]) + Z**2))


def test_after_the_last_one_and_past_the_watch_the_next_minute_is_not_known() -> None:
    ended = stats.cumulative_incidence([10, 20], [1, 2])
    assert np.isnan(stats.conditional_incidence(ended, after=[20, 30], within=5).value).all()
    assert stats.conditional_incidence(ended, after=10, within=500).value == pytest.approx([0])
    unseen = stats.cumulative_incidence([10, 20], [1, 0])
    assert stats.conditional_incidence(unseen, after=[5, 5], within=[15, 16]).value == pytest.approx(
        [0.5, math.nan], nan_ok=True
    )
    empty = stats.cumulative_incidence([], [])
    assert np.isnan(stats.conditional_incidence(empty, after=0, within=1).high).all()


@pytest.mark.parametrize(("after", "within"), [(-1, 5), (math.nan, 5), (1, 0)])
def test_a_wait_that_is_none_is_refused(after: Any, within: Any) -> None:
    with pytest.raises(ArgumentError, match="from 0 up"):
        stats.conditional_incidence(stats.cumulative_incidence([1], [1]), after=after, within=within)


@pytest.mark.full
def test_the_variance_of_the_mean_wait_is_that_of_many_resamples() -> None:
    time, event = rounded_history(0)
    value, low, _ = stats.restricted_mean_interval(stats.cumulative_incidence(time, event), horizon=30)
    random = np.random.default_rng(0)
    means = []
    for _ in range(4000):
        drawn = random.integers(0, 400, 400)
        means.append(stats.restricted_mean(stats.cumulative_incidence(time[drawn], event[drawn]), horizon=30))
    assert (value - low) / Z == pytest.approx(np.std(means), rel=0.04)
