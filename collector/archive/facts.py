"""Says what an archive holds and whether it can be worked on, without opening a part and without holding it."""

import importlib.util
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from collector.archive.folder import day_of_part, read_manifest, shown
from collector.archive.kinds import CALLBACKS, DAY, folder_of
from collector.engines import LEAST_SPACE
from collector.errors import CollectorError

LATE = 3
"""Days after which a closed day should have been brought over, however the timer is set."""


def line(root: Path) -> str:
    """Describe an archive: its days, its rows, its size; or say why that cannot be said."""
    if not root.is_dir():
        return f"{root}, which is not there"
    try:
        entries, _, _ = read_manifest(root)
    except CollectorError as error:
        return str(error)
    if not entries:
        return f"{root}, empty"
    days = _days(entries)
    rows = sum(entry["rows"] for name, entry in entries.items() if name.startswith(f"{CALLBACKS.name}/"))
    sizes = [(root / name).stat().st_size for name in entries if (root / name).is_file()]
    return (
        f"{root}, {len(days):,} days, latest {_written(days[-1])}, oldest {_written(days[0])}, {rows:,} callbacks, "
        f"{sum(sizes) / 1e6:,.1f} MB in {len(sizes):,} parts"
    )


def findings(root: Path, oldest: int | None, now: int) -> Iterator[tuple[Literal["ok", "warning", "failed"], str]]:
    """Look at a folder as `doctor` does.

    Parameters
    ----------
    root
        The folder.
    oldest
        When the oldest callback in the store was received; None if there is none.
    now
        Microseconds since 1970, UTC.
    """
    if not root.is_dir():
        yield "failed", f"there is no folder {root}: make it; until then `archive`, `erase` and `prune` refuse to work"
        return
    if not os.access(root, os.W_OK | os.X_OK):
        yield "failed", f"{root} cannot be written by this user: give it to the one the collector runs as"
    if importlib.util.find_spec("pyarrow") is None:
        yield "failed", "the archive needs the package pyarrow: pip install pyarrow"
    try:
        entries, _, _ = read_manifest(root)
        yield "ok", line(root)
    except CollectorError as error:
        yield "failed", str(error)
        return
    if lost := [name for name in entries if not (root / name).is_file()]:
        yield "failed", f"{lost[0]} is in the manifest and not there: bring it back from a copy"
    if more := sorted(set(shown(root)) - set(entries)):
        yield "warning", f"{more[0]} is not in the manifest: run `collector archive`, which reads it back"
    free = shutil.disk_usage(root).free
    if free < LEAST_SPACE:
        yield (
            "failed",
            f"{free / 1e6:,.0f} MB free beside the archive and {LEAST_SPACE / 1e6:,.0f} MB needed; make room",
        )
    if oldest is not None and now - oldest > LATE * DAY:
        yield (
            "warning",
            f"the store has callbacks of {_written(oldest)}: run `collector archive`, by the timer every day",
        )


def _days(names: Iterable[str]) -> list[int]:
    found = {day_of_part(name) for name in names}
    return sorted(day for day in found if day is not None)


def _written(day: int) -> str:
    return folder_of(day - day % DAY).removeprefix("day=")
