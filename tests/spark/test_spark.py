"""The same functions on Apache Spark: a real master and two workers give what DuckDB gives."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from tests.verify_analytics.conftest import rows_of
from tests.verify_analytics.metrics.everywhere.conftest import REGISTRY
from verify_analytics import load, model
from verify_analytics.errors import DoubtfulWarning

pytestmark = [
    pytest.mark.spark,
    # The simulator's application has a wrong clock now and then.
    pytest.mark.filterwarnings(f"ignore:.*a clock is wrong:{DoubtfulWarning.__module__}.DoubtfulWarning"),
]


def test_two_workers_are_there(cluster: Any) -> None:
    assert cluster.alive() == 2


@pytest.mark.parametrize("table", ["callbacks", "attempts", "sessions"])
def test_the_frames_are_the_same(table: str, read: Callable[..., Any]) -> None:
    by = {"callbacks": "arrival_id", "attempts": "key", "sessions": "session_id"}[table]
    found, expected = (rows_of(getattr(read(engine), table), by) for engine in ("spark", "duckdb"))
    assert len(found) > 400
    assert found == expected


@pytest.mark.parametrize("metric", REGISTRY)
def test_the_numbers_are_the_same(metric: str, read: Callable[..., Any]) -> None:
    options = REGISTRY[metric].options[-1]
    found, expected = (REGISTRY[metric].ask(read(engine), **options) for engine in ("spark", "duckdb"))
    assert len(expected) > 0 or REGISTRY[metric].may_be_empty
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-9)
