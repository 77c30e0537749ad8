"""Whatever befalls PostgreSQL or the way to it: a 503 in time, nothing lost that was acknowledged, and it heals."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector import store
from collector.errors import CollectorError
from collector.pulse import MINUTE, Pulse
from collector.writer import Writer
from tests.collector.conftest import CollectorProcess, Provider
from tests.collector.postgres.conftest import Rows
from tests.collector.postgres.link import Link
from tests.collector.postgres.traffic import STORED, Traffic, deliver
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres
Make = Callable[..., CollectorProcess]


def eventually(holds: Callable[[], bool], within: float = 60.0) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


def away_from_the_turn_of_a_minute() -> None:
    """Wait until the next commit will be a callback's: when a minute is over, it is written in one of its own."""
    second = time.time() % 60
    if not 4 <= second <= 50:
        time.sleep((64 - second) % 60)


def is_ready(collector: CollectorProcess) -> bool:
    return collector.request("GET", "/readyz").status == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], ids=["fast", "immediate", "kill"])
def test_a_server_that_stops_under_load_is_a_503_and_when_it_is_back_so_is_the_collector(
    number: int, postgres: PostgresServer, database: str, make_on: Make, rows: Rows
) -> None:
    stop_and_start([number], postgres, make_on(database), rows)


@pytest.mark.full
def test_thirty_stops_of_the_server_under_load_lose_nothing(
    postgres: PostgresServer, database: str, make_on: Make, rows: Rows
) -> None:
    stop_and_start([signal.SIGKILL, signal.SIGQUIT, signal.SIGINT] * 10, postgres, make_on(database), rows)


def stop_and_start(numbers: list[int], postgres: PostgresServer, collector: CollectorProcess, rows: Rows) -> None:
    collector.start()
    with Traffic([collector]) as traffic:
        for number in numbers:
            enough = traffic.answers[200] + 50
            traffic.wait_for(lambda enough=enough: traffic.answers[200] >= enough)  # type: ignore[misc]
            postgres.stop(number)
            try:
                enough = traffic.answers[503] + 10
                traffic.wait_for(lambda enough=enough: traffic.answers[503] >= enough)  # type: ignore[misc]
                answer = collector.post(Provider.fields("while it is down"))
                assert (answer.status, answer.headers["retry-after"]) == (503, "5")
                assert collector.request("GET", "/healthz").status == 200
                assert collector.request("GET", "/readyz").body == b"failing\n"
            finally:
                postgres.start()
        enough = traffic.answers[200] + 20
        traffic.wait_for(lambda: traffic.answers[200] >= enough)
    assert collector.process.poll() is None
    assert set(traffic.answers) == {200, 503}
    traffic.check(rows(STORED))
    assert rows("SELECT count(*) FROM nonces") == rows("SELECT count(*) FROM callbacks")
    assert eventually(lambda: is_ready(collector))
    assert collector.end() == 0


@pytest.mark.full
def test_a_server_that_comes_back_as_a_standby_is_a_503_that_says_so_until_it_is_the_primary_again(
    postgres: PostgresServer, database: str, make_on: Make, rows: Rows
) -> None:
    collector = make_on(database).start()
    assert collector.post(Provider.fields("before")).status == 200
    mark = postgres.data / "standby.signal"
    try:
        postgres.stop()
        mark.touch()
        postgres.start()
        said = "this PostgreSQL is a standby and only reads"
        # Whoever is idle notices with the next callback, or the next minute.
        assert collector.post(Provider.fields("meanwhile")).status == 503
        assert eventually(lambda: any(said in event.get("why", "") for event in collector.events()))
        assert collector.post(Provider.fields("meanwhile")).status == 503
        with pytest.raises(CollectorError, match=said):
            store.initialise(store.writer_engine(database))
        # Whoever only reads may do so.
        assert collector.run("status").returncode == 0
    finally:
        postgres.stop()
        mark.unlink()
        postgres.start()
    assert eventually(lambda: is_ready(collector))
    assert collector.post(Provider.fields("after")).status == 200
    assert rows("SELECT session_id FROM callbacks ORDER BY 1") == [("after",), ("before",)]
    assert collector.end() == 0


@pytest.mark.parametrize("what", ["lose the commit", "lose the answer"])
def test_a_connection_cut_in_the_middle_of_a_commit_is_a_503_and_the_retry_finds_the_truth(
    what: str, link: Link, through: str, make_on: Make, rows: Rows
) -> None:
    collector = make_on(through).start()
    fields, nonce = Provider.fields("s-1"), collector.provider.nonce()
    away_from_the_turn_of_a_minute()
    link.at_commit = what  # type: ignore[assignment]
    assert deliver(collector, fields, nonce) == 503
    assert link.lost.wait(10)
    was_stored = what == "lose the answer"
    assert eventually(lambda: rows("SELECT arrivals FROM nonces") == [(1,)] * was_stored)
    assert rows("SELECT count(*) FROM callbacks") == [(int(was_stored),)]
    # The provider sends it again, and so does whoever has seen the nonce, with a content of his own.
    assert deliver(collector, fields, nonce) == 200
    assert deliver(collector, Provider.fields("forged"), nonce) == 403
    assert rows("SELECT arrivals FROM nonces") == [(1 + was_stored,)]
    assert rows("SELECT session_id FROM callbacks") == [("s-1",)] * (1 + was_stored)
    assert rows("SELECT reason FROM quarantine") == [("nonce_reused",)]
    assert collector.end() == 0


