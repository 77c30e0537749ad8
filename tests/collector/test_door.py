"""One request in, one decision out: the same for what comes over HTTP and for what was captured."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from collector import recipient, wire
from collector.door import Door, Request, checks_of, hashed, refusal
from collector.errors import Refused
from collector.items import Arrival, Outcome, Verification
from collector.settings import Settings

TOKEN = "kD83hfQ0pLmZx71vTqRs92WbYcEaNuJo54GiUdHw"
URL = "https://hooks.example.com/callbacks/plivo"
PATH = "/callbacks/plivo"
OLD, NEW = b"0123456789abcdef0123456789abcdef", b"fedcba9876543210fedcba9876543210"
SECRET = b"zB7Wq1rY5tKp9sXv3mNc8hLd2gFj6eQa"
NUMBER = "12015550123"
SETTINGS = Settings(
    tokens=(TOKEN,), public_urls=(URL,), paths=(PATH,), peppers=(OLD, NEW), verification_secrets=(SECRET,)
)
FIELDS = {"SessionUUID": "s-1", "Recipient": NUMBER, "Channel": "SMS ", "ChannelStatus": "delivered"}
NOON = 1_788_264_000_000_000


def signed(nonce: str = "12345", *, url: str = URL, text: bytes = b"", family: str = "V2") -> dict[str, str]:
    mac = hmac.new(TOKEN.encode(), (url.encode() + text) + nonce.encode(), hashlib.sha256).digest()
    return {
        f"X-Plivo-Signature-{family}": base64.b64encode(mac).decode(),
        f"X-Plivo-Signature-{family}-Nonce": nonce,
    }


def request(**changed: Any) -> Request:
    made: dict[str, Any] = {
        "method": "POST",
        "path": PATH,
        "query": "",
        "headers": signed(),
        "body": urlencode(FIELDS).encode(),
        "received_at": NOON,
    } | changed
    return Request(**made | {"headers": tuple(made["headers"].items())})


def door(settings: Settings = SETTINGS, **options: bool) -> Door:
    return Door(settings, recipient.key_id(OLD), **options)


def opened(made: Request, *, accepts_unproved: bool = False) -> Arrival:
    found = door(accepts_unproved=accepts_unproved).open(made)
    assert isinstance(found, Arrival)
    return found


def refused(made: Request, settings: Settings = SETTINGS) -> tuple[int, str, str]:
    with pytest.raises(Refused) as caught:
        door(settings).open(made)
    return caught.value.status, caught.value.reason, caught.value.detail


def test_a_proved_callback_becomes_a_row_without_its_number() -> None:
    arrival = opened(request())
    assert arrival.row is not None
    assert {name: arrival.row[name] for name in ("session_id", "channel", "channel_status", "proof", "country")} == {
        "session_id": "s-1",
        "channel": "sms",
        "channel_status": "delivered",
        "proof": "v2",
        "country": "US",
    }
    assert set(arrival.row) == {column.name for column in wire.COLUMNS}
    assert NUMBER not in json.dumps(arrival.row)
    assert arrival.nonces == hashed((("v2", "12345"),))
    assert "12345" not in str(arrival.nonces)


def test_recipients_are_keyed_with_the_newest_pepper_and_digests_with_the_oldest() -> None:
    row = opened(request()).row
    assert row is not None
    assert row["recipient_key"] == recipient.describe(NUMBER, NEW, recipient.key_id(NEW)).recipient_key
    params = [("body", name, value) for name, value in FIELDS.items()]
    assert row["digest"] == wire.digest(params, OLD)
    assert list(checks_of(SETTINGS)) == [recipient.key_id(OLD), recipient.key_id(NEW)]


def test_a_get_carries_the_callback_in_its_query_and_a_post_in_its_body() -> None:
    get = opened(request(method="GET", query=urlencode(FIELDS), body=b""))
    post = opened(request(query="Channel=voice&app=shop"))
    assert get.row is not None
    assert post.row is not None
    assert get.row["session_id"] == post.row["session_id"] == "s-1"
    assert post.row["channel"] == "sms"
    assert json.loads(post.row["extra"]) == {"Channel": "voice", "app": "shop"}


def test_what_is_signed_over_is_never_taken_from_the_request() -> None:
    elsewhere = signed(url="https://evil.example.com/callbacks/plivo") | {"Host": "evil.example.com"}
    assert refused(request(headers=elsewhere))[:2] == (403, "signature")


def test_every_failure_of_proof_gets_the_same_answer() -> None:
    failures = [
        {},
        signed() | {"X-Plivo-Signature-V2-Nonce": "999"},
        signed() | {"X-Plivo-Signature-V2": "x" * 44},
        signed(url=URL + "/"),
    ]
    answers = {refused(request(headers=headers)) for headers in failures}
    forged = refusal(Outcome.FORGED)
    assert forged is not None
    required = replace(SETTINGS, v3="require")
    with_v3 = refused(request(headers=signed() | {"X-Plivo-Signature-V3": "x" * 44}), required)
    assert {(status, detail) for status, _, detail in [*answers, with_v3]} == {(forged.status, forged.detail)}


def test_v3_that_proves_nothing_is_noted_and_refused_only_where_it_is_required() -> None:
    headers = signed() | {"X-Plivo-Signature-V3": "x" * 44, "X-Plivo-Signature-V3-Nonce": "1"}
    assert opened(request(headers=headers)).has_unproved_v3
    assert not opened(request()).has_unproved_v3
    assert refused(request(headers=headers), replace(SETTINGS, v3="require"))[:2] == (403, "v3_required")


def test_both_families_are_bound_when_both_are_proved() -> None:
    body = b"?" + b"".join(name.encode() + FIELDS[name].encode() for name in sorted(FIELDS)) + b"."
    arrival = opened(request(headers=signed("1") | signed("2", text=body, family="V3")))
    assert arrival.proof == "v2+v3"
    assert arrival.nonces == hashed((("v2", "1"), ("v3", "2")))


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"path": "/other"}, 404, "not_found"),
        ({"path": PATH + "/"}, 404, "not_found"),
        ({"path": "/callbacks//plivo"}, 404, "not_found"),
        ({"path": "/callbacks/pl%69vo"}, 404, "not_found"),
        ({"method": "HEAD"}, 405, "method"),
        ({"method": "PUT"}, 405, "method"),
        ({"method": "OPTIONS", "path": "/other"}, 404, "not_found"),
        ({"body": b"x" * 65_536}, 413, "body_too_large"),
        ({"headers": {"X": "x" * 16_384}}, 431, "headers_too_large"),
        ({"query": "x" * 16_384}, 431, "headers_too_large"),
        ({"headers": {}, "body": b"\xff" * 100}, 403, "signature"),
    ],
)
def test_a_request_is_refused_for_the_first_thing_that_is_wrong(
    changed: dict[str, Any], status: int, reason: str
) -> None:
    assert refused(request(**changed))[:2] == (status, reason)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"body": b"Channel=sms"}, "no_session"),
        ({"body": b""}, "no_session"),
        ({"body": b"SessionUUID=14155550123"}, "session_is_number"),
        ({"body": b"SessionUUID=a&SessionUUID=b"}, "field_twice"),
        ({"body": b"SessionUUID=%ff"}, "not_utf8"),
        ({"body": b"SessionUUID=%00"}, "nul_character"),
        ({"body": b"SessionUUID=a" + b"&a=b" * 64}, "too_many_fields"),
        ({"body": b'{"SessionUUID": "a"}', "headers": signed() | {"content-type": "application/json"}}, "content_type"),
        ({"headers": signed() | {"Content-Type": "multipart/form-data; boundary=x"}}, "content_type"),
        ({"headers": signed() | {"Content-Encoding": "gzip"}}, "content_encoding"),
        ({"method": "GET", "query": "", "body": urlencode(FIELDS).encode()}, "no_session"),
    ],
)
def test_a_proved_request_that_cannot_be_read_is_kept_raw_with_the_reason(changed: dict[str, Any], reason: str) -> None:
    made = request(**changed)
    arrival = opened(made)
    assert (arrival.row, arrival.reason) == (None, reason)
    assert arrival.raw.body == made.body
    assert arrival.raw.headers == made.headers
    assert arrival.nonces == hashed((("v2", "12345"),))


@pytest.mark.parametrize(
    "content_type", ["", "application/x-www-form-urlencoded", "Application/X-WWW-form-URLencoded; charset=utf-8"]
)
def test_a_form_is_read_whether_or_not_it_says_that_it_is_one(content_type: str) -> None:
    assert opened(request(headers=signed() | {"Content-Type": content_type})).row is not None


def test_a_mistake_of_ours_while_reading_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(wire, "read", mistake)
    assert opened(request()).reason == "our_mistake"


def test_the_same_content_has_the_same_digest_however_it_was_written() -> None:
    turned = urlencode(dict(reversed(FIELDS.items()))).replace("s-1", "%73-1").encode()
    assert opened(request(body=turned)).digest == opened(request()).digest
    assert opened(request(query="a=b")).digest != opened(request()).digest


def test_two_paths_are_told_apart_and_each_is_proved_with_its_own_urls_only() -> None:
    other = "https://hooks.example.com/former"
    both = replace(SETTINGS, public_urls=(URL, other), paths=(PATH, "/former"))
    assert isinstance(door(both).open(request(path="/former", headers=signed(url=other))), Arrival)
    assert refused(request(path="/former"), both)[:2] == (403, "signature")


def test_a_capture_may_have_been_taken_before_or_behind_the_proxy() -> None:
    behind = replace(SETTINGS, paths=("/inner",))
    assert refused(request(), behind)[:2] == (404, "not_found")
    for path in (PATH, "/inner"):
        found = Door(behind, recipient.key_id(OLD), knows_public_paths=True).open(request(path=path))
        assert isinstance(found, Arrival)


def test_unproved_requests_are_taken_only_when_asked_for_and_are_marked() -> None:
    arrival = opened(request(headers={}), accepts_unproved=True)
    assert arrival.row is not None
    assert (arrival.proof, arrival.nonces, arrival.row["proof"]) == ("none", (), "none")
    assert opened(request(), accepts_unproved=True).proof == "v2"


def test_what_is_neither_proved_nor_readable_is_refused_even_then() -> None:
    with pytest.raises(Refused, match="signature"):
        opened(request(headers={}, body=b"Channel=sms"), accepts_unproved=True)
    assert opened(request(body=b"Channel=sms"), accepts_unproved=True).reason == "no_session"


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (Outcome.ACCEPTED, None),
        (Outcome.REPEATED, None),
        (Outcome.QUARANTINED, None),
        (Outcome.KNOWN, None),
        (Outcome.FORGED, (403, "nonce_reused")),
        (Outcome.FULL, (503, "quarantine_full")),
        (None, (503, "store")),
    ],
)
def test_an_outcome_is_answered_with_200_unless_it_is_a_refusal(
    outcome: Outcome | None, answer: tuple[int, str] | None
) -> None:
    made = refusal(outcome)
    assert (made and (made.status, made.reason)) == answer


def test_reports_of_the_application_come_through_the_same_door() -> None:
    body = json.dumps({"session_id": "s-1", "verified_at": "2026-09-01T12:00:00Z"}).encode()
    headers = {"X-Signature": "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()}
    found = door().open(request(path="/verifications", headers=headers, body=body))
    assert found == Verification("s-1", NOON, NOON)
