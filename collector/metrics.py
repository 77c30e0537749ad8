"""Lets a monitoring system watch the collector, on a port of its own that only this machine reaches.

The port has its own thread, so that it answers also when every thread that takes callbacks is held up. What only the
store knows is read by another one, at most once a second and only while somebody asks: a scrape never waits for it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.registry import Collector
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from collector import __version__
from collector.bounds import Room
from collector.errors import CollectorError
from collector.pulse import Pulse
from collector.store import SCHEMA, callbacks, reader_engine, sqlite_file
from collector.wire import UNREADABLE
from collector.writer import COMMIT_BOUNDS, Writer

LOOPBACK = "127.0.0.1"
LOOK_AGAIN = 1.0
"""Seconds between two looks into the store."""
REASONS = {
    "quarantined": (*UNREADABLE, "content_encoding", "content_type", "our_mistake", "unstorable"),
    "refused": (
        *("signature", "v3_required", "nonce_reused", "not_found", "method"),
        *("body_too_large", "headers_too_large", "bad_request"),
        *("overloaded", "timeout", "store", "stopped", "quarantine_full", "our_mistake"),
        *("verification_json", "verification_session", "verification_signature", "verification_time"),
    ),
}
"""Every reason there is: each counter is there from the start, because nothing can be said of the first of a kind."""
_PLAIN_KINDS = {
    "accepted": "Callbacks new to the store.",
    "repeated": "Further arrivals of one nonce with the same content.",
    "verification": "Successes that the application reported.",
    "v3_unproved": "Callbacks proved by V2 although their V3 signature proved nothing.",
    "probe": "Requests of `collector doctor`, which are answered and never stored.",
}
_REASONED_KINDS = {
    "quarantined": "Proved requests that could not be read.",
    "refused": "Requests answered with anything but 200.",
}


_GAUGES = {
    "waiting": "Rows no commit has begun with.",
    "oldest_waiting_seconds": "Age of the oldest row that is not in the store yet; 0 if there is none.",
    "commit_age_seconds": "Time since a transaction was last committed; a minute is written even when nobody calls.",
    "ready": "1 if callbacks should be sent here now, 0 if not; /readyz says why.",
    "start_timestamp_seconds": "When this process began to serve, in seconds since 1970.",
    "store_bytes": "Size of the store.",
    "wal_bytes": "Size of SQLite's write-ahead log.",
    "disk_free_bytes": "Space left on the disk of a SQLite store.",
    "quarantine_rows": "Rows in quarantine.",
    "quarantine_bytes": "Bytes of bodies, headers and URLs in quarantine.",
    "newest_callback_timestamp_seconds": "When the callback stored last was received, in seconds since 1970.",
}


class Look:
    """What only the store knows, as it was when somebody last asked.

    Parameters
    ----------
    url
        Of the database.
    """

    def __init__(self, url: str) -> None:
        self._engine = reader_engine(url)
        self._asked = threading.Event()
        self._asked.set()
        self._found: dict[str, float] = {}
        self._is_closed = False
        threading.Thread(target=self._run, name="look", daemon=True).start()

    def latest(self) -> dict[str, float]:
        """Give what the last look found, and ask for another one."""
        self._asked.set()
        return self._found

    def close(self) -> None:
        """Look no more."""
        self._is_closed = True
        self._asked.set()

    def _run(self) -> None:
        room = Room()
        while self._asked.wait() and not self._is_closed:
            self._asked.clear()
            try:
                with self._engine.connect() as connection:
                    self._found = dict(_of_store(connection, room))
            except (SQLAlchemyError, CollectorError):
                # A figure that is not there is better than one that is no longer true.
                self._found = {}
            time.sleep(LOOK_AGAIN)
        self._engine.dispose()


def _of_store(connection: Connection, room: Room) -> Iterator[tuple[str, float]]:
    rows, octets = room.taken(connection)
    yield "quarantine_rows", rows
    yield "quarantine_bytes", octets
    newest = select(callbacks.c.received_at).order_by(callbacks.c.callback_id.desc()).limit(1)
    if (moment := connection.scalar(newest)) is not None:
        yield "newest_callback_timestamp_seconds", moment / 1e6
    if connection.dialect.name == "postgresql":
        yield "store_bytes", connection.scalar(text("SELECT pg_database_size(current_database())")) or 0


def _of_files(url: str) -> Iterator[tuple[str, float]]:
    path = sqlite_file(url)
    if path is None:
        return
    try:
        yield "store_bytes", path.stat().st_size
        disk = os.statvfs(path.parent)
        yield "disk_free_bytes", disk.f_bavail * disk.f_frsize
        yield "wal_bytes", path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:
        return


class Scrape(Collector):
    """The collector's own figures, read at the moment they are asked for.

    Parameters
    ----------
    pulse, writer, trouble
        Of this process.
    url
        Of its database.
    started_at
        When it began to serve, in microseconds since 1970.
    """

    def __init__(self, pulse: Pulse, writer: Writer, trouble: Callable[[], str], *, url: str, started_at: int) -> None:
        self._pulse = pulse
        self._writer = writer
        self._url = url
        self._started_at = started_at
        self.trouble = trouble
        self.look = Look(url)

    def collect(self) -> Iterator[Metric]:
        """Give each figure once."""
        totals = self._pulse.totals()
        for kind, words in _PLAIN_KINDS.items():
            count = sum(number for (of_kind, _), number in totals.items() if of_kind == kind)
            yield CounterMetricFamily(f"collector_{kind}", words, value=count)
        for kind, words in _REASONED_KINDS.items():
            family = CounterMetricFamily(f"collector_{kind}", words, labels=["reason"])
            reasons = {reason for of_kind, reason in totals if of_kind == kind} | set(REASONS[kind])
            for reason in sorted(reasons):
                family.add_metric([reason], totals.get((kind, reason), 0))
            yield family
        for name, value in self._gauges().items():
            yield GaugeMetricFamily(f"collector_{name}", _GAUGES[name], value=value)
        yield self._commits()
        about = {"version": __version__, "schema": SCHEMA, "database": self._url.partition(":")[0].partition("+")[0]}
        info = GaugeMetricFamily("collector_info", "What runs here; always 1.", labels=list(about))
        info.add_metric(list(about.values()), 1)
        yield info

    def _gauges(self) -> dict[str, float]:
        return {
            "waiting": self._writer.waiting,
            "oldest_waiting_seconds": self._writer.oldest_seconds,
            "commit_age_seconds": time.monotonic() - self._writer.committed_at,
            "ready": not self.trouble(),
            "start_timestamp_seconds": self._started_at / 1e6,
            **dict(_of_files(self._url)),
            **self.look.latest(),
        }

    def _commits(self) -> Metric:
        family = HistogramMetricFamily("collector_commit_seconds", "Time from a batch's first statement to its commit.")
        so_far, buckets = 0, []
        for bound, number in zip([*map(str, COMMIT_BOUNDS), "+Inf"], self._writer.commits, strict=True):
            so_far += number
            buckets.append((bound, so_far))
        family.add_metric([], buckets, self._writer.commit_seconds)
        return family


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    look: Look

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name, which may take seconds to answer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]
        self.setup_environ()

    def close(self) -> None:
        """End the thread and free the port."""
        self.shutdown()
        self.server_close()
        self.look.close()


class _Silent(WSGIRequestHandler):
    # Whoever says nothing for so long is hung up on: each holds a thread and a descriptor.
    timeout = 10

    def handle(self) -> None:
        """Answer one request; who is silent or gone is nothing to be told of."""
        with suppress(TimeoutError, ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Write nothing: a scrape every few seconds is no news."""


def watch(port: int, figures: Scrape) -> _Server:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz`` on a loopback port from a thread of its own.

    Raises
    ------
    CollectorError
        If the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(figures)
    ProcessCollector(registry=registry)
    scrape = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            body: Iterable[bytes] = scrape(environ, start_response)
            return body
        word = figures.trouble() if path == "/readyz" else ""
        status = HTTPStatus.OK if path in {"/healthz", "/readyz"} else HTTPStatus.NOT_FOUND
        if word:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{word or status.phrase.lower()}\n".encode()]

    try:
        server: _Server = make_server(LOOPBACK, port, answer, _Server, _Silent)
    except OSError as error:
        raise CollectorError(f"COLLECTOR_METRICS_PORT {port} cannot be listened on: {error.strerror}") from None
    server.look = figures.look
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
