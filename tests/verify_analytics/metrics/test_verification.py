"""Verification is told by session and source: of those that could be watched, who was verified, with which attempt."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, SECOND, START_US, counted, row
from verify_analytics import metrics
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError
from verify_analytics.metrics.definitions import undefined

Build = Callable[..., Any]

LEFT_OUT = ["immature", "unobserved", "unknown", "not_observable"]


def verified(seconds: float, attempts: int = 1, *, source: str = "app", **facts: Any) -> dict[str, Any]:
    """Give a session verified so many seconds after its start, with so many attempts of one second each before."""
    later = {} if attempts == 1 else {"second_started_us": START_US + SECOND}
    return {
        f"verified_{source}_us": START_US + round(seconds * SECOND),
        "attempts": attempts,
        "attempts_before_verified": attempts,
        "highest_sequence": attempts,
        **later,
        **facts,
    }


# Six sessions that can be judged, and one for each reason to leave one out.
TEN: list[dict[str, Any]] = [
    verified(20),
    verified(30, 2),
    verified(90, 4),
    # A second attempt after the verification is a new need.
    verified(10, attempts=2, attempts_before_verified=1, second_started_us=None),
    {},
    # Verified after the window: not in time.
    verified(3600),
    verified(5, mature=False),
    verified(5, unobserved=True),
    verified(5, attempts_before_verified=0),
    verified(5, observable_app=False),
]


def test_ten_sessions_give_the_figures_one_works_out_by_hand(sessions_of: Build, engine: Build) -> None:
    found = metrics.verification_rate(engine(sessions_of(TEN)), source="app")
    assert {name: counted(found, name) for name in found["measure"]} == {
        "verified": (4, 6),
        "first_attempt_conversion": (2, 6),
        "attempts_before_verification": (8, 4),
        "verified_with_attempt_1": (2, 4),
        "verified_with_attempt_2": (1, 4),
        "verified_with_attempt_3_or_later": (1, 4),
    }
    assert found[LEFT_OUT].drop_duplicates().to_numpy().tolist() == [[1, 1, 1, 1]]
    rate = row(found, "verified")
    assert rate["n"] + rate[LEFT_OUT].sum() == len(TEN)
    assert rate["rate"] == pytest.approx(4 / 6, abs=1e-12)
    assert (rate["interval"], rate["design_effect"]) == ("cluster_wilson", 1)
    assert [rate["low"], rate["high"]] == pytest.approx(proportion_confint(4, 6, method="wilson"), abs=1e-9)


def test_the_mean_of_attempts_has_the_interval_of_student(sessions_of: Build) -> None:
    sessions = [verified(20, attempts) for attempts in (1, 1, 1, 2, 2, 5)]
    found = row(metrics.verification_rate(sessions_of(sessions), source="app"), "attempts_before_verification")
    t = scipy_stats.t.interval(0.95, 5, loc=2, scale=scipy_stats.sem([1, 1, 1, 2, 2, 5]))
    assert (found["mean"], found["interval"]) == (2, "t")
    # Nobody needs less than one attempt, whatever the formula says.
    assert [found["low"], found["high"]] == pytest.approx([max(t[0], 1), t[1]], abs=1e-9)
    assert np.isnan(found["rate"])


def test_a_recipient_who_comes_often_counts_once_where_asked(sessions_of: Build, engine: Build) -> None:
    """The mean over recipients is a ratio of sums; its error is that of Cochran's linear form, by hand."""
    people = [("a", 1), ("a", 1), ("a", 1), ("b", 3), ("b", 3), ("c", 2), (None, 1)]
    sessions = [verified(20, attempts, recipient_key=key) for key, attempts in people]
    found = metrics.verification_rate(engine(sessions_of(sessions)), source="app", cluster="recipient")
    mean = row(found, "attempts_before_verification")
    made, size = np.array([3, 6, 2, 1]), np.array([3, 2, 1, 1])
    ratio = made.sum() / size.sum()
    error = np.sqrt(4 / 3 * ((made - ratio * size) ** 2).sum()) / size.sum()
    assert mean["mean"] == pytest.approx(12 / 7, abs=1e-12)
    assert mean["high"] == pytest.approx(ratio + scipy_stats.t.ppf(0.975, 3) * error, abs=1e-9)
    # All of one recipient's sessions came to the same attempt, so they tell as much as one.
    assert row(found, "verified_with_attempt_1")["design_effect"] > 1.5


