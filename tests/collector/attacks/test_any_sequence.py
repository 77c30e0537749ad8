"""A captured signature cannot carry another body, in whatever order things come: a machine tries, a dictionary knows.

Deliveries, retries, forgeries, unreadable requests, crashes and replayed captures in any sequence, through the door and
the one writer into a real store; after each step the store holds what a model of thirty lines says, row by row.
"""

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from collector import form, recipient, store, wire
from collector.door import Door, Request, hashed
from collector.errors import Refused
from collector.items import Arrival, Outcome
from collector.pulse import Pulse
from collector.replay import open_replay
from collector.settings import Settings
from collector.writer import Writer
from tests.collector.attacks.tools import by_v2, by_v3
from tests.collector.conftest import PATH, PEPPER, TOKEN, URL

NOON = 1_788_264_000_000_000
READABLE = tuple(f"SessionUUID=s-{number}&Channel=sms" for number in range(6))
UNREADABLE = ("", "Channel=sms", "SessionUUID=a&SessionUUID=a")
contents = st.sampled_from(READABLE * 2 + UNREADABLE)
few = st.sampled_from("123")

Nonces = tuple[tuple[str, str], ...]


class Sent(NamedTuple):
    """One delivery."""

    when: int
    nonces: Nonces
    content: str

    @property
    def request(self) -> Request:
        headers: list[tuple[str, str]] = []
        for family, nonce in self.nonces:
            signed = "".join(sorted(name + value for name, value in form.pairs(self.content.encode())))
            # Of no body V3 signs neither a question mark nor anything behind it.
            v3 = by_v3(signed, nonce) if signed else by_v2(f".{nonce}")
            names = [name for name, _ in by_v3("", nonce)]
            headers += by_v2(nonce) if family == "v2" else list(zip(names, (v3[0][1], nonce), strict=True))
        return Request("POST", PATH, "", tuple(headers), self.content.encode(), self.when)

    @property
    def line(self) -> bytes:
        at = f"2026-09-01T12:00:00.{self.when - NOON:06d}Z"
        headers = self.request.headers
        capture = {"received_at": at, "method": "POST", "url": URL, "headers": headers, "body": self.content}
        return json.dumps(capture).encode() + b"\n"


class Model:
    """What promise 4 says, in dictionaries."""

    def __init__(self) -> None:
        self.bound: dict[tuple[str, str], tuple[str, int]] = {}
        self.rows: set[Sent] = set()
        self.apart: set[Sent] = set()
        self.forged: dict[tuple[str, str], set[tuple[int, str]]] = {}

    def judge(self, sent: Sent) -> Outcome:
        if sent in self.rows | self.apart:
            return Outcome.KNOWN
        met = {nonce: self.bound[nonce] for nonce in sent.nonces if nonce in self.bound}
        for nonce, (content, _) in met.items():
            if content != sent.content:
                kept = self.forged.setdefault(nonce, set())
                if len(kept) < 4:
                    kept.add((sent.when, sent.content))
                return Outcome.FORGED
        before = max((count for _, count in met.values()), default=0)
        for nonce in sent.nonces:
            self.bound[nonce] = (sent.content, met.get(nonce, ("", 0))[1] + 1)
        is_readable = sent.content in READABLE
        if before < 16:
            (self.rows if is_readable else self.apart).add(sent)
        if before:
            return Outcome.REPEATED
        return Outcome.ACCEPTED if is_readable else Outcome.QUARANTINED


