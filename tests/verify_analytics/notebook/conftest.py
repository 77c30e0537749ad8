"""Small frames as metrics give them, and stores of a few sessions."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from verify_analytics import notebook
from verify_analytics.notebook import Study

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "data" / "sample"
AS_OF = "2026-10-29T00:00Z"


@pytest.fixture(scope="session")
def study() -> Study:
    """The sample, folded once."""
    return notebook.study(str(SAMPLE / "callbacks.parquet"), as_of=AS_OF)


@pytest.fixture(scope="session")
def some_of_the_sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a store of the sample's callbacks that fulfil a condition."""

    def made(condition: str) -> Path:
        file = tmp_path_factory.mktemp("store") / "callbacks.parquet"
        chosen = duckdb.connect().read_parquet(str(SAMPLE / "callbacks.parquet")).filter(condition)
        chosen.write_parquet(str(file))
        return file

    return made


@pytest.fixture
def rates() -> pd.DataFrame:
    """Three groups: a large one, a small one, and one without cases."""
    nan = float("nan")
    return pd.DataFrame(
        {
            "channel": ["sms", "voice", "<b>pigeon\x07</b>"],
            "measure": "confirmed",
            "count": [91_240, 4, 0],
            "n": [100_000, 8, 0],
            "rate": [0.9124, 0.5, nan],
            "low": [0.9012, 0.2152, nan],
            "high": [0.9234, 0.7848, nan],
            "interval": ["wilson", "wilson", "none"],
            "immature": [5, 5, 5],
            "as_of": pd.Timestamp("2026-10-29T00:00Z"),
            "patience_seconds": 900.0,
            "small": [False, True, True],
        }
    )