def test_each_source_is_asked_by_itself(sessions_of: Build) -> None:
    sessions = [
        verified(20, verified_callback_us=START_US + 25 * SECOND),
        verified(20, source="callback"),
        verified(20, source="callback", observable_app=False),
        {},
    ]
    found = metrics.verification_rate(sessions_of(sessions))
    assert found["source"].unique().tolist() == ["app", "callback"]
    assert counted(found, "verified", source="app") == (1, 3)
    assert counted(found, "verified", source="callback") == (3, 4)
    assert row(found, "verified", source="app")["not_observable"] == 1


def test_without_a_source_the_answer_is_not_observable_and_never_zero(sessions_of: Build) -> None:
    sessions = sessions_of([{"observable_app": False}] * 3)
    with pytest.warns(DoubtfulWarning, match="not observable: no session can be watched from 'app'") as caught:
        found = metrics.verification_rate(sessions, source="app")
    assert [warning.filename for warning in caught] == [__file__]
    assert set(found["interval"]) == {"not observable"}
    assert found[["rate", "mean", "low", "high"]].isna().all(axis=None)
    assert found[["n", "not_observable"]].drop_duplicates().to_numpy().tolist() == [[0, 3]]


def test_only_the_groups_that_a_source_could_not_see_are_not_observable(sessions_of: Build) -> None:
    sessions = [
        verified(20, country="DE"),
        {"country": "FR", "observable_app": False},
        {"country": "IT", "mature": False},
    ]
    found = metrics.verification_rate(sessions_of(sessions), by="country", source="app")
    rates = found[found["measure"] == "verified"].set_index("country")
    assert rates["interval"].to_dict() == {"DE": "cluster_wilson", "FR": "not observable", "IT": "wilson"}
    assert rates["n"].to_dict() == {"DE": 1, "FR": 0, "IT": 0}


def test_a_clock_that_is_wrong_takes_no_verified_session_out(sessions_of: Build, engine: Build) -> None:
    """Only who was verified can have been so before the start: to leave them out would leave out successes alone."""
    sessions = [verified(-5), verified(20), {}, {}]
    found = row(metrics.verification_rate(engine(sessions_of(sessions)), source="app"), "verified")
    assert (found["count"], found["n"], found["clock_faults"]) == (2, 4, 1)
    # Where the first attempt was not seen, the start is not known, and no clock is blamed.
    late = [verified(-5, lowest_sequence=2, highest_sequence=2, second_started_us=START_US), {}]
    made = metrics.verification_rate(engine(sessions_of(late)), source="app")
    assert row(made, "verified")["clock_faults"] == 0
    assert counted(made, "first_attempt_conversion") == (0, 2)


def test_an_attempt_that_was_not_seen_counts_by_the_number_of_the_next(sessions_of: Build) -> None:
    unseen = verified(60, attempts=2, highest_sequence=3, complete=False)
    found = metrics.verification_rate(sessions_of([unseen]), source="app")
    assert counted(found, "verified_with_attempt_3_or_later") == (1, 1)
    assert row(found, "attempts_before_verification")["mean"] == 3
    assert counted(found, "attempts_before_verification") == (3, 1)
    # Of three attempts the first was not seen, and the last one answers a new need.
    second = verified(90, attempts=2, attempts_before_verified=1, highest_sequence=3, lowest_sequence=2)
    found = metrics.verification_rate(sessions_of([second]), source="app")
    assert counted(found, "verified_with_attempt_2") == (1, 1)


@pytest.mark.parametrize("by", ["local_hour", ["month", "first_channel"]])
def test_in_every_split_the_sessions_add_up(by: Any, sessions_of: Build, engine: Build) -> None:
    places = [None, "DE", "FR", "US", None]
    rows = [
        {**session, "country": places[i % 5], "first_channel": (None, "sms")[i % 2], "number_block": None}
        for i, session in enumerate(TEN * 2)
    ]
    found = metrics.verification_rate(engine(sessions_of(rows)), by=by, totals=True)
    rates = found[found["measure"] == "verified"]
    for source, expected in (("app", 20), ("callback", 20)):
        ours = rates[rates["source"] == source]
        split, whole = ours[ours["pooled"] == ""], ours[ours["pooled"] == "all"]
        assert split[["n", *LEFT_OUT]].to_numpy().sum() == whole[["n", *LEFT_OUT]].to_numpy().sum() == expected
        assert split["count"].sum() == whole["count"].sum()


