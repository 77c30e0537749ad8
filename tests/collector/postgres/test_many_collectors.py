"""Several collectors on one PostgreSQL are one collector: a nonce has one content, whoever it was sent to."""

import functools
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection

from collector import pulse, serve, store
from collector.errors import CollectorError
from collector.items import Outcome, Verification
from collector.ledger import Ledger
from collector.pulse import Counts
from collector.settings import Settings
from tests.collector.conftest import CollectorProcess, Provider
from tests.collector.postgres.conftest import Rows
from tests.collector.postgres.traffic import STORED, Traffic, deliver

pytestmark = pytest.mark.postgres
Make = Callable[..., CollectorProcess]


def both_at_once(one: Callable[[], Any], other: Callable[[], Any]) -> list[Any]:
    meet = threading.Barrier(2)

    def run(what: Callable[[], Any]) -> Any:
        meet.wait(10)
        return what()

    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(run, one), pool.submit(run, other)]]


@pytest.fixture
def pair(database: str, make_on: Make) -> list[CollectorProcess]:
    """Give two collectors that were started at the same moment on an empty database."""
    first, second = make_on(database, "first"), make_on(database, "second")
    both = both_at_once(first.start, second.start)
    # They handle the signal that ends them once they answer.
    assert [one.request("GET", "/healthz").status for one in both] == [200, 200]
    return both


def test_a_nonce_sent_to_two_collectors_with_two_contents_is_bound_to_one(
    pair: list[CollectorProcess], rows: Rows
) -> None:
    first, second = pair
    for number in range(40):
        nonce = first.provider.nonce()
        contents = [Provider.fields(f"{number}-{name}") for name in ("one", "other")]
        statuses = both_at_once(
            functools.partial(deliver, first, contents[0], nonce),
            functools.partial(deliver, second, contents[1], nonce),
        )
        assert sorted(statuses) == [200, 403]
        stored = rows(f"SELECT session_id FROM callbacks WHERE session_id LIKE '{number}-%'")
        assert stored == [(contents[statuses.index(200)]["SessionUUID"],)]
        # The retry is known wherever it goes, and so is the forgery.
        winner = contents[statuses.index(200)]
        again = [functools.partial(deliver, one, winner, nonce) for one in pair]
        assert both_at_once(*again) == [200, 200]
    # Each arrival is counted and stored once. Two retries that meet two collectors in one microsecond are one arrival.
    ((nonces, most, arrivals),) = rows("SELECT count(*), max(arrivals), sum(arrivals)::bigint FROM nonces")
    assert (nonces, most) == (40, 3)
    assert arrivals > 110
    assert rows("SELECT count(*) FROM callbacks") == [(arrivals,)]
    assert rows("SELECT count(*) FROM quarantine WHERE reason = 'nonce_reused'") == [(40,)]


def test_a_collector_that_is_killed_under_load_loses_nothing_and_the_other_goes_on(
    pair: list[CollectorProcess], rows: Rows
) -> None:
    kill_under_load(pair, rows, kills=2)


@pytest.mark.full
def test_twenty_kills_of_two_collectors_lose_nothing(pair: list[CollectorProcess], rows: Rows) -> None:
    kill_under_load(pair, rows, kills=20)


def kill_under_load(pair: list[CollectorProcess], rows: Rows, kills: int) -> None:
    with Traffic(pair, clients=6) as traffic:
        for kill in range(kills):
            enough = traffic.answers[200] + 60
            traffic.wait_for(lambda enough=enough: traffic.answers[200] >= enough)  # type: ignore[misc]
            victim = pair[kill % 2]
            victim.end(signal.SIGKILL)
            enough = traffic.answers[200] + 30
            traffic.wait_for(lambda enough=enough: traffic.answers[200] >= enough)  # type: ignore[misc]
            victim.start()
        enough = traffic.answers[200] + 60
        traffic.wait_for(lambda: traffic.answers[200] >= enough)
    assert set(traffic.answers) <= {0, 200, 503}
    traffic.check(rows(STORED))
    # What was answered by the one is a retry to the other.
    for session in sorted(traffic.acknowledged)[:20]:
        assert {deliver(one, traffic.sent[session], traffic.nonces[session]) for one in pair} == {200}
        assert {deliver(one, Provider.fields("forged"), traffic.nonces[session]) for one in pair} == {403}
    assert [collector.end() for collector in pair] == [0, 0]


def test_two_collectors_under_load_count_every_request_in_minutes_of_their_own(
    pair: list[CollectorProcess], rows: Rows
) -> None:
    with Traffic(pair, clients=6) as traffic:
        traffic.wait_for(lambda: traffic.answers[200] >= 200)
        # All of them again, from both sides at once, in opposite orders.
        again = sorted(traffic.acknowledged)[:100]
        orders = (again, again[::-1])

        def repeat(number: int) -> list[int]:
            return [deliver(pair[number], traffic.sent[one], traffic.nonces[one]) for one in orders[number]]

        statuses = both_at_once(lambda: repeat(0), lambda: repeat(1))
    assert statuses == [[200] * 100] * 2
    assert set(traffic.answers) == {200}
    assert [collector.end() for collector in pair] == [0, 0]
    assert rows("SELECT DISTINCT collector FROM pulse") == [(f"serve@{socket.gethostname()}:0",)]
    assert rows("SELECT sum(accepted), sum(repeated) FROM pulse") == [(traffic.answers[200], 200)]
    assert rows("SELECT sum(arrivals) FROM nonces") == [(traffic.answers[200] + 200,)]
    assert rows("SELECT count(*) FROM callbacks") == [(traffic.answers[200] + 200,)]


