"""How each verification ended, on histories that one can check by eye. Window 600 s, patience 900 s."""

from typing import Any

import narwhals as nw
import pytest

from verify_analytics import model
from verify_analytics.errors import ArgumentError


def attempt(callback: Any, sequence: int | None, start: float, channel: str = "sms", **more: Any) -> Any:
    named = {"attempt_id": f"a{sequence}", "attempt_sequence": sequence, "requested_at": start} | more
    return callback(start + 1, "sent", channel=channel, **named)


def said(callback: Any, at: float, status: str) -> Any:
    return callback(at, None, attempt_id=None, session_status=status, channel=None, requested_at=None)


OUTCOMES = {
    "verified, told by a callback": ([(50, "verified")], 3600, "verified"),
    "verified, told by the other word": ([(50, "validated")], 3600, "verified"),
    "expired": ([(600, "expired")], 3600, "expired"),
    "expired before it is mature": ([(600, "expired")], 700, "expired"),
    "verified after it expired": ([(600, "expired"), (700, "verified")], 3600, "verified"),
    "nothing said, and old enough": ([], 1500, "abandoned"),
    "nothing said, and a microsecond too young": ([], 1499.999999, "open"),
}


@pytest.mark.parametrize("why", OUTCOMES)
def test_a_judged(why: str, callback: Any, sessions_of: Any) -> None:
    ends, seconds, outcome = OUTCOMES[why]
    rows = [attempt(callback, 1, 0), *(said(callback, at, status) for at, status in ends)]
    assert sessions_of(rows, seconds=seconds)["s1"]["outcome"] == outcome


def test_maturity_is_age_alone_counted_from_the_last_attempt(callback: Any, sessions_of: Any, us: Any) -> None:
    rows = [attempt(callback, 1, 0), attempt(callback, 2, 100), said(callback, 110, "verified")]
    young = sessions_of(rows, seconds=1599.999999)["s1"]
    assert (young["mature"], young["outcome"]) == (False, "verified")
    assert sessions_of(rows, seconds=1600)["s1"]["mature"]
    assert sessions_of(rows, seconds=1060, window="1min")["s1"]["mature"]
    # A session that was used again after its verification matures with its last attempt too.
    again = [*rows, attempt(callback, 3, 400)]
    assert not sessions_of(again, seconds=1899)["s1"]["mature"]
    assert sessions_of(again, seconds=1900)["s1"]["mature"]


def test_both_sources_are_kept_apart_and_the_earlier_counts_for_the_outcome(
    callback: Any, sessions_of: Any, quick: Any, us: Any
) -> None:
    rows = [attempt(callback, 1, 0), said(callback, 50, "verified")]
    told = quick.verifications([{"session_id": "s1", "verified_at": 40, "received_at": 41}])
    row = sessions_of(rows, verifications=told)["s1"]
    assert [row[name] for name in ("verified_app_us", "verified_callback_us", "verified_us")] == [
        us(40),
        us(50),
        us(40),
    ]
    row = sessions_of(rows)["s1"]
    assert [row[name] for name in ("verified_app_us", "verified_callback_us", "verified_us")] == [None, us(50), us(50)]


ENDED = {
    "window after the last attempt": ([], 3600, 700),
    "expiry, if it is earlier": ([(500, "expired")], 3600, 500),
    "not an expiry that is told later": ([(900, "expired")], 3600, 700),
    "not yet": ([], 699, None),
    "expiry, although the window has not passed": ([(500, "expired")], 600, 500),
}


@pytest.mark.parametrize("why", ENDED)
def test_the_competing_end_is(why: str, callback: Any, sessions_of: Any, us: Any) -> None:
    ends, seconds, ended = ENDED[why]
    rows = [attempt(callback, 1, 0), attempt(callback, 2, 100), *(said(callback, at, status) for at, status in ends)]
    assert sessions_of(rows, seconds=seconds)["s1"]["ended_us"] == (None if ended is None else us(ended))


def test_the_competing_end_is_counted_from_the_last_attempt_before_verification(
    callback: Any, sessions_of: Any, us: Any
) -> None:
    rows = [attempt(callback, 1, 0), said(callback, 50, "verified"), attempt(callback, 2, 300)]
    row = sessions_of(rows)["s1"]
    assert (row["ended_us"], row["last_started_us"]) == (us(600), us(300))
    assert (row["attempts"], row["attempts_before_verified"]) == (2, 1)


