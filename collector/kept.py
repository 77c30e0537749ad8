"""What quarantine keeps, for a person to look at, and the way back into the store after a fix."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, func, or_, select
from sqlalchemy.exc import DataError, IntegrityError

from collector.cleartext import covered, fields_of, headers_of
from collector.door import Door, Request, checks_of, hashed
from collector.errors import CollectorError
from collector.items import Arrival, Nonce
from collector.ledger import FORGED
from collector.moments import written
from collector.settings import Settings
from collector.signature import Proof
from collector.store import (
    callbacks,
    insert_new,
    need_peppers,
    nonces,
    quarantine,
)
from collector.turns import Turns, opened, reading, windows

# Each may have a body of 64 KB and headers of 16.
ROWS = 100
ALREADY = "replayed before"
STORED = "stored"
STILL = "still unreadable"
NEVER = "refused"


def listed(url: str, *, reason: str | None, limit: int) -> Iterator[str]:
    """Say what is kept, the newest first, one a line; nothing of what it says."""
    # Bytes of the command line that are no text cannot even be asked for.
    if reason and not reason.isascii():
        raise CollectorError(
            f"{reason!a} is no reason: reasons are plain words; `collector quarantine list` shows those there are"
        )
    where = [quarantine.c.reason == reason] if reason else []
    columns = [c for c in quarantine.columns if c.name not in {"body", "headers", "url", "nonces", "digest"}]
    octets = func.octet_length(quarantine.c.body).label("octets")
    query = select(*columns, octets).where(*where).order_by(quarantine.c.quarantine_id.desc()).limit(limit)
    with reading(url) as engine, engine.connect() as connection:
        rows = connection.execute(query).all()
        count = connection.scalar(select(func.count()).select_from(quarantine).where(*where)) or 0
    if rows:
        yield f"{'id':>8}  {'received':<20}  {'reason':<18}  {'proof':<16}  {'method':<6}  {'bytes':>6}  replayed"
    for row in rows:
        replayed = written(row.replayed_at) if row.replayed_at is not None else "-"
        yield (
            f"{row.quarantine_id:>8}  {written(row.received_at):<20}  {row.reason:<18}  {row.proof:<16}  "
            f"{covered(row.method):<6}  {row.octets:>6}  {replayed}"
        )
    yield (
        f"{len(rows):,} of {count:,} shown" if rows else "quarantine holds nothing" + (" of this reason" * bool(where))
    )


def shown(url: str, quarantine_id: int) -> Iterator[str]:
    """Show one request, its numbers in marks and its control characters as escapes."""
    row = row_of(url, quarantine_id)
    yield f"id        {row.quarantine_id}"
    yield f"received  {written(row.received_at)}"
    yield f"reason    {row.reason}"
    yield f"proof     {row.proof}"
    yield f"replayed  {written(row.replayed_at) if row.replayed_at is not None else '-'}"
    yield f"request   {covered(row.method)} {covered(row.url)}"
    yield from (f"header    {covered(name)}: {covered(value)}" for name, value in headers_of(row))
    yield from (f"field     {covered(name)} = {covered(value)}" for name, value in fields_of(row))
    yield f"body      {len(row.body):,} bytes; --raw gives them as they came, numbers in clear"


def raw(url: str, quarantine_id: int) -> bytes:
    """Give one request as it came: its first line, its headers, its body."""
    row = row_of(url, quarantine_id)
    head = [f"{row.method} {row.url}", *(f"{name}: {value}" for name, value in headers_of(row)), "", ""]
    return "\n".join(head).encode("utf-8", "surrogatepass") + bytes(row.body)


def row_of(url: str, quarantine_id: int) -> Row[Any]:
    """Give one row of quarantine.

    Raises
    ------
    CollectorError
        If there is none.
    """
    with reading(url) as engine, engine.connect() as connection:
        row = connection.execute(select(quarantine).where(quarantine.c.quarantine_id == quarantine_id)).one_or_none()
    if row is None:
        raise CollectorError(f"quarantine has no row {quarantine_id}; `collector quarantine list` names those it has")
    return row


def replay(
    settings: Settings, ids: Sequence[int], now: int, told: Callable[[str], None] = lambda _: None
) -> tuple[Counter[str], list[str]]:
    """Read requests of quarantine once more, and store those that can be read now as the arrivals they were.

    Parameters
    ----------
    settings
        With every pepper of the store; tokens and URLs are not needed: what is kept was proved when it came.
    ids
        Which; none means every one that was not replayed, except forged ones.
    now
        Microseconds since 1970.

    Returns
    -------
    Counter, list
        How many became what; and a sentence for each row that was named and refused.

    Raises
    ------
    CollectorError
        If a row that was named is not there, or a pepper is missing.
    """
    for number in ids:
        row_of(settings.database_url, number)
    outcomes: Counter[str] = Counter()
    said = []
    with opened(settings.database_url) as (reader, turns):
        with reader.connect() as connection:
            known = need_peppers(connection, checks_of(settings))
        if not known:
            return outcomes, []
        again = _Again(Door(settings, known[0].key_id), turns, now)
        for rows in _chosen(reader, ids):
            for row, outcome, why in again.take(rows):
                outcomes[f"{outcome}: {why}" if why else outcome] += 1
                if ids and outcome == NEVER:
                    said.append(f"row {row.quarantine_id} is not stored: {_WHY[why]}")
            told(f"{outcomes.total():,} rows")
    return outcomes, said


_WHY = {
    FORGED: "its signature came first with another content, so this content is forged",
    "content_changed": "its content is not the one that was kept, by its digest",
    "nonce_lost": "the nonce that its proof names is not among its headers",
    "unstorable": "no column can hold what it says",
}


def _chosen(reader: Engine, ids: Sequence[int]) -> Iterator[list[Row[Any]]]:
    columns = list(quarantine.columns)
    wanted = (
        quarantine.c.quarantine_id.in_(ids)
        if ids
        else and_(quarantine.c.replayed_at.is_(None), quarantine.c.reason != FORGED)
    )
    return (rows for rows in windows(reader, quarantine, columns, wanted, size=ROWS) if rows)


class _Again:
    """One replay: reads outside of any transaction, writes in turns."""

    def __init__(self, door: Door, turns: Turns, now: int) -> None:
        self._door = door
        self._turns = turns
        self._now = now

    def take(self, rows: Sequence[Row[Any]]) -> list[tuple[Row[Any], str, str]]:
        """Give each row, what became of it, and why it was not stored."""
        read = [(row, *self._read(row)) for row in rows]
        ready = [(row, arrival) for row, arrival, outcome, _ in read if arrival is not None and not outcome]
        forged, broken = self._turns.take(lambda connection: self._store(connection, ready)) if ready else ((), ())
        judged = []
        for row, _, outcome, why in read:
            if row.quarantine_id in forged:
                judged.append((row, NEVER, FORGED))
            elif row.quarantine_id in broken:
                judged.append((row, NEVER, "unstorable"))
            else:
                judged.append((row, outcome or STORED, why))
        return judged

    def _read(self, row: Row[Any]) -> tuple[Arrival | None, str, str]:
        if row.reason == FORGED:
            return None, NEVER, FORGED
        if row.replayed_at is not None:
            return None, ALREADY, ""
        held = _nonces_of(row)
        if held is None:
            return None, NEVER, "nonce_lost"
        path, _, query = row.url.partition("?")
        request = Request(row.method, path, query, headers_of(row), bytes(row.body), row.received_at)
        arrival = self._door.reread(request, Proof(tuple(row.proof.split("+")), held))
        if arrival.digest != row.digest:
            return None, NEVER, "content_changed"
        if arrival.row is None:
            return None, STILL, arrival.reason
        return arrival, "", ""

    def _store(self, connection: Connection, ready: Sequence[tuple[Row[Any], Arrival]]) -> tuple[set[int], set[int]]:
        """Store what is bound to its own content; give the rows that are forged, and those no column can hold."""
        bound = _bound(connection, [nonce for _, arrival in ready for nonce in arrival.nonces])
        forged, broken, stored = set(), set(), []
        for row, arrival in ready:
            if any(bound.get(nonce, arrival.digest) != arrival.digest for nonce in arrival.nonces):
                forged.add(row.quarantine_id)
                continue
            try:
                with connection.begin_nested():
                    insert_new(connection, callbacks, [arrival.row or {}], unless=("arrival_id",))
            except (DataError, IntegrityError):
                broken.add(row.quarantine_id)
            else:
                stored.append(row.quarantine_id)
        if stored:
            mine = quarantine.c.quarantine_id.in_(stored)
            connection.execute(quarantine.update().where(mine).values(replayed_at=self._now))
        return forged, broken


def _nonces_of(row: Row[Any]) -> tuple[Nonce, ...] | None:
    """Find the nonces that were proved, as they came: the store keeps only their hashes, the headers have them."""
    found = []
    for family, digest in json.loads(row.nonces):
        name = f"x-plivo-signature-{family}-nonce"
        values = [value.strip(" \t") for header, value in headers_of(row) if header.lower() == name]
        nonce = next((value for value in values if hashed([(family, value)]) == ((family, digest),)), None)
        if nonce is None:
            return None
        found.append((family, nonce))
    return tuple(found)


def _bound(connection: Connection, wanted: Sequence[Nonce]) -> dict[Nonce, str]:
    """Read which content each of these nonces is bound to."""
    same = [and_(nonces.c.family == family, nonces.c.nonce_hash == digest) for family, digest in sorted(set(wanted))]
    query = select(nonces.c.family, nonces.c.nonce_hash, nonces.c.digest).where(or_(*same))
    return {(row.family, row.nonce_hash): row.digest for row in connection.execute(query)}
