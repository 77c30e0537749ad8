"""Counts what the collector did, minute by minute, so that silence can be told from being down.

A row is written for every minute in which the collector was up and could write, also when nothing came: a missing
minute means it was down, a row of zeros means nobody called.

`refused_by` holds, as JSON, the refusals by reason. Under one more word, `v3_unproved`, it holds how many callbacks
were taken in on their V2 signature alone although a V3 signature came along: no refusals, and so no part of `refused`.
Whoever adds up or lists `refused_by` leaves that word out; `kept` reads both apart.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, and_, delete, select

from collector.store import alone
from collector.store import pulse as table

MINUTE = 60_000_000
"""One minute, in microseconds."""
# A minute that could not be written for longer than this is told as what it was: one in which nothing could be stored.
LATEST = 2 * MINUTE
KINDS = ("accepted", "repeated", "quarantined")
V3_UNPROVED = "v3_unproved"
"""The word of `refused_by` that is no refusal; no request is ever refused for a reason of this name."""


@dataclass
class Counts:
    """What happened in one minute.

    Attributes
    ----------
    accepted, repeated
        Callbacks new to the store, and further arrivals of one nonce with the same content.
    quarantined
        Proved requests that could not be read.
    refused
        Everything else, by the reason it was given.
    v3_unproved
        Of the accepted, repeated and quarantined: proved by V2 although their V3 signature proved nothing.
    """

    accepted: int = 0
    repeated: int = 0
    quarantined: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    v3_unproved: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Add up two parts of one minute."""
        return Counts(
            self.accepted + other.accepted,
            self.repeated + other.repeated,
            self.quarantined + other.quarantined,
            self.refused + other.refused,
            self.v3_unproved + other.v3_unproved,
        )

    def with_refusals_once(self, other: "Counts") -> "Counts":
        """Take what was refused from the larger count: a refused request leaves no trace by which to know it again."""
        larger = max(self.refused, other.refused, key=lambda refused: sum(refused.values()))
        return Counts(self.accepted, self.repeated, self.quarantined, larger, self.v3_unproved + other.v3_unproved)


class Pulse:
    """The minutes of one collector that are not in the store yet, and its totals since it started.

    Parameters
    ----------
    collector
        The name under which its minutes are kept; the same after every start.
    now
        Gives the moment, in microseconds since 1970.
    """

    def __init__(self, collector: str, now: Callable[[], int]) -> None:
        self.collector = collector
        self._now = now
        self._lock = threading.Lock()
        self._minutes: dict[int, Counts] = {}
        # Minute → what was to be added, and what the store has of it if it was. The writing thread's alone.
        self._tried: dict[int, tuple[Counts, Counts]] = {}
        self._doubts: dict[int, tuple[Counts, Counts]] = {}
        self._totals: Counter[tuple[str, str]] = Counter()

    def count(self, kind: str, reason: str = "", *, at: int | None = None) -> None:
        """Count one request.

        Parameters
        ----------
        kind
            ``accepted``, ``repeated``, ``quarantined``, ``refused`` or ``v3_unproved``, which is counted beside one of
            the first three; any other is a total only.
        reason
            Why it was refused or quarantined: one machine-readable word of a fixed list.
        at
            When it was received, in microseconds since 1970; now, if not said.
        """
        moment = self._now() if at is None else at
        with self._lock:
            self._totals[kind, reason] += 1
            counts = self._minutes.setdefault(moment - moment % MINUTE, Counts())
            if kind in (*KINDS, V3_UNPROVED):
                setattr(counts, kind, getattr(counts, kind) + 1)
            elif kind == "refused":
                counts.refused[reason] += 1

    def beat(self) -> None:
        """Say that the collector is up in this minute, whether or not anybody calls."""
        moment = self._now()
        with self._lock:
            self._minutes.setdefault(moment - moment % MINUTE, Counts())

    def take(self, *, unfinished: bool = False) -> dict[int, Counts]:
        """Hand over the minutes that are over (and, if asked, the one that is not) to be written.

        Minutes in which nothing could be written for too long are not handed over: their counts join the current
        minute, so that no request goes uncounted and the gap stays a gap.
        """
        moment = self._now()
        current = moment - moment % MINUTE
        with self._lock:
            late = [minute for minute in self._minutes if minute + LATEST < current]
            for minute in late:
                self._minutes[current] = self._minutes.pop(minute).plus(self._minutes.get(current, Counts()))
            ready = [minute for minute in self._minutes if minute < current or unfinished]
            return {minute: self._minutes.pop(minute) for minute in sorted(ready)}

    def give_back(self, minutes: Mapping[int, Counts]) -> None:
        """Take back minutes whose writing failed."""
        with self._lock:
            for minute, counts in minutes.items():
                self._minutes[minute] = counts.plus(self._minutes.get(minute, Counts()))

    def write(self, connection: Connection, minutes: Mapping[int, Counts]) -> None:
        """Write minutes that were taken, and those in doubt that turn out not to have been written.

        To be followed by `written` or `failed`.
        """
        if not minutes and not self._doubts:
            return
        # Whatever transaction is in doubt has ended by now: it held the same lock.
        alone(connection, f"pulse {self.collector}")
        held = read(connection, self.collector, {*minutes, *self._doubts})
        added = dict(minutes)
        for minute, (counts, total) in self._doubts.items():
            if held.get(minute) != total:
                added[minute] = counts.plus(added.get(minute, Counts()))
        self._tried = {minute: (counts, held.get(minute, Counts()).plus(counts)) for minute, counts in added.items()}
        put(connection, self.collector, {minute: total for minute, (_, total) in self._tried.items()})

    def written(self) -> None:
        """Say that the commit returned."""
        self._tried, self._doubts = {}, {}

    def failed(self, minutes: Mapping[int, Counts], *, is_in_doubt: bool) -> None:
        """Take minutes back; in doubt, because the connection was lost in the commit, until the store tells."""
        if is_in_doubt and self._tried:
            self._doubts = self._tried
        else:
            self.give_back(minutes)
        self._tried = {}

    def totals(self) -> dict[tuple[str, str], int]:
        """Give the number of requests since the start by (kind, reason)."""
        with self._lock:
            return dict(self._totals)


