"""The operator's pages say what the code does: each setting, each answer, and for each promise tests that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import setup
from collector.settings import NAMES
from collector.wire import UNREADABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "collector.md"
PROMISES = range(1, 16)


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Give the cells of a section's tables, without their heads."""
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    rules = [number for number, row in enumerate(cells) if all(set(cell) <= set("-|: ") for cell in row)]
    return [row for number, row in enumerate(cells) if number not in rules and number + 1 not in rules]


def words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_setting_is_in_the_table_and_no_other() -> None:
    assert sorted(words(row[0])[0] for row in rows(section("Settings"))) == sorted(NAMES)


def test_the_proxy_of_the_page_is_the_one_that_init_prints_and_that_is_tried_behind_nginx(tmp_path: Path) -> None:
    printed = setup.next_steps(setup.write(tmp_path / "collector.env", "codes.example.com"))
    recipes = [re.search(r"location = .*?\n *}", text, re.DOTALL) for text in (printed, PAGE.read_text())]
    lines = [[line.strip() for line in found[0].splitlines()] for found in recipes if found]
    assert len(lines) == 2
    assert lines[0][1:] == lines[1][1:]


def refusals() -> Iterator[tuple[int, str]]:
    """Give (status, reason) of every refusal that is written down in the code with both."""
    for path in sorted((ROOT / "collector").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                status, reason = node.args[:2]
                if isinstance(status, ast.Constant) and isinstance(reason, ast.Constant):
                    yield int(str(status.value)), str(reason.value)


def test_every_answer_with_its_reason_is_in_the_table() -> None:
    told = {(int(row[0]), word) for row in rows(section("What each answer means")) for word in words(row[1])}
    assert set(refusals()) <= told
    # What the server itself turns away, and what a writer says of itself, is put together while it runs.
    assert {(400, "bad_request"), (503, "overloaded"), (503, "stopped")} <= told


def test_every_reason_for_quarantine_is_named() -> None:
    named = set(words(section("What each answer means")))
    others = {"content_type", "content_encoding", "unstorable", "our_mistake", "nonce_reused"}
    assert {*UNREADABLE, *others} <= named


def named_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def shown() -> list[tuple[int, str]]:
    """Give each test the page names, with the promise it stands behind."""
    text = section("The promises, and what shows each")
    return [(int(row[0]), test) for row in rows(text) for test in words(row[-1]) if "::" in test]


def test_every_promise_is_in_the_table_with_a_test() -> None:
    assert {number for number, _ in shown()} == set(PROMISES)


@pytest.mark.parametrize(("promise", "test"), shown())
def test_a_test_behind_promise(promise: int, test: str) -> None:
    file, _, name = test.partition("::")
    path = ROOT / "tests" / file
    assert path.is_file(), f"promise {promise} names {file}, which is not there"
    assert name in named_in(path), f"promise {promise} names {name}, which is not in {file}"
