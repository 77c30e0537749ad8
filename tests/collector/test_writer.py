"""200 means committed: what was answered is in the store, and what could not be stored is answered 503, in time."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.exc import OperationalError

from collector import store
from collector.errors import Refused
from collector.items import Arrival, Outcome, Raw, Verification
from collector.ledger import Ledger
from collector.pulse import MINUTE, Pulse
from collector.writer import Writer

NOON = 1_788_264_000_000_000


in_sqlite = pytest.mark.parametrize("empty_store", ["sqlite"], indirect=True)


@pytest.fixture
def url(empty_store: str) -> str:
    return empty_store


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = store.writer_engine(url)
    store.initialise(made)
    yield made
    made.dispose()


@pytest.fixture
def make_writer(engine: Engine) -> Iterator[Callable[..., Writer]]:
    """Start writers with quick ticks; they are stopped at the end."""
    made: list[Writer] = []

    def make(pulse: Pulse | None = None, **options: Any) -> Writer:
        writer = Writer(engine, pulse or Pulse("one", lambda: NOON), **{"tick": 0.02, **options})
        writer.start()
        made.append(writer)
        return writer

    yield make
    for writer in made:
        assert writer.stop(10)


def arrival(number: int) -> Arrival:
    row: dict[str, Any] = dict.fromkeys(c.name for c in store.callbacks.columns if c.name != "callback_id")
    row |= {"arrival_id": str(number), "received_at": NOON, "provider": "plivo", "session_id": "s"}
    row |= {"proof": "v2", "digest": "c"}
    return Arrival(NOON, (("v2", f"n{number}"),), "c", "v2", Raw("POST", "/", (), b"raw"), row)


def stored(url: str) -> set[str]:
    engine = store.reader_engine(url)
    with engine.connect() as connection:
        return set(connection.scalars(select(store.callbacks.c.arrival_id)))


class Held:
    """Another process's hold on the store."""

    def __init__(self, url: str) -> None:
        self._engine = store.writer_engine(url)

    def __enter__(self) -> "Held":
        self._connection = self._engine.connect()
        self._transaction = self._connection.begin()
        if self._engine.dialect.name == "postgresql":
            self._connection.exec_driver_sql("LOCK TABLE nonces")
        return self

    def __exit__(self, *_: object) -> None:
        self._transaction.rollback()
        self._connection.close()
        self._engine.dispose()


def eventually(holds: Callable[[], bool], within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.005)
    return holds()


def test_an_item_is_committed_before_its_sender_is_answered(make_writer: Callable[..., Writer], url: str) -> None:
    writer = make_writer()
    for number in range(20):
        assert writer.append(arrival(number)) is Outcome.ACCEPTED
        assert str(number) in stored(url)


def test_what_gathers_during_one_commit_is_written_by_the_next_one_together(
    make_writer: Callable[..., Writer], url: str
) -> None:
    writer = make_writer()
    before = sum(writer.commits)
    with ThreadPoolExecutor(20) as pool:
        with Held(url):
            waiting = [pool.submit(writer.append, arrival(number)) for number in range(20)]
            assert eventually(lambda: writer.waiting + len(writer._in_flight) == 20)
        assert {future.result() for future in waiting} == {Outcome.ACCEPTED}
    assert len(stored(url)) == 20
    assert sum(writer.commits) - before <= 2


def test_a_sender_that_waits_too_long_is_told_so_and_what_was_not_begun_is_never_written(
    make_writer: Callable[..., Writer], url: str
) -> None:
    # Long enough for the last append, which must be through in time on a busy machine too.
    writer = make_writer(patience=1.5, overload=60)
    with ThreadPoolExecutor(4) as pool, Held(url):
        first = pool.submit(writer.append, arrival(0))
        assert eventually(lambda: writer._in_flight != [])
        later = [pool.submit(writer.append, arrival(number)) for number in (1, 2, 3)]
        answers = [future.exception() for future in (first, *later)]
    assert [(type(answer), getattr(answer, "status", 0), str(answer)) for answer in answers] == [
        (Refused, 503, "timeout")
    ] * 4
    assert writer.append(arrival(9)) is Outcome.ACCEPTED
    # The first one was on its way already: it may be there, and its retry will find its nonce bound to the same.
    assert stored(url) - {"0"} == {"9"}


def test_while_the_oldest_row_waits_too_long_new_ones_are_turned_away_at_once(
    make_writer: Callable[..., Writer], url: str
) -> None:
    writer = make_writer(overload=0.1, patience=20)
    with ThreadPoolExecutor(1) as pool:
        with Held(url):
            first = pool.submit(writer.append, arrival(0))
            assert eventually(lambda: writer.trouble() == "overloaded")
            for _ in range(3):
                with pytest.raises(Refused, match="overloaded"):
                    writer.append(arrival(1))
        assert first.result() is Outcome.ACCEPTED
    assert writer.append(arrival(2)) is Outcome.ACCEPTED
    assert stored(url) == {"0", "2"}


@in_sqlite
def test_a_full_disk_is_a_503_and_heals_by_itself(make_writer: Callable[..., Writer], engine: Engine, url: str) -> None:
    opened: list[Any] = []
    event.listen(engine, "connect", lambda connection, _: opened.append(connection))
    writer = make_writer()
    assert writer.append(arrival(0)) is Outcome.ACCEPTED
    pages = opened[-1].execute("PRAGMA page_count").fetchone()[0]
    opened[-1].execute(f"PRAGMA max_page_count = {pages + 2}")
    answers: list[str] = []
    while len(answers) < 200 and answers[-1:] != ["refused"]:
        try:
            writer.append(arrival(1 + len(answers)))
            answers.append("stored")
        except Refused as error:
            answers.append("refused" if (error.status, error.reason) == (503, "store") else repr(error))
    assert answers[-1] == "refused"
    assert writer.trouble() == "failing"
    assert len(stored(url)) == 1 + answers.count("stored")
    opened[-1].execute("PRAGMA max_page_count = 100000")
    assert eventually(lambda: writer.trouble() == "")
    assert writer.append(arrival(1_000)) is Outcome.ACCEPTED
    assert not writer.is_dead


