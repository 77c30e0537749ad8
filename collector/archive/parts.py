"""Writes one part, a row group at a time, and reads it back: the one file that knows Parquet."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from collector.archive.folder import digest_of
from collector.archive.kinds import DAY, Kind
from collector.errors import CollectorError
from collector.store import SCHEMA

GROUP = 1 << 17
"""Rows of a row group: what is in memory at one time."""
_START = datetime(1970, 1, 1, tzinfo=UTC)
CONTENT, OF_SCHEMA = b"verify_analytics.content", b"verify_analytics.schema"


class Facts(NamedTuple):
    """What is in a part: its rows, a digest over their values, the digest of the file, the schema it was made from."""

    rows: int
    content: str
    digest: str
    schema: str


def arrow() -> Any:
    """Import pyarrow, which the collector alone does without.

    Raises
    ------
    CollectorError
        If it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise CollectorError("the archive needs the package pyarrow: pip install pyarrow") from None
    return pa


def schema_of(kind: Kind) -> Any:
    """Give the Arrow schema of a table: ids as text, moments as UTC timestamps in microseconds."""
    pa = arrow()
    types = {"text": pa.string(), "integer": pa.int64(), "moment": pa.timestamp("us", tz="UTC")}
    return pa.schema([pa.field(name, types[what], nullable=nullable) for name, what, nullable in kind.columns])


def table_of(kind: Kind, rows: Sequence[Sequence[Any]]) -> Any:
    """Make an Arrow table of rows of the store, whose values are in the order of the columns."""
    pa = arrow()
    schema = schema_of(kind)
    values = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.Table.from_arrays([pa.array(v, f.type) for v, f in zip(values, schema, strict=True)], schema=schema)


def in_order(kind: Kind, table: Any) -> Any:
    """Sort rows by their moment, and where that is equal by what they are."""
    names = [kind.moment, *(name for name in kind.identity if name != kind.moment)]
    return table.sort_by([(name, "ascending") for name in names])


class Draft:
    """A part that grows.

    Parameters
    ----------
    kind
        Its table.
    path
        Of an empty file.
    """

    def __init__(self, kind: Kind, path: Path) -> None:
        self.rows = 0
        self._kind = kind
        self._path = path
        self._content = Content()

    def __enter__(self) -> Self:
        pq = arrow().parquet
        self._file = self._path.open("wb")
        schema = schema_of(self._kind)
        by_moment = pq.SortingColumn(schema.get_field_index(self._kind.moment))
        self._writer = pq.ParquetWriter(
            self._file, schema, compression="zstd", use_dictionary=list(self._kind.repeats), write_statistics=True,
            write_page_checksum=True, sorting_columns=[by_moment],
        )  # fmt: skip
        return self

    def add(self, table: Any) -> None:
        """Write one row group."""
        if table.num_rows:
            self._writer.write_table(table, row_group_size=table.num_rows)
            self._content.add(table)
            self.rows += table.num_rows

    @property
    def content(self) -> str:
        """A digest over the values of every row so far."""
        return self._content.digest

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # With the digest of what was meant in it, a part can be judged though the manifest was never written.
        try:
            self._writer.add_key_value_metadata({CONTENT: self.content.encode(), OF_SCHEMA: SCHEMA.encode()})
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            # What is read back should come from the disk and not from memory.
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        except Exception:
            # Whatever went wrong first is what the operator must hear.
            if error is None:
                raise
        finally:
            self._file.close()


