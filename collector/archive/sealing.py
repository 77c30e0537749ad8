"""Brings closed days from the store into the archive, part by part, and deletes what has arrived there.

Every step may be the last one: whatever a run leaves behind, the next one goes on from there. What it finds in the
store and in a part alike was left between the rename and the deletion, or came a second time; it is not brought over
again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collector.archive import checking
from collector.archive.folder import Archive, Step, locked
from collector.archive.kinds import KINDS, Kind, day_of, folder_of
from collector.archive.parts import GROUP, Draft, arrow, in_order, read_back, table_of
from collector.archive.source import Found, Key, Source, remove
from collector.errors import CollectorError
from collector.turns import Turns, opened, parts, reading

SEALED_AFTER = 30 * 60_000_000
"""How long after its end a day is left alone, in microseconds: for tidiness, so that few rows come after it."""
PART = 8 * GROUP
"""Rows after which a day goes on in another part: what is remembered of a part while it is made is bounded by it."""

Told = Callable[[str], None]


@dataclass
class Sealed:
    """What a run did.

    Attributes
    ----------
    rows
        By table, the rows that are in a part now and were not before.
    parts
        How many parts were made.
    left
        By table, the rows that a part had already, and that were only deleted from the store.
    """

    rows: Counter[str] = field(default_factory=Counter)
    parts: int = 0
    left: Counter[str] = field(default_factory=Counter)


def waiting(url: str, now: int) -> dict[str, dict[int, int]]:
    """Count what a run would bring over: by table and day, the rows of closed days that the store has."""
    with reading(url) as engine:
        until = day_of(now - SEALED_AFTER)
        return {
            kind.name: {day: found.rows for day, found in Source(engine, kind).days(until).items()} for kind in KINDS
        }


def archive(url: str, root: Path, now: int, *, told: Told = lambda _: None, step: Step = lambda _: None) -> Sealed:
    """Bring every closed day over.

    Parameters
    ----------
    url
        Of the store.
    root
        The folder of the archive, which is there.
    now
        Microseconds since 1970, UTC.
    told
        Given a sentence after each part of the work.
    step
        See `folder.Step`.

    Raises
    ------
    CollectorError
        If pyarrow or the folder is missing, another run works in it, a part is damaged, or a file is there that is no
        part. Nothing is deleted from the store then that was not read back from a part.
    """
    arrow()
    with locked(root, step) as place, opened(url) as (reader, turns):
        place.recover()
        run = _Run(place, turns, told)
        run.trusted |= set(checking.adopt(place, told))
        for kind in KINDS:
            source = Source(reader, kind)
            for day, found in source.days(day_of(now - SEALED_AFTER)).items():
                run.day(source, kind, day, found)
        turns.fold_log()
    return run.done


class _Run:
    def __init__(self, place: Archive, turns: Turns, told: Told) -> None:
        self.done = Sealed()
        self.trusted: set[str] = set()
        self._place = place
        self._turns = turns
        self._told = told

    def day(self, source: Source, kind: Kind, day: int, found: Found) -> None:
        """Bring one day of one table over."""
        # The parts of before: what this run makes cannot have what is still to be read.
        before = self._place.of_day(kind.name, day)
        for keys in source.chunks(day, found.places, PART):
            chosen = _Chosen(kind, {self._place.path(name): name for name in before})
            self._part(chosen, day, source, keys)
            self._delete_left(chosen)

    def _part(self, chosen: "_Chosen", day: int, source: Source, keys: Sequence[Key]) -> None:
        """Make one part, show it, and delete its rows."""
        kind = chosen.kind
        name = self._place.next_name(kind.name, day)
        with self._place.draft(name) as partial:
            with Draft(kind, partial) as draft:
                for some in parts(keys, GROUP):
                    draft.add(chosen.new(source.fetch(some)))
                    self._told(f"{kind.name} {folder_of(day)}: {draft.rows:,} rows written")
            self._place.step("written")
            if not draft.rows:
                return
            facts = read_back(kind, partial, day)
            if (facts.rows, facts.content) != (draft.rows, draft.content):
                raise CollectorError(
                    f"{partial} does not read back as it was written, so the disk cannot be trusted; the store was not "
                    "changed"
                )
            self._place.step("read back")
            self._place.show(name, partial, checking.entry_of(facts))
        self.done.parts += 1
        self.done.rows[kind.name] += draft.rows
        self._delete(kind, chosen.taken)
        self._told(f"{name}: {draft.rows:,} rows, out of the store")

    def _delete_left(self, chosen: "_Chosen") -> None:
        """Delete what a part of an earlier run has, once that part was read back."""
        if not chosen.left:
            return
        for name in sorted(chosen.by - self.trusted):
            checking.trust(self._place, name)
            self.trusted.add(name)
        self._delete(chosen.kind, chosen.left)
        self.done.left[chosen.kind.name] += len(chosen.left)
        self._told(f"{chosen.kind.name}: {len(chosen.left):,} rows that the archive had already, out of the store")

    def _delete(self, kind: Kind, taken: Sequence[Key]) -> None:
        remove(self._turns, kind, taken, lambda _: self._place.step("deleting"))
        self._place.step("deleted")


class _Chosen:
    """Of rows that were read, those that go into the part, and those that another part has.

    Attributes
    ----------
    taken, left
        How the store finds them.
    by
        The parts that have those of `left`.
    """

    def __init__(self, kind: Kind, before: dict[Path, str]) -> None:
        self.kind = kind
        self.taken: list[Key] = []
        self.left: list[Key] = []
        self.by: set[str] = set()
        self._before = before

    def new(self, pages: Iterable[tuple[Sequence[Key], Sequence[Sequence[Any]]]]) -> Any:
        """Note which row is which, and give the new ones in order."""
        keys: list[Key] = []
        tables = [table_of(self.kind, [])]
        for some, rows in pages:
            # Arrow holds them in a tenth of the room that Python's objects take.
            keys += some
            tables.append(table_of(self.kind, rows))
        table = arrow().concat_tables(tables)
        elsewhere = checking.held(self.kind, table, self._before)
        self.by |= {self._before[place] for place in elsewhere}
        flags = list(_any_of(elsewhere.values(), len(keys)))
        self.left += [key for key, is_held in zip(keys, flags, strict=True) if is_held]
        self.taken += [key for key, is_held in zip(keys, flags, strict=True) if not is_held]
        if elsewhere:
            table = table.filter(arrow().array([not is_held for is_held in flags]))
        return in_order(self.kind, table)


def _any_of(flags: Any, length: int) -> Iterator[bool]:
    lists = [some.to_pylist() for some in flags]
    return map(any, zip(*lists, strict=True)) if lists else iter([False] * length)
