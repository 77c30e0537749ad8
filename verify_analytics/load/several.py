"""How are an archive and the store that feeds it read as one? No row twice, and none missed while rows move between.

The collector shows a part of the archive first and deletes its rows from the store afterwards. So stores are read
first: a row that has left the store by then lies in a part that is there when the archive is listed. A row that is read
in both places is one row, told by what it is and never by where it lies.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

from verify_analytics.errors import ArgumentError
from verify_analytics.load import files, stores
from verify_analytics.load.connection import forget, keep
from verify_analytics.load.places import FILES, STORES, Place, place_of
from verify_analytics.model.columns import Column


class _Identity(NamedTuple):
    """What makes two rows of a table one, and the column by which a row's twin can be looked for in a part of it."""

    columns: tuple[str, ...]
    narrowed_by: str


_IDENTITIES = {
    "callbacks": _Identity(("arrival_id",), "received_us"),
    "verifications": _Identity(("session_id", "verified_us"), "verified_us"),
}


def together(places: Sequence[Any], table: str, columns: tuple[Column, ...]) -> Any | None:
    """Read one table from several places as if it lay in one.

    Parameters
    ----------
    places
        Stores (SQLite, PostgreSQL) and Parquet (files, archive folders), in any order. Of rows that are in two of them
        the one of the Parquet stays, and else the one of the place that is named first.
    table
        ``callbacks``, ``verifications`` or ``pulse``.
    columns
        Its declared shape.

    Returns
    -------
    DuckDB relation or None
        Parquet stays on disk until it is asked for; stores are copied. Of a collector's minute the larger counts stand.
        None if none of the places keeps such a table.

    Raises
    ------
    ArgumentError
        If nothing is named, or a place is neither a store nor Parquet.
    NotFoundError, SchemaError
        As for each of the places alone.
    """
    hot, kept = _by_kind(places)
    copies = [stores.streamed(place, table, columns) for place in hot]
    # An archive that has no part yet is no mistake beside the store whose rows it will hold.
    found = [files.relation(place, table, columns, may_be_empty=bool(hot)) for place in kept]
    given = [one for one in found if one is not None] + copies
    if not given:
        return None
    if table == "pulse":
        return files.larger_counts(reduce(lambda whole, part: whole.union(part), given))
    parts: list[Any] = []
    for part in given:
        parts.append(_without_twins(part, parts, _IDENTITIES[table]))
    return reduce(lambda whole, part: whole.union(part), parts)


def _by_kind(places: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Part stores from Parquet."""
    if not places:
        raise ArgumentError("no place was named; give a store, an archive folder, or both in a list")
    kinds = [place_of(place) for place in places]
    for place, kind in zip(places, kinds, strict=True):
        if kind not in (*STORES, *FILES):
            raise ArgumentError(
                "places that are read together are stores and Parquet; "
                f"{type(place).__name__ if kind is Place.FRAME else 'a CSV file'} is read alone"
            )
    named = list(zip(places, kinds, strict=True))
    return [place for place, kind in named if kind in STORES], [place for place, kind in named if kind in FILES]


def _without_twins(part: Any, earlier: Sequence[Any], identity: _Identity) -> Any:
    """Leave out the rows that an earlier part has too.

    They are looked for now, and only where both reach: of a long archive that is its newest days. What was found is
    kept, so that a part which is replaced meanwhile cannot bring a row back.
    """
    reach = part.aggregate(f"min({identity.narrowed_by}) AS low, max({identity.narrowed_by}) AS high").fetchall()
    low, high = reach[0]
    if low is None or not earlier:
        return part
    names = ", ".join(identity.columns)
    common = [
        part.project(names).join(
            other.filter(f"{identity.narrowed_by} BETWEEN {low} AND {high}").project(names), names, how="semi"
        )
        for other in earlier
    ]
    twins = keep(reduce(lambda one, more: one.union(more), common))
    if not twins.limit(1).fetchall():
        forget(twins)
        return part
    return part.join(twins, names, how="anti")
