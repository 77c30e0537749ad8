"""One DuckDB connection for the process, and frames that are worked out once."""

from typing import Any

import duckdb
import pandas as pd
import pytest

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError


def test_there_is_one_connection_and_its_time_is_utc() -> None:
    assert load.connection() is load.connection()
    [(zone,)] = load.connection().sql("SELECT current_setting('TimeZone')").fetchall()
    assert zone == "UTC"


def test_relations_of_different_loads_can_be_joined(store: Any, parquet: Any, rows: Any, rows_of: Any) -> None:
    attempts = model.attempts(
        load.callbacks(parquet("callbacks.parquet", rows["callbacks"])),
        as_of="2026-09-01T13:00Z",
        verifications=load.verifications(store(rows)),
    )
    assert {row["session_verified_app_us"] is not None for row in rows_of(attempts)} == {True}


def test_what_is_kept_has_the_same_rows_and_types(engine: Any, rows: Any, kinds: Any, rows_of: Any) -> None:
    attempts = model.attempts(engine.callbacks(rows["callbacks"]), as_of="2026-09-01T13:00Z")
    kept = load.keep(attempts)
    assert rows_of(kept, "key") == rows_of(attempts, "key")
    assert kinds(kept) == kinds(attempts)
    assert rows_of(model.sessions(kept)) == rows_of(model.sessions(attempts))


def test_what_is_kept_is_not_worked_out_again(parquet: Any, rows: Any, callback: Any, rows_of: Any) -> None:
    file = parquet("callbacks.parquet", rows["callbacks"])
    attempts = model.attempts(load.callbacks(file), as_of="2026-09-01T13:00Z")
    kept = load.keep(attempts)
    parquet("callbacks.parquet", [callback(1, "sent", session_id="another")])
    assert {row["session_id"] for row in rows_of(attempts)} == {"another"}
    assert {row["session_id"] for row in rows_of(kept)} == {"s1"}


def test_a_lazy_frame_is_collected_and_a_frame_with_rows_comes_back_as_it_is(quick: Any, rows: Any) -> None:
    frame = quick.callbacks(rows["callbacks"])
    assert load.keep(frame) is frame
    assert load.keep(frame.lazy()).equals(frame)
    pandas = pd.DataFrame({"a": [1]})
    assert load.keep(pandas) is pandas


def test_a_relation_of_the_analysts_own_connection_stays_there_and_leaves_nothing_behind() -> None:
    with duckdb.connect() as own:
        own.execute("CREATE TABLE t AS SELECT 1 AS a")
        kept = load.keep(own.table("t"))
        own.execute("INSERT INTO t VALUES (2)")
        assert kept.join(own.sql("SELECT 1 AS a"), "a").fetchall() == [(1,)]
        assert own.sql("SELECT table_name FROM duckdb_tables()").fetchall() == [("t",)]


def test_what_is_no_frame_cannot_be_kept() -> None:
    with pytest.raises(ArgumentError, match="list is no dataframe"):
        load.keep([1])
