"""Callbacks arrive as the provider's retries and the collector's outages let them."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from verify_analytics.simulate import Features, History
from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.history import Part
from verify_analytics.simulate.people import Story
from verify_analytics.simulate.rhythm import Outage, inside

Make = Callable[..., History]


def of_callbacks(part: Part) -> dict[int, list[tuple[int, int, int]]]:
    """Collect the arrivals of each callback: try, received, nonce."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    columns = (part.arrivals.tried, part.arrivals.received_us, part.arrivals.nonce)
    for callback, *arrival in zip(
        part.arrivals.callback.tolist(), *(column.tolist() for column in columns), strict=True
    ):
        found.setdefault(callback, []).append((arrival[0], arrival[1], arrival[2]))
    return found


def world(make: Make, **features: object) -> Part:
    return make(1200, days=28, features=Features.quiet(**features)).chunk(0)[0]  # type: ignore[arg-type]


def test_in_a_quiet_world_each_callback_arrives_once_within_seconds(make: Make) -> None:
    part = world(make)
    assert part.arrivals.tried.tolist() == [0] * len(part.said.at_us)
    assert part.arrivals.callback.tolist() == list(range(len(part.said.at_us)))
    latency = (part.arrivals.received_us - part.said.at_us) / 1e6
    assert latency.min() > 0.02
    assert np.median(latency) < 0.3
    assert latency.max() < 10


def test_what_is_lost_never_arrives(make: Make) -> None:
    part = world(make, lost=0.25)
    assert 1 - len(of_callbacks(part)) / len(part.said.at_us) == pytest.approx(0.25, abs=0.02)


def test_redeliveries_come_at_the_provider_s_times(make: Make) -> None:
    arrived = of_callbacks(world(make, redelivered=0.4, fresh_nonce=0.5))
    times = Counter(len(tries) for tries in arrived.values())
    assert times[1] > times[2] > times[3] > times[4] > 0
    for tries in arrived.values():
        assert [tried for tried, _, _ in tries] == list(range(len(tries)))
        for tried, received_us, _ in tries:
            assert (received_us - tries[0][1]) / 1e6 == pytest.approx((0, 60, 180, 420)[tried], abs=5)


def test_a_redelivery_has_the_same_nonce_or_always_a_fresh_one(make: Make) -> None:
    several = [
        tries for tries in of_callbacks(world(make, redelivered=0.4, fresh_nonce=0.5)).values() if len(tries) > 1
    ]
    kinds = Counter(len({nonce for _, _, nonce in tries}) / len(tries) == 1 for tries in several)
    assert kinds[True] / kinds.total() == pytest.approx(0.5, abs=0.06)
    assert all(len({nonce for _, _, nonce in tries}) in {1, len(tries)} for tries in several)


def test_no_nonce_serves_two_callbacks(world: History) -> None:
    nonces = [
        nonce for part in world.chunk(0) for tries in of_callbacks(part).values() for nonce in {n for _, _, n in tries}
    ]
    assert len(nonces) == len(set(nonces))


def test_what_is_late_arrives_first_by_a_retry(make: Make) -> None:
    arrived = of_callbacks(world(make, late=0.3))
    first = Counter(tries[0][0] for tries in arrived.values())
    assert all(len(tries) == 1 for tries in arrived.values())
    assert 1 - first[0] / first.total() == pytest.approx(0.3, abs=0.03)
    assert first[1] > first[2] > first[3] > 0


def test_some_callbacks_overtake_others(make: Make) -> None:
    def out_of_order(part: Part) -> float:
        said = part.said
        same = (said.session[1:] == said.session[:-1]) & (said.at_us[1:] > said.at_us[:-1])
        return float((np.diff(part.arrivals.received_us) < 0)[same].mean())

    assert out_of_order(world(make)) < 0.02
    assert out_of_order(world(make, disorder=0.2)) > 0.05