def test_a_link_that_goes_quiet_holds_nobody_for_long_and_heals_when_it_is_back(
    link: Link, through: str, make_on: Make, rows: Rows
) -> None:
    collector = make_on(through).start()
    assert collector.post(Provider.fields("before")).status == 200
    link.stop()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(collector.post, Provider.fields(f"waits-{number}")) for number in range(3)]
        assert eventually(lambda: collector.request("GET", "/readyz").body == b"overloaded\n", within=10)
        turned_away = collector.post(Provider.fields("turned away"))
        # Three seconds; whoever waited without an end would run into the client's own ten.
        answers = [future.result() for future in waiting]
    assert [answer.status for answer in (turned_away, *answers)] == [503] * 4
    reasons = {event["reason"] for event in collector.events() if event["event"] == "refused"}
    assert {"timeout", "overloaded"} <= reasons
    # The writer gave its connection up by itself, and has tried new ones.
    assert eventually(lambda: any(event["event"] == "commit_failed" for event in collector.events()), within=20)
    assert collector.process.poll() is None
    link.go_on()
    assert eventually(lambda: is_ready(collector))
    assert collector.post(Provider.fields("after")).status == 200
    found = [session for (session,) in rows("SELECT session_id FROM callbacks")]
    assert {"before", "after"} <= set(found) <= {"before", "after", "waits-0", "waits-1", "waits-2"}
    assert "turned away" not in found
    assert collector.end() == 0


@pytest.mark.full
def test_a_transaction_that_was_left_open_lets_go_of_its_nonces_and_others_do_not_wait_for_it(
    link: Link, through: str, make_on: Make, rows: Rows
) -> None:
    collector = make_on(through).start()
    fields, nonce = Provider.fields("s-1"), collector.provider.nonce()
    away_from_the_turn_of_a_minute()
    link.at_commit = "keep the commit"
    assert deliver(collector, fields, nonce) == 503
    assert link.lost.wait(10)
    # A new connection is made; the server still holds what the silent one began.
    assert eventually(lambda: collector.post(Provider.fields("s-2")).status == 200)
    # The lock gives way before a request does, and the server undoes what was left open for ten seconds.
    assert eventually(lambda: deliver(collector, fields, nonce) == 200)
    assert rows("SELECT session_id FROM callbacks ORDER BY 1") == [("s-1",), ("s-2",)]
    assert rows("SELECT arrivals FROM nonces") == [(1,), (1,)]
    assert collector.end() == 0


@pytest.mark.parametrize("what", ["lose the commit", "lose the answer"])
def test_a_minute_whose_commit_is_cut_is_written_once(what: str, link: Link, through: str, rows: Rows) -> None:
    engine = store.writer_engine(through, silence=4.0)
    store.initialise(engine)
    moment = [MINUTE]
    minutes = Pulse("one", lambda: moment[0])
    for _ in range(7):
        minutes.count("refused", "signature")
    writer = Writer(engine, minutes, tick=0.02)
    link.at_commit = what  # type: ignore[assignment]
    writer.start()
    moment[0] += MINUTE
    assert link.lost.wait(20)
    assert eventually(lambda: writer.trouble() == "")
    assert eventually(lambda: rows("SELECT count(*) FROM pulse") == [(2,)])
    assert writer.stop(20)
    engine.dispose()
    assert rows("SELECT minute, refused, refused_by FROM pulse ORDER BY 1") == [
        (MINUTE, 7, '{"signature": 7}'),
        (2 * MINUTE, 0, "{}"),
    ]


def test_connections_that_break_under_load_lose_nothing(link: Link, through: str, make_on: Make, rows: Rows) -> None:
    collector = make_on(through).start()
    with Traffic([collector]) as traffic:
        for round_ in range(1, 6):
            enough = traffic.answers[200] + 20
            traffic.wait_for(lambda enough=enough: traffic.answers[200] >= enough)  # type: ignore[misc]
            if round_ % 2:
                link.cut()
            else:
                link.lost.clear()
                link.at_commit = "lose the answer"
                assert link.lost.wait(20)
        enough = traffic.answers[200] + 20
        traffic.wait_for(lambda: traffic.answers[200] >= enough)
    assert set(traffic.answers) <= {200, 503}
    traffic.check(rows(STORED))
    assert collector.end() == 0
