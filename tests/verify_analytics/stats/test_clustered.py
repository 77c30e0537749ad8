"""Intervals of shares whose trials come in clusters: published numbers, the formula by hand, and simulated coverage."""

from typing import Any

import numpy as np
import pytest

from verify_analytics import stats


def test_correlation_and_interval_agree_with_r_ratesci(published: dict[str, Any]) -> None:
    """Its interval is that of the effect of the correlation, made here; the correlation is ours."""
    check = published["cluster_wilson_saha"]
    expected, near = check["expected"], check["tolerance"]
    of = stats.clusters_of(check["inputs"]["events_per_cluster"], check["inputs"]["size_per_cluster"])
    found = stats.cluster_wilson(of)
    assert of.successes[0] / of.trials[0] == pytest.approx(expected["estimate"], abs=near)
    assert found.correlation[0] == pytest.approx(expected["icc"], abs=near)
    inflated = 1 + found.correlation[0] * (of.squares[0] - of.trials[0]) / of.trials[0]
    assert inflated == pytest.approx(expected["vif"], abs=2e-3)
    low, high = stats.wilson(of.successes[0] / inflated, of.trials[0] / inflated)
    assert (low, high) == pytest.approx((expected["lower"], expected["upper"]), abs=near)


def test_the_design_effect_is_the_variance_of_a_ratio_to_that_of_independent_trials() -> None:
    count, n = np.array([2, 1, 0, 3, 1, 1]), np.array([2, 2, 1, 3, 4, 1])
    p = count.sum() / n.sum()
    by_hand = np.sum((count - p * n) ** 2) / (n.sum() * p * (1 - p))
    found = stats.cluster_wilson(stats.clusters_of(count, n))
    assert found.design_effect[0] == pytest.approx(by_hand, rel=1e-12)
    assert (found.low[0], found.high[0]) == pytest.approx(stats.wilson(count.sum() / by_hand, n.sum() / by_hand))


@pytest.mark.parametrize(("count", "n"), [([2, 2], [2, 2]), ([0, 0], [1, 2]), ([1], [2]), ([0], [0])])
def test_where_all_ended_alike_or_there_is_one_cluster_there_is_no_effect(count: list[int], n: list[int]) -> None:
    found = stats.cluster_wilson(stats.clusters_of(count, n))
    assert np.isnan(found.design_effect[0])
    assert np.isnan(found.correlation[0])


def test_clusters_of_one_trial_have_an_effect_of_exactly_one() -> None:
    assert stats.cluster_wilson(stats.clusters_of([1, 0, 1, 1], [1, 1, 1, 1])).design_effect[0] == 1


def _sessions(random: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Phones that mostly always or never get a message; who got none asks again four times in five, at most five."""
    reached = random.beta(0.8, 0.2, size)
    delivered, attempts = np.zeros(size), np.zeros(size)
    asking = np.ones(size, dtype=bool)
    for _ in range(5):
        arrives = asking & (random.random(size) < reached)
        delivered += arrives
        attempts += asking
        asking &= ~arrives & (random.random(size) < 0.8)
    return delivered, attempts


def test_the_interval_holds_where_people_ask_again_because_nothing_came() -> None:
    """The size of a session goes with its failures; an effect from the correlation alone held 85 % here."""
    random = np.random.default_rng(20)
    delivered, attempts = _sessions(random, 1_000_000)
    truth = delivered.sum() / attempts.sum()
    held = 0
    for _ in range(1000):
        found = stats.cluster_wilson(stats.clusters_of(*_sessions(random, 300)))
        held += bool(found.low[0] <= truth <= found.high[0])
    # Three Monte Carlo standard errors below 95 %.
    assert held / 1000 > 0.929
