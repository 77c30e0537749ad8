"""Small frames in every engine, and one way to look at what comes out of any of them.

Spark joins by one more entry in `ENGINES`.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from verify_analytics import load, model
from verify_analytics.model.columns import Column, with_microseconds
from verify_analytics.report.drawing import Picture, Task

START = datetime(2026, 9, 1, 12, tzinfo=UTC)
_ARROW = {"text": pa.string(), "integer": pa.int64(), "moment": pa.timestamp("us", "UTC")}

Row = dict[str, Any]


def arrow(rows: Iterable[Mapping[str, Any]], columns: tuple[Column, ...]) -> pa.Table:
    """Make a typed table of rows; moments are given as they are or as seconds after `START`."""
    kept = list(rows)
    return pa.table(
        {c.name: pa.array([_moment(row[c.name], c) for row in kept], _ARROW[c.kind]) for c in columns},
    )


def _moment(value: Any, column: Column) -> Any:
    if column.kind == "moment" and isinstance(value, int | float):
        return START + timedelta(seconds=value)
    return value


@pytest.fixture(name="arrow")
def _arrow() -> Callable[..., pa.Table]:
    return arrow


class Engine(NamedTuple):
    """One way to hold a dataframe."""

    name: str
    make: Callable[[pa.Table], Any]

    def of(self, table: pa.Table) -> Any:
        """Carry any table into this engine, with integers as `load` makes them."""
        made = self.make(table)
        if isinstance(made, pd.DataFrame):
            whole = [name for name in table.column_names if pa.types.is_integer(table.schema.field(name).type)]
            return made.astype(dict.fromkeys(whole, "int64[pyarrow]"))
        return made

    def callbacks(self, rows: Iterable[Mapping[str, Any]]) -> Any:
        return load.callbacks(self.make(arrow(rows, model.CALLBACKS)))

    def verifications(self, rows: Iterable[Mapping[str, Any]]) -> Any:
        return load.verifications(self.make(arrow(rows, model.VERIFICATIONS)))

    def pulse(self, minutes: Iterable[int], collector: str = "serve") -> Any:
        """Give a pulse in these minutes after `START`."""
        counts = dict.fromkeys(("accepted", "repeated", "quarantined", "refused"), 0)
        rows = [{"collector": collector, "minute": 60 * m, **counts, "refused_by": "{}"} for m in minutes]
        return load.pulse(self.make(arrow(rows, model.PULSE)))


ENGINES = {
    "pandas": lambda table: table.to_pandas(),
    "pandas-arrow": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "polars-lazy": lambda table: pl.DataFrame(pl.from_arrow(table)).lazy(),
    "duckdb": lambda table: load.keep(load.connection().from_arrow(table)),
}


# Cases that are many run on these by default; lazy Polars and pandas, in whose frames each metric is compared in
# `metrics/everywhere`, join them in a full run.
FEW = ("polars", "duckdb")
MOSTLY_FEW = [name if name in FEW else pytest.param(name, marks=pytest.mark.full) for name in ENGINES]


@pytest.fixture(params=MOSTLY_FEW)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn; pandas and lazy Polars only in a full run."""
    return Engine(request.param, ENGINES[request.param])


@pytest.fixture(params=MOSTLY_FEW)
def everywhere(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn, for rooms in which `engine` is something else."""
    return Engine(request.param, ENGINES[request.param])


@pytest.fixture
def quick() -> Engine:
    """Give the engine that is fastest on five rows, for what does not depend on the engine."""
    return Engine("polars", ENGINES["polars"])


class Undrawn:
    """Stands where charts are drawn, for tests that read words and figures: drawing takes most of a report's time."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, task: Task) -> None:
        self._names.append(task.name)

    def pictures(self, _: Callable[[str], None]) -> dict[str, Picture]:
        return {name: Picture("<svg/>", "<svg/>", b"") for name in self._names}


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make reports without drawing their charts."""
    # The room's name for the module is that of the function in it.
    monkeypatch.setattr(importlib.import_module("verify_analytics.report.build"), "Studio", Undrawn)


def rows_of(native: Any, by: str | list[str] | None = None) -> list[Row]:
    """Give any frame as plain rows in a canonical order, null as None."""
    frame = nw.from_native(native)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect(backend="pyarrow")
    # Polars divides by a constant by multiplying with its inverse, so the last bit of seconds may differ.
    rows = [
        {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}
        for row in frame.to_arrow().to_pylist()
    ]
    keys = [by] if isinstance(by, str) else by or []
    return sorted(rows, key=lambda row: tuple(str(row[key]) for key in keys))


def kept(native: Any) -> Any:
    """Work a frame of DuckDB out once, for tests that look at it more than once; planning costs more than five rows."""
    return load.keep(native) if type(native).__name__ == "DuckDBPyRelation" else native


@pytest.fixture(name="rows_of")
def _rows_of() -> Callable[..., list[Row]]:
    return rows_of


def callback(at: float, status: str | None = None, **more: Any) -> Row:
    """Make a callback of SMS attempt a1 of session s1, received so many seconds after `START`."""
    row: Row = {
        "received_at": at,
        "provider": "plivo",
        "session_id": "s1",
        "session_status": "in-progress",
        "attempt_id": "a1",
        "attempt_sequence": 1,
        "channel": "sms",
        "channel_status": status,
        "error_code": None,
        "requested_at": 0,
        "recipient_key": "k:1",
        "country": "GB",
        "number_block": "447000",
        "proof": "v2",
        "extra": None,
    }
    assert not set(more) - {*row, "arrival_id", "digest"}
    row |= more
    # What is received twice at one moment with one content is one arrival.
    content = "|".join(str(value) for name, value in row.items() if name not in {"received_at", "arrival_id"})
    return {"digest": f"1:{content}", "arrival_id": f"{at}|{content}"} | row


@pytest.fixture(name="callback")
def _callback() -> Callable[..., Row]:
    return callback


@pytest.fixture
def after() -> Callable[[float], datetime]:
    """Give the moment so many seconds after the start of every small history."""
    return lambda seconds: START + timedelta(seconds=seconds)


@pytest.fixture
def kinds() -> Callable[[Any], dict[str, str]]:
    """Name the kind of each column of a frame."""
    names = {nw.String: "text", nw.Int64: "integer", nw.Boolean: "flag", nw.Float64: "real"}

    def look(native: Any) -> dict[str, str]:
        schema = nw.from_native(native).collect_schema()
        return {
            name: "moment" if dtype == nw.Datetime("us", "UTC") else names.get(type(dtype), str(dtype))
            for name, dtype in schema.items()
        }

    return look


@pytest.fixture
def declared() -> Callable[[tuple[Column, ...]], dict[str, str]]:
    """Name the kind of each column that a shape declares, as it leaves `load`."""
    return lambda columns: {column.name: column.kind for column in with_microseconds(columns)}
