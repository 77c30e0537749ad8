"""How are attempts worked out that are more than memory holds? Some sessions after the others, into files.

An engine that joins and groups more than it may hold writes the whole to the disk and reads it again, several times.
Sessions know nothing of each other but when the sources reported, which is a small table by minute: so it is made
first, of all of them, and then sessions are finished one part at a time, each part in memory.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from verify_analytics.errors import ArgumentError, VerifyAnalyticsError
from verify_analytics.load.connection import connection, forget, keep
from verify_analytics.load.watching import tell
from verify_analytics.model.finish import finish_some, minutes_of_reports
from verify_analytics.model.sessions import sessions

# States of one part.
PART = 3_000_000
NAMES = ("attempts", "sessions")


class Finished(NamedTuple):
    """Attempts and sessions, each a DuckDB relation over files."""

    attempts: duckdb.DuckDBPyRelation
    sessions: duckdb.DuckDBPyRelation


def on_duckdb(states: Any) -> duckdb.DuckDBPyRelation:
    """Refuse what a dataframe was made into.

    Raises
    ------
    ArgumentError
        If the states are no relation of DuckDB.
    """
    if isinstance(states, duckdb.DuckDBPyRelation):
        return states
    raise ArgumentError(
        f"{type(states).__name__} is in memory as a whole already; give an archive, a store or a Parquet file, "
        "or use model.attempts and model.sessions"
    )


def finished_in(
    folder: str | Path,
    states: duckdb.DuckDBPyRelation,
    *,
    as_of: str | datetime,
    patience: str | timedelta,
    window: str | timedelta,
    verifications: Any,
    pulse: Any,
) -> Finished:
    """Finish states part by part into a folder; what was in it before is replaced once the last part is there."""
    place = Path(folder)
    making = place / ".making"
    try:
        with _unordered():
            _make(making, states, as_of=as_of, patience=patience, window=window, told=verifications, pulse=pulse)
        for name in NAMES:
            shutil.rmtree(place / name, ignore_errors=True)
            (making / name).rename(place / name)
    except (OSError, duckdb.IOException) as error:
        raise VerifyAnalyticsError(
            f"{str(place)!r} could not be written: {str(error).splitlines()[0]}; give a folder on a disk with room for "
            "about 140 bytes a callback, and as much beside it while it is made"
        ) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Finished(*(_read(place / name) for name in NAMES))


def _make(
    making: Path,
    states: Any,
    *,
    as_of: str | datetime,
    patience: str | timedelta,
    window: str | timedelta,
    told: Any,
    pulse: Any,
) -> None:
    # Left behind by a run that was killed.
    shutil.rmtree(making, ignore_errors=True)
    for name in NAMES:
        (making / name).mkdir(parents=True)
    whole = states.aggregate("count(*)").fetchall()[0][0]
    parts = max(1, -(-whole // PART))
    minutes = keep(minutes_of_reports(states, as_of=as_of, verifications=told))
    try:
        for number in range(parts):
            # All rows of a session lie in one part.
            here = f"hash(session_id) % {parts} = {number}"
            known = None if told is None else told.filter(here)
            # Finishing reads them several times over; from the files each time would be all of them.
            some = keep(states.filter(here))
            try:
                made = finish_some(some, minutes, as_of=as_of, patience=patience, verifications=known, pulse=pulse)
                file = making / "attempts" / f"part-{number:04}.parquet"
                _write(made, file)
            finally:
                forget(some)
            _write(sessions(_read(file), window=window), making / "sessions" / file.name)
            tell("attempts", whole * (number + 1) // parts, whole)
    finally:
        forget(minutes)


@contextmanager
def _unordered() -> Iterator[None]:
    """Let rows be written as they come: none has to wait in memory for those that stand before it."""
    connection().execute("SET preserve_insertion_order = false")
    try:
        yield
    finally:
        connection().execute("RESET preserve_insertion_order")


def _write(relation: Any, file: Path) -> None:
    relation.to_parquet(str(file), compression="lz4")


def _read(place: Path) -> Any:
    # DuckDB reads names as patterns: run[1] would be run1.
    files = sorted(place.glob("*.parquet")) if place.is_dir() else [place]
    return connection().read_parquet([escape(str(file)) for file in files], hive_partitioning=False)
