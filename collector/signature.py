"""What a request's signatures prove.

Plivo signs with HMAC-SHA-256 under an account's token, in two families. V2 covers the URL and a nonce, and neither the
body nor the query. V3 covers them too. Each family comes plain (the token of the account or subaccount) and as ``Ma-``
(the token of the main account). Everything here is a pure function of its arguments and answers any input.

Two properties hold the nonces to what was signed. The signed text begins with a configured URL, never with anything
of the request. And a nonce has neither ``/``, ``.`` nor any other character that could shift the border between it and
the text before it (`NONCE`): otherwise a signature of ``…/hook/`` with the nonce ``1`` would also be one of ``…/hook``
with the fresh nonce ``/1``, and could carry another body.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from collector.form import octets, pairs, query_octets

# Every nonce seen in public is about 20 decimal digits.
NONCE = re.compile(r"[0-9A-Za-z_=+-]{1,128}")
# What may stand between a URL and the nonce signed after it, or be part of that nonce.
_CONTINUED = re.compile(r"[.]?[0-9A-Za-z_=+-]*")
# A token is kept beside its successor while it is being rotated; more than a few values is no signature of Plivo's.
MOST_VALUES = 8
# 32 bytes in base64, padded, standard alphabet. Compared as text, so only the one canonical spelling can be equal.
_SIGNATURE = re.compile(r"[0-9A-Za-z+/]{43}=")
_PREFIX = "x-plivo-signature-"

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Proof:
    """What was proved of one request.

    Parameters
    ----------
    families
        The headers that verified, of ``v2``, ``v2-ma``, ``v3``, ``v3-ma``, in this order. Empty: nothing was proved.
    nonces
        (``v2`` or ``v3``, nonce) of each family that was proved, to be bound to the request's content.
    v3_unproved
        V3 signatures came along and none of them verified.
    """

    families: tuple[str, ...] = ()
    nonces: tuple[tuple[str, str], ...] = ()
    v3_unproved: bool = False

    def __bool__(self) -> bool:
        return bool(self.families)

    @property
    def text(self) -> str:
        """The column ``proof``: what was proved, joined by ``+``; empty when nothing was."""
        return "+".join(self.families)


def verify(
    method: str,
    urls: Sequence[str],
    query: str,
    params: Pairs,
    headers: Pairs,
    *,
    tokens: Sequence[str],
    main_tokens: Sequence[str],
) -> Proof:
    """Find out which signatures of a request are genuine.

    Parameters
    ----------
    method
        ``GET`` or ``POST``.
    urls
        The configured public URLs that map to the path received. Nothing else is ever signed over.
    query
        The query received, raw, as the server hands it over.
    params
        The decoded body, from `collector.form.pairs`; empty for ``GET``.
    headers
        (name, value) as received; names in any case, the same name as often as it came.
    tokens, main_tokens
        For the plain headers, and for the ``Ma-`` headers.

    Returns
    -------
    Proof
        False when nothing was proved. A missing, doubled, overlong or oddly spelt nonce proves nothing, nor does a
        header of more than eight signatures. Every token, URL and signature is tried, whatever was found before: the
        time taken tells nothing.

    Notes
    -----
    V2 signs ``URL without query`` + ``nonce``. V3 signs the same URL, ``?`` and the sorted query, the sorted names and
    values of the body, ``.`` and the nonce; see `_v3_texts`. Compared with the ``plivo`` package in a property test.
    """
    sent = _by_name(headers)
    has_v3 = "v3" in sent or "ma-v3" in sent
    texts = {"v2": {octets(_base(url)) for url in urls}}
    if has_v3:
        texts["v3"] = {text for url in urls for text in _v3_texts(method, url, query, params)}
    families: list[str] = []
    nonces: list[tuple[str, str]] = []
    for family, starts in texts.items():
        nonce = sent.get(f"{family}-nonce", "")
        if not NONCE.fullmatch(nonce):
            continue
        messages = [start + nonce.encode("ascii") for start in starts]
        proved = [
            name
            for name, header, keys in ((family, family, tokens), (f"{family}-ma", f"ma-{family}", main_tokens))
            if _matches(sent.get(header), messages, keys)
        ]
        if proved:
            families += proved
            nonces.append((family, nonce))
    proved_v3 = any(family == "v3" for family, _ in nonces)
    return Proof(tuple(families), tuple(nonces), v3_unproved=has_v3 and not proved_v3)


def sign(token: str, message: bytes) -> str:
    """Sign as Plivo does: HMAC-SHA-256 under the token as text, in base64."""
    return b64encode(hmac.new(octets(token), message, hashlib.sha256).digest()).decode("ascii")


def v3_signed(method: str, url: str, query: str, params: Pairs) -> bytes:
    """Write what V3 signs before the nonce, for whoever has to sign a request of their own."""
    return next(_v3_texts(method, url, query, params))


def ambiguous(urls: Sequence[str]) -> bool:
    """Say whether a signature under one URL could be read as one under another, with another nonce.

    Only where one URL without its query begins with the other, and what follows could belong to a nonce. A slash could
    not, so a URL with and without a slash at its end get along.
    """
    bases = {_base(url) for url in urls}
    rests = (longer[len(base) :] for base in bases for longer in bases - {base} if longer.startswith(base))
    return any(_CONTINUED.fullmatch(rest) for rest in rests)


def _matches(header: str | None, messages: Sequence[bytes], tokens: Sequence[str]) -> bool:
    """Compare every signature of a header with every possible one, without stopping at the first that fits."""
    values = (header or "").split(",", MOST_VALUES)
    if len(values) > MOST_VALUES:
        return False
    given = [value.encode("ascii") for value in (value.strip(" \t") for value in values) if _SIGNATURE.fullmatch(value)]
    found = False
    for token in tokens:
        if not token:  # anybody can sign under an empty token
            continue
        for message in messages:
            wanted = sign(token, message).encode("ascii")
            for value in given:
                found |= hmac.compare_digest(wanted, value)
    return found


def _by_name(headers: Pairs) -> dict[str, str]:
    """Join all headers of one name by commas, as HTTP allows and as WSGI servers do; those of Plivo's alone."""
    found: dict[str, str] = {}
    for key, value in headers:
        name = key.lower()
        if name.startswith(_PREFIX):
            name = name[len(_PREFIX) :]
            found[name] = f"{found[name]},{value}" if name in found else value
    return {name: value.strip(" \t") for name, value in found.items()}


