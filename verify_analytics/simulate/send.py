"""Posts a capture to a collector, as if the provider sent it again."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from verify_analytics.errors import NotFoundError, SchemaError
from verify_analytics.simulate import signing
from verify_analytics.simulate.capture import Progress
from verify_analytics.simulate.deliver import Answer, Outgoing, deliver, server_of

CALLBACK, REPORT = "callback", "report"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIGNED = "x-plivo-signature-"
# The client writes these itself.
_OF_THE_CONNECTION = {"content-length", "host", "connection", "transfer-encoding"}


@dataclass(frozen=True)
class SendResult:
    """What became of the lines of a capture.

    Parameters
    ----------
    answers
        (kind, status) → how many: ``callback`` or ``report``, and the last status; 0 where nothing answered.
    tries
        Requests made, retries included.
    stopped
        Whether it was asked to stop before the end.
    """

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    tries: int = 0
    stopped: bool = False

    @property
    def sent(self) -> int:
        """How many lines were sent, whatever became of them."""
        return self.answers.total()

    @property
    def given_up(self) -> int:
        """How many were never answered 200: the provider would have lost them."""
        return sum(count for (_, status), count in self.answers.items() if status != 200)


def send(
    path: str | Path,
    *,
    to: str,
    tokens: Sequence[str] = (),
    main_token: str | None = None,
    verification_secret: str | None = None,
    public_url: str | None = None,
    speed: float = math.inf,
    connections: int = 4,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> SendResult:
    """Post each line of a capture over HTTP, with the provider's retries.

    Parameters
    ----------
    path
        A capture, as `capture.write` or a collector's own log has it. Lines about outages are passed over.
    to
        The server, such as ``http://127.0.0.1:8080``: each request goes to the path it was captured on. With a path of
        its own, callbacks go there.
    tokens, main_token, verification_secret
        To sign anew: the last of the tokens and the main token for callbacks, the secret for reports. Without them the
        captured signatures are sent, which hold for the public URL of the capture wherever the requests go.
    public_url
        What is signed when callbacks are signed anew; by default the address they are sent to.
    speed
        Seconds of the capture that pass in one of ours; infinite (the default) sends at once. The provider's retries,
        60, 120 and 240 seconds after each other, are compressed by as much, and at most 600 times.
    connections
        How many requests are under way at once; with more than one, neighbours may arrive in another order.
    progress
        Called with the lines done and the lines there are.
    stop
        When set, sending ends early.

    Returns
    -------
    SendResult
        Counts by kind and status.

    Raises
    ------
    NotFoundError
        There is no such file.
    SchemaError
        A line is no captured request; those before it have been sent.
    ArgumentError
        `to` is no address, or a length is not positive.
    """
    path, server = Path(path), server_of(to)
    if not path.is_file():
        raise NotFoundError(f"no capture {str(path)!r}; make one with verify-analytics simulate --out {path.name}")
    signer = _Signer(tuple(tokens), main_token, verification_secret, public_url or (to if server.path else None))
    with path.open("rb") as file:
        total = sum(1 for _ in file)
    answers: Counter[tuple[str, int]] = Counter()
    tries = 0

    def told(answer: Answer) -> None:
        nonlocal tries
        answers[answer.outgoing.kind, answer.status] += 1
        tries += answer.tries
        if progress:
            progress(answers.total(), total)

    stop = stop or threading.Event()
    with path.open("rb") as file:
        outgoing = _outgoing(file, signer, server.path)
        deliver(outgoing, to=to, connections=connections, speed=speed, stop=stop, told=told)
    return SendResult(answers, tries, stop.is_set())


@dataclass(frozen=True)
class _Signer:
    tokens: tuple[str, ...]
    main_token: str | None
    verification_secret: str | None
    public_url: str | None

    def report(self, headers: list[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
        """Sign a report anew, if there is a secret."""
        if self.verification_secret is None:
            return headers
        kept = [(name, value) for name, value in headers if name.lower() != "x-signature"]
        return [*kept, signing.report_header(self.verification_secret, body)]

    def callback(self, method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
        """Sign a callback anew, if there are tokens: with its own nonce, so that a redelivery stays one."""
        if not self.tokens and self.main_token is None:
            return headers
        kept = [(name, value) for name, value in headers if not name.lower().startswith(_SIGNED)]
        named = {name.lower(): value for name, value in headers}
        if self.public_url is not None:
            query = urlsplit(url).query
            url = f"{self.public_url}?{query}" if query else self.public_url
        form = parse_qsl(body.decode("utf-8", "surrogateescape"), keep_blank_values=True)
        signed = signing.headers(
            method,
            url,
            form,
            nonce=named.get(f"{_SIGNED}v2-nonce", named.get(f"{_SIGNED}v3-nonce", "")),
            tokens=self.tokens[-1:],
            main_token=self.main_token,
            v3=f"{_SIGNED}v3-nonce" in named,
        )
        return kept + signed


def _outgoing(file: Any, signer: _Signer, path: str) -> Iterator[Outgoing]:
    """Read the requests of a capture, due as far apart as they were received."""
    first: datetime | None = None
    for number, line in enumerate(file, start=1):
        if line.isspace():
            continue
        try:
            found = json.loads(line)
            if "down_from" in found:
                continue
            received_at = datetime.fromisoformat(found["received_at"]).astimezone(UTC)
            first = first or received_at
            yield _request(found, signer, path, (received_at - first).total_seconds())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SchemaError(
                f"line {number} is no captured request ({type(error).__name__}); was it cut off?"
            ) from None


def _request(found: dict[str, Any], signer: _Signer, path: str, due: float) -> Outgoing:
    method, url = found["method"], found["url"]
    body = base64.b64decode(found["body_base64"]) if "body_base64" in found else (found.get("body") or "").encode()
    given = found["headers"]
    pairs = given.items() if isinstance(given, dict) else given
    headers = [(name, value) for name, value in pairs if name.lower() not in _OF_THE_CONNECTION]
    parts = urlsplit(url)
    is_report = any(name.lower() == "x-signature" for name, _ in headers)
    headers = signer.report(headers, body) if is_report else signer.callback(method, url, headers, body)
    target = parts.path if is_report or not path else path
    return Outgoing(
        kind=REPORT if is_report else CALLBACK,
        method=method,
        target=f"{target or '/'}?{parts.query}" if parts.query else target or "/",
        headers=tuple(headers),
        body=body,
        due=due,
    )
