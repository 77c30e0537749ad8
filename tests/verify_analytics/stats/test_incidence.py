"""The curve of arrivals, held to published tables, to statsmodels, and to what one can work out by hand."""

import math
from typing import Any

import numpy as np
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from verify_analytics import stats
from verify_analytics.errors import ArgumentError


@pytest.mark.parametrize("name", ["km_aml_maintained", "km_aml_nonmaintained"])
def test_with_one_kind_of_end_the_curve_agrees_with_r_survival(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    inputs = check["inputs"]
    curve = stats.cumulative_incidence(inputs["time"], inputs["status"])
    surviving = 1 - stats.incidence_at(curve, inputs.get("at"))
    assert surviving == pytest.approx(np.array(check["expected"]["surv"]), abs=check["tolerance"])
    assert stats.incidence_quantiles(curve, 0.5)[0] == check["expected"]["median"]


def test_quantiles_agree_with_r_survival_on_flat_pieces_too(published: dict[str, Any]) -> None:
    check = published["km_quantiles_r"]
    curve = stats.cumulative_incidence(check["inputs"]["time"], check["inputs"]["status"])
    found = stats.incidence_quantiles(curve, 1 - np.array(check["inputs"]["surv_probs"]))
    expected = [math.nan if value is None else value for value in check["expected"]["quantiles"]]
    assert found == pytest.approx(np.array(expected), abs=check["tolerance"], nan_ok=True)


def test_restricted_mean_agrees_with_lifelines(published: dict[str, Any]) -> None:
    check = published["rmst_small"]
    curve = stats.cumulative_incidence(check["inputs"]["time"], check["inputs"]["event"])
    found = [stats.restricted_mean(curve, horizon=horizon) for horizon in check["inputs"]["t"]]
    assert found == pytest.approx(check["expected"]["rmst"], abs=check["tolerance"])


def test_cumulative_incidence_agrees_with_the_sas_example_by_hand(published: dict[str, Any]) -> None:
    check = published["aj_sas_cif"]
    inputs = check["inputs"]
    curve = stats.cumulative_incidence(inputs["time"], inputs["event"], cause=inputs["event_of_interest"])
    assert stats.incidence_at(curve, range(7)) == pytest.approx(
        np.array(check["expected"]["cif"]), abs=check["tolerance"]
    )


@pytest.mark.parametrize("cause", [1, 2])
def test_cumulative_incidence_agrees_with_r_cmprsk_on_ties_and_at_time_zero(
    cause: int, published: dict[str, Any]
) -> None:
    check = published["aj_bmt_full"]
    curve = stats.cumulative_incidence(check["inputs"]["time"], check["inputs"]["event"], cause=cause)
    assert stats.incidence_at(curve, check["expected"]["at"]) == pytest.approx(
        np.array(check["expected"][f"cif{cause}"]), abs=check["tolerance"]
    )


def rounded_history(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give 400 units with many equal times, two kinds of end and some still waiting, the longest of all among them."""
    random = np.random.default_rng(seed)
    time, event = np.ceil(random.exponential(20, 400)), random.choice([0, 1, 2], 400, p=[0.3, 0.5, 0.2])
    # statsmodels divides by zero in its standard error where the last one ends.
    time[0], event[0] = time.max() + 1, 0
    return time, event


@pytest.mark.parametrize("seed", range(5))
def test_cumulative_incidence_agrees_with_statsmodels(seed: int) -> None:
    time, event = rounded_history(seed)
    curve = stats.cumulative_incidence(time, event)
    witness = CumIncidenceRight(time, event)
    assert stats.incidence_at(curve, witness.times) == pytest.approx(witness.cinc[0], abs=1e-12)
    other = stats.cumulative_incidence(time, event, cause=2)
    assert stats.incidence_at(other, witness.times) == pytest.approx(witness.cinc[1], abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_share_still_waiting_agrees_with_statsmodels_kaplan_meier(seed: int) -> None:
    time, event = rounded_history(seed)
    witness = SurvfuncRight(time, event > 0)
    curve = stats.cumulative_incidence(time, event)
    assert curve.waiting[np.searchsorted(curve.time, witness.surv_times)] == pytest.approx(witness.surv_prob, abs=1e-12)


def test_arrived_otherwise_ended_and_waiting_add_up_to_everybody() -> None:
    time, event = rounded_history(7)
    arrived = stats.cumulative_incidence(time, event)
    otherwise = stats.cumulative_incidence(time, event, cause=2)
    assert arrived.incidence + otherwise.incidence + arrived.waiting == pytest.approx(np.ones(len(arrived.time)))
    assert (arrived.events + arrived.competing + arrived.censored).sum() == 400


def test_grouped_rows_with_weights_give_the_curve_of_the_single_rows() -> None:
    time, event = rounded_history(3)
    pairs, sizes = np.unique(np.column_stack([time, event]), axis=0, return_counts=True)
    single = stats.cumulative_incidence(time, event)
    grouped = stats.cumulative_incidence(pairs[:, 0], pairs[:, 1], weights=sizes)
    for one, other in zip(single, grouped, strict=True):
        assert one == pytest.approx(other, abs=1e-12)


def test_the_order_of_rows_does_not_matter() -> None:
    time, event = rounded_history(4)
    shuffled = np.random.default_rng(0).permutation(400)
    for one, other in zip(
        stats.cumulative_incidence(time, event),
        stats.cumulative_incidence(time[shuffled], event[shuffled]),
        strict=True,
    ):
        assert np.array_equal(one, other)


def test_without_censoring_the_curve_is_the_plain_share_of_all() -> None:
    curve = stats.cumulative_incidence([3, 5, 5, 600], [1, 1, 1, 2])
    assert stats.incidence_at(curve, [0, 3, 5, 10_000]) == pytest.approx(np.array([0, 0.25, 0.75, 0.75]))


def test_an_end_at_the_time_of_a_censoring_comes_first() -> None:
    curve = stats.cumulative_incidence([5, 5], [0, 1])
    assert curve.incidence == pytest.approx(np.array([0.5]))
    assert curve.at_risk == pytest.approx(np.array([2.0]))


def test_after_the_last_one_watched_the_share_is_not_known() -> None:
    still_waiting = stats.cumulative_incidence([5, 8], [1, 0])
    assert math.isnan(stats.incidence_at(still_waiting, 8.001)[0])
    assert math.isnan(stats.restricted_mean(still_waiting, horizon=9))
    assert stats.restricted_mean(still_waiting, horizon=8) == pytest.approx(6.5)
    all_ended = stats.cumulative_incidence([5, 8], [1, 2])
    assert stats.incidence_at(all_ended, 100)[0] == 0.5
    assert stats.restricted_mean(all_ended, horizon=100) == pytest.approx(52.5)


def test_a_quantile_the_curve_never_reaches_does_not_exist() -> None:
    curve = stats.cumulative_incidence([5, 8, 9], [1, 1, 2])
    assert stats.incidence_quantiles(curve, [0.6, 0.9]) == pytest.approx(np.array([8, math.nan]), nan_ok=True)


def test_a_curve_that_ends_flat_at_the_share_with_nobody_waiting_gives_the_moment_it_got_there() -> None:
    half_never = stats.cumulative_incidence([10, 600], [1, 2])
    assert stats.incidence_quantiles(half_never, 0.5)[0] == 10
    half_unseen = stats.cumulative_incidence([10, 600], [1, 0])
    assert stats.incidence_quantiles(half_unseen, 0.5)[0] == 305


def test_no_data_give_an_empty_curve_and_no_numbers() -> None:
    curve = stats.cumulative_incidence([], [])
    assert all(len(column) == 0 for column in curve)
    assert math.isnan(stats.incidence_at(curve, 5)[0])
    assert math.isnan(stats.incidence_quantiles(curve, 0.5)[0])
    assert math.isnan(stats.restricted_mean(curve, horizon=10))


def test_rows_of_weight_nothing_change_nothing() -> None:
    curve = stats.cumulative_incidence([1, 2, 3], [1, 1, 1], weights=[1, 1, 0])
    assert curve.incidence == pytest.approx(np.array([0.5, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("durations", "events", "weights", "says"),
    [
        ([-1, 2], [1, 1], None, "got -1"),
        ([math.nan], [1], None, "got nan"),
        ([1, 2], [1], None, "one length"),
        ([1], [0.5], None, "whole number"),
        ([1], [-1], None, "whole number"),
        ([1], [1], [-2], "weight"),
        ([1], [1], [math.nan], "weight"),
    ],
)
def test_what_no_curve_can_be_made_of_is_refused(durations: Any, events: Any, weights: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        stats.cumulative_incidence(durations, events, weights=weights)


def test_a_quantile_asked_in_percent_and_a_horizon_of_nothing_are_refused() -> None:
    curve = stats.cumulative_incidence([1], [1])
    with pytest.raises(ArgumentError, match=r"for example 0\.5"):
        stats.incidence_quantiles(curve, 50)
    with pytest.raises(ArgumentError, match="horizon"):
        stats.restricted_mean(curve, horizon=0)


def test_rounding_lifts_no_curve_above_all() -> None:
    """Summed in binary, 5/15, 4/15 and 6/15 are a hair more than one."""
    curve = stats.cumulative_incidence([1, 2, 3], [1, 1, 1], weights=[5, 4, 6])
    assert curve.incidence[-1] == 1.0
