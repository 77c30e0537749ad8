"""Tells an operator what a store holds, without disturbing whoever writes to it.

Cheap on a store with many millions of rows: what no index answers is read from both ends of a table, and a large table
is counted by its keys.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Table, func, select, text

from collector import __version__
from collector.archive import facts
from collector.engines import sqlite_module
from collector.moments import written
from collector.pulse import MINUTE, kept
from collector.store import (
    SCHEMA,
    callbacks,
    peppers,
    pulse,
    quarantine,
    sqlite_file,
    verifications,
)
from collector.turns import reading

DAY = 24 * 60 * MINUTE
COUNTED = 100_000
"""Rows up to which a table is counted one by one."""
ENDS = 1_000
"""Rows at either end of a table that are looked at for its oldest and its latest; rows come in nearly in order."""


def lines(url: str, now: int, archive: Path | None = None) -> list[str]:
    """Describe the store at this URL, one fact a line.

    Parameters
    ----------
    url
        Of the database.
    now
        Microseconds since 1970, UTC.
    archive
        The folder of its archive, if it has one.

    Raises
    ------
    CollectorError
        If there is no store, or it is not of this release.
    """
    with reading(url) as engine, engine.connect() as connection:
        said = [f"{name:<14} {value}" for name, value in _facts(connection, url, now)]
    return [*said, *([f"{'archive':<14} {facts.line(archive)}"] if archive else [])]


def _facts(connection: Connection, url: str, now: int) -> Iterator[tuple[str, str]]:
    path = sqlite_file(url)
    yield "store", f"{path or 'PostgreSQL'}, schema {SCHEMA}"
    for table in (callbacks, verifications, quarantine):
        yield table.name, _held(connection, table)
    yield from _kept_apart(connection)
    collectors = _collectors(connection)
    for collector in collectors:
        minute = connection.scalar(select(func.max(pulse.c.minute)).where(pulse.c.collector == collector)) or 0
        yield f"pulse {collector}", f"latest minute {written(minute)}"
    keys = connection.scalars(select(peppers.c.key_id).order_by(peppers.c.pepper_id)).all()
    yield "peppers", f"{len(keys)}, oldest first: {', '.join(keys)}" if keys else "none yet"
    yield "on disk", _size(connection, path)
    yield "versions", f"collector {__version__}, {_engine(connection)}"
    refused: Counter[str] = Counter()
    on_v2_alone = 0
    for collector in collectors:
        since = (pulse.c.collector == collector, pulse.c.minute >= now - DAY, pulse.c.refused_by != "{}")
        for words in connection.scalars(select(pulse.c.refused_by).where(*since)):
            reasons, unproved = kept(words)
            refused += reasons
            on_v2_alone += unproved
    yield "V3 unproved", f"{on_v2_alone:,} accepted on V2 alone (24 h)"
    said = ", ".join(f"{reason} {count:,}" for reason, count in refused.most_common())
    yield "refused (24 h)", said or "nothing"


def _held(connection: Connection, table: Table) -> str:
    """Say how many rows a table has, and of when."""
    key = next(iter(table.primary_key.columns))
    low, high = (connection.scalar(select(edge(key))) for edge in (func.min, func.max))
    if low is None or high is None:
        return "0"
    is_small = high - low < COUNTED
    count = connection.scalar(select(func.count()).select_from(table)) or 0 if is_small else high - low + 1
    ends = (key >= low) if is_small else (key < low + ENDS) | (key > high - ENDS)
    oldest, latest = connection.execute(
        select(func.min(table.c.received_at), func.max(table.c.received_at)).where(ends)
    ).one()
    return f"{'' if is_small else 'about '}{count:,}, latest {written(latest)}, oldest {written(oldest)}"


def _kept_apart(connection: Connection) -> Iterator[tuple[str, str]]:
    """Say why quarantine keeps what it keeps, and what of it waits to be replayed."""
    waiting = func.count().filter(quarantine.c.replayed_at.is_(None))
    by_reason = select(quarantine.c.reason, func.count(), waiting).group_by(quarantine.c.reason)
    for reason, count, left in connection.execute(by_reason.order_by(quarantine.c.reason)):
        yield f"  {reason}", f"{count:,}" + (f", {count - left:,} replayed" if left < count else "")


def _collectors(connection: Connection) -> list[str]:
    """Name the collectors one after the other: a list of distinct ones would read every minute."""
    found: list[str] = []
    query = select(func.min(pulse.c.collector))
    while (name := connection.scalar(query.where(pulse.c.collector > found[-1]) if found else query)) is not None:
        found.append(name)
    return found


def _size(connection: Connection, path: Path | None) -> str:
    if path is None:
        octets = connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
        return f"{octets / 1e6:,.1f} MB"
    sizes = [file.stat().st_size if file.exists() else 0 for file in (path, Path(f"{path}-wal"))]
    return f"{sum(sizes) / 1e6:,.1f} MB, {sizes[1] / 1e6:,.1f} of it log"


def _engine(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {sqlite_module().sqlite_version}"
    return f"PostgreSQL {connection.scalar(text('SHOW server_version'))}"