COMPLETE: dict[str, tuple[list[int | None], bool]] = {
    "one": ([1], True),
    "one, two, three": ([1, 2, 3], True),
    "the first is missing": ([2, 3], False),
    "one in between is missing": ([1, 3], False),
    "one without a sequence": ([1, None], False),
    "none with a sequence": ([None], False),
}


@pytest.mark.parametrize("why", COMPLETE)
def test_a_session_is_complete(why: str, callback: Any, sessions_of: Any) -> None:
    sequences, complete = COMPLETE[why]
    rows = [attempt(callback, sequence, 30 * i) for i, sequence in enumerate(sequences)]
    row = sessions_of(rows)["s1"]
    assert row["complete"] == complete
    known = [sequence for sequence in sequences if sequence is not None]
    assert (row["lowest_sequence"], row["highest_sequence"]) == (min(known, default=None), max(known, default=None))
    assert row["attempts"] == len(sequences)


@pytest.mark.parametrize("sequences", [[1, 1], [1, 1, 2], [1, 2, 2], [1, 1, 3], [1, 2, 2, 3]])
def test_a_session_whose_attempts_share_a_sequence_is_not_complete(
    sequences: list[int], callback: Any, sessions_of: Any
) -> None:
    rows = [attempt(callback, n, 30 * i, attempt_id=f"a{i}") for i, n in enumerate(sequences)]
    assert not sessions_of(rows)["s1"]["complete"]


def test_falling_back_and_the_second_attempt_are_told_with_their_times(
    callback: Any, sessions_of: Any, us: Any
) -> None:
    rows = [
        attempt(callback, 1, 0),
        attempt(callback, 2, 30),
        attempt(callback, 3, 60, "voice"),
        attempt(callback, 4, 90),
        attempt(callback, 1, 5, session_id="s2", attempt_id="b1"),
    ]
    read = sessions_of(rows)
    told = ("second_started_us", "fell_back", "fallback_started_us", "first_channel")
    assert [read["s1"][name] for name in told] == [us(30), True, us(60), "sms"]
    assert [read["s2"][name] for name in told] == [None, False, None, "sms"]


def test_what_follows_verification_is_no_second_attempt_and_no_fallback(callback: Any, sessions_of: Any) -> None:
    rows = [attempt(callback, 1, 0), said(callback, 20, "verified"), attempt(callback, 2, 60, "voice")]
    row = sessions_of(rows)["s1"]
    assert (row["second_started_us"], row["fell_back"], row["fallback_started_us"]) == (None, False, None)


def test_a_source_is_observable_from_its_first_to_its_last_report(callback: Any, sessions_of: Any, quick: Any) -> None:
    rows = [attempt(callback, 1, at, session_id=f"s{at}", attempt_id=f"a{at}") for at in (99, 105, 150, 205, 206)]
    told = quick.verifications(
        [
            {"session_id": "s99", "verified_at": 100, "received_at": 105},
            {"session_id": "s150", "verified_at": 200, "received_at": 205},
        ]
    )
    read = sessions_of(rows, verifications=told)
    assert [row["observable_app"] for row in read.values()] == [True, True, True, False, False]
    assert list(read) == ["s105", "s150", "s205", "s206", "s99"]
    assert not any(row["observable_callback"] for row in read.values())


@pytest.mark.parametrize("given", ["no reports are kept", "none was received yet"])
def test_without_reports_the_application_is_not_observable(
    given: str, callback: Any, sessions_of: Any, quick: Any
) -> None:
    none = None if given == "no reports are kept" else quick.verifications([])
    row = sessions_of([attempt(callback, 1, 0)], verifications=none)["s1"]
    assert (row["observable_app"], row["observable_callback"]) == (False, False)
    assert row["has_app_source"] == (none is not None)


