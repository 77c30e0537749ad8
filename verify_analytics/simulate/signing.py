"""Signs callbacks as the provider does, and reports as an application does.

The simulator's own reading of the provider's signatures; it shares no code with the collector, which judges it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import parse_qsl

Pairs = Sequence[tuple[str, str]]


def signature(token: str, text: str) -> str:
    """Sign a text under a token: HMAC-SHA-256, in base64.

    Examples
    --------
    >>> signature("my_auth_token", "https://answer.url/12345")
    'do1CXv+k99A6+B+eTcyqbxWlezFIxJ/1vz72787r37g='
    """
    return b64encode(hmac.digest(token.encode(), text.encode("utf-8", "surrogateescape"), "sha256")).decode("ascii")


def v2_text(url: str, nonce: str) -> str:
    """Write what V2 signs: the URL up to its query, and the nonce. Neither query nor body.

    Examples
    --------
    >>> v2_text("https://answer.url/?a=b", "12345")
    'https://answer.url/12345'
    """
    return re.split("[?#]", url, maxsplit=1)[0] + nonce


def v3_text(method: str, url: str, fields: Pairs, nonce: str) -> str:
    """Write what V3 signs: the URL, its query sorted, the body's fields sorted and run together, and the nonce.

    Parameters
    ----------
    method
        ``GET`` or ``POST``.
    url
        As requested, with its query; for ``GET`` the query holds the callback's fields.
    fields
        Of the body; empty for ``GET``.

    Examples
    --------
    >>> v3_text("POST", "https://example.com/hook", [("b", "2"), ("a", "1")], "7")
    'https://example.com/hook?a1b2.7'
    >>> v3_text("GET", "https://example.com/hook?b=2&a=x+y", [], "7")
    'https://example.com/hook?a=x y&b=2.7'
    """
    base, _, query = url.partition("#")[0].partition("?")
    asked = sorted(parse_qsl(query, keep_blank_values=True))
    text = "&".join(f"{name}={value}" for name, value in asked)
    if method == "POST" and fields:
        text += ("." if asked else "") + "".join(f"{name}{value}" for name, value in sorted(fields))
        return f"{base}?{text}.{nonce}"
    return f"{base}?{text}.{nonce}" if asked else f"{base}.{nonce}"


def headers(
    method: str,
    url: str,
    fields: Pairs,
    *,
    nonce: str,
    tokens: Sequence[str],
    main_token: str | None = None,
    v3: bool = False,
) -> list[tuple[str, str]]:
    """Sign one callback.

    Parameters
    ----------
    tokens
        For the plain headers: several while a token is being replaced, their signatures joined by commas; none to
        leave the plain headers out.
    main_token
        For the ``Ma-`` headers; None to leave them out.
    v3
        Whether V3 comes along with V2.

    Returns
    -------
    list of (name, value)
        The signature headers, nonces included.
    """
    texts = {"V2": v2_text(url, nonce)}
    if v3:
        texts["V3"] = v3_text(method, url, fields, nonce)
    found = []
    for family, text in texts.items():
        if tokens:
            found.append((f"X-Plivo-Signature-{family}", ",".join(signature(token, text) for token in tokens)))
        if main_token is not None:
            found.append((f"X-Plivo-Signature-Ma-{family}", signature(main_token, text)))
        found.append((f"X-Plivo-Signature-{family}-Nonce", nonce))
    return found


def report_header(secret: str, body: bytes) -> tuple[str, str]:
    """Sign what the application reports: hexadecimal HMAC-SHA-256 of the body as sent.

    Examples
    --------
    >>> report_header("secret", b"{}")[1][:20]
    'sha256=77325902caca8'
    """
    return ("X-Signature", f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}")
