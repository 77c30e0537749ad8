"""What is true of a world: the figures of a history so large that chance hardly matters, read off the simulator itself.

Nothing here goes through callbacks, the model or the metrics. What is true of a session is what its people and its
networks did; of an attempt, what the network told or would have told the provider: a receipt that lies is true as a
receipt, for that is what a delivery rate is a rate of.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench._worlds import DAYS, END, World
from verify_analytics.simulate import history
from verify_analytics.simulate.countries import PLACES
from verify_analytics.simulate.history import Part
from verify_analytics.simulate.networks import CODES
from verify_analytics.simulate.words import CHANNELS, FATES

# Seeds of the large histories; those that are judged count from 0.
FIRST_SEED = 10**6
CHUNK = 16_384
ROLES = np.array(["first_choice", "resend", "fallback", "after_verified"])
# A session of people whose bots come in one burst is a small thing; so are the parts of a large history.
_HISTORY = 3 * CHUNK


class Truth(NamedTuple):
    """Everything that happened: one row per attempt, and one per session.

    `attempts`: session, country, channel, role, receipt (a fate; "none" where none is sent), code, seconds (to
    the sending of the receipt that says delivered, else NaN).
    `sessions`: country, first_channel, attempts (before verification), verified, seconds (NaN for never),
    fell_back, from_channel and to_channel (of the second attempt), resent and too_early.
    """

    attempts: pd.DataFrame
    sessions: pd.DataFrame


def truth_of(world: World, sessions: int) -> Truth:
    """Simulate so many sessions of a world and say what happened."""
    parts = list(_parts(world, sessions))
    begun, attempts, ended = 0, [], []
    for part in parts:
        one, other = _read(part, begun)
        begun += len(other)
        attempts.append(one)
        ended.append(other)
    return Truth(pd.concat(attempts, ignore_index=True), pd.concat(ended, ignore_index=True))


def _parts(world: World, sessions: int) -> Iterator[Part]:
    for number in range(-(-sessions // _HISTORY)):
        size = min(_HISTORY, sessions - number * _HISTORY)
        made = history(
            size, seed=FIRST_SEED + number, end=END, days=DAYS, features=world.features, chunk_sessions=CHUNK
        )
        for parts in made.chunks():
            yield from parts


def _read(part: Part, begun: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    story = part.story
    exists, requested = story.exists, story.requested_us
    verified = story.verified_us >= 0
    after = verified[:, None] & (requested > story.verified_us[:, None]) & exists
    before = _channel_before(exists, story.channel)
    again = before >= 0
    role = np.where(again, np.where(story.channel == before, 1, 2), 0)
    role = np.where(again & after, 3, role)
    row, _ = np.nonzero(exists)
    delivered = np.where(story.told == FATES.index("delivered"), story.ended_us, -1)
    country = np.array([place.country for place in PLACES])[story.start.place]
    attempts = pd.DataFrame(
        {
            "session": begun + row,
            "country": _labels(country[row]),
            "channel": _named(CHANNELS, story.channel[exists]),
            "role": _labels(ROLES[role[exists]]),
            "receipt": _named(FATES, story.told[exists]),
            "code": _named(CODES, story.code[exists]),
            "seconds": np.where(delivered >= 0, (delivered - requested) / 1e6, np.nan)[exists],
        }
    )
    wanted = exists & ~after
    second = wanted[:, 1]
    resent = wanted & (role == 1)
    # The code is asked for again before the receipt of the one before has been sent.
    early = resent[:, 1:] & (delivered[:, :-1] > requested[:, 1:])
    nothing = ""
    sessions = pd.DataFrame(
        {
            "country": _labels(country),
            "first_channel": _named(CHANNELS, story.channel[:, 0]),
            "attempts": wanted.sum(axis=1),
            "verified": verified,
            "seconds": np.where(verified, (story.verified_us - requested[:, 0]) / 1e6, np.nan),
            "fell_back": (wanted & (role == 2)).any(axis=1),
            "from_channel": np.where(second, np.array(CHANNELS)[story.channel[:, 0]], nothing),
            "to_channel": np.where(second, np.array(CHANNELS)[story.channel[:, 1]], nothing),
            "resent": resent.any(axis=1),
            "too_early": early.any(axis=1),
        }
    )
    return attempts, sessions


def _channel_before(exists: NDArray[np.bool_], channel: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the channel of the attempt before, -1 where there is none."""
    before = np.full(channel.shape, -1)
    last = np.full(len(channel), -1)
    for k in range(channel.shape[1]):
        before[:, k] = last
        last = np.where(exists[:, k], channel[:, k], last)
    return before


def _named(names: tuple[str, ...], numbers: NDArray[np.int64]) -> pd.Series:
    return _labels(np.array(names)[numbers])


def _labels(values: NDArray[np.str_]) -> pd.Series:
    return pd.Series(values, dtype="str")
