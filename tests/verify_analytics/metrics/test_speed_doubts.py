"""What `metrics.time_to_verify` doubts aloud, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from verify_analytics import metrics
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError

Build = Callable[..., Any]
SECOND = 1_000_000
HOUR = 3600 * SECOND
AS_OF_US = 1_793_232_000_000_000  # 2026-10-29T00:00Z
START_US = AS_OF_US - 24 * HOUR


def app(seconds: int) -> dict[str, Any]:
    """Describe a session that the application verified after so many seconds."""
    return {"verified_app_us": START_US + seconds * SECOND}


FIVE = [app(8), app(10), app(45), {}, {"expired_us": START_US + 300 * SECOND}]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "channel"}, "did you mean 'first_channel'"),
        ({"by": "role"}, "sessions cannot be split by 'role'"),
        ({"by": "number_block"}, "needs top="),
        ({"source": "callbacks"}, "did you mean 'callback'"),
        ({"source": ""}, "no source ''"),
        ({"horizon": 600}, r"no duration; write it as .*15min"),
        ({"horizon": "600"}, "no duration"),
        ({"horizon": "soon"}, "no duration"),
        ({"horizon": "0s"}, "longer than nothing"),
        ({"horizon": "2d"}, "at most a day"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    options: dict[str, Any], says: str, sessions_of: Build
) -> None:
    with pytest.raises(ArgumentError, match=says):
        metrics.time_to_verify(sessions_of(FIVE), **options)


def test_attempts_given_for_sessions_are_refused(attempts_of: Build) -> None:
    with pytest.raises(SchemaError, match=r"as model\.sessions gives them"):
        metrics.time_to_verify(attempts_of([{}]))


def test_a_report_that_looks_past_the_collector_is_doubted(sessions_of: Build) -> None:
    given = sessions_of([{**row, "covered_until_us": AS_OF_US - HOUR} for row in FIVE])
    with pytest.warns(DoubtfulWarning, match="known to have listened only until 2026-10-28 23:00") as caught:
        metrics.time_to_verify(given)
    assert [warning.filename for warning in caught] == [__file__]


def test_every_warning_points_at_the_line_that_asked(sessions_of: Build) -> None:
    with pytest.warns(DoubtfulWarning) as caught:
        metrics.time_to_verify(sessions_of([app(-1)]), source="app")
    assert {warning.filename for warning in caught} == {__file__}
    assert len(caught) == 2
