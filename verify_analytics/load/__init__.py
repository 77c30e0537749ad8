"""How do callbacks get from where they are kept to the analyst? Every source in one declared shape.

``load.callbacks(where)`` takes a SQLite file, a database URL, a Parquet file, an archive folder or a dataframe.
``load.verifications`` and ``load.pulse`` take the same place and find what was kept beside the callbacks.
"""

from typing import Any

from verify_analytics.load import files, frames, stores
from verify_analytics.load.connection import connection, keep
from verify_analytics.load.places import Place, place_of
from verify_analytics.model.columns import CALLBACKS, PULSE, VERIFICATIONS, Column

__all__ = ["callbacks", "connection", "keep", "pulse", "verifications"]


def callbacks(where: Any) -> Any:
    """Bring callbacks into the shape that every analysis starts from.

    Parameters
    ----------
    where
        One of: a SQLite store (file or ``sqlite:///FILE``); a PostgreSQL store (``postgresql://…``); a Parquet file; an
        archive folder with ``callbacks/`` in it; a dataframe (pandas, Polars, DuckDB, Spark).

    Returns
    -------
    frame
        The columns `model.CALLBACKS`, and beside each moment its microseconds since 1970 UTC (``received_us``,
        ``requested_us``). A dataframe comes back in its own engine; everything else as a DuckDB relation, of which
        Parquet stays on disk until it is asked, while a store is streamed once into a table. One row per arrival.

    Raises
    ------
    NotFoundError
        If there is no such file or folder, or no callbacks in it.
    SchemaError
        If it is no store, a column is missing, or a moment has no time zone.
    ArgumentError
        If ``where`` is something else altogether.
    """
    loaded = _loaded(where, "callbacks", CALLBACKS)
    if loaded is None:  # pragma: no cover - every kind of place answers for callbacks, or raises
        raise AssertionError(where)
    return loaded


def verifications(where: Any) -> Any | None:
    """Bring the successes that the application reported, from the place the callbacks are in.

    Parameters
    ----------
    where
        As for `callbacks`: a Parquet file means its sibling ``verifications.parquet``. A dataframe is taken as the
        verifications themselves.

    Returns
    -------
    frame or None
        The columns `model.VERIFICATIONS` with ``verified_us`` and ``received_us``. None where such reports are not
        kept: then verification through the application is not observable, which is not the same as never. A store in
        which nothing was reported yet gives a frame without rows, not observable either. One row per report.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        As for `callbacks`.
    """
    return _loaded(where, "verifications", VERIFICATIONS)


def pulse(where: Any) -> Any | None:
    """Bring the minutes in which the collector was up, from the place the callbacks are in.

    Parameters
    ----------
    where
        As for `callbacks`: a Parquet file means its sibling ``pulse.parquet``. A dataframe is taken as the pulse.

    Returns
    -------
    frame or None
        The columns `model.PULSE` with ``minute_us``. None where no pulse is kept: then nobody knows when the collector
        was down, and nothing counts as unobserved. One row per collector and minute.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        As for `callbacks`.
    """
    return _loaded(where, "pulse", PULSE)


def _loaded(where: Any, table: str, columns: tuple[Column, ...]) -> Any | None:
    """Bring one table from wherever it is; None where this kind of place does not keep it."""
    place = place_of(where)
    if place is Place.FRAME:
        return frames.shaped(where, columns, what=table)
    if place in {Place.SQLITE, Place.POSTGRESQL}:
        return stores.streamed(where, table, columns)
    return files.relation(where, table, columns)
