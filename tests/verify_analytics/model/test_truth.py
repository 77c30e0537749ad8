"""What the model reads equals what the simulator's witness concludes from the same arrivals, row by row.

The witness goes through callbacks one after the other with plain dictionaries and shares no line with the model.
"""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from verify_analytics import load, model, simulate

END = datetime(2026, 10, 29, tzinfo=UTC)


@pytest.fixture(scope="module", params=["at the end", "in the middle"])
def history(request: pytest.FixtureRequest) -> Any:
    as_of = END if request.param == "at the end" else datetime(2026, 10, 26, 11, 17, 3, tzinfo=UTC)
    made = simulate.history(600, seed=11, end=END, days=5, as_of=as_of)
    return made.frames(), made.truth(), as_of


@pytest.fixture(params=["pandas", "polars", "duckdb"])
def read(request: pytest.FixtureRequest, history: Any, rows_of: Any) -> Any:
    import polars as pl

    frames, truth, as_of = history
    carry: Any = {
        "pandas": lambda frame: frame,
        "polars": pl.from_pandas,
        "duckdb": lambda frame: load.keep(load.connection().from_df(frame)),
    }[request.param]
    attempts = model.attempts(
        load.callbacks(carry(frames["callbacks"])),
        as_of=as_of,
        verifications=load.verifications(carry(frames["verifications"])),
        pulse=load.pulse(carry(frames["pulse"])),
    )
    return rows_of(attempts, "key"), rows_of(model.sessions(attempts), "session_id"), truth


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give rows with None for everything missing."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def test_attempts_equal_the_realised_truth_of_what_arrived(read: Any) -> None:
    attempts, _, truth = read
    facts = ("sequence", "channel", "role", "country", "outcome", "error_code", "mature")
    concluded = {
        row["attempt_id"]: tuple(row[f"arrived_{fact}"] for fact in facts)
        for row in plain(truth[truth["arrived_attempt"].astype(bool)])
    }
    names = ("attempt_sequence", "channel", "role", "country", "outcome", "error_code", "mature")
    seen = {row["key"]: tuple(row[name] for name in names) for row in attempts if row["is_attempt"]}
    assert len(seen) > 300
    assert {row["outcome"] for row in attempts} > {"delivered", "undelivered", "accepted", "unobserved"}
    assert {row["role"] for row in attempts} > {"first_choice", "resend", "fallback"}
    assert seen == concluded


def test_sessions_equal_the_realised_truth_of_what_arrived(read: Any) -> None:
    _, sessions, truth = read
    known = truth[truth["arrived_session"].astype(bool)].drop_duplicates("session_id")
    facts = ("session_outcome", "session_mature", "observable_app", "observable_callback")
    concluded = {row["session_id"]: tuple(row[f"arrived_{fact}"] for fact in facts) for row in plain(known)}
    names = ("outcome", "mature", "observable_app", "observable_callback")
    seen = {row["session_id"]: tuple(row[name] for name in names) for row in sessions}
    assert {row[0] for row in seen.values()} >= {"verified", "expired", "abandoned"}
    assert {row[2:] for row in seen.values()} >= {(True, True), (False, True), (False, False)}
    assert seen == concluded
