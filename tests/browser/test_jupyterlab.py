"""JupyterLab for real: the command's own server, a real browser, every notebook run from top to bottom.

One notebook runs by default, all of them in a full run. Each leaves a picture of itself in ``build/screenshots``.
"""

import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext

import run
from tests.chromium import NoBrowserError, Watched, browser, watched
from tests.nginx import free_port

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
PICTURES = ROOT / "build" / "screenshots"
TOKEN = "a-token-of-the-tests"
BY_DEFAULT = {"01-first-look.ipynb"}
SECONDS = 90_000
# What a metric doubts may be said; what a library will change one day is for us to mend.
UNWANTED = ("DeprecationWarning", "FutureWarning", "PendingDeprecation", "Traceback")
IDLE = """() => {
    const at = window.jupyterapp?.shell?.currentWidget;
    return at?.sessionContext?.session?.kernel?.status === 'idle' && at.content?.widgets?.length > 0;
}"""
DONE = """() => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets.filter(each => each.model.type === 'code');
    const failed = cells.some(each => Array.from({length: each.model.outputs.length},
        (_, at) => each.model.outputs.get(at).type).includes('error'));
    return failed || cells.every(each => each.model.executionCount !== null && each.model.executionState !== 'running');
}"""
SHOWN = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(each => each.model.type === 'code')
    .flatMap(each => Array.from({length: each.model.outputs.length}, (_, at) => {
        const output = each.model.outputs.get(at);
        const texts = output.type === 'error' ? String(output.toJSON().evalue) : String(output.toJSON().text ?? '');
        return [output.type, texts, Object.keys(output.data ?? {})];
    }))"""


class Lab(NamedTuple):
    """A running JupyterLab: its address, and the folder it serves."""

    url: str
    root: Path


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The server that ``python3 run.py lab`` starts, on a copy, with settings of nobody."""
    run.quiet_lab()
    # Short, for a socket's name has 108 bytes at most.
    with tempfile.TemporaryDirectory(prefix="lab-") as name:
        root = Path(name)
        shutil.copytree(ROOT / "notebooks", root / "notebooks")
        shutil.copytree(ROOT / "data" / "sample", root / "data" / "sample")
        own = {each: str(root / each) for each in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
        port = free_port()
        command = run.lab_command(
            root,
            [
                "--no-browser",
                f"--port={port}",
                f"--IdentityProvider.token={TOKEN}",
                "--LabApp.expose_app_in_browser=True",
                "--KernelManager.transport=ipc",
            ],
        )
        environment = {**os.environ, **own, "IPYTHONDIR": str(root / "ipython"), "PYTHONPATH": str(ROOT)}
        with (root / "log").open("w") as log:
            server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
            try:
                _wait(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", server, root / "log")
                yield Lab(f"http://127.0.0.1:{port}", root)
            finally:
                server.terminate()
                server.wait(timeout=30)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=1)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    try:
        with browser() as started:
            yield started
    except NoBrowserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def context(chromium: Browser) -> BrowserContext:
    """One visitor, who keeps what JupyterLab's page is made of."""
    return chromium.new_context(viewport={"width": 1280, "height": 900})


def each_notebook() -> list[Any]:
    return [name if name in BY_DEFAULT else pytest.param(name, marks=pytest.mark.full) for name in NOTEBOOKS]


@pytest.mark.parametrize("name", each_notebook())
def test_a_notebook_runs_in_jupyterlab_without_an_error_and_asks_nobody(
    name: str, lab: Lab, context: BrowserContext
) -> None:
    found = watched(context)
    page = found.page
    page.goto(f"{lab.url}/lab/tree/notebooks/{name}?token={TOKEN}&reset")
    page.wait_for_function(IDLE, timeout=SECONDS)
    page.evaluate("window.jupyterapp.commands.execute('runmenu:run-all')")
    page.wait_for_function(DONE, timeout=SECONDS)
    outputs = page.evaluate(SHOWN)
    assert [text for kind, text, _ in outputs if kind == "error"] == []
    assert [text for kind, text, _ in outputs if kind == "stream" and any(bad in text for bad in UNWANTED)] == []
    assert [kinds for _, _, kinds in outputs if "image/png" in kinds]
    _picture(found, name)
    assert found.outside == []
    assert _asked_for_news(found) == []
    assert page.locator(".Toastify__toast, .jp-Dialog").count() == 0
    assert [said for said in found.complaints if "error" in said.lower() and not _is_known(said)] == []
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.close()


def _asked_for_news(found: Watched) -> list[str]:
    return [url for url in found.requested if "/lab/api/news" in url or "/lab/api/update" in url]


def _is_known(said: str) -> bool:
    """Tell what JupyterLab itself says of itself: files it looks for that nobody made."""
    return "404" in said


def _picture(found: Watched, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for width, size in (("wide", 1280), ("narrow", 800)):
        found.page.set_viewport_size({"width": size, "height": 900})
        found.page.evaluate("window.jupyterapp.shell.currentWidget.content.scrollToItem(0, 'start')")
        found.page.screenshot(path=PICTURES / f"{Path(name).stem}-{width}.png")


def test_the_notebooks_of_the_checkout_are_left_as_they_are(lab: Lab) -> None:
    assert lab.root != ROOT
    code = "".join(path.read_text() for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert '"image/png"' not in code
