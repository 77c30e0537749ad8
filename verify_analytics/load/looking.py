"""May this table come in at all? All rows are looked through before any is kept, and what is no matter of rows refused.

Phone numbers where none belongs, times of which nobody said the zone, and columns of which nothing can be read.
"""

import re
from typing import Any

import duckdb

from verify_analytics.errors import SchemaError
from verify_analytics.load.asked import RECIPIENT, Asked
from verify_analytics.load.numbers import HOW_TO_HASH, number_condition
from verify_analytics.load.reading import Reading, value_name

# In these, digits alone are nothing odd: they may be the keys of somebody's database.
_IDS = ("session_id", "attempt_id", "arrival_id", "digest")
_LONGEST_FORM = 40


def look(read: duckdb.DuckDBPyRelation, readings: list[Reading], found: Asked, *, what: str, has_zone: bool) -> int:
    """Look through all rows.

    Parameters
    ----------
    read
        With the columns that the readings give.
    readings
        How each column is read.
    found
        What the analyst calls them.
    what
        What is read, for messages.
    has_zone
        Whether it was said where moments are meant that have no zone.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    SchemaError
        If the table cannot come in; the message holds no value of it.
    """
    wanted = {"rows": "count(*)"} | {name: count for each in readings for name, count in _counts(each).items()}
    [values] = read.aggregate(", ".join(wanted.values())).fetchall()
    seen = dict(zip(wanted, values, strict=True))
    for each in readings:
        column = f"{what}: column {found.theirs[each.column.name]!r}, read as {each.column.name},"
        _refuse(each, seen, column, has_zone=has_zone)
    return int(seen["rows"])


def _counts(read: Reading) -> dict[str, str]:
    """Write what must be known of one column."""
    name, raw = read.column.name, f'"_raw_{read.column.name}"'
    value = value_name(read.column)
    wanted = {f"there {name}": f"count({raw})", f"read {name}": f"count({value})"}
    if read.naive:
        wanted[f"naive {name}"] = f'count(*) FILTER ("_naive_{name}")'
    if not read.is_text:
        return wanted
    if read.column.kind != "text":
        wanted[f"odd {name}"] = f"min({raw}) FILTER ({value} IS NULL)"
    elif name != RECIPIENT:
        condition = number_condition(raw, only_with_plus=name in _IDS)
        if name == "number_block":
            # Digits are what it is made of; with its last four ones it would have a plus, or be longer than any block.
            condition = f"({raw} LIKE '+%' OR NOT regexp_full_match({raw}, '[0-9]{{1,11}}'))"
        wanted[f"numbers {name}"] = f"count(*) FILTER ({condition})"
    return wanted


def _refuse(read: Reading, seen: dict[str, Any], column: str, *, has_zone: bool) -> None:
    name, rows = read.column.name, seen["rows"]
    if numbers := seen.get(f"numbers {name}"):
        raise SchemaError(
            f"{column} holds what looks like phone numbers ({numbers} of {rows} rows), and no number is ever kept; "
            f"{HOW_TO_HASH}"
        )
    if (naive := seen.get(f"naive {name}")) and not has_zone:
        raise SchemaError(
            f"{column} has no time zone in {naive} of {rows} rows, and noon is another moment in every country; "
            'say timezone="UTC", or where the clock hung, such as timezone="Europe/Berlin"'
        )
    if read.column.kind != "text" and seen[f"there {name}"] and not seen[f"read {name}"]:
        odd = seen.get(f"odd {name}")
        like = f" (their form: {_form(odd)!r})" if odd else ""
        raise SchemaError(
            f"{column} holds nothing that can be read{like}; a moment is written as 2026-10-29T00:00:00Z or as an "
            "epoch, a whole number in digits"
        )


def _form(value: str) -> str:
    """Show how a value that nobody understood is written, and not what it says: it could be anything.

    >>> _form("10/22/2026 2:05 pm")
    '99/99/9999 9:99 xx'
    """
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", value[:_LONGEST_FORM]))
