"""Parquet stays on disk until it is asked for, finds what lies beside it, and needs times with a zone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verify_analytics import load, model, simulate
from verify_analytics.errors import NotFoundError, SchemaError


def test_a_parquet_file_comes_out_in_the_declared_shape(
    parquet: Any, rows: Any, kinds: Any, declared: Any, rows_of: Any, store: Any
) -> None:
    loaded = load.callbacks(parquet("callbacks.parquet", rows["callbacks"], odd=pa.array([1, 2, 3])))
    assert kinds(loaded) == declared(model.CALLBACKS)
    assert rows_of(loaded, "received_us") == rows_of(load.callbacks(store(rows)), "received_us")


def test_parquet_is_read_when_it_is_asked_and_only_where_it_is_needed(parquet: Any, rows: Any, callback: Any) -> None:
    file = parquet("callbacks.parquet", rows["callbacks"])
    loaded = load.callbacks(file)
    assert "PARQUET" in loaded.explain().upper()
    attempts = model.attempts(loaded, as_of="2026-09-01T13:00Z")
    parquet("callbacks.parquet", [callback(1, "sent", session_id="another")])
    assert [row[0] for row in attempts.project("session_id").fetchall()] == ["another"]


def test_a_parquet_file_finds_its_siblings(parquet: Any, rows: Any, kinds: Any, declared: Any, rows_of: Any) -> None:
    callbacks = parquet("callbacks.parquet", rows["callbacks"])
    parquet("verifications.parquet", rows["verifications"], "verifications")
    parquet("pulse.parquet", rows["pulse"], "pulse")
    for where in (callbacks, callbacks.parent, str(callbacks.parent)):
        assert len(rows_of(load.callbacks(where))) == 3
        assert kinds(load.verifications(where)) == declared(model.VERIFICATIONS)
        assert [row["verified_us"] % 1_000_000 for row in rows_of(load.verifications(where))] == [1]
        assert len(rows_of(load.pulse(where))) == 2


def test_without_siblings_nothing_is_observable(parquet: Any, rows: Any) -> None:
    file = parquet("callbacks.parquet", rows["callbacks"])
    assert load.verifications(file) is None
    assert load.pulse(file) is None


def test_an_archive_is_one_table_whatever_its_parts(
    parquet: Any, rows: Any, callback: Any, kinds: Any, declared: Any, rows_of: Any, tmp_path: Path
) -> None:
    parquet("archive/callbacks/day=2026-08-31/a.parquet", rows["callbacks"][:1], earlier=pa.array(["x"]))
    parquet("archive/callbacks/day=2026-09-01/a.parquet", rows["callbacks"][1:2])
    # A newer release may have added a column, and a part that is being written is not there yet.
    parquet("archive/callbacks/day=2026-09-01/b.parquet", rows["callbacks"][2:], later=pa.array(["x"]))
    parquet("archive/callbacks/day=2026-09-01/.c.parquet", [callback(9, "sent")])
    parquet("archive/callbacks/day=2026-09-01/d.parquet.part", [callback(9, "sent")])
    parquet("archive/verifications/day=2026-09-01/a.parquet", rows["verifications"], "verifications")
    archive = tmp_path / "archive"
    assert kinds(load.callbacks(archive)) == declared(model.CALLBACKS)
    assert [row["arrival_id"] for row in rows_of(load.callbacks(archive), "received_us")] == [
        row["arrival_id"] for row in rows["callbacks"]
    ]
    assert len(rows_of(load.verifications(archive))) == 1
    assert load.pulse(archive) is None


def test_names_that_look_like_patterns_are_names(parquet: Any, rows: Any, rows_of: Any, tmp_path: Path) -> None:
    parquet("run[1]/callbacks*.parquet", rows["callbacks"])
    parquet("run1/callbacksX.parquet", rows["callbacks"][:1])
    assert len(rows_of(load.callbacks(tmp_path / "run[1]" / "callbacks*.parquet"))) == 3
    parquet("run[2]/callbacks/day=2026-09-01/a?.parquet", rows["callbacks"])
    assert len(rows_of(load.callbacks(tmp_path / "run[2]"))) == 3


def test_a_folder_without_callbacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "callbacks").mkdir()
    with pytest.raises(NotFoundError, match=r"holds no callbacks: neither callbacks/day=YYYY-MM-DD/\*\.parquet"):
        load.callbacks(tmp_path)
    assert load.verifications(tmp_path) is None


def test_times_of_other_zones_and_precisions_are_the_same_moments(
    parquet: Any, rows: Any, arrow: Any, rows_of: Any, tmp_path: Path
) -> None:
    expected = rows_of(load.callbacks(parquet("callbacks.parquet", rows["callbacks"])))
    made = arrow(rows["callbacks"], model.CALLBACKS)
    for name, kind in {
        "received_at": pa.timestamp("ns", "UTC"),
        "requested_at": pa.timestamp("us", "Asia/Tokyo"),
    }.items():
        made = made.set_column(made.column_names.index(name), name, made[name].cast(kind))
    pq.write_table(made, tmp_path / "other.parquet")
    assert rows_of(load.callbacks(tmp_path / "other.parquet")) == expected


def test_times_without_a_zone_are_refused(rows: Any, arrow: Any, tmp_path: Path) -> None:
    made = arrow(rows["callbacks"], model.CALLBACKS)
    naive = made["received_at"].cast(pa.timestamp("us"))
    pq.write_table(made.set_column(1, "received_at", naive), tmp_path / "naive.parquet")
    with pytest.raises(SchemaError, match=r"naive\.parquet': column 'received_at' has no time zone.*tz_localize"):
        load.callbacks(tmp_path / "naive.parquet")


def test_a_parquet_file_without_a_column_is_refused_with_the_nearest_name(
    rows: Any, arrow: Any, tmp_path: Path
) -> None:
    made = arrow(rows["callbacks"], model.CALLBACKS)
    pq.write_table(made.rename_columns({"country": "contry"}), tmp_path / "callbacks.parquet")
    with pytest.raises(SchemaError, match=r"no column 'country'; did you mean 'contry'\?"):
        load.callbacks(tmp_path / "callbacks.parquet")


def test_a_damaged_parquet_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "callbacks.parquet"
    file.write_bytes(b"PAR1" + b"junk" * 20)
    with pytest.raises(SchemaError, match="cannot be read") as refused:
        load.callbacks(file)
    assert "\n" not in str(refused.value)


def test_a_parquet_file_without_rows_gives_typed_columns(parquet: Any, kinds: Any, declared: Any, rows_of: Any) -> None:
    loaded = load.callbacks(parquet("callbacks.parquet", []))
    assert kinds(loaded) == declared(model.CALLBACKS)
    assert rows_of(loaded) == []
    assert isinstance(nw.from_native(loaded), nw.LazyFrame)


@pytest.mark.parametrize("table", ["callbacks", "verifications"])
def test_an_archive_that_lacks_a_part_its_manifest_names_is_refused(table: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    simulate.history(20, seed=1, end=datetime(2026, 10, 29, tzinfo=UTC), days=2).write_archive(archive)
    gone = min(archive.glob(f"{table}/*/*.parquet"))
    gone.unlink()
    loader = {"callbacks": load.callbacks, "verifications": load.verifications}[table]
    name = gone.relative_to(archive).as_posix()
    with pytest.raises(SchemaError, match=rf"names {name}, which is not there.*bring it back from a copy"):
        loader(archive)
