"""What may a reader rely on? The columns of every frame that comes in and goes out.

`load` brings data into the first three shapes; `fold`, `finish` and `sessions` make the others. One test holds the
first three against the collector's own declaration.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from verify_analytics.errors import SchemaError, near_name

Kind = Literal["text", "integer", "moment", "flag", "real"]


class Column(NamedTuple):
    """One column: its name, its kind, whether it may be null.

    A ``moment`` is a timestamp with zone, in microseconds; an ``integer`` has 64 bits and, where its name ends in
    ``_us``, counts microseconds since 1970 UTC; a ``flag`` is true or false; a ``real`` a 64-bit float.
    """

    name: str
    kind: Kind
    nullable: bool = True


def _columns(kind: Kind, names: str, *, nullable: bool = True) -> tuple[Column, ...]:
    return tuple(Column(name, kind, nullable) for name in names.split())


CALLBACKS = (
    Column("arrival_id", "text", nullable=False),
    Column("received_at", "moment", nullable=False),
    Column("provider", "text", nullable=False),
    Column("session_id", "text", nullable=False),
    Column("session_status", "text"),
    Column("attempt_id", "text"),
    Column("attempt_sequence", "integer"),
    Column("channel", "text"),
    Column("channel_status", "text"),
    Column("error_code", "text"),
    Column("requested_at", "moment"),
    Column("recipient_key", "text"),
    Column("country", "text"),
    Column("number_block", "text"),
    Column("proof", "text", nullable=False),
    Column("digest", "text", nullable=False),
    Column("extra", "text"),
)
"""One row per arrival of a callback, as the window of the store has it."""

VERIFICATIONS = (
    Column("session_id", "text", nullable=False),
    Column("verified_at", "moment", nullable=False),
    Column("received_at", "moment", nullable=False),
)
"""One row per success that the application reported."""

PULSE = (
    Column("collector", "text", nullable=False),
    Column("minute", "moment", nullable=False),
    Column("accepted", "integer", nullable=False),
    Column("repeated", "integer", nullable=False),
    Column("quarantined", "integer", nullable=False),
    Column("refused", "integer", nullable=False),
    Column("refused_by", "text", nullable=False),
)
"""One row per collector and minute in which it could answer; no row means that it was down."""

MICROSECONDS = {
    "received_at": "received_us",
    "requested_at": "requested_us",
    "verified_at": "verified_us",
    "minute": "minute_us",
}
"""The integer that `load` adds beside each moment; durations and comparisons use these alone."""


def with_microseconds(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Give a shape as it leaves `load`: each moment is followed by its microseconds since 1970 UTC.

    >>> [column.name for column in with_microseconds(VERIFICATIONS)]
    ['session_id', 'verified_at', 'verified_us', 'received_at', 'received_us']
    """
    shape: list[Column] = []
    for column in columns:
        shape.append(column)
        if column.kind == "moment":
            shape.append(Column(MICROSECONDS[column.name], "integer", column.nullable))
    return tuple(shape)


STATES_VERSION = 1
"""The format of states that were kept; a cache of another version is made again."""

FACTS = (
    "session_id",
    "attempt_id",
    "provider",
    "channel",
    "attempt_sequence",
    "recipient_key",
    "country",
    "number_block",
    "requested_us",
)
"""What every callback of an attempt should say alike: states keep the smallest and the largest."""

FIRST_TIMES = tuple(
    f"{state}_us"
    for state in ("queued", "ringing", "accepted", "failed", "undelivered", "delivered", "verified", "expired")
)
"""When each state was first seen, by arrival."""

SMALLEST = ("first_received_us", *FIRST_TIMES, "code_failed", "code_undelivered", *FACTS)
LARGEST = (
    "is_attempt",
    "last_received_us",
    "has_unknown_status",
    "code_failed_max",
    "code_undelivered_max",
    *(f"{fact}_max" for fact in FACTS),
)
STATES = ("key", *SMALLEST, *LARGEST)
"""One row per key. Names only: every column but the key is a minimum (`SMALLEST`) or a maximum (`LARGEST`)."""

