"""Documents that can lie are executed: their Python runs, their commands end well, their links lead somewhere.

``python`` blocks of one document run in one namespace, one after the other; a ``text`` block right below one is what it
prints. In ``console`` blocks a line ``$ command`` is run when it is one of the two commands of the project; ``run.py``
lines must name a real verb. ``sh`` and plain blocks are for what needs a machine of its own and are not run here; the
operator's road has a test beside this.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import outputs

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What `test_own_data.py` runs: its page shows what is warned of, too.
RUN_ELSEWHERE = {"docs/own-data.md"}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(document: Path, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(document.read_text()) if found == language]


def commands(document: Path) -> list[str]:
    """The lines to type in a document's console blocks, continuation lines joined."""
    text = "\n".join(blocks(document, "console")).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


def with_some(language: str) -> list[Path]:
    return [document for document in DOCUMENTS if blocks(document, language)]


def named(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the sample in it, as a reader would have it."""
    (tmp_path / "data").mkdir()
    if (ROOT / "data" / "sample").exists():
        shutil.copytree(ROOT / "data" / "sample", tmp_path / "data" / "sample")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("document", [d for d in with_some("python") if named(d) not in RUN_ELSEWHERE], ids=named)
def test_the_python_of(document: Path, workplace: Path) -> None:
    for ran in outputs.run(document, document.read_text()):
        assert ran.written is None or ran.written == ran.printed


def test_output_that_is_not_what_is_printed_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```python\nx = 2\n```\n")
    assert [(ran.written, ran.printed) for ran in outputs.run(page, page.read_text())] == [("3\n", "2\n"), (None, "")]
    assert "\n```text\n2\n```\n" in outputs.rewritten(page)


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if commands(d)], ids=named)
def test_the_commands_of(document: Path, workplace: Path) -> None:
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    verbs = subprocess.run([sys.executable, ROOT / "run.py", "--help"], capture_output=True, text=True, check=True)
    for command in commands(document):
        words = shlex.split(command, comments=True)
        if words[:2] == ["python3", "run.py"]:
            assert re.search(rf"^  {words[2]} ", verbs.stdout, re.MULTILINE), command
            continue
        assert words[0] in {"collector", "verify-analytics"}, f"who runs {command!r}?"
        done = subprocess.run(
            words, cwd=workplace, capture_output=True, text=True, check=False, env={**os.environ, "PATH": here}
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_the_links_of(document: Path) -> None:
    relative = [link for link in LINK.findall(document.read_text()) if "://" not in link]
    missing = [link for link in relative if not (document.parent / link).exists()]
    assert missing == []
