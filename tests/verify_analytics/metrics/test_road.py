"""From simulated callbacks to figures: every count equals what the simulator knows to have arrived, on each engine."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import narwhals as nw
import pandas as pd
import polars as pl
import pytest

from tests.verify_analytics.conftest import kept
from verify_analytics import load, metrics, model, simulate
from verify_analytics.errors import DoubtfulWarning

# The simulator's application has a wrong clock now and then, which is said elsewhere.
pytestmark = pytest.mark.filterwarnings(f"ignore:.*a clock is wrong:{DoubtfulWarning.__module__}.DoubtfulWarning")

END = datetime(2026, 10, 29, tzinfo=UTC)
# In the middle of traffic, so that some attempts are young and some of their callbacks do not exist yet.
AS_OF = datetime(2026, 10, 28, 13, 7, tzinfo=UTC)
KNOWN = ["delivered", "undelivered", "failed", "accepted", "silent"]

INTO: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "duckdb": lambda frame: load.keep(load.connection().from_df(frame)),
}


class Reading(NamedTuple):
    """What an analyst has in hand."""

    attempts: Any
    sessions: Any


@pytest.fixture(scope="module")
def history() -> simulate.History:
    return simulate.history(1500, seed=5, end=END, days=3, as_of=AS_OF)


@pytest.fixture(scope="module")
def truth(history: simulate.History) -> pd.DataFrame:
    """What arrived of each attempt, by the simulator's own dictionary."""
    told = history.truth()
    return told[told["arrived_attempt"]].assign(
        **{
            name: told[f"arrived_{name}"].astype("str").where(told[f"arrived_{name}"].notna(), "not known")
            for name in ("channel", "role", "country")
        }
    )


@pytest.fixture(scope="module", params=INTO)
def reading(request: pytest.FixtureRequest, history: simulate.History) -> Reading:
    into, frames = INTO[request.param], history.frames()
    attempts = model.attempts(
        load.callbacks(into(frames["callbacks"])),
        as_of=AS_OF,
        verifications=load.verifications(into(frames["verifications"])),
        pulse=load.pulse(into(frames["pulse"])),
    )
    attempts = kept(attempts)
    return Reading(attempts, kept(model.sessions(attempts)))


def brought_over(native: Any) -> pd.DataFrame:
    """Bring a frame over from any engine."""
    frame: pd.DataFrame = nw.from_native(native).lazy().collect().to_pandas()
    return frame


def by_hand(arrived: pd.DataFrame) -> dict[str, Any]:
    """Work out the delivery of some attempts in plain Python."""
    mature = arrived[arrived["arrived_mature"]]
    found = {
        outcome: int((mature["arrived_outcome"] == outcome).sum()) for outcome in [*KNOWN, "unobserved", "unknown"]
    }
    known = sum(found[outcome] for outcome in KNOWN)
    receipts = found["delivered"] + found["undelivered"]
    return {
        "confirmed": (found["delivered"], known),
        "accepted": (found["delivered"] + found["accepted"], known),
        "coverage": (receipts, receipts + found["accepted"]),
        "not_handed_over": (found["failed"], known),
        "beside": (len(arrived) - len(mature), found["unobserved"], found["unknown"]),
    }


@pytest.mark.parametrize("by", [["channel", "role"], ["country", "role"], ["country", "channel"]])
def test_delivery_counts_what_arrived_exactly(by: list[str], reading: Reading, truth: pd.DataFrame) -> None:
    found = metrics.delivery_rate(reading.attempts, by=by)
    groups = {group: by_hand(rows) for group, rows in truth.groupby(by)}
    assert len(groups) > 5
    assert set(found[by].itertuples(index=False, name=None)) == set(groups)
    for group, rows in found.groupby(by):
        first = rows.iloc[0]
        got = {row["measure"]: (row["count"], row["n"]) for _, row in rows.iterrows()}
        got = {name: got[name] for name in ("confirmed", "accepted", "coverage", "not_handed_over")}
        assert {**got, "beside": tuple(first[["immature", "unobserved", "unknown"]])} == groups[group], group


def test_error_codes_count_what_arrived_exactly(reading: Reading, truth: pd.DataFrame) -> None:
    judged = truth[truth["arrived_mature"] & truth["arrived_outcome"].isin(["failed", "undelivered"])]
    code = judged["arrived_error_code"].astype("str").where(judged["arrived_error_code"].notna(), "(none given)")
    expected = judged.groupby(["channel", code]).size().to_dict()
    found = metrics.error_codes(reading.attempts)
    found = found[found["measure"] == "share_of_unsuccessful"]
    assert {(row["channel"], row["code"]): row["count"] for _, row in found.iterrows()} == expected
    assert set(found["n"]) == {len(judged)}


def test_retries_count_the_sessions_that_arrived(reading: Reading, truth: pd.DataFrame) -> None:
    found = metrics.retries(reading.attempts, source="app")
    reaches = found[found["measure"] == "reaches_attempt_2"].iloc[0]
    watched = brought_over(reading.sessions)
    mature = watched[watched["mature"]]
    assert reaches["immature"] == (~watched["mature"]).sum() > 0
    assert reaches["unobserved"] == mature["unobserved"].sum() > 0
    assert reaches["n"] + reaches["unknown"] == (~mature["unobserved"]).sum()
    chosen = mature.loc[~mature["unobserved"], "session_id"]
    wanted = truth[truth["session_id"].isin(chosen) & (truth["role"] != "after_verified")]
    assert reaches["count"] == wanted[wanted["arrived_sequence"] >= 2]["session_id"].nunique()
    attempts = found[found["measure"] == "attempts_per_session"].iloc[0]
    assert attempts["count"] == len(wanted)


def test_the_curve_ends_at_the_share_verified_in_time(reading: Reading) -> None:
    found = metrics.time_to_verify(reading.sessions, source="app", horizon="1h")
    row = found.iloc[0]
    everybody = brought_over(reading.sessions)
    beside = ["immature", "unobserved", "unknown", "not_observable", "clock_faults"]
    assert row["n"] + row[beside].sum() == len(everybody)
    assert row["clock_faults"] == len(metrics.clock_faults(reading.sessions, source="app"))
    # Without the few that are still open, the end of the curve is a plain share, give or take those.
    closed = everybody[everybody["mature"] & ~everybody["unobserved"] & everybody["observable_app"]]
    in_time = closed["verified_app_us"].astype("float64") <= closed["ended_us"].astype("float64")
    assert found["rate"].iloc[-1] == pytest.approx(in_time.mean(), abs=0.01)


def test_every_engine_gives_the_same_figures(history: simulate.History, reading: Reading) -> None:
    frames = history.frames()
    attempts = model.attempts(
        load.callbacks(pl.from_pandas(frames["callbacks"])),
        as_of=AS_OF,
        verifications=load.verifications(pl.from_pandas(frames["verifications"])),
        pulse=load.pulse(pl.from_pandas(frames["pulse"])),
    )
    sessions = model.sessions(attempts)
    for metric, ours, theirs, by in (
        (metrics.delivery_rate, reading.attempts, attempts, ["day", "role"]),
        (metrics.error_codes, reading.attempts, attempts, ["country"]),
        (metrics.retries, reading.attempts, attempts, ["first_channel", "hour"]),
        (metrics.time_to_verify, reading.sessions, sessions, ["country", "first_channel"]),
    ):
        pd.testing.assert_frame_equal(metric(ours, by=by), metric(theirs, by=by), rtol=0, atol=1e-9)
