"""Starts what is measured: each kind in a process of its own, on a free loopback port, ended with the run.

The token that signs goes to a server by its standard input or its environment, never by its command line.
"""

import contextlib
import itertools
import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench._load import PATH, URL, Round, drive, requests

ROOT = Path(__file__).resolve().parent.parent
NOTHING, APPEND, ALONE, GUIDE = "nothing stored", "collector", "a commit per request", "from the guide, gunicorn"
_STARTED_WITHIN = 60.0
_numbers = itertools.count()


class Server(NamedTuple):
    """One server under way."""

    process: subprocess.Popen[str]
    port: int

    def pids(self) -> list[int]:
        """Name the process and its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]


def end_politely() -> None:
    """Let a SIGTERM unwind what was begun, so that no server outlives its benchmark."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@contextlib.contextmanager
def running(
    kinds: Sequence[str], folder: Path, token: str, environment: Mapping[str, str] | None = None
) -> Iterator[dict[str, Server]]:
    """Run one server of each kind, each with an empty store; all are ended on leaving."""
    with contextlib.ExitStack() as stack:
        yield {kind: stack.enter_context(_one(kind, folder, token, environment or {})) for kind in kinds}


@contextlib.contextmanager
def _one(kind: str, folder: Path, token: str, environment: Mapping[str, str]) -> Iterator[Server]:
    place = folder / f"server-{next(_numbers)}"
    place.mkdir()
    start = _gunicorn if kind == GUIDE else _ours
    server = start(kind, place, token, {**os.environ, **environment})
    try:
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(10)
        except subprocess.TimeoutExpired:
            server.process.kill()
        server.process.communicate()


def _ours(kind: str, place: Path, token: str, environment: Mapping[str, str]) -> Server:
    command = [sys.executable, "-m", "bench._servers", kind, str(place)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{token}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        process.communicate()
        raise SystemExit(f"the server for {kind!r} did not start")
    return Server(process, int(line))


def _gunicorn(kind: str, place: Path, token: str, environment: Mapping[str, str]) -> Server:
    """Start the guide's app as gunicorn's own documents advise: some workers, some threads, nothing else changed."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ["--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    command = [sys.executable, "-m", "gunicorn", *words, "--no-control-socket", "bench._guide_app:create_app()"]
    given = {**environment, "PLIVO_AUTH_TOKEN": token, "CALLBACKS_DB": str(place / "callbacks.db")}
    process = subprocess.Popen(command, cwd=ROOT, env=given, text=True)
    end = time.monotonic() + _STARTED_WITHIN
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return Server(process, port)
        time.sleep(0.05)
    process.kill()
    process.communicate()
    raise SystemExit(f"the server for {kind!r} did not start")


def in_turn(
    servers: Mapping[str, Server], token: str, *, requests_each: int, rounds: int, connections: int
) -> dict[str, list[Round]]:
    """Drive the servers one after the other, round by round, after a round that does not count."""
    found: dict[str, list[Round]] = {kind: [] for kind in servers}
    sent = 0
    for number in range(rounds + 1):
        for kind, server in servers.items():
            made = requests(requests_each, token, sent)
            sent += requests_each
            one = drive([server.port], made, connections, server.pids())
            if number:
                found[kind].append(one)
        print(f"  round {number} of {rounds}" if number else "  warm", file=sys.stderr, flush=True)
    return found


def table(rounds: Mapping[str, Sequence[Round]], notes: Mapping[str, str] | None = None) -> str:
    """Write medians over the rounds, each compared with the first kind: ratios are taken within a round."""
    base = next(iter(rounds.values()))
    lines = [
        f"{'':<26}{'throughput':>11}{'CPU':>7}{'requests/s':>12}{'median ms':>11}{'p99 ms':>9}{'CPU µs':>9}{'5xx':>6}"
    ]
    for kind, found in rounds.items():
        pairs = list(zip(found, base, strict=True))
        ratio = statistics.median(one.per_second / first.per_second for one, first in pairs)
        cost = statistics.median(one.cpu_us / first.cpu_us for one, first in pairs)
        middle = [statistics.median(column) for column in zip(*found, strict=True)]
        refused = sum(one.refused for one in found)
        lines.append(
            f"{kind:<26}{ratio:>10.2f}×{cost:>6.2f}×{middle[0]:>12,.0f}{middle[1]:>11.1f}{middle[2]:>9.1f}"
            f"{middle[3]:>9,.0f}{refused:>6}"
        )
    lines += [f"{kind}: {note}" for kind, note in (notes or {}).items()]
    return "\n".join(lines)


def machine() -> str:
    """Name the machine by what matters and nothing else."""
    return f"{os.cpu_count()} cores"


def _serve(kind: str, place: Path, token: str) -> None:
    """Serve one of the collector's kinds until this process is ended."""
    import gc
    import secrets

    from collector import logs, store, writer
    from collector.app import build_app
    from collector.door import Door, checks_of
    from collector.items import Item, Outcome
    from collector.pulse import Pulse
    from collector.routes import now
    from collector.serve import listen, settle_on_one_core
    from collector.settings import Settings

    class Nothing:
        """A store that keeps nothing and says yes."""

        def append(self, item: Item) -> Outcome:  # noqa: ARG002
            return Outcome.ACCEPTED

    settings = Settings(
        tokens=(token,),
        public_urls=(URL,),
        paths=(PATH,),
        peppers=(secrets.token_bytes(32),),
        database_url=f"sqlite:///{place / 'store.db'}",
        port=0,
    )
    logs.to_standard_error(logging.CRITICAL)
    # As `collector.serve` does; all on the same core, because they are driven in turn.
    settle_on_one_core(1)
    pulse = Pulse("bench", now)
    door = Door(settings, next(iter(checks_of(settings))))
    if kind == NOTHING:
        server = listen(build_app(door, Nothing(), pulse, str), settings, pulse)
    else:
        if kind == ALONE:
            writer.BATCH = 1
        engine = store.writer_engine(settings.database_url)
        store.initialise(engine)
        appender = writer.Writer(engine, pulse)
        appender.start()
        server = listen(build_app(door, appender, pulse, appender.trouble), settings, pulse)
    # As `collector.serve` does before it runs.
    gc.collect()
    gc.freeze()
    print(server.effective_port, flush=True)
    server.run()


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]), sys.stdin.readline().strip())
