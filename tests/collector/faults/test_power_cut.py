"""Promise 1 again: a callback answered 200 is still there when the power comes back, whenever it went."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from collector import engines, pulse, store
from collector.door import Door, Request, checks_of
from collector.items import Arrival, Item, Outcome, Verification
from collector.ledger import Ledger
from collector.settings import Settings
from collector.writer import Writer
from tests.collector.conftest import PATH, PEPPER, SECRET, TOKEN, URL, Provider
from tests.collector.faults.apsw_dbapi import Shim
from tests.collector.faults.crash_disk import CrashDisk
from tests.collector.faults.oracle import NOON, Book, Delivery, Kind

KEPT = {Outcome.ACCEPTED, Outcome.REPEATED, Outcome.QUARANTINED}
# The share of a run's operations at which the power goes (there are many writes to a sync), and how many of these cuts
# are looked at.
SHARE = {"write": 0.05, "sync": 0.5, "truncate": 0.5, "delete": 0.5}
LOOKED_AT = 10
SETTINGS = Settings.read(
    {
        "PLIVO_AUTH_TOKEN": TOKEN,
        "COLLECTOR_PUBLIC_URL": URL,
        "COLLECTOR_PEPPER": PEPPER,
        "COLLECTOR_VERIFICATION_SECRET": SECRET,
    },
    require="serve",
)


@dataclass
class Cut:
    """What was left, and what had been promised until then."""

    seed: int
    operation: int
    what: str
    left: dict[str, bytes]
    promised: Book


class Run:
    """One life of a store on a disk whose power is cut many times, each time in another possible world."""

    def __init__(self, folder: Path, seed: int, *, synchronous: str = "") -> None:
        folder.mkdir()
        self.path = folder / "store.db"
        self.seed = seed
        self.dice = random.Random(seed)
        self.book = Book()
        self.cuts: list[Cut] = []
        self._chance = random.Random(f"cuts of {seed}")
        self._synchronous = synchronous
        self._door: Door | None = None
        self.disk = CrashDisk(self.path, self._maybe_cut)

    def live(self, use: Callable[["Run", Engine], None]) -> list[Cut]:
        """Make the store and use it, with the collector's own code from the settings of the connection on."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engines, "sqlite_module", lambda: Shim(self.disk.name))
            engine = engines.writer_engine(f"sqlite:///{self.path}")
        event.listen(engine, "connect", self._configure)
        try:
            store.initialise(engine)
            self._door = Door(SETTINGS, store.accept_peppers(engine, checks_of(SETTINGS)))
            use(self, engine)
        finally:
            engine.dispose()
            self.disk.close()
        return self.cuts

    def item(self, delivery: Delivery) -> Item:
        """Send it, as far as the door."""
        assert self._door is not None
        return opened(self._door, self.book, delivery)

    def some_delivery(self, dice: random.Random) -> Delivery:
        """Mostly a new callback; sometimes one again, one that cannot be read, or a report."""
        kind: Kind = dice.choice(["callback", "callback", "callback", "callback", "unreadable", "report"])
        if dice.random() < 0.2 and (known := [d for d in self.book.as_now().deliveries.values() if d.sent < 8]):
            return self.book.deliveries[dice.choice(known).name]
        return self.book.new(kind)

    def _configure(self, connection: Any, _record: object) -> None:
        # Checkpoints are where most can go wrong: let there be many.
        connection.execute("PRAGMA wal_autocheckpoint = 25")
        if self._synchronous:
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")

    def _maybe_cut(self, what: str) -> None:
        if self._chance.random() < SHARE[what.split(maxsplit=1)[0]]:
            left = self.disk.survivors(self._chance)
            self.cuts.append(Cut(self.seed, self.disk.operations, what, left, self.book.as_now()))


def opened(door: Door, book: Book, delivery: Delivery) -> Item:
    book.sending(delivery)
    path = "/verifications" if delivery.kind == "report" else PATH
    # No two arrivals at one moment, as in life.
    received_at = NOON + 60_000_000 + sum(d.sent for d in book.deliveries.values())
    headers = tuple(delivery.headers(Provider()).items())
    item = door.open(Request("POST", path, "", headers, delivery.body, received_at))
    assert isinstance(item, Arrival | Verification)
    return item


