"""What an attacker needs: requests written byte by byte, captured signatures, and an eye for what came back."""

import base64
import hashlib
import hmac
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from collector.errors import CollectorError, Refused
from collector.replay import BadLine
from collector.wire import Unreadable
from tests.collector.conftest import PATH, TOKEN, URL, CollectorProcess

OTHER_PATH = "/callbacks/plivo/former"
OTHER_URL = f"https://hooks.example.com{OTHER_PATH}"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
V2, V2_NONCE = "X-Plivo-Signature-V2", "X-Plivo-Signature-V2-Nonce"
V3, V3_NONCE = "X-Plivo-Signature-V3", "X-Plivo-Signature-V3-Nonce"

Headers = Sequence[tuple[str, str]]
_numbers = itertools.count(5 * 10**18)


def fresh() -> str:
    """Give a nonce that nobody has seen."""
    return str(next(_numbers))


def mac(text: str, token: str = TOKEN) -> str:
    """Sign a text as Plivo does; written without the collector's own code."""
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha256).digest()).decode()


def by_v2(nonce: str = "", *, url: str = URL, token: str = TOKEN) -> list[tuple[str, str]]:
    """Give the headers of V2, which cover the URL and the nonce."""
    nonce = nonce or fresh()
    return [(V2, mac(url + nonce, token)), (V2_NONCE, nonce)]


def by_v3(content: str, nonce: str = "", *, url: str = URL, token: str = TOKEN) -> list[tuple[str, str]]:
    """Give the headers of V3 over a content that is written out: the names and values of a body, ``a=b`` of a GET."""
    nonce = nonce or fresh()
    return [(V3, mac(f"{url}?{content}.{nonce}", token)), (V3_NONCE, nonce)]


def written(headers: Headers = (), body: str = "", *, method: str = "POST", where: str = PATH) -> bytes:
    """Write a request down; each character is one byte."""
    lines = [f"{method} {where} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body]).encode("latin-1")


def outcome(call: Callable[[], Any]) -> Any:
    """Give what a reader returns, or the one kind of refusal it has; anything else is raised."""
    try:
        return call()
    except (Refused, Unreadable, BadLine, CollectorError) as refused:
        return refused


class Answer(NamedTuple):
    """One answer, as bytes but for its date."""

    status: int
    head: bytes
    body: bytes


def answers(received: bytes, *, to_head: bool = False) -> list[Answer]:
    """Take what came back apart; anything but whole answers, one after the other, is an error."""
    found: list[Answer] = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        assert end, f"half a head: {head!r}"
        assert head.startswith(b"HTTP/1."), f"no answer: {head!r}"
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Date: ")]
        status = int(head.split(b" ", 2)[1])
        lengths = [int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length:")]
        size = 0 if status == 100 or (to_head and not found) else lengths[0]
        assert len(received) >= size, f"half a body: {received!r}"
        found.append(Answer(status, b"\r\n".join(lines), received[:size]))
        received = received[size:]
    return found


class Target(CollectorProcess):
    """A collector that is attacked."""

    def start(self, *launcher: str) -> "Target":
        super().start(*launcher)
        return self

    def ask(self, octets: bytes) -> Answer:
        """Send one request and give its one answer."""
        (answer,) = answers(self.raw(octets))
        return answer

    def stored(self) -> tuple[int, int]:
        """Count what is in the store: callbacks, and what is kept apart."""
        ((callbacks, kept),) = self.rows("SELECT (SELECT count(*) FROM callbacks), (SELECT count(*) FROM quarantine)")
        return callbacks, kept

    def sessions(self) -> list[str]:
        return [session for (session,) in self.rows("SELECT session_id FROM callbacks ORDER BY callback_id")]
