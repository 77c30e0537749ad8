"""Drives a server over loopback: requests written down beforehand, kept connections, one thread that only moves bytes.

One process with one selector and no threads, because whatever the driver spends it takes from the server it measures:
both share the machine's processors. The time of each answer is that of its own request, sent when the one before on
the same connection was answered. What a server spent is read from its own clock of processor time, which a busy
machine does not bend as it bends everything else.
"""

import base64
import hashlib
import hmac
import re
import select
import socket
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

URL = "https://hooks.example.com/callbacks/plivo"
PATH = "/callbacks/plivo"
PATIENCE = 60.0
"""Seconds without any answer after which a drive is given up."""


class Round(NamedTuple):
    """One drive of one server.

    Attributes
    ----------
    per_second
        Requests answered with 200.
    median_ms, p99_ms
        From the sending of a request to its answer, whatever that was.
    cpu_us
        Processor time of the server for each request, all its threads and processes together.
    refused
        Requests answered with 5xx: not stored, and to be sent again by the provider.
    """

    per_second: float
    median_ms: float
    p99_ms: float
    cpu_us: float
    refused: int


class WrongAnswerError(Exception):
    """A server answered neither with 200 nor with a trouble of its own, or not at all."""


def requests(count: int, token: str, start: int) -> list[bytes]:
    """Write signed requests down before the clock runs, each with a nonce of its own."""
    made = []
    for number in range(start, start + count):
        nonce = str(10**19 + number)
        mac = hmac.digest(token.encode(), (URL + nonce).encode(), hashlib.sha256)
        fields = {
            "SessionUUID": f"00000000-0000-4000-8000-{number // 4:012}",
            "SessionStatus": "in-progress",
            "RequestTime": "2026-09-01 12:00:00.000001",
            "Recipient": f"1201555{number % 10_000:04}",
            "ChannelErrorCode": "",
            "Channel": "sms",
            "AttemptUUID": f"00000000-0000-4000-9000-{number // 3:012}",
            "AttemptSequence": "1",
            "ChannelStatus": "delivered",
        }
        body = urlencode(fields)
        made.append(
            f"POST {PATH} HTTP/1.1\r\nHost: hooks.example.com\r\n"
            "X-Forwarded-Proto: https\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"X-Plivo-Signature-V2: {base64.b64encode(mac).decode()}\r\nX-Plivo-Signature-V2-Nonce: {nonce}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
    return made


def cpu_seconds(pid: int) -> float:
    """Read the processor time a process has used, all its threads together, in the kernel's own nanoseconds."""
    # The clock of another process (clock_getcpuclockid(3)): its number inverted, and 2 for "as the scheduler counts".
    return time.clock_gettime((~pid << 3) | 2)


def drive(ports: Sequence[int], made: Sequence[bytes], connections: int, pids: Sequence[int] = ()) -> Round:
    """Send every request once over so many kept connections, shared out evenly, and time each answer."""
    poll = select.epoll()
    open_now: dict[int, socket.socket] = {}
    try:
        for number in range(min(connections, len(made))):
            connection = socket.create_connection(("127.0.0.1", ports[number % len(ports)]), timeout=PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poll.register(connection.fileno(), select.EPOLLIN)
            open_now[connection.fileno()] = connection
        spent = sum(map(cpu_seconds, pids))
        began = time.perf_counter()
        seconds, refused = _exchange(poll, open_now, made)
        took = time.perf_counter() - began
        spent = sum(map(cpu_seconds, pids)) - spent
    finally:
        poll.close()
        for connection in open_now.values():
            connection.close()
    seconds.sort()
    return Round(
        (len(made) - refused) / took,
        1e3 * statistics.median(seconds),
        1e3 * seconds[int(len(seconds) * 0.99)],
        1e6 * spent / len(made),
        refused,
    )


def _exchange(poll: select.epoll, open_now: dict[int, socket.socket], made: Sequence[bytes]) -> tuple[list[float], int]:
    """Keep one request under way on each connection until all are answered."""
    clock = time.perf_counter
    left = iter(made)
    since: dict[int, float] = {}
    seconds: list[float] = []
    refused = 0
    for number, connection in open_now.items():
        since[number] = clock()
        connection.sendall(next(left))
    while len(seconds) < len(made):
        ready = poll.poll(PATIENCE)
        if not ready:
            raise WrongAnswerError(f"no answer within {PATIENCE:.0f} s")
        for number, _ in ready:
            connection = open_now[number]
            status = _status(connection)
            now = clock()
            seconds.append(now - since[number])
            if status.startswith(b"5"):
                refused += 1
            elif status != b"200":
                raise WrongAnswerError(f"a request was not answered with 200 but with {status!r}")
            if (request := next(left, None)) is not None:
                since[number] = now
                connection.sendall(request)
    return seconds, refused


def _status(connection: socket.socket) -> bytes:
    """Read one whole answer and give its status."""
    answer = connection.recv(4_096)
    while b"\r\n\r\n" not in answer:
        if not (more := connection.recv(4_096)):
            return b""
        answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (more := connection.recv(missing)):
        missing -= len(more)
    return answer[9:12]
