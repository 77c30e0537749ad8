"""Fold, finish and the four main metrics on ten million callbacks: ours on DuckDB and Polars, and by hand in pandas.

Each way runs in a process of its own, so that its memory is its own. By hand means as a careful analyst writes it for
this one question: identifiers as numbers, arrays cut at the borders of groups, no loop over rows; its figures must be
ours. Beside them what no way can be quicker than: reading one column and counting its distinct values.
"""

import argparse
import json
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench import _plot
from bench._servers import end_politely, machine
from verify_analytics.errors import DoubtfulWarning

END = datetime(2026, 10, 29, tzinfo=UTC)
AS_OF = "2026-10-29T00:00Z"
AS_OF_US = 1_793_232_000_000_000
DAYS = 28
# About so many callbacks come of a session of the simulated provider.
A_SESSION = 4.1
STEPS = ("fold", "finish", "sessions", "delivery_rate", "error_codes", "verification_rate", "time_to_verify")
METRICS = STEPS[3:]


class Laps:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def take(self, step: str, work: Callable[[], Any]) -> Any:
        """Do a piece of work, and note how long it took."""
        begun = time.perf_counter()
        done = work()
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - begun
        return done


def made(folder: Path, callbacks: int, processes: int) -> Path:
    """Simulate an archive of about so many callbacks, unless it is there."""
    from verify_analytics import simulate

    place = folder / str(callbacks)
    if not (place / "manifest.json").exists():
        history = simulate.history(max(1, round(callbacks / A_SESSION)), seed=1, end=END, days=DAYS)
        history.write_archive(place, processes=processes)
    return place


def ours(archive: Path, laps: Laps, engine: str) -> dict[str, pd.DataFrame]:
    """Ask with the package, on one of its engines."""
    import polars as pl

    from verify_analytics import load, model
    from verify_analytics.load.connection import forget

    bringing = {"callbacks": load.callbacks, "verifications": load.verifications, "pulse": load.pulse}
    tables: list[Any] = [
        bring(archive)
        if engine == "duckdb"
        else bring(pl.scan_parquet(archive / name / "**/*.parquet", hive_partitioning=False))
        for name, bring in bringing.items()
    ]
    keep: Callable[[Any], Any] = load.keep
    states = laps.take("fold", lambda: keep(model.fold(tables[0])))
    told, pulse = tables[1:] if engine == "duckdb" else [table.collect() for table in tables[1:]]
    attempts = laps.take("finish", lambda: keep(model.finish(states, as_of=AS_OF, verifications=told, pulse=pulse)))
    if engine == "duckdb":
        # Nobody asks states any more.
        forget(states)
    else:
        del states
    sessions = laps.take("sessions", lambda: keep(model.sessions(attempts)))
    return asked(attempts, sessions, laps)


def by_day(archive: Path, laps: Laps) -> dict[str, pd.DataFrame]:
    """Ask with the package where memory is short: some days are folded at a time, some sessions finished at a time."""
    from verify_analytics import load

    shutil.rmtree(archive / "states", ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="kept-", dir=archive.parent) as folder:
        laps.take("fold", lambda: load.states(archive, as_of=AS_OF))
        attempts, sessions = laps.take("finish", lambda: load.kept_attempts(archive, folder, as_of=AS_OF))
        return asked(attempts, sessions, laps)


def asked(attempts: Any, sessions: Any, laps: Laps) -> dict[str, pd.DataFrame]:
    """Ask the four main metrics."""
    from verify_analytics import metrics

    return {
        "delivery_rate": laps.take("delivery_rate", lambda: metrics.delivery_rate(attempts, by="channel")),
        "error_codes": laps.take("error_codes", lambda: metrics.error_codes(attempts, by="channel")),
        "verification_rate": laps.take(
            "verification_rate", lambda: metrics.verification_rate(sessions, by="first_channel")
        ),
        "time_to_verify": laps.take("time_to_verify", lambda: metrics.time_to_verify(sessions, by="first_channel")),
    }


def by_hand(archive: Path, laps: Laps) -> dict[str, pd.DataFrame]:
    """Ask in pandas and numpy."""
    from bench import _by_hand, _by_hand_finish, _by_hand_metrics

    view = _by_hand_finish.View(AS_OF_US, 900_000_000, 600_000_000)
    states = laps.take("fold", lambda: _by_hand.fold(_by_hand.read(archive)))
    attempts, sessions = laps.take("finish", lambda: _by_hand_finish.finish(states, archive, view))
    covered = int(sessions["covered_until_us"])
    return {
        "delivery_rate": laps.take("delivery_rate", lambda: _by_hand_metrics.delivery_rate(attempts, view, covered)),
        "error_codes": laps.take(
            "error_codes", lambda: _by_hand_metrics.error_codes_by_channel(attempts, view, covered)
        ),
        "verification_rate": laps.take("verification_rate", lambda: _by_hand_metrics.verification_rate(sessions, view)),
        "time_to_verify": laps.take("time_to_verify", lambda: _by_hand_metrics.time_to_verify(sessions, view)),
    }


