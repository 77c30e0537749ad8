"""Which table did the analyst give? A file or a frame, opened for DuckDB, with the way back to the engine it is of."""

from collections import Counter
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import narwhals as nw

from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.load import delimited
from verify_analytics.load.connection import connection
from verify_analytics.load.places import Place, place_of

_TAKEN = "columns= is for a CSV or Parquet file, or a frame of pandas, Polars or DuckDB"
Read = Callable[[tuple[str, ...]], tuple[duckdb.DuckDBPyRelation, dict[str, str]]]


class Table(NamedTuple):
    """A table that is open.

    Parameters
    ----------
    what
        What it is, for messages.
    names
        Its columns.
    read
        Gives some of its columns as a relation, and the type of each.
    place
        Says what the relation calls a column.
    back
        Brings a relation into the engine that the table is of.
    unreadable_lines
        Counts the lines that were left out, after reading.
    close
        Lets go of what reading needed.
    """

    what: str
    names: tuple[str, ...]
    read: Read
    back: Callable[[duckdb.DuckDBPyRelation], Any]
    place: Callable[[str], str] = str
    unreadable_lines: Callable[[], int] = int
    close: Callable[[], None] = int  # type: ignore[assignment]


def table_of(where: Any, table: str) -> Table:
    """Open a table.

    Raises
    ------
    ArgumentError
        If it is a store, an archive, or a frame of another engine.
    SchemaError
        If it cannot be read, or names a column twice.
    """
    kind = place_of(where)
    if kind is Place.CSV:
        return _delimited(where, table)
    if kind is Place.PARQUET:
        what = f"{table} in {str(where)!r}"
        return _relation(connection().read_parquet(escape(str(where)), hive_partitioning=False), what)
    if kind is not Place.FRAME:
        raise ArgumentError(f"{_TAKEN}; a store and an archive have our own names already")
    if isinstance(where, duckdb.DuckDBPyRelation):
        return _relation(where, table)
    try:
        frame = nw.from_native(where)
    except TypeError:
        raise ArgumentError(f"{type(where).__name__} is no dataframe and no file; {_TAKEN}") from None
    except ValueError:
        # A pandas frame may have a name twice, and nobody could say which of the two is meant.
        [(twice, _)] = Counter(str(name) for name in where.columns).most_common(1)
        raise SchemaError(f"{table}: column {twice!r} is there twice; rename one of them") from None
    if frame.implementation.is_pandas():
        return _pandas(where, table)
    if frame.implementation.is_polars():
        return _polars(frame, table)
    raise ArgumentError(
        f"{table}: {frame.implementation.name.lower()} frames cannot be mapped; {_TAKEN}. Rename its columns there, "
        "or write it as Parquet and give the file"
    )


def _delimited(where: str | Path, table: str) -> Table:
    opened = delimited.opened(where)
    what = f"{table} in {str(where)!r}"

    def place(name: str) -> str:
        return f"c{opened.names.index(name)}"

    def read(wanted: tuple[str, ...]) -> tuple[duckdb.DuckDBPyRelation, dict[str, str]]:
        times = Counter(opened.names)
        twice = [name for name in wanted if times[name] > 1]
        if twice:
            raise SchemaError(f"{what}: column {twice[0]!r} is there twice; rename one of them")
        return opened.relation, dict.fromkeys(wanted, "VARCHAR")

    return Table(what, opened.names, read, _as_it_is, place, opened.unreadable_lines, opened.forget)


def _relation(relation: duckdb.DuckDBPyRelation, what: str) -> Table:
    kinds = {name: str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    return Table(
        what, tuple(relation.columns), lambda wanted: (relation, {name: kinds[name] for name in wanted}), _as_it_is
    )


def _as_it_is(relation: duckdb.DuckDBPyRelation) -> Any:
    return relation


def _pandas(frame: Any, table: str) -> Table:
    import pandas as pd

    arrow_types = any(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)

    def read(wanted: tuple[str, ...]) -> tuple[duckdb.DuckDBPyRelation, dict[str, str]]:
        import pyarrow as pa

        columns = {}
        for name in wanted:
            try:
                columns[name] = pa.array(frame[name], from_pandas=True)
            except (pa.ArrowException, TypeError, ValueError):
                raise SchemaError(
                    f"{table}: column {name!r} holds values of several types; make them all texts, "
                    f"or give load the file itself"
                ) from None
        return _registered(columns)

    def back(relation: duckdb.DuckDBPyRelation) -> Any:
        made = relation.to_arrow_table()
        return made.to_pandas(types_mapper=pd.ArrowDtype) if arrow_types else made.to_pandas()

    return Table(table, tuple(str(name) for name in frame.columns), read, back)


def _polars(frame: Any, table: str) -> Table:
    lazy = isinstance(frame, nw.LazyFrame)

    def read(wanted: tuple[str, ...]) -> tuple[duckdb.DuckDBPyRelation, dict[str, str]]:
        some = frame.select(*wanted)
        # Texts must be read to be understood: here a lazy frame is collected, once.
        made = (some.collect() if lazy else some).to_arrow()
        return _registered({name: made[name] for name in wanted})

    def back(relation: duckdb.DuckDBPyRelation) -> Any:
        import polars as pl

        made = pl.DataFrame(pl.from_arrow(relation.to_arrow_table()))
        return made.lazy() if lazy else made

    return Table(table, tuple(frame.collect_schema().names()), read, back)


def _registered(columns: dict[str, Any]) -> tuple[duckdb.DuckDBPyRelation, dict[str, str]]:
    """Bring columns of Arrow into DuckDB; what holds nothing has no type, and moments have microseconds."""
    import pyarrow as pa

    def plain(column: Any) -> Any:
        if column.null_count == len(column):
            return pa.nulls(len(column), pa.string())
        if pa.types.is_timestamp(column.type) and column.type.unit != "us":
            return column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return column

    made = {name: plain(column) for name, column in columns.items()}
    relation = connection().from_arrow(pa.table(made))
    return relation, {name: str(kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
