"""When does waiting stop paying? What becomes of those still waiting, and what an experiment would need."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from tests.verify_analytics.metrics.rows import AS_OF_US, SECOND
from tests.verify_analytics.metrics.rows import verified_by_app as app
from verify_analytics import metrics, stats
from verify_analytics.errors import ArgumentError, DoubtfulWarning

Build = Callable[..., Any]


# Four verify at 10 s, three at 20 s, three never: of the six left after 10 s, half verify within the next ten.
TEN = [*(app(10) for _ in range(4)), *(app(20) for _ in range(3)), *(app(None) for _ in range(3))]


def test_of_those_still_waiting_the_share_that_verifies_next(sessions_of: Build, engine: Build) -> None:
    found = metrics.when_to_switch(engine(sessions_of(TEN)), source="app", after=[0, 10, 15, 20], within="10s")
    assert found[["after_seconds", "count", "n", "rate"]].to_numpy().tolist() == [
        [0, 4, 10, 0.4],
        # What happened at 10 s sharp has happened.
        [10, 3, 6, 0.5],
        [15, 3, 6, 0.5],
        [20, 0, 3, 0.0],
    ]
    assert set(found["within_seconds"]) == {10.0}
    assert set(found["sessions"]) == {10}
    curve = stats.cumulative_incidence([10, 20, 600], [1, 1, 2], weights=[4, 3, 3])
    expected = stats.conditional_incidence(curve, after=[0, 10, 15, 20], within=10)
    np.testing.assert_allclose(found[["rate", "low", "high"]].to_numpy().T, np.array(expected), atol=1e-9)
    # Nobody verified, and that is no certainty.
    assert found["high"].iloc[-1] > 0.5


def test_the_frame_has_its_columns_in_order_and_in_their_types(sessions_of: Build) -> None:
    found = metrics.when_to_switch(sessions_of(TEN), by=["first_channel", "day"])
    beside = ["immature", "unobserved", "unknown", "not_observable", "clock_faults", "censored"]
    assert dict(found.dtypes.astype(str)) == {
        "first_channel": "str",
        "day": "datetime64[us, UTC]",
        "source": "str",
        "measure": "str",
        "after_seconds": "float64",
        "within_seconds": "float64",
        "count": "int64",
        "n": "int64",
        "rate": "float64",
        "low": "float64",
        "high": "float64",
        "interval": "str",
        "design_effect": "float64",
        "sessions": "int64",
        "detect": "float64",
        "power": "float64",
        "per_arm": "float64",
        "sessions_to_start": "float64",
        **dict.fromkeys(beside, "int64"),
        "as_of": "datetime64[us, UTC]",
        "patience_seconds": "float64",
        "window_seconds": "float64",
        "small": "bool",
        **dict.fromkeys(["shrunk", "shrunk_low", "shrunk_high"], "float64"),
        "pooled": "str",
    }
    assert list(found["after_seconds"]) == [*range(5, 125, 5)] * 2
    assert set(found["within_seconds"]) == {30.0}
    assert set(found["detect"]) == {0.02}
    assert set(found["power"]) == {0.8}


def test_sessions_no_longer_watched_are_in_no_count_and_bias_no_rate(sessions_of: Build) -> None:
    young = AS_OF_US - 15 * SECOND
    still = {"started_us": young, "last_started_us": young, "mature": False}
    given = sessions_of([*TEN, still, still])
    found = metrics.when_to_switch(given, source="app", after=[10, 15], within="10s")
    # Two are watched for 15 s: at risk after 10 s, gone after 15.
    assert found[["count", "n"]].to_numpy().tolist() == [[3, 8], [3, 6]]
    assert found["rate"].tolist() == pytest.approx([0.5, 0.5], abs=1e-9)


@pytest.mark.parametrize("detect", [0.02, 0.1])
def test_the_size_of_an_experiment_agrees_with_statsmodels(detect: float, sessions_of: Build) -> None:
    found = metrics.when_to_switch(sessions_of(TEN), source="app", after=[0], within="10s", detect=detect).iloc[0]
    expected = stats.sample_size_two_proportions(0.4, 0.4 + detect)
    assert found["per_arm"] == math.ceil(expected)
    # The witness plans with arcsines: near, and not the same formula.
    witness = NormalIndPower().solve_power(proportion_effectsize(0.4, 0.4 + detect), power=0.8, alpha=0.05)
    assert found["per_arm"] == pytest.approx(witness, rel=0.01)


def test_so_many_must_start_that_two_arms_are_still_waiting(sessions_of: Build) -> None:
    found = metrics.when_to_switch(sessions_of(TEN), source="app", after=[10], within="10s", detect=0.1).iloc[0]
    up = math.ceil(stats.sample_size_two_proportions(0.5, 0.6))
    assert found["per_arm"] == up
    # Six of ten are still waiting then.
    assert found["sessions_to_start"] == math.ceil(2 * up / 0.6)


def test_the_side_that_needs_more_is_planned_for_and_what_is_no_share_is_not(sessions_of: Build) -> None:
    options: dict[str, Any] = {"source": "app", "after": [0], "within": "10s"}
    found = metrics.when_to_switch(sessions_of(TEN), detect=0.1, **options).iloc[0]
    assert found["per_arm"] == math.ceil(max(stats.sample_size_two_proportions(0.4, other) for other in (0.3, 0.5)))
    down = metrics.when_to_switch(sessions_of([app(5)] * 9 + [app(None)]), detect=0.3, **options).iloc[0]
    assert down["per_arm"] == math.ceil(stats.sample_size_two_proportions(0.9, 0.9 - 0.3))
    neither = metrics.when_to_switch(sessions_of(TEN), detect=0.7, **options).iloc[0]
    assert neither[["per_arm", "sessions_to_start"]].isna().all()


def test_alike_sessions_of_one_recipient_need_more(sessions_of: Build) -> None:
    rows = [app(10 if pair % 2 else None, recipient_key=f"r{pair}") for pair in range(20) for _ in range(2)]
    options: dict[str, Any] = {"source": "app", "after": [0], "within": "10s"}
    alone = metrics.when_to_switch(sessions_of(rows), **options).iloc[0]
    together = metrics.when_to_switch(sessions_of(rows), cluster="recipient", **options).iloc[0]
    assert together["design_effect"] == pytest.approx(2.0)
    assert together["per_arm"] == pytest.approx(2 * alone["per_arm"], abs=1.5)
    assert together["high"] - together["low"] > alone["high"] - alone["low"]


def test_when_nobody_is_left_or_watched_for_so_long_nothing_is_known(sessions_of: Build) -> None:
    young = AS_OF_US - 40 * SECOND
    fresh = {"started_us": young, "last_started_us": young}
    rows = [{**fresh, "verified_app_us": young + 5 * SECOND}, fresh]
    found = metrics.when_to_switch(sessions_of(rows), source="app", after=[5, 20, 60], within="30s")
    assert found["n"].tolist() == [1, 1, 0]
    assert found["rate"].isna().tolist() == [False, True, True]
    assert found[["low", "high", "per_arm", "sessions_to_start"]].iloc[1:].isna().all(axis=None)
    assert found["interval"].tolist() == ["cluster_log_log", "none", "none"]
    everybody = metrics.when_to_switch(sessions_of([app(5)]), source="app", after=[5], within="30s").iloc[0]
    assert everybody["n"] == 0
    assert math.isnan(everybody["rate"])


def test_a_source_that_never_reported_says_not_observable_in_one_row(sessions_of: Build) -> None:
    blind = [app(None, observable_app=False)] * 3
    with pytest.warns(DoubtfulWarning, match="metrics.when_to_switch: not observable") as caught:
        found = metrics.when_to_switch(sessions_of(blind), source="app")
    assert [warning.filename for warning in caught] == [__file__]
    assert found[["measure", "n", "sessions", "not_observable"]].to_numpy().tolist() == [["not_observable", 0, 0, 3]]
    assert found[["rate", "after_seconds"]].isna().all(axis=None)


def test_hundredths_of_a_second_are_met_exactly(sessions_of: Build) -> None:
    """0.7 + 0.1 is less than 0.8 in binary."""
    rows = [app(0.7), app(0.8), app(None)]
    found = metrics.when_to_switch(sessions_of(rows), source="app", after=[0.7, 0.29], within="0.1s")
    assert found[["after_seconds", "count", "n", "rate"]].to_numpy().tolist() == [[0.7, 1, 2, 0.5], [0.29, 0, 3, 0.0]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "channel"}, "did you mean 'first_channel'"),
        ({"after": []}, "no list of times"),
        ({"after": [-1]}, "no list of times"),
        ({"after": [86_401]}, "up to a day"),
        ({"after": ["soon"]}, "no list of times"),
        ({"after": 30}, r"give seconds from 0 up to a day, for example after=\[10, 30, 60\]"),
        ({"after": [float("nan")]}, "no list of times"),
        ({"within": 30}, "no duration"),
        ({"detect": 0}, "no difference of shares"),
        ({"detect": 2}, "no difference of shares"),
        ({"detect": "2 %"}, "no difference of shares"),
        ({"power": 1.0}, "power lies between"),
        ({"power": 80}, "power lies between"),
        ({"source": "both"}, "no source 'both'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    options: dict[str, Any], says: str, sessions_of: Build
) -> None:
    with pytest.raises(ArgumentError, match=says):
        metrics.when_to_switch(sessions_of(TEN), **options)


def test_totals_stand_below_the_split(sessions_of: Build) -> None:
    rows = [*TEN, app(10, country="FR")]
    options: dict[str, Any] = {"source": "app", "after": [0], "within": "10s"}
    found = metrics.when_to_switch(sessions_of(rows), by="country", totals=True, **options)
    assert found[["country", "n", "pooled"]].to_numpy().tolist() == [["DE", 10, ""], ["FR", 1, ""], ["all", 11, "all"]]
    alone = metrics.when_to_switch(sessions_of(rows), **options)
    last = found.iloc[[-1]].drop(columns=["country", "pooled"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(last, alone.drop(columns="pooled"))


def test_a_group_in_which_all_verify_has_an_answer(sessions_of: Build) -> None:
    """The share of those still waiting was a hair above one, and the size of a trial refused the whole frame."""
    everybody = [app(at) for at, times in ((6, 5), (7, 4), (8, 6)) for _ in range(times)]
    found = metrics.when_to_switch(sessions_of(everybody), source="app", after=[5]).iloc[0]
    assert (found["count"], found["n"], found["rate"]) == (15, 15, 1.0)
    assert found["per_arm"] > 0
