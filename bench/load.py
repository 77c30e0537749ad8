"""How many rows a second come out of a store, beside the same driver whose rows are thrown away.

A simulated history is written into a SQLite file as the collector keeps it, and into a PostgreSQL that is started for
the run on this machine. Each is read in turns: by ``load.callbacks``, and by the driver alone, one batch after the
other into Arrow, in the same order of columns and size of batches. PostgreSQL also writes the same rows to nowhere in
the format that the driver reads: what it takes before anybody reads. Best of some rounds, within one run.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import psycopg
import pyarrow as pa

from bench._servers import end_politely, machine
from tests.postgres import PostgresServer
from verify_analytics import load, simulate
from verify_analytics.load import stores
from verify_analytics.load.connection import connection
from verify_analytics.model.columns import CALLBACKS

END = datetime(2026, 10, 29, tzinfo=UTC)
# About so many callbacks come of a session of the simulated provider.
A_SESSION = 4.1
BATCH = 50_000


def made(callbacks: int, folder: Path) -> Path:
    """Write a store with about so many callbacks."""
    history = simulate.history(max(1, round(callbacks / A_SESSION)), seed=3, end=END, days=28)
    history.write_archive(folder / "archive")
    rows = load.callbacks(folder / "archive")
    names = [column.name for column in CALLBACKS]
    typed = [
        f"{name} {'TEXT' if column.kind == 'text' else 'INTEGER'}"
        for name, column in zip(names, CALLBACKS, strict=True)
    ]
    values = [f"epoch_us({c.name}) AS {c.name}" if c.kind == "moment" else c.name for c in CALLBACKS]
    store = folder / "callbacks.db"
    with closing(sqlite3.connect(store)) as database:
        database.execute(
            f"CREATE TABLE callbacks (callback_id INTEGER PRIMARY KEY AUTOINCREMENT, {', '.join(typed)}) STRICT"
        )
        put = f"INSERT INTO callbacks ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        for batch in rows.project(", ".join(values)).to_arrow_reader(BATCH):
            database.executemany(put, zip(*(column.to_pylist() for column in batch.columns), strict=True))
        database.commit()
    return store


def copied(store: Path, url: str) -> str:
    """Write what is in the SQLite store into PostgreSQL."""
    from adbc_driver_postgresql import dbapi

    values = [f"epoch_us({c.name}) AS {c.name}" if c.kind == "moment" else c.name for c in CALLBACKS]
    rows = load.callbacks(store)
    with closing(dbapi.connect(url)) as database, closing(database.cursor()) as one:
        one.adbc_ingest("callbacks", rows.project(", ".join(values)).to_arrow_reader(BATCH), mode="create")
        database.commit()
    connection().execute(f'DROP TABLE "{rows.alias}"')
    return url


def driver(store: Path | str) -> int:
    """Read everything with the driver alone."""
    kind = "sqlite" if isinstance(store, Path) else "postgresql"
    dbapi = import_module(f"adbc_driver_{kind}.dbapi")
    place = f"file:{store}?mode=ro" if isinstance(store, Path) else store
    with closing(dbapi.connect(place, autocommit=True)) as database, closing(database.cursor()) as one:
        if isinstance(store, Path):
            one.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(stores.BATCH)})
        one.execute(f"SELECT {', '.join(column.name for column in CALLBACKS)} FROM callbacks")
        return sum(pa.Table.from_batches([batch]).num_rows for batch in one.fetch_record_batch())


def server(url: Path | str) -> int:
    """Let PostgreSQL write everything to nowhere."""
    with psycopg.connect(str(url), autocommit=True) as database:
        asked = f"SELECT {', '.join(column.name for column in CALLBACKS)} FROM callbacks"
        return database.execute(f"COPY ({asked}) TO '/dev/null' (FORMAT binary)").rowcount


def loaded(store: Path | str) -> int:
    """Read everything as an analyst does; the copy goes again."""
    rows = load.callbacks(store)
    count = int(rows.aggregate("count(*)").fetchall()[0][0])
    connection().execute(f'DROP TABLE "{rows.alias}"')
    return count


def taken(work: Callable[[Path | str], int], store: Path | str) -> tuple[int, float]:
    begun = time.perf_counter()
    rows = work(store)
    return rows, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    end_politely()
    postgres = PostgresServer()
    with ExitStack() as stack:
        stack.callback(postgres.remove)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="verify-bench-")))
        store = made(given.callbacks, folder)
        places: dict[str, Path | str] = {
            "SQLite": store,
            "PostgreSQL": copied(store, postgres.start().new_database().replace("+psycopg", "")),
        }
        for kind, place in places.items():
            told(kind, place, given.rounds)


def told(kind: str, place: Path | str, rounds: int) -> None:
    """Read one store in turns, and print how long it took."""
    ways: dict[str, Callable[[Path | str], int]] = {"load.callbacks": loaded, "the driver alone": driver}
    if kind == "PostgreSQL":
        ways["the server alone"] = server
    best: dict[str, float] = {}
    rows = 0
    for _ in range(rounds):
        for way, work in ways.items():
            rows, seconds = taken(work, place)
            best[way] = min(best.get(way, seconds), seconds)
    print(f"{machine()}, {rows:,} callbacks in {kind}; best of {rounds}")
    for way, seconds in best.items():
        print(f"{way:<18}{seconds:>8.2f} s{rows / seconds:>12,.0f} rows/s{seconds / best['the driver alone']:>8.2f}×")


if __name__ == "__main__":
    main()
