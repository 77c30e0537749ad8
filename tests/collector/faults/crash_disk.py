"""A disk whose power may be cut: it knows what a file system promises to keep, which is only what was synced.

It stands between SQLite and the real disk (a VFS of `apsw`). SQLite works on real files and notices nothing; beside
them the disk remembers of each file the bytes that a sync has made safe, and every write and truncation since. Asked at
any moment what would be left if the power went now, it takes the safe bytes and lets chance decide about the rest:
each piece of 512 bytes of each write since may have reached the disk or not, whatever came before or after it (so that
writes are lost, torn and reordered), and so may a file that was only just made or deleted.

What it does not model is hardware that lies: a drive that says "synced" and has not.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
# Shared memory is the processes' own and never on the disk.
_KEPT = ("", "-wal", "-journal")


class _File:
    """One file as the disk knows it."""

    def __init__(self) -> None:
        self.is_safe = False
        self.safe = b""
        self.since: list[tuple[int, bytes | None]] = []

    def survivor(self, dice: random.Random) -> bytes | None:
        """Give what could be found after a cut; None if not even the name."""
        if not self.is_safe and dice.random() < 0.5:
            return None
        # Three kinds of cut: the cache was nearly all written back, or some of it, or next to nothing.
        kept = dice.choice([0.95, 0.5, 0.05])
        found = bytearray(self.safe)
        for offset, octets in self.since:
            if octets is None:
                if dice.random() < kept:
                    _cut_to(found, offset)
                continue
            for start in range(offset - offset % SECTOR, offset + len(octets), SECTOR):
                if dice.random() < kept:
                    low, high = max(start, offset), min(start + SECTOR, offset + len(octets))
                    _put(found, low, octets[low - offset : high - offset])
        return bytes(found)

    def sync(self) -> None:
        found = bytearray(self.safe)
        for offset, octets in self.since:
            _cut_to(found, offset) if octets is None else _put(found, offset, octets)
        self.safe, self.since, self.is_safe = bytes(found), [], True


def _put(octets: bytearray, offset: int, part: bytes) -> None:
    if len(octets) < offset + len(part):
        octets.extend(bytes(offset + len(part) - len(octets)))
    octets[offset : offset + len(part)] = part


def _cut_to(octets: bytearray, size: int) -> None:
    del octets[size:]
    octets.extend(bytes(size - len(octets)))


class CrashDisk:
    """The disk under one store; `close` it when SQLite has closed its files.

    Parameters
    ----------
    store
        The file of the store: what lies beside it is watched too.
    before_each
        Called before each write, truncation, sync and deletion, with what it is of: the moments at which the power may
        be cut. What is about to be written counts as begun.
    """

    def __init__(self, store: Path, before_each: Callable[[str], None] = lambda _: None) -> None:
        self.name = f"crash-{id(self)}"
        self.operations = 0
        self._before_each = before_each
        self._files = {str(store) + ending: _File() for ending in _KEPT}
        # Whoever makes the store makes its name safe; what is in it from before is safe too.
        for path, file in self._files.items():
            with suppress(FileNotFoundError):
                file.safe, file.is_safe = Path(path).read_bytes(), True
        self._there = {path for path, file in self._files.items() if file.is_safe}
        self._gone: set[str] = set()
        self._vfs = _Vfs(self)

    def close(self) -> None:
        """Take the disk away from SQLite."""
        self._vfs.unregister()

    def survivors(self, dice: random.Random) -> dict[str, bytes]:
        """Say what would be left of the store and its neighbours, if the power went now: file ending → bytes."""
        found = {}
        for ending, (path, file) in zip(_KEPT, self._files.items(), strict=True):
            octets = file.survivor(dice) if path in self._there else None
            if octets is not None:
                found[ending] = octets
        return found

    def file(self, name: str) -> _File | None:
        """Give what is known of a file; None for one that the disk does not watch."""
        return self._files.get(name)

    def opened(self, name: str) -> None:
        """Note that a file is there; one made by this is safe only after its first sync."""
        if name in self._gone:
            self._gone.discard(name)
            self._files[name].is_safe = False
        elif name not in self._there and name in self._files:
            self._files[name] = _File()
            self._there.add(name)

    def deleted(self, name: str, *, is_synced: bool) -> None:
        """Note that a file went; where its folder is not synced it may come back, as it was."""
        self.step("delete")
        if name in self._there:
            self._gone.add(name)
            self._files[name].since.append((0, None))
        if is_synced:
            self._sync_folder()

    def synced(self, name: str) -> None:
        """Note that a sync has returned; SQLite syncs the folder too when it is a journal's or log's first."""
        if (file := self._files.get(name)) is not None:
            if not file.is_safe and name.endswith(("-wal", "-journal")):
                self._sync_folder()
            file.sync()

    def _sync_folder(self) -> None:
        self._there -= self._gone
        self._gone = set()

    def step(self, what: str) -> None:
        """Count one operation."""
        self.operations += 1
        self._before_each(what)


class _Vfs(apsw.VFS):
    def __init__(self, disk: CrashDisk) -> None:
        self._disk = disk
        super().__init__(disk.name, "", maxpathname=1024)

    def xOpen(self, name: Any, flags: list[int]) -> "_VfsFile":  # noqa: N802 - SQLite's own names, here and below
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _VfsFile(self._disk, path, name, flags)

    def xDelete(self, name: str, sync_folder: bool) -> None:  # noqa: N802
        self._disk.deleted(name, is_synced=bool(sync_folder))
        super().xDelete(name, sync_folder)


class _VfsFile(apsw.VFSFile):
    def __init__(self, disk: CrashDisk, path: str | None, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._path = path or ""
        disk.opened(self._path)

    def xWrite(self, octets: bytes, offset: int) -> None:  # noqa: N802
        self._note("write", (offset, bytes(octets)))
        super().xWrite(octets, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._note("truncate", (size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._note("sync", None)
        super().xSync(flags)
        self._disk.synced(self._path)

    def _note(self, what: str, change: tuple[int, bytes | None] | None) -> None:
        file = self._disk.file(self._path)
        if file is not None:
            if change is not None:
                file.since.append(change)
            self._disk.step(f"{what} {self._path.rpartition('.db')[2] or 'store'}")
