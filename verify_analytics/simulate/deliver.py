"""Delivers requests over HTTP as the provider does: several at once, each again until it is answered 200.

Knows nothing of what is in them. A try that is not answered within eight seconds, or not with 200, is followed by three
more, 60, 120 and 240 seconds after each other; a compressed time makes these shorter.
"""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from verify_analytics.errors import ArgumentError

# Seconds from each failed try to the next.
RETRIES = (60.0, 120.0, 240.0)
TIMEOUT = 8.0
# Without a pace retries still wait a moment (0.1, 0.2 and 0.4 seconds), so that a server can recover.
FASTEST_RETRY = 600.0
NO_ANSWER = 0


class Outgoing(NamedTuple):
    """One request on its way.

    Parameters
    ----------
    kind
        What it is, for whoever counts.
    due
        Seconds after the first request, in the time of the simulated world.
    retried
        Whether it is sent again unless answered 200; a forger does not care.
    """

    kind: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    due: float = 0.0
    retried: bool = True


class Answer(NamedTuple):
    """What became of one request: the last status, `NO_ANSWER` for none, and the number of tries."""

    outgoing: Outgoing
    status: int
    tries: int


def server_of(to: str) -> SplitResult:
    """Read the address of a server.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    parts = urlsplit(to)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ArgumentError(f"{to!r} is no web address; write it as in http://127.0.0.1:8080")
    return parts


def deliver(
    outgoing: Iterator[Outgoing],
    *,
    to: str,
    connections: int = 4,
    speed: float = math.inf,
    stop: threading.Event | None = None,
    told: Callable[[Answer], None] = lambda _: None,
) -> None:
    """Deliver requests in the order of their moments, `connections` at once.

    Parameters
    ----------
    outgoing
        By `due`; taken one by one as they become due, so they may be many.
    to
        The server; its path is not used.
    speed
        How many seconds of the simulated world pass in one of ours; infinite for no waiting at all.
    stop
        When set, what is not under way is left, and the call returns.
    told
        Called with each answer, one at a time.

    Raises
    ------
    Exception
        Whatever `outgoing` or `told` raised.
    """
    if connections < 1 or not speed > 0:
        raise ArgumentError(f"connections={connections} and speed={speed}: both must be more than 0")
    schedule = _Schedule(outgoing, speed, stop or threading.Event(), told)
    server = server_of(to)
    workers = [threading.Thread(target=schedule.work, args=(server,), daemon=True) for _ in range(connections)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            # A plain join would keep Ctrl-C waiting until the last request.
            while worker.is_alive():
                worker.join(0.2)
    finally:
        schedule.leave()
        for worker in workers:
            worker.join(2 * TIMEOUT)
    if schedule.error:
        raise schedule.error


class _Schedule:
    """What is to be sent next, shared by the workers."""

    def __init__(
        self, outgoing: Iterator[Outgoing], speed: float, stop: threading.Event, told: Callable[[Answer], None]
    ) -> None:
        self.error: BaseException | None = None
        self._outgoing = outgoing
        self._next: Outgoing | None = None
        self._again: list[tuple[float, int, Outgoing, int]] = []
        self._speed = speed
        self._stop = stop
        self._told = told
        self._left = False
        self._under_way = 0
        self._count = 0
        self._begun = time.monotonic()
        self._changed = threading.Condition()

    def work(self, server: SplitResult) -> None:
        """Send until nothing is left; one worker's life."""
        line = _Line(server)
        try:
            while taken := self._take():
                self._record(*taken, line.ask(taken[0]))
        except BaseException as error:  # noqa: BLE001 - told to the caller, whose thread this is not
            self.error = error
            self.leave()
        finally:
            line.close()

    def leave(self) -> None:
        """Let the workers go home."""
        with self._changed:
            self._left = True
            self._changed.notify_all()

    def _take(self) -> tuple[Outgoing, int] | None:
        """Wait for the next request that is due and give it with the number of tries before; None when all is done."""
        with self._changed:
            while not self._left and not self._stop.is_set():
                self._next = self._next or next(self._outgoing, None)
                fresh = self._begun + self._next.due / self._speed if self._next else math.inf
                due = min(fresh, self._again[0][0] if self._again else math.inf)
                now = time.monotonic()
                if due <= now:
                    self._under_way += 1
                    if self._next and fresh == due:
                        taken, self._next = self._next, None
                        return taken, 0
                    _, _, again, tries = heapq.heappop(self._again)
                    return again, tries
                if due == math.inf and not self._under_way:
                    return None
                self._changed.wait(min(due - now, 0.2))
            return None

    def _record(self, outgoing: Outgoing, tries: int, status: int) -> None:
        with self._changed:
            self._under_way -= 1
            if status != 200 and outgoing.retried and tries < len(RETRIES):
                self._count += 1
                due = time.monotonic() + RETRIES[tries] / min(self._speed, FASTEST_RETRY)
                heapq.heappush(self._again, (due, self._count, outgoing, tries + 1))
            else:
                self._told(Answer(outgoing, status, tries + 1))
            self._changed.notify_all()


class _Line:
    """One connection, kept open and opened again when it breaks."""

    def __init__(self, server: SplitResult) -> None:
        kind = HTTPSConnection if server.scheme == "https" else HTTPConnection
        self._connection = kind(str(server.hostname), server.port, timeout=TIMEOUT)
        self._used = False

    def ask(self, outgoing: Outgoing) -> int:
        """Send one request and give the status of its answer."""
        was_used, self._used = self._used, True
        try:
            return self._ask(outgoing)
        except ConnectionError:
            # A server may close a connection that was kept open, just when it is used: that is no failed try.
            self.close()
            return self.ask(outgoing) if was_used else NO_ANSWER
        except (OSError, HTTPException):
            self.close()
            return NO_ANSWER

    def close(self) -> None:
        """Hang up; the next request opens a new connection."""
        self._connection.close()
        self._used = False

    def _ask(self, outgoing: Outgoing) -> int:
        self._connection.putrequest(outgoing.method, outgoing.target, skip_accept_encoding=True)
        for name, value in outgoing.headers:
            self._connection.putheader(name, value)
        if outgoing.body or outgoing.method == "POST":
            self._connection.putheader("Content-Length", str(len(outgoing.body)))
        self._connection.endheaders(outgoing.body or None)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status
