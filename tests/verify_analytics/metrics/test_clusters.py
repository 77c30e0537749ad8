"""Sessions of one attempt are counted without grouping, and nothing shows it but the time it takes."""

from typing import Any

import narwhals as nw
import pandas as pd
import pytest

from tests.verify_analytics.metrics.rows import AS_OF_US, START_US
from verify_analytics import metrics
from verify_analytics.errors import DoubtfulWarning
from verify_analytics.metrics.clusters import make_ups, with_cluster
from verify_analytics.metrics.engine import opened
from verify_analytics.model.frames import names

UNITS: dict[str, list[Any]] = {
    "session_id": ["a", "b", "b", "c", "d"],
    "recipient_key": ["x", "x", "x", "y", None],
    "attempts_in_session": [1, 2, 2, 1, 2],
    "is_delivered": [1, 0, 1, 0, 1],
    "letters": [3, 1, 4, 1, 5],
    "as_of_us": [7, 7, 7, 7, 7],
}


def clusters_of(units: dict[str, list[Any]], cluster: str = "session", **options: Any) -> list[tuple[int, int]]:
    """Give how many units of each cluster were delivered, and their letters together."""
    frame: Any = nw.from_native(pd.DataFrame(units).assign(_all=0))
    flags = {"delivered": nw.col("is_delivered") == 1}
    keys = ["_all", "as_of_us"]
    made = make_ups(with_cluster(frame, cluster), keys, flags, summed=["letters"], **options).to_native()
    assert set(made["as_of_us"]) == {7}
    rows = zip(made["delivered"], made["letters"], made["rows"], strict=True)
    return sorted((delivered, letters) for delivered, letters, times in rows for _ in range(times))


def test_each_session_is_a_cluster() -> None:
    assert clusters_of(UNITS) == [(0, 1), (1, 3), (1, 5), (1, 5)]


def test_units_counted_by_what_flags_are_told_from_have_the_same_make_ups() -> None:
    assert clusters_of(UNITS, told_by=["is_delivered"]) == clusters_of(UNITS)


def test_those_alone_are_told_apart_by_kind_and_others_are_not() -> None:
    frame: Any = nw.from_native(pd.DataFrame({**UNITS, "channel": ["sms", "sms", "voice", "voice", "sms"], "_all": 0}))
    flags = {"delivered": nw.col("is_delivered") == 1}
    made = make_ups(with_cluster(frame, "session"), ["_all"], flags, kinds=["channel"]).to_native()
    alone = made[made["_alone"].astype(bool)]
    assert sorted(zip(alone["channel"], alone["delivered"], strict=True)) == [("sms", 1), ("voice", 0)]
    assert made.loc[~made["_alone"].astype(bool), "channel"].isna().all()


def test_what_the_attempts_say_of_their_number_changes_no_sum() -> None:
    told = {name: values for name, values in UNITS.items() if name != "attempts_in_session"}
    assert clusters_of(told) == clusters_of(UNITS)


def test_a_session_whose_number_of_attempts_is_missing_is_grouped() -> None:
    assert clusters_of({**UNITS, "attempts_in_session": [None, None, None, None, None]}) == clusters_of(UNITS)


def test_a_session_that_a_filter_left_one_attempt_of_is_one_cluster() -> None:
    rest = {name: values[2:] for name, values in UNITS.items()}
    assert clusters_of(rest) == [(0, 1), (1, 4), (1, 5)]


def test_recipients_are_grouped_however_many_attempts_their_sessions_have() -> None:
    assert clusters_of(UNITS, "recipient") == [(0, 1), (1, 5), (2, 8)]


@pytest.mark.parametrize("metric", [metrics.delivery_rate, metrics.error_codes], ids=lambda metric: metric.__name__)
def test_a_metric_is_the_same_whether_its_attempts_say_how_many_a_session_has(metric: Any, attempts_of: Any) -> None:
    ended = [("s1", "failed", "450"), ("s1", "delivered", None), ("s2", "failed", "300"), ("s3", "delivered", None)]
    rows = [{"session_id": name, "outcome": outcome, "error_code": code} for name, outcome, code in ended]
    attempts = attempts_of(rows)
    grouped = attempts.drop(columns="attempts_in_session")
    pd.testing.assert_frame_equal(metric(attempts, by="channel"), metric(grouped, by="channel"))


def test_a_recipient_is_one_cluster_whatever_a_filter_took_of_its_sessions(sessions_of: Any) -> None:
    ends = {"recipient_key": "x", "ended_us": START_US + 600_000_000, "app_first_us": 0, "app_last_us": AS_OF_US}
    rows = [
        {**ends, "session_id": f"s{i}", "verified_app_us": START_US + 9 if i % 2 else None, "attempts_missing": i % 3}
        for i in range(6)
    ]
    others = [{**row, "recipient_key": "y", "session_id": f"t{i}"} for i, row in enumerate(rows[:2])]
    frame = sessions_of([*rows, *others])
    with pytest.warns(DoubtfulWarning, match="without all their attempts"):
        found = metrics.verification_rate(frame, source="app", cluster="recipient")
    whole = metrics.verification_rate(frame.assign(attempts_missing=0), source="app", cluster="recipient")
    assert found["design_effect"].notna().any()
    pd.testing.assert_frame_equal(found, whole)


def test_the_mean_of_attempts_is_that_of_verified_sessions_however_many_others_their_recipients_have(
    sessions_of: Any,
) -> None:
    seen = {"ended_us": START_US + 600_000_000, "app_first_us": 0, "app_last_us": AS_OF_US}
    verified = [
        {
            **seen,
            "session_id": f"s{i}",
            "recipient_key": f"r{i}",
            "verified_app_us": START_US + 9,
            **attempts(1 + i % 2),
        }
        for i in range(40)
    ]
    waited = [{**seen, "session_id": f"w{i}", "recipient_key": f"r{i + 30}"} for i in range(20)]
    young = [{**row, "session_id": f"y{row['session_id']}", "mature": False} for row in verified[:10]]
    found, alone = (
        metrics.verification_rate(sessions_of(rows), source="app", cluster="recipient")
        for rows in ([*verified, *waited, *young], verified)
    )
    mean = ["count", "n", "mean", "low", "high"]
    of_found, of_alone = (
        frame.loc[frame["measure"] == "attempts_before_verification", mean] for frame in (found, alone)
    )
    pd.testing.assert_frame_equal(of_found, of_alone)
    assert of_found["mean"].item() == 1.5


def attempts(number: int) -> dict[str, int]:
    return {"attempts": number, "attempts_before_verified": number, "highest_sequence": number}


def test_what_says_that_a_session_is_alone_comes_through_the_door() -> None:
    frame = opened(pd.DataFrame(UNITS), ["session_id"], asked_by="a metric", made_by="model.attempts")
    assert names(frame) == ["session_id", "attempts_in_session"]
