"""Lets a monitoring system watch the collector, on a port of its own that only this machine reaches.

The port has its own thread, so that it answers also when every thread that takes callbacks is held up.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.registry import Collector

from collector.errors import CollectorError
from collector.pulse import Pulse
from collector.writer import COMMIT_BOUNDS, Writer

LOOPBACK = "127.0.0.1"
_PLAIN_KINDS = {
    "accepted": "Callbacks new to the store.",
    "repeated": "Further arrivals of one nonce with the same content.",
    "verification": "Successes that the application reported.",
    "v3_unproved": "Callbacks proved by V2 although their V3 signature proved nothing.",
}
_REASONED_KINDS = {
    "quarantined": "Proved requests that could not be read.",
    "refused": "Requests answered with anything but 200.",
}


class Scrape(Collector):
    """The collector's own figures, read at the moment they are asked for."""

    def __init__(self, pulse: Pulse, writer: Writer) -> None:
        self._pulse = pulse
        self._writer = writer

    def collect(self) -> Iterator[Metric]:
        """Give each figure once."""
        totals = self._pulse.totals()
        for kind, text in _PLAIN_KINDS.items():
            count = sum(number for (of_kind, _), number in totals.items() if of_kind == kind)
            yield CounterMetricFamily(f"collector_{kind}", text, value=count)
        for kind, text in _REASONED_KINDS.items():
            family = CounterMetricFamily(f"collector_{kind}", text, labels=["reason"])
            for (of_kind, reason), number in sorted(totals.items()):
                if of_kind == kind:
                    family.add_metric([reason], number)
            yield family
        yield GaugeMetricFamily("collector_waiting", "Rows no commit has begun with.", value=self._writer.waiting)
        yield self._commits()

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

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name, which may take seconds to answer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]
        self.setup_environ()

    def close(self) -> None:
        """End the thread and free the port."""
        self.shutdown()
        self.server_close()


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Write nothing: a scrape every few seconds is no news."""


def watch(port: int, pulse: Pulse, writer: Writer, trouble: Callable[[], str]) -> _Server:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz`` on a loopback port from a thread of its own.

    Raises
    ------
    CollectorError
        If the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(Scrape(pulse, writer))
    ProcessCollector(registry=registry)
    scrape = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            body: Iterable[bytes] = scrape(environ, start_response)
            return body
        word = trouble() if path == "/readyz" else ""
        status = HTTPStatus.OK if path in {"/healthz", "/readyz"} else HTTPStatus.NOT_FOUND
        if word:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{word or status.phrase.lower()}\n".encode()]

    try:
        server: _Server = make_server(LOOPBACK, port, answer, _Server, _Silent)
    except OSError as error:
        raise CollectorError(f"COLLECTOR_METRICS_PORT {port} cannot be listened on: {error.strerror}") from None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
