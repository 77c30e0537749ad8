"""Which of the analyst's columns is which of ours? The mapping as it was asked for, checked against what is there."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from verify_analytics.errors import ArgumentError, SchemaError, near_name
from verify_analytics.load.phones import HOW_TO_HASH, masked
from verify_analytics.model.columns import Column

PLIVO = {
    "received_at": "received_at",
    "session_id": "SessionUUID",
    "session_status": "SessionStatus",
    "attempt_id": "AttemptUUID",
    "attempt_sequence": "AttemptSequence",
    "channel": "Channel",
    "channel_status": "ChannelStatus",
    "error_code": "ChannelErrorCode",
    "requested_at": "RequestTime",
    "recipient": "Recipient",
}
"""The provider's own names of what a callback says. When it arrived it cannot say: that column has a name of yours."""
PRESETS = {"plivo": PLIVO}
RECIPIENT = "recipient"
"""A column of phone numbers: it is hashed on the way in, and kept nowhere."""

# What a table must say itself, and why nothing else can stand for it unless the analyst says so.
_WHY = {
    "received_at": "when each row was received; if your table has another moment that may stand for it, name that one",
    "session_id": "which session a row is of",
    "verified_at": "when the application took the code",
    "minute": "the minute in which the collector was up",
}
DEFAULTS = {
    "callbacks": {"provider": "plivo", "proof": "none"},
    "verifications": {},
    "pulse": {"collector": "own", "refused_by": "{}"},
}
"""What is written where a table has no such column."""
MADE = ("arrival_id", "digest")
# Free text of the provider: nobody looks into it for numbers.
_NEVER = ("extra",)


class Asked(NamedTuple):
    """Which column of the analyst's is read for each of ours, and which of theirs is not read."""

    theirs: dict[str, str]
    absent: tuple[str, ...]
    unread: tuple[str, ...]
    recipient_dropped: bool


def asked(
    columns: Mapping[str, str] | str | None,
    there: Collection[str],
    shape: tuple[Column, ...],
    *,
    table: str,
    what: str,
    has_pepper: bool,
) -> Asked:
    """Check a mapping of columns.

    Parameters
    ----------
    columns
        Our name to theirs; the name of a preset, of which those that are there are taken; or None for our own names.
    there
        The columns of the analyst's table.
    shape
        Our declared columns.
    table
        ``callbacks``, ``verifications`` or ``pulse``.
    what
        What is read, for messages.
    has_pepper
        Whether recipients can be hashed.

    Raises
    ------
    ArgumentError
        If a name is none of ours, or one column is asked to be two things.
    SchemaError
        If a column is not there, or one that is needed was not named.
    """
    known = [column.name for column in shape if column.name not in _NEVER]
    if table == "callbacks":
        known.append(RECIPIENT)
    own = {name: name for name in known if name in there and name != RECIPIENT}
    absent: tuple[str, ...] = ()
    if columns is None:
        theirs = own
    elif isinstance(columns, str):
        preset = _preset(columns, table)
        theirs = own | {name: theirs for name, theirs in preset.items() if theirs in there}
        absent = tuple(theirs_name for name, theirs_name in preset.items() if name not in theirs and name != RECIPIENT)
        if "recipient_key" in theirs and not has_pepper:
            theirs.pop(RECIPIENT, None)
    else:
        theirs = _checked(columns, known, there, shape, what)
    _require(theirs, there, shape, table=table, what=what, preset=columns if isinstance(columns, str) else None)
    dropped = False
    if RECIPIENT in theirs and not has_pepper:
        if not isinstance(columns, str):
            raise ArgumentError(f"{what}: numbers of recipients are never kept; {HOW_TO_HASH}")
        del theirs[RECIPIENT]
        dropped = True
    if has_pepper and RECIPIENT not in theirs:
        raise ArgumentError(f'{what}: pepper= hashes a column of recipients, and columns= has no "recipient"')
    if RECIPIENT in theirs and "recipient_key" in theirs:
        raise ArgumentError(f'{what}: columns= has both "recipient" and "recipient_key"; which of them is the key?')
    read = set(theirs.values())
    unread = tuple(name for name in there if name not in read and not (dropped and name == PLIVO[RECIPIENT]))
    return Asked(theirs, absent, unread, dropped)


def _preset(name: str, table: str) -> dict[str, str]:
    if name not in PRESETS:
        raise ArgumentError(f"columns={name!r} is no preset; {near_name(name, PRESETS)}; or give a dictionary")
    if table != "callbacks":
        raise ArgumentError(f"columns={name!r} names the columns of callbacks, not of {table}; give a dictionary")
    return PRESETS[name]


def _checked(
    columns: Mapping[str, str], known: list[str], there: Collection[str], shape: tuple[Column, ...], what: str
) -> dict[str, str]:
    """Refuse names that are not ours, columns that are not there, and one column that is to be two things."""
    if not isinstance(columns, Mapping) or not columns:
        raise ArgumentError('columns= is a dictionary of our names to yours: {"session_id": "SessionUUID", …}')
    unknown = [name for name in columns if name not in known]
    if unknown and all(isinstance(value, str) and value in known for value in columns.values()):
        raise ArgumentError("columns= looks the wrong way round; it goes from our name to yours")
    if unknown:
        if unknown[0] in _NEVER:
            raise ArgumentError(
                f"columns=: {unknown[0]!r} is free text, in which numbers could come along; leave it out"
            )
        raise ArgumentError(f"columns=: {unknown[0]!r} is no name of ours; {near_name(str(unknown[0]), known)}")
    for ours, theirs in columns.items():
        if theirs not in there:
            raise SchemaError(f"{what}: no column {theirs!r}, asked for as {ours}; {_near(str(theirs), there)}")
    moments = {column.name for column in shape if column.kind == "moment"}
    first: dict[str, str] = {}
    for ours, theirs in columns.items():
        before = first.setdefault(theirs, ours)
        # One moment may stand for another: then the analyst has said so.
        if before != ours and not {before, ours} <= moments:
            raise ArgumentError(f"columns=: {theirs!r} cannot be both {before} and {ours}")
    return dict(columns)


def _require(
    theirs: Mapping[str, str],
    there: Collection[str],
    shape: tuple[Column, ...],
    *,
    table: str,
    what: str,
    preset: str | None,
) -> None:
    """Refuse a table that lacks what nothing can stand for."""
    given = {*theirs, *DEFAULTS[table], *MADE}
    missing = [column.name for column in shape if not column.nullable and column.name not in given]
    if not missing:
        return
    name = missing[0]
    near = PRESETS[preset][name] if preset else name
    why = f": {_WHY[name]}" if name in _WHY else ""
    or_preset = ', or take columns="plivo"' if preset is None and PLIVO["session_id"] in there else ""
    raise SchemaError(
        f"{what}: nothing says {name}{why}. Say it with columns={{{name!r}: 'your name'}}{or_preset}; "
        f"of your names {_near(near, there)}"
    )


def _near(name: str, there: Collection[str]) -> str:
    """Name what is there. In a file whose first line is a row, names are values, and may be somebody's number."""
    shown = [masked(each) for each in there]
    first_line = "" if shown == list(there) else "; is the first line of your table the names of its columns?"
    return near_name(name, shown) + first_line
