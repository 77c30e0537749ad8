"""Every public metric gives the same numbers wherever the data lie, also on what an analyst has cut and sorted."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from verify_analytics import load, metrics
from verify_analytics.errors import ArgumentError, DoubtfulWarning
from verify_analytics.load.in_parts import Finished
from verify_analytics.metrics.definitions import DEFINITIONS, undefined

# The simulator's application has a wrong clock now and then.
pytestmark = pytest.mark.filterwarnings(f"ignore:.*a clock is wrong:{DoubtfulWarning.__module__}.DoubtfulWarning")
SAMPLE = Path(__file__).parents[4] / "data" / "sample"
# In the middle of traffic, so that some are young.
AS_OF = "2026-10-28T19:07Z"
KEPT = ["US", "GB", "IN"]
# Every engine but Polars, which the others are measured against.
OTHER_ENGINES = ("pandas", "pandas-numpy", "pandas-nullable", "pandas-arrow", "duckdb")


@pytest.fixture(scope="module")
def read(given_of: Callable[..., Any]) -> Callable[..., Any]:
    """Read the sample in an engine, whole or cut; once."""
    tables = [pq.read_table(SAMPLE / f"{name}.parquet") for name in ("callbacks", "verifications", "pulse")]

    @cache
    def give(engine: str, filtered: bool) -> Any:
        if not filtered:
            return given_of(engine, *tables, as_of=AS_OF)
        whole = give(engine, filtered=False)
        return whole._replace(**{name: cut(getattr(whole, name)) for name in ("callbacks", "attempts", "sessions")})

    return give


@pytest.fixture(scope="module")
def expected(read: Callable[..., Any]) -> Callable[..., pd.DataFrame]:
    """Ask Polars; once."""
    made: dict[str, pd.DataFrame] = {}

    def give(metric: Any, options: Mapping[str, Any], filtered: bool) -> pd.DataFrame:
        asked = f"{id(metric)} {options} {filtered}"
        if asked not in made:
            made[asked] = metric.ask(read("polars", filtered=filtered), **options)
        return made[asked]

    return give


def cut(frame: Any) -> Any:
    """Keep some countries, and turn the rows around where they have an order, in the engine's own words."""
    if isinstance(frame, pd.DataFrame):
        return frame[frame["country"].isin(KEPT)].iloc[::-1]
    if isinstance(frame, pl.DataFrame):
        return frame.filter(pl.col("country").is_in(KEPT))
    return frame.filter("country IN ('US', 'GB', 'IN')").order("session_id DESC")


def by_every_engine(names: tuple[str, ...]) -> list[Any]:
    """Give the engines by name; those that are not among these only in a full run."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.full) for name in OTHER_ENGINES]


# By default pandas whole and DuckDB filtered, by the last and richest options.
@pytest.mark.parametrize("engine_name", by_every_engine(("pandas-numpy",)))
def test_the_numbers_are_the_same(
    metric: Any, engine_name: str, read: Callable[..., Any], expected: Callable[..., pd.DataFrame]
) -> None:
    for options in metric.options if engine_name in ("pandas", "duckdb") else metric.options[-1:]:
        found, asked = metric.ask(read(engine_name, filtered=False), **options), expected(metric, options, False)
        assert len(asked) > 0 or metric.may_be_empty
        pd.testing.assert_frame_equal(found, asked, rtol=0, atol=1e-9)


@pytest.mark.parametrize("engine_name", by_every_engine(("duckdb",)))
def test_the_numbers_of_a_filtered_frame_are_the_same(
    metric: Any, engine_name: str, read: Callable[..., Any], expected: Callable[..., pd.DataFrame]
) -> None:
    options = metric.options[-1]
    found, asked = metric.ask(read(engine_name, filtered=True), **options), expected(metric, options, True)
    assert len(asked) > 0 or metric.may_be_empty
    pd.testing.assert_frame_equal(found, asked, rtol=0, atol=1e-9)


def test_a_word_in_place_of_true_or_false_is_refused(registry: Mapping[str, Any], read: Callable[..., Any]) -> None:
    taking = [name for name in registry if "totals" in inspect.signature(getattr(metrics, name)).parameters]
    assert len(taking) > 10
    for name in taking:
        with pytest.raises(ArgumentError, match="totals is True or False; got str"):
            registry[name].ask(read("polars", filtered=False), totals="no")


def test_who_gives_all_that_was_kept_is_told_which_part_is_meant() -> None:
    kept: Any = Finished(*[load.connection().sql("SELECT 1 AS one")] * 2)
    with pytest.raises(ArgumentError, match=r"got Finished, whose \.attempts is one"):
        metrics.delivery_rate(kept)
    with pytest.raises(ArgumentError, match=r"got Finished, whose \.sessions is one"):
        metrics.verification_rate(kept)


def test_every_metric_is_in_the_registry(registry: Mapping[str, Any]) -> None:
    assert set(registry) == set(metrics.__all__)


# Frames that hold other metrics' measures, or none.
WITHOUT_MEASURES = {"clock_faults", "collector_gaps", "compare", "unlawful"}


def test_every_measure_is_in_the_dictionary(registry: Mapping[str, Any], expected: Callable[..., pd.DataFrame]) -> None:
    for name in sorted(set(registry) - WITHOUT_MEASURES):
        for options in registry[name].options:
            assert undefined(name, expected(registry[name], options, filtered=False)["measure"]) == [], name


def test_every_entry_of_the_dictionary_is_a_measure_of_some_metric(
    registry: Mapping[str, Any], expected: Callable[..., pd.DataFrame]
) -> None:
    """What only a store without pulse, sources or receipts, or one that refused requests, would show is named here."""
    given = {
        name: set(expected(registry[name], registry[name].options[0], filtered=False)["measure"])
        for name in set(registry) - WITHOUT_MEASURES
    }
    unseen = {
        (entry.metric, entry.measure)
        for entry in DEFINITIONS
        if not any(entry.pattern.fullmatch(measure) for measure in given[entry.metric])
    }
    assert {measure for _, measure in unseen} <= {"not_observable", "refused_for"}
