"""Reads closed days out of the store in short transactions, and deletes exactly what it is told."""

from array import array
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Delete, Engine, bindparam, func, select, tuple_

from collector.archive.kinds import DAY, PULSE, Kind, day_of
from collector.turns import ROWS, Turns, parts

WINDOW = 50_000
"""Keys that one short transaction looks at."""
ASKED = 5_000
"""Rows that one statement asks for by their keys; well below what either database takes."""

Key = Any
"""How the store finds a row: the number of a callback or a report, the collector and minute of a minute."""


class Place(NamedTuple):
    """Where rows of one day lie: between two keys; of minutes, those of one collector."""

    first: Key
    last: Key


class Found(NamedTuple):
    """A day with rows in the store: how many, and where."""

    rows: int
    places: list[Place]


class Source:
    """The store, for reading.

    Parameters
    ----------
    engine
        Of `turns.reading`.
    kind
        The table.
    """

    def __init__(self, engine: Engine, kind: Kind) -> None:
        self._engine = engine
        self._kind = kind
        self._moment = kind.table.c[kind.moment]
        self._key = kind.table.c[kind.key[0]]

    def days(self, until: int) -> dict[int, Found]:
        """Find the days that ended by a moment, and have rows in the store.

        Every key is looked at, each time: a row may get its number long before it can be seen, so no number says up to
        where everything is known.
        """
        found: dict[int, Found] = {}
        for day, rows, place in self._minutes(until) if self._kind is PULSE else self._counted(until):
            before = found.get(day, Found(0, []))
            found[day] = Found(before.rows + rows, [*before.places, place])
        return dict(sorted(found.items()))

    def _counted(self, until: int) -> Iterator[tuple[int, int, Place]]:
        with self._engine.connect() as connection:
            low, high = connection.execute(select(func.min(self._key), func.max(self._key))).one()
        if low is None:
            return
        day = (self._moment - self._moment % DAY).label("day")
        query = select(day, func.count(), func.min(self._key), func.max(self._key)).where(self._moment < until)
        for first in range(low, high + 1, WINDOW):
            within = (self._key >= first, self._key < first + WINDOW)
            with self._engine.connect() as connection:
                rows = connection.execute(query.where(*within).group_by(day)).all()
            yield from ((row[0], row[1], Place(row[2], row[3])) for row in rows)

    def _minutes(self, until: int) -> Iterator[tuple[int, int, Place]]:
        with self._engine.connect() as connection:
            names = connection.scalars(select(self._key).distinct()).all()
        for name in names:
            since = 0
            while True:
                left = (self._key == name, self._moment >= since, self._moment < until)
                with self._engine.connect() as connection:
                    first = connection.scalar(select(func.min(self._moment)).where(*left))
                    if first is None:
                        break
                    since = day_of(first) + DAY
                    count = connection.scalar(select(func.count()).where(*left, self._moment < since)) or 0
                yield since - DAY, count, Place(name, name)

    def chunks(self, day: int, places: Sequence[Place], size: int) -> Iterator[Sequence[Key]]:
        """Give the keys of a day's rows, so many at a time, each time in the order of their moments.

        Rows are looked up where they lie in the store. They come in nearly in order, so the next chunk hardly overlaps
        the one before.
        """
        moments, keys = array("q"), self._keys()
        for place in places:
            within = (self._key >= place.first, self._key <= place.last)
            of_day = (self._moment >= day, self._moment < day + DAY)
            names = [self._kind.table.c[name] for name in self._kind.key]
            with self._engine.connect() as connection:
                rows = connection.execute(select(self._moment, *names).where(*within, *of_day)).all()
            for row in rows:
                moments.append(row[0])
                keys.append(row[1] if len(row) == 2 else tuple(row[1:]))
            if len(keys) >= size:
                yield _by_moment(moments, keys)
                moments, keys = array("q"), self._keys()
        if keys:
            yield _by_moment(moments, keys)

    def _keys(self) -> MutableSequence[Key]:
        # Eight bytes for a number, where a list would take forty.
        return [] if self._kind is PULSE else array("q")

    def fetch(self, keys: Sequence[Key]) -> Iterator[tuple[Sequence[Key], Sequence[Sequence[Any]]]]:
        """Read rows by their keys, page by page: by what the store deletes them later, and the values in order.

        Rows that are gone meanwhile are left out. Callbacks and reports never change, so pages may be read apart.
        """
        columns = [self._kind.table.c[column.name] for column in self._kind.columns]
        if self._kind is PULSE:
            wanted = tuple_(*(self._kind.table.c[name] for name in self._kind.key))
            for some in parts(sorted(keys), ROWS):
                with self._engine.connect() as connection:
                    rows = [tuple(row) for row in connection.execute(select(*columns).where(wanted.in_(some)))]
                yield rows, rows
            return
        for some in parts(sorted(keys), ASKED):
            with self._engine.connect() as connection:
                page = connection.execute(select(self._key, *columns).where(self._key.in_(some))).all()
            yield [row[0] for row in page], [row[1:] for row in page]


def remove(turns: Turns, kind: Kind, taken: Sequence[Key], told: Callable[[int], None]) -> int:
    """Delete exactly these rows, in short turns; a minute only as long as it says what was read."""
    if kind is not PULSE:
        return turns.remove(kind.table, sorted(taken), told)
    names = [column.name for column in kind.columns]
    same = kind.table.delete().where(*(kind.table.c[name] == bindparam(f"was_{name}") for name in names))
    removed = 0
    for some in parts(taken):
        values = [{f"was_{name}": value for name, value in zip(names, row, strict=True)} for row in some]
        removed += turns.take(partial(_deleted, same, values))
        told(removed)
    return removed


def _deleted(same: Delete, values: list[dict[str, Any]], connection: Connection) -> int:
    return connection.execute(same, values).rowcount


def _by_moment(moments: Sequence[int], keys: Sequence[Key]) -> Sequence[Key]:
    order = sorted(range(len(keys)), key=moments.__getitem__)
    ordered = [keys[number] for number in order]
    return array("q", ordered) if isinstance(keys, array) else ordered
