"""A number is found in a raw request in whatever way it was written down, and never shown."""

import gzip
import json
import zlib
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.cleartext import covered, is_sealed, rows_of_digits_in, texts_of
from tests.collector.conftest import NUMBER


def row(body: bytes = b"", url: str = "/p", headers: tuple[tuple[str, str], ...] = (("A", "b"),)) -> Any:
    return SimpleNamespace(body=body, url=url, headers=json.dumps(headers), method="POST")


PUNCTUATED = "+1 (201) 555-0123"
SPELLINGS = {
    "plain": row(NUMBER.encode()),
    "in a form": row(b"a=b&Recipient=%2B" + NUMBER.encode() + b"&c=d"),
    "punctuated": row(PUNCTUATED.encode()),
    "punctuated and encoded": row(quote(PUNCTUATED).encode()),
    "with plus signs for spaces": row(b"n=%2B1+201+555+0123"),
    "each digit encoded": row("".join(f"%{ord(c):02x}" for c in NUMBER).encode()),
    "encoded twice": row(quote(quote(PUNCTUATED)).encode()),
    "JSON": row(json.dumps({"to": PUNCTUATED}).encode()),
    "escaped in JSON": row("".join(f"\\u{ord(c):04x}" for c in NUMBER).encode()),
    "UTF-16": row(NUMBER.encode("utf-16")),
    "UTF-32, the other end first": row(NUMBER.encode("utf-32-be")),
    "wide digits": row("".join(chr(0xFF10 + int(c)) for c in NUMBER).encode()),
    "Arabic digits": row("".join(chr(0x660 + int(c)) for c in NUMBER).encode()),
    "between bytes that are no text": row(b"\xff\xfe" + NUMBER.encode() + b"\xff"),
    "gzip": row(gzip.compress(b"to=" + NUMBER.encode())),
    "deflate": row(zlib.compress(b"to=" + NUMBER.encode())),
    "deflate without a head": row(zlib.compress(b"to=" + NUMBER.encode())[2:-4]),
    "in the query": row(url=f"/p?Recipient=%2B{NUMBER}"),
    "in a header": row(headers=(("X-To", PUNCTUATED),)),
    "in a header's name": row(headers=((f"X-{NUMBER}", "1"),)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_number_is_found_in_every_spelling(spelling: str) -> None:
    assert any(NUMBER in digits for digits in rows_of_digits_in(texts_of(SPELLINGS[spelling])))


def test_a_request_without_a_number_has_none() -> None:
    harmless = row(b"SessionUUID=8f7c2c9e-3c0b-4a1e-9a66-0d2f1c3b4a5e&RequestTime=12:00:00&Code=1234")
    assert rows_of_digits_in(texts_of(harmless)) == set()


def test_a_body_that_unpacks_without_end_is_looked_at_in_part() -> None:
    bomb = zlib.compress(b"0" * 50_000_000)
    assert max(map(len, texts_of(row(bomb)))) <= 1024 * 1024


@pytest.mark.parametrize(("encoding", "sealed"), [("br", True), ("gzip, zstd", True), ("gzip", False), ("", False)])
def test_a_body_that_cannot_be_looked_into_is_told_from_one_that_can(encoding: str, *, sealed: bool) -> None:
    assert is_sealed(row(b"\x0b\x02", headers=(("Content-Encoding", encoding),))) == sealed


@given(st.binary(max_size=200), st.text(max_size=50))
def test_any_request_gives_some_texts_and_any_text_can_be_shown(body: bytes, text: str) -> None:
    rows_of_digits_in(texts_of(row(body, text, ((text, text),))))
    assert covered(text).isprintable()
    assert NUMBER not in covered(f"{text}{NUMBER}")


@pytest.mark.parametrize("spelling", ["plain", "each digit encoded", "encoded twice", "escaped in JSON"])
def test_no_digit_of_a_number_is_shown_in_any_spelling(spelling: str) -> None:
    text = SPELLINGS[spelling].body.decode()
    assert not any(character.isdigit() for character in covered(text))
