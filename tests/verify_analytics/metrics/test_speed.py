"""How long verification takes: of all sessions, one source at a time, each watched for as long as it can be."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, SECOND, START_US
from tests.verify_analytics.metrics.rows import verified_by_app as app
from verify_analytics import metrics
from verify_analytics.errors import DoubtfulWarning

Build = Callable[..., Any]
BESIDE = ["immature", "unobserved", "unknown", "not_observable", "clock_faults"]
SUMMARY = [
    *("within_10s", "within_30s", "within_60s", "within_120s"),
    *("p50", "p90", "p95", "restricted_mean"),
]


def value(frame: pd.DataFrame, measure: str, column: str = "rate") -> float:
    rows = frame[frame["measure"] == measure]
    assert len(rows) == 1, frame
    return float(rows.iloc[0][column])


def curve(frame: pd.DataFrame) -> list[tuple[float, float]]:
    rows = frame[frame["measure"] == "curve"]
    return [(float(at), round(float(height), 9)) for at, height in zip(rows["seconds"], rows["rate"], strict=True)]


FIVE = [app(8), app(10), app(45), app(None), app(None, expired_us=START_US + 300 * SECOND)]


def test_five_sessions_give_the_curve_one_works_out_by_hand(sessions_of: Build, engine: Build) -> None:
    found = metrics.time_to_verify(engine(sessions_of(FIVE)), source="app")
    assert [value(found, f"within_{at}s") for at in (10, 30, 60, 120)] == pytest.approx([0.4, 0.4, 0.6, 0.6], abs=1e-9)
    assert value(found, "p50", "seconds") == 45
    assert math.isnan(value(found, "p90", "seconds"))
    # Three verified after 8, 10 and 45 seconds; two never, and count all 600.
    assert value(found, "restricted_mean", "seconds") == pytest.approx((8 + 10 + 45 + 600 + 600) / 5, abs=1e-9)
    assert curve(found) == [(0, 0), (8, 0.2), (10, 0.4), (45, 0.6), (600, 0.6)]
    assert set(found["n"]) == {5}
    assert set(found["censored"]) == {0}


def test_the_frame_has_its_columns_in_order_and_in_their_types(sessions_of: Build, engine: Build) -> None:
    found = metrics.time_to_verify(engine(sessions_of(FIVE)), by=["first_channel", "day"], source="app")
    assert dict(found.dtypes.astype(str)) == {
        "first_channel": "str",
        "day": "datetime64[us, UTC]",
        "source": "str",
        "measure": "str",
        "seconds": "float64",
        "rate": "float64",
        "low": "float64",
        "high": "float64",
        "unit": "str",
        "count": "int64",
        "n": "int64",
        "at_risk": "Int64",
        "interval": "str",
        "design_effect": "float64",
        **dict.fromkeys(BESIDE, "int64"),
        "censored": "int64",
        "horizon_seconds": "float64",
        "as_of": "datetime64[us, UTC]",
        "patience_seconds": "float64",
        "window_seconds": "float64",
        "small": "bool",
        **dict.fromkeys(["shrunk", "shrunk_low", "shrunk_high"], "float64"),
        "pooled": "str",
    }
    assert list(found["measure"].unique()) == [*SUMMARY, "curve"]
    assert found[
        ["as_of", "patience_seconds", "window_seconds", "horizon_seconds"]
    ].drop_duplicates().to_numpy().tolist() == [[pd.Timestamp("2026-10-29", tz="UTC"), 900.0, 600.0, 600.0]]


def test_the_two_sources_are_never_pooled(sessions_of: Build, engine: Build) -> None:
    rows = [
        {"verified_app_us": START_US + 20 * SECOND, "verified_callback_us": START_US + 25 * SECOND},
        {"verified_app_us": START_US + 20 * SECOND},
        {"verified_callback_us": START_US + 5 * SECOND},
        {},
    ]
    found = metrics.time_to_verify(engine(sessions_of(rows)))
    by_app, by_callback = (found[found["source"] == each] for each in ("app", "callback"))
    assert len(by_app) + len(by_callback) == len(found)
    assert curve(by_app) == [(0, 0), (20, 0.5), (600, 0.5)]
    assert curve(by_callback) == [(0, 0), (5, 0.25), (25, 0.5), (600, 0.5)]
    alone = metrics.time_to_verify(engine(sessions_of(rows)), source="callback")
    pd.testing.assert_frame_equal(alone, by_callback.reset_index(drop=True))


def test_a_judged_at_its_expiry_or_a_window_after_its_last_attempt_whichever_is_first(
    sessions_of: Build, engine: Build
) -> None:
    late = 500 * SECOND
    rows = [
        # Verified after the session had expired: it has ended otherwise before.
        app(310, expired_us=START_US + 300 * SECOND),
        # Verified 700 s after the start but within the window of a second attempt.
        app(700, last_started_us=START_US + late),
        # Verified after the window: given up before.
        app(601),
        app(600),
    ]
    found = metrics.time_to_verify(engine(sessions_of(rows)), source="app", horizon="20min")
    assert curve(found) == [(0, 0), (600, 0.25), (700, 0.5), (1200, 0.5)]


def test_sessions_still_open_count_for_as_long_as_they_were_watched(sessions_of: Build, engine: Build) -> None:
    young = AS_OF_US - 30 * SECOND
    open_now = {"started_us": young, "last_started_us": young, "mature": False, "outcome": "open"}
    rows = [app(20), app(60), {**open_now}, {**open_now}]
    found = metrics.time_to_verify(engine(sessions_of(rows)), source="app")
    # One of four by 20 s; then two of them are no longer watched, and one of the two left arrives at 60 s.
    assert value(found, "within_30s") == pytest.approx(0.25, abs=1e-9)
    assert value(found, "within_60s") == pytest.approx(1.0, abs=1e-9)
    assert set(found["n"]) == {4}
    assert set(found["censored"]) == {2}
    assert set(found["immature"]) == {0}


def test_nobody_is_watched_beyond_the_last_report_of_a_source(sessions_of: Build, engine: Build) -> None:
    """The reporter stops 20 s after two sessions began, with the report of one: the other may verify untold."""
    rows = [app(20), app(None)]
    stopped = [{**row, "app_last_us": row["verified_app_us"] or rows[0]["verified_app_us"]} for row in rows]
    found = metrics.time_to_verify(engine(sessions_of(stopped)), source="app")
    assert (value(found, "within_10s", "n"), value(found, "within_10s", "censored")) == (2, 1)
    assert value(found, "within_10s") == 0
    assert math.isnan(value(found, "within_60s"))


def test_what_nobody_was_watched_for_is_not_known(sessions_of: Build, engine: Build) -> None:
    young = AS_OF_US - 40 * SECOND
    rows = [
        {"started_us": young, "last_started_us": young, "verified_app_us": young + 5 * SECOND},
        {"started_us": young, "last_started_us": young},
    ]
    found = metrics.time_to_verify(engine(sessions_of(rows)), source="app")
    assert value(found, "within_30s") == 0.5
    assert math.isnan(value(found, "within_60s"))
    assert math.isnan(value(found, "restricted_mean", "seconds"))
    assert curve(found) == [(0, 0), (5, 0.5), (40, 0.5)]


def test_callbacks_are_looked_at_eight_minutes_before_as_of(sessions_of: Build, engine: Build) -> None:
    cut = AS_OF_US - 8 * MINUTE
    early = cut - 20 * SECOND
    rows = [
        {"started_us": early, "last_started_us": early, "verified_callback_us": early + 10 * SECOND},
        # The callback came after the cut: seen as still waiting, as it would have been then.
        {"started_us": early, "last_started_us": early, "verified_callback_us": cut + SECOND},
        {"started_us": cut, "last_started_us": cut, "verified_callback_us": cut + SECOND},
    ]
    found = metrics.time_to_verify(engine(sessions_of(rows)), source="callback")
    assert curve(found) == [(0, 0), (10, 0.5), (20, 0.5)]
    assert set(found["n"]) == {2}
    assert set(found["immature"]) == {1}
    assert set(found["censored"]) == {1}


def test_what_cannot_be_watched_is_left_out_and_counted_and_nobody_gets_lost(sessions_of: Build, engine: Build) -> None:
    rows = [
        app(10),
        app(10, unobserved=True),
        app(None, unobserved=True, observable_app=False),
        app(None, observable_app=False),
        app(-3),
        # The first attempt was never seen: when the session started is not known.
        app(-600, lowest_sequence=2),
        app(10, lowest_sequence=None),
        app(None, started_us=AS_OF_US, last_started_us=AS_OF_US),
    ]
    with pytest.warns(DoubtfulWarning, match="1 session ended before the start according to 'app'"):
        found = metrics.time_to_verify(engine(sessions_of(rows)), source="app")
    row = found.iloc[0]
    assert row["n"] == 1
    assert row[BESIDE].to_dict() == {
        "immature": 1,
        "unobserved": 2,
        "unknown": 2,
        "not_observable": 1,
        "clock_faults": 1,
    }
    assert row["n"] + row[BESIDE].sum() == len(rows)


def test_sessions_that_end_before_they_start_are_listed_and_not_clamped(sessions_of: Build, engine: Build) -> None:
    rows = [
        app(-3, session_id="early"),
        app(-0.5, session_id="earlier-a"),
        app(0, session_id="at once"),
        app(5),
        {"verified_callback_us": START_US - SECOND, "session_id": "callback too"},
    ]
    listed = metrics.clock_faults(engine(sessions_of(rows)))
    assert listed[["session_id", "source", "seconds"]].to_numpy().tolist() == [
        ["early", "app", -3.0],
        ["callback too", "callback", -1.0],
        ["earlier-a", "app", -0.5],
    ]
    assert listed["ended_at"].iloc[0] == pd.Timestamp("2026-10-27T23:59:57Z")
    assert listed["started_at"].iloc[0] == pd.Timestamp("2026-10-28", tz="UTC")
    assert len(metrics.clock_faults(engine(sessions_of(rows)), source="callback")) == 1
    none = metrics.clock_faults(engine(sessions_of([])))
    assert none.dtypes.to_dict() == listed.dtypes.to_dict()


def test_a_source_that_never_reported_says_not_observable_and_never_zero(sessions_of: Build, engine: Build) -> None:
    blind = [app(None, observable_app=False) for _ in range(3)]
    with pytest.warns(DoubtfulWarning, match="not observable: no session can be watched from 'app'"):
        found = metrics.time_to_verify(engine(sessions_of(blind)), source="app")
    assert found[["measure", "n", "not_observable"]].to_numpy().tolist() == [["not_observable", 0, 3]]
    assert found[["rate", "seconds"]].isna().all(axis=None)


def test_one_source_that_reports_is_enough_to_be_quiet(sessions_of: Build, engine: Build) -> None:
    rows = [{"observable_app": False, "verified_callback_us": START_US + 9 * SECOND}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.time_to_verify(engine(sessions_of(rows)))
    assert found[found["source"] == "app"]["measure"].tolist() == ["not_observable"]
    assert value(found[found["source"] == "callback"], "within_10s") == 1


def test_a_group_without_an_observable_session_says_so_for_itself(sessions_of: Build, engine: Build) -> None:
    rows = [app(10), app(None, country="FR", observable_app=False), app(20, country=None)]
    found = metrics.time_to_verify(engine(sessions_of(rows)), by="country", source="app")
    assert list(found["country"].unique()) == ["DE", "FR", "not known"]
    assert found[found["country"] == "FR"]["measure"].tolist() == ["not_observable"]
    assert curve(found[found["country"] == "not known"]) == [(0, 0), (20, 1), (600, 1)]


@pytest.mark.parametrize("by", [[], ["country", "hour"]])
def test_no_sessions_give_a_frame_that_says_not_observable_or_no_groups(
    by: list[str], sessions_of: Build, engine: Build
) -> None:
    with pytest.warns(DoubtfulWarning, match="from 'app' and 'callback'"):
        found = metrics.time_to_verify(engine(sessions_of([])), by=by)
    assert found["measure"].tolist() == ([] if by else ["not_observable"] * 2)
    full = metrics.time_to_verify(sessions_of(FIVE), by=by)
    assert found.dtypes.to_dict() == full.dtypes.to_dict()


def test_times_are_rounded_up_to_hundredths_so_that_within_ten_seconds_stays_exact(
    sessions_of: Build, engine: Build
) -> None:
    found = metrics.time_to_verify(engine(sessions_of([app(10), app(10.000001), app(9.999999)])), source="app")
    assert value(found, "within_10s") == pytest.approx(2 / 3, abs=1e-12)


def many(seed: int, size: int = 400) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray]:
    """Give sessions of the last half hour with what became of each, for a witness who knows no sessions."""
    random = np.random.default_rng(seed)
    rows, times, events = [], [], []
    for ago, wait, ends in zip(
        random.integers(1, 1800, size), random.integers(1, 900, size), random.random(size) < 0.6, strict=True
    ):
        start = AS_OF_US - int(ago) * SECOND
        verified = start + int(wait) * SECOND if ends else None
        end, event = min(
            (600, 2), (int(ago), 0), (int(wait) if ends else 10_000, 1), key=lambda pair: (pair[0], -(pair[1] == 1))
        )
        rows.append(
            {
                "started_us": start,
                "last_started_us": start,
                "verified_app_us": verified if verified is not None and verified <= AS_OF_US else None,
                "country": str(random.choice(["DE", "FR"])),
            }
        )
        times.append(end)
        events.append(event)
    return rows, np.array(times, dtype=float), np.array(events)


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_agrees_with_statsmodels(seed: int, sessions_of: Build, engine: Build) -> None:
    rows, times, events = many(seed)
    found = metrics.time_to_verify(engine(sessions_of(rows)), source="app")
    with np.errstate(divide="ignore", invalid="ignore"):
        witness = CumIncidenceRight(times, events)
    for at in (10, 30, 60, 120):
        expected = witness.cinc[0][witness.times <= at][-1]
        assert value(found, f"within_{at}s") == pytest.approx(expected, abs=1e-9)


def test_all_engines_agree(sessions_of: Build, engine: Build) -> None:
    rows, _, _ = many(5)
    given = sessions_of([*rows, {"country": None, "first_channel": None}])
    expected = metrics.time_to_verify(given, by=["country", "first_channel"])
    found = metrics.time_to_verify(engine(given), by=["country", "first_channel"])
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-9)
