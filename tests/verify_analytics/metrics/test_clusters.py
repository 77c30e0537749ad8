"""Sessions of one attempt are counted without grouping, and nothing shows it but the time it takes."""

from typing import Any

import narwhals as nw
import pandas as pd
import pytest

from verify_analytics import metrics
from verify_analytics.metrics.clusters import by_cluster, with_cluster

UNITS: dict[str, list[Any]] = {
    "session_id": ["a", "b", "b", "c", "d"],
    "recipient_key": ["x", "x", "x", "y", None],
    "attempts_in_session": [1, 2, 2, 1, 2],
    "is_delivered": [1, 0, 1, 0, 1],
    "as_of_us": [7, 7, 7, 7, 7],
}


def summed(units: dict[str, list[Any]], cluster: str = "session") -> list[int]:
    frame: Any = nw.from_native(pd.DataFrame(units).assign(_all=0))
    made = by_cluster(with_cluster(frame, cluster), ["_all"], ["is_delivered"], ["as_of_us"]).to_native()
    assert set(made["as_of_us_min"]) == set(made["as_of_us_max"]) == {7}
    return sorted(made["is_delivered"])


def test_each_session_is_a_cluster() -> None:
    assert summed(UNITS) == [0, 1, 1, 1]


def test_what_the_attempts_say_of_their_number_changes_no_sum() -> None:
    told = {name: values for name, values in UNITS.items() if name != "attempts_in_session"}
    assert summed(told) == summed(UNITS)


def test_a_session_whose_number_of_attempts_is_missing_is_grouped() -> None:
    assert summed({**UNITS, "attempts_in_session": [None, None, None, None, None]}) == summed(UNITS)


def test_a_session_that_a_filter_left_one_attempt_of_is_one_cluster() -> None:
    rest = {name: values[2:] for name, values in UNITS.items()}
    assert summed(rest) == [0, 1, 1]


def test_recipients_are_grouped_however_many_attempts_their_sessions_have() -> None:
    assert summed(UNITS, "recipient") == [0, 1, 2]


@pytest.mark.parametrize("metric", [metrics.delivery_rate, metrics.error_codes], ids=lambda metric: metric.__name__)
def test_a_metric_is_the_same_whether_its_attempts_say_how_many_a_session_has(metric: Any, attempts_of: Any) -> None:
    ended = [("s1", "failed", "450"), ("s1", "delivered", None), ("s2", "failed", "300"), ("s3", "delivered", None)]
    rows = [{"session_id": name, "outcome": outcome, "error_code": code} for name, outcome, code in ended]
    attempts = attempts_of(rows)
    grouped = attempts.drop(columns="attempts_in_session")
    pd.testing.assert_frame_equal(metric(attempts, by="channel"), metric(grouped, by="channel"))
