"""Where the time to verify spends its own time: counting in the engine, or finishing the curve afterwards.

The same sessions lie in pandas and in DuckDB. Each question is asked as an analyst asks it, and once more up to the
counts; the share of the one in the other is what the engine does. Best of some rounds, in turns, within one run.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench._servers import end_politely, machine
from verify_analytics import load, metrics
from verify_analytics.metrics.session_ends import ends_by_source, opened_sessions, told_by

SECOND = 1_000_000
AS_OF_US = 1_793_232_000_000_000  # 2026-10-29T00:00Z
DAYS = 30


def sessions(count: int, seed: int = 0) -> pd.DataFrame:
    """Make what the time to verify reads of sessions: most verify soon, some after a resend, a seventh never."""
    random = np.random.default_rng(seed)
    started = AS_OF_US - random.integers(1, DAYS * 86_400 * SECOND, count)
    last = started + np.where(random.random(count) < 0.2, random.integers(20, 90, count), 0) * SECOND
    verified = last + (random.lognormal(3, 0.8, count) * SECOND).astype(np.int64)
    ended = last + 600 * SECOND
    told = (random.random(count) < 0.86) & (verified <= AS_OF_US)
    return pd.DataFrame(
        {
            "session_id": pd.Series(np.arange(count)).map("s{:08d}".format).astype("str"),
            "recipient_key": pd.Series(random.integers(0, count // 2, count)).map("r{:08d}".format).astype("str"),
            "country": pd.Series(random.choice(["DE", "FR", "GB", "IN", "US"], count), dtype="str"),
            "started_us": started,
            "last_started_us": last,
            "lowest_sequence": 1,
            "ended_us": pd.Series(ended, dtype="Int64").where(ended <= AS_OF_US),
            "verified_app_us": pd.Series(verified, dtype="Int64").where(told),
            "observable_app": True,
            "app_last_us": AS_OF_US,
            "attempts_missing": 0,
            "unobserved": False,
            "mature": last + 1500 * SECOND <= AS_OF_US,
            "as_of_us": AS_OF_US,
            "covered_until_us": AS_OF_US,
            "patience_seconds": 900.0,
            "window_seconds": 600.0,
        }
    )


def counted(given: Any, by: Sequence[str], cluster: str) -> None:
    """Go as far as the counts."""
    extra = [] if cluster == "session" else ["recipient_key", "session_id"]
    frame = opened_sessions(given, by, ["app"], asked_by="bench", extra=extra)
    told_by(ends_by_source(frame, ["app"])["app"], "app", by, cluster=cluster, top=None)


def best(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Give the best time of each, taken in turns."""
    found = [float("inf")] * len(works)
    for _ in range(rounds):
        for at, work in enumerate(works):
            begin = time.perf_counter()
            work()
            found[at] = min(found[at], time.perf_counter() - begin)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    end_politely()
    frame = sessions(given.sessions)
    engines = {"DuckDB": load.keep(load.connection().from_df(frame)), "pandas": frame}
    asked: dict[str, tuple[list[str], str]] = {
        "all": ([], "session"),
        "by country": (["country"], "session"),
        "by recipients": ([], "recipient"),
    }
    print(f"{machine()}; {given.sessions:,} sessions, time to verify as the application told it")
    print(f"{'':<24}{'whole, s':>10}{'counts, s':>11}{'share of the engine':>21}")
    for engine, native in engines.items():
        for name, (by, cluster) in asked.items():
            whole, counts = best(
                [
                    lambda native=native, by=by, cluster=cluster: metrics.time_to_verify(  # type: ignore[misc]
                        native, by=by, source="app", cluster=cluster
                    ),
                    lambda native=native, by=by, cluster=cluster: counted(native, by, cluster),  # type: ignore[misc]
                ],
                given.rounds,
            )
            print(f"{f'{engine}, {name}':<24}{whole:>10.2f}{counts:>11.2f}{counts / whole:>21.0%}")


if __name__ == "__main__":
    main()
