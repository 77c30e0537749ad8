"""The witness on five sessions that one can check by eye, and on each rule alone."""

import random
from typing import Any

import pytest

from verify_analytics.simulate.witness import Heard, Reading, Reported, Seen, SeenSession, conclude

SECOND = 1_000_000
MINUTE = 60 * SECOND
NOON = 1788264000 * SECOND  # 2026-09-01 12:00 UTC
# Read an hour after noon, with patience of 15 minutes and a window of 10.
AN_HOUR_LATER = Reading(as_of_us=NOON + 60 * MINUTE, patience_us=15 * MINUTE, window_us=10 * MINUTE)


def heard(seconds: float, status: str | None, **more: Any) -> Heard:
    """Give a callback of session s, attempt a, first in its session, by SMS to Spain, unless said otherwise."""
    usual = {
        "received_us": NOON + round(seconds * SECOND), "session_id": "s", "session_status": "in-progress",
        "attempt_id": "a", "sequence": 1, "channel": "sms", "status": status, "code": "", "requested_us": NOON,
        "country": "ES",
    }  # fmt: skip
    return Heard(**{**usual, **more})


def see(*callbacks: Heard, reports: tuple[Reported, ...] = (), reading: Reading = AN_HOUR_LATER) -> Seen:
    """Give what is concluded about attempt a."""
    return conclude(callbacks, reports, reading)[0]["a"]


def see_session(*callbacks: Heard, reports: tuple[Reported, ...] = (), reading: Reading = AN_HOUR_LATER) -> SeenSession:
    return conclude(callbacks, reports, reading)[1]["s"]


def of(name: str, seconds: float, status: str | None, **more: Any) -> Heard:
    """Give a callback of somebody's attempt: anna-2 is the second attempt of the session anna."""
    session_id, _, number = name.partition("-")
    about = {"attempt_id": name, "sequence": int(number)} if number else {"attempt_id": None, "sequence": None}
    return heard(seconds, status, **{"session_id": session_id, **about, **more})


CALL = {"country": "IN", "channel": "voice", "requested_us": NOON + 40 * SECOND}
FIVE = [
    # A code that arrives and is typed in; the last callback comes twice.
    of("anna-1", 0.2, "queued"),
    of("anna-1", 1.1, "sent"),
    of("anna-1", 4.0, "delivered"),
    of("anna-1", 64.0, "delivered"),
    # No SMS, then a call that is answered; the receipt of the SMS comes last.
    of("ben-1", 0.2, "queued", country="IN"),
    of("ben-1", 0.9, "sent", country="IN"),
    of("ben-2", 43.0, "ringing", **CALL),
    of("ben-2", 51.0, "in-progress", **CALL),
    of("ben-2", 75.0, "completed", **CALL, session_status="verified", code="4000"),
    of("ben-1", 95.0, "undelivered", country="IN", code="80", session_status="verified"),
    # The first attempt was never heard of; the second is taken by a network that sends no receipts.
    of("cleo-2", 61.0, "sent", country="US", requested_us=NOON + 60 * SECOND),
    # Verified, then a new need in the same session, blocked by the shield.
    of("dan-1", 3.0, "delivered"),
    of("dan-2", 200.5, "failed", requested_us=NOON + 200 * SECOND, code="452"),
    # Nothing but a queue; and a callback that says the session is over but names no attempt.
    of("eve-1", 0.3, "queued"),
    of("eve", 601.0, None, channel=None, session_status="expired"),
]
REPORTS = [
    Reported("anna", NOON + 12 * SECOND, NOON + 13 * SECOND),
    Reported("dan", NOON + 9 * SECOND, NOON + 9 * SECOND),
]


def test_five_sessions_checked_by_eye() -> None:
    attempts, sessions = conclude(FIVE, REPORTS, AN_HOUR_LATER)
    seen = {name: (one.role, one.channel, one.country, one.outcome, one.error_code) for name, one in attempts.items()}
    assert seen == {
        "anna-1": ("first_choice", "sms", "ES", "delivered", None),
        "ben-1": ("first_choice", "sms", "IN", "undelivered", "80"),
        "ben-2": ("fallback", "voice", "IN", "delivered", None),
        "cleo-2": ("unknown", "sms", "US", "accepted", None),
        "dan-1": ("first_choice", "sms", "ES", "delivered", None),
        "dan-2": ("after_verified", "sms", "ES", "failed", "452"),
        "eve-1": ("first_choice", "sms", "ES", "silent", None),
    }
    assert {name: one.outcome for name, one in sessions.items()} == {
        "anna": "verified", "ben": "verified", "cleo": "abandoned", "dan": "verified", "eve": "expired",
    }  # fmt: skip
    assert sessions["ben"].verified_callback_us == NOON + 75 * SECOND
    assert sessions["ben"].verified_app_us is None
    assert sessions["anna"].verified_app_us == NOON + 12 * SECOND


