"""What systemd is told, heard on a real socket: ready when it answers, alive while the writer gets round, stopping."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from collector.notify import Notify
from collector.settings import service_manager
from tests.collector.conftest import CollectorProcess, Provider, clean_environment

Make = Callable[..., CollectorProcess]
WATCHDOG = 4.0
PATIENT = 60.0


class Manager:
    """The socket of a service manager, and what it heard."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(0.2)
        self._is_closed = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_closed:
            with suppress(TimeoutError):
                self.heard.append((time.monotonic(), self._socket.recv(4096).decode()))

    def close(self) -> None:
        self._is_closed = True
        self._thread.join()
        self._socket.close()

    def count(self, state: str, since: float = 0) -> int:
        return sum(said == state and at >= since for at, said in self.heard)

    def wait(self, state: str, more_than: int = 0) -> None:
        end = time.monotonic() + PATIENT
        while self.count(state) <= more_than:
            assert time.monotonic() < end, f"{state} was not heard: {self.heard}"
            time.sleep(0.02)


@contextmanager
def manager(address: str) -> Iterator[Manager]:
    made = Manager(address)
    try:
        yield made
    finally:
        made.close()


# Sets what systemd sets, then becomes the collector.
LAUNCH = (
    "import os, sys; os.environ.update(NOTIFY_SOCKET=sys.argv[1], WATCHDOG_USEC=sys.argv[2]);"
    "os.environ.update(WATCHDOG_PID=str(os.getpid()));"
    "os.execv(sys.argv[3], sys.argv[3:])"
)


def launcher(address: str) -> list[str]:
    return [sys.executable, "-c", LAUNCH, address, str(int(WATCHDOG * 1e6))]


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Manager]:
    with manager(str(tmp_path / "notify.sock")) as made:
        yield made


def test_ready_is_said_when_a_callback_is_answered_and_stopping_when_asked_to_end(
    make_collector: Make, heard: Manager
) -> None:
    collector = make_collector().start(*launcher(heard.address))
    heard.wait("READY=1")
    assert collector.post(Provider.fields("a")).status == 200
    assert heard.count("STOPPING=1") == 0
    assert collector.end() == 0
    heard.wait("STOPPING=1")
    said = [state for _, state in heard.heard if state != "WATCHDOG=1"]
    assert said == ["READY=1", "STOPPING=1"]


def test_ready_is_not_said_while_the_store_cannot_be_opened(make_collector: Make, heard: Manager) -> None:
    collector = make_collector()
    collector.start().end()
    with closing(sqlite3.connect(collector.store, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        process = subprocess.Popen(
            [*launcher(heard.address), *collector.command("serve")], stderr=subprocess.PIPE, env=clean_environment()
        )
        _, said = process.communicate(timeout=PATIENT)
        holder.execute("ROLLBACK")
    assert process.returncode != 0
    assert b"the store cannot be opened" in said
    assert heard.count("READY=1") == 0


def test_an_abstract_socket_is_reached_too(make_collector: Make) -> None:
    with manager(f"@collector-test-{os.getpid()}-{time.monotonic_ns()}") as heard:
        collector = make_collector().start(*launcher(heard.address))
        heard.wait("READY=1")
        collector.end()
        heard.wait("STOPPING=1")


def test_it_says_that_it_lives_while_idle_and_while_busy(make_collector: Make, heard: Manager) -> None:
    collector = make_collector().start(*launcher(heard.address))
    heard.wait("WATCHDOG=1", more_than=1)
    stop = threading.Event()

    def send() -> None:
        provider = Provider()
        while not stop.is_set():
            assert collector.post(provider.fields("s"), provider.headers(os.urandom(8).hex())).status == 200

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send) for _ in range(4)]
        heard.wait("WATCHDOG=1", more_than=heard.count("WATCHDOG=1") + 1)
        stop.set()
        for sender in senders:
            sender.result()
    # However busy, it does not say so more often than four times in the time that the manager waits.
    times = [at for at, state in heard.heard if state == "WATCHDOG=1"]
    assert len(times) <= (times[-1] - times[0]) / (WATCHDOG / 4) + 2


def test_a_store_that_is_held_is_no_reason_for_a_restart(make_collector: Make, heard: Manager) -> None:
    collector = make_collector().start(*launcher(heard.address))
    with closing(sqlite3.connect(collector.store, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert collector.post(Provider.fields("a")).status == 503
        heard.wait("WATCHDOG=1", more_than=heard.count("WATCHDOG=1"))
        holder.execute("ROLLBACK")
    assert collector.process.poll() is None


@pytest.mark.full
def test_a_writer_that_hangs_in_the_disk_says_nothing_until_it_is_through(make_collector: Make, heard: Manager) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here, which can make a flush hang; run.py installs it")
    collector = make_collector().start(*launcher(heard.address))
    heard.wait("WATCHDOG=1", more_than=1)
    # The next flush takes longer than the manager waits.
    delay = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:delay_enter=6000000:when=1"]
    tracer = subprocess.Popen(
        [strace, "-f", "-q", *delay, "-p", str(collector.process.pid), "-o", str(collector.folder / "strace.txt")],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_traced(collector.process.pid)
        began = time.monotonic()
        # The answer takes its three seconds while the flush hangs; until one more has passed, not a word.
        assert collector.post(Provider.fields("a")).status == 503
        time.sleep(1)
        assert heard.count("WATCHDOG=1", since=began + 1.5) == 0
        assert collector.request("GET", "/healthz").status == 200
        heard.wait("WATCHDOG=1", more_than=heard.count("WATCHDOG=1"))
    finally:
        # Whom it held goes on at once.
        tracer.kill()
        tracer.wait()
    assert collector.end() == 0


def wait_until_traced(pid: int) -> None:
    end = time.monotonic() + PATIENT
    tasks = Path(f"/proc/{pid}/task")
    while any("TracerPid:\t0\n" in (task / "status").read_text() for task in tasks.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_without_a_manager_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    for address in (None, "", str(tmp_path / "nobody"), "@nobody-listens-here"):
        Notify(address, 1.0)("READY=1")
        Notify(address, 1.0).alive()


def test_who_is_not_watched_says_nothing(heard: Manager) -> None:
    Notify(heard.address).alive()
    Notify(heard.address)("READY=1")
    heard.wait("READY=1")
    assert heard.count("WATCHDOG=1") == 0


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, (None, None)),
        ({"NOTIFY_SOCKET": ""}, (None, None)),
        ({"NOTIFY_SOCKET": "/x"}, ("/x", None)),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000"}, ("/x", 30.0)),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, ("/x", 30.0)),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, ("/x", None)),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "0"}, ("/x", None)),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"}, ("/x", None)),
    ],
)
def test_the_manager_is_found_in_the_environment(
    environ: dict[str, str], found: tuple[str | None, float | None]
) -> None:
    assert service_manager(environ, pid=7) == found
