"""Why an attempt was made: its place in the session, by sequence and never by guess."""

from typing import Any

import pytest


def attempt(callback: Any, sequence: int | None, start: float | None, channel: str | None = "sms", **more: Any) -> Any:
    """Make an attempt of one callback, one second after it was requested; its id is its sequence."""
    named = {"attempt_id": f"a{sequence}", "attempt_sequence": sequence, "requested_at": start} | more
    return callback((0 if start is None else start) + 1, "sent", channel=channel, **named)


def roles(read: Any) -> dict[str, str]:
    return {key: row["role"] for key, row in read.items()}


def test_the_same_channel_again_is_a_resend_and_another_a_fallback(callback: Any, attempts_of: Any) -> None:
    read = attempts_of(
        [
            attempt(callback, 3, 90, "voice"),
            attempt(callback, 1, 0),
            attempt(callback, 4, 150, "voice"),
            attempt(callback, 2, 30),
        ]
    )
    assert roles(read) == {"a1": "first_choice", "a2": "resend", "a3": "fallback", "a4": "resend"}
    assert [row["previous_channel"] for row in read.values()] == [None, "sms", "sms", "voice"]
    assert [row["seconds_since_previous"] for row in read.values()] == [None, 30, 60, 60]
    assert {row["attempts_in_session"] for row in read.values()} == {4}


def test_the_attempt_before_is_the_one_with_the_sequence_before(callback: Any, attempts_of: Any) -> None:
    read = attempts_of([attempt(callback, 1, 0), attempt(callback, 3, 60), attempt(callback, 4, 90)])
    assert roles(read) == {"a1": "first_choice", "a3": "unknown", "a4": "resend"}
    assert (read["a3"]["previous_channel"], read["a3"]["seconds_since_previous"]) == (None, None)


def test_the_clock_does_not_make_the_order(callback: Any, attempts_of: Any) -> None:
    read = attempts_of([attempt(callback, 1, 60), attempt(callback, 2, 0, "voice")])
    assert roles(read) == {"a1": "first_choice", "a2": "fallback"}
    assert read["a2"]["seconds_since_previous"] == -60


def test_without_a_sequence_the_role_is_unknown_and_others_are_not_disturbed(callback: Any, attempts_of: Any) -> None:
    read = attempts_of([attempt(callback, 1, 0), attempt(callback, None, 10), attempt(callback, 2, 30)])
    assert roles(read) == {"a1": "first_choice", "a2": "resend", "aNone": "unknown"}


def test_the_first_channel_is_that_of_the_lowest_sequence_seen(callback: Any, attempts_of: Any) -> None:
    unplaced = attempt(callback, None, 0, "whatsapp")
    nameless = attempt(callback, 1, 5, "rcs", attempt_id=None)
    read = attempts_of([unplaced, nameless, attempt(callback, 3, 10, "voice"), attempt(callback, 2, 30)])
    assert {row["first_channel"] for row in read.values()} == {"sms"}
    assert {row["first_channel"] for row in attempts_of([unplaced, nameless]).values()} == {"whatsapp"}
    assert {row["first_channel"] for row in attempts_of([nameless]).values()} == {None}


@pytest.mark.parametrize("gone", ["own", "previous"])
def test_without_a_channel_the_role_is_unknown(gone: str, callback: Any, attempts_of: Any) -> None:
    first, second = (None, "sms") if gone == "previous" else ("sms", None)
    read = attempts_of([attempt(callback, 1, 0, first), attempt(callback, 2, 30, second)])
    assert read["a2"]["role"] == "unknown"
    assert read["a2"]["seconds_since_previous"] == 30


def test_attempts_that_share_a_sequence_cannot_be_put_in_order(callback: Any, attempts_of: Any) -> None:
    read = attempts_of(
        [
            attempt(callback, 1, 0),
            attempt(callback, 2, 30),
            attempt(callback, 2, 31, "voice", attempt_id="a2b"),
            attempt(callback, 3, 60),
            attempt(callback, 4, 90),
        ]
    )
    assert roles(read) == {"a1": "first_choice", "a2": "unknown", "a2b": "unknown", "a3": "unknown", "a4": "resend"}
    twice_first = attempts_of([attempt(callback, 1, 0), attempt(callback, 1, 5, attempt_id="a1b")])
    assert roles(twice_first) == {"a1": "first_choice", "a1b": "first_choice"}


def test_rows_that_are_no_attempt_are_nobodys_neighbour(callback: Any, attempts_of: Any) -> None:
    nameless = attempt(callback, 1, 5, "voice", attempt_id=None)
    read = attempts_of([nameless, attempt(callback, 2, 30)])
    assert roles(read) == {"session:s1": None, "a2": "unknown"}
    assert (read["a2"]["attempts_in_session"], read["a2"]["lowest_sequence"]) == (1, 2)
    assert (read["session:s1"]["lowest_sequence"], read["session:s1"]["session_started_us"]) == (
        2,
        read["a2"]["started_us"],
    )


def test_sessions_do_not_mix(callback: Any, attempts_of: Any) -> None:
    read = attempts_of(
        [attempt(callback, 1, 0), attempt(callback, 2, 30, session_id="s2"), attempt(callback, 1, 0, attempt_id="b")]
    )
    assert read["a2"]["role"] == "unknown"