class Machine(RuleBasedStateMachine):
    """A store, whatever may happen to it, and the model beside it."""

    def __init__(self) -> None:
        super().__init__()
        # In memory where there is such a place: what survives a power cut is asked elsewhere.
        memory = Path("/dev/shm")
        self.place = Path(tempfile.mkdtemp(prefix="sequence-", dir=memory if memory.is_dir() else None))
        self.lives = 0
        self.model = Model()
        self.sent: list[Sent] = []
        self.pepper = PEPPER.encode()
        self.opened()

    def opened(self) -> None:
        url = f"sqlite:///{self.place / str(self.lives) / 'store.db'}"
        self.settings = Settings(
            tokens=(TOKEN,), public_urls=(URL,), paths=(PATH,), peppers=(self.pepper,), database_url=url
        )
        (self.place / str(self.lives)).mkdir(exist_ok=True)
        self.engine = store.writer_engine(url)
        store.initialise(self.engine)
        self.door = Door(self.settings, recipient.key_id(self.pepper))
        self.writer = Writer(self.engine, Pulse("serve", lambda: NOON))
        self.writer.start()

    def closed(self) -> None:
        assert self.writer.stop(10)
        self.engine.dispose()

    def teardown(self) -> None:
        self.closed()
        shutil.rmtree(self.place)

    def deliver(self, nonces: Nonces, content: str) -> None:
        sent = Sent(NOON + len(self.sent), nonces, content)
        self.sent.append(sent)
        arrival = self.door.open(sent.request)
        assert isinstance(arrival, Arrival)
        assert arrival.nonces == hashed(nonces)
        assert self.writer.append(arrival) is self.model.judge(sent)

    @initialize(content=contents)
    def something_came_before(self, content: str) -> None:
        self.deliver((("v2", "1"),), content)

    @rule(nonce=few, content=contents)
    def something_comes_by_v2(self, nonce: str, content: str) -> None:
        self.deliver((("v2", nonce),), content)

    @rule(nonce=few, content=contents)
    def something_comes_by_v3(self, nonce: str, content: str) -> None:
        self.deliver((("v3", nonce),), content)

    @rule(v2=few, v3=few, content=contents)
    def something_comes_by_both(self, v2: str, v3: str, content: str) -> None:
        self.deliver((("v2", v2), ("v3", v3)), content)

    @rule(data=st.data(), times=st.integers(1, 10))
    def it_comes_again(self, data: st.DataObject, times: int) -> None:
        again = data.draw(st.sampled_from(self.sent))
        for _ in range(times):
            self.deliver(again.nonces, again.content)

    @rule(data=st.data(), content=contents)
    def its_signature_comes_with_another_body(self, data: st.DataObject, content: str) -> None:
        captured = data.draw(st.sampled_from(self.sent))
        # Under V3 another body is not proved at all, and falls back on V2 where that came along.
        plain = tuple(nonce for nonce in captured.nonces if nonce[0] == "v2")
        if plain:
            self.deliver(plain, content)

    @rule(content=contents)
    def it_comes_unsigned(self, content: str) -> None:
        with pytest.raises(Refused, match="signature"):
            self.door.open(Sent(NOON, (), content).request)

    @rule()
    def the_process_is_killed(self) -> None:
        """What a kill leaves behind: the files as they are, without anything that an orderly end writes."""
        before = self.place / str(self.lives)
        self.lives += 1
        shutil.copytree(before, self.place / str(self.lives))
        self.closed()
        self.opened()

    @precondition(lambda self: len(self.sent) > 1)
    @rule(part=st.floats(0, 1), times=st.integers(1, 2))
    def a_capture_is_replayed(self, part: float, times: int) -> None:
        """Beside the running collector: all that came, or a part of it."""
        capture = self.sent[: max(1, round(part * len(self.sent)))]
        for _ in range(times):
            wanted = Counter(self.model.judge(sent) for sent in capture)
            with open_replay(self.settings, now=2 * NOON) as replay:
                result = replay([sent.line for sent in capture])
            told = result.outcomes + Counter({Outcome.FORGED.value: result.refused["nonce_reused"]})
            assert told == Counter({outcome.value: count for outcome, count in wanted.items()})

    @invariant()
    def the_store_holds_what_the_model_says(self) -> None:
        digests = {content: self.digest(content) for content in READABLE + UNREADABLE}
        with self.engine.connect() as connection:
            rows = connection.execute(select(store.callbacks.c.received_at, store.callbacks.c.digest)).all()
            bound = connection.execute(select(store.nonces)).all()
            apart = connection.execute(select(store.quarantine)).all()
        model = self.model
        assert sorted(tuple(row) for row in rows) == sorted((one.when, digests[one.content]) for one in model.rows)
        assert {(one.family, one.nonce_hash): (one.digest, one.arrivals) for one in bound} == {
            hashed((nonce,))[0]: (digests[content], count) for nonce, (content, count) in model.bound.items()
        }
        kept: list[Any] = [(one.when, digests[one.content], False) for one in model.apart]
        kept += [(when, digests[content], True) for some in model.forged.values() for when, content in some]
        assert sorted((row.received_at, row.digest, row.reason == "nonce_reused") for row in apart) == sorted(kept)

    def digest(self, content: str) -> str:
        return wire.digest([("body", *pair) for pair in form.pairs(content.encode())], self.pepper)


SHORT = settings(max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_after_any_sequence_the_store_holds_what_the_rule_says() -> None:
    run_state_machine_as_test(Machine, settings=SHORT)


@pytest.mark.full
def test_after_many_long_sequences_it_does_so_too() -> None:
    run_state_machine_as_test(Machine, settings=settings(SHORT, max_examples=150, stateful_step_count=50))
