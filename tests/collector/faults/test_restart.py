"""Promise 1 while the collector is restarted on a socket that outlives it, as systemd keeps one."""

import socket
import time
from collections.abc import Callable

import pytest

from tests.collector.conftest import SECRET, CollectorProcess
from tests.collector.faults.clients import Clients, takes_a_fresh_callback
from tests.collector.faults.oracle import Book
from tests.collector.faults.service import served_on

Make = Callable[..., CollectorProcess]


@pytest.mark.parametrize("restarts", [2, pytest.param(12, marks=pytest.mark.full)], ids=["2 restarts", "12 restarts"])
def test_restarts_under_load_lose_nothing_that_was_acknowledged(make_collector: Make, restarts: int) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET), Book()
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:
        collector.port = listening.getsockname()[1]
        with Clients(lambda: collector.port, book, seed=restarts) as clients:
            for _ in range(restarts):
                # It ends with status 0 each time, with clients in the middle of a request.
                with served_on(collector, listening):
                    acknowledged = book.acknowledged
                    end = time.monotonic() + 30
                    while book.acknowledged < acknowledged + 100 and time.monotonic() < end:
                        time.sleep(0.02)
            # One more answers those whom the last left waiting at the socket.
            with served_on(collector, listening):
                assert takes_a_fresh_callback(collector.port, book)
                clients.stop()
    assert book.differences(collector.store) == []
    assert book.acknowledged >= 100 * restarts
    # The socket is there all the time: a client may be cut off in a request, and is never refused.
    assert not book.answers["ConnectionRefusedError"]
    print(f"{restarts} restarts: {dict(book.answers)}")
