"""Takes one person out of the store: everything that their number, or a key made from it, leads to.

What leads there goes last, so that an erasure which was interrupted finds the rest when it is run again. Nonces stay:
they hold hashes that lead to nobody, and without them a captured signature could bring another content in.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import phonenumbers
from sqlalchemy import Engine, Row, func, select

from collector import recipient
from collector.archive.forgetting import Forgetting, forgetting
from collector.cleartext import fields_of, is_sealed, rows_of_digits_in, texts_of
from collector.door import checks_of
from collector.errors import CollectorError
from collector.keys import keys_of
from collector.settings import Settings
from collector.store import callbacks, need_peppers, quarantine, sqlite_file, verifications
from collector.turns import ROWS, Turns, opened, parts, vacuum, windows

CHUNK = 1024 * 1024
TRACED = ("", "-wal")
# Well below the number of values one statement may carry in either database.
KEYS = 5_000
# Fewer digits without a country code are too often somebody else's.
SHORTEST_NATIONAL = 8


@dataclass
class Found:
    """What an erasure takes, or would take.

    Attributes
    ----------
    own, loose
        Callbacks with a key of theirs; callbacks without any key in sessions that were only theirs.
    quarantine
        Rows that hold the number in clear, or belong to such a session.
    sessions
        Those that were only theirs.
    verifications
        How many reports of success there are for those sessions.
    sealed
        Rows of quarantine that are compressed in a way nobody can look into here; they stay.
    archived
        What the archive holds of them, where there is one.
    """

    own: list[int] = field(default_factory=list)
    loose: list[int] = field(default_factory=list)
    quarantine: list[int] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    verifications: int = 0
    sealed: list[int] = field(default_factory=list)
    archived: Forgetting | None = None

    def table(self) -> Iterator[tuple[str, str]]:
        """Give the counts in words."""
        yield "callbacks", f"{len(self.own) + len(self.loose):,}"
        yield "verifications", f"{self.verifications:,}"
        yield "quarantine", f"{len(self.quarantine):,}{_named(self.quarantine)}"
        if self.archived is not None:
            yield "in the archive", self.archived.said()
        if self.sealed:
            yield "not looked into", f"{len(self.sealed):,} compressed in quarantine{_named(self.sealed)}"


class Person:
    """What a person is recognised by.

    Parameters
    ----------
    numbers
        As digits.
    keys
        Recipient keys that were given instead.
    peppers
        Oldest first.
    """

    def __init__(self, numbers: Sequence[str], keys: Sequence[str], peppers: Sequence[bytes]) -> None:
        self._peppers = peppers
        self._numbers = numbers
        # Without its country code only where nothing else is there: others end in the same digits.
        self._national = {local for local in map(_national, numbers) if local}
        self.keys = frozenset(keys) | {key for number in numbers for key in keys_of(number, peppers)}
        self._by_key_alone = bool(keys)

    def is_in(self, row: Row[Any]) -> bool:
        """Say whether a row of quarantine holds their number in clear, in any spelling."""
        for digits in rows_of_digits_in(texts_of(row)):
            if any(number in digits for number in self._numbers) or digits.lstrip("0") in self._national:
                return True
            if self._by_key_alone and any(key in self.keys for key in keys_of(digits, self._peppers)):
                return True
        return False

    @property
    def needles(self) -> list[bytes]:
        """What must not be in the store's files afterwards."""
        return [text.encode() for text in (*self.keys, *self._numbers)]


def erase(
    settings: Settings,
    numbers: Sequence[str],
    keys: Sequence[str],
    *,
    is_meant: bool,
    told: Callable[[str], None] = lambda _: None,
) -> tuple[Found, str]:
    """Find everything about some people, and remove it if that is meant.

    Parameters
    ----------
    settings
        With every pepper of the store.
    numbers, keys
        Digits from `keys.numbers`; recipient keys.
    is_meant
        Otherwise nothing is removed.
    told
        Given a sentence after each step.

    Returns
    -------
    Found, str
        What was found, and a sentence about what is left of it in the store's files; empty if nothing was removed.

    Raises
    ------
    CollectorError
        If a pepper is missing: rows under its keys would stay.
    """
    for key in keys:
        if not recipient.KEY.fullmatch(key):
            raise CollectorError(
                "a recipient key is 8 hexadecimal digits, a colon and 64 more, as `collector key` says"
            )
    person = Person(numbers, keys, settings.peppers)
    url = settings.database_url
    # An archive first: what comes into it between the search and the removal would stay.
    with ExitStack() as stack:
        archive = stack.enter_context(forgetting(settings.archive, person.keys, told)) if settings.archive else None
        reader, turns = stack.enter_context(opened(url))
        with reader.connect() as connection:
            need_peppers(connection, checks_of(settings))
        found = find(reader, person, told, archive)
        if not is_meant:
            return found, ""
        _remove(turns, found, told)
        is_folded = turns.fold_log()
    path = sqlite_file(url)
    if path is None:
        vacuum(url)
        return found, (
            "PostgreSQL has vacuumed the tables; its files may hold what was deleted until the space is used again, "
            "its log and its backups until they expire"
        )
    return found, _left(path, person.needles, is_folded=is_folded, has_archive=archive is not None)


