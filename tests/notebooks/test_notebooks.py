"""Every notebook runs from top to bottom on the sample, shows something, and is kept without its outputs."""

import asyncio
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbclient
import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


class Quiet(AsyncKernelManager):
    """A kernel over a local socket: one over TCP says aloud, at every start, that it is not encrypted."""

    folder = ""

    def __init__(self, **settings: object) -> None:
        super().__init__(**{**settings, "transport": "ipc", "ip": str(Path(self.folder) / "k")})


def opened(notebook: Path) -> Any:
    return nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]


def named(notebook: Path) -> str:
    return notebook.stem


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=named)
def test_runs_from_top_to_bottom(notebook: Path, tmp_path: Path) -> None:
    book = opened(notebook)
    # Named from the root: the kernel works in another folder; and short, for a socket's name has 108 bytes at most.
    with TemporaryDirectory(prefix="k-") as folder, warnings.catch_warnings():
        # Jupyter's own libraries warn about themselves; the notebook's cells run in a kernel of their own.
        warnings.simplefilter("ignore")
        client = nbclient.NotebookClient(
            book,
            timeout=120,
            kernel_manager_class=type("Here", (Quiet,), {"folder": folder}),
            resources={"metadata": {"path": str(ROOT / "notebooks")}},
        )
        asyncio.run(client.async_execute())
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    said = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert not [text for text in said if "Traceback" in text or "DeprecationWarning" in text]
    assert [output for output in outputs if "image/png" in output.get("data", {})], "no chart was shown"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=named)
def test_is_kept_without_outputs(notebook: Path) -> None:
    book = opened(notebook)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=named)
def test_has_parameters_and_stays_thin(notebook: Path) -> None:
    book = opened(notebook)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert all(len(cell.source.splitlines()) <= 30 for cell in code)
    assert "def " not in "".join(cell.source for cell in code)
