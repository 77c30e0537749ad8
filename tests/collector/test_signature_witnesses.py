"""Our signatures against those of others: the vectors of seven official SDKs, and the `plivo` package as it runs."""

import json
import string
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plivo.utils import validate_signature
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3, validate_v3_signature

from collector.form import pairs
from collector.signature import Proof, sign, verify

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "signature_vectors.json").read_text())
# What no sound implementation can meet, by (source, URL), each with the reason.
EXCEPTIONS = {
    (
        "plivo/plivo-dotnet tests/Plivo.Test/TestSignatureV3.cs TestSignatureV3Pass2",
        "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml",
    ): "wrong upstream: the URL lost its query, the signature is that of the URL with it; the file is never compiled",
    (
        "GENERATED (not upstream): produced by running official plivo-python 4.63.0 on made-up input",
        "https://example.com/plivo/verify;p=1",
    ): "a semicolon in the path: Python's SDK cuts it off, Node's and Java's keep it, so it is refused at start",
}
PREFIX = "X-Plivo-Signature-"
TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"


def name_of(vector: dict[str, Any]) -> str:
    return f"{vector['version']}-{vector['method']}-{vector['source'].split()[0]}-{vector['url'][-24:]}"


@pytest.mark.parametrize("main", [False, True], ids=["plain", "ma"])
@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
def test_every_vector_is_judged_as_its_sdk_judges_it(vector: dict[str, Any], main: bool) -> None:
    family = vector["version"].lower()
    query = vector["url"].partition("#")[0].partition("?")[2]
    fields = list((vector["params"] or {}).items())
    # As on the wire: the fields of a POST in its body, those of a GET in its query, behind the URL's own.
    if vector["method"] == "GET":
        query, fields = "&".join(filter(None, [query, urlencode(fields)])), []
    tokens = [vector["auth_token"]]
    proof = verify(
        vector["method"] or "POST",
        [vector["url"]],
        query,
        fields,
        [
            (f"{PREFIX}{'Ma-' * main}{vector['version']}", vector["signature"]),
            (f"{PREFIX}{family}-nonce", vector["nonce"]),
        ],
        tokens=[] if main else tokens,
        main_tokens=tokens if main else [],
    )
    valid = vector["expected_valid"] and (vector["source"], vector["url"]) not in EXCEPTIONS
    assert proof.text == (f"{family}-ma" if main else family) * valid


def test_all_vectors_are_here_and_each_exception_is_one_of_them() -> None:
    assert len(VECTORS) == 27
    assert set(EXCEPTIONS) <= {(vector["source"], vector["url"]) for vector in VECTORS}


# --- the plivo package, in both directions ---------------------------------------------------------------------------


class Request(NamedTuple):
    """A request as Plivo would make it: decoded parameters, repeated names as lists."""

    method: str
    url: str
    query: dict[str, list[str]]
    body: dict[str, list[str]]
    nonce: str
    token: str

    @property
    def raw_query(self) -> str:
        return urlencode(flat(self.query))

    def signed_by_the_sdk(self) -> str:
        construct = construct_get_url if self.method == "GET" else construct_post_url
        text: bytes = construct(joined(self.url, self.raw_query), dict(self.body))
        return str(get_signature_v3(self.token.encode(), text.decode(), self.nonce.encode()).decode())

    def accepted_by_the_sdk(self, given_signature: str) -> bool:
        url = joined(self.url, self.raw_query)
        return bool(validate_v3_signature(self.method, url, self.nonce, self.token, given_signature, dict(self.body)))

    def proof(self, given_signature: str) -> Proof:
        return verify(
            self.method,
            [self.url],
            self.raw_query,
            flat(self.body),
            [(f"{PREFIX}V3", given_signature), (f"{PREFIX}V3-Nonce", self.nonce)],
            tokens=[self.token],
            main_tokens=[],
        )


def flat(params: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in params.items() for value in values]


def joined(url: str, raw_query: str) -> str:
    return f"{url}?{raw_query}" if raw_query else url


LETTERS = string.ascii_letters + string.digits
urls = st.builds(
    lambda host, parts: host + "".join(f"/{part}" for part in parts),
    st.sampled_from(["https://h.example", "http://127.0.0.1:8080", "https://UPPER.example:443", "https://a-b.example"]),
    st.lists(st.text(LETTERS + "-._~%+@", max_size=6), max_size=3),
)
nonces = st.text(LETTERS + "_=+-", min_size=1, max_size=128)
tokens = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)
# Python's SDK fails on a query that decodes to anything but ASCII; on such a body it does not.
ascii_texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)
queries = st.dictionaries(ascii_texts, st.lists(ascii_texts, min_size=1, max_size=3), max_size=4)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
bodies = st.dictionaries(texts, st.lists(texts, min_size=1, max_size=3), max_size=4)
requests = st.builds(Request, st.just("GET"), urls, queries, st.just({}), nonces, tokens) | st.builds(
    Request, st.just("POST"), urls, queries, bodies, nonces, tokens
)


