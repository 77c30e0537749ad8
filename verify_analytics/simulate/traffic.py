"""Makes requests whose answers are known before they are sent: good ones, repeated ones, odd ones and forged ones.

Each kind says what a collector must do with it, in the words in which the collector counts. What is sent first and what
must follow it (a redelivery, a stolen nonce) are kept apart as two rounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import cycle
from urllib.parse import urlencode, urlsplit

import numpy as np

from verify_analytics.errors import ArgumentError
from verify_analytics.simulate import signing
from verify_analytics.simulate.capture import FORM, iso, report_body
from verify_analytics.simulate.deliver import Outgoing
from verify_analytics.simulate.features import Features
from verify_analytics.simulate.history import Part, history
from verify_analytics.simulate.kinds import (
    AGAIN,
    AGAIN_FRESH,
    DELETED,
    DISORDERED,
    ELSEWHERE,
    FETCHED,
    FORGED,
    GARBAGE,
    KINDS,
    LOST,
    POSTED,
    REPORT,
    REPORT_AGAIN,
    REPORT_BAD,
    REPORT_FORGED,
    REPORT_NAIVE,
    REPORTS,
    STOLEN,
    UNREADABLE,
    UNSIGNED,
    Kind,
)
from verify_analytics.simulate.manners import fields_of
from verify_analytics.simulate.streams import Streams

Fields = list[tuple[str, str]]
FEWEST = 50


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where requests go and what signs them.

    Parameters
    ----------
    path
        On the server, for callbacks.
    public_url
        What is signed.
    """

    path: str
    public_url: str
    tokens: tuple[str, ...]
    main_token: str | None = None
    verification_secret: str | None = None
    verification_path: str = "/verifications"

    def __post_init__(self) -> None:
        if not self.tokens or not all(self.tokens):
            raise ArgumentError("no token to sign with; give at least one that is not empty")
        if not urlsplit(self.public_url).netloc:
            raise ArgumentError(f"public_url={self.public_url!r} is no web address; write it whole")


@dataclass
class Traffic:
    """Two rounds of requests and what a collector must make of them.

    Parameters
    ----------
    expected
        Kind → how many; see `Kind.becomes`.
    """

    first: list[Outgoing] = field(default_factory=list)
    then: list[Outgoing] = field(default_factory=list)
    expected: Counter[str] = field(default_factory=Counter)


def traffic(target: Target, *, seed: int, now: datetime, requests: int) -> Traffic:
    """Make requests of all kinds, from the callbacks of one simulated day that ends now.

    Parameters
    ----------
    target
        Where they go and what signs them. Without a secret for reports there are none.
    now
        With a time zone.
    requests
        How many, at least 50: each kind comes at least once.

    Raises
    ------
    ArgumentError
        For fewer, or a moment without a zone.
    """
    if requests < FEWEST:
        raise ArgumentError(f"requests={requests}: at least {FEWEST}, so that each kind comes once")
    kinds = [kind for kind in KINDS if target.verification_secret or kind.name not in REPORTS]
    counts = {kind: max(1, round(kind.share * requests)) for kind in kinds if kind is not POSTED}
    counts[POSTED] = requests - sum(counts.values())
    maker = _Maker(target, seed=seed, now=now, requests=requests)
    made = Traffic()
    # Those that need an earlier request follow it.
    for kind in kinds:
        later = kind in {AGAIN, AGAIN_FRESH, STOLEN, REPORT_AGAIN}
        (made.then if later else made.first).extend(maker.make(kind, counts[kind]))
        made.expected[kind.becomes] += counts[kind]
    del made.expected[""]
    # Good and bad mixed, the same way each time; callbacks keep their order among themselves.
    _mix(made.first, Streams(seed, population="live"), "mix.first")
    _mix(made.then, Streams(seed, population="live"), "mix.then")
    return made


