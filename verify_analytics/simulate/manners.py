"""Chooses how the provider writes one session's callbacks: method, formats, spelling, signatures.

Nobody outside knows some of these, so most sessions are written in the likeliest way and a few in each other one.
A session keeps its manners throughout: an application sets the method once, and a server keeps its format.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify_analytics.simulate.callbacks import NO_ATTEMPT, Said
from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.features import Features
from verify_analytics.simulate.networks import CODES, Flags
from verify_analytics.simulate.people import ATTEMPTS, Story
from verify_analytics.simulate.streams import Streams
from verify_analytics.simulate.words import (
    CHANNELS,
    NO_ERROR,
    SESSION_STATUSES,
    STATUSES,
    TIME_GRAINS,
    USUAL_TIME,
    written_times,
)

BOTH, PLAIN, MAIN = range(3)
EXTRAS = (("Locale", "en_US"), ("Brandname", "Example Ltd"), ("CodeLength", "6"))


@dataclass(frozen=True)
class Manners:
    """How each session is written: one element per session, but for `attempt_id`."""

    session_id: list[str]
    attempt_id: list[str]
    """`ATTEMPTS` for each session, whether they come about or not."""
    time_format: Integers
    no_error: Integers
    plus: Flags
    loud: Flags
    extra: Flags
    get: Flags
    v3: Flags
    signers: Integers
    """Which headers are sent when there is a main token: both, only plain, only ``Ma-``."""
    rotation: bool
    """Whether an older token signs the first third of the history; the same for all sessions."""


def choose(story: Story, streams: Streams, features: Features) -> Manners:
    """Choose each session's identifiers and manners."""
    n = story.sessions
    odd_time = streams.uniform("written.time", n)
    formats = 1 + (streams.uniform("written.time_format", n) * (len(TIME_GRAINS) - 1)).astype(np.int64)
    odd_code = streams.uniform("written.no_error", n)
    spelling = 1 + (streams.uniform("written.no_error_spelling", n) * (len(NO_ERROR) - 1)).astype(np.int64)
    signers = streams.uniform("signed.by", n)
    return Manners(
        session_id=streams.uuids("session_id", n),
        attempt_id=streams.uuids("attempt_id", n * ATTEMPTS),
        time_format=np.where(odd_time < features.time_formats, formats, USUAL_TIME),
        no_error=np.where(odd_code < features.code_spelling, spelling, 0),
        plus=streams.uniform("written.plus", n) < features.plus_sign,
        loud=streams.uniform("written.loud", n) < features.loud_case,
        extra=streams.uniform("written.extra", n) < features.extra_fields,
        get=streams.uniform("written.get", n) < features.get,
        v3=streams.uniform("signed.v3", n) < features.v3,
        signers=np.where(signers < 0.7, BOTH, np.where(signers < 0.85, PLAIN, MAIN)),
        rotation=features.rotation,
    )


def fields_of(said: Said, story: Story, manners: Manners) -> list[list[tuple[str, str]]]:
    """Write the fields of each callback, as names and values in the provider's order.

    Returns
    -------
    list
        One list of (name, value) for each element of `Said`.
    """
    times = written_times(said.requested_us, manners.time_format[said.session])
    channel = story.channel[said.session, np.maximum(said.attempt, 0)].tolist()
    sequence = story.sequence[said.session, np.maximum(said.attempt, 0)].tolist()
    columns = (said.session, said.attempt, said.named, said.status, said.session_status, said.code)
    written = []
    for i, (session, attempt, named, status, session_status, code) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        plus = "+" if manners.plus[session] else ""
        row: list[tuple[str, str | None]] = [
            ("SessionUUID", manners.session_id[session]),
            ("SessionStatus", SESSION_STATUSES[session_status]),
            ("RequestTime", times[i]),
            ("Recipient", f"{plus}{story.start.recipient[session]}"),
            ("ChannelErrorCode", CODES[code] or NO_ERROR[manners.no_error[session]]),
        ]
        if attempt != NO_ATTEMPT:
            loud = manners.loud[session]
            row += [
                ("Channel", word(CHANNELS[channel[i]], loud=loud)),
                ("AttemptUUID", manners.attempt_id[session * ATTEMPTS + attempt] if named else ""),
                ("AttemptSequence", str(sequence[i])),
                ("ChannelStatus", word(STATUSES[status], loud=loud)),
            ]
        row += EXTRAS if manners.extra[session] else ()
        written.append([(name, value) for name, value in row if value is not None])
    return written


def word(text: str, *, loud: bool) -> str:
    """Write a word as a session does that is loud, or is not."""
    return text.upper() if loud else text
