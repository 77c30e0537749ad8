"""Says what the collector keeps, and refuses a store that is not as it should be.

The tables (SQLAlchemy Core, the same for SQLite and PostgreSQL), what is checked before the first row is written, and
reading in pages. Times are integers: microseconds since 1970, UTC. Rows of ``callbacks`` are
never updated.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Engine,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

from collector.engines import reader_engine, sqlite_file, writer_engine
from collector.errors import CollectorError
from collector.wire import COLUMNS

__all__ = [
    "SCHEMA",
    "accept_peppers",
    "alone",
    "callbacks",
    "check",
    "initialise",
    "insert_new",
    "metadata",
    "need_peppers",
    "nonces",
    "pages",
    "peppers",
    "pulse",
    "quarantine",
    "reader_engine",
    "said_plainly",
    "sqlite_file",
    "verifications",
    "version_table",
    "writer_engine",
]

SCHEMA = "0001"
"""The revision these tables stand at: the head of ``migrations``, which a test compares."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
# STRICT refuses a type named BIGINT; SQLite's INTEGER has 64 bits anyway.
Big = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *items: Any, keyed: bool = False, rowid: bool = True) -> Table:
    """Declare a STRICT table; ``keyed`` ones count their first column up and never use a number twice."""
    return Table(
        name,
        metadata,
        *items,
        sqlite_strict=True,
        sqlite_autoincrement=keyed,
        sqlite_with_rowid=rowid,
    )


def _key(name: str) -> Column[int]:
    return Column(name, Big, Identity(), primary_key=True)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _integer(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, Big, nullable=null)


callbacks = _table(
    "callbacks",
    _key("callback_id"),
    *(_text(c.name, null=c.nullable) if c.kind == "text" else _integer(c.name, null=c.nullable) for c in COLUMNS),
    UniqueConstraint("arrival_id"),
    keyed=True,
)
"""One row per arrival of a proved, readable callback; what the columns hold is said in `collector.wire`."""

verifications = _table(
    "verifications",
    _key("verification_id"),
    _text("session_id"),
    _integer("verified_at"),
    _integer("received_at"),
    UniqueConstraint("session_id", "verified_at"),
    keyed=True,
)
"""One row per success that the application reported."""

pulse = _table(
    "pulse",
    _text("collector"),
    _integer("minute"),
    _integer("accepted"),
    _integer("repeated"),
    _integer("quarantined"),
    _integer("refused"),
    _text("refused_by"),
    PrimaryKeyConstraint("collector", "minute"),
    rowid=False,
)
"""One row per collector and minute in which it could answer; no row means it was down."""

nonces = _table(
    "nonces",
    _text("family"),
    _text("nonce_hash"),
    _text("digest"),
    _integer("arrivals"),
    PrimaryKeyConstraint("family", "nonce_hash"),
    rowid=False,
)
"""One row per proved nonce, bound to the content that came with it first; it outlives every other row."""

quarantine = _table(
    "quarantine",
    _key("quarantine_id"),
    _integer("received_at"),
    _text("reason"),
    _text("proof"),
    _text("method"),
    _text("url"),
    _text("headers"),
    Column("body", LargeBinary, nullable=False),
    _text("nonces"),
    _text("digest"),
    _integer("replayed_at", null=True),
    # Found by nonce: how many forged contents are kept for one, and whether a replayed line is here already.
    Index(None, "nonces"),
    keyed=True,
)
"""One row per proved request that could not be stored as a callback, raw: the one table with numbers in clear."""

peppers = _table(
    "peppers",
    # The order in which this store met them: the oldest keys every digest, whatever the order in the settings.
    _key("pepper_id"),
    _text("key_id"),
    _text("check_value"),
    UniqueConstraint("key_id"),
    keyed=True,
)
"""One row per pepper this store was ever written with, by its check value."""

# Apart from ``metadata``, because it is Alembic's own table and not part of what revisions describe.
version_table = Table("alembic_version", MetaData(), Column("version_num", String(32), nullable=False))
version_table.append_constraint(PrimaryKeyConstraint("version_num", name="alembic_version_pkc"))


@contextmanager
def said_plainly(what: str) -> Iterator[None]:
    """Turn a database's error into one sentence for the operator."""
    try:
        yield
    except DBAPIError as error:
        raise CollectorError(f"{what}: {str(error.orig).splitlines()[0]}") from None


def alone(connection: Connection, what: str) -> None:
    """Keep other processes from doing the same until this transaction ends; in SQLite every transaction does that."""
    if connection.dialect.name == "postgresql":
        # A key that nobody else's advisory locks in this database are likely to have.
        word = f"verify-analytics {what}"
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%(word)s, 0))", {"word": word})