def test_two_collectors_that_start_at_once_make_one_store(pair: list[CollectorProcess], rows: Rows) -> None:
    assert [collector.end() for collector in pair] == [0, 0]
    assert rows("SELECT version_num FROM alembic_version") == [(store.SCHEMA,)]
    assert rows("SELECT count(*) FROM peppers") == [(1,)]


def test_many_who_make_the_store_at_once_make_one_and_agree_on_its_oldest_pepper(database: str, rows: Rows) -> None:
    for _ in range(3):
        rows("DROP SCHEMA public CASCADE")
        rows("CREATE SCHEMA public")
        meet = threading.Barrier(6)

        def make(number: int, meet: threading.Barrier = meet) -> str | None:
            engine = store.writer_engine(database)
            try:
                meet.wait(10)
                store.initialise(engine)
                # Each has another one for its first: only one of them can be right, and the others are told.
                return store.accept_peppers(
                    engine, {f"pepper-{n}": f"{n}" for n in (*range(number, 6), *range(number))}
                )
            except CollectorError as refused:
                assert "not in the order in which this store met its peppers" in str(refused)  # noqa: PT017
                return None
            finally:
                engine.dispose()

        with ThreadPoolExecutor(6) as pool:
            told = list(pool.map(make, range(6)))
        assert told.count(None) == 5
        oldest = {one for one in told if one is not None}
        assert [tuple(oldest)] == rows("SELECT key_id FROM peppers ORDER BY pepper_id LIMIT 1")
        assert rows("SELECT version_num FROM alembic_version") == [(store.SCHEMA,)]


def test_two_processes_of_one_name_add_their_minutes_up(database: str, rows: Rows) -> None:
    engine = store.writer_engine(database)
    store.initialise(engine)

    def write(number: int) -> None:
        for _ in range(20):
            with engine.begin() as connection:
                pulse.write(
                    connection, "replay", {60_000_000: Counts(accepted=1), 120_000_000: Counts(repeated=number)}
                )

    both_at_once(lambda: write(1), lambda: write(2))
    engine.dispose()
    assert rows("SELECT minute, accepted, repeated FROM pulse ORDER BY 1") == [
        (60_000_000, 40, 0),
        (120_000_000, 0, 60),
    ]


def test_collectors_on_one_host_have_names_that_differ_by_their_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def name(**given: Any) -> str:
        return serve.name_of(Settings(**{"database_url": "postgresql://h/db", "port": 8081, **given}))

    host = socket.gethostname()
    assert (name(), name(port=8082)) == (f"serve@{host}:8081", f"serve@{host}:8082")
    assert name(database_url="sqlite:///x.db") == "serve"
    # Under systemd the port is that of the socket it opened, which stays open.
    with socket.create_server(("127.0.0.1", 0)) as opened:
        monkeypatch.setattr(serve, "listen_fds", lambda: 1)
        monkeypatch.setattr(serve, "FIRST_SYSTEMD_SOCKET", opened.fileno())
        assert name() == f"serve@{host}:{opened.getsockname()[1]}"
        socket.create_connection(opened.getsockname()).close()


def test_a_deadlock_is_tried_once_more_and_nobody_notices(
    database: str, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    """The two wait for each other for real: the ledger's own order would not let them."""
    engine = store.writer_engine(database)
    store.initialise(engine)
    lock = "UPDATE alembic_version SET version_num = version_num"
    rows("INSERT INTO pulse VALUES ('row', 1, 0, 0, 0, 0, '{}')")
    meet = threading.Barrier(2, timeout=10)
    calls: Counter[str] = Counter()

    def crossing(name: str, first: str, second: str) -> list[Outcome | None]:
        with engine.connect() as connection:

            def also(_: object) -> None:
                calls[name] += 1
                connection.exec_driver_sql(first)
                if calls[name] == 1:
                    meet.wait()
                connection.exec_driver_sql(second)

            return Ledger().write(connection, [Verification(name, 1, 2)], also)

    row = "UPDATE pulse SET accepted = accepted + 1 WHERE collector = 'row'"
    outcomes = both_at_once(lambda: crossing("a", lock, row), lambda: crossing("b", row, lock))
    engine.dispose()
    assert outcomes == [[Outcome.ACCEPTED], [Outcome.ACCEPTED]]
    # One of them lost, and came again; each is in the store once.
    assert sorted(calls.values()) == [1, 2]
    assert [record.message for record in caplog.records] == ["crossed"]
    assert rows("SELECT accepted FROM pulse") == [(2,)]
    assert rows("SELECT session_id FROM verifications ORDER BY 1") == [("a",), ("b",)]


def test_a_deadlock_that_comes_again_is_told_to_who_waits(database: str) -> None:
    from sqlalchemy.exc import OperationalError

    engine = store.writer_engine(database)
    store.initialise(engine)
    calls: list[int] = []

    def always(connection: Connection) -> None:
        calls.append(1)
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

    with engine.connect() as connection, pytest.raises(OperationalError):
        Ledger().write(connection, [Verification("s", 1, 2)], lambda _: always(connection))
    engine.dispose()
    assert len(calls) == 2


def test_reports_of_two_collectors_in_opposite_orders_do_not_wait_for_each_other_in_a_ring(
    database: str, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    engine = store.writer_engine(database)
    store.initialise(engine)
    reports = [Verification(f"s-{n}", 1, 2) for n in range(200)]

    def write(order: list[Verification]) -> None:
        with engine.connect() as connection:
            for turn in range(10):
                Ledger().write(connection, [Verification(r.session_id, turn, 2) for r in order], lambda _: None)

    both_at_once(lambda: write(reports), lambda: write(reports[::-1]))
    engine.dispose()
    assert [record.message for record in caplog.records] == []
    assert rows("SELECT count(*) FROM verifications") == [(2_000,)]
