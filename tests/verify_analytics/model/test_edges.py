"""Histories at the edges of what can come, and maturity to the microsecond, on every engine.

Patience is 900 s, the window 600 s.
"""

from typing import Any

import pytest

from tests.verify_analytics.conftest import MOSTLY_FEW, callback, kept
from verify_analytics import model

NOTHING = {column.name: None for column in model.CALLBACKS if column.nullable and column.name != "attempt_id"}
# Noon of the first of September is second 0: these are the midnights that end the day and the month.
MIDNIGHT, OCTOBER = 43_200, 2_548_800


def over(moment: int) -> list[dict[str, Any]]:
    """Two attempts of one session, and its end, on both sides of a moment."""
    second = {"attempt_id": "a2", "attempt_sequence": 2, "channel": "voice", "requested_at": moment + 20}
    return [
        callback(moment - 9, "sent", requested_at=moment - 10),
        callback(moment + 25, "completed", **second),
        callback(moment + 40, "completed", **second, session_status="verified"),
    ]


# Why: rows; of each attempt its key, outcome, role, code, conflict and seconds since the one before; of each session
# its id, outcome and how many attempts.
EDGES: dict[str, tuple[list[dict[str, Any]], list[Any], list[Any]]] = {
    "nothing": ([], [], []),
    "one row": (
        [callback(1, "delivered")],
        [("a1", "delivered", "first_choice", None, False, None)],
        [("s1", "abandoned", 1)],
    ),
    "all immature": (
        [callback(10**7 - 5, "sent", requested_at=10**7 - 6), callback(10**7, None, attempt_id="a2", session_id="s2")],
        [("a1", "pending", "first_choice", None, False, None), ("a2", "silent", "first_choice", None, False, None)],
        [("s1", "open", 1), ("s2", "abandoned", 1)],
    ),
    "only redeliveries": (
        [callback(at, "undelivered", error_code="30") for at in (241, 61, 121)],
        [("a1", "undelivered", "first_choice", "30", False, None)],
        [("s1", "abandoned", 1)],
    ),
    "no AttemptUUID at all": (
        [
            callback(1, "sent", attempt_id=None),
            callback(9, "delivered", attempt_id=None, session_status="verified"),
            callback(9, "failed", attempt_id=None, session_id="s2", session_status="expired"),
        ],
        [("session:s1", None, None, None, False, None), ("session:s2", None, None, None, False, None)],
        [("s1", "verified", 0), ("s2", "expired", 0)],
    ),
    "a channel, a status and a code that nobody knows": (
        [
            callback(1, "undelivered", channel="pigeon", error_code="31337"),
            callback(2, "landed", attempt_id="a2", attempt_sequence=2, requested_at=2, error_code="777"),
            callback(3, "sent", attempt_id="a3", attempt_sequence=3, requested_at=3, channel=None),
        ],
        [
            ("a1", "undelivered", "first_choice", "31337", False, None),
            ("a2", "unknown", "fallback", None, False, 2.0),
            ("a3", "accepted", "unknown", None, False, 1.0),
        ],
        [("s1", "abandoned", 3)],
    ),
    "facts that contradict each other": (
        [
            callback(1, "sent", channel="voice", country="US"),
            callback(2, "delivered", attempt_sequence=7, recipient_key="k:0"),
        ],
        [("a1", "delivered", "first_choice", None, True, None)],
        [("s1", "abandoned", 1)],
    ),
    "a clock that runs backwards": (
        [
            callback(1, "delivered", requested_at=100),
            callback(30, "failed", attempt_id="a2", attempt_sequence=2, requested_at=40, error_code="900"),
            callback(0.5, "sent", attempt_id="a2", attempt_sequence=2, requested_at=40),
        ],
        # Told as it is: a gap below zero is for the metrics to list.
        [
            ("a1", "delivered", "first_choice", None, False, None),
            ("a2", "failed", "resend", "900", False, -60.0),
        ],
        [("s1", "abandoned", 2)],
    ),
    "a session across midnight": (
        over(MIDNIGHT),
        [
            ("a1", "accepted", "first_choice", None, False, None),
            ("a2", "delivered", "fallback", None, False, 30.0),
        ],
        [("s1", "verified", 2)],
    ),
    "a session across the end of a month": (
        over(OCTOBER),
        [
            ("a1", "accepted", "first_choice", None, False, None),
            ("a2", "delivered", "fallback", None, False, 30.0),
        ],
        [("s1", "verified", 2)],
    ),
    "a null in every nullable column": (
        [callback(1, **NOTHING), callback(2, **NOTHING, attempt_id=None, session_id="s2"), callback(3, "sent")],
        [
            ("a1", "accepted", "first_choice", None, False, None),
            ("session:s2", None, None, None, False, None),
        ],
        [("s1", "abandoned", 1), ("s2", "abandoned", 0)],
    ),
    "nothing but nulls": (
        [callback(1, **NOTHING), callback(2, **NOTHING, attempt_id=None)],
        [("a1", "silent", "unknown", None, False, None), ("session:s1", None, None, None, False, None)],
        [("s1", "abandoned", 1)],
    ),
}


@pytest.mark.parametrize("engine", MOSTLY_FEW, indirect=True)
@pytest.mark.parametrize("why", EDGES)
def test_a_history_is_read_at_the_edge(why: str, engine: Any, after: Any, rows_of: Any) -> None:
    rows, attempts, sessions = EDGES[why]
    frame = kept(model.attempts(engine.callbacks(rows), as_of=after(10**7)))
    facts = ("key", "outcome", "role", "error_code", "conflict", "seconds_since_previous")
    assert [tuple(row[fact] for fact in facts) for row in rows_of(frame, "key")] == attempts
    read = rows_of(model.sessions(frame), "session_id")
    assert [tuple(row[fact] for fact in ("session_id", "outcome", "attempts")) for row in read] == sessions
    # Nobody keeps reports, and in hardly any of these a callback says verified: then nothing is observable.
    assert not any(row["observable_app"] for row in read)


def test_maturity_is_reached_to_the_microsecond(engine: Any, after: Any, rows_of: Any) -> None:
    """As of second 3600: attempts that started up to second 2700, sessions whose last one started up to second 2100."""
    starts: dict[str, list[float]] = {
        "s1": [2700],
        "s2": [2700.000001],
        "s3": [1000, 2100],
        "s4": [2100.000001],
        "s5": [2100, 2100.000001],
    }
    rows = [
        callback(at + 1, "sent", session_id=name, attempt_id=f"{name} {n}", attempt_sequence=n, requested_at=at)
        for name, moments in starts.items()
        for n, at in enumerate(moments, 1)
    ]
    attempts = kept(model.attempts(engine.callbacks(rows), as_of=after(3600)))
    immature = {row["key"]: row["outcome"] for row in rows_of(attempts) if not row["mature"]}
    assert immature == {"s2 1": "pending"}
    read = {row["session_id"]: (row["mature"], row["outcome"]) for row in rows_of(model.sessions(attempts))}
    assert read == {
        "s1": (False, "open"),
        "s2": (False, "open"),
        "s3": (True, "abandoned"),
        "s4": (False, "open"),
        "s5": (False, "open"),
    }
