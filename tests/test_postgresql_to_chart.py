"""The same history in SQLite and PostgreSQL: what is loaded, folded and measured is equal to the last microsecond."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.postgres import PostgresServer
from tests.test_callback_to_chart import END, attempts_of
from verify_analytics import load, metrics, model, simulate
from verify_analytics.demo.road import table
from verify_analytics.demo.station import PUBLIC_URL, VERIFICATION_URL, Station
from verify_analytics.errors import SchemaError
from verify_analytics.load import stores

pytestmark = pytest.mark.postgres
LOADERS = {"callbacks": load.callbacks, "verifications": load.verifications, "pulse": load.pulse}
KEYS = {"callbacks": ["arrival_id"], "verifications": ["session_id", "verified_at"], "pulse": ["collector", "minute"]}


class Both(NamedTuple):
    """One capture, brought in through the collector's door into both databases."""

    sqlite: Path
    url: str
    name: str


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Both:
    folder = tmp_path_factory.mktemp("both")
    station, capture, url = Station(folder, os.environ), folder / "capture.jsonl", postgres.new_database()
    simulate.history(400, seed=11, end=END, days=14, as_of=END).write_capture(
        capture,
        url=PUBLIC_URL,
        tokens=[station.keys.token],
        main_token=station.keys.main_token,
        verification_url=VERIFICATION_URL,
        verification_secret=station.keys.verification_secret,
    )
    other = Station(folder, os.environ, station.keys)
    other._environ["COLLECTOR_DATABASE_URL"] = url
    assert station.replay(capture) == other.replay(capture)
    # A second time adds nothing there either.
    assert other.replay(capture)["accepted"] == 0
    return Both(station.store, url, url.partition("@/")[2].partition("?")[0])


@pytest.mark.parametrize("form", ["postgresql", "postgresql+psycopg"])
@pytest.mark.parametrize("name", LOADERS)
def test_each_table_comes_out_equal(name: str, form: str, both: Both) -> None:
    url = both.url.replace("postgresql+psycopg", form)
    here, there = (
        table(LOADERS[name](where)).sort_values(KEYS[name], ignore_index=True) for where in (both.sqlite, url)
    )
    assert len(here) > 100
    pd.testing.assert_frame_equal(there, here)


def test_what_is_folded_and_measured_is_equal(both: Both) -> None:
    def attempts(where: Any) -> Any:
        return attempts_of(where, END)

    here, there = (table(attempts(where)).sort_values("key", ignore_index=True) for where in both[:2])
    pd.testing.assert_frame_equal(there, here)
    by = ["channel", "role"]
    rates = [metrics.delivery_rate(attempts(where), by=by).sort_values([*by, "measure"]) for where in both[:2]]
    assert rates[0]["n"].sum() > 400
    pd.testing.assert_frame_equal(rates[1].reset_index(drop=True), rates[0].reset_index(drop=True))


def test_columns_that_begin_with_two_thousand_nulls_keep_their_types(postgres: PostgresServer, both: Both) -> None:
    url = postgres.new_database()
    name = url.partition("@/")[2].partition("?")[0]
    make(url)
    needed = "arrival_id, received_at, provider, session_id, proof, digest"
    postgres.execute(
        f"INSERT INTO callbacks ({needed}) "
        "SELECT 'a' || n, n, 'plivo', 's', 'v2', '1:' FROM generate_series(1, 2000) n",
        name,
    )
    nullable = {column.name: "text" for column in model.CALLBACKS if column.nullable}
    nullable |= {"attempt_sequence": "7", "requested_at": "1788264000000001"}
    values = ", ".join(f"'{value}'" for value in nullable.values())
    postgres.execute(
        f"INSERT INTO callbacks ({needed}, {', '.join(nullable)}) "
        f"VALUES ('last', 1788264000123457, 'plivo', 's', 'v2', '1:', {values})",
        name,
    )
    frame = table(load.callbacks(url)).set_index("arrival_id")
    assert len(frame) == 2_001
    assert frame.loc["a1", list(nullable)].isna().all()
    last = frame.loc["last"]
    assert (last["attempt_sequence"], last["channel"], last["extra"]) == (7, "text", "text")
    assert last["requested_at"] == pd.Timestamp("2026-09-01T12:00:00.000001Z")
    assert last["received_at"] == pd.Timestamp("2026-09-01T12:00:00.123457Z")
    assert (last["received_us"], last["requested_us"]) == (1788264000123457, 1788264000000001)
    assert list(table(load.verifications(url))) == list(table(load.verifications(both.url)))
    assert table(load.pulse(url)).empty


