"""An archive and the store that feeds it are read as one: no row twice, none missed."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError, NotFoundError
from verify_analytics.load import files, stores

LOADERS = {"callbacks": load.callbacks, "verifications": load.verifications, "pulse": load.pulse}
ORDER = {"callbacks": "arrival_id", "verifications": "verified_us", "pulse": "minute_us"}


@pytest.fixture
def history(callback: Any) -> dict[str, list[dict[str, Any]]]:
    """Give twelve rows of each table."""
    empty = {"accepted": 1, "repeated": 0, "quarantined": 0, "refused": 0, "refused_by": "{}"}
    return {
        "callbacks": [callback(10 * i, "sent", attempt_id=f"a{i}") for i in range(12)],
        "verifications": [{"session_id": f"s{i}", "verified_at": 10 * i, "received_at": 10 * i + 1} for i in range(12)],
        "pulse": [{"collector": "serve", "minute": 60 * i, **empty} for i in range(12)],
    }


@pytest.fixture
def archive(parquet: Any, tmp_path: Path) -> Any:
    """Write rows as one part of an archive."""

    def write(rows: Any, name: str = "archive", part: str = "a") -> Path:
        for table, kept in rows.items():
            if kept:
                parquet(f"{name}/{table}/day=2026-09-01/{part}.parquet", kept, table)
        return tmp_path / name

    return write


def cut(history: Any, begin: int, end: int) -> dict[str, list[dict[str, Any]]]:
    return {table: rows[begin:end] for table, rows in history.items()}


@pytest.mark.parametrize("table", LOADERS)
def test_a_row_in_both_places_is_one_row(
    table: str, history: Any, archive: Any, store: Any, rows_of: Any, kinds: Any
) -> None:
    whole = LOADERS[table](store(history, name="whole.db"))
    # Rows 4 to 7 have been archived and not been deleted yet.
    places = [archive(cut(history, 0, 8)), store(cut(history, 4, 12))]
    for order in (places, places[::-1], tuple(places)):
        together = LOADERS[table](order)
        assert kinds(together) == kinds(whole)
        assert rows_of(together, ORDER[table]) == rows_of(whole, ORDER[table])


@pytest.mark.parametrize("table", LOADERS)
def test_a_row_in_two_stores_or_two_archives_is_one_row(
    table: str, history: Any, archive: Any, store: Any, rows_of: Any
) -> None:
    whole = rows_of(LOADERS[table](store(history, name="whole.db")), ORDER[table])
    stores_ = [store(cut(history, 0, 7), name="one.db"), store(cut(history, 5, 12), name="other.db")]
    archives = [archive(cut(history, 0, 7), "one"), archive(cut(history, 5, 12), "other")]
    assert rows_of(LOADERS[table](stores_), ORDER[table]) == whole
    assert rows_of(LOADERS[table](archives), ORDER[table]) == whole
    assert rows_of(LOADERS[table]([*stores_, *archives]), ORDER[table]) == whole


def test_of_a_minute_that_was_counted_further_the_larger_counts_stand(
    history: Any, archive: Any, store: Any, rows_of: Any
) -> None:
    minute = history["pulse"][0]
    more = {**minute, "accepted": 5, "refused": 2, "refused_by": '{"signature": 2}'}
    callbacks = history["callbacks"]
    archive({"callbacks": callbacks, "pulse": [minute]})
    place = archive({"pulse": [more]}, part="b")
    hot = store({"pulse": [{**minute, "repeated": 3}]})
    for where, repeated in ((place, 0), ([place, hot], 3)):
        [row] = rows_of(load.pulse(where))
        assert (row["accepted"], row["repeated"], row["refused"]) == (5, repeated, 2)
        assert row["refused_by"] == '{"signature": 2}'


def test_rows_that_move_into_the_archive_while_they_are_read_are_not_missed(
    history: Any, archive: Any, store: Any, rows_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = store(history)
    place = archive(cut(history, 0, 2))
    monkeypatch.setattr(stores, "PAGE", 3)
    told = stores.told

    def moving(pages: Any, table: str) -> Any:
        for number, page in enumerate(told(pages, table)):
            yield page
            if not number:
                # What `collector archive` does: the part is shown first, then its rows leave the store.
                archive(cut(history, 0, 9), part="b")
                (place / "callbacks/day=2026-09-01/a.parquet").unlink()
                with closing(sqlite3.connect(hot)) as database:
                    database.execute("DELETE FROM callbacks WHERE callback_id <= 9")
                    database.commit()

    monkeypatch.setattr(stores, "told", moving)
    found = rows_of(load.callbacks([place, hot]), "arrival_id")
    assert [row["arrival_id"] for row in found] == sorted(row["arrival_id"] for row in history["callbacks"])


def test_only_where_both_reach_twins_are_looked_for(history: Any, archive: Any, store: Any) -> None:
    apart = load.callbacks([archive(cut(history, 0, 6)), store(cut(history, 6, 12))])
    assert "ANTI" not in apart.explain().upper()
    overlapping = load.callbacks([archive(cut(history, 0, 6)), store(cut(history, 5, 12), name="other.db")])
    assert "ANTI" in overlapping.explain().upper()


def test_the_attempts_are_those_of_the_whole_store(history: Any, archive: Any, store: Any, rows_of: Any) -> None:
    read = []
    for places in (store(history, name="whole.db"), [archive(cut(history, 0, 8)), store(cut(history, 4, 12))]):
        told: dict[str, Any] = {table: LOADERS[table](places) for table in LOADERS}
        attempts: Any = model.attempts(
            told["callbacks"], as_of="2026-09-02T00:00Z", verifications=told["verifications"], pulse=told["pulse"]
        )
        read.append(rows_of(attempts, "key"))
    assert read[0] == read[1]


def test_an_archive_without_parts_is_no_mistake_beside_its_store(
    history: Any, store: Any, rows_of: Any, tmp_path: Path
) -> None:
    (tmp_path / "archive").mkdir()
    hot = store(history)
    assert len(rows_of(load.callbacks([tmp_path / "archive", hot]))) == 12
    with pytest.raises(NotFoundError, match="holds no callbacks"):
        load.callbacks([tmp_path / "archive"])


def test_what_no_place_keeps_is_not_observable(history: Any, archive: Any) -> None:
    place = archive({"callbacks": history["callbacks"]})
    assert load.verifications([place]) is None
    assert load.pulse([place]) is None


def test_an_empty_store_adds_nothing(history: Any, archive: Any, store: Any, rows_of: Any) -> None:
    assert len(rows_of(load.callbacks([archive(history), store({})]))) == 12


def test_places_that_cannot_be_read_together_are_refused(history: Any, store: Any, tmp_path: Path) -> None:
    hot = store(history)
    with pytest.raises(ArgumentError, match="no place was named"):
        load.callbacks([])
    (tmp_path / "own.csv").write_text("session_id,received_at\n")
    with pytest.raises(ArgumentError, match="a CSV file is read alone"):
        load.callbacks([hot, tmp_path / "own.csv"])
    with pytest.raises(ArgumentError, match="DuckDBPyRelation is read alone"):
        load.callbacks([hot, load.callbacks(hot)])
    with pytest.raises(ArgumentError, match="read alone"):
        load.callbacks([hot], timezone="UTC")


def test_stores_are_read_before_archives_are_listed(
    history: Any, archive: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for module, name in ((stores, "streamed"), (files, "relation")):
        given = getattr(module, name)

        def noted(*args: Any, _given: Any = given, _name: str = name, **options: Any) -> Any:
            order.append(_name)
            return _given(*args, **options)

        monkeypatch.setattr(module, name, noted)
    load.callbacks([archive(history), store(history)])
    assert order == ["streamed", "relation"]
