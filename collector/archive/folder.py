"""The folder of an archive: one process at a time, the manifest, and what is left of a run that was cut off."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

from collector.archive.kinds import KINDS, day_named, folder_of
from collector.engines import flush, make_file, make_folder, partial_of
from collector.errors import CollectorError

VERSION = 1
MANIFEST = "manifest.json"
STATES = "states"
"""What analysts keep beside the parts, made from them: it can be made again at any time."""
READ_AT_ONCE = 1 << 20

Step = Callable[[str], None]
"""Called between any two steps, with the name of the one that was done: where a test ends the process."""


class Entry(TypedDict):
    """What the manifest says of one part: its rows, the SHA-256 of its bytes, the store's schema they come from."""

    rows: int
    digest: str
    schema: str


class Archive:
    """An archive that is open for one process alone.

    Parameters
    ----------
    root
        Its folder, which is there.
    step
        As said above.

    Attributes
    ----------
    entries
        Relative path → what the manifest says of this part.
    """

    def __init__(self, root: Path, step: Step = lambda _: None) -> None:
        self.root = root
        self.step = step
        self.entries, self._rewriting, self._leaving = read_manifest(root)

    def listed(self, kind: str) -> list[str]:
        """Name the parts of one table, the oldest day first."""
        return sorted(name for name in self.entries if name.startswith(f"{kind}/"))

    def of_day(self, kind: str, day: int) -> list[str]:
        """Name the parts of one day."""
        return [name for name in self.listed(kind) if day_of_part(name) == day]

    def path(self, name: str) -> Path:
        """Give the place of a part."""
        return self.root / name

    def next_name(self, kind: str, day: int) -> str:
        """Name a part that is not there yet, and make its folder."""
        folder = self.root / kind / folder_of(day)
        for place in (folder.parent, folder):
            if not place.exists():
                make_folder(place)
                # As open to others as the archive itself: its owner says who may read.
                place.chmod(self._mode)
        number = 1 + max((_number_of(path.name) for path in folder.iterdir()), default=0)
        return f"{kind}/{folder.name}/part-{number:04d}.parquet"

    @contextmanager
    def draft(self, name: str) -> Iterator[Path]:
        """Give an empty file in which a part grows; it is gone afterwards, whatever became of it."""
        partial = partial_of(self.path(name))
        partial.unlink(missing_ok=True)
        descriptor = make_file(partial)
        try:
            os.fchmod(descriptor, self._mode & 0o666)
            os.close(descriptor)
            yield partial
        finally:
            partial.unlink(missing_ok=True)

    def show(self, name: str, partial: Path, entry: Entry) -> None:
        """Give a part that was read back its name, and write it down."""
        if name in self.entries:
            # Whoever finds another digest than the manifest's must be able to tell a rewritten part from a damaged one.
            self._rewriting[name] = entry
            self.write()
            self.step("announced")
        partial.rename(self.path(name))
        flush(self.path(name).parent)
        self.step("shown")
        self.entries[name] = entry
        self._rewriting.pop(name, None)
        self.write()
        self.step("listed")

    def remove(self, names: list[str]) -> None:
        """Take parts away: first it is written down that they go, so that nobody takes them for lost."""
        if not names:
            return
        self._leaving = sorted({*self._leaving, *names})
        self.write()
        self.step("announced")
        self._take_away()

    def _take_away(self) -> None:
        for name in self._leaving:
            self.path(name).unlink(missing_ok=True)
            self.step("removed")
            self.entries.pop(name, None)
        for folder in {self.path(name).parent for name in self._leaving}:
            if folder.is_dir():
                if not any(folder.iterdir()):
                    folder.rmdir()
                    flush(folder.parent)
                else:
                    flush(folder)
        self._leaving = []
        self.write()
        self.step("listed")

    def drop_states(self) -> bool:
        """Remove what was made from the parts; say whether there was any."""
        states = self.root / STATES
        if not states.is_dir():
            return False
        leaving = partial_of(states)
        shutil.rmtree(leaving, ignore_errors=True)
        states.rename(leaving)
        self.step("states hidden")
        shutil.rmtree(leaving)
        flush(self.root)
        return True

    def recover(self) -> None:
        """Finish what was announced, and clear away what never got its name.

        Raises
        ------
        CollectorError
            If a part is not there that the manifest names, or another one is.
        """
        self._sweep()
        for name, entry in sorted(self._rewriting.items()):
            if self.path(name).is_file() and digest_of(self.path(name)) == entry["digest"]:
                self.entries[name] = entry
        if self._rewriting:
            self._rewriting = {}
            self.write()
        if self._leaving:
            self._take_away()
        for name in sorted(self.entries):
            if not self.path(name).is_file():
                raise CollectorError(
                    f"the manifest of the archive names {name}, which is not there: bring it back from a copy, or take "
                    f"it out of {self.root / MANIFEST}; nothing was changed"
                )

    def unlisted(self) -> list[str]:
        """Name the parts that readers see and the manifest does not.

        Raises
        ------
        CollectorError
            If one lies where no part belongs: readers would take it in.
        """
        found = sorted(set(shown(self.root)) - set(self.entries))
        for name in found:
            if day_of_part(name) is None:
                raise CollectorError(
                    f"{self.root / name} lies where no part of the archive belongs, and whoever reads the archive "
                    "would read it too: move it away"
                )
        return found

    def adopt(self, name: str, entry: Entry) -> None:
        """Write a part down that was shown before a run was cut off."""
        self.entries[name] = entry
        self.write()
        self.step("adopted")

    def write(self) -> None:
        """Write the manifest, whole or not at all."""
        said: dict[str, Any] = {"archive_version": VERSION, "parts": self.entries}
        if self._leaving:
            said["leaving"] = self._leaving
        if self._rewriting:
            said["rewriting"] = self._rewriting
        place = self.root / MANIFEST
        partial = partial_of(place)
        partial.unlink(missing_ok=True)
        try:
            with os.fdopen(make_file(partial), "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), self._mode & 0o666)
                file.write(json.dumps(said, indent=1, sort_keys=True) + "\n")
                file.flush()
                os.fsync(file.fileno())
            partial.rename(place)
        finally:
            partial.unlink(missing_ok=True)
        flush(self.root)

    def _sweep(self) -> None:
        """Remove what a run that was cut off has left under names that nobody reads."""
        shutil.rmtree(partial_of(self.root / STATES), ignore_errors=True)
        partial_of(self.root / MANIFEST).unlink(missing_ok=True)
        for kind in KINDS:
            for file in (self.root / kind.name).glob("day=*/.part-*.parquet.partial"):
                file.unlink()

    @property
    def _mode(self) -> int:
        return self.root.stat().st_mode & 0o7777


def need(root: Path, *, to_write: bool = False) -> None:
    """Make sure that there is a folder, and that it can be written to, before anything is promised.

    Raises
    ------
    CollectorError
        If there is none, or it is closed to us.
    """
    if not root.is_dir():
        raise CollectorError(f"there is no folder {root} for the archive: make it first")
    if to_write and not os.access(root, os.W_OK | os.X_OK):
        raise CollectorError(f"the archive {root} cannot be written by this user: give it to whoever runs `archive`")


@contextmanager
def locked(root: Path, step: Step = lambda _: None) -> Iterator[Archive]:
    """Open an archive as the only one.

    Raises
    ------
    CollectorError
        If there is no such folder, another process works in it, or its manifest cannot be read.
    """
    need(root)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CollectorError(f"another command works on the archive {root}: wait for it") from None
        yield Archive(root, step)
    finally:
        os.close(descriptor)


def shown(root: Path) -> Iterator[str]:
    """Name every file that a reader of the archive takes for a part."""
    for kind in KINDS:
        for path in sorted((root / kind.name).rglob("*.parquet")):
            yield path.relative_to(root).as_posix()


def day_of_part(name: str) -> int | None:
    """Read the day off the path of a part: ``callbacks/day=2026-10-28/part-0001.parquet``."""
    kind, _, rest = name.partition("/")
    folder, _, file = rest.partition("/")
    is_ours = kind in {kind.name for kind in KINDS} and file.endswith(".parquet") and "/" not in file
    return day_named(folder) if is_ours else None


def digest_of(path: Path) -> str:
    """Give the SHA-256 of a file's bytes."""
    summed = hashlib.sha256()
    with path.open("rb") as file:
        while octets := file.read(READ_AT_ONCE):
            summed.update(octets)
    return summed.hexdigest()


def read_manifest(root: Path) -> tuple[dict[str, Entry], dict[str, Entry], list[str]]:
    """Read what the manifest says: the parts, those being rewritten, those that go. Without one there is nothing.

    Raises
    ------
    CollectorError
        If it is damaged, or of a later release.
    """
    place = root / MANIFEST
    try:
        said = json.loads(place.read_bytes())
    except FileNotFoundError:
        return {}, {}, []
    except ValueError:
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("parts"), dict):
        raise CollectorError(
            f"{place} is no manifest of an archive: move it away, and the next run of `collector archive` reads every "
            "part and writes it anew"
        )
    if said.get("archive_version") != VERSION:
        raise CollectorError(
            f"{place} is of version {said.get('archive_version')}, this release works with {VERSION}: upgrade first"
        )
    rewriting, leaving = said.get("rewriting", {}), said.get("leaving", [])
    odd = [name for name in (*said["parts"], *rewriting, *leaving) if day_of_part(name) is None]
    entries = [*said["parts"].values(), *rewriting.values()]
    if odd or not all(isinstance(entry, dict) and {"rows", "digest"} <= set(entry) for entry in entries):
        raise CollectorError(f"{place} names what no part can be: bring it back from a copy, or move it away")
    return dict(said["parts"]), dict(rewriting), list(leaving)


def _number_of(name: str) -> int:
    digits = name.removeprefix(".").removeprefix("part-").partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