def make(url: str) -> None:
    """Make an empty store with the collector itself, which the toolkit never imports."""
    code = "import sys; from collector import store; store.initialise(store.writer_engine(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, url], check=True)


def test_a_large_table_is_streamed_in_parts_of_one_snapshot_and_the_writer_is_not_disturbed(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_database()
    name = url.partition("@/")[2].partition("?")[0]
    make(url)
    fill = (
        "INSERT INTO callbacks (arrival_id, received_at, provider, session_id, proof, digest, extra) "
        "SELECT {who} || n, n, 'plivo', 's', 'v2', '1:', repeat('x', 800) FROM generate_series(1, {many}) n"
    )
    postgres.execute(fill.format(who="'a'", many=60_000), name)
    told, sizes, waited = stores.told, list[int](), list[int]()

    def meanwhile(pages: Any, what: str) -> Iterator[Any]:
        for number, page in enumerate(told(pages, what)):
            sizes.append(page.num_rows)
            if number == 0:
                # Half-way through: nobody who writes waits, and what he writes is left for the next time.
                postgres.execute("SET statement_timeout = 5000; " + fill.format(who="'b'", many=100), name)
                postgres.execute("UPDATE nonces SET arrivals = 1; DELETE FROM pulse", name)
                held = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                waited.extend(count for (count,) in postgres.execute(held, name))
            yield page

    monkeypatch.setattr(stores, "told", meanwhile)
    assert len(table(load.callbacks(url).project("arrival_id"))) == 60_000
    assert len(sizes) > 1
    assert waited == [0]
    # Nothing stays open behind it; the server notices that a client has gone a moment later.
    active = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    left = [(1,)]
    for _ in range(100):
        left = postgres.execute(active)
        if left == [(0,)]:
            break
        time.sleep(0.1)
    assert left == [(0,)]
    monkeypatch.setattr(stores, "told", told)
    assert len(table(load.callbacks(url).project("arrival_id"))) == 60_100


def test_an_analyst_needs_to_read_three_tables_and_no_more(postgres: PostgresServer, both: Both) -> None:
    postgres.execute("CREATE ROLE analyst LOGIN")
    try:
        analyst = both.url.replace("postgres@", "analyst:hush@")
        with pytest.raises(SchemaError, match="permission denied for table callbacks") as caught:
            load.callbacks(analyst)
        assert "hush" not in str(caught.value)
        postgres.execute("GRANT SELECT ON callbacks, verifications, pulse TO analyst", both.name)
        for loader in LOADERS.values():
            assert len(table(loader(analyst))) == len(table(loader(both.sqlite)))
    finally:
        postgres.execute("DROP OWNED BY analyst", both.name)
        postgres.execute("DROP ROLE analyst")


def test_what_is_no_store_or_is_not_there_is_said(postgres: PostgresServer, both: Both) -> None:
    with pytest.raises(SchemaError, match="is no collector's store: it has no table 'callbacks'"):
        load.callbacks(postgres.new_database())
    with pytest.raises(SchemaError, match='database "nowhere" does not exist') as caught:
        load.callbacks(both.url.replace("postgres@", "postgres:hush@").replace(both.name, "nowhere"))
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.full
def test_a_report_is_made_from_postgresql(both: Both, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "verify_analytics.cli",
            "report",
            both.url,
            "--as-of",
            END.isoformat(),
            "--out",
            tmp_path / "out",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.html").exists()