def test_order_and_repetition_change_nothing() -> None:
    expected = conclude(FIVE, REPORTS, AN_HOUR_LATER)
    for seed in range(20):
        mixed = [*FIVE, *FIVE[::2]]
        random.Random(seed).shuffle(mixed)
        attempts, sessions = conclude(mixed, REPORTS[::-1] + REPORTS, AN_HOUR_LATER)
        assert attempts == expected[0]
        assert sessions == expected[1]


def test_what_was_received_later_does_not_exist_yet() -> None:
    early = AN_HOUR_LATER._replace(as_of_us=NOON + 51 * SECOND)
    attempts, sessions = conclude(FIVE, REPORTS, early)
    assert {name: one.outcome for name, one in attempts.items()} == {
        "anna-1": "delivered", "ben-1": "pending", "ben-2": "pending", "dan-1": "delivered", "eve-1": "pending",
    }  # fmt: skip
    assert {name: one.outcome for name, one in sessions.items()} == {
        "anna": "verified", "ben": "open", "dan": "verified", "eve": "open",
    }  # fmt: skip


def test_a_report_counts_from_when_it_was_received() -> None:
    report = Reported("s", NOON + 5 * SECOND, NOON + 70 * MINUTE)
    assert see_session(heard(1, "sent"), reports=(report,)).outcome == "abandoned"
    later = AN_HOUR_LATER._replace(as_of_us=NOON + 70 * MINUTE)
    assert see_session(heard(1, "sent"), reports=(report,), reading=later).outcome == "verified"


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (["queued"], "silent"),
        (["queued", "sent"], "accepted"),
        (["sent", "failed"], "failed"),
        (["failed", "undelivered"], "undelivered"),
        (["undelivered", "delivered"], "delivered"),
        (["rerouted"], "unknown"),
        (["rerouted", "queued"], "silent"),
        (["completed"], "unknown"),
        (["DELIVERED "], "delivered"),
        ([None], "silent"),
        ([""], "silent"),
        ([None, "rerouted"], "unknown"),
    ],
)
def test_the_highest_state_wins(statuses: list[str | None], outcome: str) -> None:
    assert see(*(heard(i, status) for i, status in enumerate(statuses))).outcome == outcome


@pytest.mark.parametrize(
    ("channel", "status", "outcome"),
    [
        ("voice", "ringing", "silent"), ("voice", "answer", "accepted"), ("voice", "in-progress", "accepted"),
        ("voice", "busy", "undelivered"), ("voice", "no-answer", "undelivered"), ("voice", "completed", "delivered"),
        ("voice", "canceled", "failed"), ("voice", "timeout", "failed"), ("voice", "sent", "unknown"),
        ("whatsapp", "read", "delivered"), ("telegram", "sent", "accepted"), ("sms", "read", "unknown"),
        (None, "delivered", "delivered"), (None, "completed", "unknown"), ("VOICE", "Completed", "delivered"),
    ],
)  # fmt: skip
def test_a_status_means_what_it_means_on_its_channel(channel: str | None, status: str, outcome: str) -> None:
    assert see(heard(1, status, channel=channel)).outcome == outcome


def test_patience_ends_to_the_microsecond() -> None:
    for late, outcome in ((0, "accepted"), (1, "pending")):
        reading = AN_HOUR_LATER._replace(as_of_us=NOON + 15 * MINUTE - late)
        seen = see(heard(1, "sent"), reading=reading)
        assert (seen.outcome, seen.mature) == (outcome, outcome == "accepted")


def test_unlisted_statuses_are_unknown_at_any_age_and_receipts_count_at_once() -> None:
    young = AN_HOUR_LATER._replace(as_of_us=NOON + 10 * SECOND)
    assert see(heard(1, "rerouted"), reading=young).outcome == "unknown"
    assert see(heard(1, "failed"), reading=young).outcome == "failed"


@pytest.mark.parametrize(
    ("down", "up", "is_unobserved"),
    [
        (15, 16, True),  # the minute in which patience ends
        (16, 17, False),
        (0, 1, True),  # the minute in which it started
        (-1, 0, False),
        (5, 6, True),
        (-10, 30, True),
        (15, 60, False),  # no whole minute was heard after it by the time of the reading: nobody knows yet
        (15, 59, True),
    ],
)
def test_waiting_that_touches_an_outage_is_unobserved_whatever_was_heard(
    down: int, up: int, is_unobserved: bool
) -> None:
    reading = AN_HOUR_LATER._replace(outages=((NOON + down * MINUTE, NOON + up * MINUTE),))
    started = NOON + 30 * SECOND
    outcome = see(heard(31, "delivered", requested_us=started), reading=reading).outcome
    assert outcome == ("unobserved" if is_unobserved else "delivered")


def test_the_smallest_of_differing_facts_counts() -> None:
    seen = see(
        heard(1, "sent", requested_us=NOON + 9, country=None),
        heard(2, "delivered", requested_us=NOON + 3, country="ES", sequence=4),
        heard(3, "delivered", requested_us=None, channel="rcs"),
    )
    assert (seen.started_us, seen.sequence, seen.channel, seen.country) == (NOON + 3, 1, "rcs", "ES")


