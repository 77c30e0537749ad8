"""The same functions on Apache Spark: a real master and two workers give what DuckDB gives."""

import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.spark.conftest import AS_OF, BRING, SAMPLE, TABLES
from tests.verify_analytics.conftest import rows_of
from tests.verify_analytics.metrics.everywhere.conftest import REGISTRY
from verify_analytics import load, model
from verify_analytics.errors import DoubtfulWarning, SchemaError

pytestmark = [
    pytest.mark.spark,
    # The simulator's application has a wrong clock now and then.
    pytest.mark.filterwarnings(f"ignore:.*a clock is wrong:{DoubtfulWarning.__module__}.DoubtfulWarning"),
]
KEPT = ("US", "GB", "IN")


# The four main metrics; Spark takes seconds for any.
BY_DEFAULT = {"delivery_rate", "error_codes", "verification_rate", "time_to_verify"}


def asked(*, filtered: bool) -> list[Any]:
    """Give every metric with each of its options; by default the first of few."""
    return [
        pytest.param(
            name,
            options,
            marks=[pytest.mark.full] if number or filtered or name not in BY_DEFAULT else [],
            id=f"{name}-{number}",
        )
        for name, metric in REGISTRY.items()
        for number, options in enumerate(metric.options[-1:] if filtered else metric.options)
    ]


def same(found: pd.DataFrame, expected: pd.DataFrame, *, may_be_empty: bool) -> None:
    assert len(expected) > 0 or may_be_empty
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-9)


def test_two_workers_are_there(cluster: Any) -> None:
    assert cluster.alive() == 2


@pytest.mark.parametrize("table", ["callbacks", "attempts", "sessions"])
def test_the_frames_are_the_same(table: str, read: Callable[..., Any]) -> None:
    by = {"callbacks": "arrival_id", "attempts": "key", "sessions": "session_id"}[table]
    found, expected = (rows_of(getattr(read(engine), table), by) for engine in ("spark", "duckdb"))
    assert len(found) > 400
    assert found == expected


@pytest.mark.parametrize(("metric", "options"), asked(filtered=False))
def test_the_numbers_are_the_same(metric: str, options: Any, read: Callable[..., Any]) -> None:
    found, expected = (REGISTRY[metric].ask(read(engine), **options) for engine in ("spark", "duckdb"))
    same(found, expected, may_be_empty=REGISTRY[metric].may_be_empty)


@pytest.mark.parametrize(("metric", "options"), asked(filtered=True))
def test_the_numbers_of_a_filtered_frame_are_the_same(metric: str, options: Any, read: Callable[..., Any]) -> None:
    names = ("callbacks", "attempts", "sessions")
    wanted = f"country IN {KEPT}"
    made = []
    for engine in ("spark", "duckdb"):
        whole = read(engine)
        cut = whole._replace(**{name: getattr(whole, name).filter(wanted) for name in names})
        made.append(REGISTRY[metric].ask(cut, **options))
    same(*made, may_be_empty=REGISTRY[metric].may_be_empty)


def test_states_that_were_folded_apart_are_the_whole(read: Callable[..., Any]) -> None:
    spark, duckdb = (read(engine).callbacks for engine in ("spark", "duckdb"))
    parts = [model.fold(spark.filter(f"abs(hash(arrival_id)) % 2 = {side}")) for side in (0, 1)]
    assert rows_of(model.merge(*parts), "key") == rows_of(model.fold(duckdb), "key")


@pytest.mark.full
def test_silences_and_a_story_are_the_same(read: Callable[..., Any]) -> None:
    found, expected = (rows_of(model.silences(read(engine).attempts), "from_us") for engine in ("spark", "duckdb"))
    assert found == expected
    one = rows_of(read("duckdb").sessions, "session_id")[7]["session_id"]
    told = [rows_of(model.story(read(engine).callbacks, session_id=one)) for engine in ("spark", "duckdb")]
    assert told[0] == told[1]
    assert told[0]


@pytest.mark.full
def test_of_nothing_nothing_is_said(read: Callable[..., Any]) -> None:
    given = read("spark")
    attempts = model.attempts(given.callbacks.limit(0), as_of=AS_OF)
    assert rows_of(attempts) == []


def test_an_archive_is_read_by_spark_itself(spark: Any, read: Callable[..., Any], tmp_path: Path) -> None:
    rows = pq.read_table(SAMPLE / "callbacks.parquet")
    for number, day in enumerate(("2026-10-27", "2026-10-28")):
        place = tmp_path / "archive" / "callbacks" / f"day={day}"
        place.mkdir(parents=True)
        pq.write_table(rows.slice(number * 800, 800 if number == 0 else None), place / "part.parquet")
    found = load.callbacks(spark.read.parquet(str(tmp_path / "archive" / "callbacks")))
    # The day in a folder's name is no column of ours.
    assert found.columns == read("spark").callbacks.columns
    assert rows_of(found, "arrival_id") == rows_of(load.callbacks(tmp_path / "archive"), "arrival_id")


def test_a_session_in_another_zone_is_told_what_to_say(spark: Any) -> None:
    elsewhere = spark.newSession()
    elsewhere.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
    with pytest.raises(SchemaError, match=r"in the time zone 'Europe/Berlin'; before loading say spark\.conf\.set"):
        load.callbacks(elsewhere.read.parquet(str(SAMPLE / "callbacks.parquet")))


@pytest.mark.full
def test_the_lines_of_the_page_run(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[2] / "docs" / "scale.md"
    [lines] = re.findall(r"^```py\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    for table in TABLES:
        place = tmp_path / "data" / "archive" / table / "day=2026-10-28"
        place.mkdir(parents=True)
        shutil.copy(SAMPLE / f"{table}.parquet", place / "part.parquet")
    monkeypatch.chdir(tmp_path)
    # Paths of the page are those of who reads it; the cluster's are whole.
    exec(compile(lines.replace('"data/archive"', repr(str(tmp_path / "data/archive"))), str(page), "exec"), {})
    said = capsys.readouterr().out
    assert "confirmed" in said
    assert "first_channel" in said


@pytest.mark.full
def test_a_worker_that_is_killed_in_the_middle_changes_no_figure(
    cluster: Any, spark: Any, read: Callable[..., Any]
) -> None:
    """The last test of this file: what was kept on that worker is worked out again."""
    expected = rows_of(read("duckdb").attempts, "key")
    tables: list[Any] = [
        bring(spark.read.parquet(str(SAMPLE / f"{table}.parquet"))) for table, bring in zip(TABLES, BRING, strict=True)
    ]
    killer = threading.Timer(2.0, cluster.kill_a_worker)
    killer.start()
    try:
        found = rows_of(model.attempts(tables[0], as_of=AS_OF, verifications=tables[1], pulse=tables[2]), "key")
    finally:
        killer.join()
    assert found == expected
    assert cluster.alive() == 1
