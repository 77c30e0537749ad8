"""Brings captured requests in through the same door: the same checks, the same rules, the moments they came at.

A capture is text, one JSON object a line. What is in the store is not stored again, so a capture may be replayed until
it is through; and a store filled by replay reads like one that was filled live, down to its minutes.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, NoReturn

from sqlalchemy import Connection

from collector import pulse
from collector.door import Door, Request, checks_of, refusal
from collector.errors import CollectorError, Refused
from collector.items import Arrival, Item, Outcome
from collector.ledger import Ledger
from collector.probe import Probe
from collector.pulse import KINDS, MINUTE, Counts
from collector.settings import Settings
from collector.store import accept_peppers, initialise, insert_new, said_plainly, writer_engine
from collector.store import pulse as pulse_table
from collector.turns import ROWS, Turns, parts

COLLECTOR = "replay"
"""The name under which replayed minutes are kept."""
PULSE_BATCH = 1_000
"""Minutes in one transaction."""
TELL = 5_000
"""Lines after which is told how many there were."""

LONGEST = 400 * 1_440 * MINUTE
"""The longest span of one capture: each of its minutes becomes a row."""
EARLIEST = 946_684_800_000_000
"""The year 2000: before it nobody sent a callback, and a clock that was never set says 1970."""
AHEAD = 1_440 * MINUTE
"""How far a capture's clock may be ahead of ours."""

_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Down(NamedTuple):
    """A span in which the receiver was down, in microseconds since 1970; its end is not part of it."""

    since: int
    until: int


class BadLine(Exception):  # noqa: N818 - it says what is wrong with a line, for the sentence that names the line
    """A line that is no captured request."""


@dataclass
class Replayed:
    """What became of a capture's lines."""

    lines: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    minutes: dict[int, Counts] = field(default_factory=dict)
    down: list[Down] = field(default_factory=list)
    first: int | None = None
    last: int | None = None

    def table(self) -> Iterator[tuple[str, int]]:
        """Give the counts in words: what came, what became of it, what was turned away and why."""
        yield "lines", self.lines
        for name in ("accepted", "repeated", "quarantined", "known", "verification"):
            yield name, self.outcomes[name]
        if self.outcomes["probe"]:
            yield "probes of doctor, not stored", self.outcomes["probe"]
        yield "refused", self.refused.total()
        for reason, count in sorted(self.refused.items()):
            yield f"refused: {reason}", count

    def saw(self, since: int, until: int) -> None:
        """Widen the span of the capture."""
        first = since if self.first is None else min(self.first, since)
        last = until if self.last is None else max(self.last, until)
        if last - first > LONGEST:
            raise BadLine("makes the capture span more than 400 days (look at its moment, or cut the capture in parts)")
        self.first, self.last = first, last

    def refuse(self, moment: int, reason: str) -> None:
        """Count a line that was turned away."""
        self.refused[reason] += 1
        self.minutes.setdefault(moment - moment % MINUTE, Counts()).refused[reason] += 1


class Replay:
    """One capture on its way into one store.

    Parameters
    ----------
    turns
        At the store; a server may be writing to it.
    door
        What decides about each request.
    now
        Microseconds since 1970; a line much later than this has a wrong clock.
    batch
        Lines in one transaction.
    told
        Called every so many lines, and at the end, with the number of lines read so far.
    """

    def __init__(self, turns: Turns, door: Door, now: int, *, batch: int, told: Callable[[int], None]) -> None:
        self._turns = turns
        self._door = door
        self._latest = now + AHEAD
        self._rules = Ledger()
        self._batch = batch
        self._told = told
        self._waiting: list[Item] = []
        self.result = Replayed()

    def run(self, lines: Iterable[bytes]) -> Replayed:
        """Bring every line in.

        Raises
        ------
        CollectorError
            At a line that is no captured request: which one, and what became of those before it. They are stored with
            their minutes, as if the capture had ended there.
        """
        with (
            said_plainly("the store cannot be written (what is in it is safe, and replaying again adds only the rest)"),
            self._turns,
        ):
            for number, line in enumerate(lines, start=1):
                try:
                    self._take(line)
                except BadLine as wrong:
                    self._finish()
                    _stop_at(number, wrong)
                self.result.lines = number
                if len(self._waiting) >= self._batch:
                    self._store()
                if number % TELL == 0:
                    self._told(number)
            self._finish()
        return self.result

    def _take(self, line: bytes) -> None:
        if line.isspace():
            return
        parsed = parse(line, self._latest)
        if isinstance(parsed, Down):
            # An empty span says that the receiver was up at this moment, whether or not anybody called.
            self.result.saw(parsed.since, max(parsed.since, parsed.until - 1))
            self.result.down.append(parsed)
            return
        self.result.saw(parsed.received_at, parsed.received_at)
        try:
            opened = self._door.open(parsed)
        except Refused as refused:
            self.result.refuse(parsed.received_at, refused.reason)
            return
        if isinstance(opened, Probe):
            self.result.outcomes["probe"] += 1
        else:
            self._waiting.append(opened)

    def _store(self) -> None:
        """Write what waits, with its minutes, in one transaction."""
        items, self._waiting = self._waiting, []

        def write(connection: Connection) -> list[Outcome | None]:
            return self._rules.write(
                connection, items, lambda outcomes: pulse.write(connection, COLLECTOR, _by_minute(items, outcomes))
            )

        outcomes = self._turns.lend(write)
        for item, outcome in zip(items, outcomes, strict=True):
            if not isinstance(item, Arrival):
                self.result.outcomes["verification"] += 1
            elif refused := refusal(outcome):
                self.result.refuse(item.received_at, refused.reason)
            elif outcome:
                self.result.outcomes[outcome.value] += 1

    def _finish(self) -> None:
        """Write what is left, what was refused, and the minutes in which nothing came."""
        if self._waiting:
            self._store()
        # In parts: a year of refusals is more minutes than one statement may name.
        for some in parts(sorted(self.result.minutes.items()), PULSE_BATCH):
            self._turns.take(
                partial(pulse.write, collector=COLLECTOR, minutes=dict(some), merge=Counts.with_refusals_once)
            )
        quiet = pulse.zeros(COLLECTOR, _minutes_up(self.result))
        while rows := list(islice(quiet, PULSE_BATCH)):
            self._turns.take(partial(insert_new, table=pulse_table, rows=rows, unless=("collector", "minute")))
        if self.result.lines % TELL:
            self._told(self.result.lines)


