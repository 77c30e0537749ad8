"""What is kept has a folder of its own, and what cannot be read is told in a sentence."""

import shutil
import threading
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.verify_analytics.conftest import arrow
from verify_analytics import load, model
from verify_analytics.errors import ArgumentError, VerifyAnalyticsError
from verify_analytics.load.ownfolder import read_to_the_end

DAY = 86_400


@pytest.fixture
def one_day(archive: Any, callback: Any) -> Path:
    """Give an archive of one session."""
    archive.add([callback(0, "delivered", requested_at=0)], "part")
    made: Path = archive.path
    return made


def harm(file: Path) -> None:
    """Damage the middle of a file, whose size and end stay."""
    whole = file.read_bytes()
    file.write_bytes(whole[:4] + b"\xff" * 40 + whole[44:])


@pytest.mark.parametrize(
    "folder",
    [None, 5, "", "  ", pd.DataFrame({"recipient_key": ["k:1"]})],
    ids=["None", "5", "empty", "spaces", "frame"],
)
def test_what_names_no_folder_is_refused_before_anything_is_read(
    folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="names no folder; give one of its own") as refused:
        load.kept_attempts("not there", folder, as_of="2026-10-29T00:00Z")
    assert "k:1" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(one_day: Path, after: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep me")
    with pytest.raises(ArgumentError, match="mine' is a file; give a folder of its own"):
        load.kept_attempts(one_day, tmp_path / "mine", as_of=after(DAY))
    assert (tmp_path / "mine").read_text() == "keep me"


@pytest.mark.parametrize(
    "inside", ["callbacks", "callbacks/kept", "verifications", "pulse/kept", "states", "x/../callbacks"]
)
def test_a_folder_that_the_archive_fills_is_refused_for_its_files_would_be_read_as_callbacks(
    inside: str, one_day: Path, after: Any
) -> None:
    before = {file for file in one_day.rglob("*") if "states" not in file.parts}
    with pytest.raises(ArgumentError, match=r"lies among the files of the archive .*; give a folder beside it"):
        load.kept_attempts(one_day, one_day / inside, as_of=after(DAY))
    assert {file for file in one_day.rglob("*") if "states" not in file.parts} == before


def test_a_folder_of_its_own_within_the_archive_is_one(one_day: Path, after: Any) -> None:
    found = load.kept_attempts(one_day, one_day / "kept", as_of=after(DAY))
    assert found.attempts.aggregate("count(*)").fetchall() == [(1,)]
    assert load.callbacks(one_day).aggregate("count(*)").fetchall() == [(1,)]


def test_what_is_kept_and_cannot_be_read_says_that_it_can_be_deleted(one_day: Path, after: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    load.kept_attempts(one_day, folder, as_of=after(DAY))
    for file in folder.glob("from=*/*-minutes.parquet"):
        harm(file)
    with pytest.raises(VerifyAnalyticsError, match=r"to the end: .*the folder '.*kept' can be deleted at any time"):
        load.kept_attempts(one_day, folder, as_of=after(DAY))


@pytest.mark.parametrize("ask", [load.states, load.kept_attempts])
def test_a_damaged_part_of_the_archive_is_told_with_who_can_name_it(
    ask: Any, one_day: Path, after: Any, tmp_path: Path
) -> None:
    part = one_day / "callbacks" / "day=2026-09-01" / "part.parquet"
    part.write_bytes(part.read_bytes()[:60])
    into = {"folder": tmp_path / "kept"} if ask is load.kept_attempts else {}
    with pytest.raises(VerifyAnalyticsError, match=r"to the end: .*`collector archive --verify` says which"):
        ask(one_day, **into, as_of=after(DAY))


class Shy(pd.DataFrame):
    """A frame that must not be printed: rows and addresses with passwords have no place in a message."""

    def __repr__(self) -> str:
        raise AssertionError("somebody printed what was given")


def test_what_is_given_is_never_printed(callback: Any, after: Any) -> None:
    rows = Shy(arrow([callback(0, "delivered", requested_at=0)], model.CALLBACKS).to_pandas())
    assert len(load.states(rows, as_of=after(DAY))) == 1


def test_a_damaged_part_is_told_without_the_addresses_of_the_places_beside_it(
    one_day: Path, after: Any, tmp_path: Path
) -> None:
    beside = tmp_path / "secret.parquet"
    shutil.copy(one_day / "callbacks" / "day=2026-09-01" / "part.parquet", beside)
    part = one_day / "callbacks" / "day=2026-09-01" / "part.parquet"
    part.write_bytes(part.read_bytes()[:60])
    with pytest.raises(VerifyAnalyticsError, match="to the end") as told:
        load.states([one_day, beside], as_of=after(DAY))
    assert "secret" not in str(told.value)


def test_who_interrupts_is_told_of_no_damage() -> None:
    ours = load.connection()
    stop = threading.Timer(0.3, ours.interrupt)
    stop.start()
    with pytest.raises(duckdb.InterruptException), read_to_the_end(can_be_deleted="nothing"):
        ours.execute("SELECT sum(a.range * b.range) FROM range(10_000_000) AS a, range(10_000_000) AS b")
    stop.join()
