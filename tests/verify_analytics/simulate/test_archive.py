"""A history written as an archive is what a store would hold of it: every row once, and nothing half-written."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verify_analytics import load
from verify_analytics.errors import ArgumentError, VerifyAnalyticsError
from verify_analytics.simulate import Features, History, archive, parallel

KINDS = ("callbacks", "verifications", "pulse")
# Small slices, so that there are several groups of them, and receipts that come after their group.
SMALL = {"chunk_sessions": 25, "days": 3, "features": Features(redelivered=0.2, late=0.1, duplicate_reports=0.2)}


@pytest.fixture(scope="module")
def made(make: Callable[..., History]) -> History:
    return make(700, **SMALL)


@pytest.fixture(scope="module")
def written(made: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "archive"
    made.write_archive(folder)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Every row as comparable values, in one order; a missing value is an empty text."""
    moments = frame.select_dtypes("datetimetz").columns
    whole = frame.assign(**{name: frame[name].astype("int64").where(frame[name].notna()) for name in moments})
    return sorted(whole.astype(object).where(whole.notna(), "").itertuples(index=False, name=None), key=repr)


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_the_rows_that_a_store_would_hold(kind: str, made: History, written: Path) -> None:
    found = pa.concat_tables(pq.ParquetFile(file).read() for file in sorted((written / kind).rglob("*.parquet")))
    assert rows(found.to_pandas()) == rows(made.frames()[kind])
    assert found.num_rows > 500


def test_every_engine_reads_it(written: Path, made: History) -> None:
    callbacks = made.frames()["callbacks"]
    assert load.callbacks(written).aggregate("count(*) AS n").df()["n"][0] == len(callbacks)
    lazy = pl.scan_parquet(written / "callbacks" / "**" / "*.parquet", hive_partitioning=False)
    assert lazy.select(pl.col("error_code").eq("30").sum()).collect().item() == (callbacks["error_code"] == "30").sum()
    assert load.verifications(written) is not None
    assert load.pulse(written) is not None


def test_every_file_holds_one_day_in_order_of_time(written: Path) -> None:
    for kind, moment in zip(KINDS, ("received_at", "received_at", "minute"), strict=True):
        for file in (written / kind).rglob("*.parquet"):
            moments = pq.ParquetFile(file).read([moment])[moment].to_pandas()
            assert moments.is_monotonic_increasing
            assert {f"day={day}" for day in moments.dt.strftime("%Y-%m-%d")} == {file.parent.name}


def test_what_comes_late_lies_in_the_day_it_came(written: Path) -> None:
    by_day = [sorted(file.name for file in day.iterdir()) for day in sorted((written / "callbacks").iterdir())]
    assert len(by_day) == 3
    # A group of slices at midnight has a file on either side.
    assert any(set(one) & set(other) for one, other in pairwise(by_day))


def test_the_manifest_counts_and_hashes_every_file(written: Path) -> None:
    manifest = json.loads((written / "manifest.json").read_text())
    assert manifest["archive_version"] == 1
    assert set(manifest["parts"]) == {name for name in files(written) if name.endswith(".parquet")}
    for name, said in manifest["parts"].items():
        assert said == {
            "rows": pq.ParquetFile(written / name).metadata.num_rows,
            "digest": hashlib.sha256((written / name).read_bytes()).hexdigest(),
            "schema": "0001",
        }


def test_types_are_those_that_every_engine_reads(written: Path) -> None:
    file = next((written / "callbacks").rglob("*.parquet"))
    schema = pq.ParquetFile(file).schema_arrow
    assert {str(kind) for kind in schema.types} == {"string", "int64", "timestamp[us, tz=UTC]"}
    columns = pq.ParquetFile(file).metadata.row_group(0)
    assert {columns.column(i).compression for i in range(columns.num_columns)} == {"ZSTD"}
    assert all(columns.column(i).statistics is not None for i in range(columns.num_columns))


def test_the_same_plan_gives_the_same_bytes_in_any_number_of_processes(
    make: Callable[..., History], written: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    make(700, **SMALL).write_archive(tmp_path / "again", processes=2, progress=lambda *done: seen.append(done))
    assert files(tmp_path / "again") == files(written)
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1] == (make(700, **SMALL).sessions,) * 2


def test_another_seed_gives_other_bytes(make: Callable[..., History], written: Path, tmp_path: Path) -> None:
    make(700, seed=12, **SMALL).write_archive(tmp_path / "other")
    assert not set(files(tmp_path / "other").values()) & set(files(written).values())


def test_one_that_is_interrupted_leaves_nothing(made: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.write_archive(tmp_path / "progress", progress=interrupted)
    monkeypatch.setattr(archive, "_describe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.write_archive(tmp_path / "manifest")
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_killed_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    """Killed without a chance to clean up: the name is not there, the next run says why, and no process stays."""
    command = [sys.executable, "-m", "verify_analytics.cli", "simulate", "--sessions", "400000", "--seed", "1"]
    command += ["--days", "2", "--archive", str(tmp_path / "archive")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        # Two that work, and one of Python's own that minds what they share.
        while len(workers := _children(process.pid)) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    assert not (tmp_path / "archive").exists()
    with pytest.raises(ArgumentError, match="another run is writing it, or was ended"):
        archive._begun(tmp_path / "archive")
    end = time.monotonic() + 30
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < end, "a working process outlived the one that started it"
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


def test_what_is_there_is_said_and_stays(made: History, written: Path, tmp_path: Path) -> None:
    before = files(written)
    with pytest.raises(ArgumentError, match=r"holds an archive of [\d,]+ callbacks; remove it or name another"):
        made.write_archive(written)
    assert files(written) == before
    (tmp_path / "notes.txt").touch()
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(ArgumentError, match="holds something else than an archive"):
            made.write_archive(place)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ArgumentError, match="processes=0"):
        made.write_archive(tmp_path / "archive", processes=0)


def test_an_empty_folder_is_filled(make: Callable[..., History], tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    kept = make(30).write_archive(tmp_path / "archive")
    assert kept.callbacks == load.callbacks(tmp_path / "archive").aggregate("count(*) AS n").df()["n"][0]
    assert kept.parts == len(list((tmp_path / "archive").rglob("*.parquet")))


def _end_yourself(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_working_process_that_is_killed_ends_the_whole_in_one_sentence(made: History) -> None:
    with pytest.raises(VerifyAnalyticsError, match="ended from outside, perhaps for want of memory"):
        list(parallel.in_order(made.plan, _end_yourself, [1, 2], 2))