class Content:
    """Digests the values of row groups; the same values give the same digest, however Arrow holds them in memory."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def add(self, table: Any) -> None:
        """Add one row group."""
        pa = arrow()
        self._sum.update(table.num_rows.to_bytes(8, "little"))
        for column in table.columns:
            held = column.combine_chunks()
            if isinstance(held, pa.ChunkedArray):
                held = pa.concat_arrays(held.chunks)
            if pa.types.is_string(held.type):
                lengths = pa.compute.fill_null(pa.compute.binary_length(held), -1)
                self._sum.update(_octets(lengths, 4))
                self._sum.update(_text(pa.compute.fill_null(held, "")))
            else:
                self._sum.update(_octets(pa.compute.is_valid(held).cast(pa.uint8()), 1))
                self._sum.update(_octets(pa.compute.fill_null(held.cast(pa.int64()), 0), 8))

    @property
    def digest(self) -> str:
        """As 64 hexadecimal digits."""
        return self._sum.hexdigest()


def _octets(array: Any, width: int) -> memoryview:
    return memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]


def _text(array: Any) -> memoryview:
    offsets = memoryview(array.buffers()[1]).cast("i")
    first, last = offsets[array.offset], offsets[array.offset + len(array)]
    return memoryview(array.buffers()[2] or b"")[first:last]


@contextmanager
def opened(kind: Kind, path: Path) -> Iterator[Any]:
    """Open a part that has the shape it should have, for reading with every page's checksum compared.

    Raises
    ------
    CollectorError
        Naming the part, if it is damaged or no part of this archive. Whoever reads from it hears of damage likewise.
    """
    pa = arrow()
    try:
        with path.open("rb") as file, pa.parquet.ParquetFile(
            file, page_checksum_verification=True, pre_buffer=False
        ) as part:  # fmt: skip
            if not part.schema_arrow.remove_metadata().equals(schema_of(kind)):
                raise CollectorError(
                    f"{path} has other columns than a part of the archive has, and whoever reads the archive would "
                    "read it too: move it away"
                )
            yield part
    except (pa.ArrowException, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CollectorError(f"{path} is damaged ({said}): {RESCUE}") from None
    except OSError as error:
        # Arrow tells a page that cannot be read as an error of the system without a number.
        if error.errno is not None:
            raise
        raise CollectorError(f"{path} is damaged ({str(error).splitlines()[0]}): {RESCUE}") from None


RESCUE = (
    "bring it back from a copy, or move it out of the archive and take it out of the manifest; no row of the store was "
    "deleted on its word"
)


def groups(kind: Kind, path: Path, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """Read a part, one row group at a time; errors as `opened` has them."""
    with opened(kind, path) as part:
        for number in range(part.num_row_groups):
            yield part.read_row_group(number, columns=columns, use_threads=False)


def overlapping(kind: Kind, path: Path, first: int, last: int) -> Iterator[Any]:
    """Read what rows are, from the row groups whose moments may lie between these two."""
    with opened(kind, path) as part:
        index = part.schema_arrow.get_field_index(kind.moment)
        for number in range(part.num_row_groups):
            bounds = part.metadata.row_group(number).column(index).statistics
            if bounds is not None and bounds.has_min_max:
                low, high = (_microseconds(value) for value in (bounds.min, bounds.max))
                if high < first or low > last:
                    continue
            yield part.read_row_group(number, columns=list(kind.identity), use_threads=False)


def read_back(kind: Kind, path: Path, day: int) -> Facts:
    """Read every row of a part.

    Raises
    ------
    CollectorError
        If it is damaged, of another shape, or holds rows of another day.
    """
    pa = arrow()
    content, rows = Content(), 0
    with opened(kind, path) as part:
        said = part.metadata.metadata or {}
        for number in range(part.num_row_groups):
            table = part.read_row_group(number, use_threads=False)
            content.add(table)
            rows += table.num_rows
            bounds = pa.compute.min_max(table[kind.moment].cast(pa.int64())).as_py()
            if table.num_rows and not day <= bounds["min"] <= bounds["max"] < day + DAY:
                raise CollectorError(f"{path} holds rows of another day than its folder says: move it away")
            if any(table[name].null_count for name, _, nullable in kind.columns if not nullable):
                raise CollectorError(f"{path} is damaged (a value is missing that none may lack): {RESCUE}")
    if CONTENT in said and said[CONTENT].decode("ascii", "replace") != content.digest:
        raise CollectorError(f"{path} does not hold the rows it was written with: {RESCUE}")
    schema = said.get(OF_SCHEMA, SCHEMA.encode()).decode("ascii", "replace")
    return Facts(rows, content.digest, digest_of(path), schema)


def identities(kind: Kind, table: Any) -> Any:
    """Give one value for each row by which it is known again: of a callback its arrival."""
    pa = arrow()
    if len(kind.identity) == 1:
        return table[kind.identity[0]].combine_chunks()
    texts = [
        table[name].cast(pa.int64()).cast(pa.string()) if pa.types.is_timestamp(table[name].type) else
        table[name].cast(pa.string())
        for name in kind.identity
    ]  # fmt: skip
    # No text of the store holds this character, nor could it be taken for a part of a number.
    return pa.compute.binary_join_element_wise(*texts, "\x1f").combine_chunks()


def _microseconds(value: Any) -> int:
    """Read the bound of a row group, which Arrow gives as a datetime."""
    return int((value - _START) // timedelta(microseconds=1))
