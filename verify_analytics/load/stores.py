"""How is a live store read? Streamed once, in short reads, into a table of DuckDB; nothing is ever written to it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import quote

from verify_analytics.errors import SchemaError, VerifyAnalyticsError
from verify_analytics.load.connection import connection, new_name
from verify_analytics.load.frames import duckdb_expressions
from verify_analytics.load.places import Place, file_of, place_of, url_of
from verify_analytics.load.watching import Pace, tell
from verify_analytics.model.columns import MICROSECONDS, Column, require

# Rows of one read. A longer one would keep SQLite from folding its log back while the collector writes.
PAGE = 100_000
# Rows that are copied at once: DuckDB copies less than some of its row groups (122,880 rows) twice.
COPIED = 500_000
# Rows that the driver of SQLite hands over at once; its own choice of 1,024 costs a fifth of the time.
BATCH = 16_384
# Reading and copying go on beside each other; two that read keep one that copies busy.
READERS = 2
# The integer key by which a table of SQLite is read in pages; a table without one is small and read at once.
_KEYS = {"callbacks": "callback_id", "verifications": "verification_id"}


class Store(Protocol):
    """A database that is open for reading."""

    def columns_of(self, table: str) -> list[str]:
        """Name the columns of a table; none if there is no such table."""

    def rows(self, table: str, columns: tuple[Column, ...]) -> Iterator[tuple[Any, float | None]]:
        """Give all rows of a table as Arrow tables, one after the other, and what share has then come, if known."""


def streamed(where: Any, table: str, columns: tuple[Column, ...]) -> Any:
    """Copy one table of a store into DuckDB.

    Parameters
    ----------
    where
        A SQLite file or URL, or a PostgreSQL URL.
    table
        ``callbacks``, ``verifications`` or ``pulse``.
    columns
        Its declared shape.

    Returns
    -------
    DuckDB relation
        Over the copy; rows that are written later are not in it.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        If it is not there, or is no store.
    """
    name = new_name(table)
    into = connection()
    into.execute(f"CREATE TEMP TABLE {name} ({', '.join(_typed(columns))})")
    put = f"INSERT INTO {name} SELECT {', '.join(duckdb_expressions(columns, counted=True))} FROM arriving"  # noqa: S608 - declared names
    try:
        with _opened(where) as (store, said):
            _check(store.columns_of(table), table, columns, said)
            for rows in _gathered(told(store.rows(table, columns), table)):
                into.register("arriving", rows)
                into.execute(put)
                into.unregister("arriving")
    except BaseException:
        into.execute(f"DROP TABLE {name}")
        raise
    return into.table(name)


def _gathered(pages: Iterable[Any]) -> Iterator[Any]:
    """Put pages together until they are worth copying."""
    import pyarrow as pa

    held: list[Any] = []
    for rows in pages:
        held.append(rows)
        if sum(page.num_rows for page in held) >= COPIED:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def told(pages: Iterable[tuple[Any, float | None]], table: str) -> Iterator[Any]:
    """Pass pages on, and tell whoever watches how many rows have come and how many there may be."""
    pace, count = Pace(), 0
    for rows, share in pages:
        yield rows
        count += rows.num_rows
        if pace.is_due():
            tell(table, count, round(count / share) if share else None)


def _check(found: list[str], table: str, columns: tuple[Column, ...], said: str) -> None:
    if not found:
        raise SchemaError(f"{said} is no collector's store: it has no table {table!r}")
    names = [column.name for column in columns]
    require(names, found, what=f"{said}, table {table!r}", advice="Was the store made by this collector?")


def _typed(columns: tuple[Column, ...]) -> list[str]:
    """Write the columns of the copy, so that an empty store gives a table of the right types too."""
    types = {"text": "VARCHAR", "integer": "BIGINT", "moment": "TIMESTAMPTZ"}
    made: list[str] = []
    for column in columns:
        made.append(f'"{column.name}" {types[column.kind]}')
        if column.kind == "moment":
            made.append(f"{MICROSECONDS[column.name]} BIGINT")
    return made


@contextmanager
def _opened(where: Any) -> Iterator[tuple[Store, str]]:
    """Open a store for reading; give it and how to call it in messages, which is never with a password."""
    if place_of(where) is Place.SQLITE:
        file = file_of(where)
        kind: type[_Sqlite | _Postgresql] = _Sqlite
        driver = "adbc_driver_sqlite"
        # Opened for reading alone: whoever may write could leave files beside it that the collector must own.
        address, said = f"file:{quote(str(file.absolute()))}?mode=ro", repr(str(file))
    else:
        url = url_of(where).set(drivername="postgresql")
        kind = _Postgresql
        driver = "adbc_driver_postgresql"
        address, said = url.render_as_string(hide_password=False), url.render_as_string(hide_password=True)
    try:
        dbapi = import_module(f"{driver}.dbapi")
    except ImportError:
        raise VerifyAnalyticsError(
            f"{driver} is missing; for PostgreSQL install the extra: pip install 'verify-analytics[postgres]'"
        ) from None
    try:
        with closing(dbapi.connect(address, autocommit=True)) as opened:
            yield kind(opened, lambda: closing(dbapi.connect(address, autocommit=True))), said
    except dbapi.Error as error:
        reason = str(error).splitlines()[0].replace(address, said)
        raise SchemaError(f"{said} cannot be read as a store: {reason}") from None


def _read(database: Any, query: str) -> Any:
    with closing(database.cursor()) as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table()


class _Sqlite:
    def __init__(self, database: Any, connect: Callable[[], Any]) -> None:
        self._database, self._connect = database, connect

    def columns_of(self, table: str) -> list[str]:
        found = _read(self._database, f"SELECT name FROM pragma_table_info('{table}')")  # noqa: S608 - declared names
        names: list[str] = found["name"].to_pylist()
        return names

    def rows(self, table: str, columns: tuple[Column, ...]) -> Iterator[tuple[Any, float | None]]:
        key = _KEYS.get(table)
        if key is None:
            yield self._typed(table, columns, "", self._database), 1.0
            return
        # Rows written while we read would keep us reading.
        ends = f"SELECT min({key}) AS oldest, max({key}) AS newest FROM {table}"  # noqa: S608 - declared names
        ids = _read(self._database, ends)
        oldest, newest = ids["oldest"][0].as_py(), ids["newest"][0].as_py()
        if newest is None:
            return
        begin, pages = oldest, deque[tuple[int, Future[Any]]]()
        with ThreadPoolExecutor(READERS, "load") as readers:
            while begin <= newest or pages:
                while begin <= newest and len(pages) <= READERS:
                    end = min(begin + PAGE - 1, newest)
                    page = readers.submit(self._page, table, columns, f"WHERE {key} BETWEEN {begin} AND {end}")
                    pages.append((end, page))
                    begin = end + 1
                end, page = pages.popleft()
                rows = page.result()
                if rows.num_rows:
                    # Told by ids: of a store that was pruned in the middle this is a guess.
                    yield rows, (end - oldest + 1) / (newest - oldest + 1)
                else:
                    begin = max(begin, self._next(table, key, end, newest))

    def _next(self, table: str, key: str, end: int, newest: int) -> int:
        """Find where rows go on after a gap; ids are given out once, and a gap may be wide."""
        query = f"SELECT min({key}) AS id FROM {table} WHERE {key} > {end}"  # noqa: S608 - declared names
        found: int | None = _read(self._database, query)["id"][0].as_py()
        return newest + 1 if found is None else found

    def _page(self, table: str, columns: tuple[Column, ...], bound: str) -> Any:
        """Read a page on a connection of its own, which no other thread uses."""
        with self._connect() as database:
            return self._typed(table, columns, bound, database)

    def _typed(self, table: str, columns: tuple[Column, ...], bound: str, database: Any) -> Any:
        """Read rows with the declared types, whatever they hold.

        The driver takes a column's type from the first values it meets, and a column that begins with nulls would be
        numbers. So a row of the right types is read first, and left out again.
        """
        wanted = [(column.name, "'text'" if column.kind == "text" else "1") for column in columns]
        typed = ", ".join(f'{value} AS "{name}"' for name, value in wanted)
        names = ", ".join(f'"{name}"' for name, _ in wanted)
        query = f"SELECT {typed} UNION ALL SELECT {names} FROM {table} {bound}"  # noqa: S608 - declared names
        with closing(database.cursor()) as cursor:
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH)})
            cursor.execute(query)
            return cursor.fetch_arrow_table().slice(1)


class _Postgresql:
    def __init__(self, database: Any, _connect: Callable[[], Any]) -> None:
        self._database = database

    def columns_of(self, table: str) -> list[str]:
        wanted = f"attrelid = to_regclass('{table}') AND attnum > 0 AND NOT attisdropped"
        found = _read(self._database, f"SELECT attname::text AS name FROM pg_attribute WHERE {wanted}")  # noqa: S608
        names: list[str] = found["name"].to_pylist()
        return names

    def rows(self, table: str, columns: tuple[Column, ...]) -> Iterator[tuple[Any, float | None]]:
        """Read in one snapshot: ids are given out before their rows are committed, so pages by id could miss some."""
        import pyarrow as pa

        names = ", ".join(f'"{column.name}"' for column in columns)
        with closing(self._database.cursor()) as cursor:
            cursor.execute(f"SELECT {names} FROM {table}")  # noqa: S608 - declared names
            batches = iter(cursor.fetch_record_batch())
            with ThreadPoolExecutor(1, "load") as reader:
                coming = reader.submit(next, batches, None)
                while (batch := coming.result()) is not None:
                    coming = reader.submit(next, batches, None)
                    yield pa.Table.from_batches([batch]), None
