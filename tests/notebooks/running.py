"""A notebook run cell by cell in this process: what each cell shows, without the cost of a kernel."""

import ast
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


class Cell(NamedTuple):
    """One cell of a notebook."""

    kind: str
    source: str
    tags: tuple[str, ...]


def cells(notebook: Path) -> list[Cell]:
    """Read the cells."""
    book = json.loads(notebook.read_text(encoding="utf-8"))
    return [
        Cell(cell["cell_type"], "".join(cell["source"]), tuple(cell["metadata"].get("tags", ())))
        for cell in book["cells"]
    ]


def shown_by(notebook: Path, parameters: Mapping[str, Any] | None = None, *, pictures: bool = True) -> list[Any]:
    """Run a notebook from top to bottom, with other parameters if given, and collect what its cells show.

    Without `pictures` what is shown is not turned into what a browser would show, which takes the most time.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    with inside(notebook.parent):
        for cell in cells(notebook):
            if cell.kind != "code":
                continue
            value = _run(cell.source, names)
            if "parameters" in cell.tags:
                names |= parameters or {}
            if value is not None:
                shown.append(value)
                # What a notebook does with the last value of a cell.
                for form in ("_repr_mimebundle_", "_repr_html_", "__repr__") if pictures else ("__repr__",):
                    if hasattr(value, form):
                        getattr(value, form)()
    return shown


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Stand in a folder, as a kernel does."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _run(source: str, names: dict[str, Any]) -> Any:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), names)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
