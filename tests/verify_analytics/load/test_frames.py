"""A dataframe comes back in its own engine, in the declared shape, with whole microseconds beside each moment."""

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from verify_analytics import load, model
from verify_analytics.errors import SchemaError


def test_a_dataframe_comes_back_in_its_own_engine(
    engine: Any, rows: Any, kinds: Any, declared: Any, rows_of: Any, us: Any, after: Any, arrow: Any
) -> None:
    given = engine.make(arrow(rows["callbacks"], model.CALLBACKS))
    loaded = load.callbacks(given)
    assert type(loaded) is type(given)
    assert kinds(loaded) == declared(model.CALLBACKS)
    told = rows_of(loaded, "received_us")
    assert [row["received_us"] for row in told] == [us(1.000001), us(5), us(6)]
    assert [row["requested_us"] for row in told] == [us(0), us(0.999999), None]
    assert [row["requested_at"] for row in told] == [after(0), after(0.999999), None]
    assert [row["attempt_sequence"] for row in told] == [1, 1, None]
    assert [row["country"] for row in told] == ["GB", "GB", None]


def test_loading_twice_is_loading_once(engine: Any, rows: Any, kinds: Any, rows_of: Any) -> None:
    loaded = engine.callbacks(rows["callbacks"])
    again = load.callbacks(loaded)
    assert rows_of(again) == rows_of(loaded)
    assert kinds(again) == kinds(loaded)


def test_reports_and_pulse_may_be_dataframes_too(engine: Any, rows: Any, kinds: Any, declared: Any) -> None:
    assert kinds(engine.verifications(rows["verifications"])) == declared(model.VERIFICATIONS)
    assert kinds(engine.pulse([0, 1])) == declared(model.PULSE)


def test_other_columns_are_left_out(quick: Any, rows: Any, arrow: Any, kinds: Any, declared: Any) -> None:
    given = pl.from_arrow(arrow(rows["callbacks"], model.CALLBACKS)).with_columns(day=pl.lit("2026-09-01"))  # type: ignore[union-attr]
    assert kinds(load.callbacks(given)) == declared(model.CALLBACKS)


@pytest.fixture
def plain(rows: Any, arrow: Any) -> pd.DataFrame:
    """Give a pandas frame as an analyst has it: floats for whole numbers with gaps, objects, nanoseconds, any index."""
    frame = arrow(rows["callbacks"], model.CALLBACKS).to_pandas()
    frame["received_at"] = frame["received_at"].dt.as_unit("ns").dt.tz_convert("America/New_York")
    frame["requested_at"] = frame["requested_at"].dt.as_unit("ms").dt.as_unit("ns")
    frame["channel"] = frame["channel"].astype("category")
    frame["session_status"] = frame["session_status"].astype(object)
    frame["recipient_key"] = None
    frame.index = pd.Index(["x", "x", "y"])
    return pd.DataFrame(frame)


def test_a_pandas_frame_may_be_of_any_making(
    plain: pd.DataFrame, kinds: Any, declared: Any, rows_of: Any, us: Any
) -> None:
    assert plain["attempt_sequence"].dtype == "float64"
    loaded = load.callbacks(plain)
    assert kinds(loaded) == declared(model.CALLBACKS)
    told = rows_of(loaded)
    assert [row["received_us"] for row in told] == [us(1.000001), us(5), us(6)]
    assert [row["channel"] for row in told] == ["sms", "sms", None]
    assert [row["recipient_key"] for row in told] == [None] * 3
    assert [row["attempt_sequence"] for row in told] == [1, 1, None]
    assert [row["session_status"] for row in told] == ["in-progress"] * 3
    model.attempts(loaded, as_of="2026-10-29T00:00Z")


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_frame_that_never_says_when_anything_arrived_is_refused(plain: pd.DataFrame, zone: str | None) -> None:
    plain["received_at"] = pd.Series([pd.NaT] * 3, index=plain.index, dtype="datetime64[ns]").dt.tz_localize(zone)
    with pytest.raises(SchemaError, match="column 'received_at' is missing in 3 rows"):
        load.callbacks(plain)


