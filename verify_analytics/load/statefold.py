"""How are kept states brought up to date? New parts are folded by themselves and joined with the states they meet.

A state lies in the day its attempt was requested on (UTC; received on, where no callback tells). Each key lies in one
day alone, so the days together are the fold of everything, and nobody has to join them. A new part therefore asks
where its keys lie already: they are looked for by a short hash of the key, in every day, because a late or odd callback
may belong to any.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from glob import escape
from pathlib import Path
from typing import Any

import narwhals as nw

from verify_analytics.load import frames
from verify_analytics.load.connection import connection, forget, keep, new_name
from verify_analytics.load.statefiles import FOLDER, Day, Folded, Kept, Part, tidy, write
from verify_analytics.model.columns import CALLBACKS, STATES
from verify_analytics.model.fold import fold, merge, with_key
from verify_analytics.model.frames import opened
from verify_analytics.model.moments import EPOCH

DAY_US = 86_400_000_000
# Callbacks that are folded at once: enough that a day of states is not rewritten for every small part.
BATCH = 8_000_000
_COLUMNS = ", ".join(f'"{name}"' for name in STATES)
_HASH = "md5_number_lower(key)"
# A largest that equals its smallest is written as nothing: nearly all do, and writing is what takes the time. It cannot
# be mistaken, for there is a largest wherever there is a smallest. The attempt's id is the key, where it is one.
_PAIRED = {name: name.removesuffix("_max") for name in STATES if name.endswith("_max")}
_WRITTEN = ", ".join(
    f'nullif("{name}", "{_PAIRED[name]}") AS "{name}"' if name in _PAIRED else f'"{name}"'
    for name in STATES
    if name not in {"attempt_id", "attempt_id_max"}
)
_READ = ", ".join(
    f'CASE WHEN is_attempt THEN key END AS "{name}"'
    if name in {"attempt_id", "attempt_id_max"}
    else f'coalesce("{name}", "{_PAIRED[name]}") AS "{name}"'
    if name in _PAIRED
    else f'"{name}"'
    for name in STATES
)
# What a clock that is far off tells has no day that could be named.
_CENTURY = f"{946_684_800_000_000} AND {4_102_444_799_999_999}"
HOME = f"(CASE WHEN requested_us BETWEEN {_CENTURY} THEN requested_us ELSE first_received_us END) // {DAY_US}"


def callbacks_in(archive: Path, parts: Iterable[str]) -> Any:
    """Open some parts of an archive, as `load.callbacks` does."""
    # DuckDB reads names as patterns: run[1] would be run1.
    files = [escape(str(archive / part)) for part in parts]
    read = connection().read_parquet(files, hive_partitioning=False)
    return frames.shaped(read, CALLBACKS, what=f"callbacks in {str(archive)!r}")


def states_in(archive: Path, days: Iterable[Day]) -> Any:
    """Open the states of some days."""
    files = [escape(str(archive / FOLDER / day.file)) for day in days]
    return connection().read_parquet(files, hive_partitioning=False).project(_READ)


def bring_up(archive: Path, kept: Kept, parts: Mapping[str, Part], told: Callable[[int, int], None]) -> None:
    """Fold the parts that are not folded in yet, some at a time; each step is kept before the next one begins.

    Parameters
    ----------
    archive
        Its folder ``states/`` is there and ours alone.
    kept
        What is kept; it is changed.
    parts
        All that the archive has.
    told
        Given how many callbacks are folded of how many.
    """
    if kept.gone:
        _take_out(archive, kept)
    missing = {name: part for name, part in parts.items() if name not in kept.parts}
    total = sum(part.rows for part in missing.values())
    done = 0
    for batch in _batches(missing):
        fresh = keep(fold(callbacks_in(archive, batch)))
        try:
            kept.number += 1
            _join(archive, kept, fresh)
        finally:
            forget(fresh)
        kept.parts.update(_folded(archive, batch))
        write(archive, kept)
        done += sum(part.rows for part in batch.values())
        told(done, total)
    if missing:
        tidy(archive, kept)


def _batches(parts: Mapping[str, Part]) -> Iterator[dict[str, Part]]:
    """Give parts in the order of their days, as many at a time as a batch holds, and at least one."""
    batch: dict[str, Part] = {}
    for name, part in parts.items():
        if batch and sum(each.rows for each in batch.values()) + part.rows > BATCH:
            yield batch
            batch = {}
        batch[name] = part
    if batch:
        yield batch


def _folded(archive: Path, batch: Mapping[str, Part]) -> dict[str, Folded]:
    """Note of each part between when its callbacks were received; the statistics of its file tell."""
    spans = {}
    for name, part in batch.items():
        ends = callbacks_in(archive, [name]).aggregate("min(received_us), max(received_us)").fetchall()[0]
        # Without a callback it has a part in nothing.
        spans[name] = Folded(part.digest, *(ends if ends[0] is not None else (1, 0)))
    return spans


def _take_out(archive: Path, kept: Kept) -> None:
    """Fold anew what parts had a share in that are gone; nothing can be taken out of a minimum.

    An attempt that had callbacks in a part was first heard of before the part's end and last after its begin. Whose
    span meets no such part is as it was.
    """
    spans = [(part.first_received_us, part.last_received_us) for part in kept.gone]
    doubt = " OR ".join(f"(first_received_us <= {high} AND last_received_us >= {low})" for low, high in spans)
    met = [
        name
        for name, day in kept.days.items()
        if any(day.first_received_us <= high and day.last_received_us >= low for low, high in spans)
    ]
    kept.gone = []
    if met:
        held = states_in(archive, [kept.days[day] for day in met]).filter(doubt)
        doubtful = keep(held.project("key, first_received_us, last_received_us"))
        joined = keep(_again(archive, kept, doubtful).project(f"{_COLUMNS}, {HOME} AS home"))
        try:
            kept.number += 1
            homes = [row[0] for row in joined.project("home").distinct().fetchall()]
            for day in sorted({*met, *(_text(home) for home in homes)}):
                _rewrite(archive, kept, day, doubtful, joined)
        finally:
            forget(joined)
            forget(doubtful)
    # Before the list is written: who was erased is in no file from then on, and a list of files that are no more is
    # none, should this be broken off here.
    tidy(archive, kept, at_once=True)
    write(archive, kept)


def _again(archive: Path, kept: Kept, doubtful: Any) -> Any:
    """Fold the callbacks that are left of some attempts."""
    low, high = doubtful.aggregate("min(first_received_us), max(last_received_us)").fetchall()[0]
    parts = [
        name
        for name, part in kept.parts.items()
        if low is not None and part.first_received_us <= high and part.last_received_us >= low
    ]
    # One part at least, for the shape: none of its callbacks need be of these attempts.
    received = callbacks_in(archive, parts or list(kept.parts)[:1])
    of_them = nw.to_native(with_key(opened(received))).join(doubtful.project("key"), "key", how="semi")
    return fold(of_them.project(", ".join(received.columns)))


def _join(archive: Path, kept: Kept, fresh: Any) -> None:
    """Join new states with the kept ones of the same keys, and write the days that either of them lies in."""
    met = days_with(archive, kept.days, fresh)
    whole = fresh.project(_COLUMNS)
    if met:
        before = states_in(archive, [kept.days[day] for day in met])
        known = keep(before.join(fresh.project("key"), "key", how="semi"))
        again = fresh.join(known.project("key"), "key", how="semi").project(_COLUMNS)
        whole = fresh.join(known.project("key"), "key", how="anti").project(_COLUMNS).union(merge(again, known))
    # The day as a column of its own: rows of other days are then left out before the rest of them is read.
    joined = keep(whole.project(f"*, {HOME} AS home"))
    try:
        homes = [row[0] for row in joined.project("home").distinct().fetchall()]
        for day in sorted({*met, *(_text(home) for home in homes)}):
            _rewrite(archive, kept, day, fresh, joined)
    finally:
        forget(joined)
        if met:
            forget(known)


def days_with(archive: Path, days: Mapping[str, Day], keys: Any) -> list[str]:
    """Name the days in which some of these keys lie; a hash that two keys share names one too many."""
    if not days:
        return []
    folder = archive / FOLDER
    by_file = {str(folder / day.file): name for name, day in days.items()}
    files = [escape(file) for file in by_file]
    hashes = keep(keys.project(f"{_HASH} AS key_hash"))
    try:
        there = connection().read_parquet(files, hive_partitioning=False, filename=True)
        found = there.project("key_hash, filename").join(hashes, "key_hash", how="semi")
        return sorted(by_file[name] for (name,) in found.project("filename").distinct().fetchall())
    finally:
        forget(hashes)


def _rewrite(archive: Path, kept: Kept, day: str, fresh: Any, joined: Any) -> None:
    """Write one day anew: what new states do not concern, and of the joined ones those that belong here."""
    here = joined.filter(f"home = {number_of(day)}").project(_COLUMNS)
    old = kept.days.get(day)
    if old is not None:
        here = here.union(states_in(archive, [old]).join(fresh.project("key"), "key", how="anti"))
    folder = archive / FOLDER
    file = f"day={day}/{kept.number:06}.parquet"
    (folder / file).parent.mkdir(exist_ok=True)
    made = folder / f"{file}.new"
    name = new_name("day")
    rows = here.project(f"{_WRITTEN}, {_HASH} AS key_hash")
    rows.create_view(name)
    try:
        target = str(made).replace("'", "''")
        connection().execute(f"COPY {name} TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    finally:
        connection().execute(f"DROP VIEW {name}")
    ends = (
        connection()
        .read_parquet([escape(str(made))])
        .aggregate("count(*) AS rows, min(first_received_us) AS low, max(last_received_us) AS high")
    )
    count, low, high = ends.fetchall()[0]
    if not count:
        made.unlink()
        kept.days.pop(day, None)
        return
    made.replace(folder / file)
    kept.days[day] = Day(file, count, low, high)


def _text(number: int) -> str:
    """Name a day by how many lie between it and the first of 1970.

    >>> _text(20_665)
    '2026-07-31'
    """
    return (EPOCH + timedelta(days=number)).date().isoformat()


def number_of(day: str) -> int:
    """Count the days between this one and the first of 1970.

    >>> number_of("2026-07-31")
    20665
    """
    return (EPOCH.fromisoformat(f"{day}T00:00+00:00") - EPOCH).days