@settings(deadline=None)
@given(urls, nonces, tokens, st.booleans())
def test_v2_agrees_with_the_sdk(url: str, nonce: str, token: str, tampered: bool) -> None:
    given_signature = sign(token, f"{url}{nonce}{'0' * tampered}".encode())
    accepted = validate_signature(f"{url}?q=1", nonce, given_signature, token)
    headers = [(f"{PREFIX}V2", given_signature), (f"{PREFIX}V2-Nonce", nonce)]
    assert accepted is not tampered
    assert bool(verify("POST", [url], "q=1", [], headers, tokens=[token], main_tokens=[])) is accepted


@settings(deadline=None)
@given(requests)
def test_v3_accepts_what_the_sdk_signs(request: Request) -> None:
    given_signature = request.signed_by_the_sdk()
    assert request.accepted_by_the_sdk(given_signature)
    assert request.proof(given_signature) == Proof(("v3",), (("v3", request.nonce),))


@settings(deadline=None)
@given(requests, st.data())
def test_v3_says_of_a_changed_request_what_the_sdk_says(request: Request, data: st.DataObject) -> None:
    given_signature = request.signed_by_the_sdk()
    changes: list[dict[str, Any]] = [
        {},
        {"query": {**request.query, "x": ["1"]}},
        {"query": dict(list(request.query.items())[1:])},
        {"query": {name: values[::-1] for name, values in reversed(request.query.items())}},
        {"nonce": f"{request.nonce}0"[-128:]},
        {"token": f"{request.token}0"},
        {"url": f"{request.url}/"},
    ]
    if request.method == "POST":
        changes += [
            {"body": {**request.body, "x": ["1"]}},
            {"body": {}},
            {"query": request.body, "body": request.query},
        ]
    changed = request._replace(**data.draw(st.sampled_from(changes)))
    if all(text.isascii() for pair in flat(changed.query) for text in pair):
        assert bool(changed.proof(given_signature)) is changed.accepted_by_the_sdk(given_signature)


@settings(deadline=None)
@given(requests, st.integers(0, 255))
def test_one_bit_changed_and_a_signature_proves_nothing(request: Request, bit: int) -> None:
    broken = bytearray(b64decode(request.signed_by_the_sdk()))
    broken[bit // 8] ^= 1 << bit % 8
    assert not request.proof(b64encode(broken).decode())


# --- any input at all ------------------------------------------------------------------------------------------------

header_names = st.sampled_from([f"{PREFIX}{name}" for name in ("V2", "Ma-V2", "V3", "Ma-V3", "V2-Nonce", "V3-Nonce")])
odd_texts = st.text(st.characters(exclude_categories=()), max_size=30)  # lone surrogates too
signature_like = st.text("Aa0+/=, ", min_size=40, max_size=100)
arbitrary = st.fixed_dictionaries(
    {
        "method": odd_texts,
        "urls": st.lists(odd_texts, max_size=3),
        "query": odd_texts,
        "params": st.lists(st.tuples(odd_texts, odd_texts), max_size=4),
        "headers": st.lists(st.tuples(header_names | odd_texts, odd_texts | signature_like | nonces), max_size=8),
        "tokens": st.lists(odd_texts, max_size=4),
        "main_tokens": st.lists(odd_texts, max_size=4),
    }
)


def test_characters_that_no_bytes_explain_prove_nothing() -> None:
    odd = "\ud800\udcff"
    headers = [(f"{PREFIX}{name}", "1") for name in ("V2", "V3", "V2-Nonce", "V3-Nonce")]
    headers += [(odd, odd), (f"{PREFIX}Ma-V3", odd)]
    assert not verify("POST", [f"https://h/{odd}?{odd}"], odd, [(odd, odd)], headers, tokens=[odd], main_tokens=[odd])


@settings(deadline=None, max_examples=300)
@given(arbitrary)
def test_no_text_is_too_odd_for_an_answer(request: dict[str, Any]) -> None:
    assert not verify(**request)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120), st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_are_too_odd_for_an_answer(header: bytes, query: bytes, body: bytes) -> None:
    """Headers and query as a WSGI server hands bytes over, each one character."""
    headers = [(f"{PREFIX}{name}", header.decode("latin-1")) for name in ("V2", "Ma-V3")]
    headers += [(f"{PREFIX}V2-Nonce", "1"), (f"{PREFIX}V3-Nonce", "1")]
    proof = verify(
        "POST", ["https://h/p"], query.decode("latin-1"), pairs(body), headers, tokens=[TOKEN], main_tokens=[TOKEN]
    )
    assert not proof
    assert proof.v3_unproved
