"""Opens a store so that what was acknowledged is still there after a power cut.

One engine writes (SQLite in WAL with every commit flushed, or PostgreSQL with synchronous commits), another only reads.
"""

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from collector import postgresql
from collector.disks import refuse_shared
from collector.errors import CollectorError

# SQLite before 3.51.3 can lose committed pages when two connections write or checkpoint at one moment.
SOUND_SQLITE = (3, 51, 3)
# Shorter than the three seconds a request waits for its commit, so that a held lock becomes a clear answer.
LOCK_WAIT_MS = 2_500
# Room for the write-ahead log at its largest and some hours of callbacks.
LEAST_SPACE = 128 * 1024 * 1024


def sqlite_module() -> ModuleType:
    """Choose the SQLite that keeps what it has committed: the bundled one where Python's own is too old."""
    if sqlite3.sqlite_version_info >= SOUND_SQLITE:
        return sqlite3
    try:
        import pysqlite3.dbapi2 as bundled
    except ImportError:
        raise CollectorError(
            f"SQLite {sqlite3.sqlite_version} of this Python can lose committed rows; "
            f"install the package pysqlite3 or a Python with SQLite {'.'.join(map(str, SOUND_SQLITE))} or newer"
        ) from None
    module: ModuleType = bundled
    return module


def parsed(url: str) -> URL:
    """Read a database URL.

    Raises
    ------
    CollectorError
        If it is no URL, names another database than SQLite and PostgreSQL, or SQLite without a file.
    """
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        made = None
    if made is None or "\0" in (made.database or ""):
        raise CollectorError("COLLECTOR_DATABASE_URL is no database URL; try sqlite:///data/callbacks.db")
    backend = made.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise CollectorError(f"a store is kept in SQLite or PostgreSQL, not in {backend!r}")
    if backend == "sqlite" and made.database in {None, "", ":memory:"}:
        raise CollectorError("a store in memory would forget what it has acknowledged; name a file: sqlite:///FILE")
    return made


def sqlite_file(url: str) -> Path | None:
    """Name the file of a SQLite store, the same however it is spelled or linked to; None for PostgreSQL."""
    made = parsed(url)
    return Path(os.path.realpath(made.database or "")) if made.get_backend_name() == "sqlite" else None


def has_space(url: str) -> bool:
    """Say whether the disk of a SQLite store has room to go on; PostgreSQL's disk is not ours to see."""
    path = sqlite_file(url)
    if path is None:
        return True
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize >= LEAST_SPACE


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, so that their names survive a power cut."""
    for place in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
        place.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _give_away(descriptor, place.parent)
        finally:
            os.close(descriptor)
        flush(place.parent)


def partial_of(path: Path) -> Path:
    """Name the file in which another one grows before it gets its name."""
    return path.with_name(f".{path.name}.partial")


def make_file(path: Path) -> int:
    """Make an empty file for its owner alone, and give its descriptor.

    What root makes in the folder of a service is the service's, which could not open its own store otherwise.

    Raises
    ------
    FileExistsError
        If it is there: what somebody else put there, a link to elsewhere perhaps, is never given away.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, stat.S_IRUSR | stat.S_IWUSR)
    try:
        _give_away(descriptor, path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _give_away(descriptor: int, folder: Path) -> None:
    """Give what root has made to the owner of the folder it was made in."""
    owner = folder.stat()
    if os.geteuid() == 0 != owner.st_uid:
        # In a container root may be forbidden to: then it is root that serves there.
        with suppress(PermissionError):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create_file(path: Path) -> None:
    """Create an empty store readable by its owner alone, so that its name survives a power cut as its rows do."""
    if path.exists():
        return
    make_folder(path.parent)
    # SQLite gives its -wal and -shm files the mode and the owner of the file they belong to.
    with suppress(FileExistsError):
        os.close(make_file(path))
    flush(path.parent)


def writer_engine(url: str, *, silence: float | None = None) -> Engine:
    """Open a store for writing so that what COMMIT has returned for survives a power cut.

    A SQLite file is created (mode 0600) where there is none. The durability settings are read back on each connection.

    Parameters
    ----------
    url
        Of the store.
    silence
        Seconds PostgreSQL may say nothing before a connection is given up; None where a statement may take its time.

    Raises
    ------
    CollectorError
        If the URL is not a store's, the file cannot be created or would lie on another machine's disk, or the database
        does not take the settings.
    """
    path = sqlite_file(url)
    if path is None:
        return postgresql.engine_of(parsed(url), writes=True, silence=silence)
    try:
        refuse_shared(path)
        _create_file(path)
    except OSError as error:
        raise CollectorError(f"the store {path} cannot be created: {error.strerror}") from None
    engine = create_engine(f"sqlite:///{path}", module=sqlite_module(), poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # Python's own idea of when a transaction begins is not SQLite's: we say BEGIN ourselves, below.
        connection.isolation_level = None
        wanted = {"busy_timeout": LOCK_WAIT_MS, "journal_mode": "wal", "synchronous": 2, "mmap_size": 0}
        for name, value in wanted.items():
            connection.execute(f"PRAGMA {name} = {value}")
            got = connection.execute(f"PRAGMA {name}").fetchone()[0]
            if got != value:
                raise CollectorError(
                    f"SQLite took {got!r} for {name} where {value!r} was asked: rows would not be safe"
                )
        connection.execute("PRAGMA journal_size_limit = 67108864")
        # A page that is split or emptied keeps no copy of a row, so that erasing the row erases it from the file.
        connection.execute("PRAGMA secure_delete = FAST")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Reading first and writing later in a deferred transaction fails at once, without waiting for the lock.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def reader_engine(url: str) -> Engine:
    """Open a store for reading beside the process that writes it; nothing can be written through it.

    Raises
    ------
    CollectorError
        If there is no such store.
    """
    path = sqlite_file(url)
    if path is None:
        return postgresql.engine_of(parsed(url), writes=False)
    if not path.is_file():
        raise CollectorError(f"there is no store at {path}; `collector serve` or `collector replay` makes one")
    module = sqlite_module()
    address = f"{path.as_uri()}?mode=ro"
    return create_engine(
        "sqlite://", creator=lambda: module.connect(address, uri=True), module=module, poolclass=NullPool,
        hide_parameters=True,
    )  # fmt: skip
