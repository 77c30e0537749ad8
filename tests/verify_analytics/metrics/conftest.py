"""Small frames of attempts and sessions that one can check by eye, on every engine."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, START_US

Build = Callable[..., Any]
ENGINES = ("pandas", "polars", "duckdb")

ATTEMPT_DEFAULTS: dict[str, Any] = {
    "key": None,
    "is_attempt": True,
    "provider": "plivo",
    "session_id": None,
    "attempt_id": None,
    "channel": "sms",
    "attempt_sequence": 1,
    "recipient_key": None,
    "country": "DE",
    "number_block": None,
    "requested_us": None,
    "started_us": START_US,
    "started_at_source": "requested_at",
    "requested_at_shared": False,
    "first_received_us": START_US,
    "last_received_us": START_US,
    "queued_us": None,
    "ringing_us": None,
    "accepted_us": None,
    "failed_us": None,
    "undelivered_us": None,
    "delivered_us": None,
    "outcome": "delivered",
    "settled_us": None,
    "error_code": None,
    "codes_differ": False,
    "conflict": False,
    "has_unknown_status": False,
    "mature": True,
    "role": "first_choice",
    "previous_channel": None,
    "seconds_since_previous": None,
    "attempts_in_session": 1,
    "lowest_sequence": 1,
    "session_started_us": START_US,
    "first_channel": "sms",
    "last_started_us": START_US,
    "session_verified_app_us": None,
    "session_verified_callback_us": None,
    "session_expired_us": None,
    "has_app_source": True,
    "app_first_us": None,
    "app_last_us": None,
    "callback_first_us": None,
    "callback_last_us": None,
    "coverage_known": True,
    "covered_until_us": AS_OF_US,
    "observed_until_us": AS_OF_US,
    "as_of_us": AS_OF_US,
    "patience_seconds": 900.0,
    "app_silence_from_us": None,
    "app_silence_until_us": None,
    "callback_silence_from_us": None,
    "callback_silence_until_us": None,
}
SESSION_DEFAULTS: dict[str, Any] = {
    "session_id": None,
    "provider": "plivo",
    "recipient_key": None,
    "country": "DE",
    "number_block": None,
    "started_us": START_US,
    "first_channel": "sms",
    "last_started_us": START_US,
    "attempts": 1,
    "attempts_missing": 0,
    "attempts_before_verified": 1,
    "lowest_sequence": 1,
    "highest_sequence": 1,
    "complete": True,
    "verified_app_us": None,
    "verified_callback_us": None,
    "verified_us": None,
    "expired_us": None,
    "ended_us": None,
    "outcome": "abandoned",
    "mature": True,
    "unobserved": False,
    "observable_app": True,
    "observable_callback": True,
    "second_started_us": None,
    "fell_back": False,
    "fallback_started_us": None,
    "requested_at_shared": False,
    "has_app_source": True,
    "app_first_us": None,
    "app_last_us": None,
    "callback_first_us": None,
    "callback_last_us": None,
    "coverage_known": True,
    "covered_until_us": AS_OF_US,
    "observed_until_us": AS_OF_US,
    "as_of_us": AS_OF_US,
    "patience_seconds": 900.0,
    "window_seconds": 600.0,
    "app_silence_from_us": None,
    "app_silence_until_us": None,
    "callback_silence_from_us": None,
    "callback_silence_until_us": None,
}
FLOATS = {"patience_seconds", "seconds_since_previous", "window_seconds"}
INTS = {
    *("attempt_sequence", "attempts_in_session", "lowest_sequence", "attempts", "attempts_before_verified"),
    "attempts_missing",
}


def typed(rows: list[dict[str, Any]], defaults: dict[str, Any]) -> pd.DataFrame:
    """Make a frame with every declared column in its declared type, also when there are no rows."""
    unknown = {name for row in rows for name in row} - set(defaults)
    assert not unknown, f"no such column: {unknown}"
    columns = {}
    for name, default in defaults.items():
        values = [row.get(name, default) for row in rows]
        if name.endswith("_us") or name in INTS or "sequence" in name:
            dtype = "Int64"
        elif name in FLOATS:
            dtype = "float64"
        elif isinstance(default, bool):
            dtype = "bool"
        else:
            dtype = "str"
        columns[name] = pd.Series(values, dtype=dtype)
    frame = pd.DataFrame(columns)
    return frame.assign(as_of=pd.to_datetime(frame["as_of_us"], unit="us", utc=True).astype("datetime64[us, UTC]"))


@pytest.fixture(scope="session")
def attempts_of() -> Build:
    """Build a pandas frame of attempts; each row names only what differs from an ordinary delivered SMS."""

    def build(rows: list[dict[str, Any]]) -> pd.DataFrame:
        named = [{"key": f"a{i}", "attempt_id": f"a{i}", "session_id": f"s{i}", **row} for i, row in enumerate(rows)]
        in_session = Counter(row["session_id"] for row in named if row.get("is_attempt", True))
        counted = [{"attempts_in_session": in_session[row["session_id"]], **row} for row in named]
        return typed(counted, ATTEMPT_DEFAULTS)

    return build


@pytest.fixture(scope="session")
def sessions_of() -> Build:
    """Build a pandas frame of sessions; each row names only what differs from one that was given up after one SMS.

    The competing end is filled in as the model does it.
    """

    def build(rows: list[dict[str, Any]]) -> pd.DataFrame:
        named = []
        for i, row in enumerate(rows):
            last = row.get("last_started_us", row.get("started_us", START_US))
            given_up = None if last is None else last + 10 * MINUTE
            end = min((at for at in (row.get("expired_us"), given_up) if at is not None), default=None)
            ended = end if end is not None and end <= AS_OF_US else None
            named.append({"session_id": f"s{i}", "last_started_us": last, "ended_us": ended, **row})
        return typed(named, SESSION_DEFAULTS)

    return build


# Each metric is compared on other engines in `everywhere`; what is more than that, they are asked in a full run.
@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.full] * (name != "polars")) for name in ENGINES])
def engine(request: pytest.FixtureRequest) -> Iterator[Build]:
    """Carry a pandas frame into one engine."""
    if request.param != "duckdb":
        into: dict[str, Build] = {"pandas": lambda frame: frame, "polars": pl.from_pandas}
        yield into[request.param]
        return
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        kept: list[str] = []

        def carry(frame: pd.DataFrame) -> duckdb.DuckDBPyRelation:
            name = f"given_{len(kept)}"
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
            kept.append(name)
            return connection.table(name)

        yield carry
