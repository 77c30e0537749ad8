"""Every notebook answers its question on the sample and on any store, and is kept thin and without outputs."""

import json
from pathlib import Path

import pytest

from tests.notebooks.running import NOTEBOOKS, ROOT, cells, inside, shown_by
from verify_analytics import charts, notebook
from verify_analytics.errors import DoubtfulWarning

EACH = pytest.mark.parametrize("book", NOTEBOOKS, ids=lambda path: path.stem)


def but_for(*names: str) -> pytest.MarkDecorator:
    """Give these notebooks in every run, and the others in a full one."""
    books = [book if book.stem in names else pytest.param(book, marks=pytest.mark.full) for book in NOTEBOOKS]
    return pytest.mark.parametrize("book", books, ids=lambda path: path.stem)


DOUBTS = f"ignore::{DoubtfulWarning.__module__}.DoubtfulWarning"
QUESTIONS = ["01", "02", "03", "04", "05", "06", "07", "_t"]
PARAMETERS = {"store", "as_of", "since", "until", "patience", "window", "out"}


def test_there_is_one_for_each_question_and_a_template() -> None:
    assert [notebook.name[:2] for notebook in NOTEBOOKS] == QUESTIONS


@EACH
@pytest.mark.filterwarnings(DOUBTS)
def test_answers_on_the_sample(book: Path) -> None:
    shown = shown_by(book, pictures=False)
    assert len([each for each in shown if isinstance(each, charts.Chart)]) >= 1
    assert repr(shown[-1]) == "Nothing was written: give out= a folder."


@but_for("_template")
@pytest.mark.filterwarnings(DOUBTS)
def test_exports_what_it_showed(book: Path, tmp_path: Path) -> None:
    shown = shown_by(book, {"out": str(tmp_path / "figures")}, pictures=False)
    kinds = {path.suffix for path in (tmp_path / "figures").iterdir()}
    assert kinds == {".png", ".svg", ".csv"}
    assert str(tmp_path) in repr(shown[-1])


@but_for("01-first-look", "05-time-to-verify", "07-compare-two-periods")
@pytest.mark.filterwarnings(DOUBTS)
def test_says_so_where_nothing_happened_in_the_period(book: Path) -> None:
    quiet = {"since": "2026-10-01T00:00Z", "border": "2026-10-02T00:00Z", "until": "2026-10-03T00:00Z"}
    shown = shown_by(book, quiet, pictures=False)
    drawn = [each for each in shown if isinstance(each, charts.Chart)]
    assert drawn
    assert all(len(chart.alt) > len(chart.title) + 10 for chart in drawn)


@EACH
def test_is_kept_without_outputs(book: Path) -> None:
    code = [cell for cell in json.loads(book.read_text())["cells"] if cell["cell_type"] == "code"]
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]]


@EACH
def test_takes_the_parameters_first_and_exports_last_and_is_thin_between(book: Path) -> None:
    code = [cell for cell in cells(book) if cell.kind == "code"]
    assert code[0].tags == ("parameters",)
    assert code[-1].tags == ("export",)
    named = {line.split(" = ")[0] for line in code[0].source.splitlines() if " = " in line}
    assert named >= PARAMETERS
    assert all(len(cell.source.splitlines()) <= 30 for cell in code)
    assert not [cell for cell in code if "def " in cell.source or "lambda" in cell.source]
    # Thinking aloud: there is as much text as code.
    assert sum(cell.kind == "markdown" for cell in cells(book)) >= len(code) / 3


@EACH
def test_links_lead_somewhere(book: Path) -> None:
    for cell in cells(book):
        for target in [part.split(")")[0] for part in cell.source.split("](")[1:]] if cell.kind == "markdown" else []:
            assert (book.parent / target).exists(), target


@pytest.mark.filterwarnings(DOUBTS)
def test_what_the_first_notebook_shows_is_what_a_browser_can_show() -> None:
    assert shown_by(NOTEBOOKS[0])


@pytest.mark.parametrize("folder", [ROOT, ROOT / "notebooks"], ids=["root", "notebooks"])
def test_the_store_is_found_from_the_folder_of_the_notebook_and_from_the_root(folder: Path) -> None:
    with inside(folder):
        found = notebook.study("data/sample/callbacks.parquet", as_of="2026-10-29T00:00Z")
    assert found.summary == "423 sessions, with 546 attempts; as of 2026-10-29 00:00 UTC."