def test_callbacks_that_say_verified_make_callbacks_observable(callback: Any, sessions_of: Any) -> None:
    rows = [
        attempt(callback, 1, 0),
        said(callback, 10, "verified"),
        attempt(callback, 1, 50, session_id="s2", attempt_id="b1"),
        attempt(callback, 1, 80, session_id="s3", attempt_id="c1"),
        callback(90, "sent", session_id="s3", attempt_id="c1", session_status="verified", requested_at=80),
        attempt(callback, 1, 95, session_id="s4", attempt_id="d1"),
    ]
    read = sessions_of(rows)
    assert {key: row["observable_callback"] for key, row in read.items()} == {
        "s1": False,
        "s2": True,
        "s3": True,
        "s4": False,
    }


# From minute 0 to the last attempt at 100 s plus 600 s: minutes 0 to 11, both included.
@pytest.mark.parametrize(("gap", "unobserved"), [(0, True), (5, True), (11, True), (12, False), (None, False)])
def test_a_session_is_unobserved_when_a_minute_of_its_waiting_has_no_pulse(
    gap: int | None, unobserved: bool, callback: Any, sessions_of: Any, quick: Any
) -> None:
    rows = [attempt(callback, 1, 10), attempt(callback, 2, 100)]
    pulse = quick.pulse(minute for minute in range(-1, 40) if minute != gap)
    row = sessions_of(rows, pulse=pulse)["s1"]
    assert (row["unobserved"], row["coverage_known"]) == (unobserved, True)


def test_rows_that_are_no_attempt_do_not_make_a_session_unobserved(callback: Any, sessions_of: Any, quick: Any) -> None:
    nameless = callback(70, "sent", attempt_id=None, requested_at=65)
    pulse = quick.pulse(minute for minute in range(40) if minute != 1)
    assert not sessions_of([nameless, attempt(callback, 1, 130)], pulse=pulse)["s1"]["unobserved"]
    assert sessions_of([nameless], pulse=pulse)["s1"]["unobserved"]


def test_without_pulse_no_session_is_unobserved(callback: Any, sessions_of: Any) -> None:
    row = sessions_of([attempt(callback, 1, 0)])["s1"]
    assert (row["unobserved"], row["coverage_known"], row["covered_until_us"]) == (False, False, None)


def test_a_session_known_only_by_rows_that_are_no_attempt_is_still_a_session(
    callback: Any, sessions_of: Any, us: Any
) -> None:
    rows = [
        callback(20, "sent", attempt_id=None, requested_at=15),
        callback(70, "delivered", attempt_id=None, requested_at=15),
    ]
    row = sessions_of(rows)["s1"]
    assert (row["attempts"], row["complete"], row["lowest_sequence"]) == (0, False, None)
    assert (row["started_us"], row["last_started_us"], row["outcome"]) == (us(15), us(15), "abandoned")


def test_attempts_alone_say_when_a_session_started(callback: Any, sessions_of: Any, us: Any) -> None:
    rows = [callback(20, "sent", attempt_id=None, requested_at=5), attempt(callback, 2, 60)]
    row = sessions_of(rows)["s1"]
    assert (row["started_us"], row["last_started_us"], row["attempts"]) == (us(60), us(60), 1)


def test_the_window_travels_and_must_be_a_duration(callback: Any, sessions_of: Any, quick: Any, after: Any) -> None:
    assert sessions_of([attempt(callback, 1, 0)], window="2min")["s1"]["window_seconds"] == 120.0
    attempts = model.attempts(quick.callbacks([attempt(callback, 1, 0)]), as_of=after(60))
    with pytest.raises(ArgumentError, match="window='10'"):
        model.sessions(attempts, window="10")


def test_a_doubtful_requested_time_is_told_of_the_session_too(callback: Any, sessions_of: Any) -> None:
    rows = [attempt(callback, 1, 0), attempt(callback, 2, 0)]
    assert sessions_of(rows)["s1"]["requested_at_shared"]
    assert not sessions_of(rows[:1])["s1"]["requested_at_shared"]


def test_attempts_that_a_filter_took_are_missing(engine: Any, callback: Any, after: Any, rows_of: Any) -> None:
    callbacks = [attempt(callback, 1, 0), attempt(callback, 2, 30)]
    attempts = model.attempts(engine.callbacks(callbacks), as_of=after(3600))
    first = nw.from_native(attempts).filter(nw.col("role") == "first_choice").to_native()
    for given, missing in ((attempts, 0), (first, 1)):
        [row] = rows_of(model.sessions(given))
        assert (row["attempts"], row["attempts_missing"]) == (2 - missing, missing)
