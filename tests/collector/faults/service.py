"""What the fault tests do with a collector's process beyond starting it: sockets from outside, faults in its calls."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.collector.conftest import Answer, CollectorProcess, clean_environment

FOLDED_AT = 1_000 * 4_120
"""Bytes of SQLite's log when it folds it back: a thousand pages of 4,096 bytes, each with a head of 24."""
# What systemd does: the socket as descriptor 3, and the number of the process in its environment.
_HAND_OVER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3);"
    "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
    "os.execv(sys.argv[2], sys.argv[2:])"
)


@contextmanager
def served_on(collector: CollectorProcess, listening: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    """Run a collector on a socket that was opened for it; it is asked to end afterwards, and must end well."""
    with collector.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _HAND_OVER, str(listening.fileno()), *collector.command("serve")],
            pass_fds=[listening.fileno()],
            stdout=log,
            stderr=log,
            env=clean_environment(),
        )
    collector.port = listening.getsockname()[1]
    try:
        yield process
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def injecting(*faults: str, only: Path | None = None) -> list[str]:
    """Give the launcher under which calls to the kernel fail or are slow; each fault in the words of strace.

    The process stays our own child: strace watches it from the side, and ends with it. With ``only``, calls about other
    files are left alone.
    """
    if shutil.which("strace") is None:
        pytest.skip("faults are injected into calls to the kernel with strace, which is not here")
    tried = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"strace may not watch a process here: {tried.stderr.decode().strip()}")
    calls = ",".join(sorted({fault.partition(":")[0] for fault in faults}))
    words = [word for fault in faults for word in ("-e", f"inject={fault}")]
    paths = ["-P", str(only)] if only else []
    return ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", *paths, "-e", f"trace={calls}", *words]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def read(port: int, path: str) -> Answer:
    """Ask on the port that is there to be watched."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


def figure(port: int, name: str) -> float:
    """Read one metric."""
    lines = read(port, "/metrics").body.decode().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == name)


def eventually(holds: Callable[[], bool], within: float = 20.0) -> bool:
    """Wait until something holds; False if it does not in time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        with suppress(OSError):
            if holds():
                return True
        time.sleep(0.02)
    return holds()
