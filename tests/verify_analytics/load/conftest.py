"""Stores and files with a handful of rows, made by hand and not by the collector."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verify_analytics import model

TABLES = {"callbacks": model.CALLBACKS, "verifications": model.VERIFICATIONS, "pulse": model.PULSE}
# As the contract has them: times are integers, the key of a table pages it.
SCHEMA = """
CREATE TABLE callbacks (callback_id INTEGER PRIMARY KEY AUTOINCREMENT, arrival_id TEXT NOT NULL UNIQUE,
  received_at INTEGER NOT NULL, provider TEXT NOT NULL, session_id TEXT NOT NULL, session_status TEXT, attempt_id TEXT,
  attempt_sequence INTEGER, channel TEXT, channel_status TEXT, error_code TEXT, requested_at INTEGER,
  recipient_key TEXT, country TEXT, number_block TEXT, proof TEXT NOT NULL, digest TEXT NOT NULL, extra TEXT) STRICT;
CREATE TABLE verifications (verification_id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  verified_at INTEGER NOT NULL, received_at INTEGER NOT NULL, UNIQUE (session_id, verified_at)) STRICT;
CREATE TABLE pulse (collector TEXT NOT NULL, minute INTEGER NOT NULL, accepted INTEGER NOT NULL,
  repeated INTEGER NOT NULL, quarantined INTEGER NOT NULL, refused INTEGER NOT NULL, refused_by TEXT NOT NULL,
  PRIMARY KEY (collector, minute)) STRICT, WITHOUT ROWID;
"""
EVERYTHING: dict[str, list[dict[str, Any]]] = {
    "verifications": [{"session_id": "s1", "verified_at": 8.000001, "received_at": 9}],
    "pulse": [
        {
            "collector": "serve",
            "minute": 60 * minute,
            "accepted": 2,
            "repeated": 0,
            "quarantined": 0,
            "refused": 1,
            "refused_by": '{"signature": 1}',
        }
        for minute in (0, 1)
    ],
}


@pytest.fixture
def rows(callback: Any) -> dict[str, list[dict[str, Any]]]:
    """Give a few rows of each table, moments as seconds after the start of the small history."""
    callbacks = [
        callback(1.000001, "sent"),
        callback(5, "delivered", requested_at=0.999999, error_code="000", extra='{"New": "x"}'),
        callback(6, None, attempt_id=None, attempt_sequence=None, channel=None, requested_at=None, country=None),
    ]
    return {"callbacks": callbacks, **EVERYTHING}


Make = Callable[..., Path]


def columns_of(table: str) -> list[str]:
    return [column.name for column in TABLES[table]]


@pytest.fixture
def store(tmp_path: Path, us: Any) -> Make:
    """Make a SQLite store with rows of each table."""

    def make(rows: Mapping[str, Iterable[Mapping[str, Any]]], name: str = "callbacks.db", schema: str = SCHEMA) -> Path:
        file = tmp_path / name
        with closing(sqlite3.connect(file)) as database:
            database.executescript(schema)
            for table, kept in rows.items():
                moments = {column.name for column in TABLES[table] if column.kind == "moment"}
                names = columns_of(table)
                database.executemany(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                    [
                        [us(row[name]) if name in moments and row[name] is not None else row[name] for name in names]
                        for row in kept
                    ],
                )
            database.commit()
        return file

    return make


@pytest.fixture
def us(after: Any) -> Callable[[float], int]:
    """Give the microseconds since 1970 UTC of the moment so many seconds after the start."""
    return lambda seconds: int(after(0).timestamp()) * 1_000_000 + round(seconds * 1_000_000)


@pytest.fixture
def parquet(tmp_path: Path, arrow: Any) -> Make:
    """Write one table as a Parquet file."""

    def write(name: str, rows: Iterable[Mapping[str, Any]], table: str = "callbacks", **more: pa.Array) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        made = arrow(rows, TABLES[table])
        for column, values in more.items():
            made = made.append_column(column, values)
        pq.write_table(made, file)
        return file

    return write


def listed(archive: Path) -> None:
    """Write the manifest that `collector archive` writes."""
    files = sorted(archive.glob("*/*/*.parquet"))
    parts = {
        file.relative_to(archive).as_posix(): {
            "rows": 1,
            "digest": hashlib.sha256(file.read_bytes()).hexdigest(),
            "schema": "0001",
        }
        for file in files
        if file.parts[-3] in TABLES
    }
    (archive / "manifest.json").write_text(json.dumps({"archive_version": 1, "parts": parts}))


@pytest.fixture
def archive(parquet: Any, tmp_path: Path) -> Any:
    """Make an archive that grows by parts, and may lose what it had."""

    class Archive:
        path = tmp_path / "archive"

        def add(self, rows: Iterable[Mapping[str, Any]], name: str, table: str = "callbacks") -> None:
            parquet(f"archive/{table}/day=2026-09-01/{name}.parquet", rows, table)
            self.list()

        def list(self) -> None:
            listed(self.path)

        def lose(self, name: str, table: str = "callbacks") -> None:
            (self.path / f"{table}/day=2026-09-01/{name}.parquet").unlink()
            self.list()

        def empty(self) -> None:
            shutil.rmtree(self.path, ignore_errors=True)

        def days(self) -> Any:
            return sorted(day.name for day in (self.path / "states").glob("day=*"))

    return Archive()
