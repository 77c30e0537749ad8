"""A capture is posted as the provider would: every line, again until 200, in order, and no longer than wanted."""

import base64
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verify_analytics.simulate.conftest import KEYS, Receiver, read_capture
from verify_analytics.errors import ArgumentError, NotFoundError, SchemaError
from verify_analytics.simulate import Features, History, send
from verify_analytics.simulate.capture import Written
from verify_analytics.simulate.deliver import Answer, Outgoing, deliver

Make = Callable[..., History]


@pytest.fixture
def small(make: Make, tmp_path: Path) -> tuple[Path, Written]:
    path = tmp_path / "small.jsonl"
    made = make(40, days=1, features=Features(outage_minutes=(5,), redelivered=0.1, get=0.2))
    return path, made.write_capture(path, **KEYS)


def test_every_line_is_sent_and_its_signature_holds(small: tuple[Path, Written], receiver: Receiver) -> None:
    path, wrote = small
    told: list[tuple[int, int]] = []
    result = send(path, to=receiver.address, progress=lambda done, total: told.append((done, total)))
    assert result.answers == {("callback", 200): wrote.callbacks, ("report", 200): wrote.reports}
    assert (result.sent, result.given_up, result.stopped) == (wrote.callbacks + wrote.reports, 0, False)
    assert result.tries == result.sent
    nonces = Counter(line.headers["X-Plivo-Signature-V2-Nonce"] for line in read_capture(path).callbacks)
    assert receiver.counts["accepted"] == len(nonces)
    assert receiver.counts["repeated"] == wrote.callbacks - len(nonces) > 0
    assert receiver.counts["verifications"] + receiver.counts["known report"] == wrote.reports
    assert told[-1][0] == result.sent
    assert told[-1][1] == result.sent + 3  # the lines about outages


def test_over_one_connection_lines_arrive_in_their_order(small: tuple[Path, Written], receiver: Receiver) -> None:
    send(small[0], to=receiver.address, connections=1)
    assert receiver.bodies == [line.body for line in read_capture(small[0]).lines]


def test_what_is_answered_503_is_sent_again(small: tuple[Path, Written], failing_receiver: Receiver) -> None:
    path, wrote = small
    result = send(path, to=failing_receiver.address)
    assert result.answers == {("callback", 200): wrote.callbacks, ("report", 200): wrote.reports}
    contents = {(line.url, line.body) for line in read_capture(path).lines}
    assert result.tries == result.sent + len(contents)


def test_after_four_tries_the_provider_gives_up(small: tuple[Path, Written], receiver: Receiver) -> None:
    receiver.failing = 1000
    result = send(small[0], to=receiver.address, connections=8)
    assert {status for _, status in result.answers} == {503}
    assert result.given_up == result.sent
    assert result.tries == 4 * result.sent


def test_where_nobody_listens_nothing_is_answered(
    small: tuple[Path, Written], receiver: Receiver, tmp_path: Path
) -> None:
    one = tmp_path / "one"
    one.write_text("".join(small[0].read_text().splitlines(keepends=True)[1:3]))
    # A port that is taken, and not listened on.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = send(one, to=f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert result.answers == {("callback", 0): 2}
    assert result.given_up == 2


def test_a_capture_of_another_place_can_be_signed_anew(make: Make, tmp_path: Path, receiver: Receiver) -> None:
    other: dict[str, Any] = {
        "url": "https://elsewhere.example/x?key=1", "tokens": ["another token of a test"], "main_token": "another main",
        "verification_url": "https://elsewhere.example/verifications", "verification_secret": "another secret",
    }  # fmt: skip
    made = make(30, days=1, features=Features(get=0.3, v3=0.5, no_attempt_id=0.2))
    wrote = made.write_capture(tmp_path / "other", **other)
    refused = send(tmp_path / "other", to=f"{receiver.address}/callbacks/plivo")
    assert set(refused.answers) == {("callback", 403), ("report", 403)}
    receiver.proofs.clear()
    result = send(
        tmp_path / "other",
        to=f"{receiver.address}/callbacks/plivo",
        tokens=KEYS["tokens"],
        main_token=KEYS["main_token"],
        verification_secret=KEYS["verification_secret"],
        public_url=KEYS["url"],
    )
    assert result.answers == {("callback", 200): wrote.callbacks, ("report", 200): wrote.reports}
    with_v3 = sum("X-Plivo-Signature-V3-Nonce" in line.headers for line in read_capture(tmp_path / "other").callbacks)
    both = [proof for proof in receiver.proofs if proof == {"V2", "Ma-V2", "V3", "Ma-V3"}]
    assert len(both) == with_v3 > 10


