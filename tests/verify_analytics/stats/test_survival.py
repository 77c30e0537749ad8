"""Kaplan and Meier with Greenwood's variance, held to R's survival, to lifelines' tables and to scikit-survival."""

import math
from typing import Any

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


@pytest.mark.parametrize("name", ["km_aml_maintained", "km_aml_nonmaintained"])
def test_survival_and_greenwoods_standard_error_agree_with_r_survival(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    curve = stats.kaplan_meier(check["inputs"]["time"], check["inputs"]["status"])
    at = np.searchsorted(curve.time, check["inputs"]["at"])
    assert curve.survival[at] == pytest.approx(np.array(check["expected"]["surv"]), abs=check["tolerance"])
    expected = [math.nan if value is None else value for value in check["expected"]["std_err"]]
    assert np.sqrt(curve.variance[at]) == pytest.approx(np.array(expected), abs=5.1e-5, nan_ok=True)


def test_late_entry_agrees_with_r_survival_by_way_of_lifelines(published: dict[str, Any]) -> None:
    check = published["km_left_truncation"]
    curve = stats.kaplan_meier(check["inputs"]["time"], np.ones(5), entry=check["inputs"]["entry"])
    # The table has the times of entry too: 0, 1, then 2, 3, 4, 5, 10.
    assert curve.survival == pytest.approx(np.array(check["expected"]["surv"][2:]), abs=check["tolerance"])
    assert curve.at_risk.tolist() == [3, 3, 2, 2, 1]


def history(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    time, event = np.ceil(random.exponential(20, 300)), (random.random(300) < 0.7).astype(int)
    time[0], event[0] = time.max() + 1, 0
    return time, event


@pytest.mark.parametrize("seed", range(3))
def test_survival_variance_and_band_agree_with_scikit_survival_and_statsmodels(seed: int) -> None:
    witness = pytest.importorskip("sksurv.nonparametric", exc_type=ImportError)
    time, event = history(seed)
    curve = stats.kaplan_meier(time, event)
    band = stats.survival_band(curve, confidence=0.9)
    _, survival, (low, high) = witness.kaplan_meier_estimator(
        event.astype(bool), time, conf_level=0.9, conf_type="log-log"
    )
    assert curve.survival == pytest.approx(survival, abs=1e-12)
    begun = curve.survival < 1
    assert band.low[begun] == pytest.approx(low[begun], abs=1e-9)
    assert band.high[begun] == pytest.approx(high[begun], abs=1e-9)
    other = SurvfuncRight(time, event)
    at = np.searchsorted(curve.time, other.surv_times)
    assert np.sqrt(curve.variance[at]) == pytest.approx(other.surv_prob_se, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_late_entry_agrees_with_scikit_survival(seed: int) -> None:
    witness = pytest.importorskip("sksurv.nonparametric", exc_type=ImportError)
    time, event = history(seed)
    # Whoever comes late comes on a half, so that no entry falls on an end; many are there from the start.
    entry = np.minimum(np.floor(np.random.default_rng(seed).exponential(3, 300)), time - 1)
    entry[entry > 0] -= 0.5
    found = stats.kaplan_meier(time, event, entry=entry)
    x, survival = witness.kaplan_meier_estimator(event.astype(bool), time, entry)
    assert survival[np.searchsorted(x, found.time)] == pytest.approx(found.survival, abs=1e-12)


def test_it_is_one_minus_the_incidence_of_a_single_kind_of_end() -> None:
    time, event = history(5)
    curve, incidence = stats.kaplan_meier(time, event), stats.cumulative_incidence(time, event)
    assert curve.survival == pytest.approx(1 - incidence.incidence, abs=1e-12)
    assert curve.variance == pytest.approx(incidence.variance, rel=1e-9, abs=1e-15)


def test_entry_at_the_start_and_weights_change_nothing_that_they_should_not() -> None:
    time, event = history(6)
    single = stats.kaplan_meier(time, event)
    for other in (
        stats.kaplan_meier(time, event, entry=np.zeros(300)),
        stats.kaplan_meier(np.append(time, 7), np.append(event, 1), weights=np.append(np.ones(300), 0)),
    ):
        for one, another in zip(single, other, strict=True):
            assert one == pytest.approx(another, abs=1e-12)


def test_the_band_before_the_first_end_and_after_the_last_is_no_certainty() -> None:
    low, high = stats.survival_band(stats.kaplan_meier([1, 2, 3, 4], [0, 1, 1, 1]))
    z2 = 1.959963984540054**2
    # By hand: Wilson for none of four, before; 1/3 is left, of which none of one at the last.
    assert (low[0], high[0]) == pytest.approx((4 / (4 + z2), 1))
    assert (low[-1], high[-1]) == pytest.approx((0, z2 / (1 + z2) / 3))


@pytest.mark.parametrize(
    ("time", "event", "weights"),
    [
        ([], [], None),
        ([5], [1], None),
        ([5], [0], None),
        ([0, 0], [1, 1], None),
        ([3, 4], [1, 1], [0, 0]),
        ([1, 2, 3], [1, 0, 1], [1e9, 1e9, 1e9]),
    ],
)
def test_odd_data_give_a_curve_within_its_bounds_and_no_warning(time: Any, event: Any, weights: Any) -> None:
    curve = stats.kaplan_meier(time, event, weights=weights)
    low, high = stats.survival_band(curve)
    assert len(low) == len(high) == len(curve.time)
    assert np.all((low >= 0) & (low <= curve.survival) & (curve.survival <= high) & (high <= 1))


@pytest.mark.parametrize(("entry", "says"), [([1, 2], "one value"), ([5, 0, 0], "got 5 for 5"), ([-1, 0, 0], "got -1")])
def test_an_entry_that_is_none_is_refused(entry: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        stats.kaplan_meier([5, 6, 7], [1, 1, 1], entry=entry)
