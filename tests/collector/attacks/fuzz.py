"""Fuzz targets: each takes any bytes, and fails on an exception that a reader did not promise.

Run as ``python -m tests.collector.attacks.fuzz TARGET CORPUS… [-max_total_time=60] [-seed=1]``; see `test_fuzz.py`.
"""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import atheris

with atheris.instrument_imports(include=["collector", "waitress"], enable_loader_override=False):
    from collector import channel, form, recipient, replay, routes, serve, signature, wire
    from collector.door import Door, Request
    from collector.errors import Refused
    from collector.items import Arrival, Verification
    from collector.settings import Settings

from waitress.adjustments import Adjustments

from tests.collector.attacks.tools import outcome
from tests.collector.conftest import PATH, PEPPER, SECRET, TOKEN, URL

NOON = 1_788_264_000_000_000
SETTINGS = Settings(
    tokens=(TOKEN,),
    main_tokens=(TOKEN[::-1],),
    public_urls=(URL,),
    paths=(PATH,),
    peppers=(PEPPER.encode(),),
    verification_secrets=(SECRET.encode(),),
)
# One that judges, and one that reads whatever it is given.
DOORS = [Door(SETTINGS, recipient.key_id(PEPPER.encode()), accepts_unproved=takes) for takes in (False, True)]
ADJUSTMENTS = Adjustments(**serve.LIMITS)


def fuzz_signature(data: bytes) -> None:
    """Lines of a method and headers, an empty line, the query, the body: nobody but the token's owner proves it."""
    head, _, rest = data.partition(b"\n\n")
    method, *lines = head.decode("latin-1").split("\n")
    query, _, body = rest.partition(b"\n")
    headers = [(name, value) for name, _, value in (line.partition(":") for line in lines)]
    proof = signature.verify(
        method,
        [URL, URL + "?tenant=a"],
        query.decode("latin-1"),
        form.pairs(body),
        headers,
        tokens=SETTINGS.tokens,
        main_tokens=SETTINGS.main_tokens,
    )
    assert not proof


def fuzz_form(data: bytes) -> None:
    """A body: it is read, or unreadable for a reason that has a name."""
    params: list[tuple[wire.Source, str, str]] = [("body", name, value) for name, value in form.pairs(data)]
    assert wire.digest(params, b"pepper")
    reading = outcome(lambda: wire.read(params, carrier="body"))
    if isinstance(reading, wire.Unreadable):
        assert reading.reason in wire.UNREADABLE
    else:
        described = recipient.describe(reading.recipient, b"pepper", "key")
        assert described.recipient_key is None or reading.recipient


def fuzz_request(data: bytes) -> None:
    """What comes over a connection: taken, kept apart, or refused with a status below 500."""
    parser = channel.Parser(ADJUSTMENTS)
    while data and not parser.completed:
        data = data[parser.received(data) :]
    if not parser.completed or parser.error or parser.empty:
        return
    request = request_of(parser)
    for door in DOORS:
        check(outcome(lambda door=door: door.open(request)))  # type: ignore[misc]


def check(found: Any) -> None:
    """Hold what the door says to what it may say."""
    if isinstance(found, Refused):
        assert found.status < 500
    else:
        assert isinstance(found, Arrival | Verification)
        assert not isinstance(found, Arrival) or found.reason != "our_mistake"


def request_of(parser: channel.Parser) -> Request:
    """Make of a parsed request what the routes make of it."""
    channel = SimpleNamespace(addr=("", 0), server=SimpleNamespace(adj=ADJUSTMENTS, effective_port=0, server_name=""))
    channel.check_client_disconnected = lambda: False
    from flask import Flask
    from waitress.task import WSGITask

    with Flask("fuzz").request_context(WSGITask(channel, parser).get_environment()):
        return routes.received()


def fuzz_capture(data: bytes) -> None:
    """A line of a capture: a request that the door answers, a span, or a line that is said to be none."""
    parsed = outcome(lambda: replay.parse(data, 2 * NOON))
    if isinstance(parsed, Request):
        check(outcome(lambda: DOORS[1].open(parsed)))
    else:
        assert isinstance(parsed, replay.Down | replay.BadLine)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "signature": fuzz_signature,
    "form": fuzz_form,
    "request": fuzz_request,
    "capture": fuzz_capture,
}

if __name__ == "__main__":
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()
