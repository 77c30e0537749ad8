"""Turns HTTP into decisions and decisions into HTTP, and reads the clock: nothing else here thinks.

What was signed is the raw path and query, so they are taken from the WSGI environment and never from a parsed URL.
"""

import json
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from collector import door
from collector.door import Door, Request
from collector.errors import Refused
from collector.items import Item, Outcome
from collector.logs import log
from collector.probe import HEADER, Probe
from collector.pulse import MINUTE, Pulse

RETRY_AFTER = "5"
"""Seconds after which our own trouble may be over; the provider has its own times."""

_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_PATH_ENDS = re.compile(r"[?#]")
_WORDS = {413: "body_too_large", 431: "headers_too_large"}


class Store(Protocol):
    """Whatever keeps an item before it returns: a `writer.Writer`, or a stand-in that measures the rest."""

    def append(self, item: Item) -> Outcome:
        """Keep one item; `Refused` with 503 if it cannot."""


def now() -> int:
    """Read the wall clock: microseconds since 1970, UTC."""
    return time.time_ns() // 1_000


def problem(status: int, detail: str) -> bytes:
    """Write the body of an answer that is not 200 (RFC 9457); it repeats nothing of the request."""
    title = HTTPStatus(status).phrase
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()


def problem_headers(status: int) -> list[tuple[str, str]]:
    """Give the headers that belong to such an answer."""
    headers = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", RETRY_AFTER))
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET, POST"))
    return headers


class Routes:
    """The answers of one collector.

    Parameters
    ----------
    entrance
        What decides about a request.
    store
        What keeps it.
    pulse
        Where refusals are counted.
    trouble
        Says in one word why nothing should be sent here now; empty if all is well.
    """

    def __init__(self, entrance: Door, store: Store, pulse: Pulse, trouble: Callable[[], str]) -> None:
        self._door = entrance
        self._store = store
        self._pulse = pulse
        self._trouble = trouble
        self._said: dict[str, int] = {}
        # One for all callbacks, because nothing about it changes. Without a body: the server sends head and body in two
        # packets, and nobody reads this one.
        self._taken = _plain(200, "")
        self._own = {"/healthz": self.healthz, "/readyz": self.readyz}

    def add_to(self, app: Flask) -> None:
        """Answer everything this app is asked.

        Before Flask's own routing, which goes by a decoded path and redirects to a tidier one: a redirected callback
        is a lost one.
        """
        app.before_request(self.answer)
        app.register_error_handler(Refused, self.refused)
        app.register_error_handler(HTTPException, self.turned_away)
        app.register_error_handler(Exception, self.failed)

    def answer(self) -> Response:
        """Answer one request."""
        found = received()
        own = self._own.get(found.path)
        if own is None:
            return self.receive(found)
        if found.method != "GET":
            raise Refused(405, "method", "This path takes GET.")
        return own()

    def receive(self, found: Request) -> Response:
        """Take a callback or an application's report; 200 only when it is in the store."""
        opened = self._door.open(found)
        if isinstance(opened, Probe):
            return self.probed(opened)
        outcome = self._store.append(opened)
        if refusal := door.refusal(outcome):
            raise refusal
        return self._taken

    def probed(self, probe: Probe) -> Response:
        """Answer `collector doctor`: how its request arrived, and whether a callback would be taken now."""
        self._pulse.count("probe")
        answer = _plain(200, f"{self._trouble() or 'ok'}\n")
        answer.headers[HEADER] = probe.echo
        return answer

    def healthz(self) -> Response:
        """Say that the process lives."""
        return _plain(200, "ok\n")

    def readyz(self) -> Response:
        """Say whether it should be sent anything."""
        word = self._trouble()
        return _plain(503 if word else 200, f"{word or 'ok'}\n")

    def refused(self, error: Refused) -> Response:
        """Answer what was turned away, and count it."""
        self._pulse.count("refused", error.reason)
        self._say_once_a_minute(error.reason, error.status)
        return Response(problem(error.status, error.detail), error.status, problem_headers(error.status))

    def turned_away(self, error: HTTPException) -> Response:
        """Answer what Flask itself would not take."""
        status = error.code or 400
        word = _WORDS.get(status, "bad_request")
        return self.refused(Refused(status, word, "The request cannot be taken as it is."))

    def failed(self, error: Exception) -> Response:
        """Answer our own mistake as what it is to the caller: trouble of ours, worth another try."""
        log.error("request_failed", exc_info=error)
        return self.refused(Refused(503, "our_mistake", "The collector could not take this; send it again."))

    def _say_once_a_minute(self, reason: str, status: int) -> None:
        # Whoever is turned away a thousand times a second must not fill the disk with it.
        minute = now() // MINUTE
        if self._said.get(reason) != minute:
            self._said[reason] = minute
            log.info("refused", extra={"reason": reason, "status": status})


def received() -> Request:
    """Take the request at hand as it came over the wire."""
    environ = request.environ
    uri = environ.get("REQUEST_URI") or environ.get("RAW_URI") or quote(environ["PATH_INFO"], encoding="latin-1")
    path = _PATH_ENDS.split(uri if uri[:1] == "/" else _ORIGIN.sub("", uri, count=1), maxsplit=1)[0]
    headers = [(key[5:].replace("_", "-"), value) for key, value in environ.items() if key.startswith("HTTP_")]
    if content_type := environ.get("CONTENT_TYPE"):
        headers.append(("CONTENT-TYPE", content_type))
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path or "/",
        query=environ.get("QUERY_STRING", ""),
        headers=tuple(headers),
        body=request.get_data(cache=False),
        received_at=now(),
    )


def _plain(status: int, text: str) -> Response:
    return Response(text, status, {"Cache-Control": "no-store"}, content_type="text/plain; charset=utf-8")
