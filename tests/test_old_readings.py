"""What was said of an old moment is said again of it by a store that has grown: every metric, the whole report.

After that moment came callbacks of new attempts and of old ones, redeliveries, reports of old sessions, and pulse. The
reporter had been silent before it, and the silence had just ended.
"""

import inspect
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.verify_analytics.conftest import rows_of
from tests.verify_analytics.load.conftest import SCHEMA
from verify_analytics import load, metrics, model, report, simulate
from verify_analytics.errors import DoubtfulWarning

END = datetime(2026, 10, 29, tzinfo=UTC)
AS_OF = datetime(2026, 10, 27, 11, 17, 3, 141592, tzinfo=UTC)
Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def grown() -> Tables:
    made = simulate.history(500, seed=11, end=END, days=5, features=simulate.Features(redelivered=0.1)).frames()
    calls, told = made["callbacks"], made["verifications"]
    old, old_told = calls[calls["received_at"] <= AS_OF], told[told["received_at"] <= AS_OF]
    later = pd.Timestamp(AS_OF) + pd.Timedelta(microseconds=1)
    again = old.tail(40).assign(received_at=later, arrival_id=[f"again-{n}" for n in range(40)])
    # Sessions of the silence are verified after all, as it turns out; and one that was known is known earlier.
    silent = old[~old["session_id"].isin(old_told["session_id"])]["session_id"].drop_duplicates().tail(60)
    turned_out = pd.DataFrame(
        {"session_id": silent, "verified_at": pd.Timestamp(AS_OF) - pd.Timedelta(days=1), "received_at": later}
    )
    earlier = old_told.tail(5).assign(
        verified_at=lambda rows: rows["verified_at"] - pd.Timedelta(seconds=5), received_at=later
    )
    return {
        "callbacks": pd.concat([again, calls], ignore_index=True),
        "verifications": pd.concat([turned_out, earlier, told], ignore_index=True).astype(told.dtypes),
        "pulse": made["pulse"],
    }


@pytest.fixture(scope="module")
def young(grown: Tables) -> Tables:
    """The same store as it was at that moment; the minute that was not over had no row yet."""
    kept = {name: grown[name][grown[name]["received_at"] <= AS_OF] for name in ("callbacks", "verifications")}
    minute = pd.Timestamp(AS_OF).floor("min")
    return {**kept, "pulse": grown["pulse"][grown["pulse"]["minute"] < minute]}


def parquet(tables: Tables, folder: Path) -> Path:
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    return folder / "callbacks.parquet"


def sqlite(tables: Tables, folder: Path) -> Path:
    with closing(sqlite3.connect(folder / "callbacks.db")) as database:
        database.executescript(SCHEMA)
        for name, table in tables.items():
            moments = table.select_dtypes("datetimetz").columns
            whole = table.assign(
                **{moment: table[moment].astype("int64").where(table[moment].notna()) for moment in moments}
            )
            whole = whole.astype(dict.fromkeys(moments, "Int64")).astype(object)
            names = ", ".join(whole.columns)
            database.executemany(
                f"INSERT INTO {name} ({names}) VALUES ({', '.join('?' * len(whole.columns))})",
                whole.where(whole.notna(), None).itertuples(index=False),
            )
        database.commit()
    return folder / "callbacks.db"


# On Parquet files `test_report_again` shows the like in every run.
STORES = [pytest.param(parquet, id="Parquet", marks=pytest.mark.full), pytest.param(sqlite, id="SQLite")]


@pytest.fixture(scope="module", params=STORES)
def stores(request: pytest.FixtureRequest, young: Tables, grown: Tables, tmp_path_factory: Any) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in ("young", "grown")}
    return {name: request.param(tables, folders[name]) for name, tables in (("young", young), ("grown", grown))}


@pytest.fixture(scope="module")
def read(stores: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """What a metric may ask for, by the name of the argument, from each store."""
    found = {}
    for name, store in stores.items():
        given: dict[str, Any] = {"callbacks": load.callbacks(store), "as_of": AS_OF}
        given |= {"verifications": load.verifications(store), "pulse": load.pulse(store)}
        attempts = model.attempts(**given)
        given["attempts"] = load.keep(attempts)
        given["sessions"] = load.keep(model.sessions(given["attempts"]))
        found[name] = given
    return found


# What a metric cannot be asked without.
NEEDED = {"unlawful": {"what": "sequence_jump"}}


def figures() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every metric with what of the store it asks for; those that compare other figures ask for none of it."""
    of_store = {"callbacks", "attempts", "sessions", "pulse", "verifications", "as_of"}
    for name in metrics.__all__:
        asked = list(inspect.signature(getattr(metrics, name)).parameters) if callable(getattr(metrics, name)) else []
        if asked and asked[0] in of_store:
            yield name, tuple(argument for argument in asked if argument in of_store)


def test_the_stores_differ_and_the_silence_lies_in_both(read: Any, young: Tables, grown: Tables) -> None:
    assert all(len(grown[name]) > len(young[name]) + 50 for name in grown)
    for given in read.values():
        [silence] = rows_of(model.silences(given["attempts"]))
        assert (silence["source"], silence["until_us"] < AS_OF.timestamp() * 1e6) == ("app", True)
    today = {**read["grown"], "as_of": END}
    attempts = model.attempts(**{name: today[name] for name in ("callbacks", "as_of", "verifications", "pulse")})
    # Today the reports that came late fill the silence: what was observable then is not what is observable now.
    assert rows_of(model.silences(attempts)) == []


@pytest.mark.parametrize("frame", ["attempts", "sessions"])
def test_attempts_and_sessions_of_an_old_moment_stay_what_they_were(frame: str, read: Any) -> None:
    key = {"attempts": "key", "sessions": "session_id"}[frame]
    rows = {name: rows_of(given[frame], key) for name, given in read.items()}
    assert len(rows["young"]) > 200
    assert rows["grown"] == rows["young"]


@pytest.mark.parametrize(("name", "asked"), list(figures()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_metric_of_an_old_moment_stays_what_it_was(name: str, asked: tuple[str, ...], read: Any) -> None:
    metric, said = getattr(metrics, name), []
    for given in read.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DoubtfulWarning)
            options = NEEDED.get(name, {})
            said.append(metric(given[asked[0]], **{argument: given[argument] for argument in asked[1:]}, **options))
    pd.testing.assert_frame_equal(said[0], said[1])


# In every run `test_report_again` shows the like of a folder of Parquet files.
@pytest.mark.full
def test_a_report_on_an_old_moment_is_the_same_to_the_byte(stores: dict[str, Path], tmp_path: Path) -> None:
    made = []
    for name, store in stores.items():
        folder = report.build(store, as_of=AS_OF, out=tmp_path / name).parent
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        made.append({file.relative_to(folder).as_posix(): file.read_bytes() for file in files})
    assert len(made[0]) > 5
    assert made[0] == made[1]
