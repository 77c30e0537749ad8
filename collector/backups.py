"""Copies a SQLite store while it is written to, and puts a copy in the place of a store that was lost.

A copy is one moment of the store, written anew: nothing that was deleted comes along. It gets its name only when all of
it is on the disk. Beside it stands a small file of JSON that says what is in it, so that years later it can be checked
without the store it came from. The pepper is in neither: without it a restored store does not start.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from collector import __version__
from collector.door import checks_of
from collector.engines import LEAST_SPACE, flush, make_file, partial_of, sqlite_module
from collector.errors import CollectorError
from collector.moments import written
from collector.settings import Settings
from collector.store import SCHEMA, sqlite_file
from collector.tally import Tally

PAGE = 1_000
COPIED_AT_ONCE = 1 << 20
TICKS = 100_000
"""Steps of SQLite's machine between two looks at whether somebody wants to end this."""


def backup(
    url: str, destination: Path, now: int, *, keep: int | None = None, told: Callable[[str], None] = lambda _: None
) -> tuple[Path, dict[str, Any]]:
    """Copy a store.

    Parameters
    ----------
    url
        Of a SQLite store.
    destination
        A file that is not there yet, or a folder, in which the copy is named after the store and the moment.
    now
        Microseconds since 1970.
    keep
        How many copies of this store stay in the folder; the oldest go once the new one is safe.
    told
        Given a sentence after each step.

    Returns
    -------
    Path, dict
        The copy, and what is in it.

    Raises
    ------
    CollectorError
        If there is no store, something stands in the way, or there is no room.
    """
    source = sqlite_file(url)
    if source is None:
        raise CollectorError(
            "backup copies a SQLite store; for PostgreSQL run pg_dump --format=custom --file=FILE DATABASE (and "
            "pg_restore), or copy it to a SQLite file with `collector move --to sqlite:///FILE`"
        )
    if not source.is_file():
        raise CollectorError(f"there is no store at {source} to copy")
    is_folder = destination.is_dir()
    if keep is not None and not is_folder:
        raise CollectorError(f"--keep counts the copies in a folder, and {destination} is none: make it first")
    stamp = re.sub(r"[-:]", "", written(now))
    target = destination / f"{source.stem}-{stamp}.db" if is_folder else destination
    with _sole_in(target.absolute().parent) as folder:
        if is_folder:
            _sweep(folder, source.stem)
        made = _write(source, target.absolute(), now, told)
        if keep is not None:
            # A clock may be set back, and the one just made be the oldest by its name.
            others = [copy for copy in _copies(folder, source.stem) if copy.name != target.name]
            for old in others[: max(len(others) + 1 - keep, 0)]:
                old.unlink()
                _beside(old).unlink(missing_ok=True)
                told(f"{old.name} is gone, {keep} stay")
    return target, made