def distinct(archive: Path, laps: Laps) -> dict[str, pd.DataFrame]:
    """Count the attempts that callbacks name, and nothing else."""
    from verify_analytics import load

    callbacks = load.callbacks(archive)
    laps.take("fold", lambda: callbacks.aggregate("count(DISTINCT attempt_id)").fetchall())
    return {}


WAYS: dict[str, Callable[[Path, Laps], dict[str, pd.DataFrame]]] = {
    "ours on DuckDB": lambda archive, laps: ours(archive, laps, "duckdb"),
    "ours by day": by_day,
    "ours on Polars": lambda archive, laps: ours(archive, laps, "polars"),
    "by hand in pandas": by_hand,
    "distinct attempts": distinct,
}


def child(way: str, archive: Path, memory: str, out: Path) -> None:
    """Run one way, and leave its figures behind."""
    from verify_analytics import load

    warnings.simplefilter("ignore", DoubtfulWarning)
    with tempfile.TemporaryDirectory(prefix="spilled-", dir=out.parent) as spilled:
        load.connection().execute(f"SET memory_limit = '{memory}'")
        load.connection().execute(f"SET temp_directory = '{spilled}'")
        laps = Laps()
        frames = WAYS[way](archive, laps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    out.write_bytes(pickle.dumps({"seconds": laps.seconds, "peak": peak, "frames": frames}))


def run(way: str, archive: Path, memory: str, folder: Path) -> dict[str, Any]:
    """Run one way in a process of its own."""
    out = folder / "figures.pickle"
    words = ["--child", way, "--archive", str(archive), "--memory", memory, "--out", str(out)]
    subprocess.run([sys.executable, "-m", "bench.scale", *words], check=True)
    found: dict[str, Any] = pickle.loads(out.read_bytes())
    return found


def compared(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    """Make sure that two ways have the same figures."""
    for name, frame in found.items():
        pd.testing.assert_frame_equal(frame, expected[name], check_dtype=False, rtol=0, atol=1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, nargs="+", default=[10_000_000])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--data", type=Path, help="where archives are kept from one run to the next")
    parser.add_argument("--archive", type=Path, help="an archive that is there, instead of simulated ones")
    parser.add_argument("--memory", default="6GB", help="that DuckDB may take")
    parser.add_argument("--processes", type=int, default=2, help="that make the archives")
    parser.add_argument("--json", type=Path, help="a file to which the figures are added, a line each")
    parser.add_argument("--plot", type=Path, help="draw what --json holds into this SVG or PNG, and do nothing else")
    parser.add_argument("--child", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    end_politely()
    if given.plot:
        _plot.draw(given.json, given.plot)
        return
    if given.child:
        child(given.child, given.archive, given.memory, given.out)
        return
    with tempfile.TemporaryDirectory(prefix="verify-bench-", dir=given.data) as name:
        folder = given.data or Path(name)
        for callbacks in given.callbacks:
            archive = given.archive or made(folder, callbacks, given.processes)
            tell(archive, given, Path(name))


def tell(archive: Path, given: argparse.Namespace, folder: Path) -> None:
    """Run every way on one archive and print how they compare."""
    parts = json.loads((archive / "manifest.json").read_text())["parts"]
    rows = sum(part["rows"] for name, part in parts.items() if name.startswith("callbacks/"))
    print(f"{machine()}, {rows:,} callbacks, DuckDB may take {given.memory}; seconds")
    print(f"{'':<20}{'fold':>8}{'finish':>9}{'metrics':>9}{'all':>8}{'ratio':>8}{'peak GB':>9}")
    first: dict[str, Any] = {}
    for way in given.ways:
        found = run(way, archive, given.memory, folder)
        first = first or found
        compared(found["frames"], first["frames"])
        seconds = found["seconds"]
        after = [sum(seconds.get(step, 0.0) for step in steps) for steps in (STEPS[:1], STEPS[1:3], METRICS)]
        whole, base = sum(after), sum(first["seconds"].values())
        print(f"{way:<20}{after[0]:>8.2f}{after[1]:>9.2f}{after[2]:>9.2f}{whole:>8.2f}", end="")
        print(f"{whole / base:>8.2f}{found['peak']:>9.2f}", flush=True)
        if given.json:
            line = {"callbacks": rows, "way": way, "seconds": seconds, "peak_gb": round(found["peak"], 3)}
            with given.json.open("a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
