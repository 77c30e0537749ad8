"""Tells what really happened to each attempt, and what could be known of it from what arrived.

The truth beside a capture, one row per attempt. Columns ``true_*`` are the network's own history; columns ``arrived_*``
are the conclusions of the `witness` from the lines of the capture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from verify_analytics.simulate.callbacks import NO_ATTEMPT
from verify_analytics.simulate.countries import PLACES, Integers
from verify_analytics.simulate.networks import CODES, NORMAL_HANGUP
from verify_analytics.simulate.people import ATTEMPTS, Story
from verify_analytics.simulate.spells import Begun, Speech, speech
from verify_analytics.simulate.witness import Heard, Reading, Reported, Seen, SeenSession, conclude
from verify_analytics.simulate.words import CHANNELS, FATES, NO_ERROR, NONE, SESSION_STATUSES, STATUSES, read_times

if TYPE_CHECKING:
    from verify_analytics.simulate.history import History, Part

_MOMENT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("attempt_id", pa.string()),
        ("session_id", pa.string()),
        ("as_of", _MOMENT),
        ("patience_seconds", pa.float64()),
        ("window_seconds", pa.float64()),
        ("true_sequence", pa.int64()),
        ("true_channel", pa.string()),
        ("true_role", pa.string()),
        ("true_country", pa.string()),
        ("true_bot", pa.bool_()),
        ("true_requested_at", _MOMENT),
        ("true_outcome", pa.string()),
        ("true_receipt", pa.string()),
        ("true_error_code", pa.string()),
        ("true_delivered_at", _MOMENT),
        ("true_verified_at", _MOMENT),
        ("true_expires_at", _MOMENT),
        ("arrived_attempt", pa.bool_()),
        ("arrived_session", pa.bool_()),
        ("arrived_sequence", pa.int64()),
        ("arrived_channel", pa.string()),
        ("arrived_role", pa.string()),
        ("arrived_country", pa.string()),
        ("arrived_outcome", pa.string()),
        ("arrived_error_code", pa.string()),
        ("arrived_mature", pa.bool_()),
        ("arrived_started_at", _MOMENT),
        ("arrived_session_outcome", pa.string()),
        ("arrived_session_mature", pa.bool_()),
        ("arrived_verified_app_at", _MOMENT),
        ("arrived_verified_callback_at", _MOMENT),
        ("arrived_expired_at", _MOMENT),
        ("arrived_observable_app", pa.bool_()),
        ("arrived_observable_callback", pa.bool_()),
    ]
)


def write(history: History, path: Path) -> int:
    """Write the truth of a history as Parquet; the file appears when it is whole.

    Returns
    -------
    int
        How many rows: one per attempt that was requested before the end of the history.

    Notes
    -----
    ``true_receipt`` is what the carrier's receipt said or will say; null where it sends none. ``true_verified_at`` of
    the session is when a person typed the code in, seen or not. Null in ``arrived_*`` where the attempt or the session
    was never heard of up to ``as_of``, and where nothing is known.
    """
    rough = path.with_name(path.name + ".part")
    rows = 0
    try:
        with pq.ParquetWriter(rough, SCHEMA) as writer:
            for batch in _tables(history):
                writer.write_table(batch)
                rows += batch.num_rows
        rough.replace(path)
    finally:
        rough.unlink(missing_ok=True)
    return rows


def table(history: History) -> Any:
    """Give the truth as an Arrow table. One row per attempt."""
    return pa.concat_tables(_tables(history))


def heard(part: Part) -> Iterator[Heard]:
    """Give what arrived as a reader without errors reads it: one for each arrival of a callback."""
    story, said, manners = part.story, part.said, part.manners
    attempt = np.maximum(said.attempt, 0)
    about = (said.session, attempt)
    requested_us = read_times(said.requested_us, manners.time_format[said.session])
    facts = (said.session, said.attempt, said.named, story.sequence[about], story.channel[about])
    columns = (*facts, said.status, said.session_status, said.code, requested_us)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    for callback, received_us in zip(part.arrivals.callback.tolist(), part.arrivals.received_us.tolist(), strict=True):
        session, number, named, sequence, channel, status, session_status, code, requested = rows[callback]
        has_attempt = number != NO_ATTEMPT
        yield Heard(
            received_us=received_us,
            session_id=manners.session_id[session],
            session_status=SESSION_STATUSES[session_status],
            attempt_id=manners.attempt_id[session * ATTEMPTS + number] if named else None,
            sequence=sequence if has_attempt else None,
            channel=CHANNELS[channel] if has_attempt else None,
            status=STATUSES[status] if has_attempt else None,
            code=CODES[code] or NO_ERROR[manners.no_error[session]],
            requested_us=requested if requested >= 0 else None,
            country=PLACES[story.start.place[session]].country,
        )


def reported(part: Part) -> Iterator[Reported]:
    """Give what the application reported: one for each arrival of a report."""
    reports = part.reports
    for session, *moments in zip(*(column.tolist() for column in vars(reports).values()), strict=True):
        yield Reported(part.manners.session_id[session], *moments)


def reading(history: History) -> Reading:
    """Say from when and how patiently the truth of a history is read."""
    plan = history.plan
    return Reading(
        as_of_us=history.as_of_us,
        patience_us=round(plan.patience_seconds * 1e6),
        window_us=round(plan.window_seconds * 1e6),
        outages=tuple((span.from_us, span.to_us) for span in history.outages),
    )


def true_roles(story: Story) -> list[list[str]]:
    """Say the role that each attempt really had, `ATTEMPTS` for each session; "" where there is none."""
    found = []
    verified = story.verified_us.tolist()
    rows = zip(story.exists.tolist(), story.channel.tolist(), story.requested_us.tolist(), verified, strict=True)
    for exists, channel, requested_us, verified_us in rows:
        roles, before = [], None
        for k in range(ATTEMPTS):
            if not exists[k]:
                roles.append("")
                continue
            if before is None:
                roles.append("first_choice")
            elif 0 <= verified_us < requested_us[k]:
                roles.append("after_verified")
            else:
                roles.append("resend" if channel[k] == before else "fallback")
            before = channel[k]
        found.append(roles)
    return found


def spoken(history: History) -> tuple[Speech, Speech]:
    """Say when the application spoke and when callbacks did, as far as known at ``as_of``: of all sessions together."""
    seen = reading(history)
    app, callback, app_us, callback_us = list[Begun](), list[Begun](), list[int](), list[int]()
    for parts in history.chunks():
        for part in parts:
            app_us += [one.received_us for one in reported(part) if one.received_us <= seen.as_of_us]
            for session in conclude(heard(part), reported(part), seen)[1].values():
                begun = (session.started_us, session.reached)
                app.append(Begun(*begun, session.verified_app_us is not None))
                callback.append(Begun(*begun, session.verified_callback_us is not None))
                callback_us += session.told_us
    return speech(app, app_us), speech(callback, callback_us)


def _tables(history: History) -> Iterator[Any]:
    sources = spoken(history)
    for parts in history.chunks():
        for part in parts:
            yield _table(history, part, sources)


def _table(history: History, part: Part, sources: tuple[Speech, Speech]) -> Any:
    story = part.story
    session, attempt = np.nonzero(story.exists & (story.requested_us < history.end_us))
    here = (session, attempt)
    attempts, sessions = conclude(heard(part), reported(part), reading(history))
    waiting_us = reading(history).window_us
    observable = {
        name: tuple(source.covers(one.started_us, one.last_started_us + waiting_us) for source in sources)
        for name, one in sessions.items()
    }
    roles = true_roles(story)
    rows = list(zip(session.tolist(), attempt.tolist(), strict=True))
    attempt_ids = [part.manners.attempt_id[i * ATTEMPTS + k] for i, k in rows]
    session_ids = [part.manners.session_id[i] for i, _ in rows]
    columns: dict[str, Any] = {
        "attempt_id": attempt_ids,
        "session_id": session_ids,
        "as_of": np.full(len(rows), history.as_of_us),
        "patience_seconds": np.full(len(rows), history.plan.patience_seconds),
        "window_seconds": np.full(len(rows), history.plan.window_seconds),
        "true_sequence": story.sequence[here],
        "true_channel": [CHANNELS[channel] for channel in story.channel[here].tolist()],
        "true_role": [roles[i][k] for i, k in rows],
        "true_country": [PLACES[place].country for place in story.start.place[session].tolist()],
        "true_bot": story.start.bot[session],
        "true_requested_at": story.requested_us[here],
        "true_outcome": [FATES[fate] for fate in story.fate[here].tolist()],
        "true_receipt": [None if told == NONE else FATES[told] for told in story.told[here].tolist()],
        "true_error_code": [_error(code) for code in story.code[here].tolist()],
        "true_delivered_at": _moments(story.delivered_us[here]),
        "true_verified_at": _moments(story.verified_us[session]),
        "true_expires_at": story.expires_us[session],
        **_arrived([attempts.get(name) for name in attempt_ids], [sessions.get(name) for name in session_ids]),
        "arrived_observable_app": [observable[name][0] if name in observable else None for name in session_ids],
        "arrived_observable_callback": [observable[name][1] if name in observable else None for name in session_ids],
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _arrived(attempts: list[Seen | None], sessions: list[SeenSession | None]) -> dict[str, Any]:
    """Write the conclusions of the witness as columns."""

    def each(seen: list[Any], name: str) -> list[Any]:
        return [None if one is None else getattr(one, name) for one in seen]

    return {
        "arrived_attempt": [one is not None for one in attempts],
        "arrived_session": [one is not None for one in sessions],
        "arrived_sequence": each(attempts, "sequence"),
        "arrived_channel": each(attempts, "channel"),
        "arrived_role": each(attempts, "role"),
        "arrived_country": each(attempts, "country"),
        "arrived_outcome": each(attempts, "outcome"),
        "arrived_error_code": each(attempts, "error_code"),
        "arrived_mature": each(attempts, "mature"),
        "arrived_started_at": each(attempts, "started_us"),
        "arrived_session_outcome": each(sessions, "outcome"),
        "arrived_session_mature": each(sessions, "mature"),
        "arrived_verified_app_at": each(sessions, "verified_app_us"),
        "arrived_verified_callback_at": each(sessions, "verified_callback_us"),
        "arrived_expired_at": each(sessions, "expired_us"),
    }


def _error(code: int) -> str | None:
    return None if CODES[code] in {"", NORMAL_HANGUP} else CODES[code]


def _moments(us: Integers) -> list[int | None]:
    return [moment if moment >= 0 else None for moment in us.tolist()]
