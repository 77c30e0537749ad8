"""How sure are the times? Intervals of shares, quantiles and means, what they belong to, and when they do not exist."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, SECOND, row
from tests.verify_analytics.metrics.rows import verified_by_app as app
from verify_analytics import metrics, stats

Build = Callable[..., Any]


def one(values: Any) -> float:
    """Give the one number of an array."""
    return float(np.asarray(values).item())


# How many of twenty verify.
FOUR = {"DE": 8, "FR": 14, "GB": 4, "IN": 18}
TWENTY = [app(each) for each in range(1, 16)] + [app(None)] * 5


def test_shares_have_bounds_of_shares_and_times_have_bounds_of_times(sessions_of: Build, engine: Build) -> None:
    found = metrics.time_to_verify(engine(sessions_of(TWENTY)), source="app", horizon="1min")
    curve = stats.cumulative_incidence(range(1, 21), [1] * 15 + [2] * 5)
    within, half, mean = row(found, "within_10s"), row(found, "p50"), row(found, "restricted_mean")
    share = stats.incidence_interval_at(curve, [10])
    assert (within["unit"], within["interval"]) == ("share", "cluster_log_log")
    assert [within["low"], within["high"]] == pytest.approx([one(share.low), one(share.high)], abs=1e-9)
    # Half after ten of twenty: the middle of a flat piece. The lower curve only just misses it: no upper bound.
    assert (half["unit"], half["interval"], half["seconds"], half["low"]) == ("seconds", "cluster_log_log", 10.5, 6.0)
    assert math.isnan(half["high"])
    waits = stats.restricted_mean_interval(
        stats.cumulative_incidence([*range(1, 16), 600], [1] * 15 + [2], weights=[1] * 15 + [5]), horizon=60
    )
    assert (mean["unit"], mean["interval"]) == ("seconds", "cluster_normal")
    assert [mean["seconds"], mean["low"], mean["high"]] == pytest.approx(list(waits), abs=1e-9)
    drawn = found[found["measure"] == "curve"]
    assert set(drawn["unit"]) == {"share"}
    assert ((drawn["low"] <= drawn["rate"]) & (drawn["rate"] <= drawn["high"])).all()


def test_a_quantile_that_is_not_reached_may_have_a_lower_bound(sessions_of: Build) -> None:
    given = sessions_of(TWENTY)
    most = row(metrics.time_to_verify(given, source="app"), "p90")
    assert np.isnan([most["seconds"], most["low"], most["high"]]).all()
    assert most["interval"] == "none"
    # Eighty-five of a hundred: 90 % is plausible from the 85th second on, and never reached.
    many = [app(each) for each in range(1, 86)] + [app(None)] * 15
    most = row(metrics.time_to_verify(sessions_of(many), source="app"), "p90")
    bounds = stats.quantile_intervals(stats.cumulative_incidence(range(1, 101), [1] * 85 + [2] * 15), [0.9])
    assert math.isnan(most["seconds"])
    assert math.isnan(most["high"])
    assert most["low"] == one(bounds.low) == 85.0
    assert (most["interval"], most["count"], most["at_risk"] is pd.NA) == ("cluster_log_log", 85, True)


def test_each_row_counts_those_who_arrived_and_those_still_waiting(sessions_of: Build) -> None:
    young = AS_OF_US - 30 * SECOND
    still = {"started_us": young, "last_started_us": young, "mature": False}
    rows = [app(8), app(10), app(45), app(None), still]
    found = metrics.time_to_verify(sessions_of(rows), source="app", horizon="2min")
    drawn = found[found["measure"] == "curve"]
    told = drawn[["seconds", "count", "at_risk"]].astype("int64").to_numpy().tolist()
    # Just before 45 s one of five is no longer watched, and two have arrived.
    assert told == [[0, 0, 5], [8, 1, 5], [10, 2, 4], [45, 3, 2], [120, 3, 1]]
    assert row(found, "within_30s")[["count", "at_risk"]].tolist() == [2, 3]
    assert row(found, "p50")[["seconds", "count", "at_risk"]].tolist() == [45, 3, 2]
    assert row(found, "restricted_mean")[["count", "at_risk"]].tolist() == [3, 1]
    assert row(found, "within_60s")["rate"] == pytest.approx(0.4 + 0.6 / 2, abs=1e-9)


def test_sessions_of_one_recipient_that_are_alike_widen_every_interval(sessions_of: Build) -> None:
    rows = [app(10 + pair if pair % 3 else None, recipient_key=f"r{pair}") for pair in range(30) for _ in range(2)]
    given = sessions_of(rows)
    alone = metrics.time_to_verify(given, source="app", horizon="1min")
    together = metrics.time_to_verify(given, source="app", horizon="1min", cluster="recipient")
    # Twins that always end alike tell as much as one: sixty are worth thirty, give or take the estimate.
    assert row(alone, "p50")["design_effect"] == 1
    assert row(together, "p50")["design_effect"] == pytest.approx(2.0, abs=1e-9)
    same = ["seconds", "rate", "count", "n", "at_risk"]
    assert together[same].equals(alone[same])
    half = stats.cumulative_incidence(
        [10 + pair if pair % 3 else 600 for pair in range(30)], [1 if pair % 3 else 2 for pair in range(30)]
    )
    expected = stats.incidence_interval_at(half, [30])
    assert row(together, "within_30s")["low"] == pytest.approx(one(expected.low), abs=1e-9)
    assert row(together, "within_30s")["high"] == pytest.approx(one(expected.high), abs=1e-9)
    assert row(together, "p50")["low"] < row(alone, "p50")["low"]


def test_where_no_design_effect_can_be_estimated_the_plain_interval_is_marked(sessions_of: Build) -> None:
    given = sessions_of([app(10, recipient_key="one"), app(20, recipient_key="one")])
    found = metrics.time_to_verify(given, source="app", cluster="recipient")
    assert found["design_effect"].isna().all()
    assert set(found["interval"]) == {"log_log", "normal"}


def test_the_design_effect_asks_only_sessions_old_enough(sessions_of: Build) -> None:
    twins = [app(10 + pair if pair % 3 else None, recipient_key=f"r{pair}") for pair in range(30) for _ in range(2)]
    young = AS_OF_US - MINUTE
    fresh = {"started_us": young, "last_started_us": young, "mature": False}
    rows = [{**fresh, "recipient_key": f"r{pair}"} for pair in range(30) if pair % 3]
    options: dict[str, Any] = {"source": "app", "cluster": "recipient"}
    before = metrics.time_to_verify(sessions_of(twins), **options)["design_effect"].iloc[0]
    assert metrics.time_to_verify(sessions_of(twins + rows), **options)["design_effect"].iloc[0] == before


def test_top_pools_the_rest_and_totals_stand_below(sessions_of: Build, engine: Build) -> None:
    rows = [app(10, country=name) for name in ("DE", "DE", "DE", "FR", "FR", "AT", None)]
    found = metrics.time_to_verify(engine(sessions_of(rows)), by="country", source="app", top=1, totals=True)
    one = found[found["measure"] == "within_10s"]
    assert one[["country", "n", "pooled"]].to_numpy().tolist() == [
        ["DE", 3, ""],
        ["others", 3, "others"],
        ["not known", 1, ""],
        ["all", 7, "all"],
    ]
    whole = metrics.time_to_verify(engine(sessions_of(rows)), source="app")
    below = found[found["pooled"] == "all"].drop(columns=["country", "pooled"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(below, whole.drop(columns="pooled"))


def test_what_ends_after_a_day_is_watched_for_a_day_and_no_longer(sessions_of: Build) -> None:
    long_ago = AS_OF_US - 3 * 24 * 60 * MINUTE
    day = 24 * 60 * 60
    rows = [
        {"started_us": long_ago, "last_started_us": AS_OF_US, "verified_app_us": long_ago + at * SECOND}
        for at in (60, day, day + 1)
    ]
    found = metrics.time_to_verify(sessions_of(rows), source="app", horizon="24h")
    assert found[found["measure"] == "curve"][["seconds", "rate"]].to_numpy().tolist() == [
        [0, 0],
        [60, pytest.approx(1 / 3)],
        [day, pytest.approx(2 / 3)],
    ]
    assert set(found["censored"]) == {1}


def test_only_shares_by_a_time_lean_on_the_other_groups(sessions_of: Build) -> None:
    rows = [
        *(app(10 if each < many else None, country=name) for name, many in FOUR.items() for each in range(20)),
        # Nothing is known of these: the others lean on each other without them.
        app(None, country="US", observable_app=False),
    ]
    found = metrics.time_to_verify(sessions_of(rows), by="country", source="app", horizon="1min")
    leaning = found[found["shrunk"].notna()]
    assert set(leaning["measure"]) == {"within_10s", "within_30s", "within_60s", "within_120s"}
    within = found[(found["measure"] == "within_10s")].set_index("country")
    expected = stats.beta_binomial_shrinkage(list(FOUR.values()), [20] * 4)
    np.testing.assert_allclose(within.loc[list(FOUR), "shrunk"], expected.rate, atol=1e-9)
    assert within["small"].all()


def test_a_share_leans_by_what_is_estimated_and_not_by_what_was_seen(sessions_of: Build) -> None:
    """Half of the sessions are no longer watched at 60 s: three of twenty were seen, and three of ten estimated."""
    young = AS_OF_US - 30 * SECOND
    fresh = {"started_us": young, "last_started_us": young, "mature": False}
    rows = [
        row
        for name, many in FOUR.items()
        for each in range(10)
        for row in (app(45 if each < many // 2 else None, country=name), {**fresh, "country": name})
    ]
    found = metrics.time_to_verify(sessions_of(rows), by="country", source="app", horizon="1min")
    within = found[found["measure"] == "within_60s"].set_index("country")
    assert within.loc["DE", "rate"] == pytest.approx(0.4)
    estimated = stats.beta_binomial_shrinkage(list(FOUR.values()), [20] * 4)
    np.testing.assert_allclose(within.loc[list(FOUR), "shrunk"], estimated.rate, atol=1e-9)


def test_what_is_left_at_each_time_leans_on_nothing(sessions_of: Build) -> None:
    rows = [app(10 if each < many else None, country=name) for name, many in FOUR.items() for each in range(20)]
    found = metrics.when_to_switch(sessions_of(rows), by="country", source="app", after=[0, 20], within="10s")
    assert found["shrunk"].isna().all()
    assert found["small"].all()
