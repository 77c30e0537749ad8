"""Works on a store beside the server that writes to it: many short transactions, and the server goes first.

A command that held the store for long would make the server answer 503. So rows are looked for in short reads, written
a few hundred at a time, and after each transaction the command waits as long as it took. SQLite's own way of waiting
for a lock sleeps longer and longer; whoever works beside a busy server would hardly ever get in, so a command asks
again every few milliseconds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Delete, Engine, Row, Table, Update, func, select, text, tuple_
from sqlalchemy.exc import DBAPIError

from collector.store import check, reader_engine, said_plainly, sqlite_file, writer_engine

ROWS = 300
"""Rows that one transaction writes beside a server."""
WINDOW = 10_000
"""Rows that one short transaction looks at."""
PATIENCE = 60.0
"""Seconds to wait for one turn."""
ASK_AGAIN = 0.002
SHORTEST_PAUSE = 0.005

_BUSY = 5  # SQLite's code for a lock that somebody else holds
_CROSSED = {"40P01", "40001"}  # PostgreSQL's for two transactions that waited for each other

Done = TypeVar("Done")
Part = TypeVar("Part")


class Turns:
    """One connection that writes in short turns; what it deletes is overwritten.

    Parameters
    ----------
    engine
        Of `store.writer_engine`.
    patience
        Seconds to wait for one turn.
    """

    def __init__(self, engine: Engine, *, patience: float = PATIENCE) -> None:
        self._engine = engine
        self._patience = patience
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        self._connection = self._engine.connect()
        if self._is_sqlite:
            self.plainly("PRAGMA busy_timeout = 0")
            self.plainly("PRAGMA secure_delete = ON")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def take(self, write: Callable[[Connection], Done]) -> Done:
        """Run one short transaction, and let others in afterwards.

        Parameters
        ----------
        write
            Called inside the transaction, again if another process was in the way.
        """

        def within(connection: Connection) -> Done:
            with connection.begin():
                return write(connection)

        return self.lend(within)

    def lend(self, write: Callable[[Connection], Done]) -> Done:
        """Hand the connection to whoever begins a short transaction of their own; else as `take`."""
        end = time.monotonic() + self._patience
        while True:
            began = time.monotonic()
            try:
                done = write(self._held)
            except DBAPIError as error:
                if not _is_in_the_way(error) or time.monotonic() >= end:
                    raise
                time.sleep(ASK_AGAIN)
            else:
                time.sleep(max(SHORTEST_PAUSE, time.monotonic() - began))
                return done

    def remove(self, table: Table, keys: Sequence[int], told: Callable[[int], None] = lambda _: None) -> int:
        """Delete rows by their counting key, a few hundred at a time; give the number that were there."""
        key = counting_key(table)
        removed = 0
        for part in parts(keys):
            removed += self.change(table.delete().where(key.in_(part)))
            told(removed)
        return removed

    def change(self, statement: Delete | Update) -> int:
        """Run one statement in a turn of its own, and give the number of rows that it met."""
        return self.take(lambda connection: connection.execute(statement).rowcount)

    def fold_log(self) -> bool:
        """Bring a SQLite store's log into its file and empty it; False if somebody was reading all the time."""
        if not self._is_sqlite:
            return True
        end = time.monotonic() + min(10.0, self._patience)
        while True:
            # Without patience of SQLite's own: it would hold the server up while it waits for a reader.
            if self.plainly("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(ASK_AGAIN)

    def plainly(self, statement: str) -> Any:
        """Run a statement of SQLite's own outside any transaction."""
        driver: Any = self._held.connection.driver_connection
        return driver.execute(statement)

    @property
    def _held(self) -> Connection:
        assert self._connection is not None, "turns are taken inside `with`"  # noqa: S101
        return self._connection

    @property
    def _is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"


@contextmanager
def reading(url: str) -> Iterator[Engine]:
    """Open a store that is there for short reads.

    Raises
    ------
    CollectorError
        If there is none, it is not of this release, or it cannot be read.
    """
    engine = reader_engine(url)
    try:
        check(engine)
        with said_plainly("the store cannot be read"):
            yield engine
    finally:
        engine.dispose()


@contextmanager
def opened(url: str) -> Iterator[tuple[Engine, Turns]]:
    """Open a store that is there, for short reads and for short turns of writing.

    Raises
    ------
    CollectorError
        If there is none, it is not of this release, or it cannot be written.
    """
    with reading(url) as reader:
        writer = writer_engine(url)
        try:
            with (
                said_plainly("the store cannot be written (what was done is done; run it again for the rest)"),
                Turns(writer) as turns,
            ):
                yield reader, turns
        finally:
            writer.dispose()


def windows(
    engine: Engine, table: Table, columns: Sequence[Column[Any]], *where: ColumnElement[bool], size: int = WINDOW
) -> Iterator[list[Row[Any]]]:
    """Look through a table with a counting key, so many keys at a time, each time in a short transaction."""
    key = counting_key(table)
    with engine.connect() as connection:
        low, high = connection.execute(select(func.min(key), func.max(key))).one()
    if low is None:
        return
    for first in range(low, high + 1, size):
        query = select(*columns).where(key >= first, key < first + size, *where).order_by(key)
        with engine.connect() as connection:
            rows = list(connection.execute(query))
        yield rows


def whole(engine: Engine, table: Table, size: int = ROWS) -> Iterator[list[dict[str, Any]]]:
    """Read a whole table in the order of its key, page by page, each in a short transaction.

    A table with a counting key is read as far as it went at the beginning: the server may add rows faster than they are
    read.
    """
    key = list(table.primary_key.columns)
    last: tuple[Any, ...] | None = None
    end: list[ColumnElement[bool]] = []
    if len(key) == 1:
        with engine.connect() as connection:
            newest = connection.scalar(select(func.max(key[0])))
        if newest is None:
            return
        end = [key[0] <= newest]
    while True:
        query = select(table).where(*end).order_by(*key).limit(size)
        if last is not None:
            query = query.where(key[0] > last[0] if len(key) == 1 else tuple_(*key) > last)
        with engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        if not rows:
            return
        yield rows
        last = tuple(rows[-1][column.name] for column in key)


def parts(items: Sequence[Part], size: int = ROWS) -> Iterator[Sequence[Part]]:
    """Take a sequence apart."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def counting_key(table: Table) -> Column[Any]:
    """Name the column that counts a table's rows."""
    return next(iter(table.primary_key.columns))


def vacuum(url: str) -> None:
    """Write a store anew without what was deleted: nobody else can write while that lasts (SQLite)."""
    engine = writer_engine(url)
    try:
        with said_plainly("the store cannot be made smaller"):
            if sqlite_file(url):
                with Turns(engine) as turns:
                    turns.plainly("VACUUM")
                    turns.fold_log()
            else:
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("VACUUM"))
    finally:
        engine.dispose()


def _is_in_the_way(error: DBAPIError) -> bool:
    code = int(getattr(error.orig, "sqlite_errorcode", 0) or 0) & 0xFF
    return code == _BUSY or getattr(error.orig, "sqlstate", None) in _CROSSED
