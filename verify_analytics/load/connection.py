"""Where does the work run? The one DuckDB connection of this process, and tables that are worked out once."""

from itertools import count
from threading import Lock
from typing import Any

import duckdb
import narwhals as nw

from verify_analytics.errors import ArgumentError

_open: list[duckdb.DuckDBPyConnection] = []
_lock = Lock()
_numbers = count(1)


def connection() -> duckdb.DuckDBPyConnection:
    """Give the DuckDB connection that every relation of `load` belongs to.

    Relations of two connections cannot be joined, so there is one for the whole process. Its time zone is UTC, so that
    an hour is the same hour on every machine. Use it to bring your own tables in:
    ``load.connection().sql("FROM 'plans.csv'")``.
    """
    with _lock:
        if not _open:
            made = duckdb.connect(":memory:")
            made.execute("SET TimeZone = 'UTC'")
            _open.append(made)
        return _open[0]


def new_name(stem: str) -> str:
    """Give a table a name that no other one in this process has."""
    return f"{stem}_{next(_numbers)}"


def keep(table: Any) -> Any:
    """Work a frame out once, so that many metrics do not work it out many times.

    Parameters
    ----------
    table
        Any frame, for example what `model.attempts` gave.

    Returns
    -------
    frame
        The same rows: a DuckDB relation becomes one over a table in memory (on disk when memory ends), a lazy Polars
        frame a collected one, a Spark frame a cached one. Frames that hold their rows already come back as they are.
        The grain stays.

    Raises
    ------
    ArgumentError
        If it is no dataframe.
    """
    if isinstance(table, duckdb.DuckDBPyRelation):
        return _kept(table)
    try:
        frame = nw.from_native(table)
    except TypeError:
        raise ArgumentError(f"{type(table).__name__} is no dataframe; keep takes what load and model give") from None
    if isinstance(frame, nw.DataFrame):
        return table
    if frame.implementation.is_polars():
        return frame.collect().to_native()
    return table.cache()


def _kept(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    ours = connection()
    try:
        relation.limit(0).cross(ours.sql("SELECT 1 AS one"))
    except duckdb.InvalidInputException:
        # It belongs to a connection of the analyst's own, whose database is not ours to write to.
        return relation.materialize()
    name = new_name("kept")
    relation.create(name)
    return ours.table(name)


def forget(kept: duckdb.DuckDBPyRelation) -> None:
    """Drop what `keep` made of a relation of ours; one of another connection goes with the last name for it."""
    if kept.alias.startswith("kept_"):
        connection().execute(f'DROP TABLE IF EXISTS "{kept.alias}"')
