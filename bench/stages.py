"""Where a callback's time goes: processor time of each stage by itself, and what the whole server takes beside it.

Each stage is called alone in one thread, so what is left over between their sum and the whole server is what no stage
does: waitress, and handing requests from thread to thread under one interpreter lock. The rows of the ledger are
written in batches of eleven, which is what gathers while 32 connections wait.
"""

import argparse
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import Flask, Response

from bench._load import PATH, URL, requests
from bench._servers import APPEND, NOTHING, end_politely, in_turn, machine, running
from collector import form, recipient, signature, store, wire
from collector.app import build_app
from collector.door import Door, Request, checks_of
from collector.items import Arrival, Item, Outcome
from collector.ledger import Ledger
from collector.pulse import Pulse
from collector.routes import now
from collector.settings import Settings

TOKEN = secrets.token_hex(20)
PEPPER = secrets.token_bytes(32)
BATCH = 11


class Nothing:
    """A store that keeps nothing and says yes."""

    def append(self, item: Item) -> Outcome:  # noqa: ARG002
        """Say yes."""
        return Outcome.ACCEPTED


def environ_of(request: bytes) -> dict[str, Any]:
    """Make the WSGI environment that a server would make of a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    found: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": PATH,
        "REQUEST_URI": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for line in head.decode("ascii").split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        key = name.upper().replace("-", "_")
        found[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return found


def request_of(environ: dict[str, Any]) -> Request:
    """Make what the door is given."""
    headers = [(key[5:].replace("_", "-"), value) for key, value in environ.items() if key.startswith("HTTP_")]
    headers.append(("CONTENT-TYPE", environ["CONTENT_TYPE"]))
    return Request("POST", PATH, "", tuple(headers), environ["wsgi.input"].getvalue(), now())


def timed(stage: Callable[[Any], object], given: Sequence[Any], rows: int, repeats: int) -> float:
    """Give the least processor time of a stage, in microseconds for each request: the least disturbed."""
    found = []
    for _ in range(repeats):
        began = time.thread_time()
        for one in given:
            stage(one)
        found.append(time.thread_time() - began)
    return 1e6 * min(found) / rows


def through(app: Flask) -> Callable[[dict[str, Any]], None]:
    """Call an app as a server does."""

    def call(environ: dict[str, Any]) -> None:
        environ["wsgi.input"].seek(0)
        answer: Iterable[bytes] = app(dict(environ), lambda *_: lambda _: None)
        list(answer)
        answer.close()  # type: ignore[attr-defined]

    return call


def stages(folder: Path, count: int, repeats: int) -> dict[str, float]:
    """Time the stages, each with requests it has not seen."""
    settings = Settings(
        tokens=(TOKEN,),
        public_urls=(URL,),
        paths=(PATH,),
        peppers=(PEPPER,),
        database_url=f"sqlite:///{folder / 'stages.db'}",
        port=0,
    )
    door = Door(settings, next(iter(checks_of(settings))))
    environs = [environ_of(request) for request in requests(count, TOKEN, 0)]
    found = [request_of(environ) for environ in environs]
    pairs = [form.pairs(request.body) for request in found]
    params = [[("body", name, value) for name, value in one] for one in pairs]
    bare = Flask("bare", static_folder=None)
    bare.before_request(lambda: Response("", 200, {"Cache-Control": "no-store"}))
    signed = list(zip(found, pairs, strict=True))

    def verify(one: tuple[Request, list[tuple[str, str]]]) -> None:
        request, body = one
        signature.verify("POST", (URL,), "", body, request.headers[:3], tokens=(TOKEN,), main_tokens=())

    def whole() -> float:
        app = build_app(door, Nothing(), Pulse("bench", now), str)
        return timed(through(app), environs, count, repeats)

    opened = timed(door.open, found, count, repeats)
    flask = timed(through(bare), environs, count, repeats)
    parts = {
        "Flask, with an app that answers at once": flask,
        "routes": max(whole() - flask - opened, 0.0),
        "the door: form, order of work": 0.0,
        "the door: signature": timed(verify, signed, count, repeats),
        "the door: reading": timed(lambda one: wire.read(one, carrier="body"), params, count, repeats),
        "the door: digest and identity": timed(lambda one: wire.digest(one, PEPPER), params, count, repeats)
        + timed(lambda one: wire.arrival_id(one.received_at, (("v2", "1"),), "1:"), found, count, repeats),
        "the door: number to key and country": timed(
            lambda number: recipient.describe(f"1201555{number % 10_000:04}", PEPPER, "00000000"),
            range(count),
            count,
            repeats,
        ),
        "ledger and SQLite": ledger(door, settings, count, repeats),
    }
    inside = sum(spent for name, spent in parts.items() if name.startswith("the door"))
    parts["the door: form, order of work"] = max(opened - inside, 0.0)
    return parts


def ledger(door: Door, settings: Settings, count: int, repeats: int) -> float:
    """Time the writing of rows in batches; each repeat writes rows of its own."""
    engine = store.writer_engine(settings.database_url)
    store.initialise(engine)
    rules = Ledger()
    best = []
    with engine.connect() as connection:
        for repeat in range(1, repeats + 1):
            made = [request_of(environ_of(one)) for one in requests(count, TOKEN, repeat * count)]
            items: list[Arrival] = [item for one in made if isinstance(item := door.open(one), Arrival)]
            batches = [items[start : start + BATCH] for start in range(0, count, BATCH)]
            best.append(timed(lambda batch: rules.write(connection, batch, lambda _: None), batches, count, 1))
    engine.dispose()
    return min(best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000, help="for each stage and in each round")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    end_politely()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = stages(folder, given.requests, given.rounds)
        token = secrets.token_hex(20)
        with running((NOTHING, APPEND), folder, token) as servers:
            rounds = in_turn(servers, token, requests_each=given.requests, rounds=given.rounds, connections=32)
    cost = {kind: statistics.median(one.cpu_us for one in found) for kind, found in rounds.items()}
    written = parts["ledger and SQLite"]
    before = sum(parts.values()) - written
    parts["waitress and its threads"] = cost[NOTHING] - before
    parts["waiting for the commit: thread switches, flush"] = cost[APPEND] - cost[NOTHING] - written
    print(f"{machine()}, 32 connections; processor time of one callback, all threads of the collector together")
    print(f"{'':<48}{'µs':>8}{'share':>8}")
    for stage, spent in parts.items():
        print(f"{stage:<48}{spent:>8.0f}{spent / cost[APPEND]:>8.0%}")
    print(f"{'the whole':<48}{cost[APPEND]:>8.0f}{1:>8.0%}")


if __name__ == "__main__":
    main()
