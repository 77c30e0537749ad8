"""Promise 8 when the disk reports an error: 503 for the batch, an end with status 1, and nothing lost at the new start.

The kernel may have dropped the page that it could not write, and says so only once: a process that went on would
acknowledge rows above a hole.
"""

import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.collector.conftest import SECRET, CollectorProcess, clean_environment
from tests.collector.faults.clients import Clients, takes_a_fresh_callback
from tests.collector.faults.oracle import Book
from tests.collector.faults.service import FOLDED_AT, eventually, injecting

Make = Callable[..., CollectorProcess]
# SQLite flushes with the one or the other, as it was built.
# Early enough that it is a commit's flush, and not one of folding the log back, which comes every thousand pages.
FLUSH = ("fsync:error=EIO:when={0}", "fdatasync:error=EIO:when={0}")
WRITE = ("pwrite64:error=EIO:when={0}",)


@pytest.mark.parametrize(
    ("faults", "number"),
    [
        pytest.param(FLUSH, 40, id="flush 40"),
        pytest.param(WRITE, 250, id="write 250"),
        *(pytest.param(FLUSH, n, id=f"flush {n}", marks=pytest.mark.full) for n in range(31, 51, 2)),
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


@contextmanager
def reading(collector: CollectorProcess) -> Iterator[sqlite3.Connection]:
    """Have the store open elsewhere, as a reader that has read something."""
    address = f"file:{collector.store}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as reader:
        assert reader.execute("SELECT count(*) FROM alembic_version").fetchall() == [(1,)]
        yield reader


def salts(collector: CollectorProcess) -> bytes:
    """Give the numbers that SQLite draws anew for each new log, from its head."""
    return collector.store.with_name("store.db-wal").read_bytes()[16:24]


def test_after_an_error_of_the_disk_a_new_log_is_begun_though_a_reader_keeps_the_old_one(make_collector: Make) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET), Book()
    collector.start(*injecting(*(fault.format(40) for fault in FLUSH)))
    with reading(collector):
        with Clients(lambda: collector.port, book, count=8):
            assert eventually(lambda: collector.process.poll() is not None, within=60)
        assert collector.process.wait() == 1
        doubtful = salts(collector)
        collector.start()
        assert takes_a_fresh_callback(collector.port, book)
        assert salts(collector) != doubtful
        collector.end(signal.SIGKILL)
    assert book.differences(collector.store) == []


def test_a_reader_within_a_transaction_keeps_nobody_from_serving_and_that_the_log_goes_on_is_said(
    make_collector: Make,
) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start(), Book()
    assert takes_a_fresh_callback(collector.port, book)
    with reading(collector) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM callbacks").fetchall() == [(1,)]
        collector.end(signal.SIGKILL)
        collector.start()
        said = {"event": "log_not_folded", "level": "warning", "why": "SQLITE_BUSY"}.items()
        assert [event for event in collector.events() if said <= event.items()]
        assert takes_a_fresh_callback(collector.port, book)
        assert collector.end() == 0
    assert book.differences(collector.store) == []


def test_where_the_disk_fails_again_in_folding_the_old_log_it_does_not_begin(make_collector: Make) -> None:
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start(), Book()
    assert takes_a_fresh_callback(collector.port, book)
    collector.end(signal.SIGKILL)
    broken = injecting("fsync:error=EIO", "fdatasync:error=EIO", only=collector.store)
    command = [*broken, *collector.command("serve")]
    ended = subprocess.run(command, capture_output=True, env=clean_environment(), check=False, timeout=60)
    assert ended.returncode == 2
    assert b"cannot be folded back into it (SQLITE_IOERR): look at the disk" in ended.stderr
    collector.start()
    assert takes_a_fresh_callback(collector.port, book)
    assert collector.end() == 0
    assert book.differences(collector.store) == []


def test_an_error_in_folding_the_log_back_loses_nothing_because_the_log_is_kept(make_collector: Make) -> None:
    """SQLite says nothing of it, because no row hangs on it: what was acknowledged lies in the log, flushed."""
    collector, book = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start(), Book()
    assert takes_a_fresh_callback(collector.port, book)
    assert collector.end() == 0
    # From here on every flush of the store itself fails, and none of the log.
    collector.start(*injecting("fsync:error=EIO", "fdatasync:error=EIO", only=collector.store))
    log, before = collector.store.with_name("store.db-wal"), collector.store.stat().st_size
    with Clients(lambda: collector.port, book, count=8):
        assert eventually(lambda: log.stat().st_size > 1.3 * FOLDED_AT, within=60)
    assert set(book.answers) <= {"200", "forged 403"}
    assert collector.store.stat().st_size > before
    collector.end(signal.SIGKILL)
    collector.start()
    assert takes_a_fresh_callback(collector.port, book)
    assert collector.end() == 0
    assert book.differences(collector.store) == []
