"""Any input at all: every reader answers with what it promises, and with no other exception, however odd the bytes."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector import form, recipient, replay, verifications, wire
from collector.door import Door, Request
from collector.errors import CollectorError, Refused
from collector.items import Arrival, Verification
from collector.replay import BadLine, Down
from collector.settings import NAMES, Settings
from collector.signature import verify
from tests.collector.attacks.tools import OTHER_PATH, OTHER_URL, V2, V2_NONCE, V3, V3_NONCE, mac, outcome
from tests.collector.conftest import PATH, PEPPER, SECRET, TOKEN, URL, Provider

NOON = 1_788_264_000_000_000
SETTINGS = Settings(
    tokens=(TOKEN,),
    main_tokens=(TOKEN[::-1],),
    public_urls=(URL, OTHER_URL),
    paths=(PATH, OTHER_PATH),
    peppers=(PEPPER.encode(),),
    verification_secrets=(SECRET.encode(),),
)
DOOR = Door(SETTINGS, recipient.key_id(PEPPER.encode()))
any_text = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates too
octets = st.binary(max_size=200)
# Bytes that mean something to one of the readers, in any order.
PIECES = [
    *(f"{name}=".encode() for name in sorted(wire.KNOWN)),
    b"&", b"=", b"%", b"%00", b"%ff", b"%ed%a0%80", b"+", b";", b"\0", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf",
    b"s-1", b"2026-09-01 12:00:00.000001", b"1e400", b"-1", "٣".encode(), b"0" * 300, b"9" * 30, b"\r\n", b'{"a": 1}',
]  # fmt: skip
forms = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=24).map(b"".join)
# What may stand before them: a whole callback.
WHOLE = urlencode(Provider.fields()).encode() + b"&"


# --- signatures ------------------------------------------------------------------------------------------------------

# What an attacker has: everything that was ever sent, in both families and for both URLs, and not the token.
CAPTURED = [
    (family, url, nonce, mac(text))
    for url in (URL, OTHER_URL)
    for nonce in ("111", "222")
    for family, text in (("v2", url + nonce), ("v3", f"{url}?Channelsms.{nonce}"))
]
GENUINE = {(family, url, nonce): value for family, url, nonce, value in CAPTURED}
names = st.sampled_from([V2, V3, "X-Plivo-Signature-Ma-V2", "X-Plivo-Signature-Ma-V3", V2_NONCE, V3_NONCE])
captured = st.sampled_from([value for *_, value in CAPTURED])
nonces = st.sampled_from(["111", "222", "333", "/111", "r111", ".222", "111,222", " 111", ""])
lists = st.lists(captured | any_text, max_size=9).map(",".join)


@settings(deadline=None, max_examples=300)
@given(
    headers=st.lists(st.tuples(names, captured | nonces | lists | any_text), max_size=8),
    urls=st.lists(st.sampled_from([URL, OTHER_URL]), min_size=1, max_size=2, unique=True),
    is_altered=st.booleans(),
)
@example(headers=[(V2, GENUINE["v2", URL, "111"]), (V2_NONCE, "111")], urls=[URL], is_altered=True)
@example(headers=[(V3, GENUINE["v3", URL, "111"]), (V3_NONCE, "111")], urls=[URL], is_altered=False)
def test_whoever_has_all_signatures_and_not_the_token_proves_only_what_was_signed(
    headers: list[tuple[str, str]], urls: list[str], is_altered: bool
) -> None:
    body = [("Channel", "rcs" if is_altered else "sms")]
    proof = verify("POST", urls, "", body, headers, tokens=[TOKEN], main_tokens=[TOKEN[::-1]])
    assert set(proof.families) <= {"v2", "v3"}
    for family, nonce in proof.nonces:
        signed = {GENUINE.get((family, url, nonce)) for url in urls}
        given_values = {
            value.strip(" \t") for name, text in headers if name == family_header(family) for value in text.split(",")
        }
        assert signed & given_values
        assert family == "v2" or not is_altered


def test_each_captured_signature_proves_what_it_was_made_for() -> None:
    for family, url, nonce, value in CAPTURED:
        headers = [(family_header(family), value), (f"{family_header(family)}-Nonce", nonce)]
        proof = verify("POST", [url], "", [("Channel", "sms")], headers, tokens=[TOKEN], main_tokens=[])
        assert proof.nonces == ((family, nonce),)


def family_header(family: str) -> str:
    return V2 if family == "v2" else V3


# --- forms -----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(raw=forms | octets | forms.map(WHOLE.__add__), source=st.sampled_from(["body", "query"]))
def test_any_form_is_read_or_is_unreadable_for_a_known_reason(raw: bytes, source: wire.Source) -> None:
    pairs = form.pairs(raw)
    # Nothing is lost on the way: the bytes of each piece can be made again.
    assert all(isinstance(form.octets(text), bytes) for pair in pairs for text in pair)
    params = [(source, name, value) for name, value in pairs]
    assert wire.digest(params, b"pepper").startswith("1:")
    reading = outcome(lambda: wire.read(params, carrier=source))
    if isinstance(reading, wire.Unreadable):
        assert reading.reason in wire.UNREADABLE
    else:
        assert reading.session_id
        # Whatever a database is given of it, it can hold.
        held = json.dumps(asdict(reading), ensure_ascii=False)
        assert "\\u0000" not in held.encode().decode()


# --- the door --------------------------------------------------------------------------------------------------------

REFUSALS = {400, 403, 404, 405, 413, 422, 431}
by_v2 = ((V2, mac(URL + "7")), (V2_NONCE, "7"))
proofs = st.sampled_from([(), by_v2, ((V3, mac(f"{URL}?.7")), (V3_NONCE, "7")), ((V2, ""), (V3, ""))])
types = st.sampled_from(["", ";", "application/x-www-form-urlencoded; charset=x", "application/json", "gzip"])
kinds = st.sampled_from(["Content-Type", "content-encoding", "X-Signature"])
usual = st.lists(st.tuples(kinds, types), max_size=2)
odd = st.lists(st.tuples(kinds | any_text, types | any_text), max_size=4)
queries = forms.map(lambda raw: raw.decode("latin-1")) | any_text


def made(method: str, path: str, query: str, proof: tuple[Any, ...], others: list[Any], body: bytes) -> Request:
    return Request(method, path, query, (*proof, *others), body, NOON)


requests = st.builds(
    made,
    st.sampled_from(["GET", "POST"]),
    st.just(PATH),
    queries,
    st.just(by_v2),
    usual,
    forms | forms.map(WHOLE.__add__),
) | st.builds(
    made,
    st.sampled_from(["GET", "POST", "HEAD", ""]) | any_text,
    st.sampled_from([PATH, OTHER_PATH, "/verifications"]) | any_text,
    queries,
    proofs,
    odd,
    forms | octets,
)


@settings(deadline=None, max_examples=400)
@given(requests)
def test_any_request_is_taken_kept_apart_or_refused(request: Request) -> None:
    found = outcome(lambda: DOOR.open(request))
    if isinstance(found, Arrival):
        assert found.nonces
        assert (found.row is None) == (found.reason in {*wire.UNREADABLE, "content_type", "content_encoding"})
        assert found.row is not None or found.raw.body == request.body
    else:
        assert isinstance(found, Verification) or found.status in REFUSALS


# --- captures and reports --------------------------------------------------------------------------------------------

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)
moments = st.sampled_from(
    ["2026-09-01T12:00:00Z", "2026-09-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
)
lines = st.fixed_dictionaries(
    {},
    optional={
        "received_at": moments | values,
        "method": st.just("POST") | values,
        "url": st.sampled_from([URL, "https://[", "//", "a:b#c?d", "?é"]) | values,
        "headers": st.dictionaries(names, any_text, max_size=3) | values,
        "body": any_text | values,
        "body_base64": st.sampled_from(["YQ==", "YQ", "é"]) | values,
        "down_from": moments | values,
        "down_to": moments | values,
    },
)


@settings(deadline=None, max_examples=300)
@given(octets | lines.map(lambda line: json.dumps(line).encode()))
@example(b"[" * 100_000)
@example(b"9" * 5_000)
@example(b'{"down_from": "2026-09-01T12:00:00Z", "down_to": "2026-09-01T12:00:00Z"}')
def test_any_line_of_a_capture_is_a_request_a_span_or_a_bad_line(line: bytes) -> None:
    parsed = outcome(lambda: replay.parse(line, 2 * NOON))
    if isinstance(parsed, Down):
        assert parsed.since <= parsed.until
    elif not isinstance(parsed, BadLine):
        assert isinstance(parsed.received_at, int)
        assert isinstance(outcome(lambda: DOOR.open(parsed)), Arrival | Verification | Refused)


@settings(deadline=None, max_examples=300)
@given(
    octets
    | st.fixed_dictionaries({"session_id": any_text | values, "verified_at": moments | values}).map(
        lambda report: json.dumps(report).encode()
    )
)
@example(b"9" * 1_000)
@example(b'{"session_id": "s", "verified_at": "0001-01-01T00:00:00+23:59"}')
def test_any_report_is_taken_or_refused(body: bytes) -> None:
    signed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = [("X-Signature", f"sha256={signed}")]
    found = outcome(lambda: verifications.read("POST", headers, body, NOON, [SECRET.encode()]))
    if isinstance(found, Refused):
        assert found.status in {400, 413, 422}
    else:
        assert verifications.EARLIEST <= found.verified_at <= NOON + verifications.FUTURE


# --- settings --------------------------------------------------------------------------------------------------------

# Long enough for a secret, so that what is wrong with it is something else.
MARK = "Qz7vXw"
hints = st.sampled_from(
    [
        "https://",
        "http://[",
        "sqlite:///",
        "postgresql://",
        "?",
        "#",
        ";",
        ",",
        "\n",
        ":0",
        "@",
        "%zz",
        "\ud800",
        "\0",
        "é",
    ]
)
marked = st.lists(hints | any_text | st.just("0f1e2d3c4b5a6978"), max_size=6).map(
    lambda parts: MARK.join(["", *parts, ""])
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(NAMES)), marked | hints, min_size=1, max_size=4))
def test_any_settings_are_read_or_refused_in_a_sentence_without_them(given_values: dict[str, str]) -> None:
    enough = {"PLIVO_AUTH_TOKEN": TOKEN, "COLLECTOR_PUBLIC_URL": URL, "COLLECTOR_PEPPER": PEPPER}
    found = outcome(lambda: Settings.read({**enough, **given_values}))
    if isinstance(found, CollectorError):
        assert "\n" not in str(found)
        assert MARK not in str(found)
        return
    secrets = texts([found.tokens, found.main_tokens, found.peppers, found.verification_secrets, found.paths])
    # What is no secret may be shown, whatever else has the same text: where it listens, and the host of its URLs.
    may_be_shown = given_values.get("COLLECTOR_HOST", "") + given_values.get("COLLECTOR_PUBLIC_URL", "")
    hidden = [secret for secret in secrets if len(secret) > 3 and secret not in may_be_shown]
    assert not [secret for secret in hidden if secret in repr(found)]
    if not may_be_shown:
        assert MARK not in repr(found)


def texts(values: Sequence[Any]) -> list[str]:
    """Give every text in some tuples of texts and bytes."""
    return [one.decode() if isinstance(one, bytes) else one for group in values for one in group]
