"""Sends one signed request through the public URL, as the provider would, and says how it got there.

What the collector answers to a probe tells which parts of it arrived unchanged (`collector.probe`); everything else
that comes back is one of the usual mistakes of a set-up, and is named with what mends it. No sentence holds a token, or
the path of the URL.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal
from urllib.parse import urlsplit

from collector import probe, signature
from collector.form import octets, pairs
from collector.probe import HEADER, NIL, Seen
from collector.settings import Settings

TIMEOUT = 8.0
"""Seconds; the provider waits five to eight."""
# What proxies like to write anew: a plus, a percent-encoded one, two ways of a space, a tilde.
CONTENT = f"SessionUUID={NIL}&Note=a%2Bb+c%20d%7Ee"
FORM = "application/x-www-form-urlencoded"
Method = Literal["GET", "POST"]
State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Reached:
    """What became of one request.

    Attributes
    ----------
    state, said
        Whether it arrived as it was sent, and the sentence about it.
    date
        The Date of the answer, as it was written; empty if there was none.
    certificate_ends
        Until when the certificate is good, as it says; empty if it was not looked at.
    """

    state: State
    said: str
    date: str = ""
    certificate_ends: str = ""


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    certificate_ends: str = ""

    @property
    def is_collectors(self) -> bool:
        """Whether the refusal is written as the collector writes one."""
        return self.headers.get("content-type", "").startswith("application/problem+json")


@dataclass(frozen=True)
class Way:
    """One public URL and how to go there.

    Parameters
    ----------
    settings
        Of the collector that should answer.
    number
        Which of its public URLs.
    context
        For TLS.
    """

    settings: Settings
    number: int
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @property
    def url(self) -> str:
        """The URL as the provider was given it."""
        return self.settings.public_urls[self.number]

    @property
    def origin(self) -> str:
        """As much of the URL as may be shown."""
        return "://".join(urlsplit(self.url)[:2])

    def go(self, method: Method) -> Reached:
        """Send one probe and read the answer."""
        parts = urlsplit(self.url)
        nonce = probe.fresh_nonce()
        query = "&".join(filter(None, [parts.query, CONTENT if method == "GET" else ""]))
        body = CONTENT.encode() if method == "POST" else b""
        target = (parts.path or "/") + (f"?{query}" if query else "")
        headers = {"User-Agent": "collector-doctor", **self._signed(method, query, body, nonce)}
        if body:
            headers["Content-Type"] = FORM
        try:
            answer = self._ask(method, target, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Reached("failed", _unreached(error, self.origin, parts.hostname or ""))
        sent = Seen(method, self.settings.paths[self.number], query, body)
        state, said = self._read(answer, nonce, sent)
        return Reached(state, said, answer.headers.get("date", ""), answer.certificate_ends)

    def _signed(self, method: Method, query: str, body: bytes, nonce: str) -> dict[str, str]:
        kind, tokens = ("", self.settings.tokens) if self.settings.tokens else ("Ma-", self.settings.main_tokens)
        texts = {"V2": octets(self.url.partition("?")[0])}
        # V3 covers the content too: a changed one would be refused, and the answer would not say what was changed.
        if self.settings.v3 == "require":
            texts["V3"] = signature.v3_signed(method, self.url, query, pairs(body))
        headers = {}
        for family, text in texts.items():
            headers[f"X-Plivo-Signature-{kind}{family}"] = signature.sign(tokens[-1], text + nonce.encode())
            headers[f"X-Plivo-Signature-{family}-Nonce"] = nonce
        return headers

    def _ask(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> _Answer:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        secure = parts.scheme == "https"
        connection = (
            http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT, context=self.context)
            if secure
            else http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)
        )
        with closing(connection):
            connection.connect()
            shown = connection.sock.getpeercert() if isinstance(connection.sock, ssl.SSLSocket) else None
            connection.request(method, target, body or None, dict(headers))
            response = connection.getresponse()
            said = {name.lower(): value for name, value in response.getheaders()}
            return _Answer(response.status, said, response.read(4096), str((shown or {}).get("notAfter", "")))

    def _read(self, answer: _Answer, nonce: str, sent: Seen) -> tuple[State, str]:
        """Turn an answer into a sentence."""
        if answer.status != HTTPStatus.OK:
            return "failed", f"{answer.status} from {self.origin}: {self._refused(answer)}"
        if (echo := answer.headers.get(HEADER.lower())) is None:
            return "failed", (
                f"200 from {self.origin}, but not from this collector: another server answers this path, "
                "the proxy drops the body or the signature's headers, or an older release runs; correct where it leads"
            )
        changed = probe.changed(self.settings.peppers[-1], nonce, sent, echo)
        if changed == [probe.COLLECTOR]:
            return "failed", (
                f"200 from {self.origin}, by a collector with another COLLECTOR_PEPPER: "
                "the URL leads to another one, or it was not started anew since the pepper changed"
            )
        if changed:
            return "failed", f"200 from {self.origin}, but changed on the way: {_MENDED[changed[0]]}"
        word = answer.body.decode("ascii", "replace").strip()
        if word != "ok":
            return "failed", f"it reached this collector, which takes no callbacks now ({word[:40]}); see its log"
        return "ok", f"through {self.origin} to this collector: proved, path, query and body unchanged, not stored"

    def _refused(self, answer: _Answer) -> str:
        status = answer.status
        if 300 <= status < 400:
            return _redirected(self.url, answer.headers.get("location", ""))
        if answer.is_collectors and status in _COLLECTORS:
            return _COLLECTORS[status]
        if status in _PROXYS:
            return _PROXYS[status]
        whose = "the collector" if answer.is_collectors else "the proxy, or what stands before it,"
        return f"{whose} does not take the request; see its log"


_MENDED = {
    "method": "the method; let the proxy hand requests on as they come",
    "path": "the path; let the proxy hand it on as it came, or name in COLLECTOR_PATH what it leaves of it",
    "query": "the query; let the proxy hand it on as it came",
    "body": "the body; let the proxy hand it on as it came",
}
_COLLECTORS = {
    403: (
        "the collector could not prove it; it runs with another token or another COLLECTOR_PUBLIC_URL than these "
        "settings (start it anew after a change), or the proxy drops the X-Plivo-Signature headers, or changes what V3 "
        "covers where COLLECTOR_V3 is require"
    ),
    404: (
        "it came to a collector under another path; if the proxy strips a part of it, name what is left in "
        "COLLECTOR_PATH, else let it hand the path on unchanged"
    ),
    405: "the method was changed on the way; let the proxy hand requests on as they come",
    503: "it came to the collector, which cannot store anything now; see its log",
}
_PROXYS = {
    400: "the proxy does not understand it; see whether its port is one for http or for https",
    401: "the proxy asks for a password, and the provider has none; take the path out of its protection",
    403: "the proxy, or a firewall before it, turns it away; let this one path through to everybody",
    404: "the proxy does not know the path; give it a location for the path of COLLECTOR_PUBLIC_URL",
    405: "the proxy does not let the method through; allow POST and GET",
    413: "the proxy takes no body of this size; raise its limit to 64k",
    429: "the proxy limits how often it may be asked; take the limit off this path",
    502: "the proxy is there and does not reach the collector; start it, or correct the address the proxy hands on to",
    503: "the proxy has nobody to hand on to; start the collector, or correct the address the proxy hands on to",
    504: "the proxy waits for the collector in vain; see whether it hangs, and where the proxy hands on to",
}


def _redirected(url: str, location: str) -> str:
    """Say where a redirect leads, which the provider does not follow."""
    old, new = urlsplit(url), urlsplit(location)
    if (old.scheme, new.scheme) == ("http", "https"):
        way = "to https; give Plivo the https URL, and COLLECTOR_PUBLIC_URL too"
    elif new.path.rstrip("/") == old.path.rstrip("/") and new.path != old.path:
        way = "to the same path with or without a slash at its end; write COLLECTOR_PUBLIC_URL, and Plivo's, like that"
    elif new.hostname not in {None, old.hostname}:
        way = "to another host; give Plivo that one, and COLLECTOR_PUBLIC_URL too"
    else:
        way = "to elsewhere; let the proxy answer this path itself"
    return f"a redirect, which is a lost callback: {way}"


def _unreached(error: Exception, origin: str, host: str) -> str:
    """Say why nothing came back."""
    said = f"{origin} answers something that is no HTTP; see what listens there"
    match error:
        case ssl.SSLCertVerificationError():
            why = (error.verify_message or "unknown").rstrip(".")
            said = f"{origin}: the certificate is not trusted ({why}); renew it, or give --ca-file for a CA of your own"
        case ssl.SSLError():
            why = (error.reason or "unknown").lower().replace("_", " ")
            said = f"{origin}: no TLS could be agreed on ({why}); see whether the port speaks https at all"
        case socket.gaierror():
            said = f"the name {host} is not found; enter it in the DNS, or correct COLLECTOR_PUBLIC_URL"
        case TimeoutError():
            said = f"{origin} does not answer within {TIMEOUT:g} s; see the firewall, the proxy and the collector"
        case ConnectionRefusedError():
            said = f"nobody listens at {origin}; start the proxy, or correct COLLECTOR_PUBLIC_URL"
        case ConnectionError():
            said = f"{origin} hangs up without an answer; see whether its port speaks http, and the proxy's log"
        case OSError():
            said = f"{origin} cannot be reached: {(error.strerror or 'unknown').lower()}"
    return said


def nearby(host: str, port: int) -> Reached:
    """Ask the collector on this machine, past every proxy, whether it is ready."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not to listen on
    where = f"{host}, port {port}"
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            word = response.read(100).decode("ascii", "replace").strip()
    except (OSError, http.client.HTTPException):
        return Reached("failed", f"no collector answers at {where}; start it (`collector serve`)")
    if response.status != HTTPStatus.OK:
        return Reached("failed", f"the collector at {where} takes no callbacks now ({word[:40]}); see its log")
    return Reached("ok", f"the collector at {where} is ready")