ATTEMPTS = (
    *_columns("text", "key", nullable=False),
    *_columns("flag", "is_attempt", nullable=False),
    *_columns("text", "provider session_id", nullable=False),
    *_columns("text", "attempt_id channel"),
    *_columns("integer", "attempt_sequence"),
    *_columns("text", "recipient_key country number_block"),
    *_columns("integer", "requested_us"),
    *_columns("integer", "started_us", nullable=False),
    *_columns("text", "started_at_source", nullable=False),
    *_columns("flag", "requested_at_shared", nullable=False),
    *_columns("integer", "first_received_us last_received_us", nullable=False),
    *_columns("integer", "queued_us ringing_us accepted_us failed_us undelivered_us delivered_us"),
    *_columns("text", "outcome"),
    *_columns("integer", "settled_us"),
    *_columns("text", "error_code"),
    *_columns("flag", "codes_differ conflict has_unknown_status mature", nullable=False),
    *_columns("text", "role previous_channel"),
    *_columns("real", "seconds_since_previous"),
    *_columns("integer", "attempts_in_session", nullable=False),
    *_columns("integer", "lowest_sequence"),
    *_columns("integer", "session_started_us", nullable=False),
    *_columns("text", "first_channel"),
    *_columns("integer", "last_started_us", nullable=False),
    *_columns("integer", "session_verified_app_us session_verified_callback_us session_expired_us"),
    *_columns("flag", "has_app_source", nullable=False),
    *_columns("integer", "app_first_us app_last_us callback_first_us callback_last_us"),
    *_columns("flag", "coverage_known", nullable=False),
    *_columns("integer", "covered_until_us observed_until_us"),
    *_columns("moment", "as_of", nullable=False),
    *_columns("integer", "as_of_us", nullable=False),
    *_columns("real", "patience_seconds", nullable=False),
    *_columns("integer", "app_silence_from_us app_silence_until_us callback_silence_from_us callback_silence_until_us"),
)
"""One row per key: an attempt, or what a session's callbacks said that named no attempt (`is_attempt` false)."""

SESSIONS = (
    *_columns("text", "session_id provider", nullable=False),
    *_columns("text", "recipient_key country number_block"),
    *_columns("integer", "started_us", nullable=False),
    *_columns("text", "first_channel"),
    *_columns("integer", "last_started_us attempts attempts_missing attempts_before_verified", nullable=False),
    *_columns("integer", "lowest_sequence highest_sequence"),
    *_columns("flag", "complete", nullable=False),
    *_columns("integer", "verified_app_us verified_callback_us verified_us expired_us ended_us"),
    *_columns("text", "outcome", nullable=False),
    *_columns("flag", "mature unobserved observable_app observable_callback", nullable=False),
    *_columns("integer", "second_started_us"),
    *_columns("flag", "fell_back", nullable=False),
    *_columns("integer", "fallback_started_us"),
    *_columns("flag", "requested_at_shared has_app_source", nullable=False),
    *_columns("integer", "app_first_us app_last_us callback_first_us callback_last_us"),
    *_columns("flag", "coverage_known", nullable=False),
    *_columns("integer", "covered_until_us observed_until_us"),
    *_columns("moment", "as_of", nullable=False),
    *_columns("integer", "as_of_us", nullable=False),
    *_columns("real", "patience_seconds window_seconds", nullable=False),
    *_columns("integer", "app_silence_from_us app_silence_until_us callback_silence_from_us callback_silence_until_us"),
)
"""One row per session_id."""

SILENCES = (
    *_columns("text", "source", nullable=False),
    *_columns("integer", "from_us until_us", nullable=False),
    *_columns("real", "seconds", nullable=False),
    *_columns("integer", "sessions delivered verified_by_other", nullable=False),
    *_columns("moment", "as_of", nullable=False),
)
"""One row per source and long silence of it."""


def require(names: Iterable[str], found: Iterable[str], *, what: str, advice: str) -> None:
    """Refuse a frame that lacks a column.

    Raises
    ------
    SchemaError
        Naming the first missing column, the nearest one that is there, and what to do.
    """
    present = list(found)
    missing = [name for name in names if name not in present]
    if missing:
        raise SchemaError(f"{what}: no column {missing[0]!r}; {near_name(missing[0], present)}. {advice}")
