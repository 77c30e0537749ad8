"""Closed days go over to the archive, each row once, and everything else stays where it is."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector import store
from collector.archive import sealing
from collector.archive.kinds import KINDS
from collector.archive.parts import schema_of
from collector.archive.source import Source
from collector.errors import CollectorError
from collector.settings import Settings
from tests.collector.archive.tools import (
    AFTER,
    DAY,
    NOON,
    Copied,
    in_archive,
    in_store,
    leave_closed,
    manifest,
    named,
    other_rows,
    plain_row,
    sealed,
    three_days,
)
from tests.collector.records import BOTH, change, column, fill, line, moment, settings_for

ALL = [pytest.param("sqlite"), pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.full])]


@pytest.fixture
def settings(database_url: str, root: Path, copied: Copied) -> Settings:
    """Settings of a store with rows of three days."""
    return copied(three_days, database_url, root)


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_closed_days_are_in_the_archive_with_every_value_and_the_open_one_in_the_store(
    settings: Settings, root: Path
) -> None:
    before = in_store(settings)
    kept = [column(settings.database_url, key) for key in (store.nonces.c.digest, store.peppers.c.key_id)]
    done = sealed(settings, root)
    assert (done.parts, dict(done.rows)) == (6, {"callbacks": 6, "verifications": 2, "pulse": 6})
    leave_closed(settings, root, before)
    names = [
        f"{table}/{NOON[day]}/part-0001.parquet" for table in ("callbacks", "pulse", "verifications") for day in (0, 1)
    ]
    assert named(root) == names
    assert [column(settings.database_url, key) for key in (store.nonces.c.digest, store.peppers.c.key_id)] == kept


@pytest.mark.parametrize("database_url", ALL, indirect=True)
def test_a_second_run_has_nothing_to_do_and_changes_nothing(settings: Settings, root: Path) -> None:
    sealed(settings, root)
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert sealed(settings, root) == sealing.Sealed()
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == files


def test_a_part_says_its_types_in_the_order_of_the_window_and_is_sorted_with_bounds(
    settings: Settings, root: Path
) -> None:
    sealed(settings, root)
    path = root / "callbacks" / NOON[0] / "part-0001.parquet"
    with pq.ParquetFile(path) as part:
        schema = part.schema_arrow.remove_metadata()
        group = part.metadata.row_group(0)
        columns = [group.column(number) for number in range(group.num_columns)]
        moments = part.read(["received_at"])["received_at"].cast(pa.int64()).to_pylist()
    assert [field.name for field in schema] == [column.name for column in store.callbacks.columns][1:]
    assert {str(field.type) for field in schema} == {"string", "int64", "timestamp[us, tz=UTC]"}
    assert [field.nullable for field in schema] == [
        c.nullable for c in store.callbacks.columns if c.name != "callback_id"
    ]
    assert moments == [moment(100), moment(101), moment(200)]
    assert {column.compression for column in columns} == {"ZSTD"}
    assert all(column.is_stats_set for column in columns)
    assert (columns[1].statistics.min.microsecond, columns[1].statistics.null_count) == (0, 0)


def test_the_manifest_names_each_part_with_its_rows_its_bytes_and_the_schema(settings: Settings, root: Path) -> None:
    sealed(settings, root)
    import hashlib

    said = manifest(root)
    assert said["archive_version"] == 1
    assert list(said["parts"]) == sorted(said["parts"])
    for name, entry in said["parts"].items():
        path = root / name
        assert entry == {
            "rows": pq.read_metadata(path).num_rows,
            "digest": hashlib.sha256(path.read_bytes()).hexdigest(),
            "schema": store.SCHEMA,
        }


@pytest.mark.parametrize(("minutes", "days"), [(29, 1), (30, 2)])
def test_a_day_is_left_alone_until_half_an_hour_after_its_end(
    settings: Settings, root: Path, minutes: int, days: int
) -> None:
    midnight = moment(DAY * 1.5)
    sealed(settings, root, midnight + minutes * 60_000_000)
    assert len({name.split("/")[1] for name in named(root)}) == days


def test_a_day_begins_with_its_first_microsecond_and_ends_before_the_next(database_url: str, root: Path) -> None:
    settings = settings_for(database_url)
    midnight = DAY / 2
    other_rows(settings, [plain_row(1, midnight - 1e-6), plain_row(2, midnight), plain_row(3, midnight * 3 - 1e-6)])
    sealed(settings, root)
    assert {name: entry["rows"] for name, entry in manifest(root)["parts"].items()} == {
        f"callbacks/{NOON[0]}/part-0001.parquet": 1,
        f"callbacks/{NOON[1]}/part-0001.parquet": 2,
    }


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_what_comes_after_its_day_was_archived_becomes_another_part(settings: Settings, root: Path) -> None:
    sealed(settings, root)
    first = manifest(root)["parts"]
    fill(settings, line("late", 300, AttemptUUID="late"))
    before = {name: in_store(settings)[name] + in_archive(root)[name] for name in in_store(settings)}
    done = sealed(settings, root)
    assert (done.rows["callbacks"], done.left["callbacks"]) == (1, 0)
    leave_closed(settings, root, before)
    second = manifest(root)["parts"]
    assert first.items() <= second.items()
    assert second[f"callbacks/{NOON[0]}/part-0002.parquet"]["rows"] == 1


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_what_is_replayed_although_the_archive_has_it_is_not_there_twice(database_url: str, root: Path) -> None:
    settings = settings_for(database_url)
    lines = [line(f"s-{number}", number) for number in range(5)]
    fill(settings, *lines)
    sealed(settings, root)
    before = in_archive(root)
    fill(settings, *lines, line("new", 9))
    assert len(column(settings.database_url, store.callbacks.c.arrival_id)) == 6
    done = sealed(settings, root)
    assert (done.rows["callbacks"], done.left["callbacks"]) == (1, 5)
    assert column(settings.database_url, store.callbacks.c.arrival_id) == []
    assert in_archive(root)["callbacks"] - before["callbacks"] == {
        row: 1 for row in in_archive(root)["callbacks"] if row[3] == "new"
    }


@pytest.mark.parametrize("database_url", ALL, indirect=True)
def test_a_minute_that_was_counted_further_is_a_row_of_its_own_and_the_same_minute_is_not(
    settings: Settings, root: Path
) -> None:
    pulse = store.pulse
    minutes = in_store(settings)["pulse"]
    sealed(settings, root)
    of_first = next(row for row in minutes if row[1] == moment(60))
    of_second = next(row for row in minutes if row[1] == moment(180))
    names = [c.name for c in pulse.columns]
    change(settings.database_url, pulse.insert().values(dict(zip(names, of_first, strict=True))))
    grown = dict(zip(names, of_second, strict=True)) | {"accepted": 9}
    change(settings.database_url, pulse.insert().values(grown))
    done = sealed(settings, root)
    assert (done.rows["pulse"], done.left["pulse"]) == (1, 1)
    assert in_archive(root)["pulse"][of_first] == 1
    assert in_archive(root)["pulse"][tuple(grown.values())] == 1


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_minute_that_is_counted_further_while_it_is_archived_stays_in_the_store(
    settings: Settings, root: Path
) -> None:
    def step(name: str) -> None:
        if name == "shown" and (root / "pulse").exists():
            change(settings.database_url, store.pulse.update().where(at).values(accepted=7))

    at = store.pulse.c.minute == moment(60)
    sealed(settings, root, step=step)
    left = [row for row in in_store(settings)["pulse"] if row[1] < moment(DAY)]
    assert [(row[1], row[2]) for row in left] == [(moment(60), 7)]
    assert sealed(settings, root).rows["pulse"] == 1


def test_a_large_day_is_several_parts_of_several_row_groups_each_in_order(
    database_url: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "GROUP", 100)
    monkeypatch.setattr(sealing, "PART", 300)
    monkeypatch.setattr("collector.archive.source.WINDOW", 70)
    monkeypatch.setattr("collector.archive.source.ASKED", 30)
    settings = settings_for(database_url)
    # In the store they stand in another order, as after a replay.
    other_rows(settings, [plain_row(number, number * 37 % 1_000) for number in range(1_000)])
    before = in_store(settings)
    done = sealed(settings, root)
    leave_closed(settings, root, before)
    assert (done.parts, done.rows["callbacks"]) == (3, 1_000)
    for name in named(root):
        with pq.ParquetFile(root / name) as part:
            assert 1 < part.num_row_groups <= 4
            moments = part.read(["received_at"])["received_at"].to_pylist()
        assert moments == sorted(moments)


def test_rows_of_one_moment_are_in_the_order_of_their_arrivals(database_url: str, root: Path) -> None:
    settings = settings_for(database_url)
    other_rows(settings, [plain_row(number, 5) for number in (3, 1, 2)])
    sealed(settings, root)
    part = root / named(root)[0]
    assert pq.read_table(part, partitioning=None)["session_id"].to_pylist() == ["s-0", "s-0", "s-1"]
    assert [a[-1] for a in pq.read_table(part, partitioning=None)["arrival_id"].to_pylist()] == ["1", "2", "3"]


def test_rows_that_somebody_removes_meanwhile_are_in_no_part(settings: Settings, root: Path) -> None:
    real = Source.chunks

    def late(self: Source, *arguments: object) -> object:
        for keys in real(self, *arguments):  # type: ignore[arg-type]
            change(settings.database_url, store.callbacks.delete().where(store.callbacks.c.session_id == "b-0"))
            yield keys

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Source, "chunks", late)
        assert sealed(settings, root).rows["callbacks"] == 5
    assert "b-0" not in {row[3] for row in in_archive(root)["callbacks"]}


def test_an_empty_store_leaves_an_empty_folder(database_url: str, root: Path) -> None:
    settings = settings_for(database_url)
    fill(settings)
    assert sealed(settings, root) == sealing.Sealed()
    assert list(root.iterdir()) == []


def test_what_waits_is_counted_and_nothing_is_touched(settings: Settings, root: Path) -> None:
    before = in_store(settings)
    waiting = sealing.waiting(settings.database_url, AFTER)
    assert {name: list(days.values()) for name, days in waiting.items()} == {
        "callbacks": [3, 3],
        "verifications": [1, 1],
        "pulse": [3, 3],
    }
    assert in_store(settings) == before
    assert not root.exists()


def test_without_pyarrow_it_is_said_in_one_sentence(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(CollectorError, match=r"^the archive needs the package pyarrow: pip install pyarrow$"):
        sealed(settings, root)


def test_the_toolkit_finds_the_types_it_declares() -> None:
    from verify_analytics import model

    for kind, declared in zip(KINDS, (model.CALLBACKS, model.VERIFICATIONS, model.PULSE), strict=True):
        types = {"text": pa.string(), "integer": pa.int64(), "moment": pa.timestamp("us", tz="UTC")}
        assert schema_of(kind) == pa.schema([pa.field(c.name, types[c.kind], nullable=c.nullable) for c in declared])
