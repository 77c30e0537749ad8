"""How sure the curve of arrivals is, held to SAS, to scikit-survival, to R and to what one can work out by hand."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verify_analytics.stats.test_incidence import rounded_history
from verify_analytics import stats
from verify_analytics.errors import ArgumentError

Z2 = 1.959963984540054**2


def test_variance_and_band_agree_with_sas_lifetest(published: dict[str, Any]) -> None:
    check = published["aj_sas_cif"]
    curve = stats.cumulative_incidence(check["inputs"]["time"], check["inputs"]["event"], cause=2)
    # The table begins at time 0.
    assert curve.variance == pytest.approx(np.array(check["expected"]["variance"][1:]), abs=1e-12)
    low, high = stats.incidence_band(curve)
    begun = curve.incidence > 0
    assert low[begun] == pytest.approx(np.array(check["expected"]["low"][4:]), abs=5e-9)
    assert high[begun] == pytest.approx(np.array(check["expected"]["high"][4:]), abs=5e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cause", [1, 2])
def test_incidence_and_band_agree_with_scikit_survival_on_ties(seed: int, cause: int) -> None:
    witness = pytest.importorskip("sksurv.nonparametric", exc_type=ImportError)
    time, event = rounded_history(seed)
    curve = stats.cumulative_incidence(time, event, cause=cause)
    band = stats.incidence_band(curve, confidence=0.9)
    x, incidence, bounds = witness.cumulative_incidence_competing_risks(
        event, time, conf_level=0.9, conf_type="log-log", var_type="Dinse_Approx"
    )
    assert np.array_equal(x, curve.time)
    assert curve.incidence == pytest.approx(incidence[cause], abs=1e-12)
    begun = curve.incidence > 0
    assert band.low[begun] == pytest.approx(bounds[cause, 0][begun], abs=1e-9)
    assert band.high[begun] == pytest.approx(bounds[cause, 1][begun], abs=1e-9)


def test_other_estimators_of_the_variance_are_near_but_not_the_same_on_the_data_of_scrucca(
    published: dict[str, Any],
) -> None:
    witness = pytest.importorskip("sksurv.nonparametric", exc_type=ImportError)
    given = published["aj_bmt_full"]["inputs"]
    time, event = np.array(given["time"]), np.array(given["event"])
    low, _ = stats.incidence_band(stats.cumulative_incidence(time, event))
    _, _, aalen = witness.cumulative_incidence_competing_risks(event, time, conf_type="log-log", var_type="Aalen")
    inside = low > 0
    assert low[inside] == pytest.approx(aalen[1, 0][inside], abs=0.02)
    assert not np.allclose(low[inside], aalen[1, 0][inside], atol=1e-5)


def test_without_censoring_the_variance_is_that_of_a_plain_share() -> None:
    time, event = rounded_history(0)
    curve = stats.cumulative_incidence(time, np.where(event == 0, 2, event))
    assert curve.variance == pytest.approx(curve.incidence * (1 - curve.incidence) / 400, rel=1e-9)


def test_weights_of_a_thousand_million_keep_the_variance_exact() -> None:
    curve = stats.cumulative_incidence([1, 2, 3], [1, 1, 2], weights=[1e9, 5e8, 5e8])
    assert curve.variance == pytest.approx(curve.incidence * (1 - curve.incidence) / 2e9, rel=1e-9)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=12))
def test_grouped_or_single_the_variance_is_the_same_and_the_band_holds_the_curve(
    rows: list[tuple[int, int, int]],
) -> None:
    time, event, size = (np.array(column) for column in zip(*rows, strict=True))
    grouped = stats.cumulative_incidence(time, event, weights=size)
    single = stats.cumulative_incidence(np.repeat(time, size), np.repeat(event, size))
    assert grouped.variance == pytest.approx(single.variance, abs=1e-12)
    assert np.all(grouped.variance <= 0.25 + 1e-9)
    low, high = stats.incidence_band(grouped)
    assert np.all((low >= 0) & (low <= grouped.incidence + 1e-12) & (grouped.incidence <= high + 1e-12) & (high <= 1))


def test_no_arrival_and_nothing_but_arrivals_are_no_certainty() -> None:
    none = stats.cumulative_incidence([5, 5, 7, 9], [0, 2, 2, 2])
    value, low, high = stats.incidence_interval_at(none, [4, 5, 6, 9])
    assert value.tolist() == low.tolist() == [0, 0, 0, 0]
    # By hand: Wilson for none of the four; from after 5 on one of them is not watched any more.
    assert high == pytest.approx(Z2 / (np.array([4, 4, 3, 3]) + Z2))
    everybody = stats.cumulative_incidence([5, 5, 5], [1, 1, 1])
    assert [number[0] for number in stats.incidence_interval_at(everybody, 5)] == pytest.approx([1, 3 / (3 + Z2), 1])
    # Of a thousand half arrive, all but one of the others leave unseen, and that one arrives: it proves little of them.
    thin = stats.cumulative_incidence([1, 5, 6], [1, 0, 1], weights=[500, 499, 1])
    assert stats.incidence_interval_at(thin, 6).low[0] == pytest.approx(1 - 0.5 * Z2 / (1 + Z2))


def test_where_nobody_was_watched_there_is_no_interval() -> None:
    curve = stats.cumulative_incidence([5, 8], [1, 0])
    assert all(np.isnan(numbers[0]) for numbers in stats.incidence_interval_at(curve, 9))
    for nothing in (stats.cumulative_incidence([], []), stats.cumulative_incidence([3], [1], weights=[0])):
        assert all(np.isnan(numbers[0]) for numbers in stats.incidence_interval_at(nothing, 3))
        assert all(np.isnan(numbers[0]) for numbers in stats.quantile_intervals(nothing, 0.5))
    assert len(stats.incidence_band(stats.cumulative_incidence([], [])).low) == 0


def test_bounds_of_a_quantile_are_where_the_band_reaches_it() -> None:
    time, event = rounded_history(2)
    curve = stats.cumulative_incidence(time, event)
    value, low, high = stats.quantile_intervals(curve, [0.1, 0.5, 0.65])
    band = stats.incidence_band(curve)
    for place, share in enumerate([0.1, 0.5, 0.65]):
        above, below = curve.time[band.high >= share], curve.time[band.low >= share]
        assert low[place] == above[0]
        assert (high[place] == below[0]) if len(below) else math.isnan(high[place])
    assert np.all(low <= value)


def test_the_interval_of_a_median_agrees_with_the_log_log_one_by_hand() -> None:
    """Of six, one arrives at each of 1 to 6: the band at k/6 is a plain share's."""
    curve = stats.cumulative_incidence([1, 2, 3, 4, 5, 6], [1] * 6)
    share = np.arange(1, 6) / 6
    width = math.sqrt(Z2) * np.sqrt(share * (1 - share) / 6) / np.abs(share * np.log(share))
    lower, upper = share ** np.exp(width), share ** np.exp(-width)
    _, low, high = stats.quantile_intervals(curve, 0.5)
    assert low[0] == 1 + np.argmax(upper >= 0.5)
    # The last one is everybody's: Wilson for six of six, 0.61.
    assert high[0] == (1 + np.argmax(lower >= 0.5) if np.any(lower >= 0.5) else 6)


