"""What a figure may be split by: the names that are allowed, and how each becomes a column to group by."""

from collections.abc import Iterable, Sequence

import narwhals as nw
import pandas as pd

from verify_analytics.errors import ArgumentError, near_name

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

ATTEMPT_BY = ("channel", "role", "country", "day", "hour")
# A session is split only by what was known when it started: to split by what happened later is to count time
# in which nothing could have happened yet.
SESSION_BY = ("first_channel", "country", "day", "hour")

NOT_KNOWN = "not known"
TIME_NAMES = ("day", "hour")
ROLES = ("first_choice", "resend", "fallback", "after_verified", "unknown")

By = str | Iterable[str] | None


def checked_by(by: By, allowed: Sequence[str], *, grain: str) -> list[str]:
    """Give the names to split by as a list, or say in one sentence what is wrong with them.

    Parameters
    ----------
    by
        Nothing, one name, or up to two.
    allowed
        The names this grain knows.
    grain
        ``"attempts"`` or ``"sessions"``, for the message.

    Raises
    ------
    ArgumentError
        For a name that is not allowed, a name given twice, and more than two names.

    Examples
    --------
    >>> checked_by("role", ATTEMPT_BY, grain="attempts")
    ['role']
    """
    if by is not None and not isinstance(by, Iterable):
        raise ArgumentError(f"by={by!r} is no name of a column: {near_name(str(by), allowed)}")
    names = [by] if isinstance(by, str) else list(by or [])
    for name in names:
        if name == "number_block":
            raise ArgumentError(
                "by='number_block' makes too many groups to read: it needs top=, which this version does not have yet; "
                "split by country, or filter to the blocks you mean first"
            )
        if not isinstance(name, str) or name not in allowed:
            raise ArgumentError(f"{grain} cannot be split by {name!r}: {near_name(str(name), allowed)}")
    if len(set(names)) < len(names):
        raise ArgumentError(f"by names a column twice: {', '.join(names)}")
    if len(names) > 2:
        raise ArgumentError(
            f"by takes at most two columns, got {len(names)} ({', '.join(names)}): filter by one of them first"
        )
    return names


def key(name: str) -> str:
    """Name the column to group by: its own name, so that it cannot meet a column of the analyst's."""
    return f"_by_{name}"


def key_columns(by: Sequence[str], *, started: str) -> dict[str, nw.Expr]:
    """Make the columns to group by; `day` and `hour` are whole numbers here, counted from integer microseconds.

    No engine's own calendar is asked: they disagree on time zones, and some lack the remainder of a division.
    """
    days = nw.col(started) // DAY_US
    made = {"day": days, "hour": nw.col(started) // HOUR_US - days * 24}
    return {key(name): made.get(name, nw.col(name)) for name in by}


def finished(keys: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Turn grouped keys into what a person reads: text with "not known" for a missing value, UTC days, hours.

    Missing values of a text column keep their own group, named ``"not known"``.
    """
    made: dict[str, pd.Series] = {}
    for name in by:
        values = keys[key(name)]
        if name == "day":
            made[name] = pd.to_datetime(values.astype("Int64") * DAY_US, unit="us", utc=True).astype(
                "datetime64[us, UTC]"
            )
        elif name == "hour":
            made[name] = values.astype("Int64")
        else:
            made[name] = values.astype("str").where(values.notna(), NOT_KNOWN)
    return pd.DataFrame(made, index=keys.index)


def in_order(groups: pd.DataFrame) -> pd.DataFrame:
    """Sort groups as one reads them: roles by their place in a session, the rest by value, "not known" last."""
    ranks = pd.DataFrame(index=groups.index)
    for name in groups.columns:
        values = groups[name]
        ranks[f"{name}_last"] = values.isna() | (values.astype("str") == NOT_KNOWN)
        if name == "role":
            values = values.map({role: place for place, role in enumerate(ROLES)}).fillna(len(ROLES))
        ranks[name] = values
    return groups.loc[ranks.sort_values(list(ranks.columns), kind="stable").index] if len(ranks.columns) else groups
