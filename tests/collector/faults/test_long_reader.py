"""Promise 8 beside a reader that does not end: the log grows where it can be seen, and is folded back afterwards."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.collector.conftest import SECRET, CollectorProcess
from tests.collector.faults.clients import Clients
from tests.collector.faults.oracle import Book
from tests.collector.faults.service import FOLDED_AT, eventually

Make = Callable[..., CollectorProcess]


@pytest.mark.parametrize("rows", [500, pytest.param(20_000, marks=pytest.mark.full)])
def test_a_reader_that_does_not_end_holds_nobody_up_and_the_log_is_folded_back_after_it(
    make_collector: Make, rows: int
) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start(), Book()
    log = collector.store.with_name("store.db-wal")

    def size() -> tuple[int, int]:
        return log.stat().st_size, collector.store.stat().st_size

    with closing(sqlite3.connect(f"file:{collector.store}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM callbacks").fetchone() == (0,)
        with Clients(lambda: collector.port, book, count=8):
            assert eventually(lambda: book.acknowledged >= rows and size()[0] > 1.3 * FOLDED_AT, within=rows / 10 + 60)
        # Nobody was refused, and the reader still sees what it saw at first.
        assert set(book.answers) <= {"200", "forged 403"}
        assert reader.execute("SELECT count(*) FROM callbacks").fetchone() == (0,)
        before = size()
    with Clients(lambda: collector.port, book, count=8):
        # What the log held lies in the store now, and the log begins anew at its front: it grows no further.
        assert eventually(lambda: size()[1] > before[1] + FOLDED_AT // 4)
        more = book.acknowledged + 300
        assert eventually(lambda: book.acknowledged >= more, within=60)
    after = size()
    assert after[0] < before[0] + FOLDED_AT
    print(f"{book.acknowledged} acknowledged; log {before[0]:,} bytes beside the reader, {after[0]:,} after it")
    assert collector.end() == 0
    assert not log.exists()
    assert book.differences(collector.store) == []
