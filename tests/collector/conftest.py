"""A provider that signs as Plivo does, and a real collector in a process of its own to send to."""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import Connection, Engine, event

from tests.postgres import PostgresServer

TOKEN = "kD83hfQ0pLmZx71vTqRs92WbYcEaNuJo54GiUdHw"
SECRET = "zB7Wq1rY5tKp9sXv3mNc8hLd2gFj6eQa"
PEPPER = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
PATH = "/callbacks/plivo/3f9d1c"
URL = f"https://hooks.example.com{PATH}"
# 555-01xx: numbers that belong to nobody.
NUMBER = "12015550123"
STARTED_WITHIN = 20.0


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Provider:
    """Signs as the documents say; written without the collector's own code, which is what is tested."""

    def __init__(self, token: str = TOKEN, url: str = URL) -> None:
        self.token = token
        self.url = url
        self._numbers = itertools.count(10**19)

    def nonce(self) -> str:
        return str(next(self._numbers))

    def headers(self, nonce: str | None = None, *, family: str = "V2") -> dict[str, str]:
        nonce = nonce or self.nonce()
        mac = hmac.new(self.token.encode(), (self.url + nonce).encode(), hashlib.sha256).digest()
        return {
            f"X-Plivo-Signature-{family}": base64.b64encode(mac).decode(),
            f"X-Plivo-Signature-{family}-Nonce": nonce,
        }

    @staticmethod
    def fields(session: str = "s-1", **changed: str) -> dict[str, str]:
        return {
            "SessionUUID": session,
            "SessionStatus": "in-progress",
            "RequestTime": "2026-09-01 12:00:00.000001",
            "Recipient": NUMBER,
            "ChannelErrorCode": "",
            "Channel": "sms",
            "AttemptUUID": f"{session}-a",
            "AttemptSequence": "1",
            "ChannelStatus": "delivered",
        } | changed


class CollectorProcess:
    """One collector on a free loopback port, and what a provider does to it."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.env_file = folder / "collector.env"
        self.store = folder / "store.db"
        self.provider = Provider()
        self.log = folder / "collector.log"
        given = {
            "PLIVO_AUTH_TOKEN": TOKEN,
            "COLLECTOR_PUBLIC_URL": URL,
            "COLLECTOR_PEPPER": PEPPER,
            "COLLECTOR_DATABASE_URL": f"sqlite:///{self.store}",
            "COLLECTOR_PORT": "0",
            **settings,
        }
        self.env_file.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "collector", *arguments, "--env-file", str(self.env_file)]

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, env=clean_environment(), check=False, timeout=60
        )

    def start(self, *launcher: str) -> "CollectorProcess":
        """Start it, and wait until it serves; a launcher is a command that runs the command behind it."""
        before = len(self.events())
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher, *self.command("serve")], stdout=log, stderr=log, env=clean_environment()
            )
        end = time.monotonic() + STARTED_WITHIN
        while time.monotonic() < end and self.process.poll() is None:
            if serving := [event for event in self.events()[before:] if event["event"] == "serving"]:
                self.port = int(serving[0]["port"])
                return self
            time.sleep(0.01)
        raise AssertionError(f"the collector did not start: {self.log.read_text()}")

    def events(self) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def end(self, number: int = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)

    def request(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None, timeout: float = 10
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with closing(connection):
            connection.request(method, target, body or None, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def post(self, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        signed = self.provider.headers() if headers is None else headers
        body = urlencode(fields, quote_via=quote).encode()
        return self.request("POST", PATH, body, {"Content-Type": "application/x-www-form-urlencoded", **signed})

    def get(self, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("GET", f"{PATH}?{urlencode(fields)}", b"", headers or self.provider.headers())

    def raw(self, octets: bytes, timeout: float = 10, *, piece: int = 0) -> bytes:
        """Send bytes as they are, at once or in pieces, and give what comes back until the other side is done."""
        with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
            received = b""
            # Who is refused before having sent everything may find the connection reset after the answer, or gone
            # altogether (ENOTCONN, which is no ConnectionError) by the time it wants to say that it is done.
            with suppress(OSError):
                for start in range(0, len(octets), piece or len(octets) or 1):
                    connection.sendall(octets[start : start + piece] if piece else octets)
                connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while part := connection.recv(65_536):
                    received += part
            return received

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(query).fetchall()


def clean_environment() -> dict[str, str]:
    """Leave out whatever this machine sets for a collector of its own."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}}
    return kept | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


@pytest.fixture
def provider() -> Provider:
    """Give a provider that knows the token."""
    return Provider()


@pytest.fixture
def engines_closed() -> Iterator[None]:
    """Close the connections of every engine a test opens: psycopg warns of those that nobody closes."""
    engines: set[Engine] = set()

    def noted(connection: Connection) -> None:
        engines.add(connection.engine)

    event.listen(Engine, "engine_connect", noted)
    yield
    event.remove(Engine, "engine_connect", noted)
    for engine in engines:
        engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_store(request: pytest.FixtureRequest, tmp_path: Path, engines_closed: None) -> str:
    """Give the URL of a store that is not made yet, in each of the two databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'store.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.emptied_database()


@pytest.fixture
def make_collector(tmp_path: Path) -> Iterator[Callable[..., CollectorProcess]]:
    """Give a function that prepares a collector with these settings; whatever was started is ended."""
    made: list[CollectorProcess] = []

    def make(folder: str = "", **settings: str) -> CollectorProcess:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        made.append(CollectorProcess(place, settings))
        return made[-1]

    yield make
    for collector in made:
        collector.end(signal.SIGKILL)


@pytest.fixture
def collector_process(make_collector: Callable[..., CollectorProcess]) -> CollectorProcess:
    """Give a collector that runs, with a secret for reports and nothing in its store."""
    return make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a store that is not there yet; for each database that a test is run with (`records.BOTH`)."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()
