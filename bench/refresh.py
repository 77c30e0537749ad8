"""What a new day costs where everything before it has been folded: the fold's part, and the whole with four metrics.

Archives of one, two and more weeks with equally busy days. Of each the newest day is taken out, the rest is folded and
kept, the day is put back, and everything is asked again; beside it the same from nothing. Ratios within one run.
"""

import argparse
import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


def asked(archive: Path, states: Any) -> None:
    """Finish, group, and ask the four main metrics."""
    told, pulse = load.verifications(archive), load.pulse(archive)
    attempts = load.keep(model.finish(states, as_of=AS_OF, verifications=told, pulse=pulse))
    sessions = load.keep(model.sessions(attempts))
    metrics.delivery_rate(attempts, by="channel")
    metrics.error_codes(attempts, by="channel")
    metrics.verification_rate(sessions, by="first_channel")
    metrics.time_to_verify(sessions, by="first_channel")
    # What is kept would stand in the way of the next measurement.
    forget(sessions)
    forget(attempts)


def measured(archive: Path) -> tuple[int, float, float, float, float]:
    """Count callbacks; time in seconds the fold anew, its part of a refresh, the whole anew, the whole refresh."""
    shutil.rmtree(archive / "states", ignore_errors=True)
    with without_newest_day(archive):
        load.states(archive, as_of=AS_OF)
    states, refreshed = taken(lambda: load.states(archive, as_of=AS_OF))
    _, after = taken(lambda: asked(archive, states))
    callbacks = load.callbacks(archive)
    folded, anew = taken(lambda: load.keep(model.fold(callbacks)))
    _, beyond = taken(lambda: asked(archive, folded))
    forget(folded)
    count = callbacks.aggregate("count(*)").fetchall()[0][0]
    return count, anew, refreshed, anew + beyond, refreshed + after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, nargs="+", default=[7, 14, 28], help="how long each history is")
    parser.add_argument("--callbacks", type=int, default=100_000, help="about so many a day")
    parser.add_argument("--processes", type=int, default=2, help="that make the archives")
    parser.add_argument("--memory", default="6GB", help="that the engine may take")
    given = parser.parse_args()
    end_politely()
    warnings.simplefilter("ignore", DoubtfulWarning)
    with tempfile.TemporaryDirectory(prefix="verify-bench-") as name:
        load.connection().execute(f"SET memory_limit = '{given.memory}'")
        load.connection().execute(f"SET temp_directory = '{name}/spilled'")
        print(f"{machine()}, {given.memory} for the engine; a refresh after one new day, in seconds and as a share")
        print(f"{'days':>5}{'callbacks':>13}{'fold anew':>11}{'refreshed':>11}{'share':>8}{'all anew':>11}", end="")
        print(f"{'refreshed':>11}{'share':>8}")
        for days in given.days:
            archive = made(Path(name), days, given.callbacks, given.processes)
            count, fold, fold_again, whole, whole_again = measured(archive)
            print(f"{days:>5}{count:>13,}{fold:>11.2f}{fold_again:>11.2f}{fold_again / fold:>8.0%}", end="")
            print(f"{whole:>11.2f}{whole_again:>11.2f}{whole_again / whole:>8.0%}", flush=True)
            shutil.rmtree(archive)


if __name__ == "__main__":
    main()
