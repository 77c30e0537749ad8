"""Whether the intervals hold what they promise: many small simulated histories, judged by what is true of their world.

What is estimated is the process and not what happened to come of it: the share in all the sessions that a world would
bring forth, for that is what somebody means who asks which channel to use. It is read off the simulator's own story of
one history so large that chance hardly matters; no callback, model or metric has a part in it. A 95 % interval must
hold it in 95 of 100 histories.

Each world prints a table. `±` is one Monte Carlo error. `rmse` is the root of the mean squared error, `none` the share
of histories without an interval. A row is marked with `!` where its coverage is more than three Monte Carlo errors off
95 %, and the reason is written below. History i has seed i: with `--keep` a run that was interrupted goes on where it
stopped, and a second run prints the same.
"""

import argparse
import contextlib
import multiprocessing
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench._judging import Verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=1_000, help="of each world")
    parser.add_argument("--truth", type=int, default=600_000, help="sessions of the history taken for the truth")
    parser.add_argument("--worlds", nargs="*", metavar="WORLD", help="only these")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what is simulated, and use what was kept")
    given = parser.parse_args()
    # Each process has one processor to itself; this is read when Polars is imported, so it comes before the imports.
    os.environ["POLARS_MAX_THREADS"] = "1"
    from bench._judging import Truths, gathered, judged
    from bench._reasons import reason
    from bench._worlds import WORLDS

    names = [world.name for world in WORLDS]
    if unknown := set(given.worlds or ()) - set(names):
        raise SystemExit(f"there is no world {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    truths = Truths(given.truth)
    with contextlib.closing(multiprocessing.get_context("spawn").Pool(given.processes)) as pool:
        for world in WORLDS:
            if given.worlds and world.name not in given.worlds:
                continue
            found = gathered(world, given.histories, pool, given.keep)
            fewest, most = world.sessions
            size = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            print(f"\n{world.name}: {world.said}\n{given.histories:,} histories of {size} sessions.\n{HEADER}")
            reasons: dict[str, list[str]] = {}
            for one, verdict in judged(world, truths.of(world), found, given.truth):
                print(line(one.name, verdict), flush=True)
                if verdict.is_off:
                    reasons.setdefault(reason(world.name, one.name), []).append(one.name)
            for why, marked in reasons.items():
                print(f"  ! {', '.join(marked)}: {why}")
        pool.terminate()
    print(f"\n{(time.perf_counter() - began) / 60:.1f} minutes, {given.processes} processes")


HEADER = f"{'':<34}{'true':>9}{'mean':>9}{'bias':>9}{'±':>8}{'rmse':>9}{'coverage':>10}{'±':>6}{'width':>9}{'none':>7}"


def line(name: str, verdict: "Verdict") -> str:
    """Write one row of the table."""
    digits = 2 if abs(verdict.true) > 1.5 else 4
    widths = {"true": 9, "mean": 9, "bias": 9, "bias_error": 8, "spread": 9}
    figures = "".join(f"{getattr(verdict, name):>{width}.{digits}f}" for name, width in widths.items())
    coverage = f"{100 * verdict.coverage:>8.1f} %{100 * verdict.coverage_error:>6.1f}"
    row = f"{name:<34}{figures}{coverage}{verdict.width:>9.{digits}f}{100 * verdict.none:>5.1f} %"
    return f"{row}{' !' if verdict.is_off else ''}".replace("nan", "  -")


if __name__ == "__main__":
    main()
