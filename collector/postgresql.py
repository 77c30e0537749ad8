"""Opens a store on PostgreSQL so that what COMMIT has returned for is safe, and so that no wait is without an end.

A connection is refused on a server that could lose what it acknowledged. What goes wrong while connecting is told in a
sentence that holds neither the password nor the URL; an error of our own carries it as a note, fit for a log. psycopg
is imported only when such a store is opened.
"""

import re
import time
from collections.abc import Generator
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from collector.errors import CollectorError

CONNECT_SECONDS = 2
"""For each address of the server; psycopg takes nothing shorter."""
SILENCE = 4.0
"""Seconds a server may say nothing to `serve` before the connection is given up: longer than a request waits."""
LOCK_WAIT_MS = 2_500
"""For a lock that another process holds; shorter than a request waits, so that it becomes a clear answer."""
ABANDONED_MS = 10_000
"""After which the server undoes a transaction whose collector is gone, and lets go of the nonces it held."""

# A network that is gone is noticed though nobody closed the connection: the server's system answers these, or does not.
_LINK = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 4_000,
    "application_name": "verify-analytics collector",
}
_SESSION = f"SET TIME ZONE 'UTC'; SET lock_timeout = {LOCK_WAIT_MS}"
_NOT_ABANDONED = f"SET idle_in_transaction_session_timeout = {ABANDONED_MS}"
# What waits for more than this server's own disk is left as it was asked for.
_DURABLE = ("on", "remote_apply")
_ASKED = """
SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
    current_setting('server_encoding'), pg_is_in_recovery()
"""
# Of libpq's words, what a person can do about it.
_ADVICE = {
    "password authentication failed": "check the password in COLLECTOR_DATABASE_URL",
    "no password supplied": "give the password in COLLECTOR_DATABASE_URL",
    'database ".*" does not exist': "create it first: CREATE DATABASE … ENCODING 'UTF8'",
    'role ".*" does not exist': "create it first: CREATE ROLE … LOGIN",
    "permission denied for database": "GRANT CONNECT ON DATABASE … TO this role",
    r"no pg_hba\.conf entry": "let this role and address in, in the server's pg_hba.conf",
    "could not translate host name": "check the host name",
    "failed to resolve host": "check the host name",
    "starting up": "wait a moment and try again",
    "too many": "raise max_connections, or end what holds them",
    "Connection refused": "start the server, or check host and port",
    "No such file": "start the server, or check the folder of its socket",
    "timeout expired": "check host, port and firewall",
    "certificate": "check sslmode and sslrootcert",
    "SSL": "check sslmode",
}

Result = TypeVar("Result")


def engine_of(url: URL, *, writes: bool, silence: float | None = None) -> Engine:
    """Open a store on PostgreSQL.

    Parameters
    ----------
    url
        Of the database; what it says about the connection (``connect_timeout``, ``sslmode``, …) wins over our own.
    writes
        For writing, with every commit flushed; otherwise nothing can be written through it.
    silence
        Seconds the server may say nothing before a connection is given up; None for as long as its system lives.

    Raises
    ------
    CollectorError
        If psycopg is missing or the URL cannot be meant.
    """
    try:
        import psycopg
    except ImportError:
        raise CollectorError("PostgreSQL needs the package psycopg: pip install 'psycopg[binary]'") from None
    options = {"isolation_level": "READ COMMITTED"} if writes else {"execution_options": {"postgresql_readonly": True}}
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"), hide_parameters=True, pool_pre_ping=True, **options
        )
    except ArgumentError:
        raise CollectorError("COLLECTOR_DATABASE_URL names its hosts in a way that cannot be meant") from None

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, words: list[Any], options: dict[str, Any]) -> Any:
        try:
            return _bounded(silence).connect(*words, **{**_LINK, **options})
        except psycopg.OperationalError as error:
            # The same kind of error, so that a lost server stays what heals by itself, in words for a person.
            told = psycopg.OperationalError(_sentence(str(error), url))
            told.add_note(str(told))
            raise told from None

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(_SESSION)
                if writes:
                    cursor.execute(_NOT_ABANDONED)
                    _demand_durability(cursor)
            connection.commit()
        except Exception:
            connection.close()
            raise

    return engine


def _demand_durability(cursor: Any) -> None:
    """Ask for flushed commits, and refuse a server that cannot keep what it acknowledges."""
    fsync, full_pages, commits, encoding, is_standby = cursor.execute(_ASKED).fetchone()
    for name, value in (("fsync", fsync), ("full_page_writes", full_pages)):
        if value != "on":
            raise CollectorError(f"this PostgreSQL runs with {name}={value}: acknowledged rows would not be safe")
    if is_standby:
        raise CollectorError(
            "this PostgreSQL is a standby and only reads: name the primary, or both hosts and "
            "target_session_attrs=read-write"
        )
    if encoding != "UTF8":
        raise CollectorError(f"this database is kept in {encoding}: create it with ENCODING 'UTF8' TEMPLATE template0")
    if commits not in _DURABLE:
        cursor.execute("SET synchronous_commit = on")
        if cursor.execute("SHOW synchronous_commit").fetchone()[0] != "on":
            raise CollectorError("this PostgreSQL does not take synchronous_commit=on: rows would not be safe")


def _bounded(silence: float | None) -> Any:
    """Give psycopg's connection, or one that does not wait for ever on a link that has gone quiet.

    TCP's own timers see only whether the other system answers, not whether anybody there does: a stopped server, a
    proxy that is stuck.
    """
    import psycopg

    if silence is None:
        return psycopg.Connection
    seconds: float = silence

    class Bounded(psycopg.Connection[Any]):
        def wait(self, gen: Generator[Any, Any, Result], *args: Any, **options: Any) -> Result:
            return super().wait(self._heard(gen), *args, **options)

        def _heard(self, gen: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
            heard = time.monotonic()
            try:
                state = next(gen)
                while True:
                    ready = yield state
                    if ready:
                        heard = time.monotonic()
                    elif time.monotonic() - heard > seconds:
                        # Not asked to finish in peace, which could take as long: closed.
                        self.pgconn.finish()
                        silent = psycopg.OperationalError(f"the server said nothing for {seconds:g} s")
                        silent.add_note(str(silent))
                        raise silent
                    state = gen.send(ready)
            except StopIteration as done:
                result: Result = done.value
                return result

    return Bounded


def _sentence(said: str, url: URL) -> str:
    """Say which server did not let us in and why, without the password: libpq's last line holds the reason."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["unknown"]
    reason = lines[0].rpartition(" failed: ")[2].removeprefix("FATAL: ").strip()
    if url.password:
        reason = reason.replace(str(url.password), "…")
    advice = next((words for pattern, words in _ADVICE.items() if re.search(pattern, said)), "")
    host = url.host or url.query.get("host", "localhost")
    where = host if isinstance(host, str) else ", ".join(host)
    port = f" port {url.port}" if url.port else ""
    return f"PostgreSQL at {where}{port}, database {url.database!r}: {reason}" + (f"; {advice}" if advice else "")
