"""Attempts that are worked out part by part are those that are worked out at once."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from verify_analytics import load, metrics, model
from verify_analytics.errors import ArgumentError, VerifyAnalyticsError
from verify_analytics.load import settledqueries, settling

SAMPLE = "data/sample"
AS_OF = "2026-10-29T00:00Z"


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "PART", 250)


def at_once(window: str = "10min", patience: str = "15min") -> tuple[Any, Any]:
    told, pulse = load.verifications(SAMPLE), load.pulse(SAMPLE)
    callbacks = load.callbacks(SAMPLE)
    attempts = load.keep(model.attempts(callbacks, as_of=AS_OF, patience=patience, verifications=told, pulse=pulse))
    return attempts, model.sessions(attempts, window=window)


@pytest.mark.usefixtures("small_parts")
def test_attempts_and_sessions_are_those_that_are_worked_out_at_once(tmp_path: Path, rows_of: Any) -> None:
    attempts, sessions = at_once("5min", "20min")
    kept = load.kept_attempts(SAMPLE, tmp_path / "kept", as_of=AS_OF, patience="20min", window="5min")
    assert len(list((tmp_path / "kept" / "now").glob("*-attempts.parquet"))) > 1
    assert rows_of(kept.attempts, "key") == rows_of(attempts, "key")
    assert rows_of(kept.sessions, "session_id") == rows_of(sessions, "session_id")


@pytest.mark.parametrize("kept_by_day", [False, pytest.param(True, marks=pytest.mark.full)])
@pytest.mark.usefixtures("small_parts")
def test_the_silences_of_a_source_are_those_of_all_sessions(
    kept_by_day: bool, tmp_path: Path, rows_of: Any, archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = SAMPLE
    if kept_by_day:
        monkeypatch.setattr(settling, "OLD_SPAN", 600)
        for table in ("callbacks", "verifications", "pulse"):
            (archive.path / table / "day=2026-10-01").mkdir(parents=True)
            shutil.copy(f"{SAMPLE}/{table}.parquet", archive.path / table / "day=2026-10-01" / "part.parquet")
        archive.list()
        where = str(archive.path)
    attempts, sessions = at_once()
    kept = load.kept_attempts(where, tmp_path / "kept", as_of=AS_OF)
    assert len(list((tmp_path / "kept").glob("*/*-attempts.parquet"))) > 1
    found = rows_of(model.silences(kept.attempts), ["source", "from_us"])
    assert found
    assert found == rows_of(model.silences(attempts), ["source", "from_us"])
    assert rows_of(kept.attempts, "key") == rows_of(attempts, "key")
    assert rows_of(kept.sessions, "session_id") == rows_of(sessions, "session_id")


@pytest.mark.usefixtures("small_parts")
@pytest.mark.full
def test_metrics_take_them_as_they_are(tmp_path: Path) -> None:
    attempts, sessions = at_once()
    kept = load.kept_attempts(SAMPLE, tmp_path, as_of=AS_OF)
    assert metrics.delivery_rate(kept.attempts, by="channel").equals(metrics.delivery_rate(attempts, by="channel"))
    assert metrics.time_to_verify(kept.sessions).equals(metrics.time_to_verify(sessions))


def test_they_are_made_again_in_the_place_of_the_earlier_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(settling, "PART", 250)
        load.kept_attempts(SAMPLE, tmp_path, as_of=AS_OF)
    load.kept_attempts(SAMPLE, tmp_path, as_of="2026-10-15T00:00Z")
    assert {path.name for path in tmp_path.iterdir()} == {"now", "settled.json", ".lock"}
    assert len(list((tmp_path / "now").glob("*-attempts.parquet"))) == 1


def test_where_it_is_broken_off_the_earlier_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_of: Any
) -> None:
    earlier = load.kept_attempts(SAMPLE, tmp_path, as_of=AS_OF)
    before = rows_of(earlier.attempts, "key")

    def broken(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(settledqueries.Writing, "part", broken)
    with pytest.raises(KeyboardInterrupt):
        load.kept_attempts(SAMPLE, tmp_path, as_of=AS_OF)
    assert rows_of(earlier.attempts, "key") == before
    kept = "SELECT value FROM duckdb_settings() WHERE name = 'preserve_insertion_order'"
    assert load.connection().execute(kept).fetchall() == [("true",)]


def test_a_folder_that_cannot_be_written_is_said_with_what_to_try(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        VerifyAnalyticsError, match=r"file.* could not be written: .*; give a folder on a disk with room"
    ):
        load.kept_attempts(SAMPLE, tmp_path / "file" / "kept", as_of=AS_OF)


def test_a_dataframe_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(
        ArgumentError, match="DataFrame is a dataframe, and what is kept is made of places: give an archive"
    ):
        load.kept_attempts(pq.read_table(f"{SAMPLE}/callbacks.parquet").to_pandas(), tmp_path, as_of=AS_OF)
