"""Moments as people and programs write them, read alike from every table and by the collector itself."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from collector import moments
from verify_analytics import load
from verify_analytics.errors import ArgumentError
from verify_analytics.load.zones import local_spans
from verify_analytics.model.moments import microseconds

WRITTEN = [
    "2024-07-02 10:15:04.123456Z",
    "2024-07-02T10:15Z",
    "2024-07-02t10:15:04,5 UTC",
    "2023-07-19T18:04:19.7172+05:30",
    "2023-07-19T18:04:19.123456789-0430",
    "2023-07-19 18:04:19+02",
    "1719915304",
    "1719915304.25",
    "1719915304123",
    "1719915304123456",
    "0001-01-01T05:53:28+05:53",
    "2024-02-30T10:15:04Z",
    "2024-07-02T24:00:00Z",
    "2024-07-02",
    "1999-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z",
    "171991530",
    "yesterday",
]
COLUMNS = {"session_id": "id", "received_at": "t", "requested_at": "asked"}


def read(texts: list[str], rows_of: Any, **more: Any) -> dict[str, int | None]:
    count = len(texts)
    made = pa.table({"id": [f"s{n:03}" for n in range(count)], "t": ["2026-09-01T12:00Z"] * count, "asked": texts})
    import polars as pl

    told = rows_of(load.callbacks(pl.from_arrow(made), columns=COLUMNS, **more), "session_id")
    return {text: row["requested_us"] for text, row in zip(texts, told, strict=True)}


@pytest.mark.filterwarnings("ignore::verify_analytics.errors.LeftOutNotice")
def test_a_moment_is_read_as_the_collector_reads_it(rows_of: Any) -> None:
    assert read(WRITTEN, rows_of) == {text: moments.microseconds(text) for text in WRITTEN}


def test_nanoseconds_since_1970_are_cut_to_microseconds(rows_of: Any) -> None:
    assert read(["1719915304123456789"], rows_of) == {"1719915304123456789": 1719915304123456}


@pytest.mark.filterwarnings("ignore::verify_analytics.errors.LeftOutNotice")
def test_a_local_time_is_read_in_the_zone_that_was_said(rows_of: Any) -> None:
    # The clock of Berlin went from 02:00 to 03:00 on the first of these days, and from 03:00 back on the other.
    told = {
        "2026-03-29 01:59:59": "2026-03-29T00:59:59+00:00",
        "2026-03-29 02:30:00": None,
        "2026-03-29 03:00:00": "2026-03-29T01:00:00+00:00",
        "2026-10-25 01:59:59": "2026-10-24T23:59:59+00:00",
        "2026-10-25 02:00:00": None,
        "2026-10-25 02:59:59": None,
        "2026-10-25 03:00:00": "2026-10-25T02:00:00+00:00",
        "2026-10-25 02:30:00Z": "2026-10-25T02:30:00+00:00",
    }
    expected = {text: moment and microseconds(datetime.fromisoformat(moment)) for text, moment in told.items()}
    assert read(list(told), rows_of, timezone="Europe/Berlin") == expected
    utc = {text: microseconds(datetime.fromisoformat(text.removesuffix("Z") + "+00:00")) for text in told}
    assert read(list(told), rows_of, timezone="utc") == utc


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tokyo"])
def test_each_span_of_local_time_is_one_moment_by_the_rules_of_the_zone(zone: str) -> None:
    place = ZoneInfo(zone)
    for span in local_spans(zone):
        for local in (span.begin, (span.begin + span.end) // 2, span.end - 1):
            wall = datetime(1970, 1, 1) + (datetime.resolution * local)  # noqa: DTZ001 - a clock on a wall
            offsets = {wall.replace(tzinfo=place, fold=fold).utcoffset() for fold in (0, 1)}
            assert offsets == {datetime.resolution * span.offset}, (zone, wall)
    begins = [span.begin for span in local_spans(zone)]
    assert begins == sorted(begins, reverse=True)


@pytest.mark.parametrize("engine_kind", ["us", "ns"])
def test_a_timestamp_without_a_zone_is_read_in_the_zone_that_was_said(
    engine_kind: str, engine: Any, rows_of: Any
) -> None:
    wall = datetime(2026, 7, 1, 14, 0, 0, 250000)  # noqa: DTZ001 - a clock on a wall
    made = pa.table({"id": ["s1"], "t": pa.array([wall], pa.timestamp(engine_kind))})
    columns = {"session_id": "id", "received_at": "t"}
    [row] = rows_of(load.callbacks(engine.make(made), columns=columns, timezone="Europe/Berlin"))
    assert row["received_us"] == microseconds(datetime.fromisoformat("2026-07-01T12:00:00.250000+00:00"))


@pytest.mark.parametrize("zone", ["Berlin", "", "../etc", 3])
def test_a_zone_that_nobody_has_is_refused(zone: Any, rows_of: Any) -> None:
    with pytest.raises(ArgumentError, match="is no zone; write it as"):
        read(["2026-03-29 01:59:59"], rows_of, timezone=zone)
