"""A copy is one moment of the store, whole and checked; it takes the place of a lost store, and of nothing else."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector import backups, engines, store
from collector.engines import sqlite_module
from collector.errors import CollectorError
from collector.settings import Settings
from tests.collector.conftest import PEPPER, CollectorProcess, clean_environment
from tests.collector.records import NEWER, contents, fill, line, moment, report, settings_for

NOW = moment(3_600)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_for(f"sqlite:///{tmp_path / 'store.db'}")
    fill(made, *(line(f"s-{n}", n) for n in range(20)), line("q", 30, SessionUUID=""))
    report(made, "s-1")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "copies"
    made.mkdir()
    return made


def rows_of(url: str) -> list[object]:
    return [contents(url, table) for table in store.metadata.sorted_tables]


def test_a_copy_has_every_row_and_a_note_of_what_it_holds_for_its_owner_alone(settings: Settings, folder: Path) -> None:
    copy, made = backups.backup(settings.database_url, folder, NOW)
    assert copy == folder / "store-20260901T130000Z.db"
    assert rows_of(f"sqlite:///{copy}") == rows_of(settings.database_url)
    note = json.loads((folder / "store-20260901T130000Z.db.json").read_text())
    assert note == made
    assert note["rows"] == {
        "alembic_version": 1, "callbacks": 20, "nonces": 21, "peppers": 1, "pulse": 1, "quarantine": 1,
        "verifications": 1,
    }  # fmt: skip
    assert (note["schema"], note["sqlite"], note["made_at"], note["bytes"]) == (
        store.SCHEMA,
        engines.sqlite_module().sqlite_version,
        "2026-09-01T13:00:00Z",
        copy.stat().st_size,
    )
    assert sorted(file.name for file in folder.iterdir()) == [copy.name, f"{copy.name}.json"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert PEPPER.encode() not in copy.read_bytes()


def test_what_is_on_the_disk_before_the_name_is_seen(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    flush, rename = os.fsync, Path.rename

    def flushed(descriptor: int) -> None:
        steps.append(f"flush {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        flush(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        steps.append(f"rename {self.name}")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "rename", renamed)
    backups.backup(settings.database_url, folder / "a.db", NOW)
    assert steps == [
        "flush .a.db.partial",
        "flush .a.db.json.partial",
        "rename .a.db.json.partial",
        "rename .a.db.partial",
        "flush copies",
    ]


def test_what_a_copy_that_was_killed_has_left_is_not_read_into_the_next(settings: Settings, folder: Path) -> None:
    for left in (".a.db.partial", ".a.db.partial-journal", ".a.db.json.partial"):
        (folder / left).write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\xff" * 4_096)
    copy, _ = backups.backup(settings.database_url, folder / "a.db", NOW)
    assert backups.verify(copy, settings)["rows"]["callbacks"] == 20
    assert sorted(file.name for file in folder.iterdir()) == ["a.db", "a.db.json"]


@pytest.mark.parametrize("there", ["a.db", "a.db.json"])
def test_nothing_is_overwritten(settings: Settings, folder: Path, there: str) -> None:
    (folder / there).write_text("mine")
    with pytest.raises(CollectorError, match="overwrites nothing"):
        backups.backup(settings.database_url, folder / "a.db", NOW)
    assert [file.name for file in folder.iterdir()] == [there]
    assert (folder / there).read_text() == "mine"


def test_so_many_copies_stay_and_what_was_cut_off_or_is_somebody_elses_is_told_apart(
    settings: Settings, folder: Path
) -> None:
    (folder / ".store-20250101T000000Z.db.partial").touch()
    (folder / ".store-20250101T000000Z.db.partial-journal").touch()
    (folder / "store-20250101T000000Z.db.json").touch()
    for mine in ("store.db", "other-20250101T000000Z.db", "store-notes.db"):
        (folder / mine).touch()
    for hour in range(4):
        backups.backup(settings.database_url, folder, moment(hour * 3_600), keep=2)
    assert sorted(file.name for file in folder.iterdir()) == [
        "other-20250101T000000Z.db",
        "store-20260901T140000Z.db",
        "store-20260901T140000Z.db.json",
        "store-20260901T150000Z.db",
        "store-20260901T150000Z.db.json",
        "store-notes.db",
        "store.db",
    ]


@pytest.mark.parametrize("keep", [1, 2])
def test_the_copy_just_made_stays_also_when_the_clock_was_set_back(settings: Settings, folder: Path, keep: int) -> None:
    for hour in (10, 11, 1):
        made, _ = backups.backup(settings.database_url, folder, moment(hour * 3_600), keep=keep)
        assert made.exists()
    assert [file.name for file in sorted(folder.glob("*.db"))] == [
        "store-20260901T130000Z.db",
        "store-20260901T230000Z.db",
    ][:keep]


def test_what_cannot_be_copied_is_said_and_leaves_nothing(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = settings.database_url
    with pytest.raises(CollectorError, match="for PostgreSQL run pg_dump"):
        backups.backup("postgresql://nobody@localhost/none", folder, NOW)
    with pytest.raises(CollectorError, match="there is no store at"):
        backups.backup(f"sqlite:///{folder / 'none.db'}", folder, NOW)
    with pytest.raises(CollectorError, match="there is no folder"):
        backups.backup(url, folder / "none" / "a.db", NOW)
    with pytest.raises(CollectorError, match="--keep counts the copies in a folder"):
        backups.backup(url, folder / "a.db", NOW, keep=2)
    (folder / "odd.db").write_bytes(b"no database, " * 400)
    with pytest.raises(CollectorError, match="not a database"):
        backups.backup(f"sqlite:///{folder / 'odd.db'}", folder / "a.db", NOW)
    monkeypatch.setattr(backups, "LEAST_SPACE", 1 << 62)
    with pytest.raises(CollectorError, match="too little room"):
        backups.backup(url, folder / "a.db", NOW)
    assert [file.name for file in folder.iterdir()] == ["odd.db"]


def test_two_copies_are_not_made_in_one_folder_at_once(settings: Settings, folder: Path) -> None:
    with (
        backups._sole_in(folder),
        pytest.raises(CollectorError, match="another copy is being made"),
    ):
        backups.backup(settings.database_url, folder, NOW)


def test_a_copy_that_is_not_what_it_was_is_found_out(settings: Settings, folder: Path) -> None:
    copy, _ = backups.backup(settings.database_url, folder / "a.db", NOW)
    whole = copy.read_bytes()
    assert backups.verify(copy, settings)["rows"]["callbacks"] == 20
    with closing(sqlite_module().connect(copy)) as connection:
        connection.execute("UPDATE callbacks SET channel = 'voice' WHERE callback_id = 7")
        connection.commit()
    with pytest.raises(CollectorError, match="digest is"):
        backups.verify(copy, settings)
    with closing(sqlite_module().connect(copy)) as connection:
        connection.execute("DELETE FROM verifications")
        connection.commit()
    with pytest.raises(CollectorError, match="rows is"):
        backups.verify(copy, settings)
    # Bytes in the middle, as a disk would lose them.
    copy.write_bytes(whole[:8_192] + b"\xa5" * 4_096 + whole[12_288:])
    with pytest.raises(CollectorError, match=r"is damaged|cannot be read"):
        backups.verify(copy, settings)
    copy.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CollectorError, match=r"is damaged|cannot be read"):
        backups.verify(copy, settings)
    copy.write_bytes(whole)
    note = folder / "a.db.json"
    for text, said in (("[]", "does not say"), ("{", "does not say"), ("{}", "schema is 0001 and not None")):
        note.write_text(text)
        with pytest.raises(CollectorError, match=said):
            backups.verify(copy, settings)
    note.unlink()
    with pytest.raises(CollectorError, match="is missing"):
        backups.verify(copy, settings)


def test_damage_to_any_page_of_a_copy_is_found_also_where_no_row_is(settings: Settings, folder: Path) -> None:
    copy, _ = backups.backup(settings.database_url, folder / "a.db", NOW)
    whole = copy.read_bytes()
    for start in range(0, len(whole), 4_096):
        # The end of a page: in an index, entries that no row is read through.
        copy.write_bytes(whole[: start + 3_900] + bytes(octet ^ 0x55 for octet in whole[start + 3_900 : start + 4_096])
                         + whole[start + 4_096 :])  # fmt: skip
        with pytest.raises(CollectorError, match=r"is damaged|cannot be read|does not hold"):
            backups.verify(copy, settings)
    copy.write_bytes(whole)
    backups.verify(copy, settings)


def test_a_copy_takes_the_place_of_a_lost_store(settings: Settings, folder: Path, tmp_path: Path) -> None:
    copy, _ = backups.backup(settings.database_url, folder, NOW)
    before = rows_of(settings.database_url)
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    place, found = backups.restore(copy, settings)
    assert (place, found["rows"]["callbacks"]) == (tmp_path / "store.db", 20)
    assert rows_of(settings.database_url) == before
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    # A key is not used twice after it, either, and a retry is known as one.
    assert fill(settings, line("s-new", 100))["accepted"] == 1
    assert copy.exists()


@pytest.mark.parametrize("there", ["store.db", "store.db-wal", "store.db-shm", "store.db-journal"])
def test_a_store_or_the_log_of_one_is_never_overwritten(
    settings: Settings, folder: Path, tmp_path: Path, there: str
) -> None:
    copy, _ = backups.backup(settings.database_url, folder, NOW)
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    (tmp_path / there).write_text("mine")
    with pytest.raises(CollectorError, match="overwrites nothing"):
        backups.restore(copy, settings)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == [there]


def test_a_store_that_comes_while_it_is_restored_is_not_overwritten(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    copy, _ = backups.backup(settings.database_url, folder, NOW)
    place = tmp_path / "store.db"
    for file in tmp_path.glob("store.db*"):
        file.unlink()

    def told(what: str) -> None:
        if what.startswith("copying it"):
            place.write_text("mine")

    with pytest.raises(CollectorError, match="overwrites nothing"):
        backups.restore(copy, settings, told)
    assert place.read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["store.db"]


def test_a_copy_without_its_pepper_is_refused_and_so_is_a_store_that_was_restored(
    make_collector: Callable[..., CollectorProcess], tmp_path: Path
) -> None:
    lost = make_collector("lost").start()
    lost.post(lost.provider.fields("a"))
    copy = tmp_path / "a.db"
    made = lost.run("backup", str(copy))
    assert made.returncode == 0, made.stderr
    assert b"keep COLLECTOR_PEPPER apart" in made.stdout
    wrong = make_collector("wrong", COLLECTOR_PEPPER=NEWER)
    for words in (("--verify",), ()):
        refused = wrong.run("restore", str(copy), *words)
        assert (refused.returncode, b"COLLECTOR_PEPPER lacks the pepper" in refused.stderr) == (2, True)
    assert not wrong.store.exists()
    right = make_collector("right")
    assert b"the copy is whole, and the peppers fit" in right.run("restore", str(copy), "--verify").stdout
    assert not right.store.exists()
    assert right.run("restore", str(copy)).returncode == 0
    right.provider = lost.provider  # whose nonces go on
    assert right.start().post(right.provider.fields("b")).status == 200
    assert right.rows("SELECT session_id FROM callbacks") == [("a",), ("b",)]
    served = right.run("restore", str(copy))
    assert (served.returncode, b"another collector serves" in served.stderr) == (2, True)
    right.end()
    right.env_file.write_text(right.env_file.read_text().replace(PEPPER, NEWER))
    assert b"lacks the pepper" in right.run("serve").stderr


def test_a_copy_that_is_killed_at_any_moment_leaves_no_name_that_is_not_whole(
    make_collector: Callable[..., CollectorProcess], folder: Path
) -> None:
    collector = make_collector()
    settings = settings_for(f"sqlite:///{collector.store}")
    fill(settings, *(line(f"s-{n}", n / 10, Channel="x" * 200) for n in range(3_000)))
    for delay in (0.0, 0.1, 0.25):
        process = subprocess.Popen(
            collector.command("backup", str(folder)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        process.stderr.readline()  # it has begun to copy
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        for copy in folder.glob("store-*.db"):
            assert backups.verify(copy, settings)["rows"]["callbacks"] == 3_000
    for copy in folder.glob("store-*.db"):
        copy.unlink()
    ran = collector.run("backup", str(folder))
    assert ran.returncode == 0, ran.stderr
    assert sorted(file.suffix for file in folder.iterdir()) == [".db", ".json"]


def test_a_restore_that_is_killed_at_the_last_moment_leaves_no_second_name_of_the_store_that_is_served(
    make_collector: Callable[..., CollectorProcess], tmp_path: Path
) -> None:
    collector = make_collector()
    settings = settings_for(f"sqlite:///{collector.store}")
    fill(settings, line("a", 0))
    copy, _ = backups.backup(settings.database_url, tmp_path / "a.db", NOW)
    for file in collector.store.parent.glob(f"{collector.store.name}*"):
        file.unlink()
    # SIGKILL as soon as the store has its name.
    kills = (
        "import os, signal, sys; from collector.__main__ import main; link = os.link;"
        "os.link = lambda *names: (link(*names), os.kill(os.getpid(), signal.SIGKILL)); main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", kills, *collector.command("restore", str(copy))[3:]]
    ran = subprocess.run(command, capture_output=True, env=clean_environment(), check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    left = collector.store.with_name(f".{collector.store.name}.partial")
    assert (collector.store.stat().st_nlink, left.samefile(collector.store)) == (2, True)
    collector.start()
    assert (collector.store.stat().st_nlink, left.exists()) == (1, False)
    assert collector.rows("SELECT session_id FROM callbacks") == [("a",)]


def test_what_a_restore_that_was_killed_has_left_is_not_in_the_way_of_the_next(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    copy, _ = backups.backup(settings.database_url, folder, NOW)
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    (tmp_path / ".store.db.partial").write_bytes(b"\xff" * 10_000_000)
    place, _ = backups.restore(copy, settings)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["store.db"]
    assert place.read_bytes() == copy.read_bytes()
