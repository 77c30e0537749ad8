"""What was asked beside: small cells are in no file, blocks of numbers only where they were asked for."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.built_report import AS_OF, write
from verify_analytics import report
from verify_analytics.report.drawing import Picture, Studio, Task, drawn
from verify_analytics.report.readings import by_then
from verify_analytics.report.sections import CHAPTERS

FEW = 10
# No word of the page, of any chart or code, is made of these letters.
PLANTED = "QX"


@pytest.fixture(scope="module")
def discreet(tables: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that hides what is small, on a store in which three sessions are of a country of their own."""
    place = tmp_path_factory.mktemp("discreet")
    callbacks = tables["callbacks"].copy()
    three = callbacks["session_id"].drop_duplicates().iloc[100:103]
    callbacks.loc[callbacks["session_id"].isin(three), "country"] = PLANTED
    where = write({**tables, "callbacks": callbacks}, place / "store")
    return report.build(where, as_of=AS_OF, out=place / "report", min_cell=FEW, number_blocks=True).parent


def texts(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8")
        for file in folder.rglob("*")
        if file.suffix in {".html", ".svg", ".csv"}
    }


def test_a_country_of_few_that_was_planted_is_in_no_file(discreet: Path, built: Path) -> None:
    found = texts(discreet)
    assert len(found) > 40
    assert [name for name, text in found.items() if re.search(rf"\b{PLANTED}\b", text)] == []
    assert set(found) >= set(texts(built))


def test_no_table_tells_of_fewer_than_was_asked(discreet: Path) -> None:
    for file in (discreet / "tables").glob("*.csv"):
        table = pd.read_csv(file)
        for column in ("count", "n", "count_first", "n_first", "count_second", "n_second", "at_risk"):
            if column in table:
                small = table[(table[column] > 0) & (table[column] < FEW)]
                assert small.empty, f"{file.name}: {small}"


def test_the_page_says_that_something_is_hidden_and_how_it_is_made_again(discreet: Path) -> None:
    page = (discreet / "index.html").read_text(encoding="utf-8")
    assert f"Figures of fewer than {FEW} are hidden" in page
    assert f"--min-cell {FEW} --number-blocks --out DIR" in page


def test_blocks_of_numbers_are_there_when_asked_for_and_only_then(discreet: Path, built: Path) -> None:
    assert "tables/delivery-by-number-block.csv" in texts(discreet)
    assert "tables/delivery-by-number-block.csv" not in texts(built)


def test_five_questions_are_answered_on_the_page(page: str) -> None:
    asked = re.findall(r"<dt>(.*?)</dt><dd>(.*?) <a href=\"#([a-z]+)\"", page)
    assert [anchor for *_, anchor in asked] == ["delivery", "errors", "times", "retries", "data"]
    assert all(len(answer) > 40 for _, answer, _ in asked)


def test_the_ninety_percent_of_those_who_verify_is_read_off_what_verified() -> None:
    """Ten verify, one each second; nine of them by 9 s, of a hundred sessions."""
    rows = [(float(second), second / 100, second, 100, 600.0) for second in range(11)]
    curve = pd.DataFrame(rows, columns=["seconds", "rate", "count", "n", "horizon_seconds"])
    found = by_then(curve.assign(measure="curve", source="app"), "app", 0.9)
    assert found is not None
    assert (found.seconds, found.n, found.share, found.of) == (9.0, 10, 0.1, 100)


def test_a_chart_is_the_same_whoever_draws_it_and_drawn_here_when_the_helper_is_gone(built: Path) -> None:
    section = next(each for chapter in CHAPTERS for each in chapter.sections if each.name == "retry-gaps")
    empty = pd.read_csv(built / "tables" / "retries.csv").head(0).assign(as_of=pd.Series(dtype="datetime64[us, UTC]"))
    tasks = [Task(name, section.draw, empty) for name in ("one", "two", "three")]
    with Studio(helper=True) as studio:
        assert studio._helper is not None
        studio._helper.kill()
        for task in tasks:
            studio.ask(task)
        found: dict[str, Picture] = studio.pictures(lambda _: None)
    assert found == {task.name: drawn(task) for task in tasks}
