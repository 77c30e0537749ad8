"""The whole road: signed requests through the collector's door, into frames, figures and charts, equal to the truth.

The simulator's truth is worked out by its own plain walk over what arrived; the figures come through the collector,
SQLite, DuckDB and Narwhals. They agree to the last count.
"""

import json
import os
import sqlite3
import warnings
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from collector.archive import sealing
from verify_analytics import charts, load, metrics, model, simulate
from verify_analytics.demo import checks
from verify_analytics.demo.road import table
from verify_analytics.demo.station import PUBLIC_URL, VERIFICATION_URL, Station
from verify_analytics.errors import DoubtfulWarning

END = datetime(2026, 10, 29, tzinfo=UTC)
EARLIER = datetime(2026, 10, 27, 15, 30, tzinfo=UTC)
GROUPS = ["channel", "role", "country"]


class Fortnight(NamedTuple):
    """A store filled through the collector, and the history it was filled from."""

    station: Station
    capture: Path
    history: simulate.History
    counts: dict[str, int]

    @property
    def store(self) -> Path:
        return self.station.store


def history(as_of: datetime) -> simulate.History:
    return simulate.history(1500, seed=11, end=END, days=14, as_of=as_of)


@pytest.fixture(scope="module")
def fortnight(tmp_path_factory: pytest.TempPathFactory) -> Fortnight:
    folder = tmp_path_factory.mktemp("fortnight")
    station, made, capture = Station(folder, os.environ), history(END), folder / "capture.jsonl"
    made.write_capture(
        capture,
        url=PUBLIC_URL,
        tokens=[station.keys.token],
        main_token=station.keys.main_token,
        verification_url=VERIFICATION_URL,
        verification_secret=station.keys.verification_secret,
    )
    return Fortnight(station, capture, made, station.replay(capture))


def attempts_of(store: Path, as_of: datetime) -> Any:
    return model.attempts(
        load.callbacks(store), as_of=as_of, verifications=load.verifications(store), pulse=load.pulse(store)
    )


def moment_of(line: str) -> str:
    """When a captured request came in, or an outage was over."""
    said = json.loads(line)
    return str(said.get("received_at") or said["down_to"])


def heard(truth: pd.DataFrame) -> pd.DataFrame:
    """The attempts of the truth that were heard of, old enough to be judged, with a known end."""
    known = ["delivered", "undelivered", "failed", "accepted", "silent"]
    return truth[truth["arrived_attempt"] & truth["arrived_mature"] & truth["arrived_outcome"].isin(known)]


@pytest.mark.parametrize("as_of", [END, EARLIER], ids=["at the end", "two days before"])
def test_every_attempt_counts_as_the_simulator_knows_it(fortnight: Fortnight, as_of: datetime) -> None:
    truth = history(as_of).truth()
    arrived = truth.loc[truth["arrived_attempt"], [f"arrived_{fact}" for fact in checks.FACTS]]
    found = table(attempts_of(fortnight.store, as_of))
    counted = checks.counted(found[found["is_attempt"]])
    assert counted["attempts"].sum() > 1500
    assert set(counted["outcome"]) >= {"delivered", "undelivered", "failed", "accepted", "silent", "unobserved"}
    assert checks.differences(checks.counted(arrived.set_axis(checks.FACTS, axis="columns")), counted).empty


@pytest.mark.parametrize("by", [["channel", "role"], ["country"], ["country", "channel"]], ids="-".join)
def test_the_counts_behind_the_delivery_rates_are_those_of_the_truth(fortnight: Fortnight, by: list[str]) -> None:
    truth = heard(fortnight.history.truth())
    names = [f"arrived_{name}" for name in by]
    delivered = truth["arrived_outcome"] == "delivered"
    expected = pd.DataFrame(
        {
            "n": truth.groupby(names, dropna=False).size(),
            "count": delivered.groupby([truth[name] for name in names], dropna=False).sum(),
        }
    ).reset_index(names=by)
    frame = metrics.delivery_rate(attempts_of(fortnight.store, END), by=by)
    found = frame[(frame["measure"] == "confirmed") & (frame["n"] > 0)][[*by, "n", "count"]]
    whole = {"n": int, "count": int}
    left = found.sort_values(by, ignore_index=True).astype(whole)
    right = expected.sort_values(by, ignore_index=True).astype(whole)
    pd.testing.assert_frame_equal(left, right, check_dtype=False)


