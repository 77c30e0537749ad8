"""Decides what reaches the collector, when, how often and in which order.

Callbacks are lost, held up, sent again because the answer was not heard, and cannot arrive while the collector is down.
The provider tries again 60 seconds after the first try, 120 after that and 240 after that; then it gives up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verify_analytics.simulate.callbacks import CELLS, Said
from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.features import Features
from verify_analytics.simulate.networks import Flags
from verify_analytics.simulate.people import Story
from verify_analytics.simulate.rhythm import Outage, inside
from verify_analytics.simulate.streams import Streams

# Seconds from the first try to each try.
TRIES = (0, 60, 180, 420)
# Each fresh nonce of one callback is this far from the one before: odd, so that none returns.
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Arrivals:
    """What is received: one element per arrival, ordered by callback and then by try."""

    callback: Integers
    """Position in `Said`."""
    tried: Integers
    """Which of the provider's tries it is, from 0."""
    received_us: Integers
    nonce: NDArray[np.uint64]


@dataclass(frozen=True)
class Reports:
    """What the application reports of its own successes and the collector receives: one element per arrival."""

    session: Integers
    verified_us: Integers
    received_us: Integers


def arrive(said: Said, story: Story, streams: Streams, features: Features, down: list[Outage]) -> Arrivals:
    """Let the provider deliver its callbacks."""
    shape = (story.sessions, CELLS)
    cell = (said.session, said.cell)
    lost = streams.uniform("way.lost", shape)[cell] < features.lost
    late = streams.uniform("way.late", shape)[cell]
    heard = streams.uniform("way.redelivered", shape)[cell]
    fresh = streams.uniform("way.fresh_nonce", shape)[cell] < features.fresh_nonce
    held_up = streams.uniform("way.disorder", shape)[cell] < features.disorder
    latency = 0.04 + 0.12 * streams.lognormal("way.latency", shape, sigma=0.8)[cell]
    latency += np.where(held_up, 0.5 + 14.0 * streams.uniform("way.held_up", shape)[cell], 0.0)
    jitter = streams.uniform("way.jitter", (*shape, len(TRIES)))[cell]
    nonce = streams.generator("way.nonce").integers(0, 2**64, shape, dtype=np.uint64)[cell]

    # A retry is a new request: it has the network's luck of its own moment.
    seconds = np.array(TRIES) + latency[:, None] * (0.6 + 0.8 * jitter)
    received_us = said.at_us[:, None] + np.rint(seconds * 1e6).astype(np.int64)
    tried = np.arange(len(TRIES))
    reached = (tried >= _how_many(late, features.late)[:, None]) & ~inside(received_us, down) & ~lost[:, None]
    # Once an answer is heard there are no more tries.
    arrives = reached & (np.cumsum(reached, axis=1) <= 1 + _how_many(heard, features.redelivered)[:, None])
    nonces = nonce[:, None] + np.where(fresh[:, None], tried.astype(np.uint64) * _STEP, np.uint64(0))
    callback, which = np.nonzero(arrives)
    return Arrivals(callback.astype(np.int64), which.astype(np.int64), received_us[arrives], nonces[arrives])


def report(
    story: Story, streams: Streams, features: Features, down: list[Outage], period_us: tuple[int, int]
) -> Reports:
    """Let the application report who verified: a second verification of one session too.

    Parameters
    ----------
    story, streams, features
        Of this part of the history.
    down
        When the collector was down; what an application could not report then it reports afterwards or never.
    period_us
        Start and end of the whole history, which `Features.reporter_gaps` are fractions of.
    """
    shape = (story.sessions, 2)
    verified_us = np.stack([story.verified_us, story.verified_again_us], axis=1)
    sends = (verified_us >= 0) & (streams.uniform("app.reports", shape) < features.app_reports)
    for begin, end in features.reporter_gaps:
        length = period_us[1] - period_us[0]
        sends &= (verified_us < period_us[0] + begin * length) | (verified_us >= period_us[0] + end * length)
    faulty = streams.uniform("app.clock", shape) < features.clock_faults
    behind = np.rint(1e6 * (120 + 600 * streams.uniform("app.behind", shape))).astype(np.int64)
    # An application writes milliseconds.
    written = np.where(faulty, verified_us - behind, verified_us) // 1000 * 1000
    takes = np.rint(1e6 * (0.02 + 0.15 * streams.lognormal("app.delay", shape, sigma=0.9))).astype(np.int64)
    received_us = verified_us + takes
    queue = streams.uniform("app.queue", shape)
    kept = sends & ~_unreported(received_us, queue, down)
    received_us = _after_outage(received_us, queue, down)
    twice = kept & (streams.uniform("app.twice", shape) < features.duplicate_reports)
    again_us = received_us + np.rint(1e6 * (1 + 20 * streams.uniform("app.twice_delay", shape))).astype(np.int64)
    twice &= ~inside(again_us, down)
    rows = np.broadcast_to(np.arange(story.sessions)[:, None], shape)
    return Reports(
        session=np.concatenate([rows[kept], rows[twice]]),
        verified_us=np.concatenate([written[kept], written[twice]]),
        received_us=np.concatenate([received_us[kept], again_us[twice]]),
    )


def _unreported(received_us: Integers, queue: NDArray[np.float64], down: list[Outage]) -> Flags:
    """Say which reports are never made: half of those that met a collector that was down."""
    return inside(received_us, down) & (queue < 0.5)


def _after_outage(received_us: Integers, queue: NDArray[np.float64], down: list[Outage]) -> Integers:
    """Hold back what met a collector that was down until it is up again, and up to three minutes more."""
    for span in down:
        waiting = inside(received_us, [span])
        received_us = np.where(waiting, span.to_us + np.rint(1e6 * (2 + 180 * queue)).astype(np.int64), received_us)
    return received_us


def _how_many(luck: NDArray[np.float64], share: float) -> Integers:
    """Turn luck into a number of tries: mostly none, then mostly one, up to three."""
    return (luck < share).astype(np.int64) + (luck < share / 4) + (luck < share / 12)
