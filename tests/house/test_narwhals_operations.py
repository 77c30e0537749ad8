"""Is every operation that a formula uses run on every engine? Names used beside names in `test_operations.py`.

Names are compared, not meanings: an operation of pandas or numpy that Narwhals has too counts as used, and is either
tested as well or listed here with what it is.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import narwhals as nw
import pytest
from narwhals.group_by import LazyGroupBy

ROOMS = ("model", "metrics", "load", "report")
TESTED = "tests/verify_analytics/engines/test_operations.py"
# The steps that `test_operations.py` runs by their names; what they are made of is tested with them.
STEPS = "verify_analytics/model/frames.py"
HOLDERS = (nw.Expr, nw.LazyFrame, LazyGroupBy)
OPERATIONS = {name for holder in HOLDERS for name in dir(holder) if not name.startswith("_")}
# What stands behind these words is an operation, too: `.str.strip_chars()`, `.dt.date()`.
FAMILIES = {"str", "dt", "cat", "list", "struct"}
# Python asks these of objects; no formula can answer.
OF_OBJECTS = (ast.In, ast.NotIn, ast.Is, ast.IsNot, ast.Not)

NO_FORMULA = {
    "as_unit": "pandas': moments of a frame in memory, when it is loaded",
    "any": "numpy's and pandas': of what was counted already",
    "collect": "brings rows out; computes nothing",
    "collect_schema": "names and types; computes nothing",
    "diff": "numpy's",
    "floor": "numpy's",
    "lazy": "one name for eager and lazy frames; computes nothing",
    "map": "pandas': of a small frame of counts",
    "maybe_reset_index": "pandas only: labels that filtering left behind",
    "tz_convert": "pandas', as as_unit",
    "null_count": "of a frame that lies in memory, when it is loaded",
}


def operations_in(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name what could be an operation on columns or frames: methods, functions, operators, kinds of join."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method, holder = node.func.attr, node.func.value
            of_family = isinstance(holder, ast.Attribute) and holder.attr in FAMILIES
            if of_family or method in OPERATIONS or (ast.unparse(holder) == "nw" and method.islower()):
                yield method, node.lineno
        elif isinstance(node, ast.BinOp | ast.UnaryOp) and not isinstance(node.op, OF_OBJECTS):
            # Between plain numbers it is Python's own, and a list times a number is a longer list.
            parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
            plain = all(isinstance(part, ast.Constant) for part in parts)
            if not plain and not any(isinstance(part, ast.List) for part in parts):
                yield type(node.op).__name__, node.lineno
        elif isinstance(node, ast.Compare):
            yield from ((type(op).__name__, node.lineno) for op in node.ops if not isinstance(op, OF_OBJECTS))
        elif isinstance(node, ast.keyword) and node.arg == "how":
            yield f"how={ast.unparse(node.value)}", node.value.lineno


def run_everywhere(root: Path) -> set[str]:
    """Name the operations that run on every engine, by themselves or within a step that does."""
    tree = ast.parse((root / TESTED).read_text())
    said = {name for name, _ in operations_in(tree)}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    for step in ast.parse((root / STEPS).read_text()).body:
        if isinstance(step, ast.FunctionDef) and step.name in called:
            said |= {name for name, _ in operations_in(step)}
    # Written there as `col`, for short.
    return said | {"col"}


def untested(text: str, known: set[str]) -> list[tuple[str, int]]:
    return [(name, line) for name, line in operations_in(ast.parse(text)) if name not in known]


def narwhals_files(root: Path) -> list[Path]:
    """Every file of the rooms that makes formulas."""
    paths = sorted(path for room in ROOMS for path in (root / "verify_analytics" / room).rglob("*.py"))
    return [path for path in paths if "narwhals" in path.read_text()]


def test_every_operation_in_use_runs_on_every_engine(root: Path) -> None:
    known = run_everywhere(root) | set(NO_FORMULA)
    found = [
        f"{path.relative_to(root)}:{line} {name} is not in {TESTED}"
        for path in narwhals_files(root)
        for name, line in untested(path.read_text(), known)
    ]
    assert len(narwhals_files(root)) > 15
    assert found == []


def test_narwhals_has_one_name(root: Path) -> None:
    """The rules read `nw.`: another name would walk past them."""
    asked = [
        (path.relative_to(root), ast.unparse(node))
        for path in narwhals_files(root)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and "narwhals" in ast.unparse(node)
    ]
    right = ("import narwhals as nw", "from narwhals.typing import ")
    found = [(path, said) for path, said in asked if not said.startswith(right)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "f.with_columns(a=nw.col('a').rolling_mean(3))",
        "f.select(nw.max_horizontal('a', 'b'))",
        "f.with_row_index('i')",
        "f.join(g, on='k', how='cross')",
        "f.with_columns(a=nw.col('a') ** 2)",
        "nw.col('a').str.to_uppercase()",
    ],
)
def test_an_operation_that_no_engine_was_asked_is_caught(line: str, root: Path) -> None:
    assert untested(line, run_everywhere(root) | set(NO_FORMULA)) != []
    assert untested("f.join(g, on='k', how='left').filter(nw.col('a') > 1)", run_everywhere(root)) == []
