"""What is true of the store on PostgreSQL alone: what it demands of the server, and what no row of it can hold."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from collector import engines, migrations, postgresql, store
from collector.errors import CollectorError
from collector.items import Arrival, Outcome, Raw
from collector.ledger import Ledger
from tests.collector.postgres.conftest import Rows, name_of
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    made = store.writer_engine(database, silence=2.0)
    yield made
    made.dispose()


@pytest.fixture
def default(postgres: PostgresServer, database: str) -> Iterator[Callable[[str, str], None]]:
    """Give a function that sets something by default for everybody who opens this database."""
    name, said = name_of(database), set()

    def say(setting: str, value: str) -> None:
        said.add(setting)
        postgres.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")

    yield say
    for setting in said:
        postgres.execute(f"ALTER DATABASE {name} RESET {setting}")


def shown(engine: Engine, setting: str) -> str:
    with engine.connect() as connection:
        return str(connection.exec_driver_sql(f"SHOW {setting}").scalar_one())


@pytest.mark.parametrize(
    ("given", "kept"),
    [("off", "on"), ("local", "on"), ("remote_write", "on"), ("on", "on"), ("remote_apply", "remote_apply")],
)
def test_commits_wait_for_the_disk_whatever_the_database_says(
    given: str, kept: str, engine: Engine, default: Callable[[str, str], None]
) -> None:
    default("synchronous_commit", given)
    assert shown(engine, "synchronous_commit") == kept


def test_the_level_of_isolation_is_the_one_the_rules_are_written_for(
    engine: Engine, default: Callable[[str, str], None]
) -> None:
    default("default_transaction_isolation", "serializable")
    assert shown(engine, "transaction_isolation") == "read committed"


def test_no_wait_is_without_an_end(engine: Engine, database: str) -> None:
    assert shown(engine, "lock_timeout") == "2500ms"
    assert shown(engine, "idle_in_transaction_session_timeout") == "10s"
    with engine.connect() as connection, pytest.raises(OperationalError, match="said nothing for 2 s") as caught:
        connection.exec_driver_sql("SELECT pg_sleep(20)")
    assert caught.value.connection_invalidated
    # Whoever may take his time is not bounded.
    patient = store.writer_engine(database)
    with patient.connect() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(2.5)")
    patient.dispose()


def test_a_link_is_watched_and_the_url_has_the_last_word(database: str) -> None:
    def parameters(url: str) -> dict[str, str]:
        engine = store.writer_engine(url)
        with engine.connect() as connection:
            found: Any = connection.connection.driver_connection
            kept: dict[str, str] = found.info.get_parameters()
        engine.dispose()
        return kept

    ours = {"connect_timeout": "2", "tcp_user_timeout": "4000", "keepalives_idle": "5"}
    assert ours.items() <= parameters(database).items()
    assert parameters(f"{database}&connect_timeout=7&application_name=mine").items() >= {
        ("connect_timeout", "7"), ("application_name", "mine"), ("tcp_user_timeout", "4000"),
    }  # fmt: skip


def test_a_sentence_about_a_server_never_holds_the_password() -> None:
    url = make_url("postgresql://me:open-sesame@a.example:5433/x")
    said = postgresql._sentence("connection failed: FATAL:  open-sesame is not the word\nDETAIL: none", url)
    assert said == "PostgreSQL at a.example port 5433, database 'x': … is not the word"


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_could_lose_what_it_acknowledged_is_refused(setting: str, postgres: PostgresServer) -> None:
    url = postgres.new_database()
    postgres.stop()
    try:
        postgres.start({setting: "off"})
        with pytest.raises(CollectorError, match=f"runs with {setting}=off: acknowledged rows would not be safe"):
            store.initialise(store.writer_engine(url))
    finally:
        postgres.stop()
        postgres.start()


def test_a_standby_and_a_narrow_alphabet_are_refused(postgres: PostgresServer) -> None:
    asked = {"is_standby": [("on", "on", "on", "UTF8", True)], "narrow": [("on", "on", "on", "LATIN1", False)]}

    class Cursor:
        def __init__(self, row: tuple[Any, ...]) -> None:
            self._row = row

        def execute(self, _: str) -> "Cursor":
            return self

        def fetchone(self) -> tuple[Any, ...]:
            return self._row

    for (row,), said in zip(asked.values(), ("is a standby and only reads: name the primary", "LATIN1"), strict=True):
        with pytest.raises(CollectorError, match=said):
            postgresql._demand_durability(Cursor(row))
    postgres.execute("CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url = postgres.emptied_database()
    try:
        with pytest.raises(CollectorError, match="kept in LATIN1: create it with ENCODING 'UTF8'"):
            store.initialise(store.writer_engine(url.replace(name_of(url), "narrow")))
    finally:
        postgres.execute("DROP DATABASE narrow")


def test_nothing_can_be_written_through_a_reader(database: str, engine: Engine) -> None:
    store.initialise(engine)
    reader = store.reader_engine(database)
    with pytest.raises(DBAPIError, match="read-only transaction"), reader.begin() as connection:
        connection.execute(store.peppers.insert().values(key_id="a", check_value="b"))
    reader.dispose()


def arrival(number: int, **values: object) -> Arrival:
    row: dict[str, Any] = dict.fromkeys(c.name for c in store.callbacks.columns if c.name != "callback_id")
    row |= {"arrival_id": str(number), "received_at": number, "provider": "plivo", "session_id": "s"}
    row |= {"proof": "v2", "digest": "c"}
    raw = Raw("GET", "/p?a\0b\ud800", (("Name", "a\0b"),), b"a\0b")
    return Arrival(number, (("v2", f"n{number}"),), "c", "v2", raw, row | values)


def test_a_nul_goes_to_quarantine_raw_and_does_not_fail_its_neighbours(engine: Engine, rows: Rows) -> None:
    store.initialise(engine)
    batch = [arrival(1), arrival(2, extra="a\0b"), arrival(3)]
    with engine.connect() as connection:
        outcomes = Ledger().write(connection, batch, lambda _: None)
    assert outcomes == [Outcome.ACCEPTED, Outcome.QUARANTINED, Outcome.ACCEPTED]
    kept = rows("SELECT reason, url, headers, body FROM quarantine")
    assert kept == [("unstorable", "/p?a%00b\\ud800", '[["Name", "a\\u0000b"]]', b"a\0b")]
    assert rows("SELECT arrival_id FROM callbacks ORDER BY 1") == [("1",), ("3",)]


# What a table is, in PostgreSQL's own words: columns, constraints, indexes.
SCHEMA = """
SELECT table_name, ordinal_position::text, column_name, data_type, is_nullable, is_identity,
    identity_generation, column_default FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT conrelid::regclass::text, '', conname, pg_get_constraintdef(oid), '', '', '', '' FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT tablename, '', indexname, indexdef, '', '', '', '' FROM pg_indexes WHERE schemaname = 'public'
