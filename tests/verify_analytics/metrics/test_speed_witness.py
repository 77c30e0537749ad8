"""The curves of the sample agree with scikit-survival, given raw durations and none of our counting."""

from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from verify_analytics import load, metrics, model
from verify_analytics.errors import DoubtfulWarning

SAMPLE = str(Path(__file__).parents[3] / "data" / "sample" / "callbacks.parquet")
# In the middle of traffic, so that some attempts still wait.
AS_OF = "2026-10-27T18:00Z"
pytestmark = pytest.mark.filterwarnings(f"ignore::{DoubtfulWarning.__module__}.DoubtfulWarning")


@pytest.fixture(scope="module")
def attempts() -> Any:
    made = model.attempts(
        load.callbacks(SAMPLE), as_of=AS_OF, verifications=load.verifications(SAMPLE), pulse=load.pulse(SAMPLE)
    )
    return load.keep(made)


def brought(native: Any) -> pd.DataFrame:
    made: pd.DataFrame = nw.from_native(native).lazy().collect().to_pandas()
    return made


def heights(event: pd.Series, seconds: pd.Series, at: np.ndarray) -> np.ndarray:
    """Ask the witness for the first kind of end at these times."""
    witness = pytest.importorskip("sksurv.nonparametric", reason="its wheels do not reach everywhere")
    times, curves = witness.cumulative_incidence_competing_risks(event.to_numpy(dtype=int), seconds.to_numpy())
    place = np.searchsorted(times, at, side="right")
    return np.concatenate(([0.0], curves[1]))[place]


def drawn(found: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    rows = found[found["measure"].isin(["curve", "within_10s", "within_30s", "within_60s", "within_120s"])]
    assert len(rows) > 40
    return rows["seconds"].to_numpy(), rows["rate"].to_numpy()


def test_the_time_to_verify_agrees_with_scikit_survival_on_raw_durations(attempts: Any) -> None:
    sessions = model.sessions(attempts)
    found = metrics.time_to_verify(sessions, source="app")
    told = brought(sessions)
    told = told[~told["unobserved"] & told["observable_app"] & (told["lowest_sequence"] == 1)]
    verified, ended = (told[name].astype("float64") for name in ("verified_app_us", "ended_us"))
    in_time = verified.notna() & ~(verified > ended)
    end = verified.where(in_time, ended.fillna(told["as_of_us"]))
    event = in_time * 1 + (~in_time & ended.notna()) * 2
    seconds = (end - told["started_us"]) / 1e6
    possible = seconds >= 0
    assert set(found["n"]) == {int(possible.sum())}
    assert set(found["censored"]) == {int((event[possible] == 0).sum())}
    at, height = drawn(found)
    np.testing.assert_allclose(height, heights(event[possible], seconds[possible], at), rtol=0, atol=1e-9)


def test_the_time_to_deliver_agrees_with_scikit_survival_on_raw_durations(attempts: Any) -> None:
    found = metrics.time_to_deliver(attempts, floor=0)
    told = brought(attempts)
    told = told[told["is_attempt"] & ~told["outcome"].isin(["unknown", "unobserved"])]
    event = told["settled_us"].notna() * 2 - told["delivered_us"].notna() * 1
    seconds = (told["settled_us"].fillna(told["as_of_us"]) - told["started_us"]) / 1e6
    assert set(found["n"]) == {len(told)}
    assert found["censored"].iloc[0] == (event == 0).sum() > 20
    at, height = drawn(found)
    np.testing.assert_allclose(height, heights(event, seconds, at), rtol=0, atol=1e-9)


def test_the_conditional_wait_agrees_with_scikit_survival_begun_anew(attempts: Any) -> None:
    """A landmark: those still waiting at that time, with their clocks set to nothing."""
    sessions = brought(model.sessions(attempts))
    found = metrics.when_to_switch(sessions, source="app", after=[20, 45], within="30s")
    told = sessions[~sessions["unobserved"] & sessions["observable_app"] & (sessions["lowest_sequence"] == 1)]
    verified, ended = (told[name].astype("float64") for name in ("verified_app_us", "ended_us"))
    in_time = verified.notna() & ~(verified > ended)
    event = in_time * 1 + (~in_time & ended.notna()) * 2
    seconds = (verified.where(in_time, ended.fillna(told["as_of_us"])) - told["started_us"]) / 1e6
    for _, row in found.iterrows():
        waiting = seconds > row["after_seconds"]
        assert row["n"] == waiting.sum()
        begun = heights(event[waiting], seconds[waiting] - row["after_seconds"], np.array([30.0]))
        assert row["rate"] == pytest.approx(begun[0], abs=1e-9)
