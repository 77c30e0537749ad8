"""The judge of every fault test: it remembers what was sent and what was answered, and asks a store what it kept.

It knows the promises and nothing of the collector's code. What it expects of a row is worked out here a second time,
from the provider's documents and the contract of the columns.
"""

import hashlib
import hmac
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from tests.collector.conftest import PEPPER, SECRET, Provider

Kind = Literal["callback", "unreadable", "report"]
# 2026-09-01T12:00:00Z, the moment of `Provider.fields`, in microseconds since 1970.
NOON = 1_788_264_000_000_000
# How often one content under one nonce is stored; further arrivals are acknowledged and only counted.
STORED_AT_MOST = 16
_COLUMNS = (
    "session_status, attempt_id, attempt_sequence, channel, channel_status, error_code, requested_at, "
    "substr(recipient_key, 10), country, number_block, proof, extra"
)


@dataclass
class Delivery:
    """One content, how often it was sent, and how often it was acknowledged.

    Attributes
    ----------
    kind
        A callback; a proved request that no row can be made of; or the application's report of a success.
    name
        The session it speaks of.
    number
        Makes its content differ from every other.
    """

    kind: Kind
    name: str
    number: int
    sent: int = 0
    acknowledged: int = 0

    @property
    def nonce(self) -> str:
        """The one nonce with which all its arrivals come."""
        return f"{10**19 + self.number}"

    @property
    def recipient(self) -> str:
        """A number that belongs to nobody."""
        return f"120155501{self.number % 100:02d}"

    @property
    def body(self) -> bytes:
        """What is sent."""
        if self.kind == "report":
            return json.dumps({"session_id": self.name, "verified_at": _moment(self.number)}).encode()
        return urlencode(self.fields, quote_via=quote).encode()

    @property
    def fields(self) -> dict[str, str]:
        """The provider's fields; one that cannot be read names no session."""
        fields = Provider.fields(
            self.name,
            Recipient=self.recipient,
            RequestTime=_moment(self.number).replace("T", " ").removesuffix("Z"),
            AttemptSequence=str(1 + self.number % 5),
            ChannelErrorCode=str(self.number % 7 * 100) if self.number % 7 else "",
        )
        if self.kind == "unreadable":
            del fields["SessionUUID"]
        return fields

    def headers(self, provider: Provider) -> dict[str, str]:
        """Sign it: the same headers for each of its arrivals, as the provider does when it tries again."""
        if self.kind == "report":
            return {"X-Signature": "sha256=" + hmac.new(SECRET.encode(), self.body, hashlib.sha256).hexdigest()}
        return {"Content-Type": "application/x-www-form-urlencoded", **provider.headers(self.nonce)}

    def row(self) -> tuple[object, ...]:
        """Say what each of its rows must hold, in the order of the columns read."""
        fields = self.fields
        return (
            fields["SessionStatus"],
            fields["AttemptUUID"],
            int(fields["AttemptSequence"]),
            fields["Channel"],
            fields["ChannelStatus"],
            fields["ChannelErrorCode"],
            NOON + self.number,
            hmac.new(PEPPER.encode(), self.recipient.encode(), hashlib.sha256).hexdigest(),
            "US",
            self.recipient[:-4],
            "v2",
            None,
        )


def _moment(number: int) -> str:
    seconds, micros = divmod(number, 1_000_000)
    return f"2026-09-01T12:{seconds // 60:02d}:{seconds % 60:02d}.{micros:06d}Z"