def initialise(engine: Engine) -> None:
    """Create the tables where there are none, and check that those that are there are ours.

    Raises
    ------
    CollectorError
        As `check` does.
    """
    with said_plainly("the store cannot be opened"), engine.begin() as connection:
        alone(connection, "schema")
        if not inspect(connection).get_table_names():
            metadata.create_all(connection)
            version_table.create(connection)
            connection.execute(version_table.insert().values(version_num=SCHEMA))
    check(engine)


def check(engine: Engine) -> None:
    """Refuse a database that is no store, or one that another release made.

    Raises
    ------
    CollectorError
        Saying what was found and what to do.
    """
    with said_plainly("the store cannot be read"), engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        if version_table.name not in tables:
            raise CollectorError("this database is no collector's store: it has no table alembic_version")
        found = connection.scalars(select(version_table.c.version_num)).all()
    if list(found) != [SCHEMA]:
        raise CollectorError(
            f"the store stands at schema {', '.join(found) or 'none'}, this release works with {SCHEMA}: "
            "use the release that made it, or migrate"
        )
    if missing := sorted(set(metadata.tables) - tables):
        raise CollectorError(f"the store lacks the table {missing[0]}: restore it from a backup")


def insert_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, unless: tuple[str, ...]
) -> int:
    """Insert rows, leaving out those that are there already by these columns; give the number that were new.

    The statement is built once and handed to the driver as it is: on the way of every callback, SQLAlchemy's work for
    each row would cost more than the database's.
    """
    statement, values = _insert(table, connection.dialect, unless, tuple(rows[0]))
    return connection.exec_driver_sql(statement, [values(row) for row in rows]).rowcount


@cache
def _insert(
    table: Table, dialect: Dialect, unless: tuple[str, ...], names: tuple[str, ...]
) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
    # The dialect's words are imported only where it is used: PostgreSQL's cost memory that a SQLite store never needs.
    if dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    statement = insert(table).on_conflict_do_nothing(index_elements=list(unless))
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    order = getattr(compiled, "positiontup", None)
    return str(compiled), itemgetter(*order) if order else dict


def need_peppers(connection: Connection, offered: Mapping[str, str]) -> Sequence[Row[Any]]:
    """Check that every pepper this store was written with is among these, and give its own, oldest first.

    Raises
    ------
    CollectorError
        If one is missing.
    """
    known = connection.execute(select(peppers).order_by(peppers.c.pepper_id)).all()
    lost = [row.key_id for row in known if offered.get(row.key_id) != row.check_value]
    if lost:
        raise CollectorError(
            f"COLLECTOR_PEPPER lacks the pepper {lost[0]} this store was written with: "
            "add it again, oldest first; without it a repeated callback looks forged"
        )
    return known


def accept_peppers(engine: Engine, offered: Mapping[str, str]) -> str:
    """Check that every pepper this store was written with is still given, note new ones, and name the oldest.

    Parameters
    ----------
    engine
        Of `writer_engine`.
    offered
        Key id → check value of the peppers in the settings, oldest first.

    Returns
    -------
    str
        The key id of the pepper that keys every digest of this store.

    Raises
    ------
    CollectorError
        If one is missing: numbers and digests written with it could no longer be recognised. If they come in another
        order: the last one keys numbers, so an old one there would go on doing so unseen.
    """
    with said_plainly("the store cannot be opened"), engine.begin() as connection:
        # Two collectors that start on an empty store must agree which pepper is its oldest.
        alone(connection, "peppers")
        known = need_peppers(connection, offered)
        held = {row.key_id for row in known}
        if list(offered)[: len(known)] != [row.key_id for row in known]:
            raise CollectorError(
                "COLLECTOR_PEPPER is not in the order in which this store met its peppers, "
                f"{', '.join(row.key_id for row in known)}: write these first, oldest first, and a new one after them"
            )
        fresh = [{"key_id": key, "check_value": value} for key, value in offered.items() if key not in held]
        if fresh:
            insert_new(connection, peppers, fresh, unless=("key_id",))
    return next((row.key_id for row in known), None) or next(iter(offered))


def pages(engine: Engine, table: Table, size: int = 10_000) -> Iterator[list[Row[Any]]]:
    """Read a table page by page in the order of its key, each page a short transaction of its own.

    A long read would keep SQLite from folding its log back; so no transaction outlives a page, and a row written
    meanwhile comes in a later page.
    """
    key = table.primary_key.columns[0]
    last = None
    while True:
        query = select(table).order_by(key).limit(size)
        with engine.connect() as connection:
            rows = list(connection.execute(query if last is None else query.where(key > last)))
        if not rows:
            return
        yield rows
        last = rows[-1][0]
