"""Which table did the analyst give? A file or a frame, opened for DuckDB, with the way back to the engine it is of."""

from collections import Counter
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import narwhals as nw

from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.load import delimited, places
from verify_analytics.load.connection import connection

_TAKEN = "columns= is for a CSV or Parquet file, or a frame of pandas, Polars or DuckDB"


class Place(NamedTuple):
    """What a relation calls a column, and the type it has there."""

    name: str
    kind: str


Opened = tuple[duckdb.DuckDBPyRelation, dict[str, Place]]


class Table(NamedTuple):
    """A table that is open.

    Parameters
    ----------
    what
        What it is, for messages.
    names
        Its columns.
    read
        Gives some of its columns as a relation, and where each of them is in it.
    back
        Brings a relation into the engine that the table is of.
    unreadable_lines
        Counts the lines that were left out by reason, after reading.
    close
        Lets go of what reading needed.
    """

    what: str
    names: tuple[str, ...]
    read: Callable[[tuple[str, ...]], Opened]
    back: Callable[[duckdb.DuckDBPyRelation], Any]
    unreadable_lines: Callable[[], dict[str, int]] = dict
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
    kind = places.place_of(where)
    if kind is places.Place.CSV:
        return _delimited(where, table)
    if kind is places.Place.PARQUET:
        what = f"{table} in {str(where)!r}"
        return _relation(connection().read_parquet(escape(str(where)), hive_partitioning=False), what)
    if kind is not places.Place.FRAME:
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

    def read(wanted: tuple[str, ...]) -> Opened:
        times = Counter(opened.names)
        twice = [name for name in wanted if times[name] > 1]
        if twice:
            raise SchemaError(f"{what}: column {twice[0]!r} is there twice; rename one of them")
        return opened.relation, {name: Place(f"c{opened.names.index(name)}", "VARCHAR") for name in wanted}

    return Table(what, opened.names, read, _as_it_is, opened.unreadable_lines, opened.forget)


def _relation(relation: duckdb.DuckDBPyRelation, what: str) -> Table:
    there = {name: Place(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)}
    return Table(what, tuple(there), lambda _: (relation, there), _as_it_is)


def _as_it_is(relation: duckdb.DuckDBPyRelation) -> Any:
    return relation


def _pandas(frame: Any, table: str) -> Table:
    import pandas as pd

    named = {str(name): name for name in frame.columns}
    arrow_types = any(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)

    def read(wanted: tuple[str, ...]) -> Opened:
        import pyarrow as pa

        columns = {}
        for name in wanted:
            try:
                columns[name] = pa.array(frame[named[name]], from_pandas=True)
            except (pa.ArrowException, TypeError, ValueError):
                raise SchemaError(
                    f"{table}: column {name!r} holds values of several types; make them all texts, "
                    f"or give load the file itself"
                ) from None
        return _registered(columns)

    def back(relation: duckdb.DuckDBPyRelation) -> Any:
        made = relation.to_arrow_table()
        return made.to_pandas(types_mapper=pd.ArrowDtype) if arrow_types else made.to_pandas()

    return Table(table, tuple(named), read, back)


def _polars(frame: Any, table: str) -> Table:
    lazy = isinstance(frame, nw.LazyFrame)

    def read(wanted: tuple[str, ...]) -> Opened:
        some = frame.select(*wanted)
        # Texts must be read to be understood: here a lazy frame is collected, once.
        made = (some.collect() if lazy else some).to_arrow()
        return _registered({name: made[name] for name in wanted})

    def back(relation: duckdb.DuckDBPyRelation) -> Any:
        import polars as pl

        made = pl.DataFrame(pl.from_arrow(relation.to_arrow_table()))
        return made.lazy() if lazy else made

    return Table(table, tuple(frame.collect_schema().names()), read, back)


def _registered(columns: dict[str, Any]) -> Opened:
    """Bring columns of Arrow into DuckDB; what holds nothing has no type, and moments have microseconds."""
    import pyarrow as pa

    def plain(column: Any) -> Any:
        if column.null_count == len(column):
            return pa.nulls(len(column), pa.string())
        if pa.types.is_timestamp(column.type) and column.type.unit != "us":
            return column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return column

    # By its place: two names that differ only in capitals are one in DuckDB.
    relation = connection().from_arrow(pa.table({f"c{n}": plain(column) for n, column in enumerate(columns.values())}))
    kinds = [str(kind) for kind in relation.types]
    return relation, {name: Place(f"c{n}", kinds[n]) for n, name in enumerate(columns)}
