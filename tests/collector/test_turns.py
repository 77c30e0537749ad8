"""Whoever works on a store beside its server does not make it say no, and is not kept waiting for ever."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from collector import store
from collector.engines import sqlite_module
from collector.errors import CollectorError
from collector.turns import Turns, opened, whole, windows
from tests.collector.conftest import NUMBER, CollectorProcess, Provider, clean_environment
from tests.collector.records import BOTH, OTHER_NUMBER, column, contents, fill, line, report, settings_for

CLIENTS = 4


class Load:
    """Several clients that send as fast as they are answered, and remember what was acknowledged."""

    def __init__(self, collector: CollectorProcess) -> None:
        self.collector = collector
        self.acknowledged: list[str] = []
        self.answers: Counter[int] = Counter()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(CLIENTS)]

    def _send(self, number: int) -> None:
        provider = Provider()
        sent = 0
        while not self._is_over.is_set():
            session = f"live-{number}-{sent}"
            nonce = f"{number + 5}{sent:019}"
            answer = self.collector.post(provider.fields(session, Recipient=OTHER_NUMBER), provider.headers(nonce))
            self.answers[answer.status] += 1
            if answer.status == 200:
                self.acknowledged.append(session)
            sent += 1

    @contextmanager
    def running(self) -> Iterator["Load"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join()


def test_a_server_under_load_answers_200_throughout_while_everything_is_done_to_its_store(
    make_collector: Callable[..., CollectorProcess], tmp_path: Path
) -> None:
    collector = make_collector()
    url = f"sqlite:///{collector.store}"
    # Long before today: to be erased, to be pruned, and to be looked at again.
    day = -86_400.0 * 3_650
    fill(
        settings_for(url),
        *(line(f"mine-{n}", day + n) for n in range(900)),
        *(line(f"old-{n}", day + n, Recipient=OTHER_NUMBER) for n in range(900)),
        *(line(f"odd-{n}", day + n, SessionUUID="", Recipient=OTHER_NUMBER) for n in range(900)),
    )
    report(settings_for(url), "mine-1")
    (tmp_path / "copies").mkdir()
    # With five days in which nothing came: their minutes are many rows too.
    came = [line(f"came-{n}", day + n, Recipient=OTHER_NUMBER) for n in (*range(900), 432_000)]
    (tmp_path / "capture.jsonl").write_text("".join(json.dumps(one) + "\n" for one in came))
    commands: list[tuple[list[str], bytes]] = [
        (["quarantine", "replay", "--all"], b""),
        (["erase", "--yes"], NUMBER.encode()),
        (["replay", str(tmp_path / "capture.jsonl")], b""),
        (["backup", str(tmp_path / "copies")], b""),
        (["prune", "--older-than", "2000d"], b""),
        (["move", "--to", f"sqlite:///{tmp_path / 'copy.db'}"], b""),
        (["status"], b""),
    ]
    collector.start()
    with Load(collector).running() as load:
        for command, stdin in commands:
            ran = subprocess.run(
                collector.command(*command), input=stdin, capture_output=True, env=clean_environment(), check=False
            )
            # What moved may have grown since: then it says so.
            assert ran.returncode == 0 or b"came into the source meanwhile" in ran.stderr, (command, ran.stderr)
    assert set(load.answers) == {200}, load.answers
    assert len(load.acknowledged) > CLIENTS
    collector.end()
    held = [row[0] for row in collector.rows("SELECT session_id FROM callbacks")]
    assert sorted(held) == sorted(load.acknowledged)
    assert collector.rows("SELECT count(*) FROM nonces") == [(2_700 + len(came) + len(held),)]
    assert [event for event in collector.events() if event["event"] == "commit_failed"] == []


def test_a_turn_waits_for_another_writer_and_then_takes_place(database_url: str) -> None:
    report(settings_for(database_url), "a")
    held = threading.Event()

    def hold() -> None:
        with closing(sqlite_module().connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            held.set()
            time.sleep(0.3)
            other.execute("COMMIT")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    with opened(database_url) as (_, mine):
        assert mine.change(store.verifications.delete()) == 1
    thread.join()


def test_a_store_that_is_held_for_good_is_said_in_one_sentence(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(settings_for(database_url), "a")
    monkeypatch.setattr(Turns.__init__, "__kwdefaults__", {"patience": 0.1})
    with closing(sqlite_module().connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CollectorError, match=r"cannot be written .* database is locked"), opened(database_url) as o:
            o[1].change(store.verifications.delete())
    assert column(database_url, store.verifications.c.session_id) == ["a"]


def test_a_turn_that_fails_is_not_taken_again_and_leaves_nothing(database_url: str) -> None:
    report(settings_for(database_url), "a")
    calls = 0

    def write(connection: Any) -> None:
        nonlocal calls
        calls += 1
        connection.execute(store.verifications.delete())
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(CollectorError, match="no such table"), opened(database_url) as (_, mine):
        mine.take(write)
    assert (calls, column(database_url, store.verifications.c.session_id)) == (1, ["a"])


def test_the_log_is_folded_only_when_nobody_reads_it(database_url: str) -> None:
    report(settings_for(database_url), "a")
    log = Path(f"{database_url.removeprefix('sqlite:///')}-wal")
    engine = store.writer_engine(database_url)
    reader = store.reader_engine(database_url)
    with Turns(engine, patience=0.1) as mine:
        with reader.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            connection.execute(select(func.count()).select_from(store.verifications)).all()
            mine.change(store.verifications.delete())
            assert not mine.fold_log()
        assert mine.fold_log()
        assert log.stat().st_size == 0
    engine.dispose()
    reader.dispose()


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_table_is_looked_through_once_whatever_the_size_of_the_windows(database_url: str) -> None:
    fill(settings_for(database_url), *(line(f"s-{n}", n) for n in range(25)))
    engine = store.writer_engine(database_url)
    with engine.begin() as connection:
        connection.execute(store.callbacks.delete().where(store.callbacks.c.callback_id.between(5, 15)))
    for size in (1, 7, 100):
        columns = [store.callbacks.c.session_id]
        pages = list(windows(engine, store.callbacks, columns, store.callbacks.c.callback_id > 2, size=size))
        assert [row.session_id for rows in pages for row in rows] == [f"s-{n}" for n in (2, 3, *range(15, 25))]
        assert max(map(len, pages)) <= size
        for table in store.metadata.sorted_tables:
            rows = [tuple(row.values()) for page in whole(engine, table, size) for row in page]
            assert sorted(rows, key=repr) == contents(database_url, table)
    assert list(windows(engine, store.verifications, [store.verifications.c.session_id])) == []
    engine.dispose()


def test_rows_are_removed_a_few_hundred_at_a_time(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(settings_for(database_url), *(line(f"s-{n}", n) for n in range(700)))
    sizes: list[int] = []
    real = Turns.change

    def change(self: Turns, statement: Any) -> int:
        sizes.append(real(self, statement))
        return sizes[-1]

    monkeypatch.setattr(Turns, "change", change)
    with opened(database_url) as (_, mine):
        assert mine.remove(store.callbacks, range(1, 701)) == 700
    assert max(sizes) <= 300
    assert len(sizes) == 3
