"""Which moment is meant: every form the provider could write, and what is no moment at all."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.moments import microseconds

START = datetime(1970, 1, 1, tzinfo=UTC)


def micro(moment: datetime) -> int:
    return (moment - START) // timedelta(microseconds=1)


MOMENT = micro(datetime(2024, 7, 2, 10, 15, 4, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2024-07-02 10:15:04", 0),
        ("2024-07-02T10:15:04", 0),
        ("2024-07-02 10:15:04.123456", 123_456),
        ("2024-07-02T10:15:04.1234Z", 123_400),
        ("2024-07-02T10:15:04.97278Z", 972_780),
        ("2024-07-02t10:15:04.5z", 500_000),
        ("2024-07-02T10:15:04,5Z", 500_000),
        ("2024-07-02T10:15:04.123456789Z", 123_456),
        ("2024-07-02T15:45:04.7172+05:30", 717_200),
        ("2024-07-02T15:45:04+0530", 0),
        ("2024-07-02 12:15:04+02", 0),
        ("2024-07-02T06:15:04.000001-04:00", 1),
        ("2024-07-02 10:15:04 UTC", 0),
        ("2024-07-02 10:15:04 +00:00", 0),
        ("2024-07-03 00:15:04+14:00", 0),
        # A plus sign that nobody escaped is a space by the time it is decoded.
        ("2024-07-02T15:45:04.7172 05:30", 717_200),
        ("  2024-07-02 10:15:04\n", 0),
        ("1719915304", 0),
        ("1719915304.25", 250_000),
        ("1719915304123", 123_000),
        ("1719915304123456", 123_456),
    ],
)
def test_a_moment_is_read_in_every_form(text: str, microsecond: int) -> None:
    assert microseconds(text) == MOMENT + microsecond


def test_seconds_may_be_left_out() -> None:
    assert microseconds("2024-07-02 10:15") == MOMENT - 4_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "null",
        "yesterday",
        "2024-07-02",
        "10:15:04",
        "2024-02-30 10:15:04",
        "2024-07-02 24:00:00",
        "2024-07-02 10:15:60",
        "2024-07-02 10:15:04.",
        "2024-07-02 10:15:04.1234567890",
        "2024-07-02 10:15:04+16:00",
        "2024-07-02 10:15:04+05:60",
        "2024-7-2 10:15:04",
        "02/07/2024 10:15:04",
        "2024-07-02 10:15:04 CEST",
        "2024-07-02 10:15:04Z+02:00",
        "٢٠٢٤-07-02 10:15:04",
        "١٧١٩٩١٥٣٠٤",
        "171991530",
        "17199153041",
        "1719915304123456789",
        "-1719915304",
        "1.719915304e9",
        "NaN",
        # What is written where no time is known.
        "0",
        "0000000000",
        "0001-01-01T00:00:00Z",
        "0001-01-01T05:53:28+05:53",
        "0000-00-00 00:00:00",
        "1970-01-01T00:00:00Z",
        "1999-12-31 23:59:59.999999",
        "2100-01-01 00:00:00",
        "9999-12-31T23:59:59Z",
        "0000000000000000",
    ],
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert microseconds(text) is None


@settings(deadline=None)
@given(
    st.datetimes(
        datetime(2000, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
        datetime(2099, 12, 30),  # noqa: DTZ001
        timezones=st.builds(timezone, st.integers(-12 * 60, 14 * 60).map(lambda minutes: timedelta(minutes=minutes))),
    ),
    st.sampled_from([" ", "T"]),
)
def test_any_moment_survives_being_written_down(moment: datetime, separator: str) -> None:
    assert microseconds(moment.isoformat(sep=separator)) == micro(moment)


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("0123456789-:.TZ+ ", max_size=32))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    moment = microseconds(text)
    assert moment is None or moment > 0
