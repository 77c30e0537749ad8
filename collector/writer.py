"""Writes rows so that an answer can be trusted: one thread, one connection, and no answer before the commit.

While one commit waits for the disk the next batch gathers by itself, so nobody lingers and a slow disk makes batches
larger instead of making everybody wait in line.
"""

import bisect
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from collector import pulse
from collector.errors import CollectorError, Refused
from collector.items import Item, Outcome, Verification
from collector.ledger import Ledger
from collector.logs import log
from collector.pulse import Counts, Pulse

BATCH = 500
PATIENCE = 3.0
"""Seconds a request waits for its commit; the provider waits five to eight."""
OVERLOAD = 1.0
"""Seconds the oldest row may have waited before new requests are turned away at once."""
TICK = 1.0
"""Seconds after which an idle writer looks at the clock, or tries a failing store again."""
COMMIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the histogram of commit times, in seconds."""

# SQLite's primary result codes after which the file or the disk cannot be trusted by this process any more: an I/O
# error (the kernel may have dropped the page that it failed to write), a damaged file, a file that is none.
_BROKEN = {10: "input/output error", 11: "damaged file", 26: "not a database"}


class _Broken(Exception):  # noqa: N818 - a fact, kept inside this module
    """The store cannot be trusted until the process starts anew."""


class _Gone(_Broken):
    """What was written to is no longer where the store is looked for: it was removed, or another was put there."""


class _Ticket:
    """One row on its way to the store, and whoever waits for it."""

    __slots__ = ("_gate", "is_taken", "item", "outcome", "since")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.since = time.monotonic()
        self.is_taken = False
        self.outcome: Outcome | None = None
        # A bare lock, which costs a fraction of an Event, and every callback waits at one.
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self, seconds: float) -> bool:
        """Wait until it is settled; False if that takes longer."""
        return self._gate.acquire(timeout=seconds)

    def settle(self) -> None:
        """Let whoever waits go on."""
        if self._gate.locked():
            self._gate.release()


class Writer:
    """The one thread that writes to a store.

    Parameters
    ----------
    engine
        Of `store.writer_engine`.
    minutes
        Where accepted, repeated and quarantined requests are counted, and whose minutes are written.
    rules
        What becomes of each arrival.
    died
        Called once from the thread when it ends without having been asked to: the process should then exit.
    alive
        Called from the thread each time it has got round, also when it failed to write: one that hangs is silent.
    is_there
        Says whether the file that is written to is still the one that the store's name leads to.
    """

    def __init__(
        self,
        engine: Engine,
        minutes: Pulse,
        *,
        rules: Ledger | None = None,
        died: Callable[[], None] = lambda: None,
        alive: Callable[[], None] = lambda: None,
        is_there: Callable[[], bool] = lambda: True,
        patience: float = PATIENCE,
        overload: float = OVERLOAD,
        tick: float = TICK,
    ) -> None:
        self._engine = engine
        self._pulse = minutes
        self._rules = rules or Ledger()
        self._died = died
        self._alive = alive
        self._is_there = is_there
        self._patience = patience
        self._overload = overload
        self._tick = tick
        self._state = threading.Condition()
        self._waiting: deque[_Ticket] = deque()
        self._in_flight: list[_Ticket] = []
        self._is_failing = False
        self._why = ""
        self._is_stopping = False
        self._is_dead = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.commits = [0] * (len(COMMIT_BOUNDS) + 1)
        self.commit_seconds = 0.0
        self.committed_at = time.monotonic()

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def stop(self, within: float | None = None) -> bool:
        """Write what waits and the minute that has begun, and end; False if that takes longer than this."""
        with self._state:
            self._is_stopping = True
            self._state.notify_all()
        if self._thread.ident is not None:
            self._thread.join(within)
        return not self._thread.is_alive()

    def append(self, item: Item) -> Outcome:
        """Write one item and wait until the commit that holds it has returned.

        Raises
        ------
        Refused
            With status 503, if it is not in the store, or may be but nobody can say so in time.
        """
        ticket = _Ticket(item)
        with self._state:
            if word := self._unfit():
                raise Refused(503, word, "The collector cannot store this now; send it again.")
            self._waiting.append(ticket)
            self._state.notify()
        if not ticket.wait(self._patience):
            with self._state:
                # What the thread has not begun with will not be written behind the back of a 503.
                if not ticket.is_taken:
                    self._waiting.remove(ticket)
            raise Refused(503, "timeout", "The collector could not store this in time; send it again.")
        if ticket.outcome is None:
            raise Refused(503, "store", "The collector could not store this; send it again.")
        return ticket.outcome

    @property
    def waiting(self) -> int:
        """The number of rows no commit has begun with."""
        return len(self._waiting)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest row that is in no commit yet has been here; 0 if there is none."""
        with self._state:
            oldest = next(iter(self._in_flight or self._waiting), None)
        return time.monotonic() - oldest.since if oldest else 0.0

    def trouble(self) -> str:
        """Say in one word why nothing should be sent here now; empty if all is well."""
        with self._state:
            return self._unfit() or ("failing" if self._is_failing else "")

    @property
    def is_dead(self) -> bool:
        """Whether the thread ended without having been asked to."""
        return self._is_dead

    def _unfit(self) -> str:
        if self._is_dead or self._is_stopping:
            return "stopped"
        oldest = next(iter(self._in_flight or self._waiting), None)
        return "overloaded" if oldest and time.monotonic() - oldest.since >= self._overload else ""

    def _run(self) -> None:
        try:
            with self._engine.connect() as connection:
                while self._turn(connection):
                    self._alive()
        except BaseException as error:  # noqa: BLE001 - whatever it was, a process without a writer must not go on answering
            log.error("writer_died", exc_info=error, extra={"why": _reason(error)})
        with self._state:
            self._is_dead = not self._is_stopping
            left = [*self._in_flight, *self._waiting]
            self._waiting.clear()
            for ticket in left:
                # Whoever gives up waiting at this moment finds nothing to take back.
                ticket.is_taken = True
        for ticket in left:
            ticket.settle()
        if self._is_dead:
            self._died()

    def _turn(self, connection: Connection) -> bool:
        """Write one batch, if there is one; False when there is no more to do."""
        with self._state:
            if not self._waiting and not self._is_stopping:
                self._state.wait(self._tick)
            tickets = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            for ticket in tickets:
                ticket.is_taken = True
            self._in_flight = tickets
            is_last = self._is_stopping and not tickets
        self._pulse.beat()
        # A store that fails is tried again each tick with the minute at hand, so that it heals without being asked.
        minutes = self._pulse.take(unfinished=is_last or self._is_failing)
        if tickets or minutes:
            self._write(connection, tickets, minutes)
        return not is_last

    def _write(self, connection: Connection, tickets: Sequence[_Ticket], minutes: Mapping[int, Counts]) -> None:
        began = time.monotonic()
        failure: DBAPIError | CollectorError | None = None
        try:
            outcomes = self._rules.write(
                connection,
                [ticket.item for ticket in tickets],
                lambda _: self._pulse.write(connection, minutes),
            )
            # A file without a name takes rows like any other, and is gone with this process.
            if not self._is_there():
                raise _Gone
            self._pulse.written()
            self._is_failing = False
            self.committed_at = time.monotonic()
        except (DBAPIError, CollectorError) as error:
            # The second is a server that came back as one that would not keep what it acknowledges.
            failure = error
            outcomes = [None] * len(tickets)
            # Where the connection is lost in a commit, nobody can say yet what became of it.
            is_in_doubt = isinstance(error, DBAPIError) and error.connection_invalidated
            self._pulse.failed(minutes, is_in_doubt=is_in_doubt)
            # Once for each reason: a server that is gone may come back as one that only reads.
            if not self._is_failing or self._why != _reason(error):
                self._why = _reason(error)
                log.error("commit_failed", extra={"error": type(error).__name__, "why": self._why})
            self._is_failing = True
        self._measure(time.monotonic() - began)
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if outcome is not None:
                self._count(ticket.item, outcome)
            ticket.outcome = outcome
            ticket.settle()
        with self._state:
            self._in_flight = []
        if isinstance(failure, DBAPIError) and _code(failure) in _BROKEN:
            raise _Broken from failure

    def _count(self, item: Item, outcome: Outcome) -> None:
        if isinstance(item, Verification):
            self._pulse.count("verification", at=item.received_at)
        elif outcome.value in pulse.KINDS:
            # A row that the database refused was kept apart instead, which its item does not know.
            is_unstorable = outcome is Outcome.QUARANTINED and item.row is not None
            reason = item.unstorable().reason if is_unstorable else item.reason
            self._pulse.count(outcome.value, reason, at=item.received_at)
            if item.has_unproved_v3:
                self._pulse.count(pulse.V3_UNPROVED, at=item.received_at)

    def _measure(self, seconds: float) -> None:
        self.commits[bisect.bisect_left(COMMIT_BOUNDS, seconds)] += 1
        self.commit_seconds += seconds


def _code(error: DBAPIError) -> int:
    """Give SQLite's primary result code; 0 elsewhere."""
    return int(getattr(error.orig, "sqlite_errorcode", 0) or 0) & 0xFF


def _reason(error: BaseException) -> str:
    """Say what happened in words that hold nothing of a row."""
    if isinstance(error, _Broken) and isinstance(error.__cause__, DBAPIError):
        return _BROKEN[_code(error.__cause__)]
    if isinstance(error, _Gone):
        return "the store's file was removed or replaced"
    if isinstance(error, CollectorError):
        return str(error)
    cause = getattr(error, "orig", None)
    # PostgreSQL's own words may hold values of a row; the name of the kind and our own notes do not.
    kind = type(cause).__name__ if hasattr(cause, "sqlstate") else ""
    if kind == "OperationalError" and isinstance(error, DBAPIError) and error.connection_invalidated:
        kind = "the connection was lost"
    note = next(iter(getattr(cause, "__notes__", ())), "")
    return str(getattr(cause, "sqlite_errorname", "")) or note or kind or "unknown"