class _Maker:
    """Makes requests of each kind, from one day's callbacks."""

    def __init__(self, target: Target, *, seed: int, now: datetime, requests: int) -> None:
        self._target = target
        self._streams = Streams(seed, population="live")
        calm = Features(bots=0, lost=0, late=0, redelivered=0, outage_minutes=(), app_reports=1, duplicate_reports=0)
        # A session says four things or so; half as many sessions as requests is more than enough.
        day = history(requests, seed=seed, end=now, days=1, features=replace(calm, clock_faults=0))
        (part,) = day.chunk(0)
        self._fields = _in_order(part)
        self._reports = _reports_in_order(part)
        nonces = self._streams.generator("nonces").integers(0, 2**64, 3 * requests, dtype=np.uint64)
        self._nonces = (f"{nonce:020d}" for nonce in nonces.tolist())
        self._v3 = iter((self._streams.uniform("v3", 3 * requests) < 0.2).tolist())
        # What was sent before, to be sent again: with V2 alone, the signature that covers no body.
        self._sent: list[tuple[Fields, Outgoing]] = []
        self._reported: list[Outgoing] = []
        self._makers: dict[str, Callable[[Kind, int], Iterator[Outgoing]]] = {
            POSTED.name: self._callbacks,
            FETCHED.name: self._callbacks,
            DISORDERED.name: self._disordered,
            AGAIN.name: self._again,
            AGAIN_FRESH.name: self._again,
            STOLEN.name: self._stolen,
            UNREADABLE.name: self._unreadable,
            **{kind.name: self._refused for kind in (FORGED, ELSEWHERE, UNSIGNED, GARBAGE, LOST, DELETED)},
            **dict.fromkeys(REPORTS, self._report),
        }

    def make(self, kind: Kind, count: int) -> list[Outgoing]:
        """Make so many requests of a kind."""
        return list(self._makers[kind.name](kind, count))

    def _callbacks(self, kind: Kind, count: int) -> Iterator[Outgoing]:
        for _ in range(count):
            fields = next(self._fields)
            method = "GET" if kind is FETCHED else "POST"
            v3 = next(self._v3)
            made = self._signed(kind, method, fields, v3=v3)
            if not v3 and method == "POST":
                self._sent.append((fields, made))
            yield made

    def _disordered(self, kind: Kind, count: int) -> Iterator[Outgoing]:
        rows = [next(self._fields) for _ in range(count)]
        yield from (self._signed(kind, "POST", fields) for fields in reversed(rows))

    def _again(self, kind: Kind, count: int) -> Iterator[Outgoing]:
        for (fields, before), _ in zip(cycle(self._sent), range(count), strict=False):
            yield before._replace(kind=kind.name) if kind is AGAIN else self._signed(kind, "POST", fields)

    def _stolen(self, kind: Kind, count: int) -> Iterator[Outgoing]:
        """Send other content under the headers of something sent before, by POST and by GET."""
        for i, ((fields, before), _) in enumerate(zip(cycle(reversed(self._sent)), range(count), strict=False)):
            changed = urlencode([(n, v) for n, v in fields if n != "ChannelStatus"] + [("ChannelStatus", f"other-{i}")])
            if i % 3:
                yield before._replace(kind=kind.name, body=changed.encode(), retried=False)
            else:
                headers = tuple(pair for pair in before.headers if pair[0] != "Content-Type")
                target = f"{self._target.path}?{changed}"
                yield Outgoing(kind.name, "GET", target, headers, b"", retried=False)

    def _unreadable(self, kind: Kind, count: int) -> Iterator[Outgoing]:
        """Sign what no row can be made of."""
        for i in range(count):
            fields = next(self._fields)
            bodies = (
                urlencode([pair for pair in fields if pair[0] != "SessionUUID"]).encode(),
                urlencode([*fields, ("SessionStatus", "verified")]).encode(),
                urlencode(fields).encode() + b"&Note=%FF%FE",
                urlencode(fields + [(f"Field{j}", str(j)) for j in range(64)]).encode(),
            )
            made = self._signed(kind, "POST", fields)
            yield made._replace(body=bodies[i % len(bodies)])

    def _refused(self, kind: Kind, count: int) -> Iterator[Outgoing]:
        """Make what a stranger may send; nobody tries these again."""
        for _ in range(count):
            fields = next(self._fields)
            made = self._signed(kind, "POST", fields, retried=False)
            if kind is FORGED:
                made = self._signed(kind, "POST", fields, tokens=("not-" + self._target.tokens[-1],), retried=False)
            elif kind is ELSEWHERE:
                made = self._signed(kind, "POST", fields, url="https://elsewhere.example/hook", retried=False)
            elif kind in {UNSIGNED, GARBAGE}:
                made = made._replace(headers=(("Content-Type", FORM),))
            if kind is GARBAGE:
                made = made._replace(body=b"%00%GG&&&=;\xff" + next(self._nonces).encode())
            elif kind is LOST:
                made = made._replace(target=f"{self._target.path}/elsewhere")
            elif kind is DELETED:
                made = made._replace(method="DELETE")
            yield made

    def _report(self, kind: Kind, count: int) -> Iterator[Outgoing]:
        for _ in range(count):
            if kind is REPORT_AGAIN:
                yield self._reported.pop()._replace(kind=kind.name)
                continue
            session_id, verified_at = next(self._reports)
            text = verified_at.removesuffix("Z") if kind is REPORT_NAIVE else verified_at
            body = b"{" if kind is REPORT_BAD else report_body(session_id, text).encode()
            secret = str(self._target.verification_secret)
            signed = signing.report_header("not-" + secret if kind is REPORT_FORGED else secret, body)
            headers = (("Content-Type", "application/json"), signed)
            honest = kind is REPORT
            made = Outgoing(kind.name, "POST", self._target.verification_path, headers, body, retried=honest)
            if honest:
                self._reported.append(made)
            yield made

    def _signed(
        self,
        kind: Kind,
        method: str,
        fields: Fields,
        *,
        v3: bool = False,
        tokens: Sequence[str] = (),
        url: str | None = None,
        retried: bool = True,
    ) -> Outgoing:
        """Make a callback, signed as the provider would unless said otherwise."""
        form = urlencode(fields)
        address, target = url or self._target.public_url, self._target.path
        if method == "GET":
            address, target = f"{address}?{form}", f"{target}?{form}"
        headers = signing.headers(
            method,
            address,
            fields if method == "POST" else [],
            nonce=next(self._nonces),
            tokens=tokens or self._target.tokens[-1:],
            main_token=None if tokens else self._target.main_token,
            v3=v3,
        )
        kind_of_body = [("Content-Type", FORM)] if method == "POST" else []
        body = form.encode() if method == "POST" else b""
        return Outgoing(kind.name, method, target, (*kind_of_body, *headers), body, retried=retried)


