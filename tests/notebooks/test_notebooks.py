"""Every notebook runs from top to bottom on the sample, on other stores and on an empty one, and is kept in order.

Most run in this process, one after the other, for a kernel needs seconds to start: the cells are the same. One runs as
users run it unattended, by papermill in a kernel of its own.
"""

import atexit
import json
import os
import re
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from tests.verify_analytics.load.conftest import SCHEMA
from verify_analytics import charts, notebook
from verify_analytics.errors import DoubtfulWarning
from verify_analytics.notebook import Shown, Written

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SAMPLE = ROOT / "data" / "sample"
PARAMETERS = ("store", "since", "until", "as_of", "patience", "window", "narrow", "out")
# A cell that one sees at once, and a line that does not run out of it.
MOST_LINES, LONGEST_LINE = 20, 120
MOMENTS = {"received_at", "requested_at", "verified_at", "minute"}
LINK = re.compile(r"\]\(([^)#\s]+)\)")


def cells(path: Path, kind: str = "code") -> list[dict[str, Any]]:
    book = json.loads(path.read_text())
    return [{**cell, "source": "".join(cell["source"])} for cell in book["cells"] if cell["cell_type"] == kind]


def named(path: Path) -> str:
    return path.stem


each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=named)


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    """One shell for all notebooks; what cells show is not drawn, for that is what takes long."""
    made: Any = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))  # type: ignore[no-untyped-call]
    made.display_formatter.active_types = ["text/plain"]
    made.display_formatter.mimebundle_formatter.enabled = False
    yield made
    # A shell takes the place of __main__, without which nothing starts a process of its own.
    made.restore_sys_module_state()
    made.atexit_operations()
    atexit.unregister(made.atexit_operations)


@pytest.fixture(scope="module")
def folded() -> Callable[..., Any]:
    """Open each study once: the notebooks ask for the same one."""
    return cache(notebook.study)


@pytest.fixture
def run(shell: Any, folded: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[object]]:
    """Run a notebook with other parameters, and give what its cells showed."""

    def all_cells(path: Path, **parameters: Any) -> list[object]:
        monkeypatch.chdir(ROOT / "notebooks")
        monkeypatch.setattr(notebook, "study", folded)
        shell.reset(new_session=True)
        shown = []
        for cell in cells(path):
            with capture_output(), warnings.catch_warnings():
                warnings.simplefilter("error")
                # What cannot be seen in a small store is said; on the sample nothing is doubtful but this.
                warnings.simplefilter("ignore", DoubtfulWarning)
                warnings.simplefilter("ignore", ResourceWarning)
                result = shell.run_cell(cell["source"])
            if "parameters" in cell["metadata"].get("tags", []):
                shell.user_ns.update(parameters)
            error = result.error_before_exec or result.error_in_exec
            assert error is None, f"{path.stem}, cell {cell['id']}: {type(error).__name__}: {error}"
            shown.append(result.result)
        return shown

    return all_cells


@each_notebook
def test_runs_from_top_to_bottom(path: Path, run: Callable[..., list[object]]) -> None:
    shown = run(path, out=None)
    assert [each for each in shown if isinstance(each, charts.Chart)], "no chart was shown"
    assert [each for each in shown if isinstance(each, Shown)], "no table was shown"
    assert isinstance(shown[-1], Written)


# The others do not differ in kind: a study without sessions, and a comparison of which one side has none.
QUICK = {(0, "01-first-look"), (4, "07-compare-two-periods")}


@pytest.mark.parametrize(
    ("sessions", "path"),
    [
        pytest.param(many, path, id=f"{many}-{path.stem}", marks=[] if (many, path.stem) in QUICK else pytest.mark.full)
        for path in NOTEBOOKS
        for many in (0, 4)
    ],
)
def test_runs_on_a_store_that_is_empty_or_very_small_and_says_so(
    sessions: int, path: Path, run: Callable[..., list[object]], tmp_path: Path
) -> None:
    store = tmp_path / "callbacks.parquet"
    some = f"session_id IN (SELECT session_id FROM rows ORDER BY received_at LIMIT {sessions})"
    ours = duckdb.connect()
    ours.read_parquet(str(SAMPLE / "callbacks.parquet")).create_view("rows")
    ours.sql(f"FROM rows WHERE {some}").write_parquet(str(store))
    shown = run(path, store=str(store), out=None, narrow=True)
    assert ("Only" if sessions else "no callbacks yet") in repr(shown[1])


