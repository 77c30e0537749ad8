"""What a document's Python prints is printed below it, and is true: run it, compare it, or write it anew.

A ``text`` block that directly follows a ``python`` block is what that block prints. After a change that moves figures::

    .venv/bin/python -m tests.docs.outputs docs/tutorial.md

writes the blocks again; read the difference before it is kept.
"""

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from verify_analytics.errors import DoubtfulWarning, LeftOutNotice

ROOT = Path(__file__).resolve().parents[2]
PYTHON = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?P<shown>\n\n?```text\n(?P<text>.*?)^```$)?", re.MULTILINE | re.DOTALL
)
# Wide enough for a table with its rates, narrow enough for a page.
WIDTH = 100


class Ran(NamedTuple):
    """One block: where its output stands in the document, what is written there, and what was printed."""

    start: int
    end: int
    written: str | None
    printed: str


def run(document: Path, text: str) -> Iterator[Ran]:
    """Run the Python of a document, block after block in one namespace; a doubt about the data is no fault of it."""
    namespace: dict[str, object] = {}
    with warnings.catch_warnings(), pd.option_context("display.width", WIDTH, "display.max_columns", 20):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DoubtfulWarning)
        # So is what was left out, where the document asked for that.
        warnings.simplefilter("ignore", LeftOutNotice)
        for found in PYTHON.finditer(text):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(found["code"], document.name, "exec"), namespace)
            yield Ran(found.start("text"), found.end("text"), found["text"], _trimmed(said.getvalue()))


def _trimmed(printed: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())


def rewritten(document: Path) -> str:
    """Give the document with the output blocks it has filled with what its Python prints."""
    text = document.read_text()
    for ran in reversed(list(run(document, text))):
        if ran.written is not None:
            text = text[: ran.start] + ran.printed + text[ran.end :]
    return text


if __name__ == "__main__":
    os.chdir(ROOT)
    for name in sys.argv[1:]:
        Path(name).write_text(rewritten(Path(name)))
