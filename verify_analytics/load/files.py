"""How is Parquet read? A single file with its siblings, or an archive folder; DuckDB reads only what is asked for."""

import json
from glob import escape
from pathlib import Path
from typing import Any

import duckdb

from verify_analytics.errors import NotFoundError, SchemaError
from verify_analytics.load import frames
from verify_analytics.load.connection import connection
from verify_analytics.model.columns import Column


def relation(where: str | Path, table: str, columns: tuple[Column, ...], *, may_be_empty: bool = False) -> Any | None:
    """Open a table that is kept as Parquet.

    Parameters
    ----------
    where
        A Parquet file of callbacks, an archive folder, or a folder with ``callbacks.parquet``.
    table
        ``callbacks``, ``verifications`` or ``pulse``.
    columns
        Its declared shape.
    may_be_empty
        Whether a folder may hold no callbacks.

    Returns
    -------
    DuckDB relation or None
        None if this place does not keep such a table.

    Raises
    ------
    NotFoundError
        If a folder holds no callbacks.
    SchemaError
        If it cannot be read or has another shape.
    """
    path = Path(where)
    found = _in_folder(path, table) if path.is_dir() else _beside(path, table)
    if not found:
        if table != "callbacks" or may_be_empty:
            return None
        raise NotFoundError(
            f"{str(path)!r} holds no callbacks: neither callbacks/day=YYYY-MM-DD/*.parquet, as an archive has them, "
            "nor callbacks.parquet"
        )
    try:
        # DuckDB reads names as patterns: run[1] would be run1. The day in a folder's name repeats received_at.
        read = connection().read_parquet([escape(str(file)) for file in found], hive_partitioning=False)
    except duckdb.Error as error:
        raise SchemaError(f"{table} in {str(path)!r} cannot be read: {str(error).splitlines()[0]}") from None
    made = frames.shaped(read, columns, what=f"{table} in {str(path)!r}")
    return larger_counts(made) if table == "pulse" and len(found) > 1 else made


def larger_counts(pulse: Any) -> Any:
    """Make one row of each collector's minute: of a minute that was counted further, the larger counts stand.

    A minute may be archived and then be counted further in the store, when a capture of it is brought in again.
    """
    counts = ", ".join(f"max({name}) AS {name}" for name in ("accepted", "repeated", "quarantined", "refused"))
    reasons = "arg_max(refused_by, (refused, refused_by)) AS refused_by"
    return pulse.aggregate(f"collector, max(minute) AS minute, minute_us, {counts}, {reasons}", "collector, minute_us")


def parts_of(path: Path, table: str) -> list[str]:
    """List the parts of a table in an archive folder, by their path in it.

    Raises
    ------
    SchemaError
        If the archive's manifest names one that is not there.
    """
    # A part that is being written has another ending until it is whole.
    found = (file for file in (path / table).rglob("*.parquet") if not file.name.startswith("."))
    listed = sorted(file.relative_to(path).as_posix() for file in found)
    _refuse_missing(path, table, listed)
    return listed


def _refuse_missing(path: Path, table: str, listed: list[str]) -> None:
    """Refuse an archive that lacks a part which its manifest names; without one nobody says what should be there."""
    # Read after the folder was: a part that is removed on purpose leaves the manifest before it leaves the folder.
    try:
        named = json.loads((path / "manifest.json").read_text())["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    missing = [name for name in named if name.startswith(f"{table}/") and name not in listed]
    gone = sorted(name for name in missing if not (path / name).is_file())
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        raise SchemaError(
            f"the manifest of {str(path)!r} names {gone[0]}{more}, which is not there, so every figure would be wrong: "
            "bring it back from a copy; `collector archive --verify` checks the whole archive"
        )


def _in_folder(path: Path, table: str) -> list[Path]:
    single = path / f"{table}.parquet"
    parts = [path / part for part in parts_of(path, table)]
    return parts or ([single] if single.is_file() else [])


def _beside(path: Path, table: str) -> list[Path]:
    file = path if table == "callbacks" else path.with_name(f"{table}.parquet")
    return [file] if file.exists() else []
