"""Nobody else can write: every way to pass a forged signature off as a genuine one gets the same answer, and no row.

The first table is of forgeries, one line each; the second of what looks odd and is genuine; the third of other places
to knock at. All against the real process, byte by byte, with everything known to the attacker but the token.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest

from tests.collector.attacks.conftest import MakeTarget
from tests.collector.attacks.forgeries import BODY, FORGED, MAIN_TOKEN, V3_BODY
from tests.collector.attacks.tools import (
    FORM,
    OTHER_PATH,
    OTHER_URL,
    V2,
    V2_NONCE,
    Answer,
    Headers,
    Target,
    by_v2,
    by_v3,
    fresh,
    mac,
    written,
)
from tests.collector.conftest import PATH, SECRET, TOKEN, URL


@pytest.fixture(scope="module")
def refusal(target: Target) -> Answer:
    """Give the answer to somebody who brings nothing."""
    answer = target.ask(written([FORM], BODY))
    assert answer.status == 403
    return answer


def test_every_forgery_gets_the_answer_of_who_brings_nothing_and_stores_nothing(
    target: Target, refusal: Answer
) -> None:
    before = target.stored()
    told = {name: target.ask(written([FORM, *headers], BODY)) for name, headers in FORGED}
    assert len(told) == len(FORGED)
    assert {name: answer for name, answer in told.items() if answer != refusal} == {}
    assert target.stored() == before


def test_the_answer_names_nothing_and_is_kept_by_nobody(refusal: Answer) -> None:
    assert sorted(refusal.head.split(b"\r\n")) == [
        b"Cache-Control: no-store",
        b"Content-Length: 131",
        b"Content-Type: application/problem+json",
        b"HTTP/1.1 403 FORBIDDEN",
    ]
    assert json.loads(refusal.body)["detail"] == "The request could not be shown to come from the provider."


# --- what looks odd and is genuine -----------------------------------------------------------------------------------


def genuine_but_odd() -> Iterator[tuple[str, Headers]]:
    (_, value), (_, nonce) = by_v2()
    yield "small-letters", [(V2.lower(), value), (V2_NONCE.lower(), nonce)]
    (_, value), (_, nonce) = by_v2()
    yield "capitals", [(V2.upper(), value), (V2_NONCE.upper(), nonce)]
    (_, value), (_, nonce) = by_v2()
    yield "margins", [(V2, f"\t  {value} \t"), (V2_NONCE, f" \t{nonce}\t ")]
    (_, value), (_, nonce) = by_v2()
    yield "eighth-of-eight", [(V2, ",".join([mac("x")] * 7 + [value])), (V2_NONCE, nonce)]
    (_, value), (_, nonce) = by_v2()
    yield "first-of-eight", [(V2, ",".join([value] + ["junk"] * 7)), (V2_NONCE, nonce)]
    (_, value), (_, nonce) = by_v2()
    yield "empty-values-beside", [(V2, f",, {value} ,"), (V2_NONCE, nonce)]
    (_, value), (_, nonce) = by_v2()
    yield "two-headers", [(V2, "x,x,x,x"), (V2, f"x,x,x,{value}"), (V2_NONCE, nonce)]
    yield "longest-nonce", by_v2("7" * 128)
    yield "nonce-of-odd-letters", by_v2("a_B=+-9")
    yield "wrong-host", [("Host", "elsewhere.example"), ("X-Forwarded-Host", "elsewhere.example"), *by_v2()]
    yield "odd-host", [("Host", "][ \xff"), *by_v2()]
    yield "v3-alone", by_v3("SessionUUIDv3-alone")
    yield "v2-beside-a-forged-v3", [*by_v2(), *by_v3("x")]
    yield "v3-beside-a-forged-v2", [*by_v2(token=MAIN_TOKEN), *by_v3("SessionUUIDv3-beside-a-forged-v2")]
    yield "a-ma-header-nobody-can-check", [*by_v2(), ("X-Plivo-Signature-Ma-V2", mac("x", MAIN_TOKEN))]


def test_what_looks_odd_and_is_genuine_is_stored(target: Target) -> None:
    before = len(target.sessions())
    told = {name: target.ask(written([FORM, *headers], f"SessionUUID={name}")) for name, headers in genuine_but_odd()}
    assert {name: answer.status for name, answer in told.items() if answer.status != 200} == {}
    assert target.sessions()[before:] == list(told)


def test_each_url_is_proved_at_its_own_path_only(target: Target, refusal: Answer) -> None:
    before = target.stored()
    assert target.ask(written(by_v2(), BODY, where=OTHER_PATH)) == refusal
    assert target.ask(written(by_v2(url=OTHER_URL), BODY)) == refusal
    assert target.stored() == before
    assert target.ask(written(by_v2(url=OTHER_URL), "SessionUUID=former", where=OTHER_PATH)).status == 200


# --- other places to knock at ----------------------------------------------------------------------------------------

ELSEWHERE_HERE = [
    PATH.upper(), PATH.title(), PATH + "/", PATH + "//", "/" + PATH, "//" + PATH, PATH.replace("/plivo", "//plivo"),
    PATH.replace("/", "%2F"), PATH.replace("/plivo", "%2Fplivo"), PATH.replace("p", "%70"), PATH + "%20", PATH + "%00",
    "/." + PATH, PATH + "/.", PATH + "/../3f9d1c", "/x/.." + PATH, "/%2e" + PATH, PATH.replace("/plivo", "/./plivo"),
    PATH + ";x", PATH + ";", PATH + ",", PATH.replace("/", "\\"), PATH + "%3FSessionUUID=x", PATH[:-1], PATH + "c",
    PATH.rpartition("/")[0], "/", "//", "*", "/metrics", "/callbacks/plivo", "/verifications/", "/healthz/",
    PATH.lstrip("/"), "x" + PATH, "http:" + PATH,
]  # fmt: skip


def test_a_path_that_is_not_letter_by_letter_ours_is_nothing_whatever_was_signed(target: Target) -> None:
    before = target.stored()
    nowhere = target.ask(written(where="/nowhere"))
    assert nowhere.status == 404
    told = {
        where: target.ask(written([FORM, *by_v2(url=url)], BODY, where=where))
        for where in ELSEWHERE_HERE
        for url in (URL, "https://hooks.example.com" + where)
    }
    assert {where: answer for where, answer in told.items() if answer != nowhere} == {}
    assert target.stored() == before


def test_no_other_method_writes_however_well_it_is_signed(target: Target) -> None:
    before = target.stored()
    methods = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW", "X")
    told = {method: target.ask(written(by_v2(), BODY, method=method)) for method in methods}
    assert {answer.status for answer in told.values()} == {405}
    assert len(set(told.values())) == 1
    named = target.ask(written([*by_v2(), ("X-HTTP-Method-Override", "DELETE")], "SessionUUID=overridden"))
    assert named.status == 200
    assert target.stored() == (before[0] + 1, before[1])


# --- the application's reports ---------------------------------------------------------------------------------------

REPORT = json.dumps({"session_id": "s-1", "verified_at": "2026-09-01T12:00:00Z"})
SIGNED_REPORT = hmac.new(SECRET.encode(), REPORT.encode(), hashlib.sha256).hexdigest()
FORGED_REPORTS: list[Headers] = [
    [],
    [("X-Signature", "")],
    [("X-Signature", "sha256=")],
    [("X-Signature", SIGNED_REPORT)],
    [("X-Signature", "sha1=" + hmac.new(SECRET.encode(), REPORT.encode(), "sha1").hexdigest())],
    [("X-Signature", "sha256=" + hmac.new(b"", REPORT.encode(), hashlib.sha256).hexdigest())],
    [("X-Signature", "sha256=" + hmac.new(TOKEN.encode(), REPORT.encode(), hashlib.sha256).hexdigest())],
    [("X-Signature", "sha256=" + hmac.new(SECRET.encode(), REPORT.encode() + b" ", hashlib.sha256).hexdigest())],
    [("X-Signature", f"sha256={SIGNED_REPORT}")] * 2,
    [("X-Signature", f"sha256={SIGNED_REPORT},sha256={SIGNED_REPORT}")],
    [("X-Signature", f"sha256={SIGNED_REPORT[:-1]}")],
    [("X-Signature", f"sha256={SIGNED_REPORT}0")],
    [("X-Signature", f"sha256 = {SIGNED_REPORT}")],
    [("X-Signature-", f"sha256={SIGNED_REPORT}")],
    [*by_v2(url="https://hooks.example.com/verifications")],
    *([("X-Signature", f"sha256={int(SIGNED_REPORT, 16) ^ (1 << bit):064x}")] for bit in range(256)),
]


def test_a_report_that_the_application_did_not_sign_gets_one_answer_and_is_not_stored(target: Target) -> None:
    told = {target.ask(written(headers, REPORT, where="/verifications")) for headers in FORGED_REPORTS}
    assert {answer.status for answer in told} == {403}
    assert len(told) == 1
    assert target.rows("SELECT count(*) FROM verifications") == [(0,)]
    genuine = [("x-signature", f" sha256={SIGNED_REPORT} ")]
    assert target.ask(written(genuine, REPORT, where="/verifications")).status == 200


# --- one bit at a time -----------------------------------------------------------------------------------------------


def flipped(text: str) -> Iterator[str]:
    """Give every text that differs in one bit of one character."""
    for place in range(len(text)):
        for bit in range(8):
            yield text[:place] + chr(ord(text[place]) ^ 1 << bit) + text[place + 1 :]


def test_no_bit_of_a_signature_or_of_a_nonce_may_be_another(target: Target, refusal: Answer) -> None:
    nonce = fresh()
    genuine = mac(URL + nonce)
    raw = base64.b64decode(genuine)
    before = target.stored()
    turned = [
        base64.b64encode((int.from_bytes(raw, "big") ^ (1 << bit)).to_bytes(32, "big")).decode() for bit in range(256)
    ]
    told = {f"signature {value}": [(V2, value), (V2_NONCE, nonce)] for value in [*turned, *flipped(genuine)]}
    told |= {f"nonce {value}": [(V2, genuine), (V2_NONCE, value)] for value in flipped(nonce)}
    # A bit of the bytes is at times also one of the text.
    assert len(told) >= 256 + 44 * 4 + 19 * 8
    # Where the bit makes a control character of it, it is no HTTP any more.
    controls = {*map(chr, range(32)), "\x7f"} - {"\t"}
    wanted = {name: 400 if controls & {*name} else 403 for name in told}
    found = {name: target.ask(written([FORM, *headers], BODY)) for name, headers in told.items()}
    assert {name: answer.status for name, answer in found.items() if answer.status != wanted[name]} == {}
    assert {answer for answer in found.values() if answer.status == 403} == {refusal}
    assert target.stored() == before
    assert target.ask(written([FORM, (V2, genuine), (V2_NONCE, nonce)], "SessionUUID=unflipped")).status == 200


def test_under_v3_no_bit_of_the_body_may_be_another(target: Target, refusal: Answer) -> None:
    body = "Channel=sms&ChannelStatus=sent&SessionUUID=flip-1"
    headers = [FORM, *by_v3("ChannelsmsChannelStatussentSessionUUIDflip-1")]
    before = target.stored()
    found = {other: target.ask(written(headers, other)) for other in flipped(body)}
    assert {other: answer for other, answer in found.items() if answer != refusal} == {}
    assert target.stored() == before
    assert target.ask(written(headers, body)).status == 200


# --- two tokens -------------------------------------------------------------------------------------------------------


def test_where_a_main_token_is_configured_each_token_proves_its_own_headers_only(make_target: MakeTarget) -> None:
    both = make_target(PLIVO_MAIN_AUTH_TOKEN=MAIN_TOKEN).start()
    refusal = both.ask(written([FORM], BODY))
    nonce = fresh()
    texts = {"V2": URL + nonce, "V3": f"{URL}?{V3_BODY}.{nonce}"}
    swapped = [
        [(f"X-Plivo-Signature-{prefix}{family}", mac(text, token)), (f"X-Plivo-Signature-{family}-Nonce", nonce)]
        for family, text in texts.items()
        for prefix, token in (("", MAIN_TOKEN), ("Ma-", TOKEN), ("Ma-", ""), ("MA_", MAIN_TOKEN), ("Main-", MAIN_TOKEN))
    ]
    assert {both.ask(written([FORM, *headers], BODY)) for headers in swapped} == {refusal}
    assert both.stored() == (0, 0)
    genuine = [
        [(f"X-Plivo-Signature-Ma-{family}", mac(text, MAIN_TOKEN)), (f"X-Plivo-Signature-{family}-Nonce", nonce)]
        for family, text in texts.items()
    ]
    for headers in (*genuine, genuine[0] + genuine[1]):
        assert both.ask(written([FORM, *headers], BODY)).status == 200
    assert both.rows("SELECT proof FROM callbacks") == [("v2-ma",), ("v3-ma",), ("v2-ma+v3-ma",)]


# --- what is required of V3 ------------------------------------------------------------------------------------------


def test_a_v3_that_was_taken_away_or_broken_is_refused_where_v3_is_required(strict: Target, target: Target) -> None:
    body = "SessionUUID=altered"
    stripped = [FORM, *by_v2()]
    broken = [FORM, *by_v2(), *by_v3("SessionUUIDoriginal")]
    nothing = strict.ask(written([FORM], body))
    assert [strict.ask(written(headers, body)) for headers in (stripped, broken)] == [nothing, nothing]
    assert strict.stored() == (0, 0)
    # Where V3 is ignored nothing tells a stripped signature from one that was never there: V2 is all there is.
    assert [target.ask(written(headers, body)).status for headers in (stripped, broken)] == [200, 200]
    for headers in ([*by_v2(), *by_v3("SessionUUIDwhole")], by_v3("SessionUUIDwhole")):
        assert strict.ask(written([FORM, *headers], "SessionUUID=whole")).status == 200
    assert strict.rows("SELECT proof FROM callbacks") == [("v2+v3",), ("v3",)]


def test_every_refusal_was_counted_by_its_reason_and_logged_once_a_minute(strict: Target) -> None:
    for _ in range(20):
        strict.ask(written([FORM], BODY))
        strict.ask(written([FORM, *by_v2()], BODY))
    refusals = [event["reason"] for event in strict.events() if event["event"] == "refused"]
    assert set(refusals) == {"signature", "v3_required"}
    # A few seconds belong to two minutes at the most.
    assert len(refusals) <= 4
    assert strict.end() == 0
    ((refused, reasons),) = strict.rows("SELECT sum(refused), group_concat(refused_by, ' ') FROM pulse")
    assert refused == 43
    assert '"v3_required": ' in reasons
