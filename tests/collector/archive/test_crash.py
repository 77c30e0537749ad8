"""A run may end at any step: whoever reads the store and then the archive misses nothing, and the next run finishes."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from collector.archive import sealing
from collector.archive.source import Source
from collector.settings import Settings
from tests.collector.archive.tools import (
    AFTER,
    NOON,
    Copied,
    CrashError,
    both,
    crash,
    in_archive,
    in_store,
    leave_closed,
    manifest,
    other_rows,
    plain_row,
    sealed,
    three_days,
)
from tests.collector.conftest import clean_environment
from tests.collector.records import BOTH, settings_for

STEPS = ["written", "read back", "shown", "listed", "deleting", "deleted"]
ALL = [pytest.param("sqlite"), pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.full])]


@pytest.fixture
def settings(database_url: str, root: Path, copied: Copied) -> Settings:
    """Settings of a store with rows of three days."""
    return copied(three_days, database_url, root)


def test_the_steps_come_in_the_order_in_which_nothing_can_be_lost(settings: Settings, root: Path) -> None:
    seen: list[str] = []
    sealed(settings, root, step=seen.append)
    assert seen == STEPS * 6


def test_each_name_is_given_to_what_is_on_the_disk_and_is_on_the_disk_before_the_next_step(
    database_url: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(database_url)
    other_rows(settings, [plain_row(1, 0)])
    seen: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def flushed(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_relative_to(root):
            seen.append(f"flush {path.name}")

    def renamed(self: Path, target: Path) -> Path:
        seen.append(f"name {target.name}")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", flushed)
        patched.setattr(Path, "rename", renamed)
        sealed(settings, root, step=seen.append)
    assert seen == [
        # The new folders, each in the one above it.
        *("flush archive", "flush callbacks"),
        *("flush .part-0001.parquet.partial", "written", "read back"),
        *("name part-0001.parquet", f"flush {NOON[0]}", "shown"),
        *("flush .manifest.json.partial", "name manifest.json", "flush archive", "listed"),
        *("deleting", "deleted"),
    ]


@pytest.mark.parametrize("database_url", ALL, indirect=True)
@pytest.mark.parametrize("number", [*range(1, 7), 27, *(pytest.param(n, marks=pytest.mark.full) for n in (7, 14, 36))])
def test_after_a_crash_at_this_step_nothing_is_missing_and_the_next_run_leaves_every_row_once(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = in_store(settings)
    with crash(monkeypatch, number) as (step, seen), pytest.raises(CrashError):
        sealed(settings, root, step=step)
    assert len(seen) == number
    assert both(settings, root) == before
    sealed(settings, root)
    leave_closed(settings, root, before)


@pytest.mark.full
@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_after_a_crash_at_every_step_of_every_next_run_it_ends_with_every_row_once(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = in_store(settings)
    for number in [*range(1, 12), 1, 1, 2, 2, 3, 3]:
        with crash(monkeypatch, number) as (step, _), suppress(CrashError):
            sealed(settings, root, step=step)
        assert both(settings, root) == before
    sealed(settings, root)
    leave_closed(settings, root, before)


def test_a_crash_between_two_turns_of_deleting_leaves_the_rest_to_the_next_run(
    database_url: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(database_url)
    other_rows(settings, [plain_row(number, number) for number in range(1_000)])
    before = in_store(settings)
    with crash(monkeypatch, 6) as (step, seen), pytest.raises(CrashError):
        sealed(settings, root, step=step)
    assert seen == ["written", "read back", "shown", "listed", "deleting", "deleting"]
    assert sum(in_store(settings)["callbacks"].values()) == 400
    assert both(settings, root) == before
    digest = manifest(root)
    done = sealed(settings, root)
    assert (done.parts, done.left["callbacks"]) == (0, 400)
    assert manifest(root) == digest
    leave_closed(settings, root, before)


KILLED = """
import os, sys
from contextlib import suppress
from pathlib import Path
from collector.archive import sealing
url, root, now, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
count = 0
def step(name):
    global count
    count += 1
    if count == last:
        os._exit(9)
sealing.archive(url, root, now, step=step)
"""


@pytest.mark.parametrize("database_url", ALL, indirect=True)
@pytest.mark.parametrize("number", [3, *(pytest.param(n, marks=pytest.mark.full) for n in (1, 2, 4, 5, 6, 9, 15, 33))])
def test_a_process_that_is_gone_at_this_step_leaves_what_the_next_one_finishes(
    settings: Settings, root: Path, number: int
) -> None:
    before = in_store(settings)
    root.mkdir()
    words = [settings.database_url, str(root), str(AFTER), str(number)]
    ran = subprocess.run([sys.executable, "-c", KILLED, *words], env=clean_environment(), check=False, timeout=60)
    assert ran.returncode == 9
    assert both(settings, root) == before
    sealed(settings, root)
    leave_closed(settings, root, before)


def test_a_reader_who_takes_the_store_first_misses_nothing_at_any_step(settings: Settings, root: Path) -> None:
    before = in_store(settings)
    root.mkdir()
    stored = [before]

    def step(name: str) -> None:
        # What was read at the step before, with the parts of now.
        archived = in_archive(root)
        assert {table: stored[0][table] | archived[table] for table in before} == before, name
        assert all(count == 1 for rows in archived.values() for count in rows.values()), name
        stored[0] = in_store(settings)

    sealed(settings, root, step=step)
    leave_closed(settings, root, before)


def test_deleting_before_a_part_is_shown_is_what_these_tests_would_catch(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with the deletion first, a crash loses rows, and the comparison says so."""
    before = in_store(settings)
    real: Callable[..., None] = sealing._Run._part

    def early(self: sealing._Run, chosen: sealing._Chosen, day: int, source: Source, keys: list[int]) -> None:
        self._delete(chosen.kind, keys)
        real(self, chosen, day, source, keys)

    monkeypatch.setattr(sealing._Run, "_part", early)
    with crash(monkeypatch, 2) as (step, _), pytest.raises(CrashError):
        sealed(settings, root, step=step)
    assert both(settings, root) != before


def test_an_interruption_by_the_keyboard_leaves_no_file_that_is_not_whole(settings: Settings, root: Path) -> None:
    before = in_store(settings)

    def step(name: str) -> None:
        if name == "written":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sealed(settings, root, step=step)
    assert [path for path in root.rglob("*") if path.is_file()] == []
    assert in_store(settings) == before
