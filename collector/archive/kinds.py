"""What the three tables of an archive look like: the window of the store, without the key that counts its rows."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import Table, Text

from collector.store import callbacks, pulse, verifications

DAY = 24 * 3_600_000_000
"""One day, in microseconds."""
_START = date(1970, 1, 1)
_FOLDER = re.compile(r"day=([0-9]{4}-[0-9]{2}-[0-9]{2})")
# In the store every moment is an integer; these are the columns that hold one.
_MOMENTS = {"received_at", "requested_at", "verified_at", "minute"}


class Column(NamedTuple):
    """One column of a part."""

    name: str
    kind: Literal["text", "integer", "moment"]
    nullable: bool


class Kind(NamedTuple):
    """One table of the archive.

    Attributes
    ----------
    table
        Of the store.
    moment
        The column that says to which day a row belongs.
    identity
        By which a row is the same row, wherever it is kept. A callback is its arrival; a report and a minute are all
        that they say, so that a minute that was counted further is another row.
    key
        By which the store finds a row again.
    repeats
        Columns with few different values.
    """

    table: Table
    moment: str
    identity: tuple[str, ...]
    key: tuple[str, ...]
    repeats: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the table, and of its folder."""
        return self.table.name

    @property
    def columns(self) -> tuple[Column, ...]:
        """Those of a part, in order."""
        counted = self.key[0] if len(self.key) == 1 else ""
        return tuple(
            Column(column.name, _kind_of(column.name, column.type), bool(column.nullable))
            for column in self.table.columns
            if column.name != counted
        )


def _kind_of(name: str, of: Any) -> Literal["text", "integer", "moment"]:
    if isinstance(of, Text):
        return "text"
    return "moment" if name in _MOMENTS else "integer"


CALLBACKS = Kind(
    callbacks,
    "received_at",
    ("arrival_id",),
    ("callback_id",),
    ("provider", "session_status", "channel", "channel_status", "error_code", "country", "number_block", "proof"),
)
VERIFICATIONS = Kind(
    verifications, "received_at", ("session_id", "verified_at", "received_at"), ("verification_id",), ()
)
PULSE = Kind(
    pulse,
    "minute",
    ("collector", "minute", "accepted", "repeated", "quarantined", "refused", "refused_by"),
    ("collector", "minute"),
    ("collector", "refused_by"),
)
KINDS = (CALLBACKS, VERIFICATIONS, PULSE)
"""Callbacks first: where a report went before the callbacks it is about, nobody would miss anything either."""


def day_of(moment: int) -> int:
    """Give the first microsecond of the UTC day of a moment."""
    return moment - moment % DAY


def folder_of(day: int) -> str:
    """Name the folder of a day.

    Examples
    --------
    >>> folder_of(1793145600000000)
    'day=2026-10-28'
    """
    return f"day={_START + timedelta(days=day // DAY)}"


def day_named(folder: str) -> int | None:
    """Read the day off the name of a folder; None if it is none's.

    Examples
    --------
    >>> day_named("day=2026-10-28"), day_named("day=2026-13-28"), day_named("notes")
    (1793145600000000, None, None)
    """
    found = _FOLDER.fullmatch(folder)
    try:
        day = datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
    return int(day.timestamp()) * 1_000_000 if day else None