def test_top_pools_the_small_blocks(sessions_of: Build) -> None:
    rows = [verified(9, number_block=block) for block in ("+4915500", "+4915500", "+4915501", "+4915502")]
    found = metrics.verification_rate(sessions_of(rows), by="number_block", top=1, source="app")
    rates = found[found["measure"] == "verified"]
    assert rates[["number_block", "n", "pooled"]].to_numpy().tolist() == [["+4915500", 2, ""], ["others", 2, "others"]]


def test_the_frame_has_its_columns_in_order_and_in_their_types(sessions_of: Build) -> None:
    expected = {
        "first_channel": "str",
        "day": "datetime64[us, UTC]",
        **dict.fromkeys(["source", "measure"], "str"),
        **dict.fromkeys(["count", "n"], "int64"),
        **dict.fromkeys(["rate", "mean", "low", "high"], "float64"),
        "interval": "str",
        "design_effect": "float64",
        **dict.fromkeys([*LEFT_OUT, "clock_faults"], "int64"),
        "as_of": "datetime64[us, UTC]",
        "patience_seconds": "float64",
        "window_seconds": "float64",
        "small": "bool",
        **dict.fromkeys(["shrunk", "shrunk_low", "shrunk_high"], "float64"),
        "pooled": "str",
    }
    for rows in (TEN, []):
        found = metrics.verification_rate(sessions_of(rows), by=["first_channel", "day"])
        assert dict(found.dtypes.astype(str)) == expected
        assert list(found.columns) == list(expected)
    assert undefined("verification_rate", metrics.verification_rate(sessions_of(TEN))["measure"]) == []


@pytest.mark.parametrize("rows", [[], [{"mature": False}] * 3, [{"attempts_before_verified": 0}]])
def test_of_nothing_there_is_no_rate_and_no_warning(rows: list[dict[str, Any]], sessions_of: Build) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.verification_rate(sessions_of(rows))
        assert metrics.verification_rate(sessions_of([]), by="country").empty
    assert found[["count", "n"]].to_numpy().sum() == 0
    assert found[["rate", "mean", "low", "high"]].isna().all(axis=None)
    assert "not observable" not in set(found["interval"])


def test_where_everybody_is_verified_the_interval_is_not_a_point(sessions_of: Build) -> None:
    found = metrics.verification_rate(sessions_of([verified(9)] * 5), source="app")
    assert row(found, "verified")[["rate", "high"]].tolist() == [1, 1]
    assert row(found, "verified")["low"] == pytest.approx(proportion_confint(5, 5, method="wilson")[0], abs=1e-9)
    mean = row(found, "attempts_before_verification")
    assert (mean["mean"], mean["interval"]) == (1, "none")
    assert mean[["low", "high"]].isna().all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "channel"}, "did you mean 'first_channel'"),
        ({"by": "number_block"}, "it needs top="),
        ({"source": "apps"}, "did you mean 'app'"),
        ({"cluster": "sesion"}, "did you mean 'session'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    options: dict[str, Any], says: str, sessions_of: Build
) -> None:
    with pytest.raises(ArgumentError, match=says):
        metrics.verification_rate(sessions_of(TEN), **options)


def test_attempts_given_for_sessions_are_refused(attempts_of: Build) -> None:
    with pytest.raises(SchemaError, match=r"as model\.sessions gives them"):
        metrics.verification_rate(attempts_of([{}]))


def test_two_readings_in_one_frame_are_refused(sessions_of: Build) -> None:
    rows = [{}, {"as_of_us": AS_OF_US + MINUTE}]
    with pytest.raises(ArgumentError, match="more than one as_of"):
        metrics.verification_rate(sessions_of(rows))


def test_a_report_that_looks_past_the_collector_is_doubted(sessions_of: Build) -> None:
    sessions = sessions_of([{"covered_until_us": AS_OF_US - 60 * MINUTE}])
    with pytest.warns(DoubtfulWarning, match=r"metrics\.verification_rate: as_of") as caught:
        metrics.verification_rate(sessions)
    assert [warning.filename for warning in caught] == [__file__]
