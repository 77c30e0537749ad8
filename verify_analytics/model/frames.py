"""How is one formula run on every engine? The few steps on frames that the rest of the model shares.

Frames are Narwhals frames, eager or lazy as the analyst's engine is. Only operations that every engine gets right are
used; `tests/verify_analytics/engines` runs each of them everywhere.
"""

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Any, TypeAlias

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics.errors import ArgumentError
from verify_analytics.model.columns import (
    ATTEMPTS,
    CALLBACKS,
    PULSE,
    SESSIONS,
    STATES,
    VERIFICATIONS,
    with_microseconds,
)

Frame: TypeAlias = nw.LazyFrame[Any]
"""Eager frames have the same methods, so one name stands for both."""

WHOLE = {
    *(name for name in STATES if name.endswith("_us")),
    *(
        column.name
        for shape in (with_microseconds((*CALLBACKS, *VERIFICATIONS, *PULSE)), ATTEMPTS, SESSIONS)
        for column in shape
        if column.kind == "integer"
    ),
}
"""Columns of integers, in any frame of the model."""

ONE = "_one"
"""A column that is 1 everywhere: joining on it puts one row's facts beside every row."""


def opened(native: IntoFrame) -> Frame:
    """Wrap an engine's own frame; nothing is read.

    Raises
    ------
    ArgumentError
        If it is no dataframe.
    """
    try:
        frame: Any = nw.from_native(native)
    except TypeError:
        raise ArgumentError(
            f"{type(native).__name__} is no dataframe; load.callbacks takes a file, a URL or a dataframe"
        ) from None
    if not frame.implementation.is_pandas():
        return frame  # type: ignore[no-any-return]
    # What an analyst made of a frame from load: rows filtered (shifting over the labels that remain fails), its
    # integers turned into pandas' own (whose missing values fail in the same place), or brought over from DuckDB with
    # .df(), whose integers have no place for what is missing and become numbers with a point.
    plain = nw.to_native(nw.maybe_reset_index(frame))
    masked = [name for name in plain.columns if _wants_gaps(plain[name], name)]
    return nw.from_native(plain.astype(dict.fromkeys(masked, "int64[pyarrow]")) if masked else plain)  # type: ignore[no-any-return]


def _wants_gaps(values: Any, name: str) -> bool:
    """Say whether a pandas column holds integers of a type that cannot be worked with where some are missing."""
    kind = str(values.dtype)
    if name in WHOLE and kind == "float64":
        there = values.dropna()
        return not (there - there // 1).any()
    return kind == "Int64" or (name in WHOLE and kind == "int64")


def is_duckdb(frame: Frame) -> bool:
    """Say whether DuckDB does the work."""
    return frame.implementation.is_duckdb()


def names(frame: Frame) -> list[str]:
    """Name the columns; nothing is read."""
    return frame.collect_schema().names()


def beside(frame: Frame, other: IntoFrame, *, what: str) -> Frame:
    """Open a second frame that will be joined to the first, and refuse one of another engine.

    Raises
    ------
    ArgumentError
        If the two cannot be joined without moving data behind the analyst's back.
    """
    second = opened(other)
    same = type(second) is type(frame) and second.implementation == frame.implementation
    if not same:
        kinds = [f"{kind.implementation.name.lower()} ({type(kind).__name__})" for kind in (frame, second)]
        raise ArgumentError(
            f"callbacks are {kinds[0]} and {what} are {kinds[1]}; bring both into one engine, "
            "for example with load from the same place"
        )
    return second


def on_every_row(frame: Frame, facts: Frame) -> Frame:
    """Put the columns of a frame of one row, or of none, beside every row; of none they are null.

    Parameters
    ----------
    frame
        Any frame.
    facts
        Grouped by `ONE`.
    """
    return frame.with_columns(nw.lit(1).alias(ONE)).join(facts, on=ONE, how="left").drop(ONE)


def extremes(frame: Frame, column: str, smallest: str, largest: str) -> Frame:
    """Reduce a frame to one row (none, if it is empty) with the extremes of a column, ready for `on_every_row`."""
    return (
        frame.with_columns(nw.lit(1).alias(ONE))
        .group_by(ONE)
        .agg(nw.col(column).min().alias(smallest), nw.col(column).max().alias(largest))
    )


def is_true(condition: nw.Expr) -> nw.Expr:
    """Read null as false, so that a condition means the same in every engine."""
    return condition.fill_null(value=False)


def differ(smallest: str, largest: str, *, empty: str | int) -> nw.Expr:
    """Say whether two columns differ, where null equals null.

    Parameters
    ----------
    smallest, largest
        Names of the columns.
    empty
        A value that never occurs, to stand for null.
    """
    return nw.col(smallest).fill_null(empty) != nw.col(largest).fill_null(empty)


def any_of(conditions: Iterable[nw.Expr]) -> nw.Expr:
    """Say whether any of some conditions that are never null holds."""
    return reduce(operator.or_, conditions)


def either(first: nw.Expr | str, second: nw.Expr | str) -> nw.Expr:
    """Give the first where it is not null, else the second."""
    first = nw.col(first) if isinstance(first, str) else first
    second = nw.col(second) if isinstance(second, str) else second
    return nw.when(first.is_null()).then(second).otherwise(first)


def earlier(first: str, second: str) -> nw.Expr:
    """Give the smaller of two columns, and the other one where one is null."""
    use_second = nw.col(first).is_null() | is_true(nw.col(second) < nw.col(first))
    return nw.when(use_second).then(nw.col(second)).otherwise(nw.col(first))


def no_number(like: str) -> nw.Expr:
    """Give a column of nulls with the type of a column of integers that is never null itself."""
    # A null literal with a type fails in pandas.
    return nw.when(nw.col(like).is_null()).then(nw.col(like))
