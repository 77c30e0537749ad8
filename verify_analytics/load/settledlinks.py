"""Which files know of one session? Kept beside them as short hashes; only what is new is compared with the rest.

A hash that two sessions share links two files too many, which costs time and changes nothing.
"""

from collections.abc import Callable, Collection, Mapping
from glob import escape
from pathlib import Path
from typing import Any

from verify_analytics.load.connection import connection, forget, keep
from verify_analytics.load.settledfiles import Node, Settled, sessions_file

HASH = "md5_number_lower(session_id)"
# Hashes that are compared at once: they are held in memory.
AT_ONCE = 20_000_000


def bring_up(
    place: Path,
    settled: Settled,
    marks: Mapping[str, str],
    *,
    rows_of: Callable[[str], Any],
    last_of: Callable[[str], int],
) -> None:
    """Let the nodes be those that there are now, and drop the spans that something linked has changed of.

    Parameters
    ----------
    place
        The folder, ours alone.
    settled
        Its list; it is changed.
    marks
        Of each node that there is now: its mark.
    rows_of, last_of
        Give the rows of a node, and when the last of them was received.
    """
    gone = {name for name in settled.nodes if name not in marks}
    known = {name: node.mark for name, node in settled.nodes.items()}
    changed = {name for name, mark in marks.items() if known.get(name) != mark}
    if not gone and not changed:
        return
    touched = settled.linked(gone | changed)
    for name in gone:
        del settled.nodes[name]
    for name in sorted(changed):
        number = settled.next()
        _write_sessions(place, number, rows_of(name))
        settled.nodes[name] = Node(marks[name], number, last_of(name), ())
    _link(place, settled, changed, gone)
    touched |= settled.linked(changed)
    settled.spans = [span for span in settled.spans if touched.isdisjoint(span.days)]


def nodes_with(place: Path, settled: Settled, sessions: Any) -> set[str]:
    """Name the nodes that know of some of these sessions (``session_id``)."""
    if not settled.nodes:
        return set()
    asked = keep(sessions.project(f"{HASH} AS session_hash").distinct())
    try:
        found = _all(place, settled).join(asked, "session_hash", how="semi").project("node").distinct().fetchall()
    finally:
        forget(asked)
    numbers = {node.number: name for name, node in settled.nodes.items()}
    return {numbers[number] for (number,) in found}


def _write_sessions(place: Path, number: int, rows: Any) -> None:
    file = sessions_file(place, number)
    file.parent.mkdir(exist_ok=True)
    hashes = rows.project(f"{HASH} AS session_hash").distinct().project(f"session_hash, {number}::UINTEGER AS node")
    hashes.to_parquet(str(file), compression="lz4")


def _all(place: Path, settled: Settled) -> Any:
    files = [escape(str(sessions_file(place, node.number))) for node in settled.nodes.values()]
    return connection().read_parquet(files, hive_partitioning=False)


def _link(place: Path, settled: Settled, changed: Collection[str], gone: Collection[str]) -> None:
    """Look for the sessions of nodes that changed in all nodes, and write down who knows of them."""
    links = {
        name: {other for other in node.links if other not in changed and other not in gone}
        for name, node in settled.nodes.items()
    }
    numbers = {node.number: name for name, node in settled.nodes.items()}
    mine = {settled.nodes[name].number for name in changed}
    for one, other in _pairs(place, settled, mine):
        links[numbers[one]].add(numbers[other])
        links[numbers[other]].add(numbers[one])
    for name, node in settled.nodes.items():
        settled.nodes[name] = node._replace(links=tuple(sorted(links[name])))


def _pairs(place: Path, settled: Settled, mine: Collection[int]) -> set[tuple[int, int]]:
    """Give the pairs of different nodes that know of one session, of which the first is one of `mine`."""
    if not mine:
        return set()
    files = [escape(str(sessions_file(place, number))) for number in sorted(mine)]
    asked = connection().read_parquet(files, hive_partitioning=False)
    rows = asked.aggregate("count(*)").fetchall()[0][0]
    steps = max(1, -(-rows // AT_ONCE))
    whole = _all(place, settled).project("session_hash, node AS other")
    found: set[tuple[int, int]] = set()
    for step in range(steps):
        here = f"session_hash % {steps} = {step}"
        some = keep(asked.filter(here))
        try:
            pairs = whole.filter(here).join(some, "session_hash").filter("node <> other")
            found.update(pairs.project("node, other").distinct().fetchall())
        finally:
            forget(some)
    return found
