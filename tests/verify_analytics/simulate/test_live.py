"""Live requests get the answers they were made for, and what is expected adds up to what was sent."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.verify_analytics.simulate.conftest import KEYS, Receiver
from verify_analytics.errors import ArgumentError
from verify_analytics.simulate import live
from verify_analytics.simulate.kinds import KINDS, POSTED
from verify_analytics.simulate.traffic import Target, traffic

NOW = datetime(2026, 10, 29, 14, 30, tzinfo=UTC)
SIGNED: dict[str, Any] = {
    "public_url": KEYS["url"],
    "tokens": KEYS["tokens"],
    "main_token": KEYS["main_token"],
    "verification_secret": KEYS["verification_secret"],
}


def target(**changed: Any) -> Target:
    return Target(**{"path": "/callbacks/plivo", **SIGNED, **changed})


@pytest.mark.parametrize("requests", [50, 600])
def test_every_request_gets_the_answer_it_was_made_for(requests: int, receiver: Receiver) -> None:
    told: list[tuple[int, int]] = []
    sent = live(
        to=receiver.address,
        **SIGNED,
        seed=5,
        now=NOW,
        requests=requests,
        progress=lambda done, total: told.append((done, total)),
    )
    assert sent.wrong == Counter()
    assert sent.retried == 0
    assert sent.sent == requests
    assert told[-1] == (requests, requests)
    assert [name for name, _, _ in sent.kinds] == [kind.name for kind in KINDS]
    assert all(count == answers.total() > 0 for _, count, answers in sent.kinds)
    refused = Counter(receiver.counts)
    stored = {name: refused.pop(name) for name in ("accepted", "repeated", "quarantined", "verifications")}
    refused.pop("known report")
    assert sent.expected == {**stored, "refused": dict(sorted(refused.items()))}


def test_what_is_expected_adds_up_to_what_is_sent() -> None:
    made = traffic(target(), seed=1, now=NOW, requests=600)
    again = sum(one.kind == "successes reported again" for one in made.then)
    assert made.expected.total() + again == len(made.first) + len(made.then) == 600
    assert set(made.expected) == {
        "accepted", "repeated", "quarantined", "verifications", "signature", "nonce_reused", "not_found", "method",
        "verification_signature", "verification_json", "verification_time",
    }  # fmt: skip


def test_the_shares_leave_a_third_to_plain_callbacks() -> None:
    made = traffic(target(), seed=1, now=NOW, requests=1000)
    counts = Counter(one.kind for one in made.first + made.then)
    assert counts[POSTED.name] == 1000 - sum(round(1000 * kind.share) for kind in KINDS) > 300
    assert all(counts[kind.name] == round(1000 * kind.share) for kind in KINDS if kind is not POSTED)


def test_a_receiver_that_takes_everything_is_found_out() -> None:
    with gullible() as receiver:
        sent = live(to=receiver.address, **SIGNED, seed=5, now=NOW, requests=100)
    assert {(kind, status) for kind, status, _ in sent.wrong} == {
        (kind.name, kind.status) for kind in KINDS if kind.status != 200
    }
    assert {answered for _, _, answered in sent.wrong} == {200}


@contextmanager
def gullible() -> Iterator[Receiver]:
    from tests.verify_analytics.simulate.conftest import listening

    class Gullible(Receiver):
        def judge(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
            return 200, "accepted"

    with listening(Gullible()) as receiver:
        yield receiver


def test_a_stolen_nonce_follows_the_callback_it_was_stolen_from() -> None:
    made = traffic(target(), seed=2, now=NOW, requests=200)

    def nonce(headers: tuple[tuple[str, str], ...]) -> str:
        return dict(headers).get("X-Plivo-Signature-V2-Nonce", "")

    before = {nonce(one.headers): (one.target, one.body) for one in made.first}
    stolen = [one for one in made.then if one.kind == "a used nonce with another body"]
    assert len(stolen) == 10
    assert {one.method for one in stolen} == {"GET", "POST"}
    for one in stolen:
        assert before[nonce(one.headers)] != (one.target, one.body)
        assert "X-Plivo-Signature-V3" not in dict(one.headers)
    again = [one for one in made.then if one.kind == "redelivered, same nonce"]
    assert all(before[nonce(one.headers)] == (one.target, one.body) for one in again)
    fresh = [one for one in made.then if one.kind == "redelivered, fresh nonce"]
    bodies = {body for _, body in before.values()}
    assert all(nonce(one.headers) not in before and one.body in bodies for one in fresh)


def test_good_and_bad_are_mixed_and_later_ones_really_come_first() -> None:
    made = traffic(target(), seed=2, now=NOW, requests=400)
    kinds = [one.kind for one in made.first]
    half = len(kinds) // 2
    assert set(kinds[:half]) == set(kinds[half:])
    moments = [
        dict(parse_qsl(one.body.decode())).get("RequestTime", "")
        for one in made.first
        if one.kind == "callbacks, later ones first"
    ]
    usual = [moment for moment in moments if len(moment) == 26 and " " in moment]
    assert len(usual) > 20
    assert usual == sorted(usual, reverse=True)
    disordered = [one.body for one in made.first if one.kind == "callbacks, later ones first"]
    same = traffic(target(), seed=2, now=NOW, requests=400)
    assert [one.body for one in same.first if one.kind == "callbacks, later ones first"] == disordered
    assert made == same


def test_without_a_secret_nothing_is_reported() -> None:
    made = traffic(target(verification_secret=None), seed=1, now=NOW, requests=100)
    assert len(made.first) + len(made.then) == 100
    assert not any("report" in one.kind for one in made.first + made.then)
    assert made.expected["verifications"] == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"requests": 49}, "at least 50"),
        ({"now": datetime(2026, 10, 29)}, "has no time zone"),  # noqa: DTZ001
        ({"tokens": []}, "no token to sign with"),
        ({"public_url": "/callbacks/plivo"}, "is no web address"),
        ({"to": "localhost"}, "is no web address"),
    ],
)
def test_impossible_wishes_are_refused(wrong: dict[str, Any], message: str) -> None:
    wishes = {"to": "http://127.0.0.1:9", **SIGNED, "seed": 1, "now": NOW, **wrong}
    with pytest.raises(ArgumentError, match=message):
        live(**wishes)
