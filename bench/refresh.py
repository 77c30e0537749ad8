"""What a new day costs where everything before it was worked out: the fold's part, and the whole with four metrics.

Archives of one, two and more weeks with equally busy days. Of each the newest day is taken out and the rest is worked
out and kept, which is the price of beginning anew; then the day is put back and everything is asked again. The answers
are held against those that working out everything in memory gives, where there is room for it. Ratios within one run.
"""

import argparse
import json
import resource
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bench._servers import end_politely, machine
from verify_analytics import load, metrics, model, simulate
from verify_analytics.errors import DoubtfulWarning
from verify_analytics.load.connection import forget

END = datetime(2026, 10, 29, tzinfo=UTC)
AS_OF = "2026-10-29T00:00Z"
# About so many callbacks come of a session of the simulated provider.
A_SESSION = 4.1


def made(folder: Path, days: int, callbacks: int, processes: int) -> Path:
    """Simulate an archive of some days, each with about so many callbacks."""
    place = folder / f"{days}-days"
    history = simulate.history(max(1, round(days * callbacks / A_SESSION)), seed=days, end=END, days=days)
    history.write_archive(place, processes=processes)
    return place


@contextmanager
def without_newest_day(archive: Path) -> Iterator[None]:
    """Let the manifest know nothing of the newest day's callbacks, and their files be out of sight."""
    manifest = archive / "manifest.json"
    whole = manifest.read_text()
    told = json.loads(whole)
    parts = [name for name in told["parts"] if name.startswith("callbacks/")]
    newest = max(name.split("/")[1] for name in parts)
    hidden = archive / "hidden"
    (archive / "callbacks" / newest).rename(hidden)
    told["parts"] = {name: part for name, part in told["parts"].items() if f"callbacks/{newest}/" not in name}
    manifest.write_text(json.dumps(told))
    try:
        yield
    finally:
        hidden.rename(archive / "callbacks" / newest)
        manifest.write_text(whole)


def taken(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    done = work()
    return done, time.perf_counter() - begun


def four(attempts: Any, sessions: Any) -> list[pd.DataFrame]:
    """Ask the four main metrics."""
    return [
        metrics.delivery_rate(attempts, by="channel"),
        metrics.error_codes(attempts, by="channel"),
        metrics.verification_rate(sessions, by="first_channel"),
        metrics.time_to_verify(sessions, by="first_channel"),
    ]


def in_memory(archive: Path) -> list[pd.DataFrame]:
    """Work everything out at once, without a file."""
    told, pulse = load.verifications(archive), load.pulse(archive)
    states = load.keep(model.fold(load.callbacks(archive)))
    attempts = load.keep(model.finish(states, as_of=AS_OF, verifications=told, pulse=pulse))
    forget(states)
    sessions = load.keep(model.sessions(attempts))
    found = four(attempts, sessions)
    # What is kept would stand in the way of the next measurement.
    forget(sessions)
    forget(attempts)
    return found


class Taken(NamedTuple):
    """Seconds: states, attempts and sessions, four metrics; and what these told."""

    states: float
    finished: float
    asked: float
    found: list[pd.DataFrame]

    @property
    def whole(self) -> float:
        """All together."""
        return self.states + self.finished + self.asked


def kept(archive: Path, folder: Path) -> Taken:
    """Work out what is new, keep it, and ask."""
    _, states = taken(lambda: load.states(archive, as_of=AS_OF))
    known, finished = taken(lambda: load.kept_attempts(archive, folder, as_of=AS_OF))
    found, asked = taken(lambda: four(*known))
    return Taken(states, finished, asked, found)


def measured(
    archive: Path, folder: Path, *, check: bool, figures: Path | None
) -> tuple[int, Taken, Taken, float | None]:
    """Count callbacks; time all but the newest day from nothing, then the refresh, and everything in memory."""
    shutil.rmtree(archive / "states", ignore_errors=True)
    with without_newest_day(archive):
        before = kept(archive, folder)
        if figures:
            note(figures, archive, before)
    refreshed = kept(archive, folder)
    count = load.callbacks(archive).aggregate("count(*)").fetchall()[0][0]
    if not check:
        return count, before, refreshed, None
    expected, memory = taken(lambda: in_memory(archive))
    for frame, wanted in zip(refreshed.found, expected, strict=True):
        pd.testing.assert_frame_equal(frame, wanted, check_dtype=False, rtol=0, atol=1e-9)
    return count, before, refreshed, memory


def note(figures: Path, archive: Path, before: Taken) -> None:
    """Add a line to a file of figures, as `bench.scale --json` has them of the same way."""
    count = load.callbacks(archive).aggregate("count(*)").fetchall()[0][0]
    seconds = {"fold": before.states, "finish": before.finished, "metrics": before.asked}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    line = {"callbacks": count, "way": "ours by day", "seconds": seconds, "peak_gb": round(peak, 3)}
    with figures.open("a") as file:
        file.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, nargs="+", default=[7, 14, 28], help="how long each history is")
    parser.add_argument("--callbacks", type=int, default=100_000, help="about so many a day")
    parser.add_argument("--processes", type=int, default=2, help="that make the archives")
    parser.add_argument("--archive", type=Path, help="one that is there, of --days, instead of simulated ones")
    parser.add_argument("--unchecked", action="store_true", help="do not work everything out in memory beside it")
    parser.add_argument(
        "--json", type=Path, help="a file to which the time from nothing is added, for bench.scale --plot"
    )
    parser.add_argument("--memory", default="6GB", help="that the engine may take")
    given = parser.parse_args()
    end_politely()
    warnings.simplefilter("ignore", DoubtfulWarning)
    with tempfile.TemporaryDirectory(prefix="verify-bench-") as name:
        load.connection().execute(f"SET memory_limit = '{given.memory}'")
        load.connection().execute(f"SET temp_directory = '{name}/spilled'")
        print(f"{machine()}, {given.memory} for the engine; seconds: states, attempts and sessions, four metrics, all")
        print(
            f"{'days':>5}{'callbacks':>13}{'':<4}{'all but the newest day':<32}{'':<4}{'refreshed':<32}{'share':>7}",
            end="",
        )
        print(f"{'in memory':>11}")
        for days in given.days:
            archive = given.archive or made(Path(name), days, given.callbacks, given.processes)
            folder = (given.archive.parent if given.archive else Path(name)) / "kept"
            count, before, refreshed, memory = measured(archive, folder, check=not given.unchecked, figures=given.json)
            print(f"{days:>5}{count:>13,}", end="")
            for each in (before, refreshed):
                print(f"{'':<4}", end="")
                print("".join(f"{part:>8.1f}" for part in (*each[:3], each.whole)), end="")
            print(f"{refreshed.whole / before.whole:>7.1%}", end="")
            print(f"{'-' if memory is None else format(memory, '.1f'):>11}", flush=True)
            shutil.rmtree(folder)
            if not given.archive:
                shutil.rmtree(archive)


if __name__ == "__main__":
    main()
