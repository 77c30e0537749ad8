"""What is archived, others read: pandas, Polars and DuckDB find the rows of the store in it, and the declared types."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from collector.archive.kinds import KINDS, Kind
from tests.collector.archive.tools import NOON, Copied, an_archive, sealed, three_days
from verify_analytics import load

EACH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[tuple[Any, ...]]]]:
    """Give an archive, and what the store had of its two days."""
    root, rows = an_archive(tmp_path_factory.mktemp("readers"))
    return root, {name: rows_of(some.elements()) for name, some in rows.items()}


Made = tuple[Path, dict[str, list[tuple[Any, ...]]]]


def rows_of(rows: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in rows), key=repr)


def moments(kind: Kind) -> list[str]:
    return [column.name for column in kind.columns if column.kind == "moment"]


@EACH
def test_duckdb_reads_it(made: Made, kind: Kind) -> None:
    root, rows = made
    names = {"text": "VARCHAR", "integer": "BIGINT", "moment": "TIMESTAMP WITH TIME ZONE"}
    with duckdb.connect() as connection:
        relation = connection.read_parquet(f"{root}/{kind.name}/**/*.parquet", hive_partitioning=False)
        assert list(zip(relation.columns, map(str, relation.types), strict=True)) == [
            (column.name, names[column.kind]) for column in kind.columns
        ]
        said = [f"epoch_us({c.name})" if c.kind == "moment" else c.name for c in kind.columns]
        assert rows_of(relation.project(", ".join(said)).fetchall()) == rows[kind.name]
        days = connection.read_parquet(f"{root}/{kind.name}/**/*.parquet", hive_partitioning=True)
        found = {f"day={day}" for (day,) in days.project("day::VARCHAR").distinct().fetchall()}
    assert found == {NOON[0], NOON[1]}


@EACH
def test_polars_reads_it(made: Made, kind: Kind) -> None:
    root, rows = made
    types = {"text": pl.String(), "integer": pl.Int64(), "moment": pl.Datetime("us", "UTC")}
    frame = pl.read_parquet(f"{root}/{kind.name}/**/*.parquet", hive_partitioning=False)
    assert dict(frame.schema) == {column.name: types[column.kind] for column in kind.columns}
    assert rows_of(frame.with_columns(pl.col(moments(kind)).dt.epoch("us")).rows()) == rows[kind.name]


@EACH
def test_pandas_reads_it(made: Made, kind: Kind) -> None:
    root, rows = made
    frame = pd.read_parquet(root / kind.name)
    assert [f"day={day}" for day in sorted(set(frame.pop("day").astype(str)))] == [NOON[0], NOON[1]]
    assert list(frame.columns) == [column.name for column in kind.columns]
    for column in kind.columns:
        if column.kind == "moment":
            assert str(frame[column.name].dtype) == "datetime64[us, UTC]"
            frame[column.name] = frame[column.name].astype("int64[pyarrow]")
        elif column.kind == "text":
            assert pd.api.types.is_string_dtype(frame[column.name].dropna())
    found = [
        tuple(None if pd.isna(value) else int(value) if isinstance(value, float) else value for value in row)
        for row in frame.itertuples(index=False)
    ]
    assert rows_of(found) == rows[kind.name]


@EACH
def test_the_toolkit_reads_it(made: Made, kind: Kind) -> None:
    root, rows = made
    relation = getattr(load, kind.name)(root)
    said = [f"epoch_us({c.name})" if c.kind == "moment" else c.name for c in kind.columns]
    assert rows_of(relation.project(", ".join(said)).fetchall()) == rows[kind.name]


def test_the_archive_is_what_a_spark_session_would_be_given(database_url: str, root: Path, copied: Copied) -> None:
    """Folders of days with files in them and nothing else: what Spark finds its partitions by."""
    sealed(copied(three_days, database_url, root), root)
    for kind in KINDS:
        found = sorted(path.relative_to(root / kind.name).as_posix() for path in (root / kind.name).rglob("*"))
        assert found == [NOON[0], f"{NOON[0]}/part-0001.parquet", NOON[1], f"{NOON[1]}/part-0001.parquet"]
