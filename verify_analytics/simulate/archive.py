"""Writes what a store would hold of a history straight into an archive: Parquet in one folder for each day.

For histories that are too long to be captured and replayed: some minutes for a hundred million callbacks.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from verify_analytics.errors import ArgumentError
from verify_analytics.simulate import stored
from verify_analytics.simulate.parallel import in_order
from verify_analytics.simulate.stored import Minutes

if TYPE_CHECKING:
    from verify_analytics.simulate.capture import Progress
    from verify_analytics.simulate.history import History

ARCHIVE_VERSION = 1
# The collector's schema whose columns these are.
SCHEMA = "0001"
MANIFEST, FACTS = "manifest.json", "simulated.json"
# Slices of time whose rows are sorted together: half a million callbacks, about one GB while they are made.
GROUP = 8
# Rows that a reader can leave out together, or read beside others.
_ROW_GROUP = 131_072
_DAY_US = 86_400_000_000


class Entry(NamedTuple):
    """What the manifest says of one file."""

    rows: int
    digest: str


class Archived(NamedTuple):
    """How many rows of each kind an archive has, and how many files."""

    callbacks: int
    verifications: int
    pulse: int
    parts: int


class _Made(NamedTuple):
    """What came of one group of slices."""

    parts: dict[str, Entry]
    minutes: Minutes
    sessions: int


def write(history: History, folder: Path, *, processes: int = 1, progress: Progress | None = None) -> Archived:
    """Write a history's archive; the folder appears when it is whole.

    Parameters
    ----------
    history
        What to write.
    folder
        Where; it may exist if it is empty. Until it is whole its name ends in ``.part``.
    processes
        How many work at once; the bytes do not depend on it.
    progress
        Called with how many sessions are done, and of how many.

    Returns
    -------
    Archived
        Rows and files.

    Raises
    ------
    ArgumentError
        If something is there already, or ``processes`` is less than one.

    Notes
    -----
    ``callbacks/day=YYYY-MM-DD/part-NNNNN.parquet`` by the UTC day of ``received_at``, and ``verifications`` and
    ``pulse`` likewise; ``manifest.json`` with rows and SHA-256 of each file; ``simulated.json`` with what makes it
    again. The same plan gives the same bytes. Rows of a file lie by time. A day has several files, one for each group
    of slices of time that something of that day came from; these overlap a little, because receipts come late.
    """
    if processes < 1:
        raise ArgumentError(f"processes={processes}: it must be at least 1")
    rough = _begun(folder)
    try:
        parts, counted, done = dict[str, Entry](), list[Minutes](), 0
        groups = -(-history.slices // GROUP)
        for made in in_order(history.plan, _group, [(rough, index) for index in range(groups)], processes):
            parts |= made.parts
            counted.append(made.minutes)
            done += made.sessions
            if progress:
                progress(done, history.sessions)
        pulse = stored.pulse(stored.minutes_up(history), counted)
        parts |= _write(rough, "pulse", pulse, "minute", 0)
        _describe(history, rough, parts)
        rough.replace(folder)
    except BaseException:
        shutil.rmtree(rough, ignore_errors=True)
        raise
    rows = {kind: sum(e.rows for name, e in parts.items() if name.startswith(f"{kind}/")) for kind in Archived._fields}
    return Archived(**{**rows, "parts": len(parts)})


def _begun(folder: Path) -> Path:
    """Make the folder that is written into, or say what stands in the way."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArgumentError(f"{folder} is there already and holds {_found(folder)}; remove it or name another folder")
    rough = folder.absolute().with_name(f"{folder.absolute().name}.part")
    try:
        rough.mkdir(parents=True)
    except FileExistsError:
        raise ArgumentError(
            f"{rough} is there: another run is writing it, or was ended before it could clean up; then remove it first"
        ) from None
    return rough


def _found(folder: Path) -> str:
    try:
        parts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["parts"]
        callbacks = sum(part["rows"] for name, part in parts.items() if name.startswith("callbacks/"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "something else than an archive"
    return f"an archive of {callbacks:,} callbacks"


def _group(history: History, work: tuple[Path, int]) -> _Made:
    """Make some slices of time and write their rows."""
    folder, index = work
    first = index * GROUP
    slices = range(first, min(first + GROUP, history.slices))
    parts = [part for one in slices for part in history.chunk(one)]
    written = _write(folder, "callbacks", stored.callbacks(parts), "received_at", index)
    written |= _write(folder, "verifications", stored.verifications(parts), "received_at", index)
    return _Made(written, stored.minutes(parts), sum(part.story.sessions for part in parts))


def _write(folder: Path, kind: str, table: pa.Table, by: str, index: int) -> dict[str, Entry]:
    """Write rows that lie by time, each day into a file of its own."""
    return {
        name: _file(folder / name, rows)
        for name, rows in ((f"{kind}/day={day}/part-{index:05d}.parquet", rows) for day, rows in _days(table, by))
    }


def _days(table: pa.Table, by: str) -> Iterator[tuple[str, pa.Table]]:
    """Cut rows that lie by time at each midnight."""
    day = table[by].cast(pa.int64()).to_numpy() // _DAY_US
    cuts = np.flatnonzero(np.diff(day)) + 1
    for first, last in zip([0, *cuts.tolist()], [*cuts.tolist(), len(day)], strict=True):
        if first < last:
            yield str(np.datetime64(int(day[first]), "D")), table.slice(first, last - first)


def _file(path: Path, rows: pa.Table) -> Entry:
    path.parent.mkdir(parents=True, exist_ok=True)
    moments = [field.name for field in rows.schema if pa.types.is_timestamp(field.type)]
    pq.write_table(
        rows,
        path,
        row_group_size=_ROW_GROUP,
        compression="zstd",
        compression_level=1,
        # Moments that lie by time are kept as differences; what never comes twice would only fill a dictionary.
        column_encoding=dict.fromkeys(moments, "DELTA_BINARY_PACKED"),
        use_dictionary=[name for name in rows.schema.names if name not in {*moments, "arrival_id", "digest"}],
        # Types are Parquet's own: words are text to every reader.
        store_schema=False,
    )
    with path.open("rb") as file:
        return Entry(rows.num_rows, hashlib.file_digest(file, "sha256").hexdigest())


def _describe(history: History, folder: Path, parts: dict[str, Entry]) -> None:
    """Write the manifest and what makes the archive again."""
    plan = history.plan
    facts = {
        "synthetic": True,
        "made_by": "verify-analytics simulate --archive",
        "seed": plan.seed,
        "sessions": plan.sessions,
        "days": plan.days,
        "end": plan.end_at.isoformat(),
        "chunk_sessions": plan.chunk_sessions,
    }
    known = {name: {**entry._asdict(), "schema": SCHEMA} for name, entry in sorted(parts.items())}
    for name, said in ((FACTS, facts), (MANIFEST, {"archive_version": ARCHIVE_VERSION, "parts": known})):
        (folder / name).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
