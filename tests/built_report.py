"""A small simulated store, and one report on it that all tests read; fixtures for whoever asks for them."""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from verify_analytics import report, simulate

AS_OF = "2026-10-29T00:00Z"


@pytest.fixture(scope="session")
def tables() -> dict[str, pd.DataFrame]:
    """Callbacks, verifications and pulse of a few days, with an outage, redeliveries and unlisted statuses."""
    features = simulate.Features(outage_minutes=(31,), odd_status=0.02, redelivered=0.05, clock_faults=0.01)
    end = datetime(2026, 10, 29, tzinfo=UTC)
    return simulate.history(400, seed=7, end=end, days=3, features=features).frames()


def write(tables: dict[str, pd.DataFrame], folder: Path) -> Path:
    """Keep tables as a folder of Parquet files; gives the file of callbacks."""
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    return folder / "callbacks.parquet"


@pytest.fixture(scope="session")
def store(tables: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tables, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def built(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report, made once for all processes that run tests beside each other."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    made = shared / "built-report"
    with (shared / "built-report.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            report.build(store, as_of=AS_OF, out=made)
    return made
