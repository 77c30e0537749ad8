"""Promise 1: a callback answered 200 is never lost, however suddenly the process ends."""

import random
import signal
import time
from collections.abc import Callable

import pytest

from tests.collector.conftest import SECRET, CollectorProcess
from tests.collector.faults.clients import Clients, takes_a_fresh_callback
from tests.collector.faults.oracle import Book

Make = Callable[..., CollectorProcess]


@pytest.mark.parametrize(
    ("kills", "longest"), [(4, 0.6), pytest.param(40, 0.9, marks=pytest.mark.full)], ids=["4 kills", "40 kills"]
)
def test_what_was_acknowledged_survives_kill_9_at_random_moments_under_load(
    make_collector: Make, kills: int, longest: float
) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start(), Book()
    dice = random.Random(kills)
    with Clients(lambda: collector.port, book, count=6, seed=kills):
        for _ in range(kills):
            time.sleep(dice.uniform(0.1, longest))
            assert collector.end(signal.SIGKILL) == -signal.SIGKILL
            collector.start()
        time.sleep(0.3)
    assert takes_a_fresh_callback(collector.port, book)
    assert collector.end() == 0
    assert book.differences(collector.store) == []
    print(f"{kills} kills: {dict(book.answers)}")
    # The judge had something to judge: all kinds were acknowledged, and connections were cut.
    for kind in ("callback", "unreadable", "report"):
        assert sum(d.acknowledged for d in book.deliveries.values() if d.kind == kind) >= kills, kind
    assert book.answers["forged 403"]