"""


def test_the_revisions_build_the_same_store_as_creating_it_now(engine: Engine, rows: Rows) -> None:
    migrations.upgrade(engine)
    upgraded = sorted(rows(SCHEMA), key=str)
    store.check(engine)
    migrations.upgrade(engine)
    assert sorted(rows(SCHEMA), key=str) == upgraded
    engine.dispose()
    rows("DROP SCHEMA public CASCADE")
    rows("CREATE SCHEMA public")
    store.initialise(engine)
    assert sorted(rows(SCHEMA), key=str) == upgraded
    assert len(upgraded) > 60


def test_a_schema_of_its_own_in_a_shared_database_is_enough(database: str, rows: Rows) -> None:
    rows("CREATE TABLE customers (name text)")
    rows("CREATE SCHEMA collector")
    with pytest.raises(CollectorError, match="no collector's store"):
        store.initialise(store.writer_engine(database))
    engine = store.writer_engine(f"{database}&options=-csearch_path%3Dcollector")
    store.initialise(engine)
    with engine.connect() as connection:
        assert connection.scalars(select(store.version_table.c.version_num)).all() == [store.SCHEMA]
    engine.dispose()
    assert rows("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'collector'") == [(7,)]
    assert engines.sqlite_file(database) is None
    rows("DROP SCHEMA collector CASCADE")
