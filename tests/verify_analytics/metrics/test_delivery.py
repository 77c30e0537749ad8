"""Delivery is counted among known, mature attempts, and nobody is lost on the way."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.verify_analytics.metrics.rows import AS_OF_US, DAY, HOUR, MINUTE, START_US, counted
from tests.verify_analytics.metrics.rows import row as one
from verify_analytics import metrics
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError
from verify_analytics.metrics.by import ATTEMPT_BY, checked_by

Build = Callable[..., Any]

MEASURES = [
    "confirmed",
    "accepted",
    "coverage",
    "not_handed_over",
    "not_handed_over_policy",
    "not_handed_over_account",
]


TEN: list[dict[str, Any]] = [
    *[{"outcome": "delivered"}] * 3,
    {"outcome": "undelivered", "error_code": "50"},
    {"outcome": "accepted"},
    {"outcome": "silent"},
    {"outcome": "failed", "error_code": "452"},
    {"outcome": "failed", "error_code": "450"},
    {"outcome": "failed", "error_code": None},
    {"outcome": "failed", "error_code": "451"},
]


def test_ten_attempts_give_the_rates_one_works_out_by_hand(attempts_of: Build, engine: Build) -> None:
    found = metrics.delivery_rate(engine(attempts_of(TEN)))
    assert list(found["measure"]) == MEASURES
    assert {name: counted(found, name) for name in MEASURES} == {
        "confirmed": (3, 10),
        "accepted": (4, 10),
        "coverage": (4, 5),
        "not_handed_over": (4, 10),
        "not_handed_over_policy": (2, 10),
        "not_handed_over_account": (1, 10),
    }
    assert one(found, "confirmed")["rate"] == pytest.approx(0.3, abs=1e-9)
    low, high = proportion_confint(3, 10, method="wilson")
    assert one(found, "confirmed")[["low", "high"]].tolist() == pytest.approx([low, high], abs=1e-9)


def test_the_frame_has_the_columns_of_the_contract_in_its_types(attempts_of: Build, engine: Build) -> None:
    found = metrics.delivery_rate(engine(attempts_of(TEN)), by=["channel", "day"])
    assert dict(found.dtypes.astype(str)) == {
        "channel": "str",
        "day": "datetime64[us, UTC]",
        "measure": "str",
        "count": "int64",
        "n": "int64",
        "rate": "float64",
        "low": "float64",
        "high": "float64",
        "interval": "str",
        "design_effect": "float64",
        "immature": "int64",
        "unobserved": "int64",
        "unknown": "int64",
        "as_of": "datetime64[us, UTC]",
        "patience_seconds": "float64",
        "small": "bool",
        "shrunk": "float64",
        "shrunk_low": "float64",
        "shrunk_high": "float64",
        "pooled": "str",
    }
    assert set(found["interval"]) <= {"wilson", "cluster_wilson"}
    assert (found["pooled"] == "").all()
    assert set(found["as_of"]) == {pd.Timestamp("2026-10-29", tz="UTC")}
    assert set(found["patience_seconds"]) == {900.0}


def test_what_cannot_be_judged_is_in_no_rate_but_counted_beside_it(attempts_of: Build, engine: Build) -> None:
    rows = [
        {"outcome": "delivered"},
        {"outcome": "unobserved"},
        {"outcome": "unknown"},
        {"outcome": "unknown"},
        # A young attempt counts as young although its receipt is here: fast successes must not come first.
        {"outcome": "delivered", "mature": False},
        {"outcome": "pending", "mature": False},
        {"outcome": "unobserved", "mature": False},
        {"outcome": "failed", "error_code": "452", "mature": False},
    ]
    found = metrics.delivery_rate(engine(attempts_of(rows)))
    row = one(found, "confirmed")
    assert (row["count"], row["n"]) == (1, 1)
    assert (row["immature"], row["unobserved"], row["unknown"]) == (4, 1, 2)
    assert row["n"] + row["immature"] + row["unobserved"] + row["unknown"] == len(rows)
    assert counted(found, "not_handed_over_policy") == (0, 1)


def test_rows_that_are_no_attempt_are_ignored(attempts_of: Build, engine: Build) -> None:
    found = metrics.delivery_rate(engine(attempts_of([{}, {"is_attempt": False, "attempt_id": None}])))
    assert counted(found, "confirmed") == (1, 1)


def test_attempts_after_verification_count_in_delivery_by_role(attempts_of: Build, engine: Build) -> None:
    rows = [{"role": "after_verified"}, {"role": "fallback", "channel": "voice"}, {}]
    found = metrics.delivery_rate(engine(attempts_of(rows)), by="role")
    assert list(found[found["measure"] == "confirmed"]["role"]) == ["first_choice", "fallback", "after_verified"]


def test_a_refusal_counts_as_policy_only_where_the_attempt_failed(attempts_of: Build, engine: Build) -> None:
    rows = [{"outcome": "undelivered", "error_code": "452"}, {"outcome": "undelivered", "error_code": "900"}]
    found = metrics.delivery_rate(engine(attempts_of(rows)))
    assert counted(found, "not_handed_over_policy") == (0, 2)
    assert counted(found, "not_handed_over_account") == (0, 2)


def test_groups_of_two_columns_stay_together_and_missing_values_come_last_by_name(
    attempts_of: Build, engine: Build
) -> None:
    rows = [
        {"country": None, "channel": "voice"},
        {"country": None, "channel": None},
        {"country": "US", "outcome": "accepted"},
        {"country": "DE"},
        {"country": "DE", "outcome": "undelivered"},
    ]
    found = metrics.delivery_rate(engine(attempts_of(rows)), by=["country", "channel"])
    groups = found[["country", "channel"]].drop_duplicates()
    assert groups.to_numpy().tolist() == [
        ["DE", "sms"],
        ["US", "sms"],
        ["not known", "voice"],
        ["not known", "not known"],
    ]
    assert list(found["measure"]) == MEASURES * 4
    assert counted(found, "confirmed", country="DE") == (1, 2)
    assert counted(found, "confirmed", channel="voice") == (1, 1)


def test_day_and_hour_are_utc_of_the_start(attempts_of: Build, engine: Build) -> None:
    rows = [{"started_us": START_US - 1}, {"started_us": START_US}, {"started_us": START_US + 13 * HOUR}]
    found = metrics.delivery_rate(engine(attempts_of(rows)), by=["day", "hour"])
    groups = found[["day", "hour"]].drop_duplicates()
    assert [(f"{day:%Y-%m-%d}", hour) for day, hour in groups.to_numpy()] == [
        ("2026-10-27", 23),
        ("2026-10-28", 0),
        ("2026-10-28", 13),
    ]
    assert str(found["hour"].dtype) == "Int64"


def test_by_does_not_meet_columns_the_analyst_added(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of([{}, {}]).assign(day="monday", hour=99, rows=7, measure="x")
    found = metrics.delivery_rate(engine(frame), by=["hour"])
    assert list(found["hour"].unique()) == [0]


def test_all_engines_agree_to_the_last_digit(attempts_of: Build, engine: Build) -> None:
    rows = [{**row, "country": country} for row in TEN for country in ("DE", None, "US")]
    given = attempts_of(rows)
    expected = metrics.delivery_rate(given, by=["country", "role"])
    pd.testing.assert_frame_equal(
        metrics.delivery_rate(engine(given), by=["country", "role"]), expected, rtol=0, atol=1e-9
    )


def test_no_attempts_give_one_group_without_rates_and_no_groups_when_split(attempts_of: Build, engine: Build) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.delivery_rate(engine(attempts_of([])))
        split = metrics.delivery_rate(engine(attempts_of([])), by=["country", "day"])
    assert list(found["measure"]) == MEASURES
    assert found[["count", "n", "immature", "unobserved", "unknown"]].to_numpy().sum() == 0
    assert found[["rate", "low", "high"]].isna().all(axis=None)
    assert found["as_of"].isna().all()
    assert len(split) == 0
    assert list(split.columns) == ["country", "day", *found.columns]
    assert str(split["as_of"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    "row", [{"mature": False, "outcome": "pending"}, {"outcome": "unobserved"}, {"outcome": "unknown"}]
)
def test_where_nothing_can_be_judged_the_rate_is_not_zero_but_missing(
    row: dict[str, Any], attempts_of: Build, engine: Build
) -> None:
    found = metrics.delivery_rate(engine(attempts_of([row])), by=["channel"])
    assert (found["n"] == 0).all()
    assert found[["rate", "low", "high"]].isna().all(axis=None)
    assert found[["immature", "unobserved", "unknown"]].iloc[0].sum() == 1


def test_one_attempt_gives_a_wide_interval(attempts_of: Build) -> None:
    row = one(metrics.delivery_rate(attempts_of([{}])), "confirmed")
    assert (row["rate"], row["high"]) == (1, 1)
    assert row["low"] == pytest.approx(0.2065, abs=1e-4)


def test_a_report_that_looks_past_the_collector_is_doubted(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of([{"covered_until_us": AS_OF_US - 90 * MINUTE}])
    with pytest.warns(DoubtfulWarning, match=r"as_of is 2026-10-29 00:00 UTC.*until 2026-10-28 22:30 UTC"):
        metrics.delivery_rate(engine(frame))


def test_the_minute_that_runs_is_not_missing_yet(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of([{"covered_until_us": AS_OF_US - 2 * MINUTE}])
    assert counted(metrics.delivery_rate(engine(frame)), "confirmed") == (1, 1)
    with pytest.warns(DoubtfulWarning):
        metrics.delivery_rate(engine(attempts_of([{"covered_until_us": AS_OF_US - 2 * MINUTE - 1}])))


def test_the_warning_points_at_the_line_that_asked(attempts_of: Build) -> None:
    with pytest.warns(DoubtfulWarning) as caught:
        metrics.delivery_rate(attempts_of([{"covered_until_us": AS_OF_US - DAY}]))
    assert [warning.filename for warning in caught] == [__file__]


def test_a_store_that_does_not_know_its_coverage_is_not_doubted(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of([{"coverage_known": False, "covered_until_us": None}])
    assert counted(metrics.delivery_rate(engine(frame)), "confirmed") == (1, 1)


@pytest.mark.parametrize(
    ("by", "says"),
    [
        ("contry", "did you mean 'country'"),
        (
            ["channel", "outcome"],
            "attempts cannot be split by 'outcome'.*Known: channel, country, day, hour, local",
        ),
        (["channel", "role", "country"], "at most two columns, got 3"),
        (["role", "role"], "twice"),
        ("number_block", "needs top="),
        ([3], "cannot be split by '3'|cannot be split by 3"),
    ],
)
def test_a_split_that_cannot_be_is_refused_in_one_sentence(by: Any, says: str, attempts_of: Build) -> None:
    with pytest.raises(ArgumentError, match=says):
        metrics.delivery_rate(attempts_of([{}]), by=by)


def test_a_frame_that_model_attempts_did_not_make_is_refused_with_what_is_missing(attempts_of: Build) -> None:
    with pytest.raises(SchemaError, match=r"needs the columns mature, country, as model\.attempts gives them; there"):
        metrics.delivery_rate(attempts_of([{}]).drop(columns=["mature", "country"]), by="country")


def test_something_that_is_no_frame_is_refused() -> None:
    with pytest.raises(ArgumentError, match="got list"):
        metrics.delivery_rate([1, 2, 3])  # type: ignore[arg-type]


def test_two_readings_in_one_frame_are_refused(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of([{}, {"as_of_us": AS_OF_US + DAY, "covered_until_us": AS_OF_US + DAY}])
    with pytest.raises(ArgumentError, match="more than one as_of"):
        metrics.delivery_rate(engine(frame))


def test_nothing_is_changed_in_what_was_given(attempts_of: Build) -> None:
    given = attempts_of(TEN)
    before = given.copy(deep=True)
    metrics.delivery_rate(given, by=["day", "hour"])
    pd.testing.assert_frame_equal(given, before)


def test_a_rate_of_nothing_is_nan_and_not_none(attempts_of: Build) -> None:
    assert math.isnan(one(metrics.delivery_rate(attempts_of([{"outcome": "silent"}])), "coverage")["rate"])


@pytest.mark.parametrize("by", [5, 1.5])
def test_what_is_no_name_is_told_as_such(by: Any) -> None:
    with pytest.raises(ArgumentError, match="is no name of a column"):
        checked_by(by, ATTEMPT_BY, grain="attempts")
