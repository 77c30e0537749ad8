"""What a raw request in quarantine says in clear, in whatever way it was written down.

Quarantine keeps what could not be read, so a number may stand in it in any spelling: percent-encoded once or twice, as
an escape of JSON, with a NUL after each digit, compressed. Everything here is total: any bytes give some texts.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, unquote_plus

from sqlalchemy import Row

from collector import form
from collector.digits import holds_number, rows_of_digits

LARGEST_UNPACKED = 1024 * 1024
"""Bytes of a compressed body that are looked at; a callback has less than one of a thousand."""
_ESCAPE = re.compile(r"\\[uU]([0-9a-fA-F]{4})")
# What this Python has no way to unpack.
_SEALED = re.compile(r"\b(?:br|zstd|compress|dcb|dcz)\b", re.IGNORECASE)


def headers_of(row: Row[Any]) -> tuple[tuple[str, str], ...]:
    """Give the headers of a row of quarantine."""
    return tuple((name, value) for name, value in json.loads(row.headers))


def fields_of(row: Row[Any]) -> list[tuple[str, str]]:
    """Give the fields of a row of quarantine as the callback's own reading would: of its body, or of its query."""
    query = row.url.partition("?")[2]
    return form.pairs(bytes(row.body) if row.method == "POST" else form.query_octets(query))


def texts_of(row: Row[Any]) -> Iterator[str]:
    """Give every text that a row of quarantine may be read as."""
    yield row.url
    for name, value in headers_of(row):
        yield name
        yield value
    for body in _unpacked(bytes(row.body)):
        yield body.decode("utf-8", "replace")
        # UTF-16 and UTF-32 of digits, whichever end comes first.
        yield body.replace(b"\0", b"").decode("latin-1")


def rows_of_digits_in(texts: Iterable[str]) -> set[str]:
    """Find every row of seven or more digits in these texts, in every way they may be decoded."""
    return {digits for text in texts for decoded in _decoded(text) for digits in rows_of_digits(decoded)}


def is_sealed(row: Row[Any]) -> bool:
    """Say whether a body is compressed in a way that cannot be looked into."""
    return any(name.lower() == "content-encoding" and _SEALED.search(value) for name, value in headers_of(row))


def covered(text: str) -> str:
    """Write a text for a terminal: what could be a number in marks, what could move the cursor as an escape."""
    if any(holds_number(decoded) for decoded in _decoded(text)):
        text = "".join("#" if character.isnumeric() else character for character in text)
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def _decoded(text: str) -> Iterator[str]:
    once = unquote_plus(text)
    for decoded in dict.fromkeys((text, unquote(text), once, unquote_plus(once))):
        yield decoded
        if "\\" in decoded:
            yield _ESCAPE.sub(lambda found: chr(int(found[1], 16)), decoded)


def _unpacked(body: bytes) -> Iterator[bytes]:
    yield body
    # Either kind of head, and none at all.
    for wbits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        try:
            unpacked = zlib.decompressobj(wbits).decompress(body, LARGEST_UNPACKED)
        except zlib.error:
            continue
        if unpacked:
            yield unpacked