def _by_minute(items: Sequence[Item], outcomes: Sequence[Outcome | None]) -> dict[int, Counts]:
    minutes: dict[int, Counts] = {}
    for item, outcome in zip(items, outcomes, strict=True):
        if isinstance(item, Arrival) and outcome and outcome.value in KINDS:
            counts = minutes.setdefault(item.received_at - item.received_at % MINUTE, Counts())
            setattr(counts, outcome.value, getattr(counts, outcome.value) + 1)
            counts.v3_unproved += item.has_unproved_v3
    return minutes


@contextmanager
def open_replay(
    settings: Settings,
    now: int,
    *,
    accepts_unproved: bool = False,
    batch: int = ROWS,
    told: Callable[[int], None] = lambda _: None,
) -> Iterator[Callable[[Iterable[bytes]], Replayed]]:
    """Open the store of these settings, made where there is none, for one replay."""
    engine = writer_engine(settings.database_url)
    try:
        initialise(engine)
        oldest = accept_peppers(engine, checks_of(settings))
        door = Door(settings, oldest, knows_public_paths=True, accepts_unproved=accepts_unproved)
        yield Replay(Turns(engine), door, now, batch=batch, told=told).run
    finally:
        engine.dispose()


def parse(line: bytes, latest: int) -> Request | Down:
    """Read one line of a capture, in which no moment may be later than this.

    Raises
    ------
    BadLine
        Saying what is wrong with it, in words that hold nothing of it.
    """
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise BadLine("is not JSON") from None
    if not isinstance(found, dict):
        raise BadLine("is not a JSON object")
    if "down_from" in found:
        down = Down(_moment(found, "down_from", latest), _moment(found, "down_to", latest))
        if down.until < down.since:
            raise BadLine("ends a span before it begins")
        return down
    path, _, query = _ORIGIN.sub("", _text(found, "url"), count=1).partition("#")[0].partition("?")
    return Request(
        method=_text(found, "method"),
        path=path or "/",
        query=query if query.isascii() else query.encode("utf-8", "surrogatepass").decode("latin-1"),
        headers=_headers(found.get("headers")),
        body=_body(found),
        received_at=_moment(found, "received_at", latest),
    )


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise BadLine(f"has no text {name!r}")
    return value


def _moment(found: dict[str, Any], name: str, latest: int) -> int:
    try:
        moment = datetime.fromisoformat(_text(found, name))
    except ValueError:
        raise BadLine(f"has no moment {name!r}, such as 2026-09-01T12:00:00.000000Z") from None
    if moment.tzinfo is None:
        raise BadLine(f"has a moment {name!r} without a zone")
    since = moment - _EPOCH
    passed = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if not EARLIEST <= passed <= latest:
        raise BadLine(f"has a moment {name!r} before the year 2000 or more than a day from now, by a wrong clock")
    return passed


def _headers(given: Any) -> tuple[tuple[str, str], ...]:
    pairs = list(given.items()) if isinstance(given, dict) else given
    if isinstance(pairs, list):
        with suppress(TypeError, ValueError):
            made = tuple((name, value) for name, value in pairs)
            if all(isinstance(name, str) and isinstance(value, str) for name, value in made):
                return made
    raise BadLine('has no headers, such as [["Name", "value"]]')


def _body(found: dict[str, Any]) -> bytes:
    if "body_base64" in found:
        try:
            return base64.b64decode(_text(found, "body_base64"), validate=True)
        except ValueError:
            raise BadLine("has a body_base64 that is not base64") from None
    return _text(found, "body").encode("utf-8", "surrogatepass") if found.get("body") is not None else b""


def _stop_at(number: int, wrong: BadLine) -> NoReturn:
    before = "nothing was stored" if number == 1 else f"the {number - 1} lines before it are stored and safe to replay"
    raise CollectorError(f"line {number} {wrong}: {before}; mend it and replay the whole capture")


def _minutes_up(result: Replayed) -> Iterator[int]:
    """Give every minute from the first line to the last of which no part was said to be down."""
    if result.first is None or result.last is None:
        return
    spans = iter(sorted(span for span in result.down if span.until > span.since))
    span = next(spans, None)
    for minute in range(result.first - result.first % MINUTE, result.last + 1, MINUTE):
        while span and span.until <= minute:
            span = next(spans, None)
        if not span or span.since >= minute + MINUTE:
            yield minute
