"""Decides what the provider says of an attempt and of a session, and when.

Turns what happened into callbacks on their way out. Each session has a fixed row of cells, one for every callback that
could be sent: four for each attempt, two for the session's end. Later steps draw their luck for all cells and use that
of the callbacks that are sent, so one callback more moves no other's luck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.features import Features
from verify_analytics.simulate.networks import Flags, is_call
from verify_analytics.simulate.people import ATTEMPTS, Story
from verify_analytics.simulate.streams import Streams
from verify_analytics.simulate.words import EXPIRED, IN_PROGRESS, NONE, ODD_STATUSES, STATUS, VERIFIED

# Of an attempt: queued, ringing, accepted, ended. Of a session: verified, expired.
STEPS = 4
CELLS = STEPS * ATTEMPTS + 2
NO_ATTEMPT = -1


@dataclass(frozen=True)
class Said:
    """What the provider sends: one element per callback, by session and cell."""

    session: Integers
    cell: Integers
    attempt: Integers
    """Which of the session's attempts it is about, from 0; `NO_ATTEMPT` where it names none at all."""
    named: Flags
    """Whether it carries an AttemptUUID."""
    at_us: Integers
    status: Integers
    """Number of `words.STATUSES`."""
    session_status: Integers
    code: Integers
    """Number of `networks.CODES`, 0 for no error."""
    requested_us: Integers
    """RequestTime: of the attempt, or of the session's first where it names none."""


@dataclass(frozen=True)
class _Cells:
    """All cells of all sessions, shape (sessions, `CELLS`); `at_us` is -1 where no callback is sent."""

    at_us: Integers
    status: Integers
    code: Integers
    attempt: Integers


def say(story: Story, streams: Streams, features: Features) -> Said:
    """Send a callback at every change of a status, and at some sessions' ends."""
    n = story.sessions
    tells_verified = streams.uniform("tells.verified", n) < features.verified_callbacks
    tells_expired = streams.uniform("tells.expired", n) < features.expired_callbacks
    delay = np.rint(0.1e6 + 20e6 * streams.uniform("tells.delay", n) ** 6).astype(np.int64)
    verified = story.verified_us >= 0
    cells = _attempt_cells(story, streams, features)
    for column, end_us in (
        (CELLS - 2, np.where(tells_verified & verified, story.verified_us + delay, -1)),
        (CELLS - 1, np.where(tells_expired & ~verified, story.expires_us + delay, -1)),
    ):
        _session_cell(cells, story, column, end_us)
    nameless = streams.uniform("tells.nameless", n) < 0.5
    cells.attempt[nameless, -2:] = NO_ATTEMPT
    at_us = cells.at_us
    session_status = np.where(
        (tells_verified & verified)[:, None] & (at_us >= story.verified_us[:, None]),
        VERIFIED,
        np.where((tells_expired & ~verified)[:, None] & (at_us >= story.expires_us[:, None]), EXPIRED, IN_PROGRESS),
    )
    unnamed = streams.uniform("unnamed", at_us.shape) < features.no_attempt_id
    never_named = streams.uniform("unnamed.attempt", (n, ATTEMPTS)) < features.no_attempt_id
    sent = at_us >= 0
    session, cell = np.nonzero(sent)
    attempt = cells.attempt[sent]
    bare = attempt == NO_ATTEMPT
    anonymous = unnamed[sent] | never_named[session, np.where(bare, 0, attempt)]
    return Said(
        session=session.astype(np.int64),
        cell=cell.astype(np.int64),
        attempt=attempt,
        named=~anonymous & ~bare,
        at_us=at_us[sent],
        status=np.where(bare, STATUS[""], cells.status[sent]),
        session_status=session_status[sent],
        code=np.where(bare, 0, cells.code[sent]),
        requested_us=story.requested_us[session, np.where(bare, 0, attempt)],
    )


def _attempt_cells(story: Story, streams: Streams, features: Features) -> _Cells:
    """Fill the cells of the attempts; those of the session's end are left empty."""
    shape = (story.sessions, ATTEMPTS)
    call, exists = is_call(story.channel), story.exists
    queued = story.requested_us + np.rint(0.05e6 + 0.3e6 * streams.uniform("tells.queued", shape)).astype(np.int64)
    in_progress = np.where(streams.uniform("tells.answer", shape) < 0.03, STATUS["answer"], STATUS["in-progress"])
    at_us = np.stack(
        [
            np.where(call, -1, queued),
            story.ringing_us,
            story.accepted_us,
            np.where(story.told == NONE, -1, story.ended_us),
        ],
        axis=-1,
    )
    status = np.empty((*shape, STEPS), dtype=np.int64)
    status[..., 0] = STATUS["queued"]
    status[..., 1] = STATUS["ringing"]
    status[..., 2] = np.where(call, in_progress, STATUS["sent"])
    status[..., 3] = story.ending
    odd = streams.uniform("odd.status", shape)
    status[odd < features.odd_status / 2] = STATUS[ODD_STATUSES[0]]
    status[(odd >= features.odd_status / 2) & (odd < features.odd_status), 2] = STATUS[ODD_STATUSES[1]]
    code = np.zeros((*shape, STEPS), dtype=np.int64)
    code[..., 3] = story.code
    at_us = np.where(exists[..., None], at_us, -1)
    attempt = np.broadcast_to(np.arange(ATTEMPTS)[:, None], (*shape, STEPS))
    flat = (story.sessions, STEPS * ATTEMPTS)
    ends = ((0, 0), (0, 2))
    return _Cells(
        at_us=np.pad(at_us.reshape(flat), ends, constant_values=-1),
        status=np.pad(status.reshape(flat), ends),
        code=np.pad(code.reshape(flat), ends),
        attempt=np.pad(attempt.reshape(flat), ends),
    )


def _session_cell(cells: _Cells, story: Story, cell: int, at_us: Integers) -> None:
    """Fill a cell about the session's end: it repeats what was last said of the session's latest attempt."""
    rows = np.arange(story.sessions)
    begun = story.exists & (story.requested_us <= at_us[:, None])
    latest = np.argmax(np.where(begun, story.requested_us, -1), axis=1)
    steps = latest[:, None] * STEPS + np.arange(STEPS)
    said_us = cells.at_us[rows[:, None], steps]
    said_us = np.where(said_us <= at_us[:, None], said_us, -1)
    last = np.argmax(said_us, axis=1)
    silent = said_us[rows, last] < 0
    cells.at_us[:, cell] = at_us
    cells.attempt[:, cell] = latest
    cells.status[:, cell] = np.where(silent, STATUS[""], cells.status[rows, steps[rows, last]])
    cells.code[:, cell] = np.where(silent, 0, cells.code[rows, steps[rows, last]])