def test_speed_keeps_the_capture_s_pace(tmp_path: Path, receiver: Receiver) -> None:
    rows = [
        {"received_at": f"2026-09-01T12:00:{second:02d}Z", "method": "POST", "url": "https://x.example/none", "headers": {}, "body_base64": base64.b64encode(b"%d" % second).decode()}  # noqa: E501
        for second in (0, 10, 30)
    ]  # fmt: skip
    (tmp_path / "c").write_text("".join(json.dumps(row) + "\n" for row in rows))
    begun = time.monotonic()
    result = send(tmp_path / "c", to=receiver.address, speed=3000.0, connections=1)
    # Never earlier than said; how much later is the machine's affair. The answer 404 is retried three times.
    assert time.monotonic() - begun >= 30 / 3000 + (60 + 120 + 240) / 600
    assert receiver.bodies[:3] == ["0", "10", "30"]
    assert result.answers == {("callback", 404): 3}


def test_sending_stops_when_it_is_told_to(small: tuple[Path, Written], receiver: Receiver) -> None:
    stop = threading.Event()

    def after_five(done: int, total: int) -> None:
        if done == 5:
            stop.set()

    result = send(small[0], to=receiver.address, connections=2, stop=stop, progress=after_five)
    assert result.stopped
    assert 5 <= result.sent <= 7


def test_what_goes_wrong_while_telling_is_not_swallowed(small: tuple[Path, Written], receiver: Receiver) -> None:
    def fail(done: int, total: int) -> None:
        raise ZeroDivisionError("told")

    with pytest.raises(ZeroDivisionError, match="told"):
        send(small[0], to=receiver.address, progress=fail)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"to": "127.0.0.1:8080"}, "'127.0.0.1:8080' is no web address"),
        ({"to": "ftp://127.0.0.1"}, "is no web address"),
        ({"connections": 0}, "must be more than 0"),
        ({"speed": 0.0}, "must be more than 0"),
    ],
)
def test_impossible_wishes_are_refused(wrong: dict[str, Any], message: str, small: tuple[Path, Written]) -> None:
    with pytest.raises(ArgumentError, match=message):
        send(small[0], **{"to": "http://127.0.0.1:9", **wrong})


def test_a_capture_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no capture .*nothing\.jsonl"):
        send(tmp_path / "nothing.jsonl", to="http://127.0.0.1:9")


@pytest.mark.parametrize("text", ["{", "[]", '{"url": "x"}', '{"received_at": "yesterday"}', "7"])
def test_a_line_that_is_no_request_is_named(text: str, tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "c").write_text('{"down_from": "x", "down_to": "y"}\n\n' + text + "\n")
    with pytest.raises(SchemaError, match="line 3 is no captured request"):
        send(tmp_path / "c", to=receiver.address)


def test_a_forger_is_not_patient(receiver: Receiver) -> None:
    receiver.failing = 1
    answers: list[Answer] = []
    requests = [
        Outgoing("honest", "POST", "/none", (), b"a"),
        Outgoing("forged", "POST", "/none", (), b"b", retried=False),
    ]
    deliver(iter(requests), to=receiver.address, told=answers.append)
    assert {answer.outgoing.kind: (answer.status, answer.tries) for answer in answers} == {
        "honest": (404, 4), "forged": (503, 1),
    }  # fmt: skip
