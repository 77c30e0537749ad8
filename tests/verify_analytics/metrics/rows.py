"""Moments, rows and small sessions that tests of several metrics have in common."""

from typing import Any

import pandas as pd

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

AS_OF_US = 1_793_232_000_000_000  # 2026-10-29T00:00Z, a Thursday
START_US = AS_OF_US - DAY  # 2026-10-28T00:00Z

Row = dict[str, Any]


def row(frame: pd.DataFrame, measure: str, **where: Any) -> pd.Series:
    """Give the one row of a measure (in one group)."""
    rows = frame[frame["measure"] == measure]
    for name, value in where.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1, frame[frame["measure"] == measure]
    return rows.iloc[0]


def counted(frame: pd.DataFrame, measure: str, **where: Any) -> tuple[int, int]:
    """Give the numerator and the denominator of that row."""
    found = row(frame, measure, **where)
    return int(found["count"]), int(found["n"])


def together(*sessions: list[Row]) -> list[Row]:
    """Put the attempts of several sessions below each other."""
    return [attempt for attempts in sessions for attempt in attempts]


def verified_by_app(seconds: float | None, **more: Any) -> Row:
    """Describe a session that the application verified after so many seconds, or never."""
    return {"verified_app_us": None if seconds is None else START_US + round(seconds * SECOND), **more}


def attempts_of_session(name: str, *outcomes: str, app: float | None = None, **facts: Any) -> list[Row]:
    """Give one session: an attempt a minute, each with an outcome, or ``failed 451``; verified so many seconds on."""
    verified_us = None if app is None else START_US + round(app * SECOND)
    rows: list[Row] = []
    for number, told in enumerate(outcomes, 1):
        outcome, _, code = told.partition(" ")
        started_us = START_US + (number - 1) * MINUTE
        late = verified_us is not None and verified_us < started_us
        rows.append(
            {
                "session_id": name,
                "key": f"{name}-{number}",
                "attempt_id": f"{name}-{number}",
                "attempt_sequence": number,
                "role": "first_choice" if number == 1 else "after_verified" if late else "resend",
                "outcome": outcome,
                "error_code": code or None,
                "started_us": started_us,
                "last_started_us": START_US + (len(outcomes) - 1) * MINUTE,
                "attempts_in_session": len(outcomes),
                "session_verified_app_us": verified_us,
                "app_first_us": START_US - MINUTE,
                "app_last_us": AS_OF_US,
                **facts,
            }
        )
    return rows
