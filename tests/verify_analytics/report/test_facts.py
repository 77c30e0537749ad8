"""What stands behind a report: counts, gaps in listening, digests; the same from every engine."""

from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from verify_analytics import load
from verify_analytics.report.facts import Facts, gather

MINUTE = 60_000_000
AS_OF_US = 1_793_232_000_000_000

ENGINES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "polars lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "duckdb": lambda frame: load.connection().from_arrow(pl.from_pandas(frame).to_arrow()),
}


def facts(engine: str, callbacks: list[tuple[str, str, int, str]], pulse: list[tuple[str, int]] | None) -> Facts:
    into = ENGINES[engine]
    rows = pd.DataFrame(callbacks, columns=["arrival_id", "digest", "received_us", "proof"])
    minutes = None
    if pulse is not None:
        minutes = pd.DataFrame(pulse, columns=["collector", "minute_us"])
        minutes = minutes.assign(accepted=1, repeated=0, quarantined=2, refused=3, refused_by='{"signature": 3}')
    return gather(into(rows), None, None if minutes is None else into(minutes), as_of_us=AS_OF_US)


@pytest.mark.parametrize("engine", ENGINES)
def test_counts_stop_at_the_moment_and_know_what_came_again(engine: str) -> None:
    found = facts(
        engine,
        [("a", "x", AS_OF_US - 3, "v2"), ("b", "x", AS_OF_US, "none"), ("c", "y", AS_OF_US + 1, "none")],
        None,
    )
    assert (found.callbacks, found.redeliveries, found.unproved) == (2, 1, 1)
    assert found.first_received_us == AS_OF_US - 3
    assert not found.coverage_known
    assert found.inputs["verifications"] == (None, None)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gap_is_a_minute_in_which_no_collector_listened(engine: str) -> None:
    start = AS_OF_US - 100 * MINUTE
    heard = [("one", start), ("one", start + MINUTE), ("two", start + 2 * MINUTE), ("two", start + 5 * MINUTE)]
    found = facts(engine, [("a", "x", start, "v2")], heard)
    assert [(gap.from_us - start, gap.minutes) for gap in found.gaps] == [(3 * MINUTE, 2)]
    assert found.covered_until_us == start + 5 * MINUTE
    assert (found.refused, found.quarantined) == (12, 8)


def test_the_digest_is_the_same_from_every_engine_and_in_every_order() -> None:
    rows = [("b", "x", AS_OF_US - 3, "v2"), ("a", "z", AS_OF_US - 2, "v2"), ("a", "y", AS_OF_US - 1, "v2")]
    digests = {facts(engine, order, None).inputs["callbacks"] for engine in ENGINES for order in (rows, rows[::-1])}
    assert len(digests) == 1


def test_a_change_in_any_row_changes_the_digest() -> None:
    rows = [("a", "x", AS_OF_US - 3, "v2"), ("b", "y", AS_OF_US - 2, "v2")]
    other = [("a", "x", AS_OF_US - 3, "v2"), ("b", "z", AS_OF_US - 2, "v2")]
    assert facts("pandas", rows, None).inputs["callbacks"] != facts("pandas", other, None).inputs["callbacks"]


def test_a_minute_that_is_not_over_is_in_no_digest() -> None:
    """It may still grow, and an old report could not be made again."""
    start = AS_OF_US - 100 * MINUTE
    before = facts("pandas", [("a", "x", start, "v2")], [("one", AS_OF_US - MINUTE)])
    during = facts("pandas", [("a", "x", start, "v2")], [("one", AS_OF_US - MINUTE), ("one", AS_OF_US)])
    assert before.inputs["pulse"] == during.inputs["pulse"]
    assert before.inputs["pulse"].rows == 1


def test_long_tables_come_over_in_pieces_and_give_the_same_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"{number:04d}", "x", AS_OF_US - number, "v2") for number in range(50)]
    whole = facts("duckdb", rows, None).inputs["callbacks"]
    monkeypatch.setattr("verify_analytics.report.facts.BATCH", 7)
    assert facts("duckdb", rows, None).inputs["callbacks"] == whole
    assert facts("pandas", rows, None).inputs["callbacks"] == whole


def test_the_fixture_makes_real_relations() -> None:
    assert isinstance(ENGINES["duckdb"](pd.DataFrame({"a": [1]})), duckdb.DuckDBPyRelation)
