"""Goes the whole road: simulate, replay, serve, check, report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import narwhals as nw
import pandas as pd

from verify_analytics import load, metrics, model, report, simulate
from verify_analytics.demo import checks
from verify_analytics.demo.station import PUBLIC_URL, VERIFICATION_URL, Station, StationError

DAYS = 28
LIVE_REQUESTS = 640
SEED = 20260901
NOTE = "Simulated data: this provider, its customers and their numbers are made up."
# Attempts in so few are not worth a line of the table that a new user sees first.
FEWEST_SHOWN = 30


@dataclass(frozen=True)
class Show:
    """How the demo tells the person at the keyboard what it does.

    Parameters
    ----------
    say
        Takes one line.
    counter
        Makes, for a piece of work, what shows how far it is: called with what is done, and of how much.
    """

    say: Callable[[str], None]
    counter: Callable[[str], Callable[[int, int], None]]

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Say what is being done, and afterwards how long it took."""
        self.say(f"\n{title}")
        began = time.monotonic()
        yield
        self.say(f"     done in {time.monotonic() - began:.1f} s")


def run(*, now: datetime, environ: Mapping[str, str], out: Path, sessions: int, show: Show) -> None:
    """Show the whole road.

    Parameters
    ----------
    now
        The moment of the demo; the simulated month ends at the midnight (UTC) before it.
    environ
        What the collector's process may inherit.
    out
        Where the report is written; everything else is temporary.
    sessions
        How many verifications people start in the simulated month.
    show
        How it is told.

    Raises
    ------
    StationError
        If the collector fails, or what was stored is not what was sent.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    report.check(out.absolute())  # now, and not after all the work
    as_of = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with TemporaryDirectory(prefix="verify-analytics-demo-") as name:
        road = _Road(Path(name), Station(Path(name), environ), as_of, show)
        with show.step(f"1/5  Simulating {DAYS} days of a provider, up to {as_of:%Y-%m-%d %H:%M} UTC"):
            road.simulate(sessions)
        with show.step("2/5  Bringing them in through the collector's door (collector replay)"):
            road.replay()
        with show.step(f"3/5  Sending {LIVE_REQUESTS} live requests, good and bad, to collector serve on loopback"):
            road.live(now)
        with show.step("4/5  Counting, and comparing with what the simulator knows to have arrived"):
            attempts = road.count()
        with show.step("5/5  Writing the report of the month, up to midnight (verify-analytics report)"):
            page = report.build(
                road.station.store,
                as_of=as_of,
                out=out,
                note=NOTE,
                progress=lambda words: show.say(f"     {words}"),
            )
        _headline(attempts, show.say)
    page = page.resolve()
    show.say(f"\nOpen the report:       {page}\nIts charts and tables: {page.parent}")
    show.say("Work with the sample:  python3 run.py lab")


@dataclass(frozen=True)
class _Road:
    """The places and the people of one demo, and its steps."""

    folder: Path
    station: Station
    as_of: datetime
    show: Show

    def simulate(self, sessions: int) -> None:
        """Write a month's capture and the truth about it."""
        past = simulate.history(sessions, seed=SEED, end=self.as_of, days=DAYS)
        keys = self.station.keys
        written = past.write_capture(
            self.folder / "capture.jsonl",
            url=PUBLIC_URL,
            tokens=[keys.token],
            main_token=keys.main_token,
            verification_url=VERIFICATION_URL,
            verification_secret=keys.verification_secret,
            progress=self.show.counter("sessions"),
        )
        past.write_truth(self.folder / "truth.parquet")
        (self.folder / "written.json").write_text(json.dumps(written._asdict()))
        self.show.say(
            f"     {written.callbacks:,} callbacks and {written.reports:,} reports of {past.sessions:,} sessions"
        )

    def replay(self) -> None:
        """Bring the month in, and see that all of it is there."""
        counts = self.station.replay(self.folder / "capture.jsonl")
        written = json.loads((self.folder / "written.json").read_text())
        found = [
            checks.Check("callbacks stored", written["callbacks"], counts["accepted"] + counts["repeated"]),
            checks.Check("reports stored", written["reports"], counts["verification"]),
            checks.Check("refused", 0, counts["refused"]),
        ]
        self._settle(found)

    def live(self, now: datetime) -> None:
        """Send live traffic of every kind, and see that each request became what it must become."""
        keys = self.station.keys
        with self.station.serve() as address:
            sent = simulate.live(
                to=address,
                public_url=PUBLIC_URL,
                tokens=[keys.token],
                main_token=keys.main_token,
                verification_secret=keys.verification_secret,
                seed=SEED,
                now=now,
                requests=LIVE_REQUESTS,
                progress=self.show.counter("requests"),
            )
        for kind, count, answers in sent.kinds:
            answered = ", ".join(str(status) if status else "nothing" for status in sorted(answers))
            self.show.say(f"     sent: {kind:<58} {count:>5,}   answered {answered}")
        if sent.wrong:
            raise StationError(f"answers that were not expected: {dict(sent.wrong)}")
        self._settle(checks.live(sent.expected, _counts_since(self.station.store, now)))

    def count(self) -> Any:
        """Count attempts, and see that every group is as large as the truth says."""
        store = self.station.store
        attempts = load.keep(
            model.attempts(
                load.callbacks(store),
                as_of=self.as_of,
                verifications=load.verifications(store),
                pulse=load.pulse(store),
            )
        )
        counted = table(attempts)
        found = checks.counted(counted[counted["is_attempt"]])
        wrong = checks.differences(checks.truth_of(self.folder / "truth.parquet"), found)
        total = f"{int(found['attempts'].sum()):,} attempts in {len(found):,} groups by {', '.join(checks.FACTS)}"
        if len(wrong):
            raise StationError(
                f"{total}: {len(wrong)} differ from the simulator's truth, first {wrong.iloc[0].to_dict()}"
            )
        self.show.say(f"     {total}: every count equals the simulator's truth")
        return attempts

    def _settle(self, found: list[checks.Check]) -> None:
        for check in found:
            holds = "as sent" if check.holds else f"BUT SENT: {check.sent:,}"
            self.show.say(f"     found: {check.what:<57} {check.found:>5,}   {holds}")
        if wrong := [check.what for check in found if not check.holds]:
            raise StationError(f"what the collector has is not what was sent: {', '.join(wrong)}")