@dataclass
class Book:
    """Every delivery there was, by name; any thread may write in it."""

    deliveries: dict[str, Delivery] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new(self, kind: Kind) -> Delivery:
        """Begin a delivery that never was before."""
        with self._lock:
            number = len(self.deliveries)
            return self.deliveries.setdefault(f"{kind}-{number}", Delivery(kind, f"{kind}-{number}", number))

    def sending(self, delivery: Delivery) -> None:
        """Note that it is on its way: from here on it may be stored."""
        with self._lock:
            delivery.sent += 1

    def answered(self, delivery: Delivery, status: int, *, allowed: tuple[int, ...] = (200, 503)) -> None:
        """Note an answer; 200 is the promise that is held to."""
        with self._lock:
            self.answers[str(status)] += 1
            delivery.acknowledged += status == 200
            if status not in allowed:
                self.broken.append(f"{delivery.name} was answered {status}")

    def refused_forgery(self, delivery: Delivery, status: int) -> None:
        """Note the answer to another content under a nonce that was acknowledged before: never 200."""
        with self._lock:
            self.answers[f"forged {status}"] += 1
            if status not in {403, 503}:
                self.broken.append(f"another content under the nonce of {delivery.name} was answered {status}")

    def failed(self, error: BaseException) -> None:
        """Note a request without an answer: a refused or a cut connection."""
        with self._lock:
            self.answers[type(error).__name__] += 1

    def as_now(self) -> "Book":
        """Copy it, as it stands at this moment."""
        with self._lock:
            return Book({name: replace(delivery) for name, delivery in self.deliveries.items()}, [*self.broken])

    @property
    def acknowledged(self) -> int:
        """The number of answers 200."""
        return sum(self.acknowledged_by_kind().values())

    def acknowledged_by_kind(self) -> Counter[str]:
        """Count the answers 200 by what was sent."""
        with self._lock:
            found = Counter[str]()
            for delivery in self.deliveries.values():
                if delivery.acknowledged:
                    found[delivery.kind] += delivery.acknowledged
            return found

    def differences(self, store: Path, shown: int = 8) -> list[str]:
        """Say, each in a sentence, where a store that nobody writes to differs from what was promised; empty if not."""
        with closing(sqlite3.connect(store, timeout=30)) as connection:
            found = list(self._differences(connection))
        found = [*self.broken, *found]
        return found if len(found) <= shown else [*found[:shown], f"and {len(found) - shown} more"]

    def _differences(self, connection: sqlite3.Connection) -> Iterator[str]:
        whole = [line for (line,) in connection.execute("PRAGMA integrity_check")]
        if whole != ["ok"]:
            yield f"the integrity check says {whole[:3]}"
        kept = _rows_by_session(connection)
        reports = Counter(name for (name,) in connection.execute("SELECT session_id FROM verifications"))
        bodies = Counter(
            body for (body,) in connection.execute("SELECT body FROM quarantine WHERE reason = 'no_session'")
        )
        nonces = dict(connection.execute("SELECT nonce_hash, arrivals FROM nonces"))
        for name in (kept.keys() | reports.keys()) - self.deliveries.keys():
            yield f"{name} is in the store and was never sent"
        if unknown := len(bodies.keys() - {d.body for d in self.deliveries.values() if d.kind == "unreadable"}):
            yield f"quarantine holds {unknown} contents that were never sent"
        for delivery in self.deliveries.values():
            rows = kept.get(delivery.name, [])
            if delivery.kind == "report":
                yield from _count(delivery, reports[delivery.name], at_most=1)
                continue
            found = len(rows) if delivery.kind == "callback" else bodies[delivery.body]
            yield from _count(delivery, found, at_most=STORED_AT_MOST)
            if wrong := [row for row in rows if row != delivery.row()]:
                yield f"{delivery.name} is stored as {wrong[0]} and was sent as {delivery.row()}"
            # The nonce and the row are one transaction: neither is ever seen without the other.
            bound = nonces.pop(hashlib.sha256(delivery.nonce.encode()).hexdigest()[:32], 0)
            if min(bound, STORED_AT_MOST) != found:
                yield f"{delivery.name} has {found} rows, and its nonce has met {bound} arrivals"
        if nonces:
            yield f"{len(nonces)} nonces are bound that were never sent"
        yield from _odd_identities(connection)


def _count(delivery: Delivery, found: int, *, at_most: int) -> Iterator[str]:
    """Compare the number of rows: all that were acknowledged, and no more than were sent."""
    least, most = min(delivery.acknowledged, at_most), min(delivery.sent, at_most)
    if not least <= found <= most:
        yield (
            f"{delivery.name} was sent {delivery.sent} times, acknowledged {delivery.acknowledged} times, "
            f"and is stored {found} times"
        )


def _rows_by_session(connection: sqlite3.Connection) -> Mapping[str, list[tuple[object, ...]]]:
    found: dict[str, list[tuple[object, ...]]] = {}
    for name, *row in connection.execute(f"SELECT session_id, {_COLUMNS} FROM callbacks"):
        found.setdefault(name, []).append(tuple(row))
    return found


def _odd_identities(connection: sqlite3.Connection) -> Iterator[str]:
    """Arrivals of one content share its digest, and no two arrivals share an identity."""
    figures = "count(*) - count(DISTINCT arrival_id), count(DISTINCT session_id), count(DISTINCT digest)"
    twice, sessions, digests = connection.execute(f"SELECT {figures} FROM callbacks").fetchone()
    if twice:
        yield f"{twice} arrivals share an identity with another one"
    if sessions != digests:
        yield f"{sessions} contents have {digests} digests"