def test_nothing_arrives_in_an_outage_and_retries_bring_what_they_can_after_it(make: Make) -> None:
    made = make(20_000, days=2, features=Features.quiet(outage_minutes=(5, 3)), chunk_sessions=20_000)
    (part,) = made.chunk(0)
    spans = made.outages
    assert not inside(part.arrivals.received_us, spans).any()
    arrived = of_callbacks(part)
    tried_in_vain = {0: 0, 1: 0, 2: 0, 3: 0}
    for i in np.nonzero(inside(part.said.at_us, spans))[0].tolist():
        span = next(one for one in spans if one.from_us <= part.said.at_us[i] < one.to_us)
        for tried, received_us, _ in arrived.get(i, []):
            tried_in_vain[tried] += 1
            assert received_us >= span.to_us
        # Within five minutes' outage the last try, 420 seconds on, is always after it.
        assert i in arrived
    assert min(tried_in_vain[k] for k in (1, 2, 3)) > 0


def test_an_outage_longer_than_seven_minutes_loses_what_began_early_in_it(make: Make) -> None:
    made = make(3000, days=1, features=Features.quiet(outage_minutes=(60,)))
    (part,) = made.chunk(0)
    (span,) = made.outages
    arrived = of_callbacks(part)
    early = inside(part.said.at_us, [Outage(span.from_us, span.to_us - 430_000_000)])
    assert early.sum() > 100
    assert not any(i in arrived for i in np.nonzero(early)[0].tolist())


def test_nothing_arrives_after_the_history_ends(make: Make) -> None:
    busy = make(5000, days=1)
    (part, _) = busy.chunk(0)
    assert (part.said.at_us > busy.end_us).sum() > 10
    assert (part.story.verified_us > busy.end_us).sum() > 0
    assert (part.arrivals.received_us < busy.end_us).all()
    assert (part.reports.received_us < busy.end_us).all()


class Told(NamedTuple):
    """The reports of sessions that began well before the end, in microseconds."""

    story: Story
    settled: np.ndarray[tuple[int], np.dtype[np.bool_]]
    session: Integers
    verified_us: Integers
    received_us: Integers

    def count(self, moments_us: Integers) -> int:
        """How many of these sessions have such a moment."""
        return int((moments_us[self.settled] >= 0).sum())


def reports(make: Make, **features: float) -> Told:
    made = make(1200, days=28, features=Features.quiet(**features))
    (part,) = made.chunk(0)
    settled = part.story.start.start_us < made.end_us - 3_600_000_000
    rows = settled[part.reports.session]
    columns = (part.reports.session, part.reports.verified_us, part.reports.received_us)
    return Told(part.story, settled, *(column[rows] for column in columns))


def test_the_application_reports_each_verification_soon_after_it(make: Make) -> None:
    told = reports(make)
    verified_us = told.story.verified_us[told.session]
    assert len(told.session) == told.count(told.story.verified_us) > 900
    assert ((verified_us - told.verified_us) < 1000).all()
    assert ((verified_us - told.verified_us) >= 0).all()
    assert (told.verified_us % 1000 == 0).all()
    assert (told.received_us > verified_us).all()


def test_a_second_verification_is_reported_too(make: Make) -> None:
    told = reports(make, reuse=0.3)
    again = told.count(told.story.verified_again_us)
    assert again > 100
    assert len(told.session) == told.count(told.story.verified_us) + again


def test_a_wrong_clock_lies_minutes_behind(make: Make) -> None:
    told = reports(make, clock_faults=1.0)
    behind = (told.story.verified_us[told.session] - told.verified_us) / 1e6
    assert behind.min() > 119
    assert behind.max() < 721


def test_a_report_sent_twice_says_the_same(make: Make) -> None:
    told = reports(make, duplicate_reports=1.0)
    rows = Counter(zip(told.session.tolist(), told.verified_us.tolist(), strict=True))
    assert set(rows.values()) == {2}


def test_reports_wait_out_an_outage_or_are_never_made(make: Make) -> None:
    made = make(3000, days=1, features=Features.quiet(outage_minutes=(60,)))
    (part,) = made.chunk(0)
    (span,) = made.outages
    assert not inside(part.reports.received_us, [span]).any()
    there = inside(part.reports.verified_us, [Outage(span.from_us, span.to_us - 60_000_000)])
    verified = inside(part.story.verified_us, [Outage(span.from_us, span.to_us - 60_000_000)])
    assert there.sum() / verified.sum() == pytest.approx(0.5, abs=0.15)
    assert (part.reports.received_us[there] >= span.to_us + 2_000_000).all()
