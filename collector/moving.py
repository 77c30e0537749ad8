"""Copies a store to another place or another database, page by page, and checks that everything arrived.

There is no note of how far it came: what is in the target is found by what it is (an arrival, a nonce, a report, a
minute), never by a number that a store gave it. So a copy that was cut off is simply run again, and a target may take
callbacks of its own meanwhile.

Only of a minute that both stores counted nobody can say what they counted apart from each other and what both have: of
each count, and of the refusals for each reason, the larger stands. The sum could count twice, this may count too few.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Table, select, tuple_

from collector.engines import parsed, sqlite_file
from collector.errors import CollectorError
from collector.pulse import V3_UNPROVED
from collector.store import (
    callbacks,
    initialise,
    insert_new,
    nonces,
    peppers,
    pulse,
    quarantine,
    said_plainly,
    verifications,
    writer_engine,
)
from collector.tally import Tally
from collector.turns import Turns, reading, whole


class _Way(NamedTuple):
    """How rows of one table are recognised in another store.

    Attributes
    ----------
    identity
        What a row is, whatever number a store gave it.
    looked_up
        The part of it that an index finds.
    grows
        Columns whose values only ever grow (from nothing, or up): the larger one stands.
    leaves
        The number that each store gives by itself.
    """

    table: Table
    identity: tuple[str, ...]
    looked_up: tuple[str, ...]
    grows: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()

    def names(self) -> list[str]:
        return [column.name for column in self.table.columns if column.name not in self.leaves]

    def identity_of(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.identity)

    def by_identity(self, rows: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Sort rows by what they are, without the numbers that a store gave them."""
        names = self.names()
        return {self.identity_of(row): {name: row[name] for name in names} for row in rows}


_PULSE_COUNTS = ("accepted", "repeated", "quarantined", "refused")
WAYS = (
    # Nonces before the callbacks they are bound by: a copy that was cut off must not have a callback without one.
    _Way(nonces, ("family", "nonce_hash"), ("family", "nonce_hash"), ("arrivals",)),
    _Way(callbacks, ("arrival_id",), ("arrival_id",), (), ("callback_id",)),
    _Way(
        quarantine,
        ("nonces", "received_at", "digest", "reason"),
        ("nonces",),
        ("replayed_at",),
        ("quarantine_id",),
    ),
    _Way(verifications, ("session_id", "verified_at"), ("session_id", "verified_at"), (), ("verification_id",)),
    _Way(pulse, ("collector", "minute"), ("collector", "minute"), _PULSE_COUNTS),
)


@dataclass
class Moved:
    """What a copy did: rows added and rows brought up to date, by table; rows of both stores at the end.

    `differed` is the number of minutes that both stores had, with other counts.
    """

    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    source: dict[str, int] = field(default_factory=dict)
    target: dict[str, int] = field(default_factory=dict)
    differed: int = 0


def move(source_url: str, target_url: str, told: Callable[[str], None] = lambda _: None) -> Moved:
    """Copy everything a store holds into another one, which is made where there is none.

    Parameters
    ----------
    source_url, target_url
        Of the two databases.
    told
        Given a sentence after each page.

    Raises
    ------
    CollectorError
        If both are one store, the target was written with other peppers, or something did not arrive as it was.
    """
    if _place(source_url) == _place(target_url):
        raise CollectorError("the store to move to is the store itself: name another place")
    moved = Moved()
    with reading(source_url) as source:
        target = writer_engine(target_url)
        try:
            initialise(target)
            with (
                said_plainly("the rows cannot be moved (what has arrived stays; run it again for the rest)"),
                Turns(target) as turns,
            ):
                _agree_on_peppers(source, turns)
                for way in WAYS:
                    _bring(source, turns, way, moved, told)
                told("checking what arrived")
                for way in WAYS:
                    _compare(source, target, way, moved)
        finally:
            target.dispose()
    return moved


def _bring(source: Engine, turns: Turns, way: _Way, moved: Moved, told: Callable[[str], None]) -> None:
    """Bring one table into the target."""
    name = way.table.name
    moved.added[name] = moved.changed[name] = seen = 0
    for rows in whole(source, way.table):
        added, changed, differed = _page(turns, way, rows)
        moved.added[name] += added
        moved.changed[name] += changed
        moved.differed += differed if way.table is pulse else 0
        seen += len(rows)
        told(f"{name} {seen:,}, {moved.added[name]:,} added")


