"""A history is made in parts, of whatever length, and refuses what cannot be meant."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from tests.verify_analytics.simulate.conftest import END
from verify_analytics.errors import ArgumentError
from verify_analytics.simulate import Features, History, history

Make = Callable[..., History]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sessions": 0}, "sessions=0: it must be more than 0"),
        ({"days": 0}, "days=0"),
        ({"patience_seconds": 0.0}, "patience_seconds=0.0"),
        ({"window_seconds": float("nan")}, "window_seconds=nan"),
        ({"expiry_seconds": -1.0}, "expiry_seconds=-1.0"),
        ({"chunk_sessions": 0}, "chunk_sessions=0"),
        ({"seed": -1}, "seed=-1: it must not be negative"),
        ({"days": 3661}, "days=3661: it must be at most 3,660"),
        ({"patience_seconds": float("inf")}, "patience_seconds=inf: it must be at most 31,536,000"),
        ({"end": datetime.max.replace(tzinfo=UTC)}, "end=9999-12-31.* is not between 2000 and 2100"),
        ({"end": datetime.min.replace(tzinfo=timezone(timedelta(hours=12)))}, "end=0001-01-01.* is not between 2000"),
        ({"as_of": datetime(2100, 1, 2, tzinfo=UTC)}, "as_of=2100-01-02.* is not between 2000 and 2100"),
        ({"end": datetime(2026, 10, 29)}, "end=2026-10-29T00:00:00 has no time zone"),  # noqa: DTZ001
        ({"as_of": datetime(2026, 10, 29)}, "as_of=2026-10-29T00:00:00 has no time zone"),  # noqa: DTZ001
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    wishes = {"sessions": 10, "seed": 1, "end": END, **wrong}
    with pytest.raises(ArgumentError, match=message):
        history(wishes.pop("sessions"), **wishes)


@pytest.mark.parametrize("sessions", [1, 2, 5])
def test_the_smallest_histories_are_whole(sessions: int, make: Make) -> None:
    made = make(sessions, days=1)
    frames = made.frames()
    truth = made.truth()
    assert truth["session_id"].nunique() == sessions
    assert set(frames["callbacks"]["session_id"]) <= set(truth["session_id"])
    assert len(frames["pulse"]) == 24 * 60 - 39


def test_the_zone_in_which_a_moment_is_written_does_not_matter(make: Make) -> None:
    elsewhere = END.astimezone(timezone(timedelta(hours=5, minutes=30)))
    one, other = (make(50, end=end, as_of=end).truth() for end in (END, elsewhere))
    assert one.equals(other)


def test_another_end_moves_the_same_people_to_other_days(make: Make) -> None:
    # Two weeks of July, in which no country changes its clocks: the same sessions, seven days on.
    july = datetime(2026, 7, 15, tzinfo=UTC)
    one, other = (make(300, end=end).chunk(0)[0].story for end in (july, july + timedelta(days=7)))
    assert (other.start.start_us - one.start.start_us == 7 * 86_400_000_000).all()
    assert (other.channel == one.channel).all()


def test_an_end_within_a_minute_is_kept_to_the_microsecond(make: Make) -> None:
    end = datetime(2026, 10, 29, 12, 34, 56, 789, tzinfo=UTC)
    made = make(300, days=1, end=end)
    assert made.end_us - made.start_us == 86_400_000_000
    received = np.concatenate([part.arrivals.received_us for part in made.chunk(0)])
    assert made.start_us < received.min()
    assert received.max() < made.end_us
    assert made.frames()["pulse"]["minute"].iloc[-1] == datetime(2026, 10, 29, 12, 34, tzinfo=UTC)


def test_slices_of_time_follow_each_other(make: Make) -> None:
    made = make(1000, chunk_sessions=90, features=Features(bots=0.1))
    previous = made.start_us
    for index, parts in enumerate(made.chunks()):
        starts = np.concatenate([part.story.start.start_us for part in parts])
        assert previous <= starts.min()
        assert made.border_us(index) <= starts.min()
        assert starts.max() < made.border_us(index + 1)
        previous = made.border_us(index + 1)
    assert previous == made.end_us
    assert sum(part.story.sessions for parts in made.chunks() for part in parts) == made.sessions == 1100


def test_a_part_is_the_same_whoever_asks_first(make: Make) -> None:
    forwards, backwards = make(400, chunk_sessions=100), make(400, chunk_sessions=100)
    last = backwards.chunk(3)
    for index in range(3):
        forwards.chunk(index)
    assert (forwards.chunk(3)[0].arrivals.received_us == last[0].arrivals.received_us).all()
    assert forwards.chunk(3)[0].manners.session_id == last[0].manners.session_id


def test_no_identifier_serves_two_parts(make: Make) -> None:
    made = make(1000, chunk_sessions=100, features=Features(bots=0.1))
    ids = [
        one for parts in made.chunks() for part in parts for one in part.manners.session_id + part.manners.attempt_id
    ]
    assert len(ids) == len(set(ids)) == 1100 * 6


def test_the_demo_s_history_is_large_enough(make: Make) -> None:
    made = make(13_000, seed=1, days=28, features=None)
    (people, bots) = made.chunk(0)
    assert len(people.arrivals.callback) + len(bots.arrivals.callback) >= 50_000