def by_batches(run: Run, engine: Engine) -> None:
    """Write batch after batch as the writer does, in one thread: the same again from the same seed."""
    ledger = Ledger()
    minutes = pulse.Pulse("serve", lambda: NOON)
    with engine.connect() as connection:
        for _ in range(40):
            batch = [run.some_delivery(run.dice) for _ in range(run.dice.randint(1, 12))]
            minutes.beat()
            now = minutes.take(unfinished=run.dice.random() < 0.3)
            outcomes = ledger.write(
                connection,
                [run.item(delivery) for delivery in batch],
                lambda _, now=now: pulse.write(connection, "serve", now),  # type: ignore[misc]
            )
            for delivery, outcome in zip(batch, outcomes, strict=True):
                assert outcome in KEPT
                run.book.answered(delivery, 200)


def by_writer(run: Run, engine: Engine) -> None:
    """Let threads wait at a writer for their commits; which rows share one is up to the machine."""
    writer = Writer(engine, pulse.Pulse("serve", lambda: NOON), patience=60, overload=60)
    turn = threading.Lock()

    def send(number: int) -> None:
        dice = random.Random(f"{run.seed}/{number}")
        for _ in range(30):
            with turn:
                delivery = run.some_delivery(dice)
                item = run.item(delivery)
            assert writer.append(item) in KEPT
            run.book.answered(delivery, 200)

    writer.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(6)))
    assert writer.stop(60)


def cuts_of(folder: Path, wanted: int, use: Callable[[Run, Engine], None], *, synchronous: str = "") -> Iterator[Cut]:
    """Give so many cuts, from as many runs as they take."""
    seed = 0
    while wanted > 0:
        seed += 1
        cuts = Run(folder / f"run-{seed}", seed, synchronous=synchronous).live(use)
        yield from random.Random(seed).sample(cuts, min(LOOKED_AT, wanted, len(cuts)))
        wanted -= min(LOOKED_AT, wanted, len(cuts))


def after(cut: Cut, folder: Path) -> list[str]:
    """Let the power come back: start on what is left, take a fresh callback in, and ask for everything promised."""
    folder.mkdir()
    path = folder / "store.db"
    for ending, octets in cut.left.items():
        (folder / f"store.db{ending}").write_bytes(octets)
    engine = store.writer_engine(f"sqlite:///{path}")
    store.initialise(engine)
    door = Door(SETTINGS, store.accept_peppers(engine, checks_of(SETTINGS)))
    fresh = cut.promised.new("callback")
    with engine.connect() as connection:
        assert Ledger().write(connection, [opened(door, cut.promised, fresh)], lambda _: None) == [Outcome.ACCEPTED]
    cut.promised.answered(fresh, 200)
    engine.dispose()
    return cut.promised.differences(path)


@pytest.mark.parametrize("use", [by_batches, by_writer])
@pytest.mark.parametrize("number", [20, pytest.param(300, marks=pytest.mark.full)], ids=["20 cuts", "300 cuts"])
def test_what_was_acknowledged_survives_a_power_cut_at_any_write_or_sync(
    tmp_path: Path, number: int, use: Callable[[Run, Engine], None]
) -> None:
    moments = set()
    for count, cut in enumerate(cuts_of(tmp_path, number, use)):
        found = after(cut, tmp_path / f"after-{count}")
        assert found == [], f"seed {cut.seed}, cut before operation {cut.operation} ({cut.what})"
        moments.add(cut.what.split()[0])
    assert {"write", "sync"} <= moments


def test_the_same_disk_loses_acknowledged_rows_where_commits_are_not_synced(tmp_path: Path) -> None:
    cuts = cuts_of(tmp_path, 24, by_batches, synchronous="NORMAL")
    found = [after(cut, tmp_path / f"after-{number}") for number, cut in enumerate(cuts)]
    # A test in which nothing can be lost would prove nothing: this is the setting that most guides advise.
    assert sum(any("is stored 0 times" in line for line in lines) for lines in found) >= 6
