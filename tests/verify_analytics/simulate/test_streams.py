"""Random numbers come by name: the same on every run, and nobody's draw moves another's."""

import re

import numpy as np
import pytest

from verify_analytics.simulate.streams import Streams


def test_a_name_gives_the_same_numbers_whatever_was_drawn_before() -> None:
    one, other = Streams(5, 2), Streams(5, 2)
    one.uniform("something else", 1000)
    assert (one.uniform("delay", 10) == other.uniform("delay", 10)).all()


@pytest.mark.parametrize(
    "other", [Streams(6, 2), Streams(5, 3), Streams(5, 2, "bots")], ids=["seed", "chunk", "population"]
)
def test_another_seed_part_or_population_gives_other_numbers(other: Streams) -> None:
    assert (Streams(5, 2).uniform("delay", 10) != other.uniform("delay", 10)).all()


def test_two_names_give_unrelated_numbers() -> None:
    streams = Streams(1)
    a, b = streams.uniform("a", 20_000), streams.uniform("b", 20_000)
    assert abs(float(np.corrcoef(a, b)[0, 1])) < 0.03


def test_a_longer_draw_begins_like_a_shorter_one() -> None:
    assert (Streams(1).uniform("x", (100, 5))[:40] == Streams(1).uniform("x", (40, 5))).all()


def test_a_stream_is_drawn_from_once() -> None:
    streams = Streams(1)
    streams.uniform("delay", 1)
    with pytest.raises(RuntimeError, match="'delay' was drawn from before"):
        streams.uniform("delay", 1)


def test_identifiers_have_36_characters_and_none_comes_twice() -> None:
    made = Streams(3).uuids("session_id", 5000)
    assert len(set(made)) == 5000
    form = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(form.fullmatch(one) for one in made)


def test_waiting_times_have_median_one() -> None:
    assert float(np.median(Streams(3).lognormal("delay", 40_000, sigma=1.0))) == pytest.approx(1.0, abs=0.03)
