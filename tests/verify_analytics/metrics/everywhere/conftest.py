"""Every public metric with what it takes and how it is asked, for what must hold of them all.

A metric that is not in `REGISTRY` fails `test_same_everywhere.py`. To add one: a line that asks it of `Given`, some
options beside none, and where its rows add up to all attempts or sessions, `Whole`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from verify_analytics import load, metrics, model


class Given(NamedTuple):
    """What an analyst has in hand, all of one engine; `engine` is its name."""

    engine: str
    callbacks: Any
    verifications: Any
    pulse: Any
    attempts: Any
    sessions: Any
    as_of: str


class Whole(NamedTuple):
    """Rows of these measures (one per group) whose `n` with what was left out are all units of a grain."""

    grain: str
    measures: tuple[str, ...]
    left_out: tuple[str, ...] = ("immature", "unobserved", "unknown")


class Metric(NamedTuple):
    """How a metric is asked, by which options (the last are asked of filtered frames too), and what adds up."""

    ask: Callable[..., pd.DataFrame]
    options: tuple[Mapping[str, Any], ...] = ({},)
    whole: tuple[Whole, ...] = ()
    # Lists only what is wrong, so that it may have no row.
    may_be_empty: bool = False


def of_attempts(name: str) -> Callable[..., pd.DataFrame]:
    return lambda given, **options: getattr(metrics, name)(given.attempts, **options)


def of_sessions(name: str) -> Callable[..., pd.DataFrame]:
    return lambda given, **options: getattr(metrics, name)(given.sessions, **options)


def of_callbacks(name: str) -> Callable[..., pd.DataFrame]:
    return lambda given, **options: getattr(metrics, name)(given.callbacks, as_of=given.as_of, **options)


def of_pulse(name: str) -> Callable[..., pd.DataFrame]:
    return lambda given, **options: getattr(metrics, name)(given.pulse, as_of=given.as_of, **options)


def watched_over(given: Given, **options: Any) -> pd.DataFrame:
    return metrics.webhook_health(given.callbacks, as_of=given.as_of, pulse=given.pulse, **options)


def listed(given: Given) -> pd.DataFrame:
    return metrics.unlawful(given.attempts, what="sequence_jump")


def compared(given: Given, **options: Any) -> pd.DataFrame:
    """Compare figures with themselves, so that every row has its fellow."""
    frame = metrics.delivery_rate(given.attempts, by="channel")
    return metrics.compare(frame, frame, **options)


SPLIT: Mapping[str, Any] = {"by": "country", "top": 2, "totals": True, "cluster": "recipient"}
LOCAL: Mapping[str, Any] = {**SPLIT, "by": ["country", "local_hour"]}
NOT_WATCHED = ("unobserved", "unknown", "not_observable", "clock_faults")
SEEN_BY_SOURCE = ("immature", "unobserved", "unknown", "not_observable")

REGISTRY = {
    "clock_faults": Metric(of_sessions("clock_faults"), may_be_empty=True),
    "collector_gaps": Metric(of_pulse("collector_gaps"), may_be_empty=True),
    "collector_health": Metric(of_pulse("collector_health"), ({}, {"by": "day", "totals": True})),
    "compare": Metric(compared, ({}, {"adjust": "holm"})),
    "completeness": Metric(of_attempts("completeness"), ({}, SPLIT), (Whole("attempts", ("whole",)),)),
    "delivery_rate": Metric(
        of_attempts("delivery_rate"),
        ({}, {"by": ["role", "month"]}, LOCAL),
        (Whole("attempts", ("confirmed",)),),
    ),
    "error_codes": Metric(of_attempts("error_codes"), ({}, {"by": ["channel", "week"], "totals": True}, SPLIT)),
    "funnel": Metric(of_attempts("funnel"), ({}, SPLIT), (Whole("sessions", ("verified",), SEEN_BY_SOURCE),)),
    "lawful_order": Metric(of_attempts("lawful_order"), ({}, SPLIT)),
    "receipt_trust": Metric(of_attempts("receipt_trust"), ({}, SPLIT)),
    "retries": Metric(
        of_attempts("retries"),
        ({}, SPLIT),
        (Whole("sessions", ("reaches_attempt_2",)), Whole("sessions", ("verified_before_attempt_2",), SEEN_BY_SOURCE)),
    ),
    "time_to_deliver": Metric(
        of_attempts("time_to_deliver"),
        # The sample's carriers send too few receipts for the usual floor.
        ({"floor": 0.5}, {"floor": 0.5, "by": ["country", "week"]}),
        (Whole("attempts", ("within_60s", "not_observable"), NOT_WATCHED),),
    ),
    "time_to_verify": Metric(
        of_sessions("time_to_verify"),
        ({}, {"by": ["country", "week"]}),
        (Whole("sessions", ("within_60s", "not_observable"), (*SEEN_BY_SOURCE, "clock_faults")),),
    ),
    "transitions": Metric(of_callbacks("transitions"), may_be_empty=True),
    "unlawful": Metric(listed, may_be_empty=True),
    "verification_rate": Metric(
        of_sessions("verification_rate"), ({}, SPLIT), (Whole("sessions", ("verified",), SEEN_BY_SOURCE),)
    ),
    "webhook_health": Metric(watched_over, ({}, {"by": "channel", "totals": True})),
    "when_to_switch": Metric(of_sessions("when_to_switch"), ({}, {"by": "first_channel"})),
}


@pytest.fixture(scope="session")
def registry() -> Mapping[str, Metric]:
    return REGISTRY


@pytest.fixture(scope="session", params=REGISTRY)
def metric(request: pytest.FixtureRequest) -> Metric:
    """Every metric in turn."""
    return REGISTRY[request.param]


def polars(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table))


def numpy_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame types of numpy alone: whole numbers are floats where one is missing, text is objects."""
    made = {}
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_bool_dtype(values.dtype):
            values = values.astype("bool")
        elif pd.api.types.is_integer_dtype(values.dtype):
            values = values.astype("float64" if values.isna().any() else "int64")
        elif isinstance(values.dtype, pd.StringDtype):
            values = values.astype(object).where(values.notna(), None)
        made[name] = values
    return pd.DataFrame(made, index=frame.index)


