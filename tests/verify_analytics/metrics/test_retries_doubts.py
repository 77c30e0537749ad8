"""What `metrics.retries` doubts aloud, what it refuses, and what it says when there is nothing to say."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, SECOND, START_US, counted, together
from verify_analytics import metrics, model
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError

Build = Callable[..., Any]


def session(name: str, *steps: tuple[str, int], delivered: int | None = None, **facts: Any) -> list[dict[str, Any]]:
    """Give the attempts of one session that was never verified; `delivered` is the second of the first receipt."""
    return [
        {
            "session_id": name,
            "key": f"{name}-{number}",
            "attempt_id": f"{name}-{number}",
            "attempt_sequence": number,
            "channel": channel,
            "role": "first_choice" if number == 1 else "resend" if steps[number - 2][0] == channel else "fallback",
            "previous_channel": None if number == 1 else steps[number - 2][0],
            "seconds_since_previous": None if number == 1 else second - steps[number - 2][1],
            "started_us": START_US + second * SECOND,
            "delivered_us": START_US + delivered * SECOND if delivered and number == 1 else None,
            "last_started_us": START_US + steps[-1][1] * SECOND,
            "attempts_in_session": len(steps),
            **facts,
        }
        for number, (channel, second) in enumerate(steps, 1)
    ]


SIX = together(
    session("a", ("sms", 0)),
    session("b", ("sms", 0), ("sms", 30)),
    session("c", ("sms", 0), ("voice", 40)),
    session("d", ("sms", 0), ("sms", 60), ("voice", 100)),
    session("e", ("sms", 0)),
    session("f", ("sms", 0)),
)


def test_a_filter_on_attempts_is_doubted_because_it_cuts_sessions_apart(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of(SIX)
    with pytest.warns(DoubtfulWarning, match="2 of 6 sessions are here without all their attempts") as caught:
        metrics.retries(engine(frame[frame["channel"] == "sms"]))
    assert [warning.filename for warning in caught] == [__file__]


def test_a_row_that_is_no_attempt_does_not_stand_for_a_missing_one(attempts_of: Build, engine: Build) -> None:
    rows = session("a", ("sms", 0), ("sms", 30))
    said = {**rows[1], "key": "session:a", "is_attempt": False, "attempt_id": None, "role": None}
    with pytest.warns(DoubtfulWarning, match="1 of 1 sessions"):
        metrics.retries(engine(attempts_of([rows[0], said])))


def test_a_filter_that_keeps_sessions_whole_is_not_doubted(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of(SIX)
    found = metrics.retries(engine(frame[frame["session_id"] != "d"]))
    assert counted(found, "reaches_attempt_2") == (2, 5)


def test_where_rows_were_filtered_away_the_neighbour_is_not_the_attempt_before(
    attempts_of: Build, engine: Build
) -> None:
    frame = attempts_of(session("a", ("sms", 0), ("voice", 30), ("voice", 60), delivered=90))
    with pytest.warns(DoubtfulWarning):
        found = metrics.retries(engine(frame[frame["attempt_sequence"] != 2]))
    assert counted(found, "resent_too_early") == (0, 1)


def test_a_requested_time_that_is_the_sessions_is_doubted(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of(session("a", ("sms", 0), ("sms", 30), requested_at_shared=True))
    with pytest.warns(DoubtfulWarning, match="share a requested time"):
        metrics.retries(engine(frame))


def test_a_report_that_looks_past_the_collector_is_doubted(attempts_of: Build) -> None:
    with pytest.warns(DoubtfulWarning, match=r"metrics\.retries: as_of") as caught:
        metrics.retries(attempts_of(session("a", ("sms", 0), covered_until_us=AS_OF_US - 60 * MINUTE)))
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("by", [[], ["country", "day"]])
def test_no_attempts_give_no_rates(by: list[str], attempts_of: Build, engine: Build) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.retries(engine(attempts_of([])), by=by)
    assert len(found) == (0 if by else 12)
    assert found[["count", "n"]].to_numpy().sum() == 0
    assert found[["rate", "mean", "seconds"]].isna().all(axis=None)
    assert found.dtypes.to_dict() == metrics.retries(attempts_of(SIX), by=by).dtypes.to_dict()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "channel"}, "did you mean 'first_channel'"),
        ({"by": ["country", "role"]}, "sessions cannot be split by 'role'"),
        ({"source": "apps"}, "did you mean 'app'"),
        ({"window": "10"}, "no duration"),
        ({"by": "number_block"}, "needs top="),
        ({"top": 2}, "nothing to choose from"),
        ({"cluster": "sesion"}, "did you mean 'session'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    options: dict[str, Any], says: str, attempts_of: Build
) -> None:
    with pytest.raises(ArgumentError, match=says):
        metrics.retries(attempts_of(SIX), **options)


def test_sessions_given_for_attempts_are_refused(sessions_of: Build) -> None:
    with pytest.raises(SchemaError, match=r"as model\.attempts gives them"):
        metrics.retries(sessions_of([{}]))


def test_two_readings_in_one_frame_are_refused(attempts_of: Build, engine: Build) -> None:
    later = session("b", ("sms", 0), as_of_us=AS_OF_US + MINUTE, covered_until_us=AS_OF_US + MINUTE)
    with pytest.raises(ArgumentError, match="more than one as_of"):
        metrics.retries(engine(attempts_of(together(SIX, later))))
    again = [{**row, "as_of_us": AS_OF_US + MINUTE} for row in SIX]
    with pytest.raises(ArgumentError, match="more than one as_of"):
        metrics.retries(engine(attempts_of(together(SIX, again))))


def test_the_small_frames_of_these_tests_have_the_columns_of_the_model(attempts_of: Build, sessions_of: Build) -> None:
    assert set(attempts_of([]).columns) == {column.name for column in model.ATTEMPTS}
    assert set(sessions_of([]).columns) == {column.name for column in model.SESSIONS}