def broken(code: int) -> OperationalError:
    cause = Exception("disk I/O error")
    cause.sqlite_errorcode = code  # type: ignore[attr-defined]
    return OperationalError("COMMIT", {}, cause)


@in_sqlite
@pytest.mark.parametrize("code", [10, 10 | 4 << 8, 11, 26], ids=["EIO", "EIO in fsync", "damaged", "no database"])
def test_after_a_failed_flush_the_batch_is_refused_and_the_process_is_to_end(
    engine: Engine, url: str, code: int
) -> None:
    died = threading.Event()
    writer = Writer(engine, Pulse("one", lambda: NOON), died=died.set, tick=0.02)
    is_broken = False

    @event.listens_for(engine, "commit")
    def fail(_: Connection) -> None:
        if is_broken:
            raise broken(code)

    writer.start()
    assert writer.append(arrival(0)) is Outcome.ACCEPTED
    is_broken = True
    with pytest.raises(Refused, match="store") as caught:
        writer.append(arrival(1))
    assert caught.value.status == 503
    assert died.wait(10)
    assert writer.is_dead
    with pytest.raises(Refused, match="stopped"):
        writer.append(arrival(2))
    assert stored(url) == {"0"}


def test_a_writer_that_dies_of_a_mistake_lets_nobody_wait_and_ends_the_process(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = threading.Event()
    rules = Ledger()
    writer = Writer(engine, Pulse("one", lambda: NOON), rules=rules, died=died.set, patience=30)

    def mistake(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(rules, "write", mistake)
    writer.start()
    began = time.monotonic()
    with pytest.raises(Refused, match="store"):
        writer.append(arrival(0))
    assert time.monotonic() - began < 15
    assert died.wait(10)


def test_a_row_that_cannot_be_stored_does_not_fail_the_rows_that_gathered_with_it(
    make_writer: Callable[..., Writer], url: str, engine: Engine
) -> None:
    pulse = Pulse("one", lambda: NOON)
    writer = make_writer(pulse)
    poison = arrival(1)
    assert poison.row is not None
    poison.row["requested_at"] = 2**80
    with ThreadPoolExecutor(3) as pool:
        with Held(url):
            waiting = [pool.submit(writer.append, item) for item in (arrival(0), poison, arrival(2))]
            assert eventually(lambda: writer.waiting + len(writer._in_flight) == 3)
        outcomes = [future.result() for future in waiting]
    assert outcomes == [Outcome.ACCEPTED, Outcome.QUARANTINED, Outcome.ACCEPTED]
    assert stored(url) == {"0", "2"}
    assert pulse.totals() == {("accepted", ""): 2, ("quarantined", "unstorable"): 1}


def test_the_minutes_are_written_also_when_nobody_calls(make_writer: Callable[..., Writer], engine: Engine) -> None:
    moment = [NOON]
    make_writer(Pulse("one", lambda: moment[0]))
    time.sleep(0.1)
    moment[0] += MINUTE

    def minutes() -> list[int]:
        with engine.connect() as connection:
            return list(connection.scalars(select(store.pulse.c.minute)))

    assert eventually(lambda: minutes() == [NOON])


@in_sqlite
def test_a_minute_that_could_not_be_written_in_time_is_written_when_the_store_is_back(
    make_writer: Callable[..., Writer], engine: Engine
) -> None:
    is_full = True

    @event.listens_for(engine, "commit")
    def fail(_: Connection) -> None:
        if is_full:
            raise broken(13)

    moment = [NOON]
    minutes = Pulse("one", lambda: moment[0])
    minutes.count("refused", "store")
    writer = make_writer(minutes)
    moment[0] += MINUTE
    assert eventually(lambda: writer.trouble() == "failing")
    is_full = False
    assert eventually(lambda: writer.trouble() == "")
    with engine.connect() as connection:
        rows = connection.execute(select(store.pulse.c.minute, store.pulse.c.refused).order_by("minute")).all()
    assert rows == [(NOON, 1), (NOON + MINUTE, 0)]


def test_stopping_writes_what_waits_and_the_minute_that_has_begun(engine: Engine, url: str) -> None:
    writer = Writer(engine, Pulse("one", lambda: NOON))
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(writer.append, arrival(number)) for number in range(5)]
        assert eventually(lambda: writer.waiting == 5)
        writer.start()
        assert writer.stop(10)
        assert {future.result() for future in waiting} == {Outcome.ACCEPTED}
    with engine.connect() as connection:
        assert connection.execute(select(store.pulse.c.minute, store.pulse.c.accepted)).all() == [(NOON, 5)]
    with pytest.raises(Refused, match="stopped"):
        writer.append(arrival(9))
    assert not writer.is_dead


def test_reports_of_the_application_go_the_same_way(make_writer: Callable[..., Writer], engine: Engine) -> None:
    writer = make_writer()
    assert writer.append(Verification("s", 1, 2)) is Outcome.ACCEPTED
    assert writer.append(Verification("s", 1, 3)) is Outcome.ACCEPTED
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(store.verifications)) == 1