def _counts_since(store: Path, now: datetime) -> dict[str, Any]:
    """Count what the store holds of the live traffic: rows, and the collector's own minutes."""
    began = pd.Timestamp(now).floor("min")
    callbacks, reports = table(load.callbacks(store)), table(load.verifications(store))
    minutes = table(load.pulse(store))
    minutes = minutes[minutes["minute"] >= began]
    refused: dict[str, int] = {}
    for text in minutes["refused_by"].dropna():
        for reason, count in json.loads(text).items():
            if reason == "v3_unproved":  # accepted on V2 alone: counted there, and no refusal
                continue
            refused[reason] = refused.get(reason, 0) + int(count)
    return {
        "rows": int((callbacks["received_at"] >= began).sum()),
        "repeated": int(minutes["repeated"].sum()),
        "quarantined": int(minutes["quarantined"].sum()),
        "verifications": int((reports["received_at"] >= began).sum()),
        "refused": refused,
    }


def table(frame: Any) -> pd.DataFrame:
    """Bring an engine's frame over to pandas."""
    collected: pd.DataFrame = nw.from_native(frame).lazy().collect().to_pandas()
    return collected


def _headline(attempts: Any, say: Callable[[str], None]) -> None:
    frame = metrics.delivery_rate(attempts, by=["channel", "role"])
    confirmed = frame[(frame["measure"] == "confirmed") & (frame["n"] >= FEWEST_SHOWN)]
    say("\nConfirmed delivery by channel and role, of attempts old enough to be judged (95 % intervals)\n")
    say(f"  {'channel':<9} {'role':<15} {'delivered':>9} {'of':>7} {'rate':>8}   interval")
    for row in confirmed.to_dict("records"):
        counts = f"{row['count']:>9,} {row['n']:>7,} {row['rate']:>8.1%}"
        say(f"  {row['channel']:<9} {row['role']:<15} {counts}   {row['low']:.1%} to {row['high']:.1%}")
    if left := len(frame[frame["measure"] == "confirmed"]) - len(confirmed):
        say(f"  ({left} groups with fewer than {FEWEST_SHOWN} attempts are in the report's tables)")
