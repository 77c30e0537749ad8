"""Tells a probe of `collector doctor` from a callback, and answers it so that its sender learns how it arrived.

A probe is signed as the provider signs, so it goes the whole way of a callback: name, certificate, proxy, signature. It
is stored nowhere and its nonce is not bound. Therefore a nonce that begins with `MARK` never stands for a callback: who
sees a probe pass by holds a signature that nobody has used, and must not be able to put another body under it.

The answer names each part of the request by a keyed digest. Whoever holds the pepper can compare; nobody else learns
anything, and no part of the request is repeated.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import NamedTuple

from collector.form import octets

NIL = "00000000-0000-0000-0000-000000000000"
"""The session no provider has."""
MARK = "doctor-"
"""How a probe's nonce begins; the signature covers it."""
HEADER = "X-Collector-Probe"
COLLECTOR = "collector"
"""The part of an answer that differs only where the pepper does."""


class Probe(NamedTuple):
    """A proved request that asks how it arrived.

    Attributes
    ----------
    echo
        What to answer in `HEADER`.
    """

    echo: str


class Seen(NamedTuple):
    """The parts of a request as one side saw them; path and query raw."""

    method: str
    path: str
    query: str
    body: bytes


def fresh_nonce() -> str:
    """Draw the nonce of a new probe."""
    return f"{MARK}{secrets.token_hex(16)}"


def is_marked(nonces: Iterable[tuple[str, str]]) -> bool:
    """Say whether one of the (family, nonce) proved is a probe's."""
    return any(nonce.startswith(MARK) for _, nonce in nonces)


def echo(pepper: bytes, nonce: str, seen: Seen) -> str:
    """Write the answer to a probe."""
    return "; ".join(f"{part}={digest}" for part, digest in _digests(pepper, nonce, seen).items())


def changed(pepper: bytes, nonce: str, sent: Seen, answer: str) -> list[str]:
    """Compare an answer with what was sent.

    Returns
    -------
    list of str
        The parts that arrived changed, of ``method``, ``path``, ``query``, ``body``; ``collector`` alone, if another
        collector answered, or one with another pepper.
    """
    said = dict(part.strip().partition("=")[::2] for part in answer.split(";"))
    wanted = _digests(pepper, nonce, sent)
    differing = [part for part, digest in wanted.items() if said.get(part) != digest]
    return [COLLECTOR] if COLLECTOR in differing else differing


def _digests(pepper: bytes, nonce: str, seen: Seen) -> dict[str, str]:
    key = hmac.new(pepper, b"probe of the collector", hashlib.sha256).digest()
    parts = {
        COLLECTOR: b"",
        "method": octets(seen.method),
        "path": octets(seen.path),
        "query": octets(seen.query),
        "body": seen.body,
    }
    return {
        part: hmac.new(key, b"\0".join([part.encode(), octets(nonce), value]), hashlib.sha256).hexdigest()[:32]
        for part, value in parts.items()
    }
