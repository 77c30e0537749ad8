"""The worlds in which estimators are judged, and small histories of them, laid side by side for the metrics.

Each history goes the analyst's road by itself, from its callbacks through the model, for what a source could tell and
when the collector was down are facts of one store. Only then are histories put below each other, each under a name of
its own in the column `country`, so that one question to a metric answers for all of them.
"""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from verify_analytics import load, model
from verify_analytics.simulate import Features, History, history

END = datetime(2026, 9, 29, tzinfo=UTC)
DAYS = 2
ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("simulate", "load", "model")
GRAINS = ("attempts", "sessions")
PLACE = "|"  # between a history's name and its countries'


class World(NamedTuple):
    """One kind of history.

    Attributes
    ----------
    sessions
        The fewest and the most sessions of people in a history; the seed says how many.
    groups
        Whether its countries are judged one by one too, which takes as long as all the rest.
    """

    name: str
    said: str
    sessions: tuple[int, int]
    features: Features
    groups: bool = False

    def history(self, seed: int) -> History:
        """Make the history of a seed."""
        fewest, most = self.sessions
        size = fewest + seed % (most - fewest + 1)
        return history(size, seed=seed, end=END, days=DAYS, features=self.features, chunk_sessions=size)


USUAL = (300, 300)
WORLDS = (
    World(
        "quiet", "Every callback arrives once and in time, every receipt is sent.", USUAL, Features.quiet(), groups=True
    ),
    World("lossy", "Of all callbacks 5 % never arrive.", USUAL, Features.quiet(lost=0.05)),
    World(
        "late",
        "Of all callbacks 15 % come minutes late, 15 % come again, 10 % are overtaken.",
        USUAL,
        Features.quiet(late=0.15, redelivered=0.15, disorder=0.1, fresh_nonce=0.5),
    ),
    World(
        "outage", "The collector is down for three hours of the two days.", USUAL, Features.quiet(outage_minutes=(180,))
    ),
    World(
        "gaps",
        "The application begins to report after a fifth of the time, and stops for seven hours once.",
        USUAL,
        Features.quiet(reporter_gaps=((0.0, 0.2), (0.55, 0.7))),
    ),
    World("small", "Histories of 20 to 50 sessions, nothing odd.", (20, 50), Features.quiet(), groups=True),
    World(
        "usual",
        "The world of the demo: all of it, weaker, and bots, lies and carriers without receipts.",
        (500, 500),
        Features(),
        groups=True,
    ),
)


class Batch(NamedTuple):
    """Some histories, each under its own name in the column `country`; `places` adds the country to the name."""

    names: list[str]
    attempts: pl.DataFrame
    sessions: pl.DataFrame
    places: pl.DataFrame


def name_of(seed: int) -> str:
    """Name a history so that the order of names is that of seeds."""
    return f"{seed:09}"


def batch(world: World, seeds: range, kept: Path | None = None) -> Batch:
    """Simulate histories and put what the model makes of each below each other; what was kept is not made again."""
    places = (
        [kept / f"{world.name}-{seeds[0]}-{_asked(world, seeds)}-{grain}.parquet" for grain in GRAINS] if kept else []
    )
    if places and all(place.exists() for place in places):
        frames = [pl.read_parquet(place) for place in places]
    else:
        made = [_modelled(world, seed) for seed in seeds]
        frames = [pl.concat(each) for each in zip(*made, strict=True)]
        for place, frame in zip(places, frames, strict=bool(places)):
            rough = place.with_suffix(f".{os.getpid()}.part")
            frame.write_parquet(rough)
            rough.replace(place)
    attempts, sessions = (frame.with_columns(country=pl.col("_history")).drop("_history") for frame in frames)
    named = pl.concat_str("_history", "country", separator=PLACE, ignore_nulls=True)
    by_place = frames[0].with_columns(country=named).drop("_history")
    return Batch([name_of(seed) for seed in seeds], attempts, sessions, by_place)


def _modelled(world: World, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bring one history from its callbacks to attempts and sessions."""
    stored = {name: pl.from_pandas(frame) for name, frame in world.history(seed).frames().items()}
    made = model.attempts(
        load.callbacks(stored["callbacks"]),
        as_of=END,
        verifications=load.verifications(stored["verifications"]),
        pulse=load.pulse(stored["pulse"]),
    )
    named = pl.lit(name_of(seed)).alias("_history")
    return made.with_columns(named), model.sessions(made).with_columns(named)


def _asked(world: World, seeds: range) -> str:
    """Tell what frames were made of: the world, the seeds, and the code on the way."""
    known = hashlib.sha256(repr((world, seeds, END, DAYS)).encode())
    for path in sorted(path for room in ROOMS for path in (ROOT / "verify_analytics" / room).rglob("*.py")):
        known.update(path.read_bytes())
    return known.hexdigest()[:12]
