"""Whole days go from the archive when they are old enough; nothing goes from the store that no archive has."""

from pathlib import Path

import pytest

from collector.archive.removing import remove_days
from collector.errors import CollectorError
from collector.pruning import prune
from collector.settings import Settings
from tests.collector.archive.tools import (
    DAY,
    NOON,
    Copied,
    CrashError,
    crash,
    in_archive,
    in_store,
    manifest,
    named,
    sealed,
    three_days,
)
from tests.collector.records import BOTH, fill, line, moment

SECOND_NOON = moment(1.5 * DAY)
"""Midnight after 2026-09-02."""


@pytest.fixture
def settings(database_url: str, root: Path, copied: Copied) -> Settings:
    """Settings of a store with one day, and of an archive with two."""
    return copied(one_day_and_two, database_url, root)


def one_day_and_two(database_url: str, root: Path) -> Settings:
    made = three_days(database_url, root)
    sealed(made, root)
    return made


def pruned(settings: Settings, root: Path, before: int, *, is_meant: bool = True) -> tuple[dict[str, int], list[str]]:
    told: list[str] = []
    removed = prune(
        settings.database_url, before=before, quarantine_before=0, is_meant=is_meant, archive=root, told=told.append
    )
    return dict(removed), told


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_day_that_ended_before_the_moment_goes_with_all_its_parts(settings: Settings, root: Path) -> None:
    stored = in_store(settings)
    (root / "callbacks" / NOON[0] / "notes.txt").write_text("somebody's own")
    removed, told = pruned(settings, root, moment(DAY))
    assert removed == {"callbacks": 3, "verifications": 1, "pulse": 3}
    assert told == ["1 days are gone from the archive"]
    assert {name.split("/")[1] for name in named(root)} == {NOON[1]}
    assert sorted(manifest(root)["parts"]) == named(root)
    # What is not ours stays, and a folder that is empty goes.
    assert (root / "callbacks" / NOON[0]).exists()
    assert not (root / "pulse" / NOON[0]).exists()
    assert in_store(settings) == stored


def test_a_day_that_has_not_quite_ended_stays(settings: Settings, root: Path) -> None:
    assert pruned(settings, root, SECOND_NOON - 1)[0]["callbacks"] == 3
    assert pruned(settings, root, SECOND_NOON)[0]["callbacks"] == 3
    assert named(root) == []


def test_what_no_archive_has_stays_in_the_store_however_old_it_is_and_is_said(settings: Settings, root: Path) -> None:
    fill(settings, line("late", 300))
    stored = in_store(settings)
    removed, told = pruned(settings, root, moment(DAY))
    assert removed["callbacks"] == 3
    assert told[0] == "1 callbacks older than that are in the store and no archive has them: run `collector archive`"
    assert in_store(settings) == stored
    sealed(settings, root)
    assert pruned(settings, root, moment(DAY))[0]["callbacks"] == 1


def test_a_dry_run_counts_and_removes_nothing(settings: Settings, root: Path) -> None:
    before, archived = manifest(root), in_archive(root)
    assert pruned(settings, root, moment(DAY), is_meant=False)[0]["callbacks"] == 3
    assert (manifest(root), in_archive(root)) == (before, archived)


def test_without_an_age_the_archive_is_not_even_opened(settings: Settings, tmp_path: Path) -> None:
    url = settings.database_url
    assert prune(url, before=None, quarantine_before=0, is_meant=True, archive=tmp_path / "none").total() == 0
    with pytest.raises(CollectorError, match="there is no folder"):
        prune(url, before=0, quarantine_before=0, is_meant=True, archive=tmp_path / "none")


@pytest.mark.parametrize("number", range(1, 6))
def test_after_a_crash_at_any_step_the_next_command_finishes_it_and_no_part_is_taken_for_lost(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with crash(monkeypatch, number) as (step, seen), pytest.raises(CrashError):
        remove_days(root, moment(DAY), is_meant=True, step=step)
    assert seen == ["announced", "removed", "removed", "removed", "listed"][:number]
    sealed(settings, root)
    assert {name.split("/")[1] for name in named(root)} == {NOON[1]}
    assert set(manifest(root)) == {"archive_version", "parts"}
    assert sorted(manifest(root)["parts"]) == named(root)
