"""Trials that come in clusters: the published table, an independent design effect, and what cannot be estimated."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.api import GLM, add_constant, families

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


def test_cluster_wilson_agrees_with_saha_miller_wang(published: dict[str, Any]) -> None:
    check = published["cluster_wilson_saha"]
    clusters = stats.clusters_of(check["inputs"]["events_per_cluster"], check["inputs"]["size_per_cluster"])
    found = stats.cluster_wilson(clusters)
    expected = check["expected"]
    told = [clusters.successes / clusters.trials, found.correlation, found.design_effect, found.low, found.high]
    asked = [expected[name] for name in ("estimate", "icc", "vif", "lower", "upper")]
    assert np.concatenate(told).tolist() == pytest.approx(asked, abs=check["tolerance"])


def test_the_width_is_about_that_of_a_robust_regression() -> None:
    """Liang and Zeger's sandwich, by statsmodels, on many clusters: another road to the same variance."""
    rng = np.random.default_rng(7)
    size = rng.integers(1, 5, 600)
    leaning = rng.beta(4, 2, 600)
    arrived = [rng.binomial(1, p, n) for p, n in zip(leaning, size, strict=True)]
    of = np.repeat(np.arange(600), size)
    model = GLM(np.concatenate(arrived), add_constant(np.ones(size.sum())), family=families.Binomial())
    rate = np.concatenate(arrived).mean()
    robust = model.fit(cov_type="cluster", cov_kwds={"groups": of}).bse[0] * rate * (1 - rate)
    found = stats.cluster_wilson(stats.clusters_of([each.sum() for each in arrived], size))
    assert (found.high - found.low)[0] / 2 / 1.959964 == pytest.approx(robust, rel=0.03)
    assert found.design_effect[0] > 1.1


def test_rows_that_stand_for_many_clusters_and_groups_are_the_same_as_each_by_itself() -> None:
    count, size, weight, group = [2, 1, 0, 1], [2, 2, 1, 1], [3, 2, 4, 5], [0, 1, 0, 1]
    together = stats.cluster_wilson(stats.clusters_of(count, size, weights=weight, group=group, groups=3))
    for number in (0, 1):
        rows = [i for i in range(4) if group[i] == number for _ in range(weight[i])]
        alone = stats.cluster_wilson(stats.clusters_of([count[i] for i in rows], [size[i] for i in rows]))
        for name in ("low", "high", "design_effect", "correlation"):
            np.testing.assert_allclose(getattr(together, name)[number], getattr(alone, name)[0])
    assert np.isnan(together.low[2])
    assert np.isnan(together.design_effect[2])


def test_with_one_trial_each_it_is_wilson_with_a_design_effect_of_one() -> None:
    found = stats.cluster_wilson(stats.clusters_of([1, 0, 1, 1], [1, 1, 1, 1]))
    assert found.design_effect.tolist() == [1.0]
    assert (found.low[0], found.high[0]) == stats.wilson(3, 4)


@pytest.mark.parametrize(
    ("count", "size"),
    [([2], [3]), ([2, 3], [2, 3]), ([0, 0], [2, 3])],
    ids=["one cluster", "all succeeded", "none succeeded"],
)
def test_what_cannot_be_estimated_is_plain_and_marked(count: list[int], size: list[int]) -> None:
    found = stats.cluster_wilson(stats.clusters_of(count, size))
    assert np.isnan(found.design_effect[0])
    assert (found.low[0], found.high[0]) == stats.wilson(sum(count), sum(size))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_it_is_never_narrower_than_wilson_and_stays_within_bounds(pairs: list[tuple[int, int]]) -> None:
    size = [one + other for one, other in pairs]
    clusters = stats.clusters_of([one for one, _ in pairs], size)
    found = stats.cluster_wilson(clusters)
    low, high = stats.wilson(clusters.successes, clusters.trials)
    if sum(size):
        assert 0 <= found.low[0] <= low[0] + 1e-12  # type: ignore[index]
        assert high[0] - 1e-12 <= found.high[0] <= 1  # type: ignore[index]
        assert not found.design_effect[0] < 1
    else:
        assert np.isnan(found.low[0])


@pytest.mark.parametrize(("count", "size"), [([1, 2], [2]), ([3], [2]), ([-1], [2])])
def test_clusters_that_cannot_be_are_refused(count: list[int], size: list[int]) -> None:
    with pytest.raises(ArgumentError):
        stats.clusters_of(count, size)
