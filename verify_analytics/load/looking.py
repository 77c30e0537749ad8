"""May this table come in at all? All rows are looked through before any goes out; some things are no matter of rows.

Phone numbers where none belongs, times of which nobody said the zone, and columns of which nothing can be read.
"""

import re
from typing import Any

import duckdb

from verify_analytics.errors import SchemaError
from verify_analytics.load.asked import RECIPIENT, Asked
from verify_analytics.load.phones import HOW_TO_HASH, bare, number_condition
from verify_analytics.load.reading import Reading, value_name
from verify_analytics.model.columns import MICROSECONDS

# In these, digits alone are nothing odd: they may be the keys of somebody's database.
_IDS = ("session_id", "attempt_id", "arrival_id", "digest")
_LONGEST_FORM = 40


def flags(read: Reading) -> dict[str, str]:
    """Write what must be known of each value beside the value itself: name of the flag, expression of DuckDB.

    Parameters
    ----------
    read
        How a column is read. The expressions are over what it gives.
    """
    name, raw, value = read.column.name, f'"_raw_{read.column.name}"', value_name(read.column)
    if name == RECIPIENT:
        return {f"_bad_{name}": f"{raw} IS NOT NULL AND NOT regexp_full_match({bare(raw)}, '[0-9]+')"}
    if read.column.kind == "text":
        made = {f"_number_{name}": _number(name, raw)} if read.is_text else {}
        if read.is_text and name == "error_code":
            made[f"_guessed_{name}"] = f"coalesce(regexp_full_match({raw}, '[0-9]+[.]0*'), false)"
        return made
    made = {f"_bad_{name}": f"{raw} IS NOT NULL AND {value} IS NULL"}
    if read.naive:
        made[f"_naive_{name}"] = read.naive
    if read.is_text:
        made[f"_odd_{name}"] = f"CASE WHEN {value} IS NULL THEN left({raw}, {_LONGEST_FORM}) END"
    return made


def _number(name: str, raw: str) -> str:
    if name == "number_block":
        # Digits are what it is made of; with its last four ones it would have a plus, or be longer than any block.
        return f"NOT regexp_full_match({raw}, '[0-9]{{1,11}}')"
    return number_condition(raw, only_with_plus=name in _IDS)


def look(rows: duckdb.DuckDBPyRelation, readings: list[Reading], found: Asked, *, what: str, has_zone: bool) -> None:
    """Look through all rows, and refuse a table that may not come in.

    Parameters
    ----------
    rows
        With the `flags` of every reading.
    readings
        How each column is read.
    found
        What the analyst calls them.
    what
        What is read, for messages.
    has_zone
        Whether it was said where moments are meant that have no zone.

    Raises
    ------
    SchemaError
        Naming the first column that will not do; the message holds no value of it.
    """
    wanted = {"rows": "count(*)"}
    for each in readings:
        for flag in flags(each):
            wanted[flag] = f'min("{flag}")' if flag.startswith("_odd_") else f'count(*) FILTER ("{flag}")'
        if each.column.kind != "text":
            counted = MICROSECONDS.get(each.column.name, each.column.name)
            wanted[f"read {each.column.name}"] = f'count("{counted}")'
    [values] = rows.aggregate(", ".join(wanted.values())).fetchall()
    seen = dict(zip(wanted, values, strict=True))
    for each in readings:
        column = f"{what}: column {found.theirs[each.column.name]!r}, read as {each.column.name},"
        _refuse(each, seen, column, has_zone=has_zone)


def _refuse(read: Reading, seen: dict[str, Any], column: str, *, has_zone: bool) -> None:
    name, rows = read.column.name, seen["rows"]
    if numbers := seen.get(f"_number_{name}"):
        raise SchemaError(
            f"{column} holds what looks like phone numbers ({numbers} of {rows} rows), and no number is ever kept; "
            f"{HOW_TO_HASH}"
        )
    if (naive := seen.get(f"_naive_{name}")) and not has_zone:
        raise SchemaError(
            f"{column} has no time zone in {naive} of {rows} rows, and noon is another moment in every country; "
            'say timezone="UTC", or where the clock hung, such as timezone="Europe/Berlin"'
        )
    if guessed := seen.get(f"_guessed_{name}"):
        raise SchemaError(
            f"{column} holds numbers with a point ({guessed} of {rows} rows): 451.0 is no code, and 0.0 may have been "
            "0 or 000. Something read codes as numbers before this; export them as texts, or leave the column out"
        )
    if read.column.kind != "text" and seen[f"_bad_{name}"] and not seen[f"read {name}"]:
        odd = seen.get(f"_odd_{name}")
        like = f" (their form: {_form(odd)!r})" if odd else ""
        written = (
            "a moment is written as 2026-10-29T00:00:00Z or as an epoch, a whole number in digits"
            if read.column.kind == "moment"
            else "a whole number from 0 up is wanted"
        )
        raise SchemaError(f"{column} holds nothing that can be read{like}; {written}")


def _form(value: str) -> str:
    """Show how a value that nobody understood is written, and not what it says: it could be anything.

    >>> _form("10/22/2026 2:05 pm")
    '99/99/9999 9:99 xx'
    """
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", value[:_LONGEST_FORM]))
