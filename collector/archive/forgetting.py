"""Takes people out of the archive: the parts that hold something of theirs are written anew without it.

What leads to the rest goes last, as in the store: first the reports of sessions that were only theirs, then the
callbacks of those sessions that name nobody, at last the callbacks with their key. An erasure that was cut off finds
the rest when it is run again.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collector.archive import checking
from collector.archive.folder import Archive, Step, locked
from collector.archive.kinds import CALLBACKS, VERIFICATIONS, Kind
from collector.archive.parts import Draft, arrow, groups, read_back
from collector.errors import CollectorError

Told = Callable[[str], None]
Chosen = Callable[[Any], Any]
"""Given a row group, says of each row whether it goes."""


class Forgetting:
    """What an archive holds of some people.

    Parameters
    ----------
    archive
        Open, for this process alone.
    keys
        Recipient keys of theirs.
    told
        Given a sentence after each step.

    Attributes
    ----------
    own, loose, reports
        By part, the callbacks with a key of theirs, the callbacks without any key in sessions that were only theirs,
        and the reports of those sessions.
    """

    def __init__(self, archive: Archive, keys: Collection[str], told: Told) -> None:
        self.own: Counter[str] = Counter()
        self.loose: Counter[str] = Counter()
        self.reports: Counter[str] = Counter()
        self._archive = archive
        self._keys = sorted(keys)
        self._told = told
        self._sessions: list[str] = []

    def sessions(self) -> set[str]:
        """Find the sessions with a callback of theirs."""
        found: set[str] = set()
        for name, table in self._groups(CALLBACKS, ["session_id", "recipient_key"]):
            theirs = table.filter(self._of_theirs(table))
            if theirs.num_rows:
                self.own[name] += theirs.num_rows
                found |= set(theirs["session_id"].to_pylist())
        return found

    def others(self, sessions: Iterable[str]) -> set[str]:
        """Of some sessions, find those that are somebody else's too."""
        found: set[str] = set()
        for _, table in self._groups(CALLBACKS, ["session_id", "recipient_key"]):
            pc = arrow().compute
            of_others = pc.and_not(pc.is_valid(table["recipient_key"]), self._of_theirs(table))
            in_one = pc.is_in(table["session_id"], value_set=_values(sessions))
            found |= set(table.filter(pc.and_(in_one, of_others))["session_id"].to_pylist())
        return found

    def settle(self, sessions: Iterable[str]) -> None:
        """Say which sessions were only theirs, and look for what belongs to these."""
        self._sessions = sorted(sessions)
        if not self._sessions:
            return
        for name, table in self._groups(CALLBACKS, ["session_id", "recipient_key"]):
            self.loose[name] += arrow().compute.sum(self._is_loose(table)).as_py() or 0
        for name, table in self._groups(VERIFICATIONS, ["session_id"]):
            self.reports[name] += arrow().compute.sum(self._is_report(table)).as_py() or 0
        self.loose, self.reports = +self.loose, +self.reports

    def said(self) -> str:
        """Say what was found in words."""
        parts = {*self.own, *self.loose, *self.reports}
        callbacks = self.own.total() + self.loose.total()
        return f"{callbacks:,} callbacks, {self.reports.total():,} verifications, in {len(parts):,} parts"

    def take_out_what_follows(self) -> None:
        """Take out what only the sessions lead to."""
        self._rewrite_all(VERIFICATIONS, self.reports, self._is_report)
        self._rewrite_all(CALLBACKS, self.loose, self._is_loose)

    def take_out_own(self) -> bool:
        """Take out what their keys lead to, and all that was made from the parts; say whether there was any of that."""
        self._rewrite_all(CALLBACKS, self.own, self._of_theirs)
        # Always: an erasure that was cut off here had nothing else left to do.
        return self._archive.drop_states()

    def _rewrite_all(self, kind: Kind, names: Iterable[str], goes: Chosen) -> None:
        for name in sorted(names):
            # A part of which nothing is left is gone by now, by what was taken out before.
            if name in self._archive.entries:
                self._rewrite(kind, name, goes)

    def _rewrite(self, kind: Kind, name: str, goes: Chosen) -> None:
        """Write one part anew without some rows, under its own name; one without rows goes."""
        checking.trust(self._archive, name)
        day = checking.day(name)
        pc = arrow().compute
        with self._archive.draft(name) as partial:
            with Draft(kind, partial) as draft:
                for table in groups(kind, self._archive.path(name)):
                    draft.add(table.filter(pc.invert(goes(table))))
            self._archive.step("written")
            facts = read_back(kind, partial, day)
            if (facts.rows, facts.content) != (draft.rows, draft.content):
                raise CollectorError(f"{partial} does not read back as it was written, so the disk cannot be trusted")
            self._archive.step("read back")
            if facts.rows:
                self._archive.show(name, partial, checking.entry_of(facts))
        if not facts.rows:
            self._archive.remove([name])
        self._told(f"{name} is written anew without them" if facts.rows else f"{name} held nobody else, and is gone")

    def _groups(self, kind: Kind, columns: list[str]) -> Iterator[tuple[str, Any]]:
        for name in self._archive.listed(kind.name):
            for table in groups(kind, self._archive.path(name), columns):
                yield name, table

    def _of_theirs(self, table: Any) -> Any:
        return arrow().compute.is_in(table["recipient_key"], value_set=_values(self._keys))

    def _is_loose(self, table: Any) -> Any:
        pc = arrow().compute
        return pc.and_(pc.is_null(table["recipient_key"]), self._is_report(table))

    def _is_report(self, table: Any) -> Any:
        return arrow().compute.is_in(table["session_id"], value_set=_values(self._sessions))


@contextmanager
def forgetting(root: Path, keys: Collection[str], told: Told, step: Step = lambda _: None) -> Iterator[Forgetting]:
    """Open an archive to take people out of it.

    Raises
    ------
    CollectorError
        If it is not there, another command works on it, or a part is damaged; pyarrow is missing.
    """
    with locked(root, step) as archive:
        archive.recover()
        if archive.entries or archive.unlisted():
            arrow()
            checking.adopt(archive, told)
        yield Forgetting(archive, keys, told)


def _values(texts: Iterable[str]) -> Any:
    pa = arrow()
    return pa.array(sorted(texts), pa.string())
