"""Shares of trials that come in clusters, against published numbers, software, and samples one can count by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.genmod.generalized_estimating_equations import GEE

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


@pytest.fixture
def liang(published: dict[str, Any]) -> dict[str, Any]:
    """Give the data of Liang et al. (1992) as published with R's ratesci: sick people in households."""
    check: dict[str, Any] = published["cluster_wilson_saha"]
    return check


def test_with_the_intraclass_correlation_the_interval_agrees_with_saha_miller_wang(liang: dict[str, Any]) -> None:
    inputs, expected = liang["inputs"], liang["expected"]
    clusters = stats.clusters_of(inputs["events_per_cluster"], inputs["size_per_cluster"])
    found = stats.cluster_wilson(clusters, method="correlation")
    told = [found.design_effect[0], found.low[0], found.high[0]]
    assert told == pytest.approx([expected[name] for name in ("vif", "lower", "upper")], abs=liang["tolerance"])


def test_the_share_and_the_intraclass_correlation_agree_with_r_ratesci(liang: dict[str, Any]) -> None:
    check = liang
    clusters = stats.clusters_of(check["inputs"]["events_per_cluster"], check["inputs"]["size_per_cluster"])
    assert clusters.successes / clusters.trials == pytest.approx(check["expected"]["estimate"], abs=check["tolerance"])
    correlation = stats.cluster_wilson(clusters).correlation
    assert correlation == pytest.approx(check["expected"]["icc"], abs=check["tolerance"])


def test_the_design_effect_agrees_with_the_robust_variance_of_statsmodels(liang: dict[str, Any]) -> None:
    inputs = liang["inputs"]
    count, size = np.array(inputs["events_per_cluster"]), np.array(inputs["size_per_cluster"])
    trials = np.concatenate([np.r_[np.ones(x), np.zeros(n - x)] for x, n in zip(count, size, strict=True)])
    fit = GEE(trials, np.ones(len(trials)), groups=np.repeat(np.arange(len(size)), size)).fit()
    share = trials.mean()
    robust = fit.cov_params()[0, 0] * len(trials) / (share * (1 - share))
    assert stats.cluster_wilson(stats.clusters_of(count, size)).design_effect == pytest.approx(robust, abs=1e-9)


def test_where_sessions_that_fail_are_the_long_ones_the_interval_is_wider_although_nothing_is_alike_within_them() -> (
    None
):
    """Ninety sessions end with their one attempt, ten fail four times out of five: attempts tell less than they seem.

    Of 10 × 5 + 90 attempts 100 arrive. Squared deviations from 5/7: 10 × (1 - 25/7)² + 90 × (2/7)² = 3600/49; were
    attempts independent it would be 140 × 5/7 × 2/7 = 1400/49.
    """
    clusters = stats.clusters_of([1, 1], [5, 1], weights=[10, 90])
    found = stats.cluster_wilson(clusters)
    assert found.design_effect == pytest.approx(3600 / 1400)
    assert found.low < stats.wilson(100, 140)[0]
    assert (found.low, found.high) == pytest.approx(stats.wilson(100 * 14 / 36, 140 * 14 / 36))


def test_pairs_that_end_alike_tell_as_much_as_one_of_them_and_pairs_that_differ_no_more_than_single_ones() -> None:
    assert stats.cluster_wilson(stats.clusters_of([2, 0, 2, 0], [2, 2, 2, 2])).design_effect == pytest.approx(2)
    assert stats.cluster_wilson(stats.clusters_of([1, 1, 1, 1], [2, 2, 2, 2])).design_effect == 1


def test_clusters_of_one_trial_have_wilsons_own_interval() -> None:
    found = stats.cluster_wilson(stats.clusters_of([1, 1, 0], [1, 1, 1]))
    assert found.design_effect == 1
    assert (found.low, found.high) == pytest.approx(stats.wilson(2, 3))


@pytest.mark.parametrize(
    ("count", "size"),
    [([2], [3]), ([2, 3], [2, 3]), ([0, 0], [2, 3])],
    ids=["one cluster", "all arrived", "none arrived"],
)
def test_where_no_design_effect_can_be_estimated_it_is_missing_and_the_interval_plain(
    count: list[int], size: list[int]
) -> None:
    found = stats.cluster_wilson(stats.clusters_of(count, size))
    assert np.isnan(found.design_effect)
    assert (found.low, found.high) == pytest.approx(stats.wilson(sum(count), sum(size)))


def test_without_trials_there_is_no_interval() -> None:
    found = stats.cluster_wilson(stats.clusters_of([], []))
    assert np.isnan([*found.low, *found.high, *found.design_effect, *found.correlation]).all()


def test_weights_and_groups_are_the_same_as_clusters_one_by_one() -> None:
    together = stats.clusters_of([1, 0, 2], [2, 1, 2], weights=[3, 2, 1], group=[1, 0, 1], groups=2)
    for group, count, size in ((0, [0, 0], [1, 1]), (1, [1, 1, 1, 2], [2, 2, 2, 2])):
        alone = stats.clusters_of(count, size)
        for one, all_of in zip(alone, together, strict=True):
            assert one[0] == all_of[group]


@pytest.mark.parametrize(
    ("count", "size", "said"),
    [([1], [1, 2], "one length"), ([3], [2], "between 0 and its n"), ([-1], [2], "between 0 and its n")],
)
def test_what_cannot_be_a_cluster_is_refused(count: list[int], size: list[int], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        stats.clusters_of(count, size)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30), st.sampled_from(["ratio", "correlation"])
)
def test_it_is_never_narrower_than_wilson_and_stays_within_bounds(pairs: list[tuple[int, int]], method: str) -> None:
    clusters = stats.clusters_of([one for one, _ in pairs], [one + other for one, other in pairs])
    found = stats.cluster_wilson(clusters, method=method)
    low, high = (np.asarray(bound) for bound in stats.wilson(clusters.successes, clusters.trials))
    if clusters.trials[0]:
        assert 0 <= found.low[0] <= low[0] + 1e-12
        assert high[0] - 1e-12 <= found.high[0] <= 1
        assert not found.design_effect[0] < 1
    else:
        assert np.isnan(found.low[0])


def test_another_way_to_a_design_effect_is_refused() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'ratio'"):
        stats.cluster_wilson(stats.clusters_of([1], [2]), method="ration")
