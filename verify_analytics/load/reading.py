"""What does a value of the analyst's table say? Texts, whole numbers and moments, written as DuckDB's expressions.

One reading for every engine: each expression gives the value in our form, or null where there is none or it cannot be
read; whether something was there that could not be read is told beside it.
"""

from typing import NamedTuple

from verify_analytics.errors import SchemaError
from verify_analytics.load.zones import local_spans
from verify_analytics.model.columns import Column

# Besides the empty text: how programs write that there is nothing. Never "NA", which is Namibia.
MISSING = ("\\N", "NULL", "null", "None", "NaN", "nan", "NaT", "<NA>")
_BLANKS = " \t\r\n\u00a0"
_EARLIEST, _LATEST = (
    946_684_800,
    4_102_444_800,
)  # 2000 and 2100, in seconds: what lies outside is no moment of a callback
_WORDS = ("session_status", "channel", "channel_status")
_TEXT = ("VARCHAR", "UUID", "JSON", "ENUM")
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_REAL = ("DOUBLE", "FLOAT", "DECIMAL")
_NAIVE = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATETIME")
_ZONED = "TIMESTAMP WITH TIME ZONE"
_WRITTEN = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]((?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?)(?:[.,]([0-9]{1,9}))?"
    r" ?(?:(Z|z|UTC|GMT)|([+-])(0[0-9]|1[0-5]):?([0-5][0-9])?)?"
)
_EPOCH = r"([0-9]{10}|[0-9]{13}|[0-9]{16}|[0-9]{19})(?:[.]([0-9]{1,9}))?"
_PARTS = ("day", "clock", "fraction", "utc", "sign", "hours", "minutes", "whole", "decimals")


class Reading(NamedTuple):
    """How one column is read, in three steps over one another, each an expression of DuckDB.

    ``raw`` reads the analyst's column; ``parts`` takes ``raw`` apart; ``value`` is in our form (of a moment: its
    microseconds). ``naive`` says whether a moment is written without a zone. None where a step is not needed.
    """

    column: Column
    raw: str
    value: str
    parts: str | None = None
    naive: str | None = None
    is_text: bool = False


def reading(column: Column, source: str, kind: str, *, theirs: str, zone: str | None, what: str) -> Reading:
    """Say how a column is read.

    Parameters
    ----------
    column
        Ours.
    source
        The analyst's column, quoted.
    kind
        The type that DuckDB gives it.
    theirs
        What the analyst calls it, for messages.
    zone
        In which zone moments without one are meant, or None.
    what
        What is read, for messages.

    Raises
    ------
    SchemaError
        If the type cannot be meant: numbers where leading zeros count, or a day where a moment is needed.
    """
    said = f"{what}: column {theirs!r} holds {kind}, but {column.name}"
    text = kind.startswith(_TEXT)
    raw = _cleaned(source) if text else source
    if kind == '"NULL"':
        return Reading(column, "CAST(NULL AS VARCHAR)", f"CAST(NULL AS {_type_of(column)})")
    if column.kind == "moment":
        return _moment(column, raw, kind, said=said, zone=zone)
    held = _held("_raw", column)
    if column.kind == "integer":
        if text:
            whole = f"regexp_full_match({held}, '[0-9]{{1,9}}([.]0+)?')"
            return Reading(
                column, raw, f"CASE WHEN {whole} THEN TRY_CAST(split_part({held}, '.', 1) AS BIGINT) END", is_text=True
            )
        if kind.startswith((*_WHOLE, *_REAL)):
            fits = f"{held} BETWEEN 0 AND 999999999 AND {held} = floor({held})"
            return Reading(column, raw, f"CASE WHEN {fits} THEN TRY_CAST({held} AS BIGINT) END")
        raise SchemaError(f"{said} is a whole number")
    if text:
        return Reading(column, raw, _text(column, held), is_text=True)
    if column.name == "recipient" and kind.startswith((*_WHOLE, *_REAL)):
        # Digits of a number survive as long as it is whole; it is hashed at once.
        return Reading(column, f"CAST(TRY_CAST({source} AS HUGEINT) AS VARCHAR)", held, is_text=True)
    raise SchemaError(
        f"{said} is text: in codes and ids leading zeros count, and 451.0 is no code. Give load the CSV file itself, "
        f'which is read as text, or read it in pandas with dtype={{"{theirs}": "str"}}'
    )


def value_name(column: Column) -> str:
    """Name the column a reading's value is put into: moments are counted."""
    return f'"{column.name}"' if column.kind != "moment" else f'"_us_{column.name}"'


def _type_of(column: Column) -> str:
    return "VARCHAR" if column.kind == "text" else "BIGINT"


def _held(step: str, column: Column) -> str:
    return f'"{step}_{column.name}"'


def _cleaned(source: str) -> str:
    """Take blanks off the ends, and read what stands for nothing as nothing."""
    trimmed = f"trim(CAST({source} AS VARCHAR), '{_BLANKS}')"
    nothing = ", ".join(f"'{word}'" for word in ("", *MISSING))
    # A long IN would become a join.
    return f"list_filter([{trimmed}], lambda text: NOT list_contains([{nothing}], text))[1]"


