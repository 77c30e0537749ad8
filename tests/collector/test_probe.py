"""A probe goes the whole way of a callback and is stored nowhere; its answer tells how it arrived."""

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from threading import Thread
from urllib.parse import urlencode

import pytest

from collector import probe
from collector.door import Door, Request
from collector.errors import Refused
from collector.items import Arrival
from collector.probe import HEADER, NIL, Probe, Seen
from collector.recipient import key_id
from collector.replay import open_replay
from collector.settings import Settings
from tests.collector.conftest import PATH, PEPPER, TOKEN, URL, CollectorProcess, Provider

SENT = Seen("POST", PATH, "a=1", b"b=2")


@pytest.fixture
def door() -> Door:
    made = Settings(tokens=(TOKEN,), public_urls=(URL,), paths=(PATH,), peppers=(PEPPER.encode(),))
    return Door(made, key_id(PEPPER.encode()))


def request(fields: dict[str, str], headers: dict[str, str]) -> Request:
    return Request("POST", PATH, "", tuple(headers.items()), urlencode(fields).encode(), 1)


def test_a_probe_is_answered_by_post_and_get_and_leaves_no_trace_but_its_count(
    collector_process: CollectorProcess,
) -> None:
    sender = collector_process
    nonces = [probe.fresh_nonce(), probe.fresh_nonce(), sender.provider.nonce()]
    answers = [
        sender.post({"SessionUUID": NIL}, sender.provider.headers(nonces[0])),
        sender.get({"SessionUUID": NIL}, sender.provider.headers(nonces[1])),
        sender.post({"SessionUUID": NIL}, sender.provider.headers(nonces[2])),
    ]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok\n")] * 3
    assert all(answer.headers["cache-control"] == "no-store" for answer in answers)
    for table in ("callbacks", "nonces", "quarantine"):
        assert sender.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    assert sender.end() == 0
    counted = sender.rows("SELECT sum(accepted + repeated + quarantined + refused) FROM pulse")
    assert counted == [(0,)]
    for answer in answers:
        for secret in (TOKEN, PEPPER, PATH, *nonces):
            assert secret not in json.dumps([answer.headers, answer.body.decode()])


def test_a_probe_without_a_signature_is_refused_as_everything_is(collector_process: CollectorProcess) -> None:
    answer = collector_process.post({"SessionUUID": NIL}, {})
    assert answer.status == 403
    assert HEADER.lower() not in answer.headers


def test_no_other_body_can_be_put_under_the_signature_of_a_probe(collector_process: CollectorProcess) -> None:
    headers = collector_process.provider.headers(probe.fresh_nonce())
    for fields in ({"SessionUUID": NIL}, Provider.fields("forged"), {"no": "session"}):
        assert collector_process.post(fields, headers).status == 200
    for table in ("callbacks", "nonces", "quarantine"):
        assert collector_process.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_mark_that_nobody_signed_marks_nothing(door: Door) -> None:
    unsigned = Provider().headers("1") | {"X-Plivo-Signature-V2-Nonce": probe.fresh_nonce()}
    with pytest.raises(Refused):
        door.open(request(Provider.fields(), unsigned))
    v3 = {"X-Plivo-Signature-V3": "x" * 44, "X-Plivo-Signature-V3-Nonce": probe.fresh_nonce()}
    assert isinstance(door.open(request(Provider.fields(), Provider().headers("1") | v3)), Arrival)


def test_the_answer_says_which_part_arrived_changed(door: Door) -> None:
    nonce = probe.fresh_nonce()
    fields = {"SessionUUID": NIL}
    opened = door.open(request(fields, Provider().headers(nonce)))
    assert isinstance(opened, Probe)
    sent = Seen("POST", PATH, "", urlencode(fields).encode())
    pepper = PEPPER.encode()
    assert probe.changed(pepper, nonce, sent, opened.echo) == []
    for part, other in (
        ("method", sent._replace(method="GET")),
        ("path", sent._replace(path="/x")),
        ("query", sent._replace(query="y=1")),
        ("body", sent._replace(body=b"z")),
    ):
        assert probe.changed(pepper, nonce, other, opened.echo) == [part]
    assert probe.changed(pepper, probe.fresh_nonce(), sent, opened.echo) == ["collector"]
    assert probe.changed(b"another pepper", nonce, sent, opened.echo) == ["collector"]


@pytest.mark.parametrize("answer", ["", "ok", "collector=; ; =;path", "é=é", "collector=\udcff"])
def test_an_answer_that_is_none_is_of_another_collector(answer: str) -> None:
    assert probe.changed(PEPPER.encode(), "1", SENT, answer) == ["collector"]


def test_two_parts_with_the_same_content_have_different_digests() -> None:
    said = probe.echo(PEPPER.encode(), "1", Seen("", "", "", b""))
    digests = [part.partition("=")[2] for part in said.split("; ")]
    assert len(set(digests)) == 5
    key = hmac.new(PEPPER.encode(), b"probe of the collector", hashlib.sha256).digest()
    assert digests[4] == hmac.new(key, b"body\0001\0", hashlib.sha256).hexdigest()[:32]


def test_a_probe_in_a_capture_is_counted_and_not_stored(make_collector: Callable[..., CollectorProcess]) -> None:
    collector = make_collector()
    lines = [
        json.dumps(
            {
                "received_at": "2026-09-01T12:00:00Z",
                "method": "POST",
                "url": URL,
                "headers": list(Provider().headers(nonce).items()),
                "body": urlencode(Provider.fields("s", SessionUUID=session)),
            }
        ).encode()
        for nonce, session in (("1", NIL), (probe.fresh_nonce(), "s"), ("2", "s"))
    ]
    with open_replay(Settings.read({}, collector.env_file, "replay"), now=2 * 10**15) as run:
        table = dict(run(lines).table())
    assert (table["accepted"], table["probes of doctor, not stored"]) == (1, 2)
    assert collector.rows("SELECT session_id FROM callbacks") == [("s",)]


def test_an_answer_says_whether_a_callback_would_be_taken_now(collector_process: CollectorProcess) -> None:
    # A probe goes past the store; who asks how things stand must hear that the store does not write.
    with closing(sqlite3.connect(collector_process.store, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        callback = Thread(target=collector_process.post, args=(Provider.fields("s"), Provider().headers("1")))
        callback.start()
        callback.join()
        answer = collector_process.post({"SessionUUID": NIL}, Provider().headers("2"))
        holder.execute("ROLLBACK")
    assert answer.status == 200
    assert answer.body in {b"failing\n", b"overloaded\n"}
