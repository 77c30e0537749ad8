"""The demo shows the whole road, may run again, and leaves nothing behind, also when it is interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from verify_analytics.demo import checks

COMMAND = [sys.executable, "-u", "-m", "verify_analytics.cli", "demo", "--sessions", "300", "--out"]


def surroundings(folder: Path) -> dict[str, str]:
    """An environment in which every temporary file lies below one folder."""
    (folder / "tmp").mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(folder / "tmp")}


def collectors_of(folder: Path) -> list[int]:
    """Which processes still run with a store below this folder."""
    mark = f"COLLECTOR_DATABASE_URL=sqlite:///{folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:  # it ended while we looked
            continue
    return found


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.full)])
def test_the_demo_ends_well_and_may_run_again(tmp_path: Path, times: int) -> None:
    for _ in range(times):
        done = subprocess.run(
            [*COMMAND, tmp_path / "demo"], capture_output=True, text=True, check=False, env=surroundings(tmp_path)
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "every count equals the simulator's truth" in done.stdout
        assert "BUT SENT" not in done.stdout
        assert (tmp_path / "demo" / "index.html").exists()
        assert list((tmp_path / "tmp").iterdir()) == []
    assert str(tmp_path / "demo" / "index.html") in done.stdout
    assert "run.py lab" in done.stdout
    assert "Simulated data" in (tmp_path / "demo" / "index.html").read_text()


def test_a_place_that_is_no_report_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("keep me")
    done = subprocess.run(
        [*COMMAND, tmp_path / "demo"], capture_output=True, text=True, check=False, env=surroundings(tmp_path)
    )
    assert done.returncode == 2
    assert "is no report" in done.stderr
    assert "1/5" not in done.stdout
    assert (tmp_path / "demo" / "mine.txt").read_text() == "keep me"


@pytest.mark.parametrize(
    ("at", "ending"),
    [
        ("1/5", signal.SIGINT),
        ("3/5", signal.SIGTERM),
        pytest.param("3/5", signal.SIGHUP, marks=pytest.mark.full),
    ],
)
def test_an_interrupted_demo_leaves_nothing_running_and_nothing_lying(
    at: str, ending: signal.Signals, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [*COMMAND, tmp_path / "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=surroundings(tmp_path),
    ) as demo:
        assert demo.stdout is not None
        assert any(line.startswith(at) for line in demo.stdout)
        demo.send_signal(ending)
        demo.stdout.read()
        assert demo.wait(30) == 130
    assert collectors_of(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "demo").exists()


def test_a_count_that_differs_is_found() -> None:
    expected = {"accepted": 3, "repeated": 1, "quarantined": 0, "verifications": 2, "refused": {"signature": 1}}
    counts = {"rows": 4, "repeated": 1, "quarantined": 0, "verifications": 1, "refused": {"method": 1}}
    wrong = {check.what: (check.sent, check.found) for check in checks.live(expected, counts) if not check.holds}
    assert wrong == {"reports of the application": (2, 1), "refused: method": (0, 1), "refused: signature": (1, 0)}
