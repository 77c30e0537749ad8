"""Writes down what the receiver got, as a file that can be received again.

A capture holds one request a line, signed, in the order received, with the receiver's outages between.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode, urlsplit

import numpy as np

from verify_analytics.errors import ArgumentError
from verify_analytics.simulate import signing
from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.manners import MAIN, PLAIN, Manners, fields_of
from verify_analytics.simulate.rhythm import MINUTE, Outage

if TYPE_CHECKING:
    from verify_analytics.simulate.history import History, Part

# Called with how many sessions are done, and of how many.
Progress = Callable[[int, int], None]
FORM = "application/x-www-form-urlencoded"
# A day in which a new token and the old one both sign.
_ROTATION_US = 86_400_000_000


class Keys(NamedTuple):
    """Where callbacks and reports go, and what signs them."""

    url: str
    tokens: tuple[str, ...]
    main_token: str | None = None
    verification_url: str | None = None
    verification_secret: str | None = None


class Written(NamedTuple):
    """How many lines of each kind a capture has."""

    callbacks: int
    reports: int
    outages: int


class Line(NamedTuple):
    """One line and the moment by which lines are ordered."""

    at_us: int
    kind: str
    text: str


def write(history: History, path: Path, keys: Keys, progress: Progress | None = None) -> Written:
    """Write a history's capture; the file appears when it is whole.

    Parameters
    ----------
    history
        What to write.
    path
        The file; one that exists is replaced.
    keys
        The public URL that the provider was given, with the tokens that sign: oldest first, the last one is used but
        in the first third of the history. Without a main token no ``Ma-`` header is sent, and without a verification
        URL and secret the application reports nothing.

    Returns
    -------
    Written
        Lines by kind. Two more say with an empty outage when the receiver began and ended to listen.

    Raises
    ------
    ArgumentError
        For a URL that is none, no token, or a verification URL without a secret.

    Notes
    -----
    A line: ``{"received_at", "method", "url", "headers", "body"}``; an outage: ``{"down_from", "down_to"}``. The text
    is the same for the same history and keys, byte for byte.
    """
    _check(keys)
    count: Counter[str] = Counter()
    rough = path.with_name(path.name + ".part")
    try:
        with rough.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines(history, keys, progress):
                file.write(line.text + "\n")
                count[line.kind] += 1
        rough.replace(path)
    finally:
        rough.unlink(missing_ok=True)
    return Written(count["callback"], count["report"], len(history.outages))


def lines(history: History, keys: Keys, progress: Progress | None = None) -> Iterator[Line]:
    """Give the lines of a capture in the order received."""
    held = [_down(span, span.from_us) for span in history.outages]
    # An empty outage says no more than that the receiver was up in that minute: the history's first, and its last.
    first, last = (moment // MINUTE * MINUTE for moment in (history.start_us, history.end_us - 1))
    held += [_down(Outage(first, first), history.start_us), _down(Outage(last, last), history.end_us)]
    done = 0
    for index, parts in enumerate(history.chunks()):
        for part in parts:
            held += _callbacks(part, keys, history.start_us + (history.end_us - history.start_us) // 3)
            if keys.verification_url is not None and keys.verification_secret is not None:
                held += _reports(part, keys.verification_url, keys.verification_secret)
            done += part.story.sessions
        held.sort(key=itemgetter(0))
        # What begins in the next slice arrives after its border; until there all is known.
        border = history.border_us(index + 1)
        ready = sum(line.at_us < border for line in held)
        yield from held[:ready]
        held = held[ready:]
        if progress:
            progress(done, history.sessions)
    yield from held


def iso(moments_us: Integers) -> list[str]:
    """Write moments as a capture does.

    Examples
    --------
    >>> iso(np.array([1788264000_123456]))
    ['2026-09-01T12:00:00.123456Z']
    """
    return [f"{text}Z" for text in np.datetime_as_string(moments_us.astype("datetime64[us]")).tolist()]


def report_body(session_id: str, verified_at: str) -> str:
    """Write what an application reports of its own success."""
    return json.dumps({"session_id": session_id, "verified_at": verified_at})


def _callbacks(part: Part, keys: Keys, rotation_us: int) -> Iterator[Line]:
    """Write each arrival of a callback."""
    fields = fields_of(part.said, part.story, part.manners)
    session = part.said.session.tolist()
    arrivals = part.arrivals
    # Redeliveries of one callback lie side by side: what is sent is written once.
    columns = (arrivals.callback, arrivals.received_us, arrivals.nonce)
    for (callback, received_us, nonce), received_at in zip(
        zip(*(column.tolist() for column in columns), strict=True), iso(arrivals.received_us), strict=True
    ):
        row = session[callback]
        method = "GET" if part.manners.get[row] else "POST"
        form = urlencode(fields[callback])
        url, body = (_with_query(keys.url, form), "") if method == "GET" else (keys.url, form)
        tokens, main_token = _signers(keys, part.manners, row, received_us - rotation_us)
        headers = [] if method == "GET" else [("Content-Type", FORM)]
        headers += signing.headers(
            method,
            url,
            [] if method == "GET" else fields[callback],
            nonce=f"{nonce:020d}",
            tokens=tokens,
            main_token=main_token,
            v3=bool(part.manners.v3[row]),
        )
        yield Line(received_us, "callback", _request(received_at, method, url, headers, body))


def _reports(part: Part, url: str, secret: str) -> Iterator[Line]:
    """Write each report of the application."""
    reports = part.reports
    moments = zip(reports.received_us.tolist(), iso(reports.received_us), iso(reports.verified_us), strict=True)
    for row, (received_us, received_at, verified_at) in zip(reports.session.tolist(), moments, strict=True):
        body = report_body(part.manners.session_id[row], verified_at[:23] + "Z")
        headers = [
            ("Content-Type", "application/json"),
            signing.report_header(secret, body.encode()),
        ]
        yield Line(received_us, "report", _request(received_at, "POST", url, headers, body))


def _signers(keys: Keys, manners: Manners, row: int, after_rotation_us: int) -> tuple[tuple[str, ...], str | None]:
    """Choose the tokens that sign one request: old, both while one replaces the other, then new."""
    if len(keys.tokens) == 1 or not manners.rotation or after_rotation_us >= _ROTATION_US:
        tokens = keys.tokens[-1:]
    elif after_rotation_us < 0:
        tokens = keys.tokens[:1]
    else:
        tokens = (keys.tokens[0], keys.tokens[-1])
    if keys.main_token is None:
        return tokens, None
    signers = manners.signers[row]
    return (() if signers == MAIN else tokens), (None if signers == PLAIN else keys.main_token)


def _with_query(url: str, form: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{form}"


def _request(received_at: str, method: str, url: str, headers: list[tuple[str, str]], body: str) -> str:
    return json.dumps({"received_at": received_at, "method": method, "url": url, "headers": headers, "body": body})


def _down(span: Outage, at_us: int) -> Line:
    down_from, down_to = iso(np.array(span))
    return Line(at_us, "outage", json.dumps({"down_from": down_from, "down_to": down_to}))


def _check(keys: Keys) -> None:
    for name, url in (("url", keys.url), ("verification_url", keys.verification_url)):
        if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc):
            raise ArgumentError(
                f"{name}={url!r} is no web address; write it whole, as in https://example.com/callbacks/plivo"
            )
    if not keys.tokens or not all(keys.tokens):
        raise ArgumentError("no token to sign with; give at least one that is not empty")
    if (keys.verification_url is None) != (keys.verification_secret is None):
        raise ArgumentError(
            "reports need both: verification_url, where they go, and verification_secret, which signs them"
        )
