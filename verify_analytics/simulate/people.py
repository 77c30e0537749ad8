"""Decides who asks for a code, who waits, who asks again, and who types it in.

The truth of a simulated history, before anybody tells anybody about it. Sessions are rows, their attempts columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify_analytics.simulate import countries, networks
from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.features import Features
from verify_analytics.simulate.networks import NEVER, Flags, Sending
from verify_analytics.simulate.streams import Floats, Streams
from verify_analytics.simulate.words import DELIVERED, NONE, SMS, STATUS, VOICE, WHATSAPP

# Codes that somebody asks for because the first did not come; the last column is for a need that arises later.
ASKS = 4
ATTEMPTS = ASKS + 1


@dataclass(frozen=True)
class Start:
    """How each session begins: one element per session, by time."""

    start_us: Integers
    place: Integers
    recipient: list[str]
    bot: Flags


@dataclass(frozen=True)
class Story:
    """What really happened. Shape (sessions,), or (sessions, `ATTEMPTS`) for attempts; times in µs, -1 for never."""

    start: Start
    expires_us: Integers
    verified_us: Integers
    verified_again_us: Integers
    exists: Flags
    channel: Integers
    requested_us: Integers
    ringing_us: Integers
    accepted_us: Integers
    delivered_us: Integers
    ended_us: Integers
    fate: Integers
    told: Integers
    """What the receipt says, one of `words.FATES`; none where none is sent."""
    ending: Integers
    """The status that goes with the end, as a number of `words.STATUSES`."""
    code: Integers
    """The error code that goes with the end, as a number of `networks.CODES`."""

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return len(self.expires_us)

    @property
    def sequence(self) -> Integers:
        """Count which attempt of its session each is, from 1; shape (sessions, `ATTEMPTS`)."""
        return np.cumsum(self.exists, axis=1)


@dataclass(frozen=True)
class _Asked:
    """When and over which channel people ask, and when they would type in each code; seconds since the start."""

    at: Floats
    channel: Integers
    entered: Floats


@dataclass(frozen=True)
class _World:
    """What all steps of one session's life need."""

    start: Start
    message: Sending
    voice: Sending
    typing: Floats
    streams: Streams
    features: Features
    expiry_seconds: float

    def entered(self, at: Floats, channel: Integers, k: int) -> Floats:
        """When the code of attempt `k` is typed in, if it is asked for at `at`."""
        delivered = np.where(channel == VOICE, self.voice.delivered[:, k], self.message.delivered[:, k])
        return at + delivered + self.typing[:, k]


def live(start: Start, streams: Streams, features: Features, *, expiry_seconds: float) -> Story:
    """Let people ask for codes, networks carry them, and people type them in.

    Parameters
    ----------
    start
        How each session begins.
    streams
        Of this part of the history and this population.
    expiry_seconds
        How long a session's code is valid; asking again within this time is another attempt of the same session.
    """
    shape = (len(start.place), ATTEMPTS)
    place = np.broadcast_to(start.place[:, None], shape)
    world = _World(
        start=start,
        message=networks.messages(place, np.broadcast_to(start.bot[:, None], shape), streams),
        voice=networks.calls(place, streams),
        typing=_typing(start, streams, shape),
        streams=streams,
        features=features,
        expiry_seconds=expiry_seconds,
    )
    asked = _asking(world)
    verified = np.min(asked.entered, axis=1, initial=NEVER)
    verified = np.where(verified < expiry_seconds, verified, NEVER)
    again = _reuse(world, asked, verified)
    return _written_down(world, asked, verified, again)


def _typing(start: Start, streams: Streams, shape: tuple[int, int]) -> Floats:
    """Say how long after its arrival a code is typed in; never by bots, and by people who lost interest."""
    willing = ~start.bot & (streams.uniform("typing.willing", shape[0]) < countries.column("engaged")[start.place])
    # Somebody quick is quick at every attempt.
    person = streams.lognormal("typing.person", (shape[0], 1), sigma=0.45)
    seconds = 3.0 + 8.0 * person * streams.lognormal("typing.code", shape, sigma=0.4)
    return np.where(willing[:, None], seconds, NEVER)


