"""What a figure may be split by: the names that are allowed, and how each becomes a column to group by."""

from collections.abc import Iterable, Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from verify_analytics.errors import ArgumentError, near_name

from .periods import CALENDAR, CYCLES, LOCAL, is_period, number_of, starts

_TIMES = (*CALENDAR, *CYCLES)
ATTEMPT_BY = ("channel", "role", "country", "number_block", *_TIMES)
# A session is split only by what was known when it started: to split by what happened later is to count time
# in which nothing could have happened yet.
SESSION_BY = ("first_channel", "country", "number_block", *_TIMES)
# A callback's time is that of its arrival; a pulse is the collector's own and knows no recipient.
CALLBACK_BY = ("channel", "country", "number_block", *_TIMES)
PULSE_BY = ("collector", *(name for name in _TIMES if name not in LOCAL))

NOT_KNOWN = "not known"
OTHERS = "others"
ALL = "all"
ROLES = ("first_choice", "resend", "fallback", "after_verified", "unknown")

By = str | Iterable[str] | None


def checked_totals(totals: object) -> bool:
    """Give whether the rows of the whole are asked for.

    Raises
    ------
    ArgumentError
        For anything but true and false: the word ``"no"`` would count as yes.
    """
    if isinstance(totals, (bool, np.bool_)):
        return bool(totals)
    raise ArgumentError(f"totals is True or False; got {type(totals).__name__}")


def checked_by(by: By, allowed: Sequence[str], *, grain: str, top: int | None = None) -> list[str]:
    """Give the names to split by as a list, or say in one sentence what is wrong with them.

    Parameters
    ----------
    by
        Nothing, one name, or up to two.
    allowed
        The names this grain knows; beside them any clock span that divides a day, such as ``"15min"`` or ``"6h"``.
    grain
        ``"attempts"`` or ``"sessions"``, for the message.
    top
        How many groups are kept apart, the largest first; the rest are pooled as ``"others"``.

    Raises
    ------
    ArgumentError
        For a name that is not allowed, a name given twice, more than two names, ``number_block`` without `top`, and a
        `top` that is not positive or has nothing to choose from.

    Examples
    --------
    >>> checked_by("role", ATTEMPT_BY, grain="attempts")
    ['role']
    """
    if by is not None and not isinstance(by, Iterable):
        raise ArgumentError(f"by={by!r} is no name of a column: {near_name(str(by), allowed)}")
    names = [by] if isinstance(by, str) else list(by or [])
    for name in names:
        if not isinstance(name, str) or not (name in allowed or is_period(name)):
            raise ArgumentError(
                f"{grain} cannot be split by {name!r}: {near_name(str(name), allowed)}, "
                'and spans that divide a day, such as "15min" or "6h"'
            )
    if len(set(names)) < len(names):
        raise ArgumentError(f"by names a column twice: {', '.join(names)}")
    if len(names) > 2:
        raise ArgumentError(
            f"by takes at most two columns, got {len(names)} ({', '.join(names)}): filter by one of them first"
        )
    if "number_block" in names and top is None:
        raise ArgumentError("by='number_block' makes too many groups to read: it needs top=, for example top=20")
    if top is not None:
        _check_top(top, names)
    return names


def _check_top(top: int, names: Sequence[str]) -> None:
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ArgumentError(f"top={top!r} is no number of groups to keep: give a whole number from 1 up")
    if top_name(names) is None:
        raise ArgumentError(
            f"top={top} has nothing to choose from: by has {', '.join(names) or 'no column'}; "
            "it chooses among channels, roles, countries or number blocks"
        )


def top_name(names: Sequence[str]) -> str | None:
    """Name the column whose largest groups `top` keeps: the blocks, else the countries, else the first that is text."""
    texts = [name for name in names if not is_time(name)]
    return next((name for name in ("number_block", "country") if name in texts), texts[0] if texts else None)


def is_time(name: str) -> bool:
    """Say whether a split is by time: a period, or the hour or weekday."""
    return is_period(name) or name in CYCLES


def columns_of(names: Sequence[str]) -> list[str]:
    """Name the columns that a split reads: its own, and of a local time what tells where the phone is."""
    read: dict[str, None] = {}
    for name in names:
        if name in LOCAL:
            read |= {"country": None, "number_block": None}
        elif not is_time(name):
            read[name] = None
    return list(read)


def key(name: str) -> str:
    """Name the column to group by: its own name, so that it cannot meet a column of the analyst's."""
    return f"_by_{name}"


def key_columns(by: Sequence[str], *, at: nw.Expr, local: nw.Expr | None) -> dict[str, nw.Expr]:
    """Make the columns to group by; times are whole numbers here, counted from integer microseconds.

    Parameters
    ----------
    by
        The split, already checked.
    at
        Microseconds in UTC.
    local
        Microseconds on the recipient's own clock, where known; None where that is known of no row.
    """
    made: dict[str, nw.Expr] = {}
    for name in by:
        if name in LOCAL:
            # Null everywhere, with the type of a whole number.
            clock = nw.when(at.is_null()).then(at) if local is None else local
            made[key(name)] = number_of(LOCAL[name], clock)
        else:
            made[key(name)] = number_of(name, at) if is_time(name) else nw.col(name)
    return made


def finished(keys: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Turn grouped keys into what a person reads: text with "not known" for a missing value, moments, hours.

    Missing values of a text column keep their own group, named ``"not known"``; a local hour that is not known is a
    missing number.
    """
    made: dict[str, pd.Series] = {}
    for name in by:
        values = keys[key(name)]
        if is_period(name):
            made[name] = starts(name, values)
        elif name in CYCLES:
            made[name] = values.astype("Int64")
        else:
            made[name] = values.astype("str").where(values.notna(), NOT_KNOWN)
    return pd.DataFrame(made, index=keys.index)


def in_order(groups: pd.DataFrame) -> pd.DataFrame:
    """Sort groups as one reads them: roles by their place in a session, the rest by value, the nameless last."""
    ranks = pd.DataFrame(index=groups.index)
    for name in groups.columns:
        values = groups[name]
        text = values.astype("str")
        ranks[f"{name}_last"] = (text == OTHERS) * 1 + (values.isna() | (text == NOT_KNOWN)) * 2
        if name == "role":
            values = values.map({role: place for place, role in enumerate(ROLES)}).fillna(len(ROLES))
        ranks[name] = values
    return groups.loc[ranks.sort_values(list(ranks.columns), kind="stable").index] if len(ranks.columns) else groups
