"""A store keeps what it was given, opens only as it should, and is read without standing in the writer's way."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from sqlalchemy import Dialect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.schema import CreateTable

from collector import engines, store, wire
from collector.errors import CollectorError
from collector.serve import sole_server

PEPPERS = {"aaaaaaaa": "1" * 64, "bbbbbbbb": "2" * 64}


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'data' / 'store.db'}"


in_sqlite = pytest.mark.parametrize("empty_store", ["sqlite"], indirect=True)


@pytest.fixture
def url(empty_store: str) -> str:
    engine = store.writer_engine(empty_store)
    store.initialise(engine)
    engine.dispose()
    return empty_store


@in_sqlite
def test_a_writing_connection_is_as_durable_as_it_was_asked_to_be(url: str) -> None:
    with store.writer_engine(url).connect() as connection:
        read_back = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "mmap_size", "busy_timeout")
        }
    assert read_back == {"journal_mode": "wal", "synchronous": 2, "mmap_size": 0, "busy_timeout": 2_500}


@in_sqlite
def test_a_database_that_does_not_take_the_durable_settings_is_not_written_to(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = engines.sqlite_module()
    connect = module.connect

    class Refusing:
        def __init__(self, *args: object, **kwargs: object) -> None:
            self._real = connect(*args, **kwargs)

        def execute(self, sql: str) -> object:
            return self._real.execute("PRAGMA synchronous = 1" if sql == "PRAGMA synchronous = 2" else sql)

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    monkeypatch.setattr(module, "connect", Refusing)
    with pytest.raises(CollectorError, match="took 1 for synchronous where 2 was asked"):
        store.writer_engine(url).connect()


def test_the_sqlite_that_writes_keeps_what_it_committed() -> None:
    assert engines.sqlite_module().sqlite_version_info >= (3, 51, 3)


def test_the_files_of_a_store_are_for_their_owner_alone(tmp_path: Path) -> None:
    engine = store.writer_engine(url_in(tmp_path))
    store.initialise(engine)
    with engine.begin() as connection:
        connection.execute(store.peppers.insert().values(key_id="a", check_value="b"))
        files = sorted((tmp_path / "data").iterdir())
        assert [file.name for file in files] == ["store.db", "store.db-shm", "store.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("is_served", [False, True])
def test_creating_a_store_makes_its_name_and_those_of_its_folders_durable_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_served: bool
) -> None:
    flushed: list[Path] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    url = url_in(tmp_path / "var" / "collector")
    # A server makes the folders before the store, for its lock.
    with sole_server(url) if is_served else nullcontext():
        store.writer_engine(url)
    folders = [tmp_path, tmp_path / "var", tmp_path / "var" / "collector", tmp_path / "var" / "collector" / "data"]
    assert flushed == folders


@in_sqlite
def test_the_columns_of_callbacks_are_those_of_the_window(url: str) -> None:
    assert [c.name for c in store.callbacks.columns] == ["callback_id", *(c.name for c in wire.COLUMNS)]
    with sqlite3.connect(store.sqlite_file(url) or "") as connection:
        found = {row[1]: (row[2], bool(row[3])) for row in connection.execute("PRAGMA table_info(callbacks)")}
    connection.close()
    kinds = {"text": "TEXT", "integer": "INTEGER", "moment": "INTEGER"}
    assert {c.name: found[c.name] for c in wire.COLUMNS} == {
        c.name: (kinds[c.kind], not c.nullable) for c in wire.COLUMNS
    }


@in_sqlite
def test_a_strict_table_refuses_text_in_a_column_of_times(url: str) -> None:
    with pytest.raises(IntegrityError), store.writer_engine(url).begin() as connection:
        connection.exec_driver_sql("INSERT INTO verifications VALUES (1, 'a', 'noon', 2)")


def test_a_key_is_never_used_twice(url: str) -> None:
    engine = store.writer_engine(url)
    insert = store.verifications.insert().values(session_id="s", verified_at=1, received_at=2)
    with engine.begin() as connection:
        connection.execute(insert)
        connection.execute(store.verifications.delete())
        connection.execute(insert)
        assert connection.scalars(select(store.verifications.c.verification_id)).all() == [2]


@pytest.mark.parametrize("make", [sqlite.dialect, postgresql.dialect], ids=["sqlite", "postgresql"])
def test_every_table_can_be_written_down_for_both_databases(make: Callable[[], Dialect]) -> None:
    for table in store.metadata.sorted_tables:
        written = str(CreateTable(table).compile(dialect=make()))
        assert ("STRICT" in written) == (make is sqlite.dialect)
        assert ("BIGINT" in written) == (make is postgresql.dialect)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("sqlite://", "in memory would forget"),
        ("sqlite:///:memory:", "in memory would forget"),
        ("mysql://localhost/x", "not in 'mysql'"),
        ("data/callbacks.db", "no database URL"),
        ("postgresql://u:hunter2@h:bad/x", "no database URL"),
        ("postgresql://[::1/x", "no database URL"),
        ("sqlite:///a%00b", "no database URL"),
    ],
)
def test_what_is_no_store_is_refused_in_one_sentence(address: str, said: str) -> None:
    with pytest.raises(CollectorError, match=said) as caught:
        store.writer_engine(address)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CollectorError, match="cannot be created"):
        store.writer_engine(f"sqlite:///{tmp_path / 'file' / 'store.db'}")


def test_reading_a_store_that_is_not_there_does_not_make_one(tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match="there is no store at"):
        store.reader_engine(url_in(tmp_path))
    assert list(tmp_path.iterdir()) == []


@in_sqlite
def test_nothing_can_be_written_through_a_reader(url: str) -> None:
    with pytest.raises(OperationalError, match="readonly"), store.reader_engine(url).begin() as connection:
        connection.execute(store.peppers.insert().values(key_id="a", check_value="b"))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are notes, " * 100)
    with pytest.raises(CollectorError, match="not a database"):
        store.initialise(store.writer_engine(f"sqlite:///{tmp_path / 'notes.db'}"))


def test_somebody_elses_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name)")
    connection.close()
    with pytest.raises(CollectorError, match="no collector's store"):
        store.initialise(store.writer_engine(f"sqlite:///{path}"))


def test_a_store_of_another_release_is_refused_by_name(url: str) -> None:
    engine = store.writer_engine(url)
    with engine.begin() as connection:
        connection.execute(store.version_table.update().values(version_num="0099"))
    with pytest.raises(CollectorError, match="stands at schema 0099, this release works with 0001"):
        store.check(engine)


def test_a_store_that_lost_a_table_is_refused(url: str) -> None:
    engine = store.writer_engine(url)
    with engine.begin() as connection:
        store.nonces.drop(connection)
    with pytest.raises(CollectorError, match="lacks the table nonces"):
        store.check(engine)


def test_the_oldest_pepper_of_the_store_stays_the_oldest(url: str) -> None:
    engine = store.writer_engine(url)
    older, newer = PEPPERS
    assert store.accept_peppers(engine, {older: PEPPERS[older]}) == older
    assert store.accept_peppers(engine, PEPPERS) == older
    # With the old one last, numbers would go on being keyed by it, and nobody would see.
    with pytest.raises(
        CollectorError, match="not in the order in which this store met its peppers, aaaaaaaa, bbbbbbbb"
    ):
        store.accept_peppers(engine, {newer: PEPPERS[newer], older: PEPPERS[older]})


def test_a_new_pepper_before_the_old_ones_is_refused_and_not_noted(url: str) -> None:
    engine = store.writer_engine(url)
    older, newer = PEPPERS
    store.accept_peppers(engine, {older: PEPPERS[older]})
    with pytest.raises(CollectorError, match="and a new one after them"):
        store.accept_peppers(engine, {newer: PEPPERS[newer], older: PEPPERS[older]})
    assert store.accept_peppers(engine, {older: PEPPERS[older]}) == older


@pytest.mark.parametrize("offered", [{"bbbbbbbb": "2" * 64}, {"aaaaaaaa": "9" * 64, "bbbbbbbb": "2" * 64}])
def test_a_pepper_the_store_was_written_with_may_not_be_missing(url: str, offered: dict[str, str]) -> None:
    engine = store.writer_engine(url)
    store.accept_peppers(engine, {"aaaaaaaa": "1" * 64})
    with pytest.raises(CollectorError, match="lacks the pepper aaaaaaaa"):
        store.accept_peppers(engine, offered)
    with engine.connect() as connection:
        assert connection.scalars(select(store.peppers.c.key_id)).all() == ["aaaaaaaa"]


def test_pages_give_every_row_once_also_one_written_meanwhile(url: str) -> None:
    engine = store.writer_engine(url)

    def add(*sessions: str) -> None:
        with engine.begin() as connection:
            rows = [{"session_id": session, "verified_at": 1, "received_at": 1} for session in sessions]
            connection.execute(store.verifications.insert(), rows)

    add("a", "b", "c")
    read: list[list[str]] = []
    for page in store.pages(store.reader_engine(url), store.verifications, size=2):
        if not read:
            add("d")
        read.append([row.session_id for row in page])
    assert read == [["a", "b"], ["c", "d"]]
