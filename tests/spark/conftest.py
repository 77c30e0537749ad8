"""One cluster for all tests of this folder, and the sample read by its two workers and by DuckDB."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.spark_cluster import NoClusterError, SparkCluster
from tests.verify_analytics.metrics.everywhere.conftest import Given
from verify_analytics import load, model

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
TABLES = ("callbacks", "verifications", "pulse")
BRING: tuple[Any, ...] = (load.callbacks, load.verifications, load.pulse)
# In the middle of traffic, so that some are young.
AS_OF = "2026-10-28T19:07Z"


@pytest.fixture(scope="module")
def cluster() -> Iterator[SparkCluster]:
    """Give a master with two workers."""
    try:
        made = SparkCluster()
    except NoClusterError as reason:
        pytest.skip(str(reason))
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def spark(cluster: SparkCluster, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give a session on it; plans are compiled in a full run."""
    made = cluster.session(compiled=request.config.getoption("--full"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def read(spark: Any) -> Callable[[str], Given]:
    """Read the sample in Spark or in DuckDB, once."""

    @cache
    def give(engine: str) -> Given:
        files = [str(SAMPLE / f"{table}.parquet") for table in TABLES]
        if engine == "spark":
            tables = [spark.read.parquet(file) for file in files]
        else:
            tables = [load.connection().read_parquet(file) for file in files]
        callbacks, told, pulse = (load.keep(bring(table)) for bring, table in zip(BRING, tables, strict=True))
        attempts = load.keep(model.attempts(callbacks, as_of=AS_OF, verifications=told, pulse=pulse))
        return Given(engine, callbacks, told, pulse, attempts, load.keep(model.sessions(attempts)), AS_OF)

    return give
