"""What durability costs: the append path against the same Flask app that stores nothing.

Both run behind the same server with the same limits, check the same signatures and read the same bodies; they differ
only in that one answers after the commit that holds the row, and the other at once. They are driven in turn, over
loopback, on the same processors, so the ratio within one run is the figure; the absolute numbers belong to the machine.
"""

import argparse
import base64
import hashlib
import hmac
import logging
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
URL = "https://hooks.example.com/callbacks/plivo"
PATH = "/callbacks/plivo"
KINDS = {"nothing stored": "nothing", "durable append": "append"}


class Round(NamedTuple):
    """One drive of one server."""

    per_second: float
    median_ms: float
    p99_ms: float


def serve(kind: str, folder: Path, token: str) -> None:
    """Serve one of the two apps until this process is killed."""
    sys.path.insert(0, str(ROOT))
    from collector import logs, store
    from collector.app import build_app
    from collector.door import Door, checks_of
    from collector.items import Item, Outcome
    from collector.pulse import Pulse
    from collector.routes import now
    from collector.serve import listen
    from collector.settings import Settings
    from collector.writer import Writer

    class Nothing:
        """A store that keeps nothing and says yes."""

        def append(self, item: Item) -> Outcome:  # noqa: ARG002
            return Outcome.ACCEPTED

    settings = Settings(
        tokens=(token,),
        public_urls=(URL,),
        paths=(PATH,),
        peppers=(secrets.token_bytes(32),),
        database_url=f"sqlite:///{folder / 'store.db'}",
        port=0,
    )
    logs.to_standard_error(logging.WARNING)
    pulse = Pulse("bench", now)
    door = Door(settings, next(iter(checks_of(settings))))
    if kind == "append":
        engine = store.writer_engine(settings.database_url)
        store.initialise(engine)
        writer = Writer(engine, pulse)
        writer.start()
        server = listen(build_app(door, writer, pulse, writer.trouble), settings, pulse)
    else:
        server = listen(build_app(door, Nothing(), pulse, str), settings, pulse)
    print(server.effective_port, flush=True)
    server.run()


def requests(count: int, token: str, start: int) -> list[bytes]:
    """Write signed requests down before the clock runs, each with a nonce of its own."""
    made = []
    for number in range(start, start + count):
        nonce = str(10**19 + number)
        mac = hmac.new(token.encode(), (URL + nonce).encode(), hashlib.sha256).digest()
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
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"X-Plivo-Signature-V2: {base64.b64encode(mac).decode()}\r\nX-Plivo-Signature-V2-Nonce: {nonce}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
    return made


def drive(port: int, made: list[bytes], connections: int) -> Round:
    """Send every request once over so many kept connections, and time each answer."""
    seconds: list[float] = []
    wrong: list[bytes] = []

    def client(share: list[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in share:
                began = time.perf_counter()
                connection.sendall(request)
                answer = connection.recv(4_096)
                while b"\r\n\r\n" not in answer and (more := connection.recv(4_096)):
                    answer += more
                seconds.append(time.perf_counter() - began)
                if not answer.startswith(b"HTTP/1.1 200 "):
                    wrong.append(answer[:60])
                    return

    clients = [threading.Thread(target=client, args=(made[n::connections],)) for n in range(connections)]
    began = time.perf_counter()
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    took = time.perf_counter() - began
    if wrong:
        raise SystemExit(f"a request was not answered with 200 but with {wrong[0]!r}")
    ordered = sorted(seconds)
    return Round(len(made) / took, 1e3 * statistics.median(ordered), 1e3 * ordered[int(len(ordered) * 0.99)])


def started(kind: str, folder: Path, token: str) -> tuple[subprocess.Popen[str], int]:
    """Start one of the two servers; its port is the first line it prints."""
    command = [sys.executable, __file__, "--serve", kind, "--folder", str(folder), "--token", token]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"the server for {kind!r} did not start")
    return process, int(line)


def table(rounds: dict[str, list[Round]]) -> str:
    """Write the medians of the rounds, and each as a ratio to storing nothing."""
    middle = {
        name: Round(*(statistics.median(column) for column in zip(*found, strict=True)))
        for name, found in rounds.items()
    }
    base = next(iter(middle.values()))
    lines = [f"{'':<16}{'requests/s':>12}{'ratio':>8}{'median ms':>12}{'p99 ms':>10}"]
    lines += [
        f"{name:<16}{one.per_second:>12,.0f}{one.per_second / base.per_second:>8.2f}"
        f"{one.median_ms:>12.1f}{one.p99_ms:>10.1f}"
        for name, one in middle.items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--serve", choices=list(KINDS.values()), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--token", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.folder, given.token)
        return
    token = secrets.token_urlsafe(30)
    rounds: dict[str, list[Round]] = {name: [] for name in KINDS}
    sent = 0
    with tempfile.TemporaryDirectory() as folder:
        servers = {name: started(kind, Path(folder), token) for name, kind in KINDS.items()}
        try:
            for _, port in servers.values():
                drive(port, requests(500, token, 10**9), given.connections)
            for _ in range(given.rounds):
                for name, (_, port) in servers.items():
                    made = requests(given.requests, token, sent)
                    sent += given.requests
                    rounds[name].append(drive(port, made, given.connections))
        finally:
            for process, _ in servers.values():
                process.kill()
                process.communicate()
    print(
        f"{given.connections} connections, {given.requests:,} requests a round, median of {given.rounds} rounds in turn"
    )
    print(table(rounds))


if __name__ == "__main__":
    main()
