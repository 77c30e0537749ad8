"""Each benchmark runs to its end, prints its table and leaves nothing behind; how fast anything is, no test says."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import _load

ROOT = Path(__file__).resolve().parents[2]
TINY = ("--requests", "40", "--rounds", "1")
RUNS = {
    "append": (*TINY, "--connections", "4"),
    "slow_disk": (*TINY, "--connections", "4", "--added-ms", "1"),
    "size": ("--callbacks", "40", "--starts", "1", "--connections", "4"),
    "postgres": (*TINY, "--connections", "4"),
    "stages": TINY,
    "coverage": ("--histories", "4", "--truth", "2000", "--worlds", "quiet", "small", "--processes", "1"),
    "archive": ("--callbacks", "400"),
    "incidence": ("--sessions", "500", "--few", "60", "--rounds", "1"),
    "report": ("--callbacks", "400", "--no-drawing"),
    "load": ("--callbacks", "2000", "--rounds", "1"),
    "refresh": ("--days", "2", "--callbacks", "300", "--processes", "1"),
    "scale": ("--callbacks", "4000", "--processes", "1"),
    "speed": ("--sessions", "500", "--rounds", "1"),
}
SAID = {
    "append": ["nothing stored", "collector", "from the guide, gunicorn", r"[\d.]+× its throughput"],
    "slow_disk": ["a commit per request", "collector", r"collector: [\d.]+ times the throughput"],
    "size": [r"SQLite: first answer [\d.]+ s after the start", r"\n +40 +[\d.]+ +[\d.]+ +[\d,]+\n"],
    "postgres": ["1 collector ", "2 collectors ", r"160 callbacks sent, 160 rows stored"],
    "archive": [r"\n400 callbacks of one day", r"collector archive, read back and deleted +[\d,]+ +[\d.]+×", "1 parts"],
    "coverage": [
        r"quiet: Every callback",
        r"\nconfirmed +0\.\d{4} +0\.\d{4} .* [\d.]+ %",
        r"4 histories of 20 to 50 sessions",
        r"[\d.]+ minutes",
    ],
    "stages": ["ledger and SQLite", "waitress and its threads", "the whole"],
    "incidence": [r"ours, grouped by weights, all +500 +\d+ +[\d.]+ +0\.\d+", r"rows take [\d.]+ times as long"],
    "report": [r"\nfold: attempts +[\d.]+ +[\d.]+ +[\d.]+%", r"\nmetric, all +[\d.]+", r"\ncompare, all "],
    "load": [
        r"\nload\.callbacks +[\d.]+ s +[\d,]+ rows/s +[\d.]+×\nthe driver alone ",
        r"\nthe server alone +[\d.]+ s ",
    ],
    "refresh": [r"\n +2 +[\d,]+(?: +[\d.]+){8} +[\d.]+% +[\d.]+\n"],
    "scale": [r"\nours on DuckDB .* 1\.00 ", r"\nby hand in pandas ", r"\ndistinct attempts "],
    "speed": [r"500 sessions, time to verify", r"\npandas, .* +[\d.]+ +[\d.]+ +\d+%", r"\nDuckDB, "],
}


def environment(folder: Path) -> dict[str, str]:
    """Leave out what this machine sets, and let temporary files go where they can be counted."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "CI", "PG_BINDIR"}}
    return kept | {"TMPDIR": str(folder)}


def under_way(folder: Path) -> list[str]:
    """List the commands of processes that were given something in this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def test_there_is_a_short_run_of_every_benchmark() -> None:
    assert {path.stem for path in (ROOT / "bench").glob("[!_]*.py")} == set(RUNS) == set(SAID)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that also a server running as somebody else can reach; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


# These cost the same however small their data are.
DEAR = {"report", "scale", "coverage", "refresh", "archive", "load"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full) if name in DEAR else name for name in RUNS]
)
def test_a_benchmark_runs_to_its_end_prints_its_table_and_leaves_nothing_behind(name: str, folder: Path) -> None:
    if name == "slow_disk" and not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("a slow disk is made with a C compiler, and there is none")
    command = [sys.executable, "-m", f"bench.{name}", *RUNS[name]]
    # Into a file: at a pipe one would wait for whatever the benchmark left running.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(folder), stdout=said, stderr=said, timeout=300, check=False
        )
        said.seek(0)
        text = said.read()
    assert done.returncode == 0, text
    for pattern in SAID[name]:
        assert re.search(pattern, text), text
    assert list(folder.iterdir()) == []
    assert under_way(folder) == []


class Answers(BaseHTTPRequestHandler):
    """Answers with the statuses of its server's list, one after the other."""

    protocol_version = "HTTP/1.1"
    statuses: list[int]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status = self.statuses.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_an_answer_of_trouble_is_counted_as_refused_and_not_as_throughput(server: ThreadingHTTPServer) -> None:
    Answers.statuses = [200, 503, 200, 200]
    one = _load.drive([server.server_port], _load.requests(4, "t", 0), 1)
    assert one.refused == 1
    Answers.statuses = [503] * 4
    assert _load.drive([server.server_port], _load.requests(4, "t", 0), 1).per_second == 0


def test_an_answer_that_no_sound_server_gives_ends_the_benchmark(server: ThreadingHTTPServer) -> None:
    Answers.statuses = [200, 403]
    with pytest.raises(_load.WrongAnswerError, match="403"):
        _load.drive([server.server_port], _load.requests(4, "t", 0), 1)


def test_the_processor_time_of_another_process_is_its_own() -> None:
    work = "import sys\nsum(range(10_000_000))\nprint('done', flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        spent = _load.cpu_seconds(child.pid)
        # What this process spends meanwhile is none of it.
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
        assert 0.02 < spent <= _load.cpu_seconds(child.pid) < spent + 0.1
        child.communicate()


@pytest.mark.full
def test_what_a_refresh_took_is_a_point_of_the_plot(tmp_path: Path) -> None:
    figures, plot = tmp_path / "figures.jsonl", tmp_path / "plot.svg"
    for words in (("refresh", *RUNS["refresh"], "--json", figures), ("scale", "--json", figures, "--plot", plot)):
        command = [sys.executable, "-m", f"bench.{words[0]}", *map(str, words[1:])]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    [line] = [json.loads(text) for text in figures.read_text().splitlines()]
    assert line["callbacks"] > 0
    assert line["way"] == "ours by day"
    assert all(seconds > 0 for seconds in line["seconds"].values())
    assert "<svg" in plot.read_text()
