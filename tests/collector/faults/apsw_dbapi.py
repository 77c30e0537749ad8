"""As much of Python's database API over `apsw` as SQLAlchemy asks of SQLite: so our own code runs on a disk of ours.

`engines.writer_engine` is given this module in place of the SQLite it would choose, and does everything else itself.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import apsw

paramstyle = "qmark"
threadsafety = 1
apilevel = "2.0"
sqlite_version = apsw.sqlite_lib_version()
sqlite_version_info = tuple(int(part) for part in sqlite_version.split("."))
PARSE_DECLTYPES, PARSE_COLNAMES = sqlite3.PARSE_DECLTYPES, sqlite3.PARSE_COLNAMES
Binary = bytes

Error = sqlite3.Error
Warning = sqlite3.Warning  # noqa: A001 - the name that the database API gives it
InterfaceError = sqlite3.InterfaceError
DatabaseError = sqlite3.DatabaseError
DataError = sqlite3.DataError
OperationalError = sqlite3.OperationalError
IntegrityError = sqlite3.IntegrityError
InternalError = sqlite3.InternalError
ProgrammingError = sqlite3.ProgrammingError
NotSupportedError = sqlite3.NotSupportedError


class Shim:
    """The module, bound to one disk: what SQLAlchemy takes as `module=`."""

    def __init__(self, vfs: str) -> None:
        self._vfs = vfs

    def __getattr__(self, name: str) -> Any:
        return globals()[name]

    def connect(self, path: str, **_: Any) -> "Connection":
        """Open a database on this disk."""
        return Connection(apsw.Connection(path, vfs=self._vfs))


class Connection:
    """One connection that begins and ends transactions only when it is told to."""

    isolation_level = None

    def __init__(self, inner: apsw.Connection) -> None:
        self.inner = inner

    def cursor(self) -> "Cursor":
        return Cursor(self.inner)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> "Cursor":
        return self.cursor().execute(statement, values)

    def create_function(self, name: str, arguments: int, function: Any, *, deterministic: bool = False) -> None:
        self.inner.create_scalar_function(name, function, arguments, deterministic=deterministic)

    def commit(self) -> None:
        if self.inner.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        if self.inner.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        self.inner.close()


class Cursor:
    """One cursor; a statement's rows are all fetched when it has run."""

    arraysize = 1
    lastrowid: int | None = None

    def __init__(self, inner: apsw.Connection) -> None:
        self._inner = inner
        self._rows: list[tuple[Any, ...]] = []
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self.rowcount = -1

    def execute(self, statement: str, values: Sequence[Any] = ()) -> "Cursor":
        return self._run(statement, [values])

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> "Cursor":
        return self._run(statement, rows)

    def _run(self, statement: str, rows: Iterable[Sequence[Any]]) -> "Cursor":
        cursor, before = self._inner.cursor(), self._inner.total_changes()
        cursor.exec_trace = self._describe
        self._rows, self.description = [], None
        try:
            for values in rows:
                self._rows += cursor.execute(statement, tuple(values))
        except apsw.Error as error:
            raise _translated(error) from error
        self.rowcount = self._inner.total_changes() - before
        self.lastrowid = self._inner.last_insert_rowid()
        return self

    def _describe(self, cursor: apsw.Cursor, _statement: str, _values: Any) -> bool:
        # Asked for before the first row, because afterwards it is gone.
        self.description = tuple((name, *[None] * 6) for name, _ in cursor.get_description()) or None
        return True

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def close(self) -> None:
        self._rows = []


def _translated(error: apsw.Error) -> sqlite3.Error:
    made = (IntegrityError if isinstance(error, apsw.ConstraintError) else OperationalError)(str(error))
    made.sqlite_errorcode = getattr(error, "extendedresult", 0)
    return made
