"""What an archive costs: closed days from a SQLite store to Parquet, read back and deleted, against a plain copy.

The same rows, each time in a process of its own: read by the driver and thrown away; copied to Parquet and no more;
and brought over by `collector archive`, whose time is told by what it was spent on. Its memory is read from the kernel,
for a day of this size and for one of a quarter of it.
"""

import argparse
import hashlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench._servers import ROOT, machine
from collector import store

DAY = 86_400_000_000
START = 20_000 * DAY
PAGE = 10_000

READ = """
import sys
from collector.engines import sqlite_module
connection = sqlite_module().connect(sys.argv[1])
cursor = connection.execute("SELECT * FROM callbacks")
while cursor.fetchmany(10_000):
    pass
"""
COPY = """
import sys
from pathlib import Path
from collector.archive.kinds import CALLBACKS
from collector.archive.parts import schema_of, table_of
from collector.engines import sqlite_module
import pyarrow.parquet as pq
connection = sqlite_module().connect(sys.argv[1])
names = ", ".join(column.name for column in CALLBACKS.columns)
cursor = connection.execute(f"SELECT {names} FROM callbacks")
with pq.ParquetWriter(Path(sys.argv[2]) / "copy.parquet", schema_of(CALLBACKS), compression="zstd") as writer:
    while rows := cursor.fetchmany(131_072):
        writer.write_table(table_of(CALLBACKS, rows))
"""
ARCHIVE = """
import collections, json, sys, time
from pathlib import Path
from collector.archive import sealing
spent, last = collections.Counter(), time.perf_counter()
def step(name):
    global last
    now = time.perf_counter()
    spent[name] += now - last
    last = now
done = sealing.archive(f"sqlite:///{sys.argv[1]}", Path(sys.argv[2]), int(sys.argv[3]), step=step)
print(json.dumps({"rows": done.rows["callbacks"], "parts": done.parts, "spent": spent}))
"""


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Make callbacks of one day, three to an attempt, with identifiers as long as real ones."""
    draw = random.Random(7)
    for number in range(count):
        whole = hashlib.sha256(str(number).encode()).hexdigest()
        whose = hashlib.sha256(str(number // 3).encode()).hexdigest()
        session = f"{whose[:8]}-{whose[8:12]}-{whose[12:16]}-{whose[16:20]}-{whose[20:32]}"
        moment = START + number * DAY // count + draw.randrange(1_000)
        yield {
            "arrival_id": whole,
            "received_at": moment,
            "provider": "plivo",
            "session_id": session,
            "session_status": "in-progress",
            "attempt_id": session[::-1],
            "attempt_sequence": 1,
            "channel": draw.choice(("sms", "sms", "voice")),
            "channel_status": ("queued", "sent", "delivered")[number % 3],
            "error_code": None,
            "requested_at": moment - draw.randrange(5_000_000),
            "recipient_key": f"{whose[:8]}:{whose}",
            "country": draw.choice(("US", "IN", "BR", "DE")),
            "number_block": f"1201555{draw.randrange(100):02}",
            "proof": "v2",
            "digest": f"1:{whole[::-1]}",
            "extra": None,
        }


def make(path: Path, count: int) -> None:
    """Make a store."""
    engine = store.writer_engine(f"sqlite:///{path}")
    store.initialise(engine)
    page: list[dict[str, Any]] = []
    with engine.begin() as connection:
        for row in rows(count):
            page.append(row)
            if len(page) == PAGE:
                connection.execute(store.callbacks.insert(), page)
                page = []
        if page:
            connection.execute(store.callbacks.insert(), page)
    engine.dispose()


# Told by the child of its own process: the parent's children share one figure.
PEAK = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)"


def timed(script: str, *words: str) -> tuple[float, float, str]:
    """Run a script in a process of its own: seconds, peak memory in MB, what it said."""
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", script + PEAK, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise SystemExit(ran.stderr)
    return time.perf_counter() - began, float(ran.stderr.splitlines()[-1]), ran.stdout


def measured(folder: Path, count: int, rounds: int) -> None:
    """Measure one store, and print it."""
    source = folder / "store.db"
    make(source, count)
    seconds: dict[str, list[float]] = {"read": [], "copy": [], "archive": []}
    peaks: dict[str, float] = {}
    for _ in range(rounds):
        for name, script in (("read", READ), ("copy", COPY)):
            took, peaks[name], _said = timed(script, str(source), str(folder))
            seconds[name].append(took)
        target = folder / "archive"
        target.mkdir()
        shutil.copy(source, folder / "own.db")
        took, peaks["archive"], said = timed(ARCHIVE, str(folder / "own.db"), str(target), str(START + 3 * DAY))
        seconds["archive"].append(took)
        told = json.loads(said)
        assert told["rows"] == count, told
        octets = sum(path.stat().st_size for path in target.rglob("*.parquet"))
        shutil.rmtree(target)
        (folder / "own.db").unlink()
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    words = {
        "read": "read by the driver, thrown away",
        "copy": "copied to Parquet, and no more",
        "archive": "collector archive, read back and deleted",
    }
    print(f"\n{count:,} callbacks of one day in SQLite, median of {rounds}")
    print(f"{'':<42} {'rows/s':>10} {'to a copy':>10} {'peak MB':>8}")
    for name, said in words.items():
        print(f"{said:<42} {count / middle[name]:>10,.0f} {middle[name] / middle['copy']:>9.1f}× {peaks[name]:>8,.0f}")
    spent = told["spent"]
    deleting = sum(took for name, took in spent.items() if name.startswith("delet"))
    over = sum(spent.values()) - deleting
    print(f"until every part is shown {over:.1f} s, {over / middle['copy']:.1f}× a copy: {count / over:,.0f} rows/s")
    print(f"  of these, reading back {spent['read back']:.1f} s")
    print(f"deleting beside a server {deleting:.1f} s: {count / deleting:,.0f} rows/s")
    print(
        f"{told['parts']} parts, {octets / count:.0f} bytes a callback; in SQLite {source.stat().st_size / count:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    print(machine())
    for count in (options.callbacks // 4, options.callbacks):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            measured(Path(name), count, options.rounds)


if __name__ == "__main__":
    main()
