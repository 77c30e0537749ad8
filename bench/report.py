"""Where a report spends its time: loading, folding, each metric, comparing, drawing, writing; as shares of one run.

A store of simulated callbacks is made once, or given; every step is then done as `report.build` does it, in one process
and one after the other. At the end the whole is made as anybody would make it, where drawing has a helper beside it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench._servers import end_politely, machine
from verify_analytics import load, model, report, simulate
from verify_analytics.model.moments import microseconds, moment
from verify_analytics.report import changes, periods
from verify_analytics.report.asked import FRAMES, Given, answer
from verify_analytics.report.drawing import Task, drawn
from verify_analytics.report.facts import gather, moment_of
from verify_analytics.report.sections import CHAPTERS
from verify_analytics.report.study import since_of, whole_of

END = datetime(2026, 10, 29, tzinfo=UTC)
AS_OF = "2026-10-29T00:00Z"
CALLBACKS_PER_SESSION = 4.1
T = TypeVar("T")


class Steps:
    """Times steps, by the wall and by the processor, and says each in a line."""

    def __init__(self) -> None:
        self.spent: list[tuple[str, str, float, float]] = []

    def take(self, kind: str, name: str, work: Callable[[], T]) -> T:
        """Do one step."""
        wall, cpu = time.perf_counter(), time.process_time()
        done = work()
        self.spent.append((kind, name, time.perf_counter() - wall, time.process_time() - cpu))
        return done

    def tell(self) -> None:
        """Say each step, and the share of each kind."""
        whole = sum(cpu for *_, cpu in self.spent)
        print(f"{'':<46}{'wall, s':>9}{'CPU, s':>9}{'share':>8}")
        for kind, name, wall, cpu in self.spent:
            print(f"{f'{kind}: {name}':<46}{wall:>9.2f}{cpu:>9.2f}{cpu / whole:>8.1%}")
        for kind in dict.fromkeys(kind for kind, *_ in self.spent):
            wall = sum(each for of, _, each, _ in self.spent if of == kind)
            cpu = sum(each for of, _, _, each in self.spent if of == kind)
            print(f"{f'{kind}, all':<46}{wall:>9.2f}{cpu:>9.2f}{cpu / whole:>8.1%}")


def made(callbacks: int, folder: Path) -> Path:
    """Write a store of about so many callbacks, of four weeks."""
    tables = simulate.history(round(callbacks / CALLBACKS_PER_SESSION), seed=5, end=END, days=28).frames()
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    return folder / "callbacks.parquet"


def steps(where: str, *, drawing: bool) -> None:
    """Do what a report does, step by step."""
    timed = Steps()
    until = moment(AS_OF)
    callbacks, verifications, pulse = timed.take(
        "load", "open", lambda: (load.callbacks(where), load.verifications(where), load.pulse(where))
    )
    opened = callbacks
    callbacks = timed.take("load", "keep", lambda: load.keep(opened))
    facts = timed.take(
        "load", "count and digest", lambda: gather(callbacks, verifications, pulse, as_of_us=microseconds(until))
    )
    attempts = timed.take(
        "fold",
        "attempts",
        lambda: load.keep(model.attempts(callbacks, as_of=until, verifications=verifications, pulse=pulse)),
    )
    sessions = timed.take("fold", "sessions", lambda: load.keep(model.sessions(attempts)))
    given = Given(attempts, sessions, callbacks, pulse, until, "10min")
    frames = {name: timed.take("metric", name, partial(answer, asked, given)) for name, asked in FRAMES.items()}
    span = periods.choose(
        as_of=moment_of(microseconds(until)),
        since=None,
        reaches_to=moment_of(facts.first_received_us or 0),
        heard_until=None,
    )
    if span is not None:
        now, before = timed.take(
            "compare", "both periods", lambda: [whole_of(since_of(given, each)) for each in span[:2]]
        )
        timed.take("compare", "all questions", lambda: changes.compared(now, before, span, facts.gaps, min_cell=0))
    for section in (section for chapter in CHAPTERS for section in chapter.sections):
        if drawing and section.source in frames:
            task = Task(section.name, section.draw, frames[section.source])
            timed.take("draw", section.name, partial(drawn, task))
    timed.tell()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, default=50_000)
    parser.add_argument("--store", help="a store that is there, instead of a simulated one")
    parser.add_argument("--no-drawing", action="store_true", help="stop before the charts are drawn")
    given = parser.parse_args()
    end_politely()
    with tempfile.TemporaryDirectory(prefix="verify-bench-") as name:
        where = given.store or str(made(given.callbacks, Path(name)))
        print(f"{machine()}; {given.store or f'about {given.callbacks:,} callbacks'}")
        steps(where, drawing=not given.no_drawing)
        if given.no_drawing:
            return
        wall = time.perf_counter()
        report.build(where, as_of=AS_OF, out=Path(name) / "report")
        print(f"{'the whole, with a helper to draw':<46}{time.perf_counter() - wall:>9.2f}")


if __name__ == "__main__":
    main()