def _in_order(part: Part) -> Iterator[Fields]:
    """Give the fields of each callback in the order of arrival, each once."""
    fields = fields_of(part.said, part.story, part.manners)
    order = np.argsort(part.arrivals.received_us, kind="stable")
    return iter([fields[i] for i in part.arrivals.callback[order].tolist()])


def _reports_in_order(part: Part) -> Iterator[tuple[str, str]]:
    reports = part.reports
    order = np.argsort(reports.received_us, kind="stable")
    sessions = [part.manners.session_id[row] for row in reports.session[order].tolist()]
    return iter(list(zip(sessions, [text[:23] + "Z" for text in iso(reports.verified_us[order])], strict=True)))


def _mix(made: list[Outgoing], streams: Streams, name: str) -> None:
    """Spread the kinds over the round; requests of one kind stay in their order."""
    position: Counter[str] = Counter()
    total = Counter(one.kind for one in made)
    shifts: list[float] = streams.uniform(name, len(total)).tolist()
    shift = dict(zip(sorted(total), shifts, strict=True))

    def place(one: Outgoing) -> float:
        position[one.kind] += 1
        return (position[one.kind] - 1 + shift[one.kind]) / total[one.kind]

    made[:] = [one for _, _, one in sorted((place(one), i, one) for i, one in enumerate(made))]
