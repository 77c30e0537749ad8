"""Sends a collector good and bad requests whose answers are known, and says what came back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from verify_analytics.simulate.capture import Progress
from verify_analytics.simulate.deliver import Answer, deliver, server_of
from verify_analytics.simulate.kinds import ACCEPTED, KINDS, QUARANTINED, REPEATED, REPORTED
from verify_analytics.simulate.traffic import Target, traffic


@dataclass(frozen=True)
class Live:
    """What was sent, what was answered, and what a collector must have made of it.

    Parameters
    ----------
    kinds
        (kind in plain words, how many were sent, status → how often it was the last answer), in a fixed order.
    expected
        ``accepted``, ``repeated``, ``quarantined``, ``verifications`` → how many; ``refused`` → reason → how many, in
        the words in which a collector counts. Callbacks stored are accepted and repeated together.
    wrong
        (kind, status expected, status answered) → how often; empty when all is as it should be.
    retried
        How many requests needed more than one try; where it is not 0 a collector may have repeated more than expected.
    """

    kinds: list[tuple[str, int, Counter[int]]]
    expected: dict[str, Any]
    wrong: Counter[tuple[str, int, int]]
    retried: int

    @property
    def sent(self) -> int:
        """How many requests were sent, retries not counted."""
        return sum(count for _, count, _ in self.kinds)


def live(
    *,
    to: str,
    public_url: str,
    tokens: Sequence[str],
    seed: int,
    now: datetime,
    main_token: str | None = None,
    verification_secret: str | None = None,
    requests: int = 600,
    connections: int = 4,
    progress: Progress | None = None,
) -> Live:
    """Send requests of all kinds: callbacks, redeliveries, disorder, forgeries, stolen nonces, malformed ones, reports.

    Parameters
    ----------
    to
        The collector, such as ``http://127.0.0.1:8080``. Callbacks go to the path of `public_url`, or to that of `to`
        where it has one; reports to ``/verifications``.
    public_url
        The address that the provider was given, which it signs.
    tokens, main_token, verification_secret
        What signs; of the tokens the last. Without a secret nothing is reported.
    seed, now
        The callbacks are those of one simulated day that ends now.
    requests
        How many, at least 50.
    connections
        How many are under way at once.
    progress
        Called with the requests done and the requests there are.

    Returns
    -------
    Live
        Redeliveries and stolen nonces are sent after everything else was answered, so what must become of each request
        is known.

    Raises
    ------
    ArgumentError
        For an address that is none, no token, too few requests, or a moment without a zone.
    """
    server = server_of(to)
    target = Target(
        path=server.path if server.path not in {"", "/"} else urlsplit(public_url).path or "/",
        public_url=public_url,
        tokens=tuple(tokens),
        main_token=main_token,
        verification_secret=verification_secret,
    )
    made = traffic(target, seed=seed, now=now, requests=requests)
    answers: dict[str, Counter[int]] = {kind.name: Counter() for kind in KINDS}
    total, retried = len(made.first) + len(made.then), 0

    def told(answer: Answer) -> None:
        nonlocal retried
        answers[answer.outgoing.kind][answer.status] += 1
        retried += answer.tries > 1
        if progress:
            progress(sum(counter.total() for counter in answers.values()), total)

    for part in (made.first, made.then):
        deliver(iter(part), to=to, connections=connections, told=told)
    wrong = Counter(
        {
            (kind.name, kind.status, status): count
            for kind in KINDS
            for status, count in answers[kind.name].items()
            if status != kind.status
        }
    )
    kinds = [(kind.name, answers[kind.name].total(), answers[kind.name]) for kind in KINDS if answers[kind.name]]
    return Live(kinds, _expected(made.expected), wrong, retried)


def _expected(counts: Counter[str]) -> dict[str, Any]:
    stored = (ACCEPTED, REPEATED, QUARANTINED, REPORTED)
    refused = {reason: count for reason, count in sorted(counts.items()) if reason not in stored}
    return {**{name: counts[name] for name in stored}, "refused": refused}
