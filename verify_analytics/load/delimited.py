"""How is a CSV file read? Every value as the text it is, so that nothing is guessed; lines that do not fit are counted.

A reader that guesses types makes 000 of an error code a 0, and of an id a rounded number.
"""

import csv
import gzip
from pathlib import Path
from typing import NamedTuple

import duckdb

from verify_analytics.errors import SchemaError
from verify_analytics.load.connection import connection, new_name

NO_UTF8 = "line that is no UTF-8: save the file as 'CSV UTF-8'"
UNREADABLE_LINE = "line that is no row of the table"
_DELIMITERS = ",\t;|"
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# A head longer than this is no head of a table.
_LONGEST_HEAD = 1_000_000


class Delimited(NamedTuple):
    """A CSV file that is open for reading, and where DuckDB writes down the lines that it cannot read."""

    relation: duckdb.DuckDBPyRelation
    names: tuple[str, ...]
    rejects: str

    def unreadable_lines(self) -> dict[str, int]:
        """Count the lines that were left out by reason, once the file was read.

        They had more or fewer values than the head, or letters in another encoding. Of the latter it is said: those
        are not lines at random, but those of every name with an accent.
        """
        lines = (
            connection().table(self.rejects).aggregate("line, bool_or(error_type = 'INVALID ENCODING') AS odd", "line")
        )
        [(odd, others)] = lines.aggregate("count(*) FILTER (odd), count(*) FILTER (NOT odd)").fetchall()
        return {why: int(n) for why, n in ((NO_UTF8, odd), (UNREADABLE_LINE, others)) if n}

    def forget(self) -> None:
        """Drop what was written down: lines that could not be read may hold anything."""
        for table in (self.rejects, f"{self.rejects}_scans"):
            connection().execute(f"DROP TABLE IF EXISTS {table}")


def opened(where: str | Path) -> Delimited:
    """Open a file of comma-, tab-, semicolon- or bar-separated values with a head, compressed or not.

    Raises
    ------
    SchemaError
        If it is empty, not UTF-8, or has a column without a name.
    """
    path = Path(where)
    head, compressed = _head(path)
    delimiter = max(_DELIMITERS, key=head.count)
    names = tuple(name.strip() for name in next(csv.reader([head], delimiter=delimiter)))
    # Names may come twice, or be empty; by its place every column can be told.
    places = {f"c{place}": "VARCHAR" for place in range(len(names))}
    rejects = new_name("unreadable_lines")
    relation: duckdb.DuckDBPyRelation = connection().read_csv(
        str(path),
        columns=places,
        auto_detect=False,
        header=False,
        skiprows=1,
        sep=delimiter,
        quotechar='"',
        escapechar='"',
        compression="gzip" if compressed else "none",
        ignore_errors=True,
        store_rejects=True,
        rejects_table=rejects,
        rejects_scan=f"{rejects}_scans",
    )
    return Delimited(relation, names, rejects)


def _head(path: Path) -> tuple[str, bool]:
    """Read the first line, and whether the file is compressed."""
    said = repr(str(path))
    with path.open("rb") as file:
        start = file.read(2)
    if start in _UTF16:
        raise SchemaError(f"{said} is UTF-16; save it as UTF-8 (a spreadsheet's 'CSV UTF-8')")
    compressed = start == _GZIP
    try:
        with gzip.open(path, "rb") if compressed else path.open("rb") as file:
            head = file.readline(_LONGEST_HEAD).decode("utf-8-sig").rstrip("\r\n")
    except (UnicodeDecodeError, OSError, EOFError) as error:
        why = "is no UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error}"
        raise SchemaError(f"{said} {why}; save it as 'CSV UTF-8'") from None
    if "\0" in head or not head.strip():
        raise SchemaError(f"{said} has no first line with the names of its columns")
    return head, compressed
