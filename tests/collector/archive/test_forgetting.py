"""Who asks to be forgotten is forgotten in the archive as well: in every part, and in what was made from the parts."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from collector import erasure, store
from collector.archive import checking, forgetting
from collector.archive.folder import Archive
from collector.erasure import erase
from collector.errors import CollectorError
from collector.keys import keys_of
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
)
from tests.collector.conftest import NUMBER, PEPPER
from tests.collector.records import BOTH, NEWER, OTHER_NUMBER, column, fill, line, moment, report, settings_for

ALL = [pytest.param("sqlite"), pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.full])]
THEIRS = {"theirs", "shared"}


@pytest.fixture
def settings(database_url: str, root: Path, copied: Copied) -> Settings:
    """Settings of a store and an archive with a person in them, made once where that is quicker."""
    return copied(two_people, database_url, root)


def two_people(database_url: str, root: Path) -> Settings:
    """Make a store and an archive in which one person is everywhere, and another one too.

    ``mine`` is theirs alone, and goes on today in the store; ``alone`` is in a part of its own; ``shared`` is both's,
    by a row of the other that is only in the store; ``pepper`` is under their newer key.
    """
    old = settings_for(database_url)
    fill(
        old,
        line("mine", 0),
        line("mine", 1, Recipient=""),
        line("shared", 2),
        line("shared", 3, Recipient=""),
        line("theirs", 4, Recipient=OTHER_NUMBER),
        line("alone", DAY),
    )
    made = settings_for(database_url, PEPPER, NEWER)
    fill(made, line("pepper", 20), line("pepper", 21, Recipient=""))
    for number, session in enumerate(("mine", "shared", "theirs", "pepper", "alone")):
        report(made, session, number)
    sealed(made, root)
    fill(
        made,
        line("mine", 2 * DAY, Recipient=""),
        line("shared", 2 * DAY + 1, Recipient=OTHER_NUMBER),
        line("today", 2 * DAY + 2),
    )
    report(made, "mine", 2 * DAY)
    return with_archive(made, root)


def with_archive(settings: Settings, root: Path) -> Settings:
    return Settings(**{**vars(settings), "archive": root})


def sessions(settings: Settings, root: Path) -> dict[str, int]:
    """How many callbacks are left of each session, wherever they are."""
    rows = in_store(settings)["callbacks"] + in_archive(root)["callbacks"]
    found: dict[str, int] = {}
    for row in rows.elements():
        found[row[3]] = found.get(row[3], 0) + 1
    return found


def reports(settings: Settings, root: Path) -> set[str]:
    return {row[0] for row in in_store(settings)["verifications"] + in_archive(root)["verifications"]}


def is_consistent(root: Path) -> bool:
    said = manifest(root)
    return set(said) == {"archive_version", "parts"} and sorted(said["parts"]) == named(root)


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_everything_about_a_person_goes_from_store_and_archive_and_everybody_elses_stays(
    settings: Settings, root: Path
) -> None:
    (root / "states").mkdir()
    (root / "states" / "day=2026-09-01.parquet").write_text("made from the parts")
    untouched = (root / "pulse" / NOON[0] / "part-0001.parquet").read_bytes()
    found, left = erase(settings, [NUMBER], [], is_meant=True)
    assert dict(found.table()) == {
        "callbacks": "2",
        "verifications": "1",
        "quarantine": "0",
        "in the archive": "6 callbacks, 3 verifications, in 3 parts",
    }
    assert sessions(settings, root) == {"theirs": 1, "shared": 2}
    assert reports(settings, root) == THEIRS
    assert not (root / "states").exists()
    assert is_consistent(root)
    # A part of which nothing was left is gone.
    assert [name for name in named(root) if name.startswith("callbacks")] == [f"callbacks/{NOON[0]}/part-0001.parquet"]
    assert (root / "pulse" / NOON[0] / "part-0001.parquet").read_bytes() == untouched
    assert checking.verify(root, lambda _: None)[1] == []
    if settings.database_url.startswith("sqlite"):
        assert left == "the store's files and the archive hold no trace of it; backups made before still do"
    again, _ = erase(settings, [NUMBER], [], is_meant=True)
    assert dict(again.table())["in the archive"] == "0 callbacks, 0 verifications, in 0 parts"


def test_no_part_holds_a_key_of_theirs_afterwards(settings: Settings, root: Path) -> None:
    def keys_in_archive() -> set[str]:
        return {row[11] for row in in_archive(root)["callbacks"]}

    theirs = set(keys_of(NUMBER, settings.peppers))
    assert theirs <= keys_in_archive()
    erase(settings, [NUMBER], [], is_meant=True)
    assert theirs & keys_in_archive() == set()
    assert keys_in_archive() - {None} == {keys_of(OTHER_NUMBER, settings.peppers)[1]}


def test_without_being_meant_it_counts_and_changes_nothing(settings: Settings, root: Path) -> None:
    (root / "states").mkdir()
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    found, left = erase(settings, [NUMBER], [], is_meant=False)
    assert dict(found.table())["in the archive"] == "6 callbacks, 3 verifications, in 3 parts"
    assert left == ""
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == files
    assert (root / "states").exists()


def test_a_session_that_is_somebody_elses_only_in_the_archive_keeps_what_names_nobody(
    database_url: str, root: Path
) -> None:
    settings = settings_for(database_url)
    fill(settings, line("shared", 0, Recipient=OTHER_NUMBER))
    sealed(settings, root)
    fill(settings, line("shared", 2 * DAY), line("shared", 2 * DAY + 1, Recipient=""))
    report(settings, "shared", 2 * DAY)
    erase(with_archive(settings, root), [NUMBER], [], is_meant=True)
    assert sessions(settings, root) == {"shared": 2}
    assert reports(settings, root) == {"shared"}


# Every step of an erasure; a few of them by default.
CRASHES = [
    pytest.param(number, marks=[] if number in {1, 4, 9, 11, 14, 17, 19} else [pytest.mark.full])
    for number in range(1, 22)
]


@contextmanager
def stepping(monkeypatch: pytest.MonkeyPatch, step: Callable[[str], None]) -> Iterator[None]:
    """Have the archive call a hook at each step, while `erase` works on it."""

    def opened(root: Path, keys: Collection[str], told: Callable[[str], None]) -> Any:
        return forgetting.forgetting(root, keys, told, step)

    with monkeypatch.context() as patched:
        patched.setattr(erasure, "forgetting", opened)
        yield


def test_the_last_step_of_an_erasure_is_the_one_that_is_tried_last(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "states").mkdir()
    seen: list[str] = []
    with stepping(monkeypatch, seen.append):
        erase(settings, [NUMBER], [], is_meant=True)
    assert (len(seen), seen[-1]) == (len(CRASHES), "states hidden")


@pytest.mark.parametrize("database_url", ALL, indirect=True)
@pytest.mark.parametrize("number", CRASHES)
def test_an_erasure_that_ended_at_any_step_finds_the_rest_when_it_is_run_again(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (root / "states").mkdir()
    with crash(monkeypatch, number) as (step, seen), pytest.raises(CrashError), stepping(monkeypatch, step):
        erase(settings, [NUMBER], [], is_meant=True)
    assert len(seen) == number
    # Nobody else has lost anything, and what a reader sees is whole parts.
    now = sessions(settings, root)
    assert (now["theirs"], now["shared"]) >= (1, 2)
    erase(settings, [NUMBER], [], is_meant=True)
    assert sessions(settings, root) == {"theirs": 1, "shared": 2}
    assert reports(settings, root) == THEIRS
    assert not (root / "states").exists()
    assert is_consistent(root)
    assert list(root.rglob(".*")) == []


def test_a_run_of_the_archive_finishes_what_an_erasure_had_announced(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with crash(monkeypatch, 4) as (step, seen), pytest.raises(CrashError), stepping(monkeypatch, step):
        erase(settings, [NUMBER], [], is_meant=True)
    # The part has its new bytes, and the manifest those of before.
    assert seen == ["written", "read back", "announced", "shown"]
    sealed(settings, root)
    assert is_consistent(root)
    assert checking.verify(root, lambda _: None)[1] == []


def test_a_damaged_part_stops_the_erasure_and_is_named(settings: Settings, root: Path) -> None:
    part = root / "callbacks" / NOON[0] / "part-0001.parquet"
    whole = part.read_bytes()
    octets = bytearray(whole)
    octets[len(octets) // 3] ^= 1
    part.write_bytes(octets)
    with pytest.raises(CollectorError, match=r"part-0001.parquet (is damaged|is not the part|does not hold)"):
        erase(settings, [NUMBER], [], is_meant=True)
    assert part.read_bytes() == octets
    # Whole as Parquet, but not what was written down.
    part.write_bytes(whole)
    pq.write_table(pq.read_table(part, partitioning=None), part)
    with pytest.raises(CollectorError, match=r"part-0001.parquet is not the part that the manifest describes"):
        erase(settings, [NUMBER], [], is_meant=True)


def test_an_archive_that_is_not_there_is_not_taken_for_an_empty_one(settings: Settings, root: Path) -> None:
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(CollectorError, match=r"there is no folder .* for the archive"):
        erase(settings, [NUMBER], [], is_meant=True)
    assert "today" in column(settings.database_url, store.callbacks.c.session_id)


def test_a_part_is_replaced_under_its_own_name_and_is_never_missing(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = root / "callbacks" / NOON[0] / "part-0001.parquet"
    real: Callable[..., None] = Archive.show
    rows = []

    def show(self: Archive, *arguments: object) -> None:
        rows.append(pq.read_metadata(part).num_rows)
        real(self, *arguments)
        rows.append(pq.read_metadata(part).num_rows)

    monkeypatch.setattr(Archive, "show", show)
    erase(settings, [NUMBER], [], is_meant=True)
    assert rows == [7, 7, 7, 5, 5, 2]


def test_what_comes_in_again_afterwards_does_not_meet_an_old_name(settings: Settings, root: Path) -> None:
    erase(settings, [NUMBER], [], is_meant=True)
    fill(settings, line("again", DAY))
    sealed(settings, root)
    assert sessions(settings, root)["again"] == 1
    assert moment(DAY) in {row[1] for row in in_archive(root)["callbacks"]}
