"""Every public metric gives the same numbers wherever the data lie, also on what an analyst has cut and sorted."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from verify_analytics import metrics
from verify_analytics.errors import DoubtfulWarning

# The simulator's application has a wrong clock now and then.
pytestmark = pytest.mark.filterwarnings(f"ignore:.*a clock is wrong:{DoubtfulWarning.__module__}.DoubtfulWarning")
SAMPLE = Path(__file__).parents[4] / "data" / "sample"
# In the middle of traffic, so that some are young.
AS_OF = "2026-10-28T19:07Z"
KEPT = ["US", "GB", "IN"]


@pytest.fixture(scope="module")
def read(given_of: Callable[..., Any]) -> Callable[[str], Any]:
    """Read the sample in an engine, once."""
    tables = [pq.read_table(SAMPLE / f"{name}.parquet") for name in ("callbacks", "verifications", "pulse")]
    made: dict[str, Any] = {}

    def give(engine: str) -> Any:
        if engine not in made:
            made[engine] = given_of(engine, *tables, as_of=AS_OF)
        return made[engine]

    return give


def cut(frame: Any) -> Any:
    """Keep some countries, and turn the rows around where they have an order, in the engine's own words."""
    if isinstance(frame, pd.DataFrame):
        return frame[frame["country"].isin(KEPT)].iloc[::-1]
    if isinstance(frame, pl.DataFrame):
        return frame.filter(pl.col("country").is_in(KEPT))
    return frame.filter("country IN ('US', 'GB', 'IN')").order("session_id DESC")


@pytest.mark.parametrize("filtered", [False, True], ids=["whole", "filtered"])
def test_the_numbers_are_the_same(metric: Any, engine_name: str, filtered: bool, read: Callable[[str], Any]) -> None:
    ours, theirs = read(engine_name), read("polars")
    if filtered:
        ours, theirs = (
            each._replace(**{name: cut(getattr(each, name)) for name in ("callbacks", "attempts", "sessions")})
            for each in (ours, theirs)
        )
    for options in metric.options:
        found, expected = metric.ask(ours, **options), metric.ask(theirs, **options)
        assert len(expected) > 0 or metric.may_be_empty
        pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-9)


def test_every_metric_is_in_the_registry(registry: Mapping[str, Any]) -> None:
    assert set(registry) == set(metrics.__all__)
