"""Decides what becomes of proved requests, given what the store has seen: stored, repeated, kept apart or refused.

One call is one part of one transaction, for a single request or for thousands: `serve` and `replay` write through the
same function. Its heart is the rule that binds a nonce to the content it first came with, because the older signature
covers neither body nor query: the same nonce with the same content is the provider's retry, with another it is forged.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError

from collector.bounds import QUARANTINE_BYTES, QUARANTINE_ROWS, Room, octets_of
from collector.errors import CollectorError
from collector.items import Arrival, Item, Nonce, Outcome, Verification
from collector.logs import log
from collector.store import callbacks, insert_new, nonces, quarantine, verifications

ARRIVALS_STORED = 16
"""How often one content with one nonce is stored; further arrivals are only counted."""
FORGERIES_KEPT = 4
"""How many different contents for one bound nonce are kept to be looked at."""
FORGED = "nonce_reused"
"""The reason under which a forged content is counted and kept."""

# Of PostgreSQL: two transactions waited for each other (deadlock), or saw each other's rows (serialization).
_CROSSED = {"40P01", "40001"}
STEP_ASIDE = 0.05
"""Seconds before a transaction that crossed another one is tried again."""
# Well below the number of values one statement may carry in either database.
CHUNK = 1_000


@dataclass(slots=True)
class _Bound:
    """What the store knows of one nonce."""

    digest: str
    arrivals: int
    is_new: bool = False
    is_changed: bool = False


class Ledger:
    """The rules of one store, applied inside a transaction that the caller began.

    Parameters
    ----------
    quarantine_rows, quarantine_bytes
        Where quarantine is full.
    """

    def __init__(self, quarantine_rows: int = QUARANTINE_ROWS, quarantine_bytes: int = QUARANTINE_BYTES) -> None:
        self._room = Room(quarantine_rows, quarantine_bytes)

    def write(
        self, connection: Connection, items: Sequence[Item], also: Callable[[list[Outcome | None]], None]
    ) -> list[Outcome | None]:
        """Write items in one transaction of its own; one that no row can hold never fails its neighbours.

        Parameters
        ----------
        connection
            Of `store.writer_engine`, outside any transaction.
        items
            What the door let in.
        also
            Given the outcomes, writes what belongs into the same transaction. It may be called twice.

        Returns
        -------
        list of Outcome
            One per item, in the same order; None for one that could not be written at all.

        Raises
        ------
        DBAPIError
            If the store as a whole could not be written to: then nothing was, or nobody can say because the
            connection was lost during the commit.
        """
        try:
            return self._write(connection, items, also)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _CROSSED:
                raise
            log.warning("crossed", extra={"error": type(error.orig).__name__})
        # The database undid all of it for the sake of another collector. Who comes again at once can be faster than the
        # one that was to go first, and meet it in the same way.
        time.sleep(STEP_ASIDE)
        return self._write(connection, items, also)

    def _write(
        self, connection: Connection, items: Sequence[Item], also: Callable[[list[Outcome | None]], None]
    ) -> list[Outcome | None]:
        for apply in (self._apply_in_hope, self._apply, self._apply_one_by_one):
            try:
                with connection.begin():
                    outcomes = apply(connection, items)
                    also(outcomes)
            except _Met:
                continue
            except Exception as error:
                if apply == self._apply_one_by_one or not _is_of_a_row(error):
                    raise
            else:
                return outcomes
        raise AssertionError("the last way either returns or raises")

    def _apply_in_hope(self, connection: Connection, items: Sequence[Item]) -> list[Outcome | None]:
        """Write what was never seen without asking whether it was: most callbacks, at half the price."""
        arrivals = [item for item in items if isinstance(item, Arrival)]
        if len(arrivals) < len(items) or any(a.row is None or not a.nonces for a in arrivals):
            raise _Met
        bound = {nonce: _Bound(a.digest, 1, is_new=True) for a in arrivals for nonce in a.nonces}
        if len(bound) < sum(len(a.nonces) for a in arrivals) or not _bind(connection, bound):
            raise _Met
        _store(connection, [a.row for a in arrivals if a.row is not None])
        return [Outcome.ACCEPTED for _ in arrivals]

    def _apply(self, connection: Connection, items: Sequence[Item]) -> list[Outcome | None]:
        arrivals = [item for item in items if isinstance(item, Arrival)]
        reports = [item for item in items if isinstance(item, Verification)]
        judged = iter(self._record(connection, arrivals) if arrivals else ())
        if reports:
            _report(connection, reports)
        return [next(judged) if isinstance(item, Arrival) else Outcome.ACCEPTED for item in items]

    def _apply_one_by_one(self, connection: Connection, items: Sequence[Item]) -> list[Outcome | None]:
        return [self._apply_alone(connection, item) for item in items]

    def _apply_alone(self, connection: Connection, item: Item) -> Outcome | None:
        """Write one item without its neighbours; a callback that no row can hold goes to quarantine as it came."""
        tries = [item, item.unstorable()] if isinstance(item, Arrival) and item.row is not None else [item]
        for one in tries:
            try:
                with connection.begin_nested():
                    return self._apply(connection, [one])[0]
            except Exception as error:
                if not _is_of_a_row(error):
                    raise
                log.error("row_failed", exc_info=error)
        return None

    def _record(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Write what is to be written of these arrivals, and say what became of each."""
        while True:
            with connection.begin_nested() as look:
                plan = _Plan(connection, arrivals, self._room)
                outcomes = [plan.judge(arrival) for arrival in arrivals]
                if _bind(connection, plan.bound):
                    break
                # On PostgreSQL another collector bound a nonce between our look and our writing: look again.
                look.rollback()
        _store(connection, plan.rows)
        if plan.kept:
            connection.execute(quarantine.insert(), plan.kept)
        return outcomes