def verify(copy: Path, settings: Settings | None, told: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Check that a copy is whole, that it is what the file beside it says, and that the peppers at hand fit it.

    Parameters
    ----------
    copy
        From `backup`.
    settings
        With the peppers; None leaves them out.
    told
        Given a sentence after each step.

    Returns
    -------
    dict
        What is in it.

    Raises
    ------
    CollectorError
        Saying what does not fit.
    """
    said = _said_of(copy)
    with _reading(copy, f"the copy {copy}") as connection:
        told("checking every page")
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        if problems != ["ok"]:
            raise CollectorError(f"the copy {copy} is damaged: {problems[0].splitlines()[0]}")
        told("adding up every row")
        found = _describe(connection)
        for what in ("schema", "rows", "digest"):
            if found[what] != said.get(what):
                raise CollectorError(
                    f"the copy {copy} does not hold what {_beside(copy).name} says: {what} is {found[what]} and not "
                    f"{said.get(what)}"
                )
        if settings is not None:
            _need_peppers(connection, checks_of(settings))
    return {**said, **found}


def restore(
    copy: Path, settings: Settings, told: Callable[[str], None] = lambda _: None
) -> tuple[Path, dict[str, Any]]:
    """Put a copy in the place of a store that is not there, and check it there once more.

    The caller holds the lock of the store against a server.

    Raises
    ------
    CollectorError
        If there is a store, or a log of one that was; if the copy is not what it says; if a pepper is missing.
    """
    place = sqlite_file(settings.database_url)
    if place is None:
        raise CollectorError(
            "restore puts a SQLite store in its place; for PostgreSQL use pg_restore, or `collector move` from a "
            "restored SQLite store"
        )
    # A log that is left of another store would be read into this one, and ruin it.
    there = [
        file for file in (place, *(Path(f"{place}{end}") for end in ("-wal", "-shm", "-journal"))) if file.exists()
    ]
    if there:
        raise CollectorError(f"{there[0]} is there, and restore overwrites nothing: move it away first")
    found = verify(copy, settings, told)
    if found["schema"] != SCHEMA:
        told(f"the copy stands at schema {found['schema']}: run `collector migrate` before you serve")
    partial = partial_of(place)
    told(f"copying it to {place}")
    partial.unlink(missing_ok=True)
    try:
        with copy.open("rb") as source, os.fdopen(make_file(partial), "wb") as made:
            shutil.copyfileobj(source, made, COPIED_AT_ONCE)
            made.flush()
            os.fsync(made.fileno())
        # A link, because renaming would overwrite a store that came meanwhile. Whoever is killed before the other name
        # is gone leaves it to the next one who holds the lock.
        os.link(partial, place)
    except FileExistsError:
        raise CollectorError(f"{place} is there by now, and restore overwrites nothing: move it away first") from None
    finally:
        partial.unlink(missing_ok=True)
    flush(place.parent)
    with _reading(place, f"the store {place}") as connection:
        if _describe(connection)["digest"] != found["digest"]:
            raise CollectorError(f"the store {place} is not what the copy was: move it away and restore again")
    return place, found


def _write(source: Path, target: Path, now: int, told: Callable[[str], None]) -> dict[str, Any]:
    for file in (target, _beside(target)):
        if file.exists():
            raise CollectorError(f"{file} is there, and backup overwrites nothing: name another file")
    octets = source.stat().st_size
    disk = os.statvfs(target.parent)
    if disk.f_bavail * disk.f_frsize < octets + LEAST_SPACE:
        raise CollectorError(
            f"{target.parent} has too little room: a copy needs {octets / 1e6:,.0f} MB and leaves "
            f"{LEAST_SPACE / 1e6:,.0f} MB free"
        )
    partial, beside = partial_of(target), partial_of(_beside(target))
    try:
        _clear(partial)
        # Made here, so that it is its owner's alone from the first byte on; SQLite fills an empty file.
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with _reading(source, f"the store {source}") as connection:
            told(f"copying {octets / 1e6:,.1f} MB")
            connection.execute("VACUUM INTO ?", (str(partial),))
        flush(partial)
        told("adding up every row")
        with _reading(partial, f"the copy {partial}") as connection:
            made = _describe(connection)
        made |= {"made_at": written(now), "sqlite": sqlite_module().sqlite_version, "collector": __version__}
        made |= {"bytes": partial.stat().st_size}
        beside.write_text(json.dumps(made, indent=2) + "\n")
        beside.chmod(0o600)
        flush(beside)
        beside.rename(_beside(target))
        partial.rename(target)
        flush(target.parent)
    finally:
        _clear(partial)
        beside.unlink(missing_ok=True)
    return made


def _clear(partial: Path) -> None:
    """Take away a copy that was cut off, and its journal: SQLite would undo the next copy by it."""
    partial.unlink(missing_ok=True)
    partial.with_name(f"{partial.name}-journal").unlink(missing_ok=True)


@contextmanager
def _reading(path: Path, what: str) -> Iterator[Any]:
    """Open a SQLite file for reading; a key that interrupts is heard also while SQLite works."""
    module = sqlite_module()
    try:
        with closing(
            module.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        ) as connection:
            # While it is called, Python hears signals; an exception in it ends the statement.
            connection.set_progress_handler(lambda: 0, TICKS)
            yield connection
    except module.Error as error:
        raise CollectorError(f"{what} cannot be read or copied: {str(error).splitlines()[0]}") from None


def _describe(connection: Any) -> dict[str, Any]:
    """Say what a store of any release holds: its schema, the number of its rows, and a digest over all of them."""
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    tables = sorted(name for (name,) in names)
    if "alembic_version" not in tables:
        raise CollectorError("this is no collector's store: it has no table alembic_version")
    sums = {}
    for table in tables:
        sums[table] = Tally()
        rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name that SQLite itself gave
        while page := rows.fetchmany(PAGE):
            sums[table].add(page)
    all_of_it = Tally()
    all_of_it.add((table, sums[table].rows, sums[table].digest) for table in tables)
    (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("none",)
    return {"schema": schema, "rows": {table: sums[table].rows for table in tables}, "digest": all_of_it.digest}


def _need_peppers(connection: Any, offered: Mapping[str, str]) -> None:
    known = connection.execute("SELECT key_id, check_value FROM peppers ORDER BY pepper_id").fetchall()
    for key, value in known:
        if offered.get(key) != value:
            raise CollectorError(
                f"COLLECTOR_PEPPER lacks the pepper {key} that this copy was written with: it is kept apart from every "
                "backup; add it again, oldest first, or the copy cannot be served"
            )


def _said_of(copy: Path) -> dict[str, Any]:
    if not copy.is_file():
        raise CollectorError(f"there is no copy at {copy}")
    beside = _beside(copy)
    try:
        said = json.loads(beside.read_text())
    except FileNotFoundError:
        raise CollectorError(f"{beside} is missing: without it nobody can say whether the copy is whole") from None
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise CollectorError(f"{beside} does not say what the copy holds")
    return said


def _beside(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}.json")


def _copies(folder: Path, stem: str) -> list[Path]:
    pattern = re.compile(rf"{re.escape(stem)}-\d{{8}}T\d{{6}}Z\.db")
    return sorted(file for file in folder.iterdir() if pattern.fullmatch(file.name))


def _sweep(folder: Path, stem: str) -> None:
    """Take away what a copy that was cut off has left, the file beside it included."""
    for file in folder.glob(f"{partial_of(Path(f'{stem}-*'))}*"):
        file.unlink()
    for beside in folder.glob(f"{stem}-*.db.json"):
        if not beside.with_suffix("").exists():
            beside.unlink()


@contextmanager
def _sole_in(folder: Path) -> Iterator[Path]:
    """Let one copy at a time be made in a folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise CollectorError(f"there is no folder {folder}: make it first") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CollectorError(f"another copy is being made in {folder}: wait for it") from None
        yield folder
    finally:
        os.close(descriptor)
