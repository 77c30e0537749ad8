"""A minute in which the collector was up has a row, also when nobody called; one in which it was down has none."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select

from collector import pulse, store
from collector.pulse import MINUTE, Counts, Pulse

NOON = 1_788_264_000_000_000


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> int:
        return self.moment

    def pass_minutes(self, minutes: float) -> None:
        self.moment += int(minutes * MINUTE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def beating(clock: Clock) -> Pulse:
    return Pulse("one", clock)


@pytest.fixture
def engine(empty_store: str) -> Iterator[Engine]:
    made = store.writer_engine(empty_store)
    store.initialise(made)
    yield made
    made.dispose()


def rows(engine: Engine) -> dict[int, tuple[int, int, int, int, dict[str, int]]]:
    with engine.connect() as connection:
        found = connection.execute(select(store.pulse).order_by(store.pulse.c.minute))
        return {
            (row.minute - NOON) // MINUTE: (
                row.accepted,
                row.repeated,
                row.quarantined,
                row.refused,
                json.loads(row.refused_by),
            )
            for row in found
        }


def write(engine: Engine, minutes: dict[int, Counts]) -> None:
    with engine.begin() as connection:
        pulse.write(connection, "one", minutes)


def test_an_idle_minute_has_a_row_of_zeros_and_a_minute_down_has_none(
    beating: Pulse, clock: Clock, engine: Engine
) -> None:
    for minutes in (1, 2, 1):  # in minute 2 nothing beat: the process stood still
        beating.beat()
        clock.pass_minutes(minutes)
        write(engine, beating.take())
    assert rows(engine) == {0: (0, 0, 0, 0, {}), 1: (0, 0, 0, 0, {}), 3: (0, 0, 0, 0, {})}


def test_a_minute_is_handed_over_when_it_is_over_and_once(beating: Pulse, clock: Clock) -> None:
    beating.count("accepted")
    assert beating.take() == {}
    clock.pass_minutes(1)
    assert beating.take() == {NOON: Counts(accepted=1)}
    assert beating.take() == {}


def test_the_last_minute_is_handed_over_unfinished_when_asked(beating: Pulse) -> None:
    beating.count("repeated")
    assert beating.take(unfinished=True) == {NOON: Counts(repeated=1)}


def test_what_is_counted_lies_in_the_minute_it_was_received_in(beating: Pulse, clock: Clock) -> None:
    clock.pass_minutes(1)
    beating.count("accepted", at=NOON + MINUTE - 1)
    beating.count("refused", "signature")
    clock.pass_minutes(1)
    assert beating.take() == {
        NOON: Counts(accepted=1),
        NOON + MINUTE: Counts(refused=Counter(signature=1)),
    }


def test_refusals_are_kept_by_reason_and_other_kinds_are_totals_only(
    beating: Pulse, clock: Clock, engine: Engine
) -> None:
    for kind, reason in [("refused", "signature"), ("refused", "signature"), ("refused", "method")]:
        beating.count(kind, reason)
    beating.count("verification")
    beating.count("quarantined", "no_session")
    write(engine, beating.take(unfinished=True))
    assert rows(engine) == {0: (0, 0, 1, 3, {"method": 1, "signature": 2})}
    assert beating.totals() == {
        ("refused", "signature"): 2,
        ("refused", "method"): 1,
        ("verification", ""): 1,
        ("quarantined", "no_session"): 1,
    }


def test_what_v2_alone_proved_is_kept_beside_the_refusals_and_never_among_them(
    beating: Pulse, clock: Clock, engine: Engine
) -> None:
    for kind, reason in [("accepted", ""), ("v3_unproved", ""), ("refused", "signature")]:
        beating.count(kind, reason)
    write(engine, beating.take(unfinished=True))
    assert rows(engine) == {0: (1, 0, 0, 1, {"signature": 1, "v3_unproved": 1})}


def test_what_v2_alone_proved_adds_up_as_after_a_restart(engine: Engine) -> None:
    write(engine, {NOON: Counts(accepted=2, refused=Counter(signature=1), v3_unproved=2)})
    write(engine, {NOON: Counts(accepted=1, refused=Counter(signature=1), v3_unproved=1)})
    assert rows(engine) == {0: (3, 0, 0, 2, {"signature": 2, "v3_unproved": 3})}
    with engine.begin() as connection:
        pulse.write(connection, "one", {NOON: Counts(refused=Counter(signature=2))}, merge=Counts.with_refusals_once)
    assert rows(engine) == {0: (3, 0, 0, 2, {"signature": 2, "v3_unproved": 3})}


def test_two_parts_of_one_minute_add_up_as_after_a_restart(engine: Engine) -> None:
    write(engine, {NOON: Counts(accepted=2, refused=Counter(signature=1))})
    write(engine, {NOON: Counts(accepted=1, repeated=1, refused=Counter(method=1)), NOON + MINUTE: Counts()})
    assert rows(engine) == {0: (3, 1, 0, 2, {"method": 1, "signature": 1}), 1: (0, 0, 0, 0, {})}


def test_minutes_whose_commit_was_lost_are_counted_once_whether_it_happened_or_not(engine: Engine) -> None:
    minutes = Pulse("one", lambda: NOON)

    def attempt(counts: Counts, *, commits: bool) -> None:
        with engine.connect() as connection:
            transaction = connection.begin()
            minutes.write(connection, {NOON: counts})
            if commits:
                transaction.commit()
        minutes.failed({NOON: counts}, is_in_doubt=True)

    for commits in (True, False, False, True, True):
        attempt(Counts(accepted=1, refused=Counter(store=2)), commits=commits)
    with engine.begin() as connection:
        minutes.write(connection, {})
    minutes.written()
    assert rows(engine) == {0: (5, 0, 0, 10, {"store": 10})}
    assert minutes.take(unfinished=True) == {}


def test_minutes_of_two_collectors_stay_apart(engine: Engine) -> None:
    write(engine, {NOON: Counts(accepted=2)})
    with engine.begin() as connection:
        pulse.write(connection, "two", {NOON: Counts(accepted=5)})
        found = connection.execute(select(store.pulse.c.collector, store.pulse.c.accepted)).all()
    assert sorted(map(tuple, found)) == [("one", 2), ("two", 5)]


def test_minutes_given_back_are_handed_over_again_with_what_came_since(beating: Pulse, clock: Clock) -> None:
    beating.count("accepted")
    clock.pass_minutes(1)
    taken = beating.take()
    beating.count("accepted", at=NOON)
    beating.give_back(taken)
    assert beating.take() == {NOON: Counts(accepted=2)}


def test_a_minute_that_could_not_be_written_for_long_stays_a_gap_but_its_requests_are_counted(
    beating: Pulse, clock: Clock, engine: Engine
) -> None:
    beating.count("refused", "store")
    for _ in range(4):
        clock.pass_minutes(1)
        beating.beat()
    write(engine, beating.take(unfinished=True))
    assert rows(engine) == {
        2: (0, 0, 0, 0, {}),
        3: (0, 0, 0, 0, {}),
        4: (0, 0, 0, 1, {"store": 1}),
    }


def test_what_was_refused_in_a_capture_is_not_counted_again_when_it_is_replayed_again(engine: Engine) -> None:
    refused = {NOON: Counts(refused=Counter(signature=3))}
    write(engine, {NOON: Counts(accepted=2)})
    for _ in range(2):
        with engine.begin() as connection:
            pulse.write(connection, "one", refused, merge=Counts.with_refusals_once)
    assert rows(engine) == {0: (2, 0, 0, 3, {"signature": 3})}
