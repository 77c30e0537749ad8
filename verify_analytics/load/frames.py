"""How does a dataframe get the declared shape? Checked by its types, given the integers that comparisons use.

What differs between engines is absorbed here, so that the model need not know which one it runs on.
"""

from collections.abc import Callable
from typing import Any

import duckdb
import narwhals as nw

from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.model.columns import MICROSECONDS, Column, require

_TEXTS = (nw.String, nw.Categorical, nw.Enum)
_INTEGERS = (nw.Int8, nw.Int16, nw.Int32, nw.Int64, nw.UInt8, nw.UInt16, nw.UInt32, nw.UInt64, nw.Int128)


def shaped(frame: Any, columns: tuple[Column, ...], *, what: str) -> Any:
    """Give a frame exactly the declared columns, in its own engine; the frame given is not changed.

    Parameters
    ----------
    frame
        pandas, Polars (eager or lazy), DuckDB or Spark.
    columns
        The declared shape; other columns are left out.
    what
        What the frame holds, for messages.

    Returns
    -------
    frame of the same engine
        With an integer column of microseconds beside each moment. The grain stays.

    Raises
    ------
    SchemaError
        If a column is missing, a moment has no time zone, or a column holds another type.
    ArgumentError
        If it is no dataframe of an engine we know.
    """
    try:
        wrapped = nw.from_native(frame)
    except TypeError:
        raise ArgumentError(
            f"{type(frame).__name__} is no dataframe, file or URL; give a SQLite store, a PostgreSQL URL, "
            "a Parquet file, an archive folder or a dataframe"
        ) from None
    schema = _schema(wrapped)
    require([column.name for column in columns], schema, what=what, advice="Other columns may be there and are ignored")
    by_engine = _by_engine(wrapped.implementation, what)
    for column in columns:
        if not _is_all_null(wrapped, column.name):
            _check(column, schema[column.name], what, gaps_are_floats=wrapped.implementation.is_pandas())
    made = by_engine(frame, columns)
    if isinstance(wrapped, nw.DataFrame):
        _refuse_nulls(made, columns, what)
    return made


def _by_engine(implementation: nw.Implementation, what: str) -> Callable[[Any, tuple[Column, ...]], Any]:
    if implementation.is_pandas():
        return _pandas
    if implementation.is_polars():
        return _polars
    if implementation.is_duckdb():
        return _duckdb
    if implementation.is_pyspark() or implementation.is_pyspark_connect():
        return _spark
    raise ArgumentError(f"{what}: {implementation.name.lower()} frames are not supported; use pandas, Polars or DuckDB")


def _schema(frame: Any) -> dict[str, Any]:
    """Give the type of each column; nothing is read."""
    schema = dict(frame.collect_schema())
    if frame.implementation.is_pandas():
        # Narwhals does not recognise zones with an underscore in their name.
        zones = {name: getattr(dtype, "tz", None) for name, dtype in frame.to_native().dtypes.items()}
        schema |= {name: nw.Datetime("us", str(zone)) for name, zone in zones.items() if zone is not None}
    return schema


def _is_all_null(frame: Any, name: str) -> bool:
    """Say whether a column holds nothing and so has no type of its own; of a lazy frame only its type is asked."""
    if isinstance(frame, nw.DataFrame):
        return frame[name].null_count() == len(frame)
    return isinstance(frame.collect_schema()[name], nw.Unknown)


def _check(column: Column, dtype: Any, what: str, *, gaps_are_floats: bool) -> None:
    """Refuse a column that cannot be meant."""
    where = f"{what}: column {column.name!r}"
    if column.kind == "moment":
        if isinstance(dtype, nw.Datetime) and dtype.time_zone is None:
            raise SchemaError(
                f"{where} has no time zone, and noon is another moment in every country; "
                f'if it is UTC, say so, in pandas with frame["{column.name}"].dt.tz_localize("UTC")'
            )
        if not isinstance(dtype, nw.Datetime):
            raise SchemaError(f"{where} holds {dtype}, but a moment is a timestamp with a time zone")
    if column.kind == "text" and not isinstance(dtype, _TEXTS):
        raise SchemaError(f"{where} holds {dtype}, but must be text: in codes and ids leading zeros count")
    numbers = (*_INTEGERS, nw.Float64) if gaps_are_floats else _INTEGERS
    if column.kind == "integer" and not isinstance(dtype, numbers):
        raise SchemaError(f"{where} holds {dtype}, but must be whole numbers")


