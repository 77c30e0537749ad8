"""Unattended: papermill runs a notebook on another store by its parameters, in a kernel of its own."""

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from tests.notebooks.running import ROOT
from tests.verify_analytics.load.conftest import SCHEMA

SAMPLE = ROOT / "data" / "sample"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The sample as a collector's SQLite store."""
    with closing(sqlite3.connect(tmp_path / "callbacks.db")) as database:
        database.executescript(SCHEMA)
        for name in ("callbacks", "verifications", "pulse"):
            table = pd.read_parquet(SAMPLE / f"{name}.parquet")
            moments = table.select_dtypes("datetimetz").columns
            for moment in moments:
                table[moment] = table[moment].astype("int64").where(table[moment].notna()).astype("Int64")
            rows = table.astype(object).where(table.notna(), None)
            marks = ", ".join("?" * len(rows.columns))
            names = ", ".join(rows.columns)
            database.executemany(f"INSERT INTO {name} ({names}) VALUES ({marks})", rows.itertuples(index=False))
        database.commit()
    return tmp_path / "callbacks.db"


def test_papermill_runs_a_notebook_on_a_sqlite_store(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    parameters = {
        "store": str(store),
        "as_of": "2026-10-28T00:00Z",
        "since": "2026-10-24T00:00Z",
        "patience": "20min",
        "out": str(tmp_path / "out"),
    }
    with warnings.catch_warnings():
        # The libraries of Jupyter warn about themselves; the cells run in a kernel of their own.
        warnings.simplefilter("ignore")
        import papermill

        ran = papermill.execute_notebook(
            str(ROOT / "notebooks" / "_template.ipynb"),
            str(tmp_path / "ran.ipynb"),
            parameters=parameters,
            progress_bar=False,
            log_output=False,
        )
    code = [cell for cell in ran.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    said = "".join(str(output.get("data", {}).get("text/plain", "")) for output in outputs)
    assert "from 2026-10-24 00:00 UTC" in said
    assert "as of 2026-10-28 00:00 UTC" in said
    # The bar is one output that was changed in place, not a line for each step.
    told = [output for output in code[2].outputs if "text/html" in output.get("data", {})]
    assert [output["data"]["text/plain"] for output in told][:1] == [
        said.split("as of 2026-10-28 00:00 UTC.")[0] + "as of 2026-10-28 00:00 UTC."
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "answer-figures.csv",
        "answer.png",
        "answer.svg",
    ]