class _Met(Exception):  # noqa: N818 - a fact, kept inside this module
    """Something of a batch may have been seen before."""


def _store(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        insert_new(connection, callbacks, rows, unless=("arrival_id",))


def _report(connection: Connection, reports: Sequence[Verification]) -> None:
    """Add successes the application reported; one reported before is left as it is."""
    # In one order, so that no two collectors cross; of two alike the first stays the first.
    sorted_ = sorted(reports, key=lambda r: (r.session_id, r.verified_at))
    rows = [{"session_id": r.session_id, "verified_at": r.verified_at, "received_at": r.received_at} for r in sorted_]
    insert_new(connection, verifications, rows, unless=("session_id", "verified_at"))


class _Plan:
    """What one transaction will write, found by judging its arrivals one after the other."""

    def __init__(self, connection: Connection, arrivals: Sequence[Arrival], room: Room) -> None:
        self.bound = _bound(connection, arrivals)
        self.rows: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self._connection = connection
        self._room = room
        self._left: tuple[int, int] | None = None
        # Only what has a nonce the store has met, or none at all, can be in the store already.
        suspects = [a for a in arrivals if not a.nonces or any(nonce in self.bound for nonce in a.nonces)]
        self._known, self._forgeries = _seen_before(connection, suspects) if suspects else (set(), {})

    def judge(self, arrival: Arrival) -> Outcome:
        """Decide about one arrival, given all before it."""
        identity = _identity(arrival)
        if identity in self._known:
            return Outcome.KNOWN
        met = [self.bound[nonce] for nonce in arrival.nonces if nonce in self.bound]
        if any(nonce.digest != arrival.digest for nonce in met):
            self._keep_forgery(arrival)
            return Outcome.FORGED
        before = max((nonce.arrivals for nonce in met), default=0)
        is_stored = before < ARRIVALS_STORED
        if is_stored and arrival.row is None and not self._has_room():
            return Outcome.FULL
        self._count(arrival)
        self._known.add(identity)
        if is_stored and arrival.row is not None:
            self.rows.append(arrival.row)
        elif is_stored:
            self.kept.append(_raw_row(arrival, arrival.reason, arrival.nonces))
        if before:
            return Outcome.REPEATED
        return Outcome.QUARANTINED if arrival.row is None else Outcome.ACCEPTED

    def _count(self, arrival: Arrival) -> None:
        for nonce in arrival.nonces:
            held = self.bound.get(nonce)
            if held is None:
                self.bound[nonce] = _Bound(arrival.digest, 1, is_new=True)
            else:
                held.arrivals += 1
                held.is_changed = True

    def _keep_forgery(self, arrival: Arrival) -> None:
        """Keep a few of the contents that came with a nonce which is bound to another one."""
        clash = next(n for n in arrival.nonces if n in self.bound and self.bound[n].digest != arrival.digest)
        kept = self._forgeries.setdefault(clash, set())
        content = (arrival.received_at, arrival.digest)
        if content not in kept and len(kept) < FORGERIES_KEPT and self._has_room():
            kept.add(content)
            self.kept.append(_raw_row(arrival, FORGED, (clash,)))

    def _has_room(self) -> bool:
        if self._left is None:
            self._left = self._room.left(self._connection)
        rows, octets = self._left
        return len(self.kept) < rows and sum(map(octets_of, self.kept)) < octets


def _identity(arrival: Arrival) -> object:
    if arrival.row is not None:
        return arrival.row["arrival_id"]
    return (arrival.received_at, arrival.digest, arrival.nonces)


def _raw_row(arrival: Arrival, reason: str, held: tuple[Nonce, ...]) -> dict[str, Any]:
    return {
        "received_at": arrival.received_at,
        "reason": reason,
        "proof": arrival.proof,
        "method": arrival.raw.method,
        # PostgreSQL has no NUL in text, and no database has half a surrogate pair.
        "url": arrival.raw.url.replace("\0", "%00").encode("utf-8", "backslashreplace").decode(),
        "headers": json.dumps(arrival.raw.headers),
        "body": arrival.raw.body,
        "nonces": json.dumps(held),
        "digest": arrival.digest,
        "replayed_at": None,
    }


def _is_of_a_row(error: Exception) -> bool:
    """Tell what one row brought along (a value no column takes) from what the store suffers as a whole."""
    if not isinstance(error, DBAPIError):
        return not isinstance(error, CollectorError)
    kinds = (IntegrityError, DataError, InterfaceError, ProgrammingError)
    return isinstance(error, kinds) and not error.connection_invalidated


Part = TypeVar("Part")


def _chunks(items: Iterable[Part]) -> Iterator[list[Part]]:
    stream = iter(items)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


_BOUND = (
    select(nonces.c.nonce_hash, nonces.c.digest, nonces.c.arrivals)
    .where(nonces.c.family == bindparam("family"), nonces.c.nonce_hash.in_(bindparam("hashes", expanding=True)))
    .order_by(nonces.c.nonce_hash)
    .with_for_update()  # SQLite has no such words and needs none: its transaction has the whole store
)
_ARRIVED = select(callbacks.c.arrival_id).where(callbacks.c.arrival_id.in_(bindparam("ids", expanding=True)))
_KEPT = select(quarantine.c.nonces, quarantine.c.received_at, quarantine.c.digest, quarantine.c.reason).where(
    quarantine.c.nonces.in_(bindparam("held", expanding=True))
)
_COUNT = (
    update(nonces)
    .where(nonces.c.family == bindparam("of_family"), nonces.c.nonce_hash == bindparam("of_hash"))
    .values(arrivals=bindparam("counted"))
)


def _bound(connection: Connection, arrivals: Sequence[Arrival]) -> dict[Nonce, _Bound]:
    """Read what the store knows of the nonces of these arrivals, in one order, so that no two collectors cross."""
    found: dict[Nonce, _Bound] = {}
    families: dict[str, set[str]] = {}
    for arrival in arrivals:
        for family, nonce_hash in arrival.nonces:
            families.setdefault(family, set()).add(nonce_hash)
    for family in sorted(families):
        for hashes in _chunks(sorted(families[family])):
            for row in connection.execute(_BOUND, {"family": family, "hashes": hashes}):
                found[family, row.nonce_hash] = _Bound(row.digest, row.arrivals)
    return found


def _seen_before(
    connection: Connection, suspects: Sequence[Arrival]
) -> tuple[set[object], dict[Nonce, set[tuple[int, str]]]]:
    """Find which of these very arrivals are in the store, and which forged contents are kept for their nonces."""
    known: set[object] = set()
    forgeries: dict[Nonce, set[tuple[int, str]]] = {}
    for ids in _chunks([a.row["arrival_id"] for a in suspects if a.row is not None]):
        known.update(connection.scalars(_ARRIVED, {"ids": ids}))
    held = {json.dumps(a.nonces) for a in suspects} | {json.dumps([n]) for a in suspects for n in a.nonces}
    for texts in _chunks(sorted(held)):
        for row in connection.execute(_KEPT, {"held": texts}):
            of_row: tuple[Nonce, ...] = tuple((family, nonce) for family, nonce in json.loads(row.nonces))
            if row.reason == FORGED:
                forgeries.setdefault(of_row[0], set()).add((row.received_at, row.digest))
            else:
                known.add((row.received_at, row.digest, of_row))
    return known, forgeries


def _bind(connection: Connection, bound: dict[Nonce, _Bound]) -> bool:
    """Write what was decided about nonces; False if another collector bound one of them first."""
    new = [
        {"family": family, "nonce_hash": nonce_hash, "digest": held.digest, "arrivals": held.arrivals}
        for (family, nonce_hash), held in sorted(bound.items())
        if held.is_new
    ]
    changed = [
        {"of_family": family, "of_hash": nonce_hash, "counted": held.arrivals}
        for (family, nonce_hash), held in sorted(bound.items())
        if held.is_changed and not held.is_new
    ]
    if new and insert_new(connection, nonces, new, unless=("family", "nonce_hash")) < len(new):
        return False
    if changed:
        connection.execute(_COUNT, changed)
    return True
