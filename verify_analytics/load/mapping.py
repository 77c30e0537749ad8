"""How does a table in the analyst's own words get our shape? Read once, in DuckDB; nothing disappears uncounted.

One reading serves every engine, so that a file, a pandas and a Polars frame of the same rows give the same attempts;
what was read goes back to the engine that it came from.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.load.asked import DEFAULTS, MADE, RECIPIENT, Asked, asked
from verify_analytics.load.connection import forget, keep
from verify_analytics.load.looking import flags, look
from verify_analytics.load.phones import key_expression
from verify_analytics.load.reading import Reading, reading, value_name
from verify_analytics.load.tables import table_of
from verify_analytics.model.columns import MICROSECONDS, Column

REPEATED = "the same row once more"
_RECIPIENT = Column(RECIPIENT, "text")
# What a provider says in a callback: equal content under another arrival is a redelivery.
_CONTENT = (
    *("provider", "session_id", "session_status", "attempt_id", "attempt_sequence", "channel", "channel_status"),
    *("error_code", "requested_at", "recipient_key"),
)


class Mapped(NamedTuple):
    """What came of a table: the rows with ``_why`` (null for those that are kept), and what else was left out."""

    rows: duckdb.DuckDBPyRelation
    asked: Asked
    shape: tuple[Column, ...]
    lines: dict[str, int]
    values: dict[str, int]
    back: Callable[[duckdb.DuckDBPyRelation], Any]

    def kept(self) -> Any:
        """Give the rows that are kept, in the engine they came from."""
        return self.back(self.rows.filter("_why IS NULL").project(", ".join(f'"{c.name}"' for c in self.shape)))


def mapped(
    where: Any,
    table: str,
    shape: tuple[Column, ...],
    *,
    columns: Mapping[str, str] | str | None,
    timezone: str | None,
    pepper: str | bytes | None,
) -> Mapped:
    """Read a table by a mapping of its columns.

    Parameters
    ----------
    where
        A CSV or Parquet file, or a dataframe of pandas, Polars or DuckDB.
    table
        ``callbacks``, ``verifications`` or ``pulse``.
    shape
        Its declared columns.
    columns
        Our names to theirs, the name of a preset, or None for our own names.
    timezone
        In which zone moments are meant that say none.
    pepper
        The secret under which a column of recipients is hashed.

    Raises
    ------
    ArgumentError
        If the mapping or the zone cannot be meant, or numbers of recipients would be kept.
    SchemaError
        If a column is not there, holds another type, or times have no zone and none was said.
    """
    zone = _zone(timezone)
    with ExitStack() as finally_:
        opened = table_of(where, table)
        finally_.callback(opened.close)
        found = asked(columns, opened.names, shape, table=table, what=opened.what, has_pepper=pepper is not None)
        source, there = opened.read(tuple(dict.fromkeys(found.theirs.values())))
        readings = [
            reading(
                column,
                _quoted(there[theirs].name),
                there[theirs].kind,
                theirs=theirs,
                zone=zone,
                what=opened.what,
            )
            for column in (*shape, _RECIPIENT)
            if (theirs := found.theirs.get(column.name)) is not None
        ]
        read = _read(source, readings)
        made = _with_reasons(_with_made(read, readings, shape, table, pepper), readings, shape)
        # Worked out once, whatever it is: a relation over a stream can be read only once.
        try:
            rows = keep(made)
        except duckdb.Error as error:
            raise SchemaError(f"{opened.what} cannot be read: {str(error).splitlines()[0]}") from None
        try:
            look(rows, readings, found, what=opened.what, has_zone=zone is not None)
            _unique(rows, shape, opened.what)
            lines = opened.unreadable_lines()
            _some(rows, lines, opened.what)
        except SchemaError:
            forget(rows)
            raise
        return Mapped(rows, found, shape, lines, _unread_values(rows, readings), opened.back)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _zone(timezone: str | None) -> str | None:
    """Check the name of a zone."""
    if timezone is None:
        return None
    try:
        return "UTC" if timezone.upper() == "UTC" else ZoneInfo(timezone).key
    except (AttributeError, ValueError, OSError, LookupError):
        raise ArgumentError(f'timezone={timezone!r} is no zone; write it as "UTC" or "Europe/Berlin"') from None


def _read(source: duckdb.DuckDBPyRelation, readings: list[Reading]) -> duckdb.DuckDBPyRelation:
    """Put the three steps of every reading over one another."""
    raw = source.project(", ".join(f'{r.raw} AS "_raw_{r.column.name}"' for r in readings))
    parts = [f'{r.parts} AS "_parts_{r.column.name}"' for r in readings if r.parts]
    apart = raw.project(", ".join(["*", *parts]))
    values = [f"{r.value} AS {value_name(r.column)}" for r in readings]
    return apart.project(", ".join(["*", *values]))


def _with_made(
    read: duckdb.DuckDBPyRelation, readings: list[Reading], shape: tuple[Column, ...], table: str, pepper: Any
) -> duckdb.DuckDBPyRelation:
    """Add every declared column that was not read: hashed, made of the others, by default, or null."""
    there = {each.column.name for each in readings}
    made: list[str] = []
    for column in shape:
        name = value_name(column)
        if column.name in there or column.name in MADE:
            continue
        if column.name == "recipient_key" and RECIPIENT in there:
            made.append(f"{key_expression(RECIPIENT, pepper)} AS {name}")
        elif column.name in DEFAULTS[table]:
            made.append(f"'{DEFAULTS[table][column.name]}' AS {name}")
        else:
            made.append(f"CAST(NULL AS {'VARCHAR' if column.kind == 'text' else 'BIGINT'}) AS {name}")
    # From here on the number itself is gone.
    values = [value_name(r.column) for r in readings if r.column.name != RECIPIENT]
    flagged = [f'({expression}) AS "{flag}"' for r in readings for flag, expression in flags(r).items()]
    relation = read.project(", ".join([*values, *made, *flagged]))
    names = {column.name for column in shape}
    if "digest" in names and "digest" not in there:
        parts = [f"CAST({value_name(c)} AS VARCHAR)" for c in shape if c.name in _CONTENT]
        content = " || ".join(f"coalesce(length({part}) || ':' || {part}, '-') || ','" for part in parts)
        relation = relation.project(f"*, 'm1:' || sha256({content}) AS digest")
    if "arrival_id" in names and "arrival_id" not in there:
        relation = relation.project("*, sha256(_us_received_at || ':' || digest) AS arrival_id")
    return relation


def _with_reasons(
    made: duckdb.DuckDBPyRelation, readings: list[Reading], shape: tuple[Column, ...]
) -> duckdb.DuckDBPyRelation:
    """Say of each row why it is left out, null where it is kept, and give moments as timestamps."""
    bad = {r.column.name for r in readings if r.column.kind != "text"}
    names = {column.name for column in shape}
    cases: list[str] = []
    # What is made of the others is missing where they are, and they say why.
    for column in sorted(shape, key=lambda each: each.name in MADE):
        if column.nullable:
            continue
        if column.name in bad:
            cases.append(f"WHEN \"_bad_{column.name}\" THEN '{column.name} cannot be read'")
        cases.append(f"WHEN {value_name(column)} IS NULL THEN 'no {column.name}'")
    judged = made.project(f"*, CASE {' '.join(cases)} ELSE NULL END AS _first_why")
    # A digest says all that a provider said, and an arrival when it was said.
    whole = [c for c in shape if c.name in {"arrival_id", "received_at", "digest"}] if "digest" in names else shape
    same = ", ".join(value_name(c) for c in whole)
    rest = ", ".join(value_name(c) for c in shape if c.name in {"country", "number_block", "proof"}) or "1"
    again = f"row_number() OVER (PARTITION BY _first_why IS NULL, {same} ORDER BY {rest}) > 1"
    why = f"CASE WHEN _first_why IS NULL AND {again} THEN '{REPEATED}' ELSE _first_why END AS _why"
    columns: list[str] = []
    for column in shape:
        if column.kind == "moment":
            us = value_name(column)
            columns += [f'make_timestamptz({us}) AS "{column.name}"', f'{us} AS "{MICROSECONDS[column.name]}"']
        else:
            columns.append(f'"{column.name}"')
    flagged = [f'"{flag}"' for r in readings for flag in flags(r)]
    return judged.project(", ".join([*columns, *flagged, why]))


def _unique(rows: duckdb.DuckDBPyRelation, shape: tuple[Column, ...], what: str) -> None:
    """Refuse names of arrivals that name several: then something else was taken for them."""
    if "arrival_id" not in {column.name for column in shape}:
        return
    [(count, distinct)] = (
        rows.filter("_why IS NULL").aggregate("count(*) AS n, count(DISTINCT arrival_id) AS k").fetchall()
    )
    if count != distinct:
        raise SchemaError(
            f"{what}: {count} rows have only {distinct} different arrival_id; it names one arrival each. "
            "Leave it out of columns=, and it is made of when a row was received and what it says"
        )


def _some(rows: duckdb.DuckDBPyRelation, lines: dict[str, int], what: str) -> None:
    """Refuse a file of which no line can be read: an empty answer would look like no traffic."""
    if lines and not rows.project("1").limit(1).fetchall():
        raise SchemaError(f"{what}: no line can be read: {'; '.join(f'{n:,} times {why}' for why, n in lines.items())}")


def _unread_values(rows: duckdb.DuckDBPyRelation, readings: list[Reading]) -> dict[str, int]:
    """Count the values that were there, could not be read, and are missing now, by column."""
    names = [
        r.column.name for r in readings if (r.column.kind != "text" and r.column.nullable) or r.column.name == RECIPIENT
    ]
    if not names:
        return {}
    counts = ", ".join(f'count(*) FILTER ("_bad_{name}")' for name in names)
    [found] = rows.filter("_why IS NULL").aggregate(counts).fetchall()
    return {name: int(count) for name, count in zip(names, found, strict=True) if count}
