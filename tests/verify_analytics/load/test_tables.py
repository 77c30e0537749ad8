"""Tables of every making: of another connection, read only once, with odd names; what was read is let go."""

import warnings
from collections.abc import Iterable
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from verify_analytics import load
from verify_analytics.errors import ArgumentError, LeftOutNotice, SchemaError

OURS = {"session_id": "id", "received_at": "seen", "attempt_id": "sending"}
ROWS = [
    ("s1", "2026-09-01T12:00:01Z", "a1"),
    ("s1", "2026-09-01T12:00:05Z", "a1"),
    ("s2", "2026-09-01T12:00:06Z", None),
]


def table(head: Iterable[str] = ("id", "seen", "sending")) -> pa.Table:
    return pa.table({name: pa.array([row[place] for row in ROWS]) for place, name in enumerate(head)})


def test_a_relation_of_another_connection_stays_there(rows_of: Any) -> None:
    with duckdb.connect() as own:
        own.execute("SET TimeZone = 'America/New_York'")
        loaded = load.callbacks(own.from_arrow(table()), columns=OURS)
        expected = load.callbacks(pl.from_arrow(table()), columns=OURS)
        assert rows_of(loaded, "received_us") == rows_of(expected, "received_us")
        assert own.sql("SELECT table_name FROM duckdb_tables()").fetchall() == []


def test_a_relation_that_can_be_read_only_once_is_read_once(rows_of: Any) -> None:
    stream = pa.RecordBatchReader.from_batches(table().schema, table().to_batches())
    loaded = load.callbacks(load.connection().from_arrow(stream), columns=OURS)
    assert len(rows_of(loaded)) == 3
    assert len(rows_of(loaded)) == 3


def test_a_parquet_file_may_have_other_words(tmp_path: Any, rows_of: Any) -> None:
    import pyarrow.parquet as pq

    file = tmp_path / "calls[1].parquet"
    pq.write_table(table(), file)
    expected = rows_of(load.callbacks(pl.from_arrow(table()), columns=OURS), "received_us")
    assert rows_of(load.callbacks(file, columns=OURS), "received_us") == expected


def test_a_store_has_our_words_already(store: Any, rows: Any) -> None:
    where = store(rows)
    with pytest.raises(ArgumentError, match="a store and an archive have our own names already"):
        load.callbacks(where, columns=OURS)
    with pytest.raises(ArgumentError, match="timezone= and pepper= are for a table in your own words"):
        load.callbacks(where, timezone="UTC")
    with pytest.raises(ArgumentError, match="pyarrow frames cannot be mapped"):
        load.callbacks(table(), columns=OURS)


def test_what_was_refused_is_not_kept(quick: Any) -> None:
    def tables() -> list[Any]:
        return load.connection().sql("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()

    before = tables()
    for odd in ({"channel_status": "+1 415 555 0123"}, {"received_at": "2026-09-01 12:00"}):
        row = {"session_id": "s1", "received_at": "2026-09-01T12:00Z", **odd}
        with pytest.raises(SchemaError):
            load.callbacks(quick.make(pa.Table.from_pylist([row])), columns={name: name for name in row})
    assert tables() == before


def test_nothing_is_left_behind_of_a_frame_that_went_back_or_of_counting(quick: Any) -> None:
    def tables() -> int:
        return len(load.connection().sql("SELECT table_name FROM duckdb_tables()").fetchall())

    before = tables()
    load.callbacks(quick.make(table()), columns=OURS)
    load.left_out(load.connection().from_arrow(table()), columns=OURS)
    assert tables() == before
    load.callbacks(load.connection().from_arrow(table()), columns=OURS)
    assert tables() == before + 1


def test_names_may_be_odd(engine: Any, rows_of: Any) -> None:
    given = engine.make(table(('the "id"', "seen at", "a,b")))
    columns = {"session_id": 'the "id"', "received_at": "seen at", "attempt_id": "a,b"}
    told = rows_of(load.callbacks(given, columns=columns), "received_us")
    assert [(row["session_id"], row["attempt_id"]) for row in told[:2]] == [("s1", "a1")] * 2


def test_names_may_differ_in_capitals_or_be_numbers(rows_of: Any, tmp_path: Any) -> None:
    made = table(("id", "ID", "sending"))
    (tmp_path / "a.csv").write_text(made.to_pandas().to_csv(index=False))
    for given in (made.to_pandas(), pl.from_arrow(made), tmp_path / "a.csv"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeftOutNotice)
            told = rows_of(load.callbacks(given, columns={"session_id": "id", "received_at": "ID"}), "received_us")
        assert [row["session_id"] for row in told] == ["s1", "s1", "s2"]
    by_place = pd.DataFrame(ROWS)
    columns = {"session_id": "0", "received_at": "1", "attempt_id": "2"}
    told = rows_of(load.callbacks(by_place, columns=columns), "received_us")
    assert [row["session_id"] for row in told] == ["s1", "s1", "s2"]


@pytest.mark.parametrize("types", [None, pd.ArrowDtype])
def test_a_pandas_frame_keeps_its_kind_of_types(types: Any) -> None:
    loaded = load.callbacks(table().to_pandas(types_mapper=types), columns=OURS)
    arrow = {name for name, dtype in loaded.dtypes.items() if isinstance(dtype, pd.ArrowDtype)}
    # Integers are Arrow's in either; texts and moments are what they were.
    assert {"received_us", "requested_us", "attempt_sequence"} <= arrow
    assert ("session_id" in arrow, "received_at" in arrow) == (types is not None, types is not None)


def test_a_name_of_arrivals_that_names_several_is_refused(quick: Any) -> None:
    columns = {"session_id": "id", "received_at": "seen", "arrival_id": "sending"}
    with pytest.raises(SchemaError, match="2 rows have only 1 different arrival_id; it names one arrival each"):
        load.callbacks(quick.make(table().slice(0, 2)), columns=columns)
    with pytest.warns(LeftOutNotice, match="left out 1 rows .no arrival_id."):
        load.callbacks(quick.make(table().slice(1, 2)), columns=columns)
