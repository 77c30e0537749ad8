"""The figures about verification equal the simulator's truth: worked out here by hand from what it knows to have come.

Read an hour after the last callback, so that every session that can be watched is watched to its end, and the curve
must be a plain share.
"""

import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from verify_analytics import load, metrics, model, simulate
from verify_analytics.errors import DoubtfulWarning

END = datetime(2026, 10, 29, tzinfo=UTC)
AS_OF = END + timedelta(hours=1)
WINDOW = pd.Timedelta(minutes=10)
MINUTE = pd.Timedelta(minutes=1)


@pytest.fixture(scope="module")
def history() -> simulate.History:
    return simulate.history(2500, seed=23, end=END, days=10, as_of=AS_OF)


@pytest.fixture(scope="module")
def attempts(history: simulate.History) -> Any:
    frames = history.frames()
    return model.attempts(
        load.callbacks(frames["callbacks"]),
        as_of=AS_OF,
        verifications=load.verifications(frames["verifications"]),
        pulse=load.pulse(frames["pulse"]),
    )


@pytest.fixture(scope="module")
def watched(history: simulate.History) -> pd.DataFrame:
    """Sessions of the truth that the application's reports can speak of. One row per session."""
    truth = history.truth()
    heard = truth[truth["arrived_attempt"]].sort_values(["arrived_sequence", "arrived_started_at"])
    sessions = heard.groupby("session_id").agg(
        started=("arrived_started_at", "min"),
        last=("arrived_started_at", "max"),
        lowest=("arrived_sequence", "min"),
        verified=("arrived_verified_app_at", "min"),
        can=("arrived_observable_app", "min"),
    )
    down = pd.Series(data=False, index=sessions.index)
    for outage in history.outages:
        since, until = pd.to_datetime([outage.from_us, outage.to_us], unit="us", utc=True)
        ended = (sessions["last"] + WINDOW).dt.floor("min") + MINUTE
        down |= (sessions["started"].dt.floor("min") < until) & (ended > since)
    chosen: pd.DataFrame = sessions[sessions["can"].astype(bool) & ~down]
    return chosen


@pytest.mark.parametrize("within", [10, 30, 60, 120])
def test_the_share_verified_in_time_is_that_of_the_truth(within: int, attempts: Any, watched: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulWarning)
        frame = metrics.time_to_verify(model.sessions(attempts), source="app").set_index("measure")
    row = frame.loc[f"within_{within}s"]
    # A clock that is wrong, or a start that was never heard of, gives no duration.
    watched = watched[~(watched["verified"] < watched["started"]) & (watched["lowest"] == 1)]
    in_time = (watched["verified"] - watched["started"] <= pd.Timedelta(seconds=within)).sum()
    assert len(watched) > 1500
    assert (row["n"], row["censored"]) == (len(watched), 0)
    assert row["rate"] == pytest.approx(in_time / len(watched), abs=1e-12)


def test_the_share_verified_with_the_first_attempt_is_that_of_the_truth(
    history: simulate.History, attempts: Any, watched: pd.DataFrame
) -> None:
    truth = history.truth()
    # An attempt after the verification is a new need, and no second attempt at this one.
    again = (truth["arrived_sequence"] >= 2) & (truth["arrived_role"] != "after_verified")
    second = truth[truth["arrived_attempt"] & again].groupby("session_id")["arrived_started_at"].min()
    both = watched.join(second.rename("second"))
    # What could be verified after the last report cannot be judged.
    reports: Any = load.verifications(history.frames()["verifications"])
    last_report = pd.to_datetime(reports["received_us"].max(), unit="us", utc=True)
    both = both[both["last"] + WINDOW <= last_report]
    with_first = both["verified"].notna() & (both["second"].isna() | (both["verified"] < both["second"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulWarning)
        frame = metrics.retries(attempts, source="app").set_index("measure")
    row = frame.loc["verified_before_attempt_2"]
    assert (row["count"], row["n"]) == (with_first.sum(), len(both))
