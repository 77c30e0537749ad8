"""What lies in the folder of settled attempts, and what is it made of? Its list, and files that are never changed.

Nodes are the files that sessions are settled from: the states of one UTC day, or a part of the reports. Two nodes are
linked when they know of one session. Spans are settled together: the sessions whose earliest state lies in some days. A
span stands as long as neither the states of its days nor anything linked with them has changed.
"""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

from verify_analytics.load.connection import connection
from verify_analytics.load.statefiles import locked, replaced
from verify_analytics.model.apart import SETTLED_VERSION
from verify_analytics.model.columns import STATES_VERSION

LIST = "settled.json"
KINDS = ("attempts", "sessions", "minutes")
_OURS = ("sessions-of", "from=*", "now")


class Node(NamedTuple):
    """A file that sessions are settled from.

    ``mark`` changes whenever the file does; ``number`` names it in what is kept of its sessions; ``links`` are the
    names of nodes that know of a session that it knows, itself left out.
    """

    mark: str
    number: int
    last_received_us: int
    links: tuple[str, ...]


class Reach(NamedTuple):
    """Of a part: the rows of its attempts; between when its sessions began, and its attempts first and last started."""

    rows: int
    begun: tuple[int, int]
    started: tuple[int, int]


class Span(NamedTuple):
    """Days that were settled together, and the parts that came of it."""

    days: tuple[str, ...]
    parts: dict[str, Reach]


@dataclass
class Settled:
    """What the folder's list says: nodes by name, and spans."""

    nodes: dict[str, Node] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    number: int = 0

    def next(self) -> int:
        """Give a number that no file has."""
        self.number += 1
        return self.number

    def linked(self, names: Collection[str]) -> set[str]:
        """Name nodes and all that is linked with them."""
        found = set(names)
        for name in names:
            if name in self.nodes:
                found.update(self.nodes[name].links)
        return found


def read(place: Path) -> Settled:
    """Read what is kept; nothing, where it is of another format or not whole."""
    try:
        told = json.loads((place / LIST).read_text())
        nodes = {
            name: Node(str(mark), int(number), int(last), tuple(links))
            for name, (mark, number, last, links) in told["nodes"].items()
        }
        spans = [
            Span(
                (*days,), {part: Reach(rows, (*begun,), (*started,)) for part, (rows, begun, started) in parts.items()}
            )
            for days, parts in told["spans"]
        ]
        settled = Settled(nodes, spans, int(told["number"]))
        is_ours = told["version"] == [STATES_VERSION, SETTLED_VERSION]
        rows = {part: reach.rows for span in settled.spans for part, reach in span.parts.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Settled()
    whole = all(_rows(place / name_of(part, "attempts")) == count for part, count in rows.items())
    there = all(_rows(place / name_of(part, kind)) >= 0 for part in rows for kind in KINDS)
    known = all(_rows(sessions_file(place, node.number)) >= 0 for node in nodes.values())
    return settled if is_ours and whole and there and known else Settled(number=settled.number)


def _rows(file: Path) -> int:
    """Count rows by the last bytes of a file; -1 where they tell none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(file).num_rows)
    except (OSError, pa.ArrowException):
        return -1


def write(place: Path, settled: Settled) -> None:
    """Put another list in the place of the old one."""
    told = {
        "version": [STATES_VERSION, SETTLED_VERSION],
        "number": settled.number,
        "nodes": {name: list(node) for name, node in sorted(settled.nodes.items())},
        "spans": sorted(settled.spans),
    }
    replaced(place / LIST, told)


def tidy(place: Path, settled: Settled, now: Collection[str]) -> None:
    """Remove files of ours that neither the list nor this call names."""
    parts = [*(part for span in settled.spans for part in span.parts), *now]
    named = {place / name_of(part, kind) for part in parts for kind in KINDS}
    named.update(sessions_file(place, node.number) for node in settled.nodes.values())
    for folder in (found for pattern in _OURS for found in place.glob(pattern) if found.is_dir()):
        for file in folder.glob("*.parquet*"):
            if file not in named:
                file.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()


def name_of(part: str, kind: str) -> str:
    """Name the file of one kind of a part, from the folder on.

    >>> name_of("from=2026-10-28/000012", "sessions")
    'from=2026-10-28/000012-sessions.parquet'
    """
    return f"{part}-{kind}.parquet"


def sessions_file(place: Path, number: int) -> Path:
    """Name the file that says which sessions a node knows."""
    return place / "sessions-of" / f"{number:06}.parquet"


def opened(place: Path, parts: Collection[str], kind: str) -> Any:
    """Open one kind of some parts."""
    # DuckDB reads names as patterns: run[1] would be run1.
    files = [escape(str(place / name_of(part, kind))) for part in parts]
    return connection().read_parquet(files, hive_partitioning=False)


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Make the folder and keep others from changing it.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    place.mkdir(parents=True, exist_ok=True)
    descriptor = locked(place)
    try:
        yield
    finally:
        os.close(descriptor)


def mark_of(file: Path) -> str:
    """Say what changes when a file of states does.

    Its name alone does not tell: whoever deletes the states lets the numbers of their files begin anew.
    """
    told = file.stat()
    return f"{file.name} {told.st_size} {told.st_mtime_ns}"