def _refuse_nulls(frame: Any, columns: tuple[Column, ...], what: str) -> None:
    wrapped = nw.from_native(frame, eager_only=True)
    for column in columns:
        missing = 0 if column.nullable else wrapped[column.name].null_count()
        if missing:
            raise SchemaError(f"{what}: column {column.name!r} is missing in {missing} rows, and may never be")


def _pandas(frame: Any, columns: tuple[Column, ...]) -> Any:
    import pandas as pd
    import pyarrow as pa

    made: dict[str, Any] = {}
    for column in columns:
        values = frame[column.name].reset_index(drop=True)
        if column.kind == "moment":
            moments = _pandas_moments(values)
            made[column.name] = moments
            made[MICROSECONDS[column.name]] = _pandas_integers(pa.array(moments).cast(pa.int64()))
        elif column.kind == "integer":
            try:
                # Whole numbers with gaps are floats in pandas; a fraction is refused here.
                made[column.name] = _pandas_integers(pa.array(values, from_pandas=True).cast(pa.int64()))
            except pa.ArrowException:
                raise SchemaError(f"column {column.name!r} must be whole numbers") from None
        else:
            # Missing values stay missing; categories become what they stand for.
            made[column.name] = values if str(values.dtype) in _PANDAS_TEXTS else values.astype("str")
    return pd.DataFrame(made)


_PANDAS_TEXTS = ("str", "string", "string[pyarrow]", "large_string[pyarrow]")


def _pandas_integers(values: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    # Arrow's integers: pandas' own nullable ones fail when they are shifted within a group.
    return pd.Series(pd.array(values, dtype=pd.ArrowDtype(pa.int64())))


def _pandas_moments(values: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    if isinstance(values.dtype, pd.ArrowDtype):
        moments = pa.array(values).cast(pa.timestamp("us", "UTC"), safe=False)
        return pd.Series(pd.array(moments, dtype=pd.ArrowDtype(moments.type)))
    if not isinstance(values.dtype, pd.DatetimeTZDtype):
        # Nothing but nulls, of whatever type: moments are not to be had from it by a cast.
        return pd.Series([pd.NaT] * len(values), dtype="datetime64[us, UTC]")
    return values.dt.tz_convert("UTC").dt.as_unit("us")


def _polars(frame: Any, columns: tuple[Column, ...]) -> Any:
    utc = nw.Datetime("us", "UTC")
    made: list[nw.Expr] = []
    for column in columns:
        value = nw.col(column.name)
        if column.kind == "moment":
            made.append(value.cast(utc))
            made.append(value.cast(utc).cast(nw.Int64).alias(MICROSECONDS[column.name]))
        else:
            made.append(value.cast(nw.String if column.kind == "text" else nw.Int64))
    return nw.from_native(frame).select(made).to_native()


def _duckdb(relation: duckdb.DuckDBPyRelation, columns: tuple[Column, ...]) -> Any:
    return relation.project(", ".join(duckdb_expressions(columns)))


def duckdb_expressions(columns: tuple[Column, ...], *, counted: bool = False) -> list[str]:
    """Write the declared shape as DuckDB's expressions.

    Parameters
    ----------
    columns
        The declared shape.
    counted
        Whether moments come as microseconds since 1970 UTC, as a store has them, and not as timestamps.
    """
    made: list[str] = []
    types = {"text": "VARCHAR", "integer": "BIGINT"}
    for column in columns:
        name = f'"{column.name}"'
        if column.kind != "moment":
            made.append(f"CAST({name} AS {types[column.kind]}) AS {name}")
        elif counted:
            made += [f"make_timestamptz({name}) AS {name}", f"{name} AS {MICROSECONDS[column.name]}"]
        else:
            made.append(f"CAST({name} AS TIMESTAMPTZ) AS {name}")
            made.append(f"epoch_us(CAST({name} AS TIMESTAMPTZ)) AS {MICROSECONDS[column.name]}")
    return made


def _spark(frame: Any, columns: tuple[Column, ...]) -> Any:
    zone = frame.sparkSession.conf.get("spark.sql.session.timeZone")
    if zone != "UTC":
        # Spark tells moments in the zone of its session, and the model writes its own in UTC beside them.
        raise SchemaError(
            f"Spark's session lies in the time zone {zone!r}; before loading say "
            'spark.conf.set("spark.sql.session.timeZone", "UTC")'
        )
    made: list[str] = []
    types = {"text": "string", "integer": "bigint", "moment": "timestamp"}
    for column in columns:
        made.append(f"CAST({column.name} AS {types[column.kind]}) AS {column.name}")
        if column.kind == "moment":
            made.append(f"unix_micros(CAST({column.name} AS timestamp)) AS {MICROSECONDS[column.name]}")
    return frame.selectExpr(*made)
