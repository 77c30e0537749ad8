"""Brings a store of an older release to this one's schema, with a copy of it made first."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Engine, func, inspect, select, text

from collector.backups import backup
from collector.errors import CollectorError
from collector.moments import written
from collector.store import SCHEMA, reader_engine, said_plainly, sqlite_file, version_table, writer_engine


def migrate(
    url: str,
    now: int,
    alone: Callable[[str], AbstractContextManager[None]],
    told: Callable[[str], None] = lambda _: None,
) -> str:
    """Bring a store to the newest schema.

    Parameters
    ----------
    url
        Of the store.
    now
        Microseconds since 1970.
    alone
        Holds the lock of a store against a server.
    told
        Given a sentence after each step.

    Returns
    -------
    str
        What was done, in a sentence.

    Raises
    ------
    CollectorError
        If there is no store, it is newer than this release, or others are connected to it.
    """
    # A store that is not there is refused here, before anything would make one.
    reader = reader_engine(url)
    stands_at = _schema(reader)
    reader.dispose()
    if stands_at == SCHEMA:
        return f"the store stands at schema {SCHEMA}: nothing to do"
    from collector import migrations

    if stands_at not in migrations.known():
        raise CollectorError(
            f"the store stands at schema {stands_at}, which this release does not know: use the release that made it"
        )
    with alone(url):
        return _upgrade(url, stands_at, now, told)


def _upgrade(url: str, stands_at: str, now: int, told: Callable[[str], None]) -> str:
    from collector import migrations

    path = sqlite_file(url)
    engine = writer_engine(url)
    try:
        with said_plainly("the store cannot be brought to the new schema, and stays as it was"):
            _need_to_be_alone(engine)
            if path is not None:
                stamp = written(now).replace("-", "").replace(":", "")
                copy = path.with_name(f"{path.stem}-before-{migrations.head()}-{stamp}.db")
                backup(url, copy, now, told=told)
                told(f"a copy as it was is at {copy}")
            migrations.upgrade(engine)
    finally:
        engine.dispose()
    return f"the store was brought from schema {stands_at} to {migrations.head()}" + (
        "" if path else "; a copy was not made: that is pg_dump's task"
    )


def _schema(engine: Engine) -> str:
    with said_plainly("the store cannot be read"), engine.connect() as connection:
        if not inspect(connection).has_table(version_table.name):
            raise CollectorError("this database is no collector's store: it has no table alembic_version")
        return str(connection.scalar(select(func.max(version_table.c.version_num))))


def _need_to_be_alone(engine: Engine) -> None:
    """Refuse while others are connected: PostgreSQL has no lock file, and a server would wait behind the change."""
    if engine.dialect.name != "postgresql":
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        count = connection.scalar(others) or 0
    if count:
        raise CollectorError(f"{count} other connections to this database are open: end every collector first")
