"""How does a chart read a metric's frame? By its columns: what split it, its measures, what was left out."""

from collections.abc import Sequence

import pandas as pd

from verify_analytics.errors import ArgumentError, SchemaError, near_name

from .words import GROUPS, count, listed, moment, named

LEFT_OUT = {
    "immature": "too young to be judged",
    "unobserved": "waiting while the collector was down",
    "unknown": "with no status that is listed",
    "not_observable": "outside the time in which this source reported",
    "clock_faults": "ending before they began (a wrong clock)",
}


def checked(frame: object, columns: Sequence[str], *, name: str) -> pd.DataFrame:
    """Make sure that this is what the metric of the same name gives.

    Raises
    ------
    ArgumentError
        For something that is no pandas frame.
    SchemaError
        For a frame that lacks a column.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(
            f"charts.{name} draws the frame that metrics.{name} gives; got {type(frame).__name__}. "
            f"Try charts.{name}(metrics.{name}(…))"
        )
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        there = [str(column) for column in frame.columns]
        raise SchemaError(
            f"charts.{name} draws the frame that metrics.{name} gives, and this one has no column {missing[0]!r}: "
            f"{near_name(missing[0], there)}"
        )
    return frame


def split_by(frame: pd.DataFrame, before: str) -> list[str]:
    """Name the columns a metric was split by: they stand before the metric's own."""
    columns = [str(column) for column in frame.columns]
    return columns[: columns.index(before)]


def title_of(subject: str, by: Sequence[str]) -> str:
    """Name the subject and what it is split by."""
    return f"{subject}, by {listed(GROUPS.get(name, name) for name in by)}" if by else subject


def group_name(row: pd.Series, by: Sequence[str]) -> str:
    """Name a group by its values."""
    return " · ".join(named(row[name], name) for name in by)


def seen_from(frame: pd.DataFrame) -> str:
    """Say from when the data are seen; nothing for a frame without rows."""
    seen = frame["as_of"].dropna()
    return f"as of {moment(seen.max())}" if len(seen) else ""


def sentence(*parts: str) -> str:
    """Join the parts that are there to one sentence.

    >>> sentence("Of sessions", "", "as of noon")
    'Of sessions, as of noon.'
    """
    return ", ".join(part for part in parts if part) + "."


def left_out(frame: pd.DataFrame, by: Sequence[str], units: str, unknown: str = LEFT_OUT["unknown"]) -> str:
    """Say how many were left out and why, added up over the groups; nothing if none were.

    The counts stand on every row of a group, so one row of each group is taken. What `unknown` means is for each
    metric to say.
    """
    one = frame.drop_duplicates(list(by)) if by else frame.head(1)
    found = {reason: int(one[reason].sum()) for reason in LEFT_OUT if reason in one.columns}
    words = {**LEFT_OUT, "unknown": unknown}
    said = [f"{count(number)} {words[reason]}" for reason, number in found.items() if number]
    return f"{units.capitalize()}s left out: {listed(said)}." if said else ""


INTERVAL = "95\N{NO-BREAK SPACE}% interval"
SIZED = ("channel", "first_channel", "country")


def in_reading_order(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Put large channels and countries first; roles, days and hours keep the order the metric gave them."""
    keys: dict[str, pd.Series] = {}
    for name in by:
        if name in SIZED:
            size = frame.groupby([*by[: by.index(name)], name], dropna=False)["n"].transform("sum")
            keys |= {f"{name} size": -size, name: frame[name]}
        else:
            break
    if not keys:
        return frame
    order = pd.DataFrame(keys).sort_values(list(keys), kind="stable").index
    return frame.loc[order]


def largest(frame: pd.DataFrame, by: Sequence[str], most: int, size: str = "n") -> tuple[pd.DataFrame, int]:
    """Keep the groups with the most cases, in the order they came, and say how many were not kept."""
    if not by:
        return frame, 0
    sizes = frame.groupby(list(by), sort=False, dropna=False)[size].max()
    kept = sizes.nlargest(most, keep="first").index
    index = pd.MultiIndex.from_frame(frame[list(by)]) if len(by) > 1 else pd.Index(frame[by[0]])
    return frame[index.isin(kept)], max(0, len(sizes) - most)
