"""Promises 2, 7 and 8 on a slow disk: slower answers, and when it stands still 503 in time and soon at once."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import pytest

from tests.collector.conftest import SECRET, Answer, CollectorProcess, Provider
from tests.collector.faults.clients import Clients
from tests.collector.faults.oracle import Book
from tests.collector.faults.service import eventually, figure, free_port, injecting, read

Make = Callable[..., CollectorProcess]


def test_five_milliseconds_more_for_each_flush_cost_nobody_an_answer(make_collector: Make) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET), Book()
    collector.start(*injecting("fsync:delay_enter=5000", "fdatasync:delay_enter=5000"))
    with Clients(lambda: collector.port, book, count=16):
        assert eventually(lambda: book.acknowledged >= 300, within=60)
    assert set(book.answers) <= {"200", "forged 403"}
    assert collector.end() == 0
    assert book.differences(collector.store) == []


def stands_still(process: int) -> bool:
    """Say whether one of its threads is held in a call to the kernel: stopped by whoever watches it, and still so."""

    def held() -> set[Path]:
        found = set()
        for thread in Path(f"/proc/{process}/task").iterdir():
            # A thread may be gone by the time it is read about.
            with suppress(OSError):
                state = (thread / "stat").read_text().rpartition(") ")[2].split()
                if state[0] == "t":
                    found.add(thread)
        return found

    first = held()
    time.sleep(0.1)
    return bool(first & held())


class Callers:
    """A hundred clients of which each may wait for its answer at the same time."""

    def __init__(self, collector: CollectorProcess) -> None:
        self._collector = collector
        self._pool = ThreadPoolExecutor(120)
        self._number = 0

    def call(self, count: int, name: str) -> list["Future[Answer]"]:
        """Send so many callbacks at once, in sessions of this name."""
        sent = []
        for _ in range(count):
            self._number += 1
            headers = Provider().headers(f"{10**19 + self._number}")
            sent.append(self._pool.submit(self._collector.post, Provider.fields(name), headers))
        return sent

    def close(self) -> None:
        self._pool.shutdown()


@pytest.mark.parametrize("stall", [6, pytest.param(30, marks=pytest.mark.full)], ids=["6 s", "30 s"])
def test_while_a_flush_stands_still_a_hundred_clients_get_503_in_time_and_then_it_heals(
    make_collector: Make, stall: int
) -> None:
    watched = free_port()
    still = f"delay_enter={stall * 1_000_000}:when=40"
    collector = make_collector(COLLECTOR_METRICS_PORT=str(watched))
    collector.start(*injecting(f"fsync:{still}", f"fdatasync:{still}"))
    callers = Callers(collector)
    answered = 0
    while True:
        (first,) = callers.call(1, "first")
        while not first.done() and not stands_still(collector.process.pid):
            pass
        if not first.done():
            break
        assert first.result().status == 200
        answered += 1
    # One row is on its way to the disk. Twenty more wait for the next commit.
    began = time.monotonic()
    waiting = callers.call(20, "waiting")
    assert eventually(lambda: read(watched, "/readyz").body == b"overloaded\n")
    # On a busy machine some may have come too late to be let in.
    inside = int(figure(watched, "collector_waiting"))
    assert inside >= 1
    # From now on nobody waits: new requests are turned away while the first ones still hope.
    turned_away = callers.call(79, "turned away")
    wait(turned_away)
    hoping = sum(not request.done() for request in waiting)
    assert Counter((a.result().status, a.result().headers["retry-after"]) for a in turned_away) == {(503, "5"): 79}
    assert (read(watched, "/healthz").status, read(watched, "/readyz").status) == (200, 503)
    wait([first, *waiting])
    assert {request.result().status for request in (first, *waiting)} == {503}
    given_up_after = time.monotonic() - began
    assert stands_still(collector.process.pid), f"they were let go only with the disk, after {given_up_after:.1f} s"
    # The disk goes on, and so does everything else.
    assert eventually(lambda: read(watched, "/readyz").body == b"ok\n", within=stall + 20)
    assert callers.call(1, "afterwards")[0].result().status == 200
    callers.close()
    assert figure(watched, 'collector_refused_total{reason="timeout"}') == 1 + inside
    assert figure(watched, 'collector_refused_total{reason="overloaded"}') == 99 - inside
    assert collector.end() == 0
    stored = Counter(name for (name,) in collector.rows("SELECT session_id FROM callbacks"))
    # The row that was on its way has arrived, late; none of those that were told 503 before it began.
    assert stored == {"first": answered + 1, "afterwards": 1}
    print(f"turned away at once while {hoping} of {inside} still waited; these gave up after {given_up_after:.1f} s")
