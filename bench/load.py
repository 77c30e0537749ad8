"""How many rows a second come out of a store, beside the same driver whose rows are thrown away.

A simulated history is written into a SQLite file as the collector keeps it, and read in turns: by ``load.callbacks``,
and by the driver alone, page by page into Arrow. Best of some rounds, within one run.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from bench._servers import end_politely, machine
from verify_analytics import load, simulate
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


def driver(store: Path) -> int:
    """Read everything with the driver alone."""
    from adbc_driver_sqlite import dbapi

    with (
        closing(dbapi.connect(f"file:{store}?mode=ro", autocommit=True)) as database,
        closing(database.cursor()) as one,
    ):
        one.execute("SELECT * FROM callbacks")
        return sum(pa.Table.from_batches([batch]).num_rows for batch in one.fetch_record_batch())


def loaded(store: Path) -> int:
    """Read everything as an analyst does; the copy goes again."""
    rows = load.callbacks(store)
    count = int(rows.aggregate("count(*)").fetchall()[0][0])
    connection().execute(f'DROP TABLE "{rows.alias}"')
    return count


def taken(work: Callable[[Path], int], store: Path) -> tuple[int, float]:
    begun = time.perf_counter()
    rows = work(store)
    return rows, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    end_politely()
    with tempfile.TemporaryDirectory(prefix="verify-bench-") as name:
        store = made(given.callbacks, Path(name))
        ways: dict[str, Callable[[Path], int]] = {"load.callbacks": loaded, "the driver alone": driver}
        best: dict[str, float] = {}
        rows = 0
        for _ in range(given.rounds):
            for way, work in ways.items():
                rows, seconds = taken(work, store)
                best[way] = min(best.get(way, seconds), seconds)
        print(f"{machine()}, {rows:,} callbacks in SQLite; best of {given.rounds}")
        for way, seconds in best.items():
            print(
                f"{way:<18}{seconds:>8.2f} s{rows / seconds:>12,.0f} rows/s{seconds / best['the driver alone']:>8.2f}×"
            )


if __name__ == "__main__":
    main()