def _text(column: Column, held: str) -> str:
    if column.name in _WORDS:
        return f"lower({held})"
    return f"upper({held})" if column.name == "country" else held


def _moment(column: Column, raw: str, kind: str, *, said: str, zone: str | None) -> Reading:
    held = _held("_raw", column)
    if kind.startswith(_TEXT):
        parts = f"regexp_extract({held}, '^(?:{_WRITTEN}|{_EPOCH})$', {list(_PARTS)})"
        written, naive = _written(_held("_parts", column), zone)
        return Reading(column, raw, _within(written), parts, naive, is_text=True)
    if kind == _ZONED:
        return Reading(column, raw, _within(f"epoch_us({held})"))
    if kind in _NAIVE:
        counted = f"epoch_us(CAST({held} AS TIMESTAMP))"
        return Reading(column, raw, _within(_in_zone(counted, zone)), naive=f"{held} IS NOT NULL")
    if kind.startswith(_WHOLE):
        return Reading(column, raw, _within(_counted(f"TRY_CAST({held} AS HUGEINT)", "{} * {}", "{} // {}")))
    if kind.startswith(_REAL):
        scaled = "TRY_CAST(round({} * {}) AS BIGINT)", "TRY_CAST(floor({} / {}) AS BIGINT)"
        return Reading(column, raw, _within(_counted(f"CAST({held} AS DOUBLE)", *scaled)))
    raise SchemaError(f"{said} is a moment: a timestamp with a zone, a text such as 2026-10-29T00:00Z, or an epoch")


def _within(us: str) -> str:
    """Read what lies outside of the years 2000 to 2099 as no moment: zero times, and epochs in another unit."""
    return f"list_filter([TRY_CAST({us} AS BIGINT)], lambda u: u >= {_EARLIEST}000000 AND u < {_LATEST}000000)[1]"


def _counted(number: str, larger: str, smaller: str) -> str:
    """Read seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size."""
    cases = []
    for in_a_second in (1, 1_000, 1_000_000, 1_000_000_000):
        scale = larger if in_a_second <= 1_000_000 else smaller
        factor = 1_000_000 // in_a_second if in_a_second <= 1_000_000 else in_a_second // 1_000_000
        bounds = f"{number} >= {_EARLIEST * in_a_second} AND {number} < {_LATEST * in_a_second}"
        cases.append(f"WHEN {bounds} THEN {scale.format(number, factor)}")
    return f"CASE {' '.join(cases)} END"


def _written(parts: str, zone: str | None) -> tuple[str, str]:
    """Read what the pattern took apart: microseconds, and whether there was a day without a zone."""
    seconds = f"CASE WHEN length({parts}.clock) = 5 THEN ':00' ELSE '' END"
    day = f"epoch_us(TRY_CAST({parts}.day || ' ' || {parts}.clock || {seconds} AS TIMESTAMP))"
    local = f"({day} + {_fraction(f'{parts}.fraction', 6)})"
    minutes = f"(TRY_CAST({parts}.hours AS BIGINT) * 60 + coalesce(TRY_CAST({parts}.minutes AS BIGINT), 0))"
    sign = f"CASE {parts}.sign WHEN '-' THEN -1 ELSE 1 END"
    epoch = (
        f"CASE length({parts}.whole) "
        f"WHEN 10 THEN TRY_CAST({parts}.whole AS HUGEINT) * 1000000 + {_fraction(f'{parts}.decimals', 6)} "
        f"WHEN 13 THEN TRY_CAST({parts}.whole AS HUGEINT) * 1000 + {_fraction(f'{parts}.decimals', 3)} "
        f"WHEN 16 THEN TRY_CAST({parts}.whole AS HUGEINT) "
        f"WHEN 19 THEN TRY_CAST({parts}.whole AS HUGEINT) // 1000 END"
    )
    naive = f"{parts}.day <> '' AND {parts}.utc = '' AND {parts}.sign = ''"
    us = (
        f"CASE WHEN {parts}.whole <> '' THEN {epoch} WHEN {parts}.utc <> '' THEN {local} "
        f"WHEN {parts}.sign <> '' THEN {local} - {sign} * {minutes} * 60000000 "
        f"WHEN {parts}.day <> '' THEN {_in_zone(local, zone)} END"
    )
    return us, naive


def _fraction(digits: str, places: int) -> str:
    return f"TRY_CAST(rpad(left({digits}, {places}), {places}, '0') AS BIGINT)"


def _in_zone(local: str, zone: str | None) -> str:
    """Read a local time as UTC. An hour that the clock told twice, or never, is no moment."""
    if zone is None:
        return "CAST(NULL AS BIGINT)"
    if zone == "UTC":
        return local
    spans = " ".join(f"WHEN m >= {begin} AND m < {end} THEN m - ({offset})" for begin, end, offset in local_spans(zone))
    # The time travels through a list, as a name for what is used many times.
    return f"list_transform([{local}], lambda m: CASE {spans} END)[1]"
