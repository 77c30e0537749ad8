"""The application may report its own success; a report that is not its own, or cannot be true, is turned away."""

import hashlib
import hmac
import json

import pytest

from collector import verifications
from collector.errors import Refused
from collector.items import Verification

OLD, NEW = b"zB7Wq1rY5tKp9sXv3mNc8hLd2gFj6eQa", b"aQe6jFg2dLh8cNm3vXs9pKt5Yr1qW7Bz"
NOON = 1_788_264_000_000_000


def signature(body: bytes, secret: bytes = NEW) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def report(
    body: bytes, *, sign: str | None = None, method: str = "POST", secrets: tuple[bytes, ...] = (OLD, NEW)
) -> Verification:
    headers = [("Content-Type", "application/json"), ("x-SIGNATURE", signature(body) if sign is None else sign)]
    return verifications.read(method, headers, body, NOON, secrets)


def body_of(session_id: object = "s-1", verified_at: object = "2026-09-01T12:00:00Z") -> bytes:
    return json.dumps({"session_id": session_id, "verified_at": verified_at}).encode()


def answer(body: bytes, **options: object) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        report(body, **options)  # type: ignore[arg-type]
    return caught.value.status, caught.value.reason


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-01T12:00:00Z", NOON),
        ("2026-09-01T14:00:00+02:00", NOON),
        ("2026-09-01T11:59:59.999999+00:00", NOON - 1),
        ("2026-09-01T12:05:00Z", NOON + 300_000_000),
        ("2000-01-01T00:00:00Z", 946_684_800_000_000),
        ("1999-12-31T23:00:00-01:00", 946_684_800_000_000),
    ],
)
def test_a_report_keeps_its_moment_to_the_microsecond(text: str, moment: int) -> None:
    assert report(body_of(verified_at=text)) == Verification("s-1", moment, NOON)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_any_of_the_secrets_may_sign(secret: bytes) -> None:
    body = body_of()
    assert report(body, sign=signature(body, secret)).session_id == "s-1"
    assert report(body, sign=signature(body, secret).upper().replace("SHA256", "sha256")).session_id == "s-1"


@pytest.mark.parametrize(
    "sign",
    ["", "sha256=", "sha256=" + "0" * 64, signature(b"other"), signature(body_of())[7:], signature(body_of(), b"x")],
)
def test_what_no_secret_signed_is_refused(sign: str) -> None:
    assert answer(body_of(), sign=sign) == (403, "verification_signature")


def test_without_a_secret_there_is_nothing_at_this_path() -> None:
    assert answer(body_of(), secrets=()) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_only_post_reports(method: str) -> None:
    assert answer(body_of(), method=method) == (405, "method")


def test_a_report_has_at_most_one_kilobyte() -> None:
    largest = body_of().ljust(1_024)
    assert report(largest).session_id == "s-1"
    assert answer(largest + b" ") == (413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\xff",
        b"[" * 1_000,
        b'{"session_id": "s-1"}',
        body_of(session_id=7),
        body_of(session_id=""),
        body_of(session_id="s 1"),
        body_of(session_id="s\n1"),
        body_of(session_id="\ud800"),
        body_of(session_id="s" * 129),
        body_of(verified_at=1_788_264_000),
    ],
)
def test_what_is_not_the_json_it_should_be_is_refused(body: bytes) -> None:
    assert answer(body) == (400, "verification_json")


@pytest.mark.parametrize(
    "moment", ["2026-09-01T12:00:00", "2026-09-01", "noon", "", "2026-13-01T00:00:00Z", "2026-09-01T12:05:00.000001Z"]
)
def test_a_moment_that_is_naive_unreadable_or_too_far_ahead_is_refused(moment: str) -> None:
    assert answer(body_of(verified_at=moment)) == (422, "verification_time")


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999999Z"],
)
def test_a_moment_before_anybody_sent_codes_is_refused(moment: str) -> None:
    assert answer(body_of(verified_at=moment)) == (422, "verification_time")


@pytest.mark.parametrize("session", ["14155550123", "+14155550123", "415-555-0123", "12345678", "1" * 15])
def test_a_session_that_is_nothing_but_a_number_is_refused(session: str) -> None:
    assert answer(body_of(session_id=session)) == (422, "verification_session")


@pytest.mark.parametrize("session", ["1234567", "1" * 16, "s-14155550123"])
def test_a_session_with_digits_in_it_is_taken(session: str) -> None:
    assert report(body_of(session_id=session)).session_id == session