@pytest.mark.parametrize("source", ["callback", "app"])
def test_an_attempt_after_verification_is_a_new_need(source: str, callback: Any, attempts_of: Any, quick: Any) -> None:
    rows = [attempt(callback, n, start) for n, start in ((1, 0), (2, 30), (3, 60.000001), (4, 61))]
    given = {}
    if source == "callback":
        rows.append(callback(60, None, attempt_id=None, session_status="validated"))
    else:
        given["verifications"] = quick.verifications([{"session_id": "s1", "verified_at": 60, "received_at": 63}])
    read = attempts_of(rows, **given)
    read.pop("session:s1", None)
    assert roles(read) == {"a1": "first_choice", "a2": "resend", "a3": "after_verified", "a4": "after_verified"}
    # What came before is a fact all the same.
    assert read["a4"]["previous_channel"] == "sms"


def test_an_attempt_at_the_moment_of_verification_is_not_after_it(callback: Any, attempts_of: Any, quick: Any) -> None:
    told = quick.verifications([{"session_id": "s1", "verified_at": 60, "received_at": 60}])
    read = attempts_of([attempt(callback, 1, 0), attempt(callback, 2, 60)], verifications=told)
    assert read["a2"]["role"] == "resend"


def test_the_first_choice_stays_the_first_choice_when_a_clock_is_wrong(
    callback: Any, attempts_of: Any, quick: Any
) -> None:
    told = quick.verifications([{"session_id": "s1", "verified_at": -5, "received_at": 12}])
    read = attempts_of([attempt(callback, 1, 0), attempt(callback, 2, 60)], verifications=told)
    assert roles(read) == {"a1": "first_choice", "a2": "resend"}


def test_without_the_first_attempt_an_early_report_is_no_wrong_clock(
    callback: Any, attempts_of: Any, quick: Any
) -> None:
    told = quick.verifications([{"session_id": "s1", "verified_at": 20, "received_at": 22}])
    assert roles(attempts_of([attempt(callback, 2, 60)], verifications=told)) == {"a2": "after_verified"}


def test_a_requested_time_that_attempts_share_is_the_sessions(callback: Any, attempts_of: Any, us: Any) -> None:
    rows = [
        callback(1, "sent"),
        callback(40, "sent", attempt_id="a2", attempt_sequence=2),
        callback(75, "sent", attempt_id="a3", attempt_sequence=3),
        callback(90, "sent", attempt_id="a4", attempt_sequence=4, requested_at=89),
    ]
    read = attempts_of(rows)
    assert [row["requested_at_shared"] for row in read.values()] == [False, True, True, False]
    assert [row["started_us"] for row in read.values()] == [us(0), us(40), us(75), us(89)]
    sources = [row["started_at_source"] for row in read.values()]
    assert sources == ["requested_at", "received_at", "received_at", "requested_at"]
    # Between first arrivals while the requested time says nothing, between starts afterwards.
    assert [row["seconds_since_previous"] for row in read.values()] == [None, 39, 35, 14]


def test_one_requested_time_for_callbacks_of_one_sequence_is_no_doubt(callback: Any, attempts_of: Any) -> None:
    read = attempts_of([callback(1, "sent"), callback(2, "sent", attempt_id="a1b")])
    assert not any(row["requested_at_shared"] for row in read.values())


def test_what_a_session_says_stands_on_every_row_of_it(callback: Any, attempts_of: Any, quick: Any, us: Any) -> None:
    rows = [
        attempt(callback, 2, 30, "voice"),
        attempt(callback, 1, 0),
        callback(50, None, attempt_id=None, session_status="verified", channel=None),
        callback(55, None, attempt_id=None, session_status="verified", channel=None),
        callback(600, None, session_status="expired"),
        attempt(callback, 1, 5, session_id="s2", attempt_id="b1"),
    ]
    told = quick.verifications(
        [
            {"session_id": "s1", "verified_at": 48, "received_at": 49},
            {"session_id": "s1", "verified_at": 47, "received_at": 70},
            {"session_id": "s1", "verified_at": 3, "received_at": 4000},
            {"session_id": "s9", "verified_at": 500, "received_at": 501},
        ]
    )
    read = attempts_of(rows, verifications=told)
    assert set(read) == {"a1", "a2", "b1", "session:s1"}
    for key in ("a1", "a2", "session:s1"):
        row = read[key]
        assert row["session_verified_app_us"] == us(47)
        assert row["session_verified_callback_us"] == us(50)
        assert row["session_expired_us"] == us(600)
        assert (row["session_started_us"], row["last_started_us"]) == (us(0), us(30))
        assert (row["first_channel"], row["lowest_sequence"], row["attempts_in_session"]) == ("sms", 1, 2)
    other = read["b1"]
    ends = ("session_verified_app_us", "session_verified_callback_us", "session_expired_us")
    assert [other[name] for name in ends] == [None] * 3
    # When each source was reporting is one fact about the whole store.
    for row in read.values():
        assert row["has_app_source"]
        assert (row["app_first_us"], row["app_last_us"]) == (us(49), us(501))
        assert (row["callback_first_us"], row["callback_last_us"]) == (us(50), us(50))


def test_without_reports_the_application_is_no_source(callback: Any, attempts_of: Any, quick: Any) -> None:
    row = attempts_of([callback(1, "sent")])["a1"]
    assert (row["has_app_source"], row["app_first_us"], row["app_last_us"]) == (False, None, None)
    row = attempts_of([callback(1, "sent")], verifications=quick.verifications([]))["a1"]
    assert (row["has_app_source"], row["app_first_us"], row["app_last_us"]) == (True, None, None)