# How a table of Arrow enters the engine, and what an analyst may turn the model's frames into.
INTO: dict[str, tuple[Callable[[pa.Table], Any], Callable[[Any], Any]]] = {
    "polars": (polars, lambda frame: frame),
    "pandas": (lambda table: table.to_pandas(), lambda frame: frame),
    "pandas-numpy": (lambda table: table.to_pandas(), numpy_types),
    "pandas-nullable": (
        lambda table: table.to_pandas(),
        lambda frame: frame.convert_dtypes(dtype_backend="numpy_nullable"),
    ),
    "pandas-arrow": (lambda table: table.to_pandas(types_mapper=pd.ArrowDtype), lambda frame: frame),
    "duckdb": (lambda table: load.keep(load.connection().from_arrow(table)), load.keep),
}


def given_of(
    engine: str, callbacks: pa.Table, verifications: pa.Table | None, pulse: pa.Table | None, *, as_of: str
) -> Given:
    """Carry tables into an engine and read attempts and sessions there."""
    into, turned = INTO[engine]
    loaded = load.callbacks(into(callbacks))
    said = None if verifications is None else load.verifications(into(verifications))
    watched = None if pulse is None else load.pulse(into(pulse))
    attempts = model.attempts(loaded, as_of=as_of, verifications=said, pulse=watched)
    kept = load.keep(attempts) if engine == "duckdb" else attempts
    return Given(engine, loaded, said, watched, turned(kept), turned(model.sessions(kept)), as_of)


@pytest.fixture(scope="session", name="given_of")
def _given_of() -> Callable[..., Given]:
    return given_of
