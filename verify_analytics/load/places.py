"""What is it that the analyst named? Told by what is in a file; CSV has no mark inside, so its name tells."""

from enum import Enum, auto
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError as UnreadableURL

from verify_analytics.errors import ArgumentError, NotFoundError, SchemaError, near_name

_SQLITE_MAGIC = b"SQLite format 3\0"
_PARQUET_MAGIC = b"PAR1"
_CSV = (".csv", ".tsv", ".txt")
_WHAT = "a SQLite store, a PostgreSQL URL, a Parquet or CSV file, an archive folder or a dataframe"


class Place(Enum):
    """The kinds of places callbacks are kept in."""

    FRAME = auto()
    SQLITE = auto()
    POSTGRESQL = auto()
    PARQUET = auto()
    CSV = auto()
    ARCHIVE = auto()


STORES = (Place.SQLITE, Place.POSTGRESQL)
FILES = (Place.PARQUET, Place.ARCHIVE)
"""Kinds of places that hold our own shape, and may be read together."""


def place_of(where: Any) -> Place:
    """Say what kind of place this is.

    Raises
    ------
    NotFoundError
        If there is no such file or folder.
    SchemaError
        If the file is neither SQLite nor Parquet nor called as CSV files are: ``.csv``, ``.tsv``, ``.txt``, or with
        ``.gz`` behind it.
    ArgumentError
        If it is a URL of another database.
    """
    if where is None:
        raise ArgumentError(f"nothing was named; give {_WHAT}")
    if isinstance(where, str) and "://" in where:
        return Place.SQLITE if _url(where).get_backend_name() == "sqlite" else Place.POSTGRESQL
    if not isinstance(where, str | Path):
        return Place.FRAME
    path = _existing(Path(where))
    return Place.ARCHIVE if path.is_dir() else _kind_of_file(path)


def url_of(where: str) -> URL:
    """Read a database URL that `place_of` has accepted."""
    return _url(where)


def file_of(where: str | Path) -> Path:
    """Give the file of a SQLite store, named by its path or its URL."""
    if isinstance(where, Path) or "://" not in where:
        return Path(where)
    database = _url(where).database
    if database in {None, "", ":memory:"}:
        raise ArgumentError("a SQLite URL needs a file: sqlite:///FILE")
    path = _existing(Path(str(database)))
    if path.is_dir() or _kind_of_file(path) is not Place.SQLITE:
        raise SchemaError(f"{path} is no SQLite store")
    return path


def _url(where: str) -> URL:
    try:
        url = make_url(where)
    except UnreadableURL:
        raise ArgumentError(f"this is no database URL; give {_WHAT}") from None
    backend = url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise ArgumentError(f"a store is kept in SQLite or PostgreSQL, not in {backend!r}; give {_WHAT}")
    return url


def _existing(path: Path) -> Path:
    if not path.exists():
        if not path.parent.is_dir():
            raise NotFoundError(f"no file or folder {str(path)!r}: there is no folder {str(path.parent)!r}")
        beside = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")][:20]
        raise NotFoundError(f"no file or folder {str(path)!r}; {near_name(path.name, beside)}")
    return path


def _kind_of_file(path: Path) -> Place:
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise NotFoundError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if head == _SQLITE_MAGIC:
        return Place.SQLITE
    if head.startswith(_PARQUET_MAGIC):
        return Place.PARQUET
    if path.name.lower().removesuffix(".gz").endswith(_CSV):
        return Place.CSV
    raise SchemaError(f"{str(path)!r} is neither a SQLite store nor a Parquet file, nor called .csv; give {_WHAT}")
