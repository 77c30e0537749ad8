"""A nonce belongs to the content it first came with: with another it is refused, in any order and any batch."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Dialect, Engine, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import StaticPool

from collector import ledger, store
from collector.errors import CollectorError
from collector.items import Arrival, Item, Outcome, Raw, Verification
from collector.ledger import Ledger

A, R, Q, K, F = Outcome.ACCEPTED, Outcome.REPEATED, Outcome.QUARANTINED, Outcome.KNOWN, Outcome.FORGED
RAW = Raw("POST", "/callbacks/plivo", (("Name", "value"),), b"as it came")


@pytest.fixture
def engine(empty_store: str) -> Iterator[Engine]:
    made = store.writer_engine(empty_store)
    store.initialise(made)
    yield made
    made.dispose()


def arrival(
    number: int, nonce: str | Sequence[tuple[str, str]] = "n", content: str = "c", *, is_readable: bool = True
) -> Arrival:
    """One arrival, received in this microsecond."""
    nonces = ((("v2", nonce),) if nonce else ()) if isinstance(nonce, str) else tuple(nonce)
    row: dict[str, Any] = dict.fromkeys(
        column.name for column in store.callbacks.columns if column.name != "callback_id"
    )
    row |= {"arrival_id": f"{number}-{nonces}-{content}", "received_at": number, "provider": "plivo"}
    row |= {"session_id": "s", "proof": "v2", "digest": content}
    return Arrival(
        number, nonces, content, "v2", RAW, row if is_readable else None, "" if is_readable else "no_session"
    )


def write(engine: Engine, *items: Item, rules: Ledger | None = None) -> list[Outcome | None]:
    with engine.connect() as connection:
        return (rules or Ledger()).write(connection, items, lambda _: None)


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def arrivals_of(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {row.nonce_hash: row.arrivals for row in connection.execute(select(store.nonces))}


def test_the_first_arrival_of_a_nonce_is_stored_and_binds_it(engine: Engine) -> None:
    assert write(engine, arrival(1)) == [A]
    assert count(engine, store.callbacks) == 1
    assert arrivals_of(engine) == {"n": 1}


def test_the_same_content_again_is_another_arrival_up_to_sixteen_times_and_then_only_counted(engine: Engine) -> None:
    assert [write(engine, arrival(number))[0] for number in range(20)] == [A] + [R] * 19
    assert count(engine, store.callbacks) == 16
    assert arrivals_of(engine) == {"n": 20}


def test_another_content_is_never_stored_and_at_most_four_are_kept_to_be_looked_at(engine: Engine) -> None:
    write(engine, arrival(0))
    assert [write(engine, arrival(number, content=f"forged {number}"))[0] for number in range(1, 8)] == [F] * 7
    assert count(engine, store.callbacks) == 1
    assert arrivals_of(engine) == {"n": 1}
    with engine.connect() as connection:
        kept = connection.execute(select(store.quarantine)).all()
    assert [(row.reason, row.digest, row.body) for row in kept] == [
        ("nonce_reused", f"forged {number}", b"as it came") for number in range(1, 5)
    ]


def test_the_true_content_is_still_taken_after_a_forged_one(engine: Engine) -> None:
    assert write(engine, arrival(0), arrival(1, content="forged"), arrival(2)) == [A, F, R]


def test_a_request_that_cannot_be_read_binds_its_nonce_too(engine: Engine) -> None:
    outcomes = [
        write(engine, arrival(1, is_readable=False)),
        write(engine, arrival(2, is_readable=False)),
        write(engine, arrival(3, content="readable, and forged")),
    ]
    assert outcomes == [[Q], [R], [F]]
    assert count(engine, store.callbacks) == 0
    assert count(engine, store.quarantine) == 3


def test_every_proved_nonce_is_bound_and_one_that_clashes_is_enough(engine: Engine) -> None:
    write(engine, arrival(1, [("v2", "a"), ("v3", "b")]))
    assert write(engine, arrival(2, [("v3", "b")], "other")) == [F]
    assert write(engine, arrival(3, [("v2", "fresh"), ("v3", "b")], "other")) == [F]
    with engine.connect() as connection:
        # Kept under the nonce that clashes, so that at most four are kept for it.
        kept = connection.scalars(select(store.quarantine.c.nonces)).all()
    assert [json.loads(text) for text in kept] == [[["v3", "b"]]] * 2
    # What was refused has bound nothing.
    assert write(engine, arrival(4, "fresh", "whatever")) == [A]


def test_the_same_nonce_in_another_family_is_another_nonce(engine: Engine) -> None:
    assert write(engine, arrival(1, [("v2", "a")], "one"), arrival(2, [("v3", "a")], "two")) == [A, A]


def test_a_full_quarantine_takes_no_more_and_binds_nothing(engine: Engine) -> None:
    rules = Ledger(quarantine_rows=1)
    assert write(engine, arrival(1, "a", is_readable=False), rules=rules) == [Q]
    assert write(engine, arrival(2, "b", is_readable=False), rules=rules) == [Outcome.FULL]
    assert arrivals_of(engine) == {"a": 1}
    # A forged content is refused all the same, and what can be read is stored.
    assert write(engine, arrival(3, "a", "other"), arrival(4, "b"), rules=rules) == [F, A]
    with engine.begin() as connection:
        connection.execute(store.quarantine.delete())
    assert write(engine, arrival(2, "c", is_readable=False), rules=rules) == [Q]


def test_writing_the_same_arrivals_twice_adds_nothing(engine: Engine) -> None:
    batch: list[Item] = [
        arrival(1),
        arrival(2),
        arrival(3, content="forged"),
        arrival(4, "m", is_readable=False),
        arrival(5, nonce="", content="unproved"),
        Verification("s", 1, 2),
    ]
    assert write(engine, *batch) == [A, R, F, Q, A, A]
    held = {table.name: count(engine, table) for table in store.metadata.sorted_tables}
    nonces = arrivals_of(engine)
    assert write(engine, *batch) == [K, K, F, K, K, A]
    assert {table.name: count(engine, table) for table in store.metadata.sorted_tables} == held
    assert arrivals_of(engine) == nonces


def test_an_unproved_arrival_on_its_own_is_known_again_too(engine: Engine) -> None:
    unproved = arrival(1, nonce="")
    assert [write(engine, unproved), write(engine, unproved), write(engine, arrival(2, nonce=""))] == [[A], [K], [A]]
    assert count(engine, store.callbacks) == 2


def test_a_verification_reported_again_keeps_the_first_report(engine: Engine) -> None:
    write(engine, Verification("s", 10, 20), Verification("s", 10, 30), Verification("s", 11, 40))
    with engine.connect() as connection:
        rows = [tuple(row)[1:] for row in connection.execute(select(store.verifications))]
    assert rows == [("s", 10, 20), ("s", 11, 40)]


def poisoned(number: int, **values: object) -> Arrival:
    made = arrival(number, f"n{number}")
    assert made.row is not None
    return Arrival(number, made.nonces, "c", "v2", RAW, made.row | values)


@pytest.mark.parametrize(
    "values", [{"attempt_sequence": 2**70}, {"session_id": None}, {"channel": "\ud800"}, {"requested_at": "soon"}]
)
def test_a_row_no_column_takes_goes_to_quarantine_and_does_not_fail_its_neighbours(
    engine: Engine, values: dict[str, object]
) -> None:
    assert write(engine, arrival(1, "a"), poisoned(2, **values), arrival(3, "b"), Verification("s", 1, 2)) == [
        A,
        Q,
        A,
        A,
    ]
    with engine.connect() as connection:
        assert connection.execute(select(store.quarantine.c.reason, store.quarantine.c.body)).all() == [
            ("unstorable", b"as it came")
        ]
    assert count(engine, store.callbacks) == 2


def test_what_belongs_to_a_batch_is_written_with_it_or_not_at_all(engine: Engine) -> None:
    def fails(_: object) -> None:
        raise CollectorError("no")

    with pytest.raises(CollectorError), engine.connect() as connection:
        Ledger().write(connection, [arrival(1)], fails)
    assert count(engine, store.callbacks) == 0
    assert count(engine, store.nonces) == 0


def test_a_nonce_that_another_collector_bound_meanwhile_is_looked_at_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_bind, real_look = ledger._bind, ledger._bound
    lost = [False, False]  # once in hope, once after the first look
    looks: list[int] = []

    def loses_twice(connection: Connection, bound: dict[Any, Any]) -> bool:
        return lost.pop() if lost else real_bind(connection, bound)

    def looks_again(connection: Connection, arrivals: Sequence[Arrival]) -> dict[Any, Any]:
        looks.append(1)
        if len(looks) == 2:
            theirs = {"family": "v2", "nonce_hash": "n", "digest": "the other collector's", "arrivals": 1}
            connection.execute(store.nonces.insert(), theirs)
        return real_look(connection, arrivals)

    monkeypatch.setattr(ledger, "_bind", loses_twice)
    monkeypatch.setattr(ledger, "_bound", looks_again)
    assert write(engine, arrival(1)) == [F]
    assert count(engine, store.callbacks) == 0


def test_the_statements_lock_and_leave_out_in_the_words_of_postgresql() -> None:
    dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

    def words(statement: Any) -> str:
        return " ".join(str(statement.compile(dialect=dialect)).split())

    assert words(ledger._BOUND).endswith("ORDER BY nonces.nonce_hash FOR UPDATE")
    insert, values = store._insert(store.nonces, dialect, ("family", "nonce_hash"), ("family", "nonce_hash"))
    assert insert == (
        "INSERT INTO nonces (family, nonce_hash) VALUES (%(family)s::VARCHAR, %(nonce_hash)s::VARCHAR) "
        "ON CONFLICT (family, nonce_hash) DO NOTHING"
    )
    assert values({"family": "v2", "nonce_hash": "n"}) == {"family": "v2", "nonce_hash": "n"}
    for statement in (ledger._ARRIVED, ledger._KEPT, ledger._COUNT):
        assert words(statement)


class Model:
    """The rule in plain words, over dictionaries."""

    def __init__(self) -> None:
        self.bound: dict[str, str] = {}
        self.arrivals: Counter[str] = Counter()
        self.stored: Counter[tuple[str, str]] = Counter()

    def judge(self, nonce: str, content: str, *, is_readable: bool) -> Outcome:
        if self.bound.setdefault(nonce, content) != content:
            return F
        self.arrivals[nonce] += 1
        if is_readable and self.arrivals[nonce] <= 16:
            self.stored[nonce, content] += 1
        if self.arrivals[nonce] > 1:
            return R
        return A if is_readable else Q


DELIVERIES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", "unreadable"]), st.booleans()), max_size=60
)


@given(deliveries=DELIVERIES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_deliveries_in_any_batches_end_as_the_rule_says(
    deliveries: list[tuple[str, str, bool]], fresh_engine: Callable[[], Engine]
) -> None:
    engine = fresh_engine()
    model = Model()
    batch: list[Arrival] = []
    wanted: list[Outcome] = []
    for number, (nonce, content, ends_batch) in enumerate(deliveries):
        batch.append(arrival(number, nonce, content, is_readable=content != "unreadable"))
        wanted.append(model.judge(nonce, content, is_readable=content != "unreadable"))
        if ends_batch:
            assert write(engine, *batch) == wanted
            batch, wanted = [], []
    if batch:
        assert write(engine, *batch) == wanted
    with engine.connect() as connection:
        digests = connection.execute(select(store.callbacks.c.arrival_id, store.callbacks.c.digest)).all()
    assert Counter(digest for _, digest in digests) == sum(
        (Counter({content: number}) for (_, content), number in model.stored.items()), Counter()
    )
    assert arrivals_of(engine) == dict(model.arrivals)


@pytest.fixture
def fresh_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Engine]]:
    """Give empty stores in memory: the rules do not depend on the disk, and sixty disks would be slow."""
    from sqlalchemy import create_engine

    from collector.engines import sqlite_module

    made: list[Engine] = []

    def make() -> Engine:
        engine = create_engine("sqlite://", module=sqlite_module(), poolclass=StaticPool)
        store.metadata.create_all(engine)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.dispose()
