"""Reads parts back: those of a run that was cut off before they are taken in, and all of them when asked."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from collector.archive.folder import MANIFEST, Archive, Entry, day_of_part, locked
from collector.archive.kinds import KINDS, Kind
from collector.archive.parts import RESCUE, Facts, arrow, groups, identities, overlapping, read_back
from collector.errors import CollectorError

Told = Callable[[str], None]


def kind_of(name: str) -> Kind:
    """Give the table of a part by its path."""
    return next(kind for kind in KINDS if name.startswith(f"{kind.name}/"))


def day(name: str) -> int:
    """Give the day of a part by its path, in microseconds since 1970."""
    found = day_of_part(name)
    if found is None:
        raise CollectorError(f"{name} is no part of an archive")
    return found


def entry_of(facts: Facts) -> Entry:
    """Say of a part what the manifest says."""
    return {"rows": facts.rows, "digest": facts.digest, "schema": facts.schema}


def facts_of(archive: Archive, name: str) -> Facts:
    """Read one part back.

    Raises
    ------
    CollectorError
        As `parts.read_back` has them.
    """
    return read_back(kind_of(name), archive.path(name), day(name))


def trust(archive: Archive, name: str) -> Facts:
    """Read one part back and compare it with the manifest, because rows are about to be deleted on its word.

    Raises
    ------
    CollectorError
        If it is damaged, or not the one that was written down.
    """
    found, said = facts_of(archive, name), archive.entries[name]
    if (found.rows, found.digest) != (said["rows"], said["digest"]):
        raise CollectorError(f"{archive.path(name)} is not the part that the manifest describes: {RESCUE}")
    return found


def adopt(archive: Archive, told: Told) -> list[str]:
    """Take in the parts that were shown by a run that was cut off before it wrote them down.

    Returns
    -------
    list
        Their names; each was read back.

    Raises
    ------
    CollectorError
        If one is damaged, is of another shape, or holds rows that another part of its day has.
    """
    adopted = []
    for name in archive.unlisted():
        facts = facts_of(archive, name)
        if other := _with_same_rows(archive, name):
            raise CollectorError(
                f"{archive.path(name)} is not in the manifest and holds rows that {other} has too: move one of "
                "them away"
            )
        archive.adopt(name, entry_of(facts))
        told(f"{name}, of a run that was cut off, is read back and written down")
        adopted.append(name)
    return adopted


def _with_same_rows(archive: Archive, name: str) -> str | None:
    """Find a part of the same day that shares a row with this one."""
    kind = kind_of(name)
    for other in archive.of_day(kind.name, day(name)):
        for table in groups(kind, archive.path(name), sorted({*kind.identity, kind.moment})):
            if held(kind, table, [archive.path(other)]):
                return other
    return None


def held(kind: Kind, table: Any, places: Iterable[Path]) -> dict[Path, Any]:
    """Say of each row which part has it.

    Parameters
    ----------
    kind, table
        Rows as Arrow holds them, with the columns of their identity and their moment.
    places
        Parts that may have them.

    Returns
    -------
    dict
        Path → one flag a row, for the parts that have any.
    """
    pa = arrow()
    if not table.num_rows:
        return {}
    ours = identities(kind, table)
    bounds = pa.compute.min_max(table[kind.moment].cast(pa.int64())).as_py()
    found: dict[Path, Any] = {}
    for place in places:
        for theirs in overlapping(kind, place, bounds["min"], bounds["max"]):
            flags = pa.compute.is_in(ours, value_set=identities(kind, theirs))
            if pa.compute.any(flags).as_py():
                found[place] = pa.compute.or_(found[place], flags) if place in found else flags
    return found


def verify(root: Path, told: Told) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Read every part back and compare it with the manifest.

    Returns
    -------
    dict, list
        By table, how many parts and rows are sound; a sentence for each part that is not.

    Raises
    ------
    CollectorError
        If the folder or its manifest cannot be read at all.
    """
    arrow()
    sound: dict[str, tuple[int, int]] = {kind.name: (0, 0) for kind in KINDS}
    problems = []
    with locked(root) as archive:
        names = sorted(archive.entries)
        for number, name in enumerate(names, start=1):
            told(f"{number:,} of {len(names):,}: {name}")
            try:
                facts = trust(archive, name)
            except FileNotFoundError:
                problems.append(f"{archive.path(name)} is in the manifest and not there: bring it back from a copy")
            except CollectorError as error:
                problems.append(str(error))
            else:
                parts, rows = sound[kind_of(name).name]
                sound[kind_of(name).name] = (parts + 1, rows + facts.rows)
        try:
            problems += [f"{archive.path(name)} is not in {MANIFEST}" for name in archive.unlisted()]
        except CollectorError as error:
            problems.append(str(error))
    return sound, problems