def find(
    engine: Engine, person: Person, told: Callable[[str], None] = lambda _: None, archive: Forgetting | None = None
) -> Found:
    """Find everything about a person."""
    found = Found(archived=archive)
    sessions = set()
    columns = [callbacks.c.callback_id, callbacks.c.session_id]
    for some in parts(sorted(person.keys), KEYS):
        for rows in windows(engine, callbacks, columns, callbacks.c.recipient_key.in_(some)):
            found.own += [row.callback_id for row in rows]
            sessions |= {row.session_id for row in rows}
    told("callbacks are looked through")
    of_session: list[tuple[int, str]] = []
    for rows in windows(engine, quarantine, list(quarantine.columns), size=ROWS):
        for row in rows:
            named = {value for name, value in fields_of(row) if name == "SessionUUID" and value}
            if person.is_in(row):
                found.quarantine.append(row.quarantine_id)
                sessions |= named
            else:
                of_session += [(row.quarantine_id, session) for session in named]
                if is_sealed(row):
                    found.sealed.append(row.quarantine_id)
    told("quarantine is looked through")
    if archive is not None:
        sessions |= archive.sessions()
    others = _others(engine, person, sessions, found, archive.others(sessions) if archive is not None else set())
    found.sessions = sessions - others
    if archive is not None:
        archive.settle(found.sessions)
        told("the archive is looked through")
    taken = sorted({number for number, session in of_session if session in found.sessions})
    found.quarantine = sorted({*found.quarantine, *taken})
    found.sealed = [number for number in found.sealed if number not in taken]
    with engine.connect() as connection:
        for some in parts(sorted(found.sessions)):
            of_theirs = verifications.c.session_id.in_(some)
            found.verifications += connection.scalar(select(func.count()).where(of_theirs)) or 0
    return found


def _others(
    engine: Engine, person: Person, sessions: Iterable[str], found: Found, in_archive: Collection[str]
) -> set[str]:
    """Find the sessions that are somebody else's too, and the callbacks that name nobody in those that are not."""
    others = set(in_archive)
    unnamed: list[tuple[int, str]] = []
    columns = [callbacks.c.callback_id, callbacks.c.session_id, callbacks.c.recipient_key]
    for some in parts(sorted(sessions)):
        for rows in windows(engine, callbacks, columns, callbacks.c.session_id.in_(some)):
            others |= {r.session_id for r in rows if r.recipient_key is not None and r.recipient_key not in person.keys}
            unnamed += [(row.callback_id, row.session_id) for row in rows if row.recipient_key is None]
    found.loose = [number for number, session in unnamed if session not in others]
    return others


def _remove(turns: Turns, found: Found, told: Callable[[str], None]) -> None:
    """Remove what was found; what leads to the rest goes last."""
    for some in parts(sorted(found.sessions)):
        turns.change(verifications.delete().where(verifications.c.session_id.in_(some)))
    if found.archived is not None:
        found.archived.take_out_what_follows()
    turns.remove(callbacks, found.loose)
    turns.remove(quarantine, found.quarantine, lambda count: told(f"{count:,} rows of quarantine are gone"))
    if found.archived is not None:
        found.archived.take_out_own()
    turns.remove(callbacks, found.own, lambda count: told(f"{count:,} callbacks are gone"))


def _left(path: Path, needles: Sequence[bytes], *, is_folded: bool, has_archive: bool) -> str:
    """Look into the store's files, now that nothing in them should say who it was."""
    traced = [file.name for file in (Path(f"{path}{end}") for end in TRACED) if holds(file, needles)]
    copies = "backups made before" if has_archive else "backups made before, and an archive that is not named here,"
    if not traced:
        return f"the store's files {'and the archive ' if has_archive else ''}hold no trace of it; {copies} still do"
    if not is_folded:
        return (
            f"{', '.join(traced)} still holds traces, because somebody was reading the store: run it again; "
            f"{copies} hold it too"
        )
    return (
        f"{', '.join(traced)} still holds the digits: in space that is free (end the server and run "
        "`collector prune --vacuum`), or within a session's or an attempt's id, which is not changed; "
        f"{copies} hold them too"
    )


def holds(file: Path, needles: Sequence[bytes]) -> bool:
    """Say whether a file holds any of these; no file holds nothing."""
    overlap = max(map(len, needles), default=1) - 1
    if not file.exists():
        return False
    with file.open("rb") as stream:
        before = b""
        while part := stream.read(CHUNK):
            if any(needle in before + part for needle in needles):
                return True
            before = part[-overlap:] if overlap else b""
    return False


def _national(digits: str) -> str | None:
    """Give a number as it is written in its own country, where that is long enough to name somebody."""
    try:
        parsed = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None
    national = str(phonenumbers.national_significant_number(parsed)).lstrip("0")
    return national if len(national) >= SHORTEST_NATIONAL else None


def _named(ids: Sequence[int]) -> str:
    if not ids:
        return ""
    shown = ", ".join(map(str, ids[:20]))
    return f" (id {shown}{', …' if len(ids) > 20 else ''})"
