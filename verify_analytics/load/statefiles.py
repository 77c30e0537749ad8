"""Where are attempt states kept, and what do they stand for? The folder ``states/`` of an archive, and its list.

Everything here can be made again from the archive, so nothing here is ever trusted further than the list says: a list
of another format, a file that is missing, or a part of the archive that is not what it was, and the states are made
anew. Files are never changed once they are listed; the list is replaced as a whole.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from verify_analytics.errors import SchemaError
from verify_analytics.model.columns import STATES_VERSION

FOLDER = "states"
LIST = "states.json"
MANIFEST = "manifest.json"
_RESCUE = "bring it back from a copy, or move it away: the next run of `collector archive` writes it anew"
ARCHIVE_VERSION = 1
# So long files that a later list left out may still be read by who opened them before.
SPARED_SECONDS = 24 * 60 * 60


class Part(NamedTuple):
    """A part of the archive: its callbacks, and the digest of its bytes."""

    rows: int
    digest: str


class Folded(NamedTuple):
    """A part that is folded in: the digest of its bytes then, and between when its callbacks were received."""

    digest: str
    first_received_us: int
    last_received_us: int


class Day(NamedTuple):
    """The states of the attempts that were requested on one UTC day."""

    file: str
    rows: int
    first_received_us: int
    last_received_us: int


@dataclass
class Kept:
    """What the folder's list says: the parts that are folded in, and the days that hold their states.

    `gone` are parts that are folded in, and no more what the archive holds.
    """

    parts: dict[str, Folded] = field(default_factory=dict)
    days: dict[str, Day] = field(default_factory=dict)
    number: int = 0
    gone: list[Folded] = field(default_factory=list)


def parts_of(archive: Path, table: str = "callbacks") -> dict[str, Part] | None:
    """Read which parts of a table an archive has.

    Returns
    -------
    dict or None
        By their path in the archive. None where there is no manifest of an archive: nobody vouches for its files then.

    Raises
    ------
    SchemaError
        If the manifest cannot be read.
    """
    try:
        manifest = json.loads((archive / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SchemaError(f"the manifest of {str(archive)!r} cannot be read ({error}): {_RESCUE}") from None
    if not isinstance(manifest, dict) or manifest.get("archive_version") != ARCHIVE_VERSION:
        return None
    try:
        return {
            name: Part(int(part["rows"]), str(part["digest"]))
            for name, part in sorted(manifest["parts"].items())
            if name.startswith(f"{table}/") and (archive / name).is_file()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise SchemaError(
            f"the manifest of {str(archive)!r} does not name its parts as an archive does: {_RESCUE}"
        ) from None


def read(archive: Path, parts: Mapping[str, Part]) -> Kept:
    """Read what is kept; nothing, where it is not of these parts, of another format, or not whole."""
    try:
        told = json.loads((archive / FOLDER / LIST).read_text())
        folded = {name: Folded(*values) for name, values in told["parts"].items()}
        kept = Kept(folded, {day: Day(*values) for day, values in told["days"].items()}, int(told["number"]))
        version = told["states_version"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Kept()
    whole = all(_is_whole(archive / FOLDER / day.file, day) for day in kept.days.values())
    gone = [name for name, each in folded.items() if name not in parts or parts[name].digest != each.digest]
    if version != STATES_VERSION or not whole or len(gone) == len(folded):
        return Kept(number=kept.number)
    kept.gone = [kept.parts.pop(name) for name in gone]
    return kept


def _is_whole(file: Path, day: Day) -> bool:
    """Say whether a file can be states of that day: its last bytes tell its rows and columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told = pq.read_metadata(file)
    except (OSError, pa.ArrowException):
        return False
    return told.num_rows == day.rows and "key" in told.schema.names


def write(archive: Path, kept: Kept) -> None:
    """Put another list in the place of the old one."""
    folder = archive / FOLDER
    told: dict[str, Any] = {
        "states_version": STATES_VERSION,
        "number": kept.number,
        "parts": {name: list(values) for name, values in sorted(kept.parts.items())},
        "days": {day: list(values) for day, values in sorted(kept.days.items())},
    }
    replaced(folder / LIST, told)


def clear(archive: Path) -> None:
    """Remove every state: what they were made of is no more what the archive holds."""
    folder = archive / FOLDER
    (folder / LIST).unlink(missing_ok=True)
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir():
            shutil.rmtree(entry)


def tidy(archive: Path, kept: Kept, *, at_once: bool = False) -> None:
    """Remove files that no list names: what was left half done, and what was replaced, `at_once` or after a day."""
    folder = archive / FOLDER
    named = {day.file for day in kept.days.values()}
    # By the clock of the disk they lie on: the list was written just now.
    now = (folder / LIST).stat().st_mtime
    for file in folder.glob("day=*/*"):
        is_left = at_once or file.suffix != ".parquet" or now - file.stat().st_mtime > SPARED_SECONDS
        if is_left and str(file.relative_to(folder)) not in named:
            file.unlink(missing_ok=True)
    for day in folder.glob("day=*"):
        if not any(day.iterdir()):
            day.rmdir()


@contextmanager
def alone(archive: Path) -> Iterator[bool]:
    """Keep others from changing the folder; False where it cannot be written at all, and is left as it is."""
    folder = archive / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        descriptor = locked(folder)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def locked(folder: Path) -> int:
    """Wait until nobody else changes a folder; give what must be closed when we are done.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def replaced(file: Path, told: Any) -> None:
    """Write a list in the place of the old one, whole or not at all."""
    made = file.with_name(f"{file.name}.new")
    with made.open("w") as stream:
        json.dump(told, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    made.replace(file)
