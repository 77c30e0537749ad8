"""How small it stays: resident memory while callbacks come, and the time from the start to the first answer.

The collector runs as an operator runs it (`collector serve`, settings in a file), and its memory is read from the
kernel after each part, so that whatever grows with the number of callbacks would be seen to grow.
"""

import argparse
import contextlib
import http.client
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench._load import URL, cpu_seconds, drive, requests
from bench._servers import ROOT, end_politely, machine

PARTS = 10


class Collector(NamedTuple):
    """A collector that answers."""

    process: subprocess.Popen[str]
    port: int
    seconds: float
    cpu_seconds: float

    def memory(self) -> tuple[float, float]:
        """Give the resident memory now, and the most there was, in MB of 2**20 bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        found = {words[0]: int(words[1]) for line in lines if len(words := line.split()) > 1 and line[:2] == "Vm"}
        return found["VmRSS:"] / 1024, found["VmHWM:"] / 1024


@contextlib.contextmanager
def collector(folder: Path, token: str, pepper: str, database_url: str) -> Iterator[Collector]:
    """Run `collector serve` until it is left, having timed it from its start to its first answer."""
    settings = {
        "PLIVO_AUTH_TOKEN": token,
        "COLLECTOR_PUBLIC_URL": URL,
        "COLLECTOR_PEPPER": pepper,
        "COLLECTOR_DATABASE_URL": database_url,
        "COLLECTOR_PORT": "0",
    }
    env_file = folder / "collector.env"
    env_file.touch(mode=0o600)
    env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = [sys.executable, "-m", "collector", "serve", "--env-file", str(env_file)]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        port = _port(process)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
        yield Collector(process, port, time.perf_counter() - began, cpu_seconds(process.pid))
    finally:
        process.terminate()
        process.communicate()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return int(json.loads(line)["port"])
    raise SystemExit(f"the collector did not start: {''.join(said)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, default=30_000)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--postgres", action="store_true", help="also with a PostgreSQL, started for the run")
    given = parser.parse_args()
    end_politely()
    print(f"{machine()}, {given.callbacks:,} callbacks over {given.connections} connections")
    with tempfile.TemporaryDirectory() as name:
        measure("SQLite", Path(name), f"sqlite:///{Path(name) / 'store.db'}", given)
        if given.postgres:
            from tests.postgres import PostgresServer

            server = PostgresServer()
            try:
                measure("PostgreSQL", Path(name), server.start().new_database(), given)
            finally:
                server.remove()


def measure(label: str, folder: Path, database_url: str, given: argparse.Namespace) -> None:
    """Start it several times, then send callbacks to the last one and watch its memory."""
    token = secrets.token_hex(20)
    pepper = secrets.token_hex(32)
    starts, spent = [], []
    for _ in range(given.starts):
        with collector(folder, token, pepper, database_url) as one:
            starts.append(one.seconds)
            spent.append(one.cpu_seconds)
    print(
        f"{label}: first answer {statistics.median(starts):.2f} s after the start, {statistics.median(spent):.2f} s of "
        f"processor time (median of {given.starts} starts)"
    )
    with collector(folder, token, pepper, database_url) as one:
        print(f"{'callbacks':>12}{'resident MB':>13}{'most MB':>9}{'requests/s':>12}")
        print(f"{0:>12,}{one.memory()[0]:>13.1f}{one.memory()[1]:>9.1f}", flush=True)
        sent = refused = 0
        for part in range(1, PARTS + 1):
            began, before = time.perf_counter(), sent
            while sent < given.callbacks * part // PARTS:
                # Written down in small parts: the driver's own memory is nobody's matter.
                count = min(5_000, given.callbacks * part // PARTS - sent)
                refused += drive([one.port], requests(count, token, sent), given.connections).refused
                sent += count
            now, most = one.memory()
            print(
                f"{sent:>12,}{now:>13.1f}{most:>9.1f}{(sent - before) / (time.perf_counter() - began):>12,.0f}",
                flush=True,
            )
    if refused:
        print(f"{refused:,} of them were answered 503")


if __name__ == "__main__":
    main()