def write(
    connection: Connection,
    collector: str,
    minutes: Mapping[int, Counts],
    merge: Callable[[Counts, Counts], Counts] = Counts.plus,
) -> None:
    """Write minutes, each merged with what the store has of it.

    Parameters
    ----------
    connection
        Inside a transaction.
    collector
        Whose minutes they are.
    minutes
        Minute (its first microsecond) → counts.
    merge
        How a minute that is in the store becomes one with the new counts.
    """
    if not minutes:
        return
    # Two processes of one name on PostgreSQL (two replays, two hosts called alike) add up, one after the other.
    alone(connection, f"pulse {collector}")
    held = read(connection, collector, minutes)
    merged = {minute: merge(held[minute], new) if minute in held else new for minute, new in minutes.items()}
    put(connection, collector, merged)


def read(connection: Connection, collector: str, minutes: Iterable[int]) -> dict[int, Counts]:
    """Read those of these minutes that the store has of a collector."""
    found = connection.execute(select(table).where(_same(collector, minutes)))
    return {row.minute: Counts(row.accepted, row.repeated, row.quarantined, *kept(row.refused_by)) for row in found}


def put(connection: Connection, collector: str, minutes: Mapping[int, Counts]) -> None:
    """Write minutes in the place of what the store has of them."""
    if minutes:
        connection.execute(delete(table).where(_same(collector, minutes)))
        connection.execute(table.insert(), [_row(collector, minute, minutes[minute]) for minute in sorted(minutes)])


def _same(collector: str, minutes: Iterable[int]) -> ColumnElement[bool]:
    return and_(table.c.collector == collector, table.c.minute.in_(sorted(minutes)))


def kept(refused_by: str) -> tuple[Counter[str], int]:
    """Read the column `refused_by`: the refusals by reason, and how many callbacks V2 alone proved."""
    refused: Counter[str] = Counter(json.loads(refused_by))
    return refused, refused.pop(V3_UNPROVED, 0)


def zeros(collector: str, minutes: Iterable[int]) -> Iterator[dict[str, object]]:
    """Give the rows of minutes in which nothing came, one by one: a year has half a million."""
    return (_row(collector, minute, Counts()) for minute in minutes)


def _row(collector: str, minute: int, counts: Counts) -> dict[str, object]:
    words = counts.refused + Counter({V3_UNPROVED: counts.v3_unproved})
    return {
        "collector": collector,
        "minute": minute,
        "accepted": counts.accepted,
        "repeated": counts.repeated,
        "quarantined": counts.quarantined,
        "refused": sum(counts.refused.values()),
        "refused_by": json.dumps(dict(sorted(words.items()))),
    }
