"""Tells an operator what a store holds, without disturbing whoever writes to it."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from collector.pulse import MINUTE, kept
from collector.store import (
    SCHEMA,
    callbacks,
    check,
    pulse,
    quarantine,
    reader_engine,
    said_plainly,
    sqlite_file,
    verifications,
)

DAY = 24 * 60 * MINUTE


def lines(url: str, now: int) -> list[str]:
    """Describe the store at this URL, one fact a line.

    Parameters
    ----------
    url
        Of the database.
    now
        Microseconds since 1970, UTC.

    Raises
    ------
    CollectorError
        If there is no store, or it is not of this release.
    """
    engine = reader_engine(url)
    check(engine)
    with said_plainly("the store cannot be read"), engine.connect() as connection:
        return [f"{name:<14} {value}" for name, value in _facts(connection, url, now)]


def _facts(connection: Connection, url: str, now: int) -> Iterator[tuple[str, str]]:
    yield "store", f"{sqlite_file(url) or 'PostgreSQL'}, schema {SCHEMA}"
    for table in (callbacks, verifications, quarantine):
        count = connection.scalar(select(func.count()).select_from(table)) or 0
        latest = connection.scalar(select(func.max(table.c.received_at))) if count else None
        yield table.name, f"{count:,}" + (f", latest {_moment(latest)}" if latest is not None else "")
    newest = select(pulse.c.collector, func.max(pulse.c.minute)).group_by(pulse.c.collector).order_by(pulse.c.collector)
    for collector, minute in connection.execute(newest):
        yield f"pulse {collector}", f"latest minute {_moment(minute)}"
    refused: Counter[str] = Counter()
    on_v2_alone = 0
    said_something = select(pulse.c.refused_by).where(pulse.c.minute >= now - DAY, pulse.c.refused_by != "{}")
    for words in connection.scalars(said_something):
        reasons, unproved = kept(words)
        refused += reasons
        on_v2_alone += unproved
    yield "V3 unproved", f"{on_v2_alone:,} accepted on V2 alone (24 h)"
    said = ", ".join(f"{reason} {count:,}" for reason, count in refused.most_common())
    yield "refused (24 h)", said or "nothing"


def _moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).isoformat().replace("+00:00", "Z")
