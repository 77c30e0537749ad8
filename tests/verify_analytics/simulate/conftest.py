"""A simulated week, its capture as read by somebody else, and a small receiver that judges with plivo's code."""

import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from plivo.utils import validate_signature
from plivo.utils.signature_v3 import validate_v3_signature

from verify_analytics.simulate import Features, History, history

END = datetime(2026, 10, 29, tzinfo=UTC)
KEYS: dict[str, Any] = {
    "url": "https://collector.example/callbacks/plivo",
    "tokens": ("older-token-for-tests", "newer-token-for-tests"),
    "main_token": "main-token-for-tests",
    "verification_url": "https://collector.example/verifications",
    "verification_secret": "secret-for-reports-in-tests",
}


@dataclass(frozen=True)
class Line:
    """One request of a capture, read without the simulator's help."""

    received_at: datetime
    method: str
    url: str
    headers: dict[str, str]
    body: str

    @property
    def is_report(self) -> bool:
        return "X-Signature" in self.headers

    @property
    def fields(self) -> dict[str, str]:
        text = self.body if self.method == "POST" else urlsplit(self.url).query
        found = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
        assert len(found) == len(dict(found)), "a field came twice"
        return dict(found)

    @property
    def report(self) -> dict[str, str]:
        made: dict[str, str] = json.loads(self.body)
        return made


@dataclass(frozen=True)
class Capture:
    """A capture: requests in the order of its lines, and the spans said to be down."""

    lines: list[Line]
    down: list[tuple[datetime, datetime]]

    @property
    def callbacks(self) -> list[Line]:
        return [line for line in self.lines if not line.is_report]

    @property
    def reports(self) -> list[Line]:
        return [line for line in self.lines if line.is_report]


def read_capture(path: Path) -> Capture:
    """Read a capture."""
    lines, down = [], []
    for text in path.read_text().splitlines():
        found = json.loads(text)
        if "down_from" in found:
            down.append((datetime.fromisoformat(found["down_from"]), datetime.fromisoformat(found["down_to"])))
        else:
            received_at = datetime.fromisoformat(found.pop("received_at"))
            lines.append(Line(received_at, **{**found, "headers": dict(found["headers"])}))
    return Capture(lines, down)


@pytest.fixture(scope="session")
def make() -> Callable[..., History]:
    """Make a history that ends at one fixed midnight."""

    def made(sessions: int = 400, *, seed: int = 11, days: int = 7, **more: Any) -> History:
        return history(sessions, seed=seed, days=days, **{"end": END, **more})

    return made


@pytest.fixture(scope="session")
def world(make: Callable[..., History]) -> History:
    """Give a week with everything switched on, and bots, losses and outages enough to see each."""
    strong = Features(
        bots=0.05, lost=0.02, late=0.03, redelivered=0.06, no_attempt_id=0.02, odd_status=0.02, odd_channel=0.02,
        odd_code=0.05, time_formats=0.3, clock_faults=0.02, reuse=0.1, plus_sign=0.1, get=0.1,
    )  # fmt: skip
    return make(1500, features=strong)


@pytest.fixture(scope="session")
def capture(world: History, tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Give the capture of that week, read back."""
    path = tmp_path_factory.mktemp("capture") / "capture.jsonl"
    world.write_capture(path, **KEYS)
    return read_capture(path)


def proved(method: str, url: str, headers: dict[str, str], body: str) -> set[str]:
    """Say which signature headers the provider's own package accepts; it takes no comma lists for V2."""
    found, tokens, main = set(), KEYS["tokens"], KEYS["main_token"]
    for name, keys in (("V2", tokens), ("Ma-V2", (main,))):
        nonce = headers.get("X-Plivo-Signature-V2-Nonce", "")
        given = headers.get(f"X-Plivo-Signature-{name}", "").split(",")
        if any(validate_signature(url, nonce, one, key) for one in given for key in keys):
            found.add(name)
    fields = dict(parse_qsl(body, keep_blank_values=True)) if method == "POST" else {}
    for name, keys in (("V3", tokens), ("Ma-V3", (main,))):
        nonce = headers.get("X-Plivo-Signature-V3-Nonce", "")
        given_v3 = headers.get(f"X-Plivo-Signature-{name}", "")
        if given_v3 and any(validate_v3_signature(method, url, nonce, key, given_v3, fields) for key in keys):
            found.add(name)
    return found


@dataclass
class Receiver:
    """A receiver that follows the rules, and fails as often as it is told to.

    Parameters
    ----------
    failing
        How often each content is answered 503 before it is taken.
    """

    failing: int = 0
    address: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    bodies: list[str] = field(default_factory=list)
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    nonces: dict[str, str] = field(default_factory=dict)
    reports: set[str] = field(default_factory=set)
    proofs: list[set[str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> int:
        with self.lock:
            content = (target, body.decode("latin-1"))
            self.seen[content] += 1
            if self.seen[content] <= self.failing:
                return 503
            status, word = self.judge(method, target, headers, body)
            self.counts[word] += 1
            self.bodies.append(body.decode("latin-1"))
            return status

    def judge(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:  # noqa: PLR0911
        path, _, query = target.partition("?")
        if path == "/verifications":
            return self.judge_report(headers, body)
        if path != "/callbacks/plivo":
            return 404, "not_found"
        if method not in {"GET", "POST"}:
            return 405, "method"
        url = f"{KEYS['url']}?{query}" if query else KEYS["url"]
        text = body.decode("latin-1")
        proof = proved(method, url, headers, text)
        self.proofs.append(proof)
        if not proof:
            return 403, "signature"
        content, nonce = f"{query} {text}", headers["X-Plivo-Signature-V2-Nonce"]
        is_new = nonce not in self.nonces
        if self.nonces.setdefault(nonce, content) != content:
            return 403, "nonce_reused"
        fields = parse_qsl(text or query, keep_blank_values=True)
        if len(fields) > 64 or "SessionUUID" not in dict(fields) or len(fields) > len(dict(fields)) or "%FF" in text:
            return 200, "quarantined"
        return 200, "accepted" if is_new else "repeated"

    def judge_report(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        digest = hmac.new(KEYS["verification_secret"].encode(), body, hashlib.sha256).hexdigest()
        if headers.get("X-Signature") != f"sha256={digest}":
            return 403, "verification_signature"
        try:
            found = json.loads(body)
        except ValueError:
            return 400, "verification_json"
        if datetime.fromisoformat(found["verified_at"]).tzinfo is None:
            return 422, "verification_time"
        word = "known report" if body.decode() in self.reports else "verifications"
        self.reports.add(body.decode())
        return 200, word


@contextmanager
def listening(receiver: Receiver) -> Iterator[Receiver]:
    """Let a receiver listen on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = receiver.answer(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_DELETE = reply  # noqa: N815 - the names that the library asks for

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Give a receiver that answers at once."""
    with listening(Receiver()) as one:
        yield one


@pytest.fixture
def failing_receiver() -> Iterator[Receiver]:
    """Give a receiver that answers 503 to the first try of everything."""
    with listening(Receiver(failing=1)) as one:
        yield one
