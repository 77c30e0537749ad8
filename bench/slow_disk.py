"""A disk whose flush takes 5 ms longer: one commit for what gathered, against a commit per request.

Both are the collector, behind the same server: in one the writer takes what waits, in the other one row at a time. The
delay is real waiting inside fsync and fdatasync, added by a small library that a C compiler (`cc`) makes first.
"""

import argparse
import secrets
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from bench._servers import ALONE, APPEND, ROOT, end_politely, in_turn, machine, running, table


def slow_library(folder: Path) -> Path:
    """Compile the library that makes flushes slow."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("this benchmark needs a C compiler, and there is no cc: install gcc")
    made = folder / "slow_fsync.so"
    source = ROOT / "bench" / "_slow_fsync.c"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--added-ms", type=float, default=5.0)
    given = parser.parse_args()
    end_politely()
    token = secrets.token_hex(20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slow = {"LD_PRELOAD": str(slow_library(folder)), "SLOW_FSYNC_US": str(round(given.added_ms * 1e3))}
        with running((ALONE, APPEND), folder, token, slow) as servers:
            rounds = in_turn(
                servers, token, requests_each=given.requests, rounds=given.rounds, connections=given.connections
            )
    print(
        f"{machine()}, {given.added_ms:g} ms added to each flush, {given.connections} connections, "
        f"{given.requests:,} requests a round, median of {given.rounds} rounds in turn"
    )
    print(table(rounds))
    ratio = statistics.median(c.per_second / a.per_second for c, a in zip(rounds[APPEND], rounds[ALONE], strict=True))
    print(f"{APPEND}: {ratio:.1f} times the throughput of {ALONE}")


if __name__ == "__main__":
    main()
