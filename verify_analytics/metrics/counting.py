"""Counting in the engine: one grouped query on any dataframe, and a small pandas table back.

Every metric counts with `count_rows`: rows are grouped by what the metric needs and counted where they are, and only
the counts travel. What follows is arithmetic on a table that fits on a page.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from verify_analytics.errors import ArgumentError, DoubtfulWarning
from verify_analytics.model.frames import Frame

from .by import OTHERS, finished, in_order, key, key_columns, top_name
from .engine import collected
from .periods import LOCAL, OF_MONTHS, with_months
from .zones import local_us

Ints = NDArray[np.int64]

# What every result must know travels as columns of what was counted.
CONTEXT = ("as_of_us", "patience_seconds", "covered_until_us")
# Of sessions: how many of their attempts a filter took away; no reading, so sessions may differ in it.
MISSING = "attempts_missing"
CONTEXT_OF_SESSIONS = (*CONTEXT, "window_seconds")
# The collector writes its pulse once a minute, for the minute that has passed: this much behind is not stale.
PULSE_SLACK = pd.Timedelta("2min")


class Context(NamedTuple):
    """From when the data are seen, how long things may wait, and up to when the collector is known to have listened.

    What is not known is NaN or NaT.
    """

    as_of: pd.Timestamp
    patience_seconds: float
    window_seconds: float
    covered_until: pd.Timestamp
    attempts_missing: float = 0.0


class Counts:
    """A small table of counts: rows of `table` fall into `groups` (one row each, in reading order)."""

    def __init__(self, table: pd.DataFrame, by: Sequence[str], context: Context) -> None:
        self.context = context
        self.table = table
        self.rows: Ints = table["rows"].to_numpy(dtype=np.int64)
        self.groups = groups_of(table, by)
        self.place = places_in(self.groups, table, by)

    def total(self, chosen: pd.Series | NDArray[np.bool_] | None = None) -> Ints:
        """Count the rows of each group, all or those chosen (one truth value per row of `table`)."""
        mask = np.ones(len(self.rows), dtype=bool) if chosen is None else np.asarray(chosen, dtype=bool)
        found = np.zeros(len(self.groups), dtype=np.int64)
        np.add.at(found, self.place[mask], self.rows[mask])
        return found


def groups_of(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Give the groups of a table of counts, one row each, in reading order.

    Without a split there is one group, and it is there even when nothing was counted.
    """
    if not by:
        return pd.DataFrame(index=[0])
    return in_order(finished(table, by).drop_duplicates()).reset_index(drop=True)


def places_in(groups: pd.DataFrame, table: pd.DataFrame, by: Sequence[str]) -> Ints:
    """Say into which of the groups each row of a table of counts falls."""
    if not by:
        return np.zeros(len(table), dtype=np.int64)
    numbered = groups.reset_index(names="_place")
    return finished(table, by).merge(numbered, on=list(by), how="left")["_place"].to_numpy(dtype=np.int64)


def count_rows(
    frame: Frame,
    by: Sequence[str],
    also: Sequence[str] = (),
    *,
    started: str,
    made: Mapping[str, nw.Expr] | None = None,
    context: Sequence[str] = CONTEXT,
    top: int | None = None,
) -> Counts:
    """Group rows by the split and by some more columns, in the engine, and count them.

    Parameters
    ----------
    frame
        What `opened` gave, filtered to the rows that count.
    by
        The split, already checked.
    also
        More columns to keep apart; missing values form groups of their own.
    started
        The column of microseconds from which day and hour are taken.
    made
        Columns to compute first, for use in `also`.
    context
        The columns that say from when and how the data are seen; one value each in a frame.
    top
        How many groups are kept apart, the largest first, as `checked_by` has it.

    Raises
    ------
    ArgumentError
        For a frame that was put together from readings with different `as_of`, patience or window.
    """
    wide = with_keys(frame.with_columns(**made) if made else frame, by, started=started, top=top)
    return count_keyed(wide, by, also, context=context)