def _page(turns: Turns, way: _Way, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Bring one page into the target; give how many rows were new, had grown, and were there with other values."""
    given = way.by_identity(rows)

    def write(connection: Connection) -> tuple[int, int, int]:
        held = _held(connection, way, given)
        new = [row for identity, row in given.items() if identity not in held]
        grown = [(identity, more) for identity, there in held.items() if (more := _growth(way, given[identity], there))]
        if new and way.table is quarantine:
            connection.execute(quarantine.insert(), new)
        elif new:
            insert_new(connection, way.table, new, unless=way.identity)
        for identity, more in grown:
            same = [way.table.c[name] == value for name, value in zip(way.identity, identity, strict=True)]
            connection.execute(way.table.update().where(*same).values(more))
        return len(new), len(grown), sum(there != given[identity] for identity, there in held.items())

    return turns.take(write)


def _held(
    connection: Connection, way: _Way, given: Mapping[tuple[Any, ...], Mapping[str, Any]]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Find which of these rows the target has."""
    columns = [way.table.c[name] for name in way.looked_up]
    wanted = sorted({tuple(row[name] for name in way.looked_up) for row in given.values()})
    query = select(*(way.table.c[name] for name in way.names()))
    if len(columns) == 1:
        query = query.where(columns[0].in_([value for (value,) in wanted]))
    else:
        query = query.where(tuple_(*columns).in_(wanted))
    found = way.by_identity(dict(row) for row in connection.execute(query).mappings())
    return {identity: row for identity, row in found.items() if identity in given}


def _growth(way: _Way, given: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """Say what of a row in the target is behind the source."""
    more = {
        name: given[name]
        for name in way.grows
        if given[name] is not None and (there[name] is None or given[name] > there[name])
    }
    if way.table is pulse:
        theirs = Counter(json.loads(there["refused_by"]))
        words = Counter(json.loads(given["refused_by"])) | theirs  # the larger of each
        if words != theirs:
            refused = words.total() - words[V3_UNPROVED]
            more["refused_by"] = json.dumps(dict(sorted(words.items())))
            more["refused"] = max(refused, given["refused"], there["refused"])
    return more


def _compare(source: Engine, target: Engine, way: _Way, moved: Moved) -> None:
    """Check that every row of the source is in the target as it is; where both have as many, by their sums too."""
    name, ours, theirs = way.table.name, Tally(), Tally()
    missing = other = 0
    for rows in whole(source, way.table):
        given = way.by_identity(rows)
        ours.add(list(row.values()) for row in given.values())
        with target.connect() as connection:
            held = _held(connection, way, given)
        missing += len(given) - len(held)
        other += sum(not _is_there(way, given[identity], there) for identity, there in held.items())
    for rows in whole(target, way.table):
        theirs.add(list(row.values()) for row in way.by_identity(rows).values())
    moved.source[name], moved.target[name] = ours.rows, theirs.rows
    if missing:
        raise CollectorError(
            f"{missing:,} rows of {name} came into the source meanwhile: end its server, and run it again for the rest"
        )
    if other or (ours.rows == theirs.rows and ours != theirs and not way.grows):
        raise CollectorError(
            f"{max(other, 1):,} rows of {name} are in the target with other values, and the target's stand: "
            "it was written to apart from this store"
        )


def _is_there(way: _Way, given: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Say whether a row arrived: equal, or as far as the source or further where it may grow."""
    may_grow = {*way.grows, *(["refused_by"] if way.table is pulse else [])}
    equal = all(there[name] == given[name] for name in way.names() if name not in may_grow)
    return equal and not _growth(way, given, there)


def _agree_on_peppers(source: Engine, turns: Turns) -> None:
    """Give the target the peppers of the source, in their order; refuse one whose digests were keyed otherwise."""
    columns = (peppers.c.key_id, peppers.c.check_value)
    with source.connect() as connection:
        ours = [tuple(row) for row in connection.execute(select(*columns).order_by(peppers.c.pepper_id))]

    def write(connection: Connection) -> None:
        theirs = [tuple(row) for row in connection.execute(select(*columns).order_by(peppers.c.pepper_id))]
        shared = min(len(ours), len(theirs))
        if ours[:shared] != theirs[:shared]:
            raise CollectorError(
                "the target was written with other peppers, or with the same in another order: what one store "
                "knows as a repeated callback would look forged in the other"
            )
        if fresh := ours[shared:]:
            rows = [{"key_id": key, "check_value": value} for key, value in fresh]
            insert_new(connection, peppers, rows, unless=("key_id",))

    turns.take(write)


def _place(url: str) -> object:
    file = sqlite_file(url)
    if file is not None:
        return file.resolve()
    made = parsed(url)
    return made.host or made.query.get("host"), made.port, made.database
