"""Promise 1: a callback answered 200 is never lost, however suddenly the process ends."""

import random
import signal
import time
from collections.abc import Callable

import pytest

from tests.collector.conftest import SECRET, CollectorProcess
from tests.collector.faults.clients import Clients, takes_a_fresh_callback
from tests.collector.faults.oracle import Book
from tests.collector.faults.service import eventually

Make = Callable[..., CollectorProcess]


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.full)], ids=["4 kills", "40 kills"])
def test_what_was_acknowledged_survives_kill_9_at_random_moments_under_load(make_collector: Make, kills: int) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start(), Book()
    dice = random.Random(kills)

    def judged() -> bool:
        """Say whether the judge has something to judge: all kinds were acknowledged, a forgery was turned away."""
        return len(book.acknowledged_by_kind()) == 3 and book.answers["forged 403"] > 0

    with Clients(lambda: collector.port, book, count=6, seed=kills):
        for _ in range(kills):
            enough = book.acknowledged + 20
            assert eventually(lambda enough=enough: book.acknowledged >= enough, within=60)  # type: ignore[misc]
            time.sleep(dice.uniform(0, 0.5))
            assert collector.end(signal.SIGKILL) == -signal.SIGKILL
            collector.start()
        assert eventually(judged, within=60)
    assert takes_a_fresh_callback(collector.port, book)
    assert collector.end() == 0
    assert book.differences(collector.store) == []
    print(f"{kills} kills: {dict(book.answers)}")