def test_the_error_codes_are_those_of_the_truth(fortnight: Fortnight) -> None:
    truth = heard(fortnight.history.truth())
    lost = truth[truth["arrived_outcome"].isin(["failed", "undelivered"])]
    expected = lost.groupby(["arrived_channel", lost["arrived_error_code"].fillna("(none given)")]).size().to_dict()
    frame = metrics.error_codes(attempts_of(fortnight.store, END))
    rows = frame[frame["measure"] == "share_of_unsuccessful"]
    assert dict(zip(zip(rows["channel"], rows["code"], strict=True), rows["count"], strict=True)) == expected


def test_the_sessions_end_as_the_truth_says(fortnight: Fortnight) -> None:
    truth = fortnight.history.truth()
    expected = truth[truth["arrived_session"]].drop_duplicates("session_id").set_index("session_id")
    sessions = table(model.sessions(attempts_of(fortnight.store, END))).set_index("session_id")
    both = expected[["arrived_session_outcome"]].join(sessions, how="inner")
    assert len(both) == len(expected)
    assert (both["arrived_session_outcome"] == both["outcome"]).all()


def test_an_old_report_is_the_same_from_a_store_that_has_grown(fortnight: Fortnight, tmp_path: Path) -> None:
    """A second store gets only what was received by then; both tell the same story of that moment."""
    cutoff = EARLIER.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    early = tmp_path / "early.jsonl"
    with fortnight.capture.open() as lines, early.open("w") as kept:
        kept.writelines(line for line in lines if moment_of(line) <= cutoff)
    young = Station(tmp_path, os.environ, fortnight.station.keys)
    assert 0 < young.replay(early)["lines"] < fortnight.counts["lines"]
    from_young, from_grown = (
        table(attempts_of(store, EARLIER)).sort_values("key", ignore_index=True)
        for store in (young.store, fortnight.store)
    )
    # The young store's minutes end with the last request it was given, the grown one's go on: that is coverage, and no
    # fact about an attempt. Keys of recipients are made with the pepper both share, so they are equal too.
    facts = [name for name in from_young if name not in {"covered_until_us", "observed_until_us"}]
    pd.testing.assert_frame_equal(from_young[facts], from_grown[facts])


def test_replaying_twice_adds_nothing(fortnight: Fortnight) -> None:
    before = len(table(load.callbacks(fortnight.store)))
    again = fortnight.station.replay(fortnight.capture)
    assert (again["accepted"], again["repeated"], again["known"]) == (0, 0, before)
    assert len(table(load.callbacks(fortnight.store))) == before


def test_each_metric_becomes_a_chart(fortnight: Fortnight) -> None:
    attempts = load.keep(attempts_of(fortnight.store, END))
    sessions = model.sessions(attempts)
    with warnings.catch_warnings():
        # The simulated application's clock is wrong now and then, and the metric says so.
        warnings.simplefilter("ignore", DoubtfulWarning)
        speed = metrics.time_to_verify(sessions)
    frames = {
        "delivery_rate": metrics.delivery_rate(attempts, by=["channel", "role"]),
        "error_codes": metrics.error_codes(attempts),
        "retries": metrics.retries(attempts),
        "time_to_verify": speed,
    }
    for name, frame in frames.items():
        assert getattr(charts, name)(frame).get_axes(), name


@pytest.fixture(scope="module")
def archived(fortnight: Fortnight, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the archive that `collector archive` makes of a copy of the store, and what it leaves in the store."""
    folder = tmp_path_factory.mktemp("archived")
    store, root = folder / "callbacks.db", folder / "archive"
    with closing(sqlite3.connect(fortnight.store)) as given, closing(sqlite3.connect(store)) as copy:
        given.backup(copy)
    root.mkdir()
    # All days but the last two: those are younger than a moment that is said here, and the real clock is not asked.
    sealing.archive(f"sqlite:///{store}", root, round(EARLIER.timestamp()) * 1_000_000)
    return root, store


@pytest.mark.full
def test_an_archive_and_its_store_are_the_whole_store_at_any_moment(
    fortnight: Fortnight, archived: tuple[Path, Path]
) -> None:
    places = list(archived)
    left = len(table(load.callbacks(archived[1])))
    assert 0 < left < len(table(load.callbacks(fortnight.store)))
    for as_of in (END, EARLIER, EARLIER - timedelta(days=5)):
        states = load.states(places, as_of=as_of)
        told, pulse = load.verifications(places), load.pulse(places)
        found = table(model.finish(states, as_of=as_of, verifications=told, pulse=pulse)).sort_values("key")
        expected = table(attempts_of(fortnight.store, as_of)).sort_values("key")
        pd.testing.assert_frame_equal(found.reset_index(drop=True), expected.reset_index(drop=True))
    assert (archived[0] / "states" / "states.json").exists()