def _base(url: str) -> str:
    """Cut a URL before its query and its fragment, and change nothing else: port, case and escapes stay."""
    return re.split(r"[?#]", url, maxsplit=1)[0]


def _v3_texts(method: str, url: str, query: str, params: Pairs) -> Iterator[bytes]:
    """Write what V3 may have signed, up to the nonce.

    The query received is signed whole. Where the configured URL has a query of its own that a proxy took away, the same
    with that query added is tried as well; nothing received is ever left out.
    """
    received = pairs(query_octets(query))
    configured = pairs(octets(url.partition("#")[0].partition("?")[2]))
    missing = [pair for pair in configured if pair not in received]
    for queried in (received, received + missing) if missing else (received,):
        yield octets(_base(url)) + _v3_rest(method, queried, params) + b"."


def _v3_rest(method: str, query: Pairs, params: Pairs) -> bytes:
    """Write the query and the body as V3 does; plain concatenation, with a ``?`` even where there is only a body."""
    if method.upper() == "GET":
        query, params = [*query, *params], ()
    text = b"&".join(name + b"=" + value for name, value in _sorted(query))
    if not params:
        return b"?" + text if query else b""
    return b"?" + text + (b"." if query else b"") + b"".join(name + value for name, value in _sorted(params))


def _sorted(params: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Sort by name, then by value: in UTF-8 the order of bytes is that of code points."""
    return sorted((octets(name), octets(value)) for name, value in params)
