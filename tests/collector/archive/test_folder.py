"""What is damaged, foreign, half-written or somebody else's in an archive is named, and nothing is deleted."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.archive import checking, parts, sealing
from collector.archive.kinds import CALLBACKS
from collector.archive.parts import Content, schema_of, table_of
from collector.errors import CollectorError
from collector.settings import Settings
from tests.collector.archive.tools import (
    DAY,
    NOON,
    Copied,
    in_store,
    leave_closed,
    manifest,
    named,
    other_rows,
    plain_row,
    sealed,
    three_days,
)
from tests.collector.records import fill, line, settings_for

FIRST = f"callbacks/{NOON[0]}/part-0001.parquet"


def archived(database_url: str, root: Path) -> Settings:
    """Make an archive of two days, and a store with the third and with a late callback of the first."""
    settings = three_days(database_url, root)
    sealed(settings, root)
    fill(settings, line("late", 300))
    return settings


@pytest.fixture
def settings(database_url: str, root: Path, copied: Copied) -> Settings:
    """Settings of a store with a late callback, and of the archive of its day."""
    return copied(archived, database_url, root)


def refused(settings: Settings, root: Path, match: str) -> None:
    """Look at a run that is refused and leaves store and manifest as they were."""
    before, said = in_store(settings), (root / "manifest.json").read_bytes()
    with pytest.raises(CollectorError, match=match):
        sealed(settings, root)
    assert in_store(settings) == before
    assert (root / "manifest.json").read_bytes() == said


def test_one_command_at_a_time_works_in_a_folder(settings: Settings, root: Path) -> None:
    descriptor = os.open(root, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    refused(settings, root, r"another command works on the archive .*: wait for it")
    with pytest.raises(CollectorError, match="another command works"):
        checking.verify(root, lambda _: None)
    os.close(descriptor)
    assert sealed(settings, root).rows["callbacks"] == 1


def test_a_folder_that_is_not_there_is_not_made(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match=r"there is no folder .*none for the archive: make it first"):
        sealing.archive(settings.database_url, tmp_path / "none", 0)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_damage_anywhere_in_a_part_is_found_and_nothing_is_deleted_on_its_word(
    settings: Settings, root: Path, share: float
) -> None:
    octets = bytearray((root / FIRST).read_bytes())
    octets[int(len(octets) * share)] ^= 0xFF
    (root / FIRST).write_bytes(octets)
    (problem,) = checking.verify(root, lambda _: None)[1]
    assert FIRST in problem
    assert "bring it back from a copy" in problem


def test_rows_that_a_damaged_part_seems_to_have_stay_in_the_store(database_url: str, root: Path) -> None:
    settings = settings_for(database_url)
    lines = [line(f"s-{number}", number) for number in range(3)]
    fill(settings, *lines)
    sealed(settings, root)
    # Whole as Parquet, with the same arrivals; but not what was written down.
    table = pq.read_table(root / FIRST, partitioning=None)
    pq.write_table(table.set_column(2, schema_of(CALLBACKS).field(2), pa.array(["other"] * 3)), root / FIRST)
    fill(settings, *lines)
    refused(settings, root, r"part-0001.parquet is not the part that the manifest describes: bring it back")


def test_a_part_of_which_the_end_is_missing_is_named(settings: Settings, root: Path) -> None:
    (root / FIRST).write_bytes((root / FIRST).read_bytes()[:-20])
    refused(settings, root, r"part-0001.parquet is damaged \(.*\): bring it back from a copy")


def test_a_part_that_is_gone_is_named(settings: Settings, root: Path) -> None:
    (root / FIRST).unlink()
    refused(settings, root, f"names {FIRST}, which is not there")
    assert "not there" in checking.verify(root, lambda _: None)[1][0]


def test_a_part_without_a_line_in_the_manifest_is_read_back_and_written_down(settings: Settings, root: Path) -> None:
    before = manifest(root)
    less = {**before, "parts": {name: entry for name, entry in before["parts"].items() if name != FIRST}}
    (root / "manifest.json").write_text(json.dumps(less))
    assert checking.verify(root, lambda _: None)[1] == [f"{root / FIRST} is not in manifest.json"]
    told: list[str] = []
    sealed(settings, root, told=told.append)
    assert told[0] == f"{FIRST}, of a run that was cut off, is read back and written down"
    assert before["parts"].items() < manifest(root)["parts"].items()


def test_without_a_manifest_every_part_is_read_back_and_written_down(settings: Settings, root: Path) -> None:
    before = manifest(root)
    (root / "manifest.json").unlink()
    sealed(settings, root)
    assert before["parts"].items() < manifest(root)["parts"].items()


def test_a_damaged_part_without_a_line_is_not_written_down(settings: Settings, root: Path) -> None:
    part = root / f"callbacks/{NOON[0]}/part-0007.parquet"
    table = pq.read_table(root / FIRST, partitioning=None)
    with parts.Draft(CALLBACKS, part) as draft:
        draft.add(table.set_column(0, schema_of(CALLBACKS).field(0), pa.array(["x", "y", "z"])))
    octets = part.read_bytes().replace(draft.content.encode(), b"0" * 64)
    part.write_bytes(octets)
    refused(settings, root, r"part-0007.parquet does not hold the rows it was written with")


@pytest.mark.parametrize("name", ["x.parquet", f"{NOON[0]}/deep/x.parquet", "day=1/x.parquet"])
def test_a_file_where_no_part_belongs_is_named_because_readers_would_take_it_in(
    settings: Settings, root: Path, name: str
) -> None:
    (root / "callbacks" / name).parent.mkdir(exist_ok=True)
    (root / "callbacks" / name).write_bytes(b"")
    refused(settings, root, r"x.parquet lies where no part of the archive belongs")
    assert "where no part" in checking.verify(root, lambda _: None)[1][0]


def test_a_foreign_table_among_the_parts_is_named(settings: Settings, root: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), root / "callbacks" / NOON[0] / "x.parquet")
    refused(settings, root, r"x.parquet has other columns than a part of the archive has")


def test_a_file_that_is_no_parquet_among_the_parts_is_named(settings: Settings, root: Path) -> None:
    (root / "callbacks" / NOON[0] / "x.parquet").write_bytes(b"hello")
    refused(settings, root, r"x.parquet is damaged")


def test_a_part_in_the_folder_of_another_day_is_named(settings: Settings, root: Path) -> None:
    shutil.copy(root / FIRST, root / "callbacks" / NOON[1] / "part-0009.parquet")
    refused(settings, root, r"part-0009.parquet holds rows of another day than its folder says")


@pytest.mark.parametrize("table", ["callbacks", "verifications", "pulse"])
def test_a_second_copy_of_a_part_is_named_because_its_rows_would_be_there_twice(
    settings: Settings, root: Path, table: str
) -> None:
    folder = root / table / NOON[0]
    shutil.copy(folder / "part-0001.parquet", folder / "copy.parquet")
    refused(
        settings, root, rf"copy.parquet is not in the manifest and holds rows that {table}/.*/part-0001.parquet has"
    )


def test_other_files_in_the_folder_are_nobodys_business(settings: Settings, root: Path) -> None:
    (root / "README").write_text("ours")
    (root / "callbacks" / NOON[0] / "notes.txt").write_text("ours")
    sealed(settings, root)
    assert (root / "README").read_text() == (root / "callbacks" / NOON[0] / "notes.txt").read_text() == "ours"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is no manifest of an archive"),
        ("[]", "is no manifest of an archive"),
        ('{"archive_version": 2, "parts": {}}', r"is of version 2, this release works with 1"),
        ('{"archive_version": 1, "parts": {"../x.parquet": {"rows": 1, "digest": ""}}}', "names what no part can be"),
        (
            '{"archive_version": 1, "parts": {}, "leaving": ["/etc/day=2026-09-01/x.parquet"]}',
            "names what no part can be",
        ),
        ('{"archive_version": 1, "parts": {"callbacks/day=2026-09-01/x.parquet": 1}}', "names what no part can be"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(settings: Settings, root: Path, text: str, match: str) -> None:
    (root / "manifest.json").write_text(text)
    refused(settings, root, match)


def test_what_a_run_that_was_cut_off_left_is_gone_and_no_reader_would_have_seen_it(
    settings: Settings, root: Path
) -> None:
    left = [root / "callbacks" / NOON[0] / ".part-0002.parquet.partial", root / ".manifest.json.partial"]
    for file in left:
        file.write_bytes(b"half")
    assert len(named(root)) == 6
    sealed(settings, root)
    assert [file for file in left if file.exists()] == []


@pytest.mark.parametrize(("mode", "of_file"), [(0o700, 0o600), (0o2750, 0o640), (0o755, 0o644)])
def test_who_may_read_the_folder_may_read_the_parts(
    database_url: str, root: Path, copied: Copied, mode: int, of_file: int
) -> None:
    settings = copied(three_days, database_url, root)
    root.mkdir()
    root.chmod(mode)
    before = os.umask(0o077)
    sealed(settings, root)
    os.umask(before)
    for path in root.rglob("*"):
        assert path.stat().st_mode & 0o7777 == (mode if path.is_dir() else of_file), path


@pytest.fixture
def small_disk(root: Path) -> Iterator[Path]:
    """Mount a disk of 64 KB where the archive goes; only root may."""
    root.mkdir()
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(root)]
    mounted = subprocess.run(words, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield root
    subprocess.run(["umount", "--lazy", root], check=True)


def test_a_disk_that_is_full_is_said_and_the_next_run_begins_anew(database_url: str, small_disk: Path) -> None:
    settings = settings_for(database_url)
    other_rows(settings, [plain_row(number, number, digest=os.urandom(200).hex()) for number in range(1_000)])
    before = in_store(settings)
    with pytest.raises(OSError, match="No space left") as caught:
        sealed(settings, small_disk)
    assert caught.value.errno == errno.ENOSPC
    assert in_store(settings) == before
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    sealed(settings, small_disk)
    leave_closed(settings, small_disk, before)


def test_a_disk_that_gives_back_other_bytes_deletes_nothing(
    database_url: str, root: Path, copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(three_days, database_url, root)
    before = in_store(settings)
    monkeypatch.setattr(Content, "add", lambda self, table: self._sum.update(os.urandom(1)))
    with pytest.raises(CollectorError, match=r"does not (read back|hold the rows)"):
        sealed(settings, root)
    assert in_store(settings) == before
    assert named(root) == []


def test_a_part_that_has_other_rows_than_were_read_from_the_store_is_not_shown(
    database_url: str, root: Path, copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(three_days, database_url, root)
    before = in_store(settings)
    for other in ({"rows": 2}, {"content": "0" * 64}):

        def read_back(*arguments: Any, other: dict[str, Any] = other) -> parts.Facts:
            return parts.read_back(*arguments)._replace(**other)

        monkeypatch.setattr(sealing, "read_back", read_back)
        with pytest.raises(CollectorError, match="does not read back as it was written"):
            sealed(settings, root)
        assert (in_store(settings), named(root)) == (before, [])


def test_no_two_contents_have_one_digest() -> None:
    def digest(*rows: dict[str, object]) -> str:
        content = Content()
        given = [{**plain_row(1, 1), **row} for row in rows]
        content.add(table_of(CALLBACKS, [[row[c.name] for c in CALLBACKS.columns] for row in given]))
        return content.digest

    cases = [
        digest({}),
        digest({}, {}),
        digest({"channel": None}),
        digest({"channel": ""}),
        digest({"channel": "sm", "channel_status": "ssent"}),
        digest({"attempt_sequence": None}),
        digest({"attempt_sequence": 0}),
        digest({"requested_at": 0}),
        digest({"requested_at": None}),
        digest({"channel": "a"}, {"channel": "bc"}),
        digest({"channel": "ab"}, {"channel": "c"}),
        digest({"channel": "ab"}, {"channel": None}),
    ]
    assert len(set(cases)) == len(cases)
    assert digest({"extra": '{"é": "\x1f"}'}) == digest({"extra": '{"é": "\x1f"}'})


def test_the_digest_of_rows_is_the_same_wherever_arrow_begins_to_count() -> None:
    rows = [[plain_row(n, n)[c.name] for c in CALLBACKS.columns] for n in range(10)]
    whole, cut = Content(), Content()
    whole.add(table_of(CALLBACKS, rows[3:7]))
    cut.add(table_of(CALLBACKS, rows).slice(3, 4))
    assert whole.digest == cut.digest


MEMORY = """
import resource, sys
from pathlib import Path
from collector.archive import sealing
from tests.collector.archive.tools import AFTER
for module in (sealing,):
    module.GROUP, module.PART = 4_000, 16_000
sealing.archive(sys.argv[1], Path(sys.argv[2]), AFTER)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.full
def test_memory_does_not_grow_with_the_day(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        folder = tmp_path / str(rows)
        (folder / "archive").mkdir(parents=True)
        settings = settings_for(f"sqlite:///{folder}/store.db")
        other_rows(settings, [plain_row(number, number / rows * DAY / 3) for number in range(rows)])
        words = [sys.executable, "-c", MEMORY, settings.database_url, str(folder / "archive")]
        return int(subprocess.run(words, capture_output=True, check=True, cwd=Path(__file__).parents[3]).stdout)

    assert peak(100_000) < peak(20_000) * 1.25