def count_keyed(
    frame: Frame, by: Sequence[str], also: Sequence[str] = (), *, context: Sequence[str] = CONTEXT
) -> Counts:
    """Count rows that have the columns of `with_keys` already, their own or those of what they were joined to.

    Raises
    ------
    ArgumentError
        For a frame that was put together from readings with different `as_of`, patience or window.
    """
    keys = ["_all", *(key(name) for name in by), *also, *context]
    table = collected(frame.select(*keys).group_by(*keys).agg(nw.len().alias("rows")))
    return Counts(table, by, context_of(table, context))


def with_keys(frame: Frame, by: Sequence[str], *, started: str, top: int | None = None) -> Frame:
    """Add the columns to group by, one for each name of the split, and ``_all``, which is 0 everywhere.

    A constant key, because not every engine groups by nothing.
    """
    local = local_us(frame, started=started) if any(name in LOCAL for name in by) else None
    if any(name in OF_MONTHS for name in by):
        frame = with_months(frame, started=started)
    keyed = frame.with_columns(_all=nw.lit(0), **key_columns(by, at=nw.col(started), local=local))
    name = None if top is None else top_name(by)
    if name is None or top is None:
        return keyed
    column = key(name)
    # In the engine and not among the counts: what is pooled there keeps a session of several groups in one piece.
    sizes = collected(keyed.select("_all", column).group_by("_all", column).agg(nw.len().alias("rows")))
    sizes = sizes[sizes[column].notna()].sort_values(["rows", column], ascending=[False, True], kind="stable")
    kept = [str(value) for value in sizes[column].head(top)]
    named = nw.col(column).fill_null("")
    pooled = nw.when(nw.col(column).is_null()).then(nw.col(column)).otherwise(nw.lit(OTHERS))
    return keyed.with_columns(nw.when(named.is_in(kept)).then(nw.col(column)).otherwise(pooled).alias(column))


def context_of(table: pd.DataFrame, names: Sequence[str]) -> Context:
    """Read the one value of each context column; two values mean two readings in one frame.

    The columns are grouped by, being the same in each row: that costs a fraction of a smallest and a largest.
    """
    one: dict[str, Any] = {}
    for name in names:
        values = table[name].dropna()
        one[name] = values.max() if len(values) else None
        if name != MISSING and values.nunique() > 1:
            raise ArgumentError(
                f"the frame holds more than one {name.removesuffix('_us')} ({values.min()} to {values.max()}): "
                "compute the metric on each reading by itself"
            )
    return Context(
        as_of=moment(one.get("as_of_us")),
        patience_seconds=_number(one.get("patience_seconds")),
        window_seconds=_number(one.get("window_seconds")),
        covered_until=moment(one.get("covered_until_us")),
        attempts_missing=float(one.get(MISSING) or 0),
    )


def moment(microseconds: float | None) -> pd.Timestamp:
    """Turn microseconds since 1970 into an aware UTC moment; nothing becomes NaT."""
    if microseconds is None:
        return pd.NaT  # type: ignore[return-value]
    return pd.Timestamp(int(microseconds), unit="us", tz="UTC").as_unit("us")


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def warn_if_stale(context: Context, *, asked_by: str, stacklevel: int = 4) -> None:
    """Warn where we look from later than the collector is known to have listened; NaT is later than nothing."""
    if context.as_of > context.covered_until + PULSE_SLACK:
        warnings.warn(
            f"{asked_by}: as_of is {context.as_of:%Y-%m-%d %H:%M} UTC, but the collector is known to have listened "
            f"only until {context.covered_until:%Y-%m-%d %H:%M} UTC; later ones are missing and may look like failure",
            DoubtfulWarning,
            stacklevel=stacklevel,
        )


def warn_if_cut(context: Context, *, asked_by: str, stacklevel: int = 4) -> None:
    """Warn where sessions were made of some of their attempts only: they seem to have had no others."""
    if context.attempts_missing > 0:
        warnings.warn(
            f"{asked_by}: sessions are here that were made without all their attempts. A filter on attempts cuts "
            "sessions apart, and who was verified with a second attempt seems to have been with the first: give "
            "model.sessions all attempts, and filter its sessions",
            DoubtfulWarning,
            stacklevel=stacklevel,
        )