def _asking(world: _World) -> _Asked:
    """Let people ask, wait, and ask again, perhaps over the other channel."""
    start, streams, features, shape = world.start, world.streams, world.features, world.typing.shape
    asked = _Asked(np.full(shape, NEVER), np.full(shape, SMS), np.full(shape, NEVER))
    call_first = streams.uniform("asking.first_channel", shape[0]) < countries.column("voice_first")[start.place]
    asked.channel[:, 0] = np.where(call_first & ~start.bot & features.voice_first, VOICE, SMS)
    asked.at[:, 0] = 0.0
    wait = 18.0 + 27.0 * streams.lognormal("asking.wait", shape, sigma=0.7)
    eager = np.where(start.bot, 0.1, countries.column("eager")[start.place]) * features.resends
    switch = np.where(start.bot, 0.0, countries.column("fallback")[start.place]) * features.fallback
    asks_again = streams.uniform("asking.again", shape)
    switches = streams.uniform("asking.switch", shape)
    best = np.full(shape[0], NEVER)
    for k in range(ASKS):
        asked.entered[:, k] = world.entered(asked.at[:, k], asked.channel[:, k], k)
        best = np.minimum(best, asked.entered[:, k])
        if k + 1 < ASKS:
            moment = asked.at[:, k] + wait[:, k]
            again = (best > moment) & (asks_again[:, k] < eager) & (moment < world.expiry_seconds - 20.0)
            # Who tried more than once in vain is readier to try something else.
            other = switches[:, k] < switch * (1.0 + 0.4 * k)
            asked.at[:, k + 1] = np.where(again, moment, NEVER)
            asked.channel[:, k + 1] = np.where(other, SMS + VOICE - asked.channel[:, k], asked.channel[:, k])
    return asked


def _reuse(world: _World, asked: _Asked, verified: Floats) -> Floats:
    """Let a few need a code again while the session lives: the last attempt, after the verification.

    Gives when the second verification happens.
    """
    k, streams = ATTEMPTS - 1, world.streams
    left = np.where(np.isfinite(verified), world.expiry_seconds - verified - 10.0, -1.0)
    needs = (streams.uniform("reuse", len(left)) < world.features.reuse) & (left > 0)
    wait = 5.0 + 0.9 * np.maximum(left, 0.0) * streams.uniform("reuse.when", len(left))
    asked.at[:, k] = np.where(needs, verified + wait, NEVER)
    asked.channel[:, k] = asked.channel[:, 0]
    again = world.entered(asked.at[:, k], asked.channel[:, k], k)
    return np.where(again < world.expiry_seconds, again, NEVER)


def _written_down(world: _World, asked: _Asked, verified: Floats, again: Floats) -> Story:
    """Turn seconds into moments, and say what receipts tell."""
    start, streams, features = world.start, world.streams, world.features
    call = networks.is_call(asked.channel)
    sent = networks.by_channel(call, world.voice, world.message)
    place = np.broadcast_to(start.place[:, None], call.shape)
    exists = np.isfinite(asked.at)
    told = networks.receipts(sent.fate, place, call, streams, features)
    # Where no receipt is sent the network had its reasons all the same: the truth keeps them.
    known = np.where(told == NONE, sent.fate, told)
    ending, code = networks.endings(known, call, sent, streams, features)
    channel = np.where(call, VOICE, networks.message_channels(call.shape, streams, features))
    read = (channel == WHATSAPP) & (known == DELIVERED) & (streams.uniform("odd.read", call.shape) < 0.3)
    begin = start.start_us[:, None]
    return Story(
        start=start,
        expires_us=start.start_us + round(world.expiry_seconds * 1e6),
        verified_us=_moment(start.start_us, verified),
        verified_again_us=_moment(start.start_us, again),
        exists=exists,
        channel=channel,
        requested_us=_moment(begin, asked.at),
        ringing_us=_moment(begin, asked.at + sent.ringing),
        accepted_us=_moment(begin, asked.at + sent.accepted),
        delivered_us=np.where(sent.fate == DELIVERED, _moment(begin, asked.at + sent.delivered), -1),
        ended_us=_moment(begin, asked.at + sent.ended),
        fate=sent.fate,
        told=told,
        ending=np.where(read, STATUS["read"], ending),
        code=code,
    )


def _moment(begin_us: Integers, seconds: Floats) -> Integers:
    """Turn seconds since the start into µs since 1970, `NEVER` into -1."""
    happens = np.isfinite(seconds)
    return np.where(happens, begin_us + np.rint(np.where(happens, seconds, 0.0) * 1e6).astype(np.int64), -1)
