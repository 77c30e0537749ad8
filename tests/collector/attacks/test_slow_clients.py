"""Clients that begin and do not end: two hundred of a kind at once, and the honest ones are answered all the same."""

import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.collector.attacks.conftest import MakeTarget
from tests.collector.attacks.tools import FORM, Target, answers, by_v2, written
from tests.collector.conftest import PATH

SLOW_HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Plivo-Sig".encode()
SLOW_BODY = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nSessionUUID=".encode()
SLOW_CHUNK = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nSess".encode()
SLOW_TAIL = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y".encode()
WAITING = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n".encode()
# Answered long ago, and holding on to the connection.
LINGERING = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
KINDS = {
    "idle": [b""],
    "slow head": [SLOW_HEAD],
    "slow body": [SLOW_BODY],
    "all kinds": [b"", b"P", SLOW_HEAD, SLOW_BODY, SLOW_CHUNK, SLOW_TAIL, WAITING, LINGERING, b"\r\n"],
}
MANY = 200
# Far beyond what an answer takes, and below what the provider waits for: a busy machine is not what is tested.
IN_TIME = 5.0
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc, on Linux")


@contextmanager
def clients(target: Target, beginnings: list[bytes], many: int = MANY) -> Iterator[list[socket.socket]]:
    """Hold this many connections, each with a beginning of its kind."""
    opened: list[socket.socket] = []
    try:
        for number in range(many):
            client = socket.create_connection(("127.0.0.1", target.port), 10)
            opened.append(client)
            client.sendall(beginnings[number % len(beginnings)])
        yield opened
    finally:
        for client in opened:
            client.close()


def honest(target: Target, name: str, many: int = 8) -> list[float]:
    """Send honest requests at once, and give the seconds each was answered 200 within."""

    def send(number: int) -> float:
        began = time.monotonic()
        octets = written([FORM, *by_v2()], f"SessionUUID={name}-{number}")
        (answer,) = answers(target.raw(octets, timeout=30))
        assert answer.status == 200
        return time.monotonic() - began

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(send, range(many)))


def descriptors(target: Target) -> int:
    return sum(1 for _ in Path(f"/proc/{target.process.pid}/fd").iterdir())


def settles(ask: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ask():
            return True
        time.sleep(0.05)
    return ask()


@needs_proc
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_slow_clients_keep_nobody_waiting_and_leave_nothing_behind(target: Target, kind: str) -> None:
    honest(target, "warm")
    before = descriptors(target)
    rows = target.stored()
    with clients(target, KINDS[kind]):
        assert settles(lambda: descriptors(target) >= before + MANY)
        assert max(honest(target, kind)) < IN_TIME
    assert settles(lambda: descriptors(target) <= before)
    # Eight rows of the honest, and not one of a request that was cut short.
    assert target.stored() == (rows[0] + 8, rows[1])


def dripping(opened: list[socket.socket], stop: threading.Event) -> None:
    """Send one byte a second on each connection: none of them is ever quiet for long enough to be shown out."""
    while not stop.wait(1.0):
        for client in opened:
            with suppress(OSError):
                client.send(b"x")


def drips(target: Target, seconds: float) -> list[float]:
    """Let two hundred clients drip for so long, with honest ones all the while; give the times of the honest."""
    stop = threading.Event()
    times: list[float] = []
    with clients(target, [SLOW_HEAD, SLOW_BODY]) as opened:
        dripper = threading.Thread(target=dripping, args=(opened, stop))
        dripper.start()
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                times += honest(target, f"{len(times)}")
                time.sleep(0.5)
        finally:
            stop.set()
            dripper.join()
    return times


@needs_proc
def test_two_hundred_clients_of_a_byte_a_second_keep_nobody_waiting(target: Target) -> None:
    # The writer opens the store's files with the first row.
    honest(target, "warm")
    before = descriptors(target)
    assert max(drips(target, 3)) < IN_TIME
    assert settles(lambda: descriptors(target) <= before)


@needs_proc
@pytest.mark.full
def test_for_a_minute_they_keep_nobody_waiting_either(target: Target) -> None:
    """Longer than the thirty seconds after which a quiet connection is shown out: a dripping one never is."""
    # The writer opens the store's files with the first row.
    honest(target, "warm")
    before = descriptors(target)
    assert max(drips(target, 60)) < IN_TIME
    assert settles(lambda: descriptors(target) <= before)


# --- more than there is room for -------------------------------------------------------------------------------------

# As many descriptors as a process has unless somebody gives it more.
USUAL_DESCRIPTORS = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024));"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
ROOM = 990
BEYOND = 1_100


@pytest.fixture
def own_descriptors() -> Iterator[None]:
    """Let this process hold more connections than the collector takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * BEYOND:
        pytest.skip(f"this process may open {hard} files at the most, and needs {2 * BEYOND}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * BEYOND), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@needs_proc
@pytest.mark.full
@pytest.mark.usefixtures("own_descriptors")
def test_beyond_a_thousand_connections_whoever_comes_waits_until_the_idle_ones_are_shown_out(
    make_target: MakeTarget,
) -> None:
    target = make_target().start(sys.executable, "-c", USUAL_DESCRIPTORS)
    honest(target, "warm")
    before = descriptors(target)
    with clients(target, [b""], ROOM):
        assert settles(lambda: descriptors(target) >= before + ROOM)
        assert max(honest(target, "room", many=4)) < IN_TIME
    assert settles(lambda: descriptors(target) <= before)
    with clients(target, [b""], BEYOND), ThreadPoolExecutor(1) as pool:
        assert settles(lambda: descriptors(target) >= before + ROOM)
        began = time.monotonic()
        late = pool.submit(target.raw, written([FORM, *by_v2()], "SessionUUID=late"), 90)
        time.sleep(3)
        # It is connected, by the kernel, and nobody reads what it says; the process is well and logs the fact once.
        assert not late.done()
        assert descriptors(target) <= 1_024
        (answer,) = answers(late.result())
        assert answer.status == 200
        assert 20 < time.monotonic() - began < 80
    assert settles(lambda: descriptors(target) <= before)
    assert max(honest(target, "afterwards")) < IN_TIME
    said = [event["said"] for event in target.events() if event["event"] == "library"]
    assert len(said) == 1
    assert "reached the connection limit" in said[0]
