"""Sessions follow the local day and week; outages are whole minutes inside the period."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from verify_analytics.simulate import Features, History, rhythm
from verify_analytics.simulate.countries import PLACES
from verify_analytics.simulate.streams import Streams

Make = Callable[..., History]
END = datetime(2026, 10, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def large(make: Make) -> History:
    return make(20_000, days=28, features=Features(bots=0, outage_minutes=(31, 8)))


def local_hours(made: History, country: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    hours = []
    for parts in made.chunks():
        start = parts[0].story.start
        for us, index in zip(start.start_us.tolist(), start.place.tolist(), strict=True):
            if PLACES[index].country == country:
                hours.append(datetime.fromtimestamp(us / 1e6, UTC).astimezone(ZoneInfo(PLACES[index].zone)).hour)
    return np.bincount(hours, minlength=24)


@pytest.mark.parametrize("country", ["US", "IN", "BR", "GB"])
def test_evenings_are_busy_and_nights_are_quiet_where_people_live(country: str, large: History) -> None:
    hours = local_hours(large, country)
    assert hours[18:22].mean() > 6 * hours[2:6].mean()
    assert 17 <= int(np.argmax(hours)) <= 22


def test_a_country_s_share_is_that_of_the_table(large: History) -> None:
    place = np.concatenate([parts[0].story.start.place for parts in large.chunks()])
    share = np.bincount(place, minlength=len(PLACES)) / len(place)
    wanted = np.array([one.share for one in PLACES]) / sum(one.share for one in PLACES)
    assert np.abs(share - wanted).max() < 0.012


def test_a_quiet_weekend_is_quiet() -> None:
    known = rhythm.calendar(END, 28)
    start = datetime.fromtimestamp(known.start_us / 1e6, UTC)
    by_day = np.diff(known.cumulative).reshape(28, 24).sum(axis=1)
    weekend = np.array([(start.weekday() + day) % 7 >= 5 for day in range(28)])
    assert by_day[weekend].mean() < 0.97 * by_day[~weekend].mean()


def test_sessions_are_sorted_and_lie_within_the_period(large: History) -> None:
    start_us = np.concatenate([parts[0].story.start.start_us for parts in large.chunks()])
    assert len(start_us) == 20_000
    assert (np.diff(start_us) >= 0).all()
    assert large.start_us <= start_us[0]
    assert start_us[-1] < large.end_us
    assert large.end_us - large.start_us == 28 * 86_400_000_000


def test_cutting_a_history_into_parts_leaves_no_trace_in_its_rhythm(make: Make) -> None:
    whole = make(6000, chunk_sessions=6000, features=Features(bots=0))
    cut = make(6000, chunk_sessions=700, features=Features(bots=0))
    starts = [np.concatenate([p[0].story.start.start_us for p in one.chunks()]) for one in (whole, cut)]
    grid = np.linspace(whole.start_us, whole.end_us, 500)
    one, other = (np.searchsorted(start, grid) / 6000 for start in starts)
    # Two independent samples of one distribution: the Kolmogorov-Smirnov distance stays below 1.63 * sqrt(2 / n).
    assert np.abs(one - other).max() < 0.03


def test_outages_are_whole_minutes_apart_and_of_the_length_asked_for(large: History) -> None:
    assert [(span.to_us - span.from_us) // rhythm.MINUTE for span in large.outages] == [31, 8]
    assert all(span.from_us % rhythm.MINUTE == span.to_us % rhythm.MINUTE == 0 for span in large.outages)
    assert large.start_us < large.outages[0].from_us
    assert large.outages[0].to_us < large.outages[1].from_us
    assert large.outages[1].to_us < large.end_us


def test_even_a_day_full_of_outages_keeps_them_apart(make: Make) -> None:
    made = make(50, days=1, features=Features(outage_minutes=(300, 300, 300, 300, 300)))
    edges = [edge for span in made.outages for edge in span]
    assert len(edges) == 10
    assert (np.diff(edges) >= rhythm.MINUTE).all()


def test_a_moment_lies_in_a_span_from_its_beginning_and_not_at_its_end() -> None:
    spans = [rhythm.Outage(60, 120)]
    assert rhythm.inside(np.array([59, 60, 119, 120]), spans).tolist() == [False, True, True, False]


def test_bots_come_in_bursts_of_about_an_hour_over_neighbouring_numbers(make: Make) -> None:
    made = make(3000, days=28, features=Features(bots=0.03))
    (_, bots) = made.chunk(0)
    start = bots.story.start
    for place in np.unique(start.place):
        rows = np.nonzero(start.place == place)[0]
        numbers = sorted(int(start.recipient[i]) for i in rows)
        assert float(np.median(np.diff(numbers))) == 7
    hours = len(np.unique(start.start_us // rhythm.HOUR))
    assert hours <= 9
    assert bots.story.sessions == 90


def test_too_few_sessions_have_no_bots() -> None:
    assert rhythm.bursts(Streams(1), Features(bots=0.01), rhythm.calendar(END, 7), 400) == []
