"""Promise 8 when the disk reports an error: 503 for the batch, an end with status 1, and nothing lost at the new start.

The kernel may have dropped the page that it could not write, and says so only once: a process that went on would
acknowledge rows above a hole.
"""

from collections.abc import Callable

import pytest

from tests.collector.conftest import SECRET, CollectorProcess
from tests.collector.faults.clients import Clients, takes_a_fresh_callback
from tests.collector.faults.oracle import Book
from tests.collector.faults.service import eventually, injecting

Make = Callable[..., CollectorProcess]
# SQLite flushes with the one or the other, as it was built.
FLUSH = ("fsync:error=EIO:when={0}", "fdatasync:error=EIO:when={0}")
WRITE = ("pwrite64:error=EIO:when={0}",)


@pytest.mark.parametrize(
    ("faults", "number"),
    [
        pytest.param(FLUSH, 60, id="flush 60"),
        pytest.param(WRITE, 400, id="write 400"),
        *(pytest.param(FLUSH, n, id=f"flush {n}", marks=pytest.mark.full) for n in range(80, 260, 20)),
    ],
)
def test_after_an_error_of_the_disk_nothing_acknowledged_is_lost_and_the_process_ends(
    make_collector: Make, faults: tuple[str, ...], number: int
) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET), Book()
    collector.start(*injecting(*(fault.format(number) for fault in faults)))
    with Clients(lambda: collector.port, book, count=8):
        assert eventually(lambda: collector.process.poll() is not None, within=60)
    assert collector.process.wait() == 1
    # Those whose rows were in the batch were told so, before the process was gone.
    assert book.answers["503"] >= 1
    assert book.acknowledged >= 10
    died = {"event": "writer_died", "why": "input/output error"}.items()
    assert [event for event in collector.events() if died <= event.items()]
    collector.start()
    assert takes_a_fresh_callback(collector.port, book)
    assert collector.end() == 0
    assert book.differences(collector.store) == []
