"""Readings of five rows: attempts by key and sessions by id, as plain dictionaries."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import strategies as st

from verify_analytics import model

Row = dict[str, Any]
# fmt: off
STATUSES = [
    "queued", "ringing", "sent", "in-progress", "failed", "undelivered", "no-answer", "delivered", "completed", "read",
    "odd", "", None,
]
# fmt: on


@pytest.fixture
def attempts_of(quick: Any, after: Any, rows_of: Any) -> Callable[..., dict[str, Row]]:
    """Read attempts by key, one hour after the start of the history unless said otherwise."""

    def read(rows: Iterable[Row], *, seconds: float = 3600, **given: Any) -> dict[str, Row]:
        frame = model.attempts(quick.callbacks(rows), as_of=after(seconds), **given)
        return {row["key"]: row for row in rows_of(frame, "key")}

    return read


@pytest.fixture
def sessions_of(quick: Any, after: Any, rows_of: Any) -> Callable[..., dict[str, Row]]:
    """Read sessions by id, one hour after the start of the history unless said otherwise."""

    def read(rows: Iterable[Row], *, seconds: float = 3600, window: str = "10min", **given: Any) -> dict[str, Row]:
        frame = model.attempts(quick.callbacks(rows), as_of=after(seconds), **given)
        return {row["session_id"]: row for row in rows_of(model.sessions(frame, window=window), "session_id")}

    return read


@pytest.fixture
def us(after: Any) -> Callable[[float], int]:
    """Give the microseconds since 1970 UTC of the moment so many seconds after the start."""
    return lambda seconds: int(after(0).timestamp()) * 1_000_000 + round(seconds * 1_000_000)


def _callbacks(index: int) -> st.SearchStrategy[Row]:
    """Make any callback: nulls in every column that may hold them, words nobody knows, facts that contradict."""
    return st.fixed_dictionaries(
        {
            "arrival_id": st.just(f"arrival-{index}"),
            "received_at": st.sampled_from([0, 1, 2.5, 61, 62, 180, 400, 899, 900, 901, 1500, 2400]),
            "provider": st.sampled_from(["plivo", "other"]),
            "session_id": st.sampled_from(["s1", "s2", "s3"]),
            "session_status": st.sampled_from(["in-progress", "verified", "validated", "expired", "odd", None]),
            "attempt_id": st.sampled_from(["a1", "a2", "a3", "a4", "a5", None]),
            "attempt_sequence": st.sampled_from([1, 2, 3, 4, None]),
            "channel": st.sampled_from(["sms", "voice", "whatsapp", "pigeon", None]),
            "channel_status": st.sampled_from(STATUSES),
            "error_code": st.sampled_from(["30", "200", "0", "000", "", None]),
            "requested_at": st.sampled_from([0, 0.000001, 60, 120, 121, 900, None]),
            "recipient_key": st.sampled_from(["k:1", "k:2", None]),
            "country": st.sampled_from(["GB", "US", None]),
            "number_block": st.sampled_from(["447000", "1202555", None]),
            "proof": st.just("v2"),
            "digest": st.sampled_from(["1:a", "1:b", "1:c"]),
            "extra": st.sampled_from(['{"A": "b"}', None]),
        }
    )


@pytest.fixture(scope="session")
def histories() -> st.SearchStrategy[list[Row]]:
    """Make small histories of any callbacks."""
    return st.integers(0, 14).flatmap(lambda size: st.tuples(*map(_callbacks, range(size))).map(list))


@pytest.fixture(scope="session")
def reports() -> st.SearchStrategy[list[Row]]:
    """Make reports of the application, also of sessions that nobody has heard of."""
    report = st.fixed_dictionaries(
        {
            "session_id": st.sampled_from(["s1", "s2", "s9"]),
            "verified_at": st.sampled_from([-30, 30, 61, 119.5, 500, 2000]),
            "received_at": st.sampled_from([31, 62, 120, 1000, 2500]),
        }
    )
    return st.lists(report, max_size=4)
