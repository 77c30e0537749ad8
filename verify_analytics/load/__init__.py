"""How do callbacks get from where they are kept to the analyst? Every source in one declared shape.

``load.callbacks(where)`` takes a SQLite file, a database URL, a Parquet file, an archive folder or a dataframe; with
``columns=`` also a table in the analyst's own words, a CSV file among others. ``load.verifications`` and ``load.pulse``
take the same place and find what was kept beside the callbacks. What is left out on the way is said, and counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import duckdb

from verify_analytics.errors import ArgumentError, LeftOutNotice, options_by_name, unknown_name
from verify_analytics.load import exclusions, files, frames, leftout, several, stores
from verify_analytics.load.asked import PLIVO
from verify_analytics.load.connection import connection, forget, keep
from verify_analytics.load.exclusions import Exclusions
from verify_analytics.load.in_parts import Finished, finished_in
from verify_analytics.load.known_reports import KnownReports, known_reports
from verify_analytics.load.known_states import known_states, states_of
from verify_analytics.load.mapping import Mapped, mapped
from verify_analytics.load.ownfolder import own_folder, read_to_the_end
from verify_analytics.load.places import Place, place_of
from verify_analytics.load.settledlook import Look
from verify_analytics.load.settling import Sources
from verify_analytics.load.watching import watched
from verify_analytics.model.columns import CALLBACKS, PULSE, VERIFICATIONS, Column
from verify_analytics.model.finish import DEFAULT_PATIENCE
from verify_analytics.model.sessions import DEFAULT_WINDOW

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PLIVO",
    "Exclusions",
    "callbacks",
    "connection",
    "keep",
    "kept_attempts",
    "left_out",
    "pulse",
    "states",
    "verifications",
    "watched",
]

Columns = Mapping[str, str] | str | None


@options_by_name
def callbacks(
    where: Any,
    *,
    columns: Columns = None,
    timezone: str | None = None,
    pepper: str | bytes | None = None,
    exclude: Exclusions | None = None,
) -> Any:
    """Bring callbacks into the shape that every analysis starts from.

    Parameters
    ----------
    where
        One of: a SQLite store (file or ``sqlite:///FILE``); a PostgreSQL store (``postgresql://…``); a Parquet file; an
        archive folder with ``callbacks/`` in it; a CSV file (``.csv``, ``.tsv``, ``.txt``, also with ``.gz``); a
        dataframe (pandas, Polars, DuckDB, Spark). Or a list of stores and Parquet, which are read as one: a row that
        is in the store and already in the archive is one row.
    columns
        For a table in your own words, our name to yours: ``{"session_id": "SessionUUID", …}``. Needed are
        ``session_id`` and ``received_at``; what you do not name is null. ``"plivo"`` takes the provider's own names
        (`PLIVO`), where they are there, and beside them columns that have our names. Ids and codes must be texts;
        statuses and channels lose capitals and blanks; moments may be timestamps, texts or epochs. ``"recipient"`` is a
        column of phone numbers, of which a keyed hash is kept, the one a collector makes with the same pepper.
        ``digest`` and ``arrival_id`` are made of what a row says and when it was received.
    timezone
        In which zone moments are meant that say none, such as ``"UTC"`` or ``"Europe/Berlin"``. An hour that the clock
        told twice cannot be read. Only with ``columns`` or a CSV file.
    pepper
        The secret for ``"recipient"``, of at least 32 characters.
    exclude
        Sessions to leave out as a whole, as `Exclusions` names them.

    Returns
    -------
    frame
        The columns `model.CALLBACKS`, and beside each moment its microseconds since 1970 UTC (``received_us``,
        ``requested_us``). A dataframe comes back in its own engine; everything else as a DuckDB relation, of which
        Parquet stays on disk until it is asked, while a store is streamed once into a table. A table in your own words
        is read at once, whatever it is. One row per arrival: rows that say the same and were received in the same
        microsecond are one.

    Raises
    ------
    NotFoundError
        If there is no such file or folder, or no callbacks in it.
    SchemaError
        If it is no store, a column is missing or of another type, a moment has no time zone, or a column that is kept
        holds what looks like phone numbers.
    ArgumentError
        If ``where`` is something else altogether, or another argument cannot be meant.

    Warns
    -----
    LeftOutNotice
        If anything was left out, by request or because it could not be read: how much, and why. Counting what
        ``exclude`` leaves out reads the callbacks once, also where they are lazy.
    """
    made, mapping = _loaded(where, "callbacks", CALLBACKS, columns=columns, timezone=timezone, pepper=pepper)
    counts = None if exclude is None else leftout.excluded(made, _checked(exclude))
    _say(leftout.sentence("callbacks", mapping, counts, exclude))
    _let_go(made, mapping)
    return made if exclude is None else exclusions.kept(made, exclude)


@options_by_name
def states(where: Any, *, as_of: str | datetime, callbacks: Any | None = None) -> Any:
    """Bring the states of all attempts, folding only what has not been folded before.

    Parameters
    ----------
    where
        As for `callbacks`. Beside an archive states are kept, in its folder ``states/``: what is new in the archive is
        folded first and added to them. Further places in a list are folded now. The folder can be deleted at any time;
        where it cannot be written, everything is folded.
    as_of
        What was received later does not exist yet: give `model.finish` the same moment.
    callbacks
        What `load.callbacks` gave of this place, if you have it: it is folded where no states are kept.

    Returns
    -------
    frame
        The columns `model.STATES`, equal to ``model.fold`` of the callbacks received up to ``as_of``: a DuckDB
        relation, or the engine of a dataframe. One row per key.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        As for `callbacks`; if ``as_of`` has no time zone; if the archive's manifest cannot be read.

    Examples
    --------
    >>> from verify_analytics import model
    >>> known = states("data/sample", as_of="2026-10-29T00:00Z")
    >>> model.finish(known, as_of="2026-10-29T00:00Z").columns[:3]
    ['key', 'is_attempt', 'provider']
    """
    with read_to_the_end(can_be_deleted="the archive's folder 'states'"):
        return states_of(where, lambda: _callbacks(where) if callbacks is None else callbacks, as_of=as_of)


@options_by_name
def kept_attempts(
    where: Any,
    folder: str | Path,
    *,
    as_of: str | datetime,
    patience: str | timedelta = DEFAULT_PATIENCE,
    window: str | timedelta = DEFAULT_WINDOW,
) -> Finished:
    """Work out attempts and sessions that are more than memory holds, into files, and only what is new of them.

    Parameters
    ----------
    where
        As for `states`, but no dataframe. Verifications and pulse are brought in from the same place. Of an archive,
        what no new callback and report concerns is taken from the folder as an earlier call left it, for any ``as_of``,
        ``patience`` and ``window``; whatever lies elsewhere is worked out at each call.
    folder
        Where files and their list ``settled.json`` are kept, some 140 bytes a callback. It can be deleted at any time,
        and is made anew where it is torn or of another archive; where a file of it cannot be read for all that, delete
        it. What an earlier call gave, here or in another process, must not be read any more: files that were replaced
        are gone.
    as_of, patience
        As for ``model.attempts``.
    window
        As for ``model.sessions``.

    Returns
    -------
    Finished
        ``attempts`` and ``sessions``: DuckDB relations over the files, with the columns `model.ATTEMPTS` and
        `model.SESSIONS`, equal to what ``model.attempts`` and ``model.sessions`` give. One row per key, and per
        session_id. Metrics take them as they are, and read only the columns they need.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        As for `states`; for a dataframe; for a ``patience`` or ``window`` that cannot be read; for a folder that is a
        file, an archive, or one that an archive fills.
    VerifyAnalyticsError
        If a file cannot be read to its end, or the folder cannot be written. Whoever is stopped goes on where he was.
    """
    kept_in = own_folder(folder)
    places = list(where) if isinstance(where, list | tuple) else [where]
    if any(place_of(place) is Place.FRAME for place in places):
        raise ArgumentError(
            f"{type(where).__name__} is a dataframe, and what is kept is made of places: give an archive, a store or a "
            "Parquet file, or use model.attempts and model.sessions"
        )
    with read_to_the_end(can_be_deleted=f"the folder {str(kept_in)!r}"):
        known = known_states(where, lambda: _callbacks(where), as_of=as_of)
        told = (
            KnownReports(None, {}, None, verifications(where))
            if known.archive is None
            else known_reports(places, known.archive)
        )
        return finished_in(kept_in, Sources(known, told, as_of), Look(pulse(where), patience, window))


@options_by_name
def left_out(
    where: Any,
    *,
    columns: Columns = None,
    timezone: str | None = None,
    pepper: str | bytes | None = None,
    exclude: Exclusions | None = None,
) -> pd.DataFrame:
    """Count the callbacks that loading leaves out, and why.

    Parameters
    ----------
    where, columns, timezone, pepper, exclude
        As for `callbacks`.

    Returns
    -------
    pandas.DataFrame
        ``what`` (``left out``, ``kept``, ``all``), ``reason``, ``callbacks``, ``attempts``, ``sessions``. What is left
        out and what is kept add up to all in each of the three. A row that could not be read is counted as a callback;
        its attempt and its session only where nothing else of them is kept, and never where the row names none. An
        excluded session is counted under the first reason: recipients, then the periods in the order given. One row per
        reason, one for what is kept and one for all.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        As for `callbacks`.
    """
    made, mapping = _loaded(where, "callbacks", CALLBACKS, columns=columns, timezone=timezone, pepper=pepper)
    counts = leftout.counted(made, None if exclude is None else _checked(exclude), mapping)
    if mapping is not None:
        forget(mapping.rows)
    return counts


@options_by_name
def verifications(where: Any, *, columns: Columns = None, timezone: str | None = None) -> Any | None:
    """Bring the successes that the application reported, from the place the callbacks are in.

    Parameters
    ----------
    where
        As for `callbacks`: a Parquet file means its sibling ``verifications.parquet``, a CSV file ``verifications.csv``
        beside it. A dataframe is taken as the verifications themselves, and with ``columns`` a file is, too.
    columns
        As for `callbacks`; needed are ``session_id``, ``verified_at`` and ``received_at``. Where your table knows only
        when the code was taken, name that column for both: ``received_at`` is what ``as_of`` is held against.
    timezone
        As for `callbacks`.

    Returns
    -------
    frame or None
        The columns `model.VERIFICATIONS` with ``verified_us`` and ``received_us``. None where such reports are not
        kept: then verification through the application is not observable, which is not the same as never. A store in
        which nothing was reported yet gives a frame without rows, not observable either. Reports about sessions whose
        callbacks are excluded stay: they still show that the application was reporting. One row per report.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        As for `callbacks`.

    Warns
    -----
    LeftOutNotice
        As for `callbacks`.
    """
    made, mapping = _loaded(where, "verifications", VERIFICATIONS, columns=columns, timezone=timezone)
    _say(leftout.sentence("verifications", mapping, None, None))
    _let_go(made, mapping)
    return made


@options_by_name
def pulse(where: Any, *, columns: Columns = None, timezone: str | None = None) -> Any | None:
    """Bring the minutes in which the collector was up, from the place the callbacks are in.

    Parameters
    ----------
    where
        As for `callbacks`: a Parquet file means its sibling ``pulse.parquet``, a CSV file ``pulse.csv`` beside it. A
        dataframe is taken as the pulse, and with ``columns`` a file is, too.
    columns
        As for `callbacks`; needed are ``minute`` and the four counts, because no count is not zero.
    timezone
        As for `callbacks`.

    Returns
    -------
    frame or None
        The columns `model.PULSE` with ``minute_us``. None where no pulse is kept: then nobody knows when the collector
        was down, and nothing counts as unobserved. One row per collector and minute.

    Raises
    ------
    NotFoundError, SchemaError, ArgumentError
        As for `callbacks`.

    Warns
    -----
    LeftOutNotice
        As for `callbacks`.
    """
    made, mapping = _loaded(where, "pulse", PULSE, columns=columns, timezone=timezone)
    _say(leftout.sentence("pulse", mapping, None, None))
    _let_go(made, mapping)
    return made


def _callbacks(where: Any) -> Any:
    return callbacks(where)


def _loaded(
    where: Any,
    table: str,
    shape: tuple[Column, ...],
    *,
    columns: Columns,
    timezone: str | None,
    pepper: str | bytes | None = None,
) -> tuple[Any | None, Mapped | None]:
    """Bring one table from wherever it is; None where this kind of place does not keep it."""
    if isinstance(where, list | tuple):
        if columns is not None or timezone is not None or pepper is not None:
            raise ArgumentError("a table in your own words is read alone; several places must each have our own")
        return several.together(where, table, shape), None
    place = place_of(where)
    if place is Place.CSV and columns is None and table != "callbacks":
        where = _sibling(where, table)
        if where is None:
            return None, None
    if columns is not None or place is Place.CSV:
        made = mapped(where, table, shape, columns=columns, timezone=timezone, pepper=pepper)
        return frames.shaped(made.kept(), shape, what=table), made
    if timezone is not None or pepper is not None:
        raise ArgumentError("timezone= and pepper= are for a table in your own words; say its names with columns=")
    if place is Place.FRAME:
        return frames.shaped(where, shape, what=table), None
    if place in {Place.SQLITE, Place.POSTGRESQL}:
        return stores.streamed(where, table, shape), None
    return files.relation(where, table, shape), None


def _sibling(where: str | Path, table: str) -> Path | None:
    """Find the file beside a CSV file that holds another table, compressed like it or not."""
    path = Path(where)
    ending = path.name[path.name.index(".") :] if path.name.count(".") else ""
    kinds = dict.fromkeys([ending, ".csv", ".csv.gz", ".tsv"])
    return next((file for kind in kinds if (file := path.with_name(f"{table}{kind}")).is_file()), None)


def _checked(exclude: Any) -> Exclusions:
    if not isinstance(exclude, Exclusions):
        raise ArgumentError("exclude= takes load.Exclusions(recipients=[…], periods=[…])")
    return exclude


def _let_go(made: Any, mapping: Mapped | None) -> None:
    """Drop what was read, unless what was given out stands on it."""
    if mapping is not None and not isinstance(made, duckdb.DuckDBPyRelation):
        forget(mapping.rows)


def _say(sentence: str) -> None:
    if sentence:
        # Seen from the line that loaded.
        warnings.warn(sentence, LeftOutNotice, stacklevel=4)


if not TYPE_CHECKING:
    # Hidden from type checkers, which would take any name for known.

    def __getattr__(name: str) -> NoReturn:
        """Answer a name that is not here with the nearest one."""
        unknown_name(__name__, name, __all__)
