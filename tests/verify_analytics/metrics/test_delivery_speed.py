"""How long delivery takes: of all attempts whose receipts can be trusted, by the arrival of the receipt."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.verify_analytics.metrics.rows import AS_OF_US, HOUR, MINUTE, SECOND, START_US, row
from verify_analytics import metrics, stats
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError

Build = Callable[..., Any]
BESIDE = ["immature", "unobserved", "unknown", "not_observable", "clock_faults"]


def settled(outcome: str, seconds: float | None = None, *, start: int = START_US, **more: Any) -> dict[str, Any]:
    """Describe an attempt whose receipt came so many seconds after its start, or never."""
    at = None if seconds is None else start + round(seconds * SECOND)
    known = {f"{outcome}_us": at} if outcome in {"delivered", "undelivered", "failed"} else {}
    return {"outcome": outcome, "started_us": start, "settled_us": at, **known, **more}


def curve(frame: pd.DataFrame) -> list[tuple[float, float]]:
    rows = frame[frame["measure"] == "curve"]
    return [(float(at), round(float(height), 9)) for at, height in zip(rows["seconds"], rows["rate"], strict=True)]


TEN = [
    *(settled("delivered", each) for each in (3, 4, 5, 5, 20)),
    settled("undelivered", 6),
    settled("undelivered", 40),
    settled("failed", 1),
    settled("accepted"),
    settled("silent"),
]


def test_ten_attempts_give_the_curve_one_works_out_by_hand(attempts_of: Build, engine: Build) -> None:
    found = metrics.time_to_deliver(engine(attempts_of(TEN)))
    assert curve(found) == [(0, 0), (3, 0.1), (4, 0.2), (5, 0.4), (20, 0.5), (600, 0.5)]
    assert [row(found, f"within_{at}s")["rate"] for at in (10, 30, 60, 120)] == pytest.approx([0.4, 0.5, 0.5, 0.5])
    assert math.isnan(row(found, "p90")["seconds"])
    # Five arrived after 3, 4, 5, 5 and 20 seconds; five never, and count all 600.
    assert row(found, "restricted_mean")["seconds"] == pytest.approx((37 + 5 * 600) / 10, abs=1e-9)
    drawn = found[found["measure"] == "curve"]
    # The failed one is gone at 3 s; at the end the one accepted and the one silent still wait.
    assert drawn[["count", "at_risk"]].astype("int64").to_numpy().tolist() == [
        [0, 10],
        [1, 9],
        [2, 8],
        [4, 7],
        [5, 4],
        [5, 2],
    ]
    assert set(found["n"]) == {10}
    assert set(found["censored"]) == {2}
    # Seven receipts, and one that was accepted without.
    assert set(found["coverage"]) == {7 / 8}
    assert set(found["coverage_n"]) == {8}


def test_the_frame_is_that_of_the_time_to_verify_with_the_coverage_beside(
    attempts_of: Build, sessions_of: Build
) -> None:
    found = metrics.time_to_deliver(attempts_of(TEN), by=["channel", "day"])
    twin = metrics.time_to_verify(sessions_of([{}]), by=["first_channel", "day"], source="app")
    expected = {
        "channel" if name == "first_channel" else str(name): str(kind)
        for name, kind in twin.dtypes.items()
        if name not in {"source", "window_seconds"}
    }
    added = {"coverage": "float64", "coverage_n": "int64", "floor": "float64"}
    assert dict(found.dtypes.astype(str)) == {**expected, **added}
    columns = list(found.columns)
    assert columns[columns.index("horizon_seconds") + 1 :][:4] == [*added, "as_of"]
    assert list(found["measure"].unique()) == list(
        metrics.time_to_verify(sessions_of([{"verified_app_us": START_US + SECOND}]), source="app")["measure"].unique()
    )


def test_a_group_without_enough_receipts_says_not_observable_with_its_coverage(
    attempts_of: Build, engine: Build
) -> None:
    rows = [
        *(settled("delivered", 5, country="DE") for _ in range(4)),
        settled("accepted", country="DE"),
        *(settled("delivered", 5, country="US") for _ in range(3)),
        settled("accepted", country="US"),
        settled("failed", 1, country="FR"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.time_to_deliver(engine(attempts_of(rows)), by="country")
    # Four of five is just enough.
    assert curve(found[found["country"] == "DE"]) == [(0, 0), (5, 0.8), (600, 0.8)]
    silent = found[found["country"] == "US"]
    assert silent[["measure", "n", "not_observable", "censored", "coverage", "coverage_n"]].to_numpy().tolist() == [
        ["not_observable", 0, 4, 0, 0.75, 4]
    ]
    assert silent[["rate", "seconds", "low", "high"]].isna().all(axis=None)
    # The network took nothing there: whether receipts come is not known.
    unknown = found[found["country"] == "FR"]
    assert unknown[["measure", "not_observable", "coverage_n"]].to_numpy().tolist() == [["not_observable", 1, 0]]
    assert unknown["coverage"].isna().all()


def test_the_floor_can_be_moved_and_taken_away(attempts_of: Build) -> None:
    given = attempts_of([settled("delivered", 5), settled("accepted"), settled("accepted")])
    with pytest.warns(DoubtfulWarning, match="no group has a receipt coverage of at least floor=0.8") as caught:
        metrics.time_to_deliver(given)
    assert [warning.filename for warning in caught] == [__file__]
    for floor in (1 / 3, 0):
        found = metrics.time_to_deliver(given, floor=floor)
        assert row(found, "within_10s")["rate"] == pytest.approx(1 / 3)
        assert set(found["floor"]) == {floor}
    failed = attempts_of([settled("failed", 1)])
    assert row(metrics.time_to_deliver(failed, floor=0), "within_10s")["rate"] == 0


def test_coverage_is_that_of_the_delivery_rate(attempts_of: Build) -> None:
    young = AS_OF_US - 5 * MINUTE
    rows = [
        *TEN,
        settled("delivered", 3, start=young, mature=False),
        settled("unobserved"),
        settled("delivered", -2),
    ]
    with pytest.warns(DoubtfulWarning, match="settled before the start"):
        found = metrics.time_to_deliver(attempts_of(rows))
    expected = metrics.delivery_rate(attempts_of(rows)).set_index("measure").loc["coverage"]
    assert set(found["coverage"]) == {expected["rate"]}
    assert set(found["coverage_n"]) == {expected["n"]}


def test_young_attempts_are_in_and_count_for_as_long_as_they_were_watched(attempts_of: Build) -> None:
    young = AS_OF_US - 10 * SECOND
    rows = [
        settled("delivered", 5),
        settled("delivered", 20),
        settled("pending", start=young, mature=False),
        settled("delivered", 3, start=young, mature=False),
    ]
    found = metrics.time_to_deliver(attempts_of(rows))
    # Two of four by 5 s; one is no longer watched after 10 s, and the one left arrives at 20 s.
    assert curve(found) == [(0, 0), (3, 0.25), (5, 0.5), (20, 1), (600, 1)]
    assert found.iloc[0][["n", "censored", "immature"]].tolist() == [4, 1, 0]


def test_an_attempt_without_a_receipt_stays_among_the_waiting(attempts_of: Build) -> None:
    """To censor it when it was accepted would call a silent carrier a fast one."""
    rows = [*(settled("delivered", 30) for _ in range(4)), settled("accepted", accepted_us=START_US + 2 * SECOND)]
    found = metrics.time_to_deliver(attempts_of(rows))
    assert row(found, "within_30s")["rate"] == pytest.approx(0.8)
    assert row(found, "within_120s")["at_risk"] == 1


def test_delivered_after_undelivered_counts_as_delivered_at_its_own_time(attempts_of: Build) -> None:
    rows = [settled("delivered", 50, undelivered_us=START_US + 5 * SECOND), settled("undelivered", 5)]
    found = metrics.time_to_deliver(attempts_of(rows))
    assert curve(found) == [(0, 0), (50, 0.5), (600, 0.5)]


def test_what_cannot_be_watched_is_left_out_and_counted_and_nobody_gets_lost(attempts_of: Build, engine: Build) -> None:
    rows = [
        settled("delivered", 10),
        settled("unobserved"),
        settled("unobserved", settled_us=START_US + SECOND, delivered_us=START_US + SECOND),
        settled("unknown"),
        {"outcome": None},
        settled("delivered", -3),
        settled("undelivered", -0.5),
        settled("pending", start=AS_OF_US, mature=False),
        {"is_attempt": False, "outcome": None},
    ]
    with pytest.warns(DoubtfulWarning, match="2 attempts settled before the start") as caught:
        found = metrics.time_to_deliver(engine(attempts_of(rows)))
    assert [warning.filename for warning in caught] == [__file__]
    one = found.iloc[0]
    assert one["n"] == 1
    assert one[BESIDE].to_dict() == {
        "immature": 1,
        "unobserved": 2,
        "unknown": 2,
        "not_observable": 0,
        "clock_faults": 2,
    }
    assert one["n"] + one[BESIDE].sum() == len(rows) - 1


def test_times_are_rounded_up_to_hundredths(attempts_of: Build) -> None:
    rows = [settled("delivered", each) for each in (10, 10.000001, 9.999999)]
    assert row(metrics.time_to_deliver(attempts_of(rows)), "within_10s")["rate"] == pytest.approx(2 / 3)


def test_attempts_of_one_session_that_are_alike_widen_the_interval(attempts_of: Build) -> None:
    rows = [
        {**settled("delivered" if pair % 3 else "undelivered", 5 + pair), "session_id": f"s{pair}"}
        for pair in range(30)
        for _ in range(2)
    ]
    found = row(metrics.time_to_deliver(attempts_of(rows)), "within_30s")
    # Twins that always end alike: sixty are worth thirty.
    assert found["design_effect"] == pytest.approx(2.0, abs=1e-9)
    assert found["interval"] == "cluster_log_log"
    half = stats.cumulative_incidence([5 + pair for pair in range(30)], [1 if pair % 3 else 2 for pair in range(30)])
    expected = stats.incidence_interval_at(half, [30])
    assert [found["rate"], found["low"], found["high"]] == pytest.approx(
        [float(np.asarray(each).item()) for each in expected], abs=1e-9
    )
    assert found["n"] == 60


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "first_channel"}, "attempts cannot be split by 'first_channel'"),
        ({"by": "number_block"}, "needs top="),
        ({"horizon": 600}, "no duration"),
        ({"horizon": "2d"}, "at most a day"),
        ({"floor": 80}, "floor=80 is no receipt coverage: give a share from 0 to 1"),
        ({"floor": float("nan")}, "no receipt coverage"),
        ({"floor": "high"}, "no receipt coverage"),
        ({"floor": True}, "no receipt coverage"),
        ({"cluster": "country"}, "no unit of independence"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    options: dict[str, Any], says: str, attempts_of: Build
) -> None:
    with pytest.raises(ArgumentError, match=says):
        metrics.time_to_deliver(attempts_of(TEN), **options)


def test_sessions_given_for_attempts_are_refused(sessions_of: Build) -> None:
    with pytest.raises(SchemaError, match=r"as model\.attempts gives them"):
        metrics.time_to_deliver(sessions_of([{}]))


def test_a_report_that_looks_past_the_collector_is_doubted(attempts_of: Build) -> None:
    given = attempts_of([{**each, "covered_until_us": AS_OF_US - HOUR} for each in TEN])
    with pytest.warns(DoubtfulWarning, match="known to have listened only until 2026-10-28 23:00") as caught:
        metrics.time_to_deliver(given)
    assert [warning.filename for warning in caught] == [__file__]