def test_runs_unattended_by_papermill_on_a_sqlite_store_with_other_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As users do it from the root, in a kernel of its own; what is written is what was asked for."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.chdir(ROOT)
    made = unattended(
        "03-error-codes",
        tmp_path / "made.ipynb",
        store=str(as_sqlite(tmp_path / "store.db")),
        as_of="2026-10-28T00:00Z",
        since="2026-10-24T00:00Z",
        until="2026-10-27T00:00Z",
        patience="20min",
        out=str(tmp_path / "out"),
    )
    outputs = {cell["id"]: cell["outputs"] for cell in made["cells"] if cell["cell_type"] == "code"}
    assert not [each for some in outputs.values() for each in some if each["output_type"] in {"error", "stream"}]
    (said,) = [each["data"]["text/html"] for each in outputs["open"] if each["output_type"] == "execute_result"]
    assert "started from 2026-10-24 00:00 UTC before 2026-10-27 00:00 UTC" in "".join(said)
    assert "patience 20min" in "".join(said)
    (drawn,) = outputs["pareto"]
    assert drawn["data"]["image/png"]
    assert drawn["metadata"]["image/png"]["alt"]
    assert {file.suffix for file in (tmp_path / "out").iterdir()} == {".png", ".svg", ".csv"}


def unattended(name: str, made: Path, **parameters: str) -> dict[str, Any]:
    """Run papermill's own command."""
    given = [word for key, value in parameters.items() for word in ("-p", key, value)]
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", f"notebooks/{name}.ipynb", str(made), *given]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    read: dict[str, Any] = json.loads(made.read_text())
    return read


def as_sqlite(file: Path) -> Path:
    """Make a collector's store of the sample."""
    ours = duckdb.connect()
    with closing(sqlite3.connect(file)) as store:
        store.executescript(SCHEMA)
        for table in ("callbacks", "verifications", "pulse"):
            rows = ours.read_parquet(str(SAMPLE / f"{table}.parquet"))
            there = [name for (name,) in store.execute(f"SELECT name FROM pragma_table_info('{table}')")]
            names = [name for name in there if name in rows.columns]
            asked = ", ".join(f"epoch_us({name})" if name in MOMENTS else name for name in names)
            put = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            store.executemany(put, rows.project(asked).fetchall())
        store.commit()
    return file


@each_notebook
def test_is_kept_without_outputs(path: Path) -> None:
    assert not [cell for cell in cells(path) if cell["outputs"] or cell["execution_count"]]


@each_notebook
def test_the_first_cell_holds_the_parameters_and_the_next_opens_the_study(path: Path) -> None:
    first, second, *others = cells(path)
    assert first["metadata"]["tags"] == ["parameters"]
    given: dict[str, object] = {}
    exec(first["source"], given)
    assert [name for name in PARAMETERS if name not in given] == []
    assert str(given["out"]).startswith("data/")
    assert "notebook.study(" in second["source"]
    assert not [cell for cell in others if cell["metadata"].get("tags")]


@each_notebook
def test_the_last_cell_exports_and_the_words_before_it_say_how_to_read_it(path: Path) -> None:
    book = json.loads(path.read_text())["cells"]
    assert "notebook.export(" in "".join(book[-1]["source"])
    assert "".join(book[-2]["source"]).startswith("## How to read this, and what it is not")
    assert "../docs/questions/" in "".join(book[-2]["source"])


@each_notebook
def test_stays_thin(path: Path) -> None:
    for cell in cells(path):
        lines = cell["source"].splitlines()
        assert len(lines) <= MOST_LINES, cell["id"]
        assert max(map(len, lines)) <= LONGEST_LINE, cell["id"]
        assert not re.search(r"^\s*(def|class|for|while|try)\b|lambda", cell["source"], re.MULTILINE), cell["id"]


@each_notebook
def test_one_chart_or_table_a_cell(path: Path) -> None:
    for cell in cells(path)[1:-1]:
        assert cell["source"].count("charts.") - cell["source"].count("import charts") <= 2, cell["id"]
        assert cell["source"].count("notebook.show(") <= 1, cell["id"]


@each_notebook
def test_its_links_lead_somewhere(path: Path) -> None:
    links = [link for cell in cells(path, "markdown") for link in LINK.findall(cell["source"])]
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_first_notebook_leads_to_all_others() -> None:
    words = "".join(cell["source"] for cell in cells(NOTEBOOKS[0], "markdown"))
    assert [path.stem for path in NOTEBOOKS[1:] if path.stem[0].isdigit() and f"({path.name})" not in words] == []
