"""Lets whole days go from the archive."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from collector.archive import checking
from collector.archive.folder import Step, day_of_part, locked
from collector.archive.kinds import DAY
from collector.archive.parts import arrow


def remove_days(
    root: Path,
    before: int,
    *,
    is_meant: bool,
    told: Callable[[str], None] = lambda _: None,
    step: Step = lambda _: None,
) -> Counter[str]:
    """Remove the days that ended before a moment.

    That they go is written down first, then the parts go, then their lines in the manifest: whoever is cut off between
    finishes it with the next command that works on the archive.

    Parameters
    ----------
    root
        The folder of the archive.
    before
        Microseconds since 1970, UTC. A day that ended at this moment goes.
    is_meant
        Otherwise rows are only counted.
    told
        Given a sentence once they are gone.
    step
        See `folder.Step`.

    Returns
    -------
    Counter
        How many rows of each table.
    """
    with locked(root, step) as archive:
        archive.recover()
        if archive.unlisted():
            arrow()
            checking.adopt(archive, told)
        going = [name for name in sorted(archive.entries) if checking.day(name) + DAY <= before]
        removed: Counter[str] = Counter()
        for name in going:
            removed[checking.kind_of(name).name] += archive.entries[name]["rows"]
        if is_meant and going:
            archive.remove(going)
            told(f"{len({day_of_part(name) for name in going}):,} days are gone from the archive")
    return removed