def test_a_moment_that_is_never_known_needs_no_zone(plain: pd.DataFrame, kinds: Any, declared: Any) -> None:
    plain["requested_at"] = pd.NaT
    assert kinds(load.callbacks(plain)) == declared(model.CALLBACKS)


def test_moments_without_a_zone_are_refused(engine: Any, rows: Any, arrow: Any) -> None:
    made = arrow(rows["callbacks"], model.CALLBACKS)
    naive = made.set_column(1, "received_at", made["received_at"].cast(pa.timestamp("us")))
    with pytest.raises(SchemaError, match="callbacks: column 'received_at' has no time zone"):
        load.callbacks(engine.make(naive))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("received_at", ["2026-09-01T12:00Z"] * 3, "holds String, but a moment is a timestamp with a time zone"),
        ("received_at", [1, 2, 3], "holds Int64, but a moment is a timestamp"),
        ("error_code", [30, None, 10], "but must be text: in codes and ids leading zeros count"),
        ("attempt_sequence", ["1", None, "2"], "holds String, but must be whole numbers"),
        ("attempt_sequence", [True, None, False], "must be whole numbers"),
    ],
)
def test_a_column_of_another_type_is_refused(
    column: str, values: Any, message: str, engine: Any, rows: Any, arrow: Any
) -> None:
    made = arrow(rows["callbacks"], model.CALLBACKS)
    given = made.set_column(made.column_names.index(column), column, pa.array(values))
    with pytest.raises(SchemaError, match=message):
        load.callbacks(engine.make(given))


def test_fractions_are_no_whole_numbers(engine: Any, rows: Any, arrow: Any) -> None:
    made = arrow(rows["callbacks"], model.CALLBACKS)
    halves = made.set_column(made.column_names.index("attempt_sequence"), "attempt_sequence", pa.array([1.5, None, 2]))
    with pytest.raises(SchemaError, match="must be whole numbers"):
        load.callbacks(engine.make(halves))


def test_columns_of_nothing_but_nulls_pass_whatever_their_type(
    engine: Any, rows: Any, arrow: Any, kinds: Any, declared: Any
) -> None:
    made = arrow(rows["callbacks"], model.CALLBACKS)
    for column in ("requested_at", "error_code", "attempt_sequence"):
        made = made.set_column(made.column_names.index(column), column, pa.nulls(3))
    assert kinds(load.callbacks(engine.make(made))) == declared(model.CALLBACKS)


@pytest.mark.parametrize("column", ["arrival_id", "received_at", "session_id"])
def test_what_may_never_be_missing_is_counted_and_refused(
    column: str, quick: Any, plain: pd.DataFrame, rows: Any, arrow: Any
) -> None:
    gap = plain.copy()
    gap[column] = gap[column].where(pd.Series([True, False, False]).to_numpy())
    with pytest.raises(SchemaError, match=f"column '{column}' is missing in 2 rows, and may never be"):
        load.callbacks(gap)


def test_a_frame_without_a_column_is_refused_with_the_nearest_name(engine: Any, rows: Any, arrow: Any) -> None:
    made = arrow(rows["callbacks"], model.CALLBACKS)
    with pytest.raises(SchemaError, match=r"callbacks: no column 'country'; did you mean 'contry'\?"):
        load.callbacks(engine.make(made.rename_columns({"country": "contry"})))


def test_an_engine_that_is_not_supported_is_named() -> None:
    import narwhals as nw

    made = pa.table({column.name: pa.array([], pa.string()) for column in model.CALLBACKS})
    assert nw.from_native(made).implementation.is_pyarrow()
    with pytest.raises(Exception, match="pyarrow frames are not supported; use pandas, Polars or DuckDB"):
        load.callbacks(made)
