"""Lets old rows go: callbacks, reports and minutes from before a moment, and quarantine after a month.

Nonces and peppers stay for good: they are what keeps a captured signature from being used again.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import ColumnElement, Engine, Table, func, or_, select

from collector.archive.removing import remove_days
from collector.errors import CollectorError
from collector.store import callbacks, pulse, quarantine, verifications
from collector.turns import ROWS, Turns, counting_key, opened, windows

HOUR = 3_600_000_000
DAY = 24 * HOUR
QUARANTINE_KEPT = "30d"
"""How long quarantine is kept, unless said: it is the one place with numbers in clear."""
_AGE = re.compile(r"([1-9][0-9]{0,4})([dh])")


def age(text: str) -> int:
    """Read an age, such as ``400d`` or ``36h``, in microseconds.

    Raises
    ------
    CollectorError
        If it is none.
    """
    found = _AGE.fullmatch(text)
    if not found:
        raise CollectorError(f"{text!r} is no age: give days or hours, such as 400d or 36h")
    return int(found[1]) * (DAY if found[2] == "d" else HOUR)


def prune(
    url: str,
    *,
    before: int | None,
    quarantine_before: int,
    is_meant: bool,
    archive: Path | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Counter[str]:
    """Remove what is older than these moments, in short turns.

    Where there is an archive, whole days go from it, and no callback, report or minute from the store: what is still in
    the store no archive has yet. `collector archive` brings it over, however old it is, and it goes with its day.

    Parameters
    ----------
    url
        Of the store.
    before
        Callbacks and reports received, and minutes begun, before this moment go; None: none of them.
    quarantine_before
        The same for quarantine. What was replayed from it goes in any case: it is in the store as callbacks now.
    is_meant
        Otherwise only counts.
    archive
        The folder of the archive, if there is one.
    told
        Given a sentence after each turn.

    Returns
    -------
    Counter
        How many rows of each table.

    Raises
    ------
    CollectorError
        Where the store or the archive cannot be opened or written.
    """
    removed: Counter[str] = Counter()
    with opened(url) as (reader, turns):
        replayed = quarantine.c.replayed_at.is_not(None)
        jobs: list[tuple[Table, ColumnElement[bool]]] = [
            (quarantine, or_(quarantine.c.received_at < quarantine_before, replayed))
        ]
        if before is not None and archive is None:
            # Callbacks before the reports about them: a session without its report would look as if it had failed.
            jobs.append((callbacks, callbacks.c.received_at < before))
            jobs.append((verifications, verifications.c.received_at < before))
        for table, condition in jobs:
            key = counting_key(table)
            for rows in windows(reader, table, [key], condition):
                ids = [row[0] for row in rows]
                removed[table.name] += turns.remove(table, ids) if is_meant else len(ids)
                if ids:
                    told(f"{table.name} {removed[table.name]:,}")
        if before is not None and archive is None:
            removed[pulse.name] = _minutes(reader, turns if is_meant else None, before)
        elif before is not None and (late := _older_than(reader, before)):
            told(
                f"{late:,} callbacks older than that are in the store and no archive has them: run `collector archive`"
            )
        if is_meant:
            turns.fold_log()
    if archive is not None and before is not None:
        removed += remove_days(archive, before, is_meant=is_meant, told=told)
    return removed


def _older_than(reader: Engine, before: int) -> int:
    key = counting_key(callbacks)
    return sum(len(rows) for rows in windows(reader, callbacks, [key], callbacks.c.received_at < before))


def _minutes(reader: Engine, turns: Turns | None, before: int) -> int:
    """Remove old minutes, collector by collector: their key begins with its name."""
    removed = 0
    with reader.connect() as connection:
        names = connection.scalars(select(pulse.c.collector).distinct()).all()
    for name in names:
        old = (pulse.c.collector == name, pulse.c.minute < before)
        if turns is None:
            with reader.connect() as connection:
                removed += connection.scalar(select(func.count()).where(*old)) or 0
            continue
        while True:
            query = select(pulse.c.minute).where(*old).order_by(pulse.c.minute).limit(ROWS)
            with reader.connect() as connection:
                minutes = connection.scalars(query).all()
            if not minutes:
                break
            removed += turns.change(pulse.delete().where(*old, pulse.c.minute <= minutes[-1]))
    return removed