def test_a_quantile_whose_bound_is_never_reached_has_none() -> None:
    value, low, high = stats.quantile_intervals(stats.cumulative_incidence([5, 8, 9], [1, 1, 2]), [0.6, 0.9])
    assert value.tolist()[0] == 8
    assert math.isnan(value[1])
    assert low[0] == 5
    assert np.isnan(high).all()
    # Of three, none arrived at once, and still a tenth at once is plausible.
    assert stats.quantile_intervals(stats.cumulative_incidence([5, 8, 9], [1, 1, 2]), 0.1).low[0] == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda curve: stats.incidence_band(curve, confidence=95),
        lambda curve: stats.incidence_interval_at(curve, 3, confidence=0),
        lambda curve: stats.quantile_intervals(curve, 0.5, confidence=1),
        lambda curve: stats.restricted_mean_interval(curve, horizon=5, confidence=1),
        lambda curve: stats.conditional_incidence(curve, after=1, within=1, confidence=1),
    ],
)
def test_a_confidence_in_percent_is_refused(ask: Any) -> None:
    with pytest.raises(ArgumentError, match=r"for example 0\.95"):
        ask(stats.cumulative_incidence([1, 2], [1, 1]))


@pytest.mark.full
@pytest.mark.parametrize("share", [0.2, 0.85])
def test_the_band_holds_the_truth_about_as_often_as_it_says(share: float) -> None:
    random, held, runs = np.random.default_rng(0), 0, 2000
    truth = share * (1 - math.exp(-1.5))
    for _ in range(runs):
        arrives = random.random(100) < share
        time = np.where(arrives, random.exponential(20, 100), 120.0)
        stops = random.uniform(20, 150, 100)
        event = np.where(time <= stops, np.where(arrives & (time < 120), 1, 2), 0)
        curve = stats.cumulative_incidence(np.minimum(np.minimum(time, stops), 120), event)
        _, low, high = stats.incidence_interval_at(curve, 30)
        held += bool(low[0] <= truth <= high[0])
    assert held / runs == pytest.approx(0.95, abs=0.02)
