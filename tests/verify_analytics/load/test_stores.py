"""A SQLite store comes out in the declared shape, is read in short pages, and is never touched."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError, NotFoundError, SchemaError, VerifyAnalyticsError
from verify_analytics.load import stores, watching

LOADERS = {"callbacks": load.callbacks, "verifications": load.verifications, "pulse": load.pulse}
SHAPES = {"callbacks": model.CALLBACKS, "verifications": model.VERIFICATIONS, "pulse": model.PULSE}


@pytest.mark.parametrize("table", LOADERS)
def test_a_store_comes_out_in_the_declared_shape(
    table: str, store: Any, rows: Any, kinds: Any, declared: Any, rows_of: Any, after: Any, us: Any
) -> None:
    loaded = LOADERS[table](store(rows))
    assert kinds(loaded) == declared(SHAPES[table])
    moments = {column.name for column in SHAPES[table] if column.kind == "moment"}
    expected = []
    for row in rows[table]:
        made = {}
        for column in SHAPES[table]:
            value = row[column.name]
            made[column.name] = after(value) if column.name in moments and value is not None else value
            if column.name in moments:
                made[model.columns.MICROSECONDS[column.name]] = None if value is None else us(value)
        expected.append(made)
    assert rows_of(loaded) == expected


def test_a_store_is_named_by_its_path_as_text_or_path_or_url(store: Any, rows: Any, rows_of: Any) -> None:
    file = store(rows)
    expected = rows_of(load.callbacks(file))
    assert rows_of(load.callbacks(str(file))) == expected
    assert rows_of(load.callbacks(f"sqlite:///{file}")) == expected
    assert rows_of(load.callbacks(f"sqlite+pysqlite:///{file}")) == expected


def test_a_store_is_known_by_what_is_in_it_and_not_by_its_name(store: Any, rows: Any, rows_of: Any) -> None:
    assert len(rows_of(load.callbacks(store(rows, name="what ? is #this%20.parquet")))) == 3


def test_columns_that_begin_with_two_thousand_nulls_keep_their_types(store: Any, callback: Any, rows_of: Any) -> None:
    nothing = dict.fromkeys(column.name for column in model.CALLBACKS if column.nullable)
    empty = [{**callback(i, None), **nothing} for i in range(2000)]
    full = {**callback(3000, "undelivered", error_code="030", extra="{}"), "arrival_id": "last"}
    last = rows_of(load.callbacks(store({"callbacks": [*empty, full]})), "received_us")[-1]
    assert {name: last[name] for name in nothing if name != "requested_at"} == {
        name: full[name] for name in nothing if name != "requested_at"
    }


def test_a_wide_gap_between_ids_is_passed_at_once(
    store: Any, callback: Any, rows_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PAGE", 2)
    file = store({"callbacks": [callback(i, "sent") for i in range(5)]})
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE callbacks SET callback_id = callback_id + 4000000000 WHERE callback_id > 3")
        database.commit()
    found = rows_of(load.callbacks(file), "received_us")
    assert [row["received_us"] for row in found] == [row["received_us"] for row in rows_of(load.callbacks(file))]
    assert len(found) == 5


@pytest.mark.parametrize("copied", [1, 3, 100])
def test_rows_come_in_the_order_of_the_store_however_many_are_copied_at_once(
    copied: int, store: Any, callback: Any, rows_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PAGE", 2)
    monkeypatch.setattr(stores, "COPIED", copied)
    file = store({"callbacks": [callback(i, "sent") for i in range(9)]})
    with closing(sqlite3.connect(file)) as database:
        written = [name for (name,) in database.execute("SELECT arrival_id FROM callbacks ORDER BY callback_id")]
    assert [row["arrival_id"] for row in rows_of(load.callbacks(file))] == written


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_pages_of_any_size_give_every_row_once(
    page: int, store: Any, callback: Any, rows_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PAGE", page)
    file = store({"callbacks": [callback(i, "sent") for i in range(5)]})
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM callbacks WHERE callback_id IN (1, 3)")
        database.commit()
    assert len(rows_of(load.callbacks(file))) == 3


def test_rows_that_come_while_it_is_read_are_left_for_the_next_time(
    store: Any, callback: Any, rows_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PAGE", 2)
    file = store({"callbacks": [callback(i, "sent") for i in range(5)]})
    told = stores.told

    def meanwhile(pages: Any, table: str) -> Any:
        for number, page in enumerate(told(pages, table)):
            yield page
            with closing(sqlite3.connect(file)) as database:
                database.execute(
                    "INSERT INTO callbacks (arrival_id, received_at, provider, session_id, proof, digest) "
                    f"VALUES ('late{number}', 1, 'plivo', 's', 'v2', '1:')"
                )
                database.commit()

    monkeypatch.setattr(stores, "told", meanwhile)
    assert len(rows_of(load.callbacks(file))) == 5
    monkeypatch.setattr(stores, "told", told)
    assert len(rows_of(load.callbacks(file))) == 8


def test_what_was_loaded_can_be_asked_again_and_again(store: Any, rows: Any, rows_of: Any) -> None:
    callbacks = load.callbacks(store(rows))
    assert rows_of(callbacks) == rows_of(callbacks)
    joined = model.attempts(callbacks, as_of="2026-09-01T13:00Z", verifications=load.verifications(store({}, "b.db")))
    assert len(rows_of(joined)) == 2


def test_an_empty_store_gives_typed_tables_without_rows(store: Any, kinds: Any, declared: Any, rows_of: Any) -> None:
    file = store({})
    for table, loader in LOADERS.items():
        loaded = loader(file)
        assert rows_of(loaded) == []
        assert kinds(loaded) == declared(SHAPES[table])
    attempts = model.attempts(
        load.callbacks(file),
        as_of="2026-09-01T13:00Z",
        verifications=load.verifications(file),
        pulse=load.pulse(file),
    )
    assert rows_of(model.sessions(attempts)) == []


def test_nothing_is_written_to_a_store_or_left_beside_it(store: Any, rows: Any, tmp_path: Path) -> None:
    file = store(rows)
    before = file.read_bytes()
    file.chmod(0o444)
    load.callbacks(file)
    assert file.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


def test_rows_that_are_still_in_the_log_are_seen(store: Any, rows: Any, rows_of: Any) -> None:
    file = store(rows)
    # Another process writes and dies, so that nobody folds the log back into the file.
    write = (
        "import os, sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('PRAGMA journal_mode=WAL');"
        'd.execute("INSERT INTO callbacks (arrival_id, received_at, provider, session_id, proof, digest) '
        "VALUES ('new', 1, 'plivo', 's', 'v2', '1:')\"); d.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", write, str(file)], check=True)
    log = file.with_name(f"{file.name}-wal")
    before = log.read_bytes()
    assert before
    assert len(rows_of(load.callbacks(file))) == 4
    # Whoever may write folds the log back when it closes the store.
    assert log.read_bytes() == before


def test_who_watches_is_told_how_far_it_is_and_nobody_else(
    store: Any, callback: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = store({"callbacks": [callback(i, "sent") for i in range(1500)]})
    monkeypatch.setattr(stores, "PAGE", 1000)
    monkeypatch.setattr(watching.Pace, "is_due", lambda _: True)
    seen: list[tuple[str, int, int | None]] = []
    with load.watched(lambda table, rows, of: seen.append((table, rows, of))):
        load.callbacks(file)
    load.callbacks(file)
    assert seen == [("callbacks", 1000, 1500), ("callbacks", 1500, 1500)]
    assert capsys.readouterr() == ("", "")


def tables() -> int:
    return len(load.connection().sql("SELECT 1 FROM duckdb_tables()").fetchall())


def test_a_file_that_is_not_there_is_named_with_the_nearest_one(store: Any, tmp_path: Path) -> None:
    store({})
    with pytest.raises(NotFoundError, match=r"no file or folder '.*/calbacks\.db'; did you mean 'callbacks\.db'\?"):
        load.callbacks(tmp_path / "calbacks.db")
    with pytest.raises(NotFoundError, match=r"did you mean 'callbacks\.db'\?"):
        load.callbacks(f"sqlite:///{tmp_path / 'calbacks.db'}")
    with pytest.raises(NotFoundError, match="there is no folder"):
        load.callbacks(tmp_path / "nowhere" / "callbacks.db")


def test_a_database_that_is_no_store_is_said_to_be_none(store: Any) -> None:
    before = tables()
    file = store({}, schema="CREATE TABLE notes (text TEXT)")
    for table, loader in LOADERS.items():
        with pytest.raises(SchemaError, match=rf"is no collector's store: it has no table '{table}'"):
            loader(file)
    assert tables() == before


def test_a_store_without_a_column_is_refused_with_the_nearest_name(store: Any) -> None:
    file = store({})
    with closing(sqlite3.connect(file)) as database:
        database.execute("ALTER TABLE callbacks RENAME COLUMN country TO contry")
        database.commit()
    before = tables()
    with pytest.raises(SchemaError, match=r"table 'callbacks': no column 'country'; did you mean 'contry'\?"):
        load.callbacks(file)
    assert tables() == before


def test_a_damaged_store_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "damaged.db"
    file.write_bytes(b"SQLite format 3\0" + b"junk" * 500)
    with pytest.raises(SchemaError, match=r"damaged\.db' cannot be read as a store: .*not a database") as refused:
        load.callbacks(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"SQLite"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "callbacks.json"
    file.write_bytes(content)
    with pytest.raises(
        SchemaError, match=r"neither a SQLite store nor a Parquet file, nor called \.csv; give a SQLite"
    ):
        load.callbacks(file)
    with pytest.raises(SchemaError, match=r"is no SQLite store|neither"):
        load.callbacks(f"sqlite:///{file}")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("mysql://host/db", "not in 'mysql'"),
        ("sqlite://", "needs a file: sqlite:///FILE"),
        ("sqlite:///:memory:", "needs a file: sqlite:///FILE"),
        ("://", "no database URL"),
        (None, "nothing was named"),
        (42, "int is no dataframe, file or URL"),
        ([1, 2], "int is read alone"),
    ],
)
def test_what_cannot_be_a_source_is_refused(where: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        load.callbacks(where)


def test_a_postgresql_that_does_not_answer_is_said_without_the_password() -> None:
    with pytest.raises(VerifyAnalyticsError, match="cannot be read as a store") as refused:
        load.callbacks("postgresql+psycopg://analyst:open-sesame@127.0.0.1:9/callbacks?connect_timeout=2")
    assert "open-sesame" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "analyst" in str(refused.value)
