"""Says what a reader should conclude from what arrived: a second opinion, in plain Python.

The model answers this question with joins and minima on whole tables; here one callback after the other goes into a
dictionary. The two share no line, so where they agree on every count, both are believed. The rules, as read from the
dictionary of metrics:

1. *Cut.* What was received after `as_of` does not exist. Reports of the application are cut by when they were received.
2. *Facts.* Where callbacks of one attempt differ, the smallest value counts. An attempt started at its smallest
   requested moment, and where none could be read, when it was first heard of.
3. *No attempt.* A callback without an attempt's identifier tells of its session and of no attempt.
4. *States.* A status means what the table says for the callback's own channel; a missing channel is read like the
   channels without a row of their own. An empty status says nothing. Any other text is unlisted.
5. *Outcome*, the first that fits: `unobserved`; delivered, undelivered, failed, if ever said; `unknown` when nothing
   but unlisted statuses were said, at any age; `pending` while younger than patience; `accepted`; `silent`.
6. *Unobserved.* Waiting lasts from the start to patience later, both included. An attempt is unobserved when any minute
   that its waiting touches lies in an outage that is known as of the reading: over, and a whole minute heard after it.
7. *Role.* Sequence 1 is the first choice, always. Otherwise an attempt that started after its session was first
   verified (by report, or by the arrival of a callback that said so) is `after_verified`; otherwise the channel of the
   attempt just before it, by sequence, makes it a resend or a fallback, and where that one was never heard of it is
   `unknown`. A report of success before the first choice was made comes from a wrong clock and gives no role.
8. *Code.* Of the callbacks that said the outcome, if that is undelivered or failed: the smallest text that is an error.
9. *Mature* by age alone: an attempt that started at least `patience` before; a session whose last attempt, whatever its
   role, started at least `window` and `patience` before. Where no attempt was named, what was said without a name
   stands for the attempts.
10. *Session*: verified if ever said so, else expired if ever said so, else abandoned when mature, else open.
11. *Observable*: whether a source was speaking while a session waited is asked in `spells`, of all sessions together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

_MINUTE_US = 60_000_000
_SENT = {
    "queued": "queued",
    "sent": "accepted",
    "failed": "failed",
    "undelivered": "undelivered",
    "delivered": "delivered",
}
_CALLED = {
    "queued": "queued",
    "ringing": "ringing",
    "in-progress": "accepted",
    "answer": "accepted",
    "failed": "failed",
    "canceled": "failed",
    "cancel": "failed",
    "timeout": "failed",
    "no-answer": "undelivered",
    "busy": "undelivered",
    "completed": "delivered",
}
_STATES = {"sms": _SENT, "voice": _CALLED}
_OTHER_CHANNELS = {**_SENT, "read": "delivered"}


class Heard(NamedTuple):
    """One callback as received; None where a field was missing, empty or could not be read."""

    received_us: int
    session_id: str
    session_status: str | None
    attempt_id: str | None
    sequence: int | None
    channel: str | None
    status: str | None
    code: str | None
    requested_us: int | None
    country: str | None


class Reported(NamedTuple):
    """One report of the application as received."""

    session_id: str
    verified_us: int
    received_us: int


class Reading(NamedTuple):
    """From which moment, and how patiently, the record is read.

    Parameters
    ----------
    outages
        (from, to) of each outage, whole minutes, the end excluded. One after which no whole minute was heard by the
        time of the reading is silence whose reason nobody knows yet.
    """

    as_of_us: int
    patience_us: int
    window_us: int
    outages: tuple[tuple[int, int], ...] = ()


class Seen(NamedTuple):
    """What a reader concludes about one attempt."""

    session_id: str
    sequence: int | None
    channel: str | None
    country: str | None
    started_us: int
    role: str
    outcome: str
    error_code: str | None
    mature: bool


class SeenSession(NamedTuple):
    """What a reader concludes about one session."""

    verified_app_us: int | None
    verified_callback_us: int | None
    expired_us: int | None
    outcome: str
    mature: bool
    started_us: int
    last_started_us: int
    reached: bool
    """Whether a code may have reached somebody: delivered, or accepted and nothing worse."""
    told_us: tuple[int, ...]
    """When the first callback of each attempt came that said verified."""


@dataclass
class _Attempt:
    facts: dict[str, set[str | int]] = field(default_factory=dict)
    first_received_us: int = 0
    told_us: int | None = None
    states: set[str] = field(default_factory=set)
    codes: dict[str, set[str]] = field(default_factory=dict)

    def least(self, name: str) -> str | int | None:
        return min(self.facts.get(name, ()), default=None)

    @property
    def started_us(self) -> int:
        requested = self.least("requested_us")
        return self.first_received_us if requested is None else int(requested)


@dataclass
class _Session:
    attempts: dict[str, _Attempt] = field(default_factory=dict)
    nameless: dict[str, _Attempt] = field(default_factory=dict)
    reported_us: list[int] = field(default_factory=list)
    said_us: dict[str, int] = field(default_factory=dict)


def conclude(
    heard: Iterable[Heard], reported: Iterable[Reported], reading: Reading
) -> tuple[dict[str, Seen], dict[str, SeenSession]]:
    """Read a record: attempts by identifier, and sessions by identifier.

    Parameters
    ----------
    heard
        Callbacks in any order, redeliveries included.
    reported
        Reports in any order. One about a session that was never heard of concludes nothing.
    reading
        From which moment, and how patiently.

    Raises
    ------
    ValueError
        If an attempt is named by two sessions: the simulated provider never does that.
    """
    sessions = _collected(heard, reported, reading.as_of_us)
    attempts: dict[str, Seen] = {}
    for session_id, session in sessions.items():
        for attempt_id, attempt in session.attempts.items():
            if attempt_id in attempts:
                raise ValueError("two sessions name one attempt")
            attempts[attempt_id] = _seen(session_id, attempt, session, reading)
    return attempts, {session_id: _seen_session(session, reading) for session_id, session in sessions.items()}


def _collected(heard: Iterable[Heard], reported: Iterable[Reported], as_of_us: int) -> dict[str, _Session]:
    sessions: dict[str, _Session] = {}
    for one in sorted(heard, key=attrgetter("received_us")):
        if one.received_us > as_of_us:
            break
        session = sessions.setdefault(one.session_id, _Session())
        said = {"validated": "verified"}.get(_word(one.session_status), _word(one.session_status))
        session.said_us.setdefault(said, one.received_us)
        known = session.nameless if one.attempt_id is None else session.attempts
        attempt = known.setdefault(one.attempt_id or "", _Attempt(first_received_us=one.received_us))
        if said == "verified" and attempt.told_us is None:
            attempt.told_us = one.received_us
        _note(attempt, one)
    for report in reported:
        if report.received_us <= as_of_us and report.session_id in sessions:
            sessions[report.session_id].reported_us.append(report.verified_us)
    return sessions


def _note(attempt: _Attempt, one: Heard) -> None:
    channel, status = _word(one.channel), _word(one.status)
    facts = {
        "sequence": one.sequence,
        "channel": channel or None,
        "country": one.country,
        "requested_us": one.requested_us,
    }
    for name, value in facts.items():
        if value is not None:
            attempt.facts.setdefault(name, set()).add(value)
    if status:
        state = _STATES.get(channel, _OTHER_CHANNELS).get(status, "unlisted")
        attempt.states.add(state)
        if one.code not in {None, "", "000"} and not (one.code == "0" and (channel != "voice" or state == "delivered")):
            attempt.codes.setdefault(state, set()).add(str(one.code))


def _seen(session_id: str, attempt: _Attempt, session: _Session, reading: Reading) -> Seen:
    mature = attempt.started_us <= reading.as_of_us - reading.patience_us
    settled = next((state for state in ("delivered", "undelivered", "failed") if state in attempt.states), None)
    codes = attempt.codes.get(settled, set()) if settled in {"undelivered", "failed"} else set()
    sequence, channel, country = attempt.least("sequence"), attempt.least("channel"), attempt.least("country")
    return Seen(
        session_id=session_id,
        sequence=None if sequence is None else int(sequence),
        channel=None if channel is None else str(channel),
        country=None if country is None else str(country),
        started_us=attempt.started_us,
        role=_role(attempt, session),
        outcome="unobserved" if _is_unobserved(attempt, reading) else settled or _unsettled(attempt, mature=mature),
        error_code=min(codes, default=None),
        mature=mature,
    )


def _unsettled(attempt: _Attempt, *, mature: bool) -> str:
    if attempt.states == {"unlisted"}:
        return "unknown"
    if not mature:
        return "pending"
    return "accepted" if "accepted" in attempt.states else "silent"


def _is_unobserved(attempt: _Attempt, reading: Reading) -> bool:
    first = attempt.started_us // _MINUTE_US * _MINUTE_US
    last = (attempt.started_us + reading.patience_us) // _MINUTE_US * _MINUTE_US
    return any(down <= last and first < up for down, up in reading.outages if up + _MINUTE_US <= reading.as_of_us)


def _role(attempt: _Attempt, session: _Session) -> str:
    sequence = attempt.least("sequence")
    if sequence == 1:
        return "first_choice"
    said = [session.said_us.get("verified"), min(session.reported_us, default=None)]
    if said[1] is not None and any(other.least("sequence") == 1 for other in session.attempts.values()):
        began = min(other.started_us for other in session.attempts.values())
        said[1] = said[1] if said[1] >= began else None
    if any(moment is not None and attempt.started_us > moment for moment in said):
        return "after_verified"
    before = [
        other
        for other in session.attempts.values()
        if sequence is not None and other.least("sequence") == int(sequence) - 1
    ]
    if not before:
        return "unknown"
    return "resend" if before[0].least("channel") == attempt.least("channel") else "fallback"


def _verified_us(session: _Session) -> int | None:
    said = [session.said_us["verified"]] if "verified" in session.said_us else []
    return min([*session.reported_us, *said], default=None)


def _seen_session(session: _Session, reading: Reading) -> SeenSession:
    attempts = (session.attempts or session.nameless).values()
    everything = [*session.attempts.values(), *session.nameless.values()]
    last_started_us = max(attempt.started_us for attempt in attempts)
    mature = last_started_us <= reading.as_of_us - reading.window_us - reading.patience_us
    if _verified_us(session) is not None:
        outcome = "verified"
    elif "expired" in session.said_us:
        outcome = "expired"
    else:
        outcome = "abandoned" if mature else "open"
    return SeenSession(
        verified_app_us=min(session.reported_us, default=None),
        verified_callback_us=session.said_us.get("verified"),
        expired_us=session.said_us.get("expired"),
        outcome=outcome,
        mature=mature,
        started_us=min(attempt.started_us for attempt in attempts),
        last_started_us=last_started_us,
        reached=any(_reached(attempt.states) for attempt in everything),
        told_us=tuple(attempt.told_us for attempt in everything if attempt.told_us is not None),
    )


def _reached(states: set[str]) -> bool:
    return "delivered" in states or ("accepted" in states and not states & {"failed", "undelivered"})


def _word(text: str | None) -> str:
    return (text or "").strip().lower()
