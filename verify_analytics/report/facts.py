"""What did the store hold, as far as this report sees it? Counts, gaps in listening, digests that name the input.

Two stores with the same rows give the same digest, whatever kind of store they are and however they order rows.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import duckdb
import narwhals as nw
import pandas as pd

from verify_analytics.metrics.gaps import Gap, gaps_between, pulse_rows
from verify_analytics.model import moments
from verify_analytics.model.moments import MINUTE_US

BATCH = 50_000
# What is hashed of each table, in this order; each list begins with what the rows are sorted by, and all of it sorts.
DIGESTED = {
    "callbacks": ("arrival_id", "digest"),
    "verifications": ("session_id", "verified_us", "received_us"),
    "pulse": ("collector", "minute_us", "accepted", "repeated", "quarantined", "refused", "refused_by"),
}


class Input(NamedTuple):
    """One table as the report saw it: how many rows, and their digest; `rows` is None where no such table is kept."""

    rows: int | None
    digest: str | None


class Facts(NamedTuple):
    """What stands behind the figures: how much was received, how it was proved, when nobody listened."""

    callbacks: int
    redeliveries: int
    unproved: int
    first_received_us: int | None
    inputs: dict[str, Input]
    coverage_known: bool
    covered_from_us: int | None
    covered_until_us: int | None
    gaps: tuple[Gap, ...]
    refused: int
    quarantined: int


def gather(callbacks: Any, verifications: Any | None, pulse: Any | None, *, as_of_us: int) -> Facts:
    """Count and hash what was received up to a moment.

    Parameters
    ----------
    callbacks, verifications, pulse
        What `load` gives; the latter two may be None.
    as_of_us
        The moment, in microseconds since 1970 UTC; what was received later is not looked at. Of the pulse only minutes
        that were over count in the digest, since the last one may still grow.
    """
    known = nw.from_native(callbacks).filter(nw.col("received_us") <= as_of_us)
    received = _one(
        known.with_columns(
            _one=nw.lit(1),
            _unproved=nw.when(nw.col("proof") == "none").then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int64),
        )
        .group_by("_one")
        .agg(nw.len().alias("rows"), nw.col("_unproved").sum(), nw.col("received_us").min())
    )
    distinct = _one(_lazy(known).select("digest").unique().select(nw.len().alias("rows")))
    rows = int(received["rows"]) if received is not None else 0
    tables = {"callbacks": known}
    if verifications is not None:
        tables["verifications"] = nw.from_native(verifications).filter(nw.col("received_us") <= as_of_us)
    if pulse is not None:
        tables["pulse"] = nw.from_native(pulse).filter(nw.col("minute_us") <= as_of_us - MINUTE_US)
    heard = pulse_rows(pulse, ["minute_us", "refused", "quarantined"], as_of_us=as_of_us)
    return Facts(
        callbacks=rows,
        redeliveries=rows - (int(distinct["rows"]) if distinct is not None else 0),
        unproved=int(received["_unproved"]) if received is not None else 0,
        first_received_us=int(received["received_us"]) if received is not None else None,
        inputs={name: _input(tables.get(name), DIGESTED[name]) for name in DIGESTED},
        coverage_known=bool(len(heard)),
        covered_from_us=int(heard["minute_us"].min()) if len(heard) else None,
        covered_until_us=int(heard["minute_us"].max()) if len(heard) else None,
        gaps=gaps_between(heard["minute_us"]),
        refused=int(heard["refused"].sum()),
        quarantined=int(heard["quarantined"].sum()),
    )


def _lazy(frame: Any) -> Any:
    return frame.lazy() if isinstance(frame, nw.DataFrame) else frame


def _collected(frame: Any) -> pd.DataFrame:
    return _lazy(frame).collect().to_pandas()  # type: ignore[no-any-return]


def _one(frame: Any) -> pd.Series | None:
    table = _collected(frame)
    return table.iloc[0] if len(table) else None


def _input(table: Any | None, columns: tuple[str, ...]) -> Input:
    if table is None:
        return Input(None, None)
    digest, rows = hashlib.sha256(), 0
    for batch in _batches(_lazy(table).select(columns).sort(*columns)):
        rows += len(batch)
        # A tab and a line feed stand in none of these fields, so different rows never give the same text.
        digest.update("".join("\t".join(map(_text, row)) + "\n" for row in batch).encode())
    return Input(rows, f"sha256:{digest.hexdigest()}")


def _batches(frame: nw.LazyFrame[Any]) -> Iterator[list[tuple[Any, ...]]]:
    """Bring sorted rows over in bounded pieces, so that a long history does not have to fit into memory."""
    native = frame.to_native()
    if isinstance(native, duckdb.DuckDBPyRelation):
        pieces: Iterable[Any] = native.to_arrow_reader(BATCH)
    else:
        pieces = frame.collect("pyarrow").to_native().to_batches(BATCH)
    for piece in pieces:
        yield list(zip(*(column.to_pylist() for column in piece.columns), strict=True))


def _text(value: object) -> str:
    return str(value).replace("\t", " ").replace("\n", " ")


def moment_of(us: int) -> pd.Timestamp:
    """Give microseconds since 1970 as an aware UTC moment."""
    return pd.Timestamp(moments.EPOCH) + pd.Timedelta(microseconds=us)