def test_without_a_requested_moment_an_attempt_starts_when_it_is_first_heard_of() -> None:
    seen = see(heard(7, "sent", requested_us=None), heard(4, "queued", requested_us=None))
    assert seen.started_us == NOON + 4 * SECOND


@pytest.mark.parametrize(
    ("channel", "status", "codes", "seen"),
    [
        ("sms", "undelivered", ["30"], "30"),
        ("sms", "undelivered", ["80", "30"], "30"),
        ("sms", "undelivered", ["900", "1000"], "1000"),
        ("sms", "undelivered", ["", None, "000", "0"], None),
        ("voice", "no-answer", ["0"], "0"),
        ("voice", "completed", ["0"], None),
        ("voice", "completed", ["4000"], None),
        ("sms", "sent", ["30"], None),
        ("sms", "delivered", ["30"], None),
    ],
)
def test_the_code_is_that_of_an_unsuccessful_end(
    channel: str, status: str, codes: list[str | None], seen: str | None
) -> None:
    callbacks = [heard(i, status, channel=channel, code=code) for i, code in enumerate(codes)]
    assert see(*callbacks).error_code == seen


def test_a_code_of_another_state_does_not_count() -> None:
    assert see(heard(1, "failed", code="10"), heard(2, "undelivered", code="80")).error_code == "80"


def with_role(role_of: Heard, *others: Heard, reports: tuple[Reported, ...] = ()) -> str:
    return see(role_of, *others, reports=reports).role


def test_roles_follow_from_the_attempt_just_before() -> None:
    second = heard(50, "sent", sequence=2, requested_us=NOON + 50 * SECOND)
    by_sms = heard(1, "sent", attempt_id="b")
    by_voice = heard(1, "ringing", attempt_id="b", channel="voice")
    assert with_role(second, by_sms) == "resend"
    assert with_role(second, by_voice) == "fallback"
    assert with_role(second) == "unknown"
    assert with_role(second, by_sms._replace(attempt_id=None)) == "unknown"
    assert with_role(second._replace(sequence=3), by_sms) == "unknown"
    assert with_role(second._replace(sequence=None), by_sms) == "unknown"
    assert with_role(heard(1, "sent"), by_sms._replace(sequence=2, session_id="other")) == "first_choice"


def test_an_attempt_after_the_verification_is_a_new_need() -> None:
    second = heard(50, "sent", sequence=2, requested_us=NOON + 50 * SECOND)
    first = heard(1, "sent", attempt_id="b")
    told = heard(40, None, attempt_id=None, session_status="verified")
    assert with_role(second, first, told) == "after_verified"
    assert with_role(second, first, told._replace(session_status="Validated")) == "after_verified"
    assert with_role(second, first, told._replace(received_us=NOON + 50 * SECOND)) == "resend"
    for verified, role in ((49, "after_verified"), (50, "resend")):
        report = Reported("s", NOON + verified * SECOND, NOON + 300 * SECOND)
        assert with_role(second, first, reports=(report,)) == role
    assert with_role(second, reports=(Reported("s", NOON, NOON + SECOND),)) == "after_verified"


def test_the_first_of_a_session_is_its_first_choice_even_if_a_clock_is_wrong() -> None:
    assert with_role(heard(1, "sent"), reports=(Reported("s", NOON - 300 * SECOND, NOON),)) == "first_choice"


def test_a_report_from_before_the_first_choice_gives_no_role() -> None:
    first, second = heard(1, "sent", attempt_id="b"), heard(50, "sent", sequence=2, requested_us=NOON + 50 * SECOND)
    assert with_role(second, first, reports=(Reported("s", NOON - 300 * SECOND, NOON),)) == "resend"


def test_a_report_about_a_session_never_heard_of_concludes_nothing() -> None:
    _, sessions = conclude([heard(1, "sent")], [Reported("else", NOON, NOON)], AN_HOUR_LATER)
    assert set(sessions) == {"s"}


def test_a_session_is_mature_when_its_last_attempt_is_old_enough() -> None:
    for late, outcome in ((0, "abandoned"), (1, "open")):
        reading = AN_HOUR_LATER._replace(as_of_us=NOON + 50 * SECOND + 25 * MINUTE - late)
        second = heard(51, "sent", attempt_id="b", sequence=2, requested_us=NOON + 50 * SECOND)
        assert see_session(heard(1, "sent"), second, reading=reading).outcome == outcome


def test_a_verification_is_never_taken_back() -> None:
    told = [heard(1, "sent"), heard(20, None, attempt_id=None, session_status="verified")]
    expired = heard(600, None, attempt_id=None, session_status="expired")
    assert see_session(*told, expired).outcome == "verified"
    assert see_session(told[0], expired).outcome == "expired"


def test_a_session_without_an_attempt_is_judged_by_what_was_said_without_a_name() -> None:
    seen = see_session(heard(30, "sent", attempt_id=None))
    assert (seen.outcome, seen.mature) == ("abandoned", True)


def test_an_attempt_of_two_sessions_is_a_mistake_of_the_simulation() -> None:
    with pytest.raises(ValueError, match="two sessions name one attempt"):
        see(heard(1, "sent"), heard(1, "sent", session_id="t"))
