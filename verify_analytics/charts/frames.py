"""How does a chart read a metric's frame? By its columns: what split it, its measures, what was left out."""

from collections.abc import Sequence

import pandas as pd

from verify_analytics.errors import ArgumentError, SchemaError, near_name

from .clocks import is_time
from .measures import MEASURES, metrics_of
from .words import count, group_word, listed, moment, named

# How a metric calls its row of totals, and the small groups it has added up.
ALL, OTHERS = "all", "others"
LEFT_OUT = {
    "immature": "too young to be judged",
    "unobserved": "waiting while the collector was down",
    "unknown": "with no status that is listed",
    "not_observable": "outside the time in which this source reported",
    "clock_faults": "ending before they began (a wrong clock)",
}


def checked(frame: object, columns: Sequence[str], *, name: str, metric: str = "") -> pd.DataFrame:
    """Make sure that this is what the metric of the same name gives, or another `metric` of which this is a view.

    Raises
    ------
    ArgumentError
        For something that is no pandas frame.
    SchemaError
        For a frame that lacks a column.
    """
    metric = metric or name
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(
            f"charts.{name} draws the frame that metrics.{metric} gives; got {type(frame).__name__}. "
            f"Try charts.{name}(metrics.{metric}(…))"
        )
    draws = f"charts.{name} draws the frame that metrics.{metric} gives, and"
    measures = [str(measure) for measure in frame["measure"].unique()] if "measure" in frame.columns else []
    others = metrics_of(measures)
    if others and metric in MEASURES and metric not in others:
        best = others[0] if len(others) == 1 else ""
        looks = f"looks like that of metrics.{best}: try charts.{best}" if best else f"tells {listed(measures[:3])}"
        raise SchemaError(f"{draws} this one {looks}")
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        there = [str(column) for column in frame.columns]
        raise SchemaError(f"{draws} this one has no column {missing[0]!r}: {near_name(missing[0], there)}")
    return frame


def split_by(frame: pd.DataFrame, before: str) -> list[str]:
    """Name the columns a metric was split by: they stand before the metric's own."""
    columns = [str(column) for column in frame.columns]
    return columns[: columns.index(before)]


def without_totals(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave the row of totals out, where it would be added to what it is the sum of."""
    if "pooled" not in frame.columns:
        return frame
    kept = frame[frame["pooled"] != ALL]
    return kept if len(kept) else frame


def times_of(by: Sequence[str]) -> list[str]:
    """Name those of the splits that are by time."""
    return [name for name in by if is_time(name)]


def title_of(subject: str, by: Sequence[str]) -> str:
    """Name the subject and what it is split by.

    >>> title_of("Calls", ["weekday", "hour"]), title_of("Calls", ["country"])
    ('Calls, by hour of the week (UTC)', 'Calls, by country')
    """
    for clock, names in CLOCKS.items():
        if set(by) == set(names):
            return f"{subject}, by {clock}"
    return f"{subject}, by {listed(map(group_word, by))}" if by else subject


def group_name(row: pd.Series, by: Sequence[str]) -> str:
    """Name a group by its values; the row of totals is all of them."""
    if row.get("pooled") == ALL:
        return ALL
    return " · ".join(named(row[name], name) for name in by)


def best_source(frame: pd.DataFrame) -> str:
    """Choose whose word on verification is drawn: the application's where it reported, else the provider's; or ""."""
    told = set(frame.loc[frame["n"] > 0, "source"])
    return next((source for source in SOURCES if source in told), "")


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
    frame = without_totals(frame)
    one = frame.drop_duplicates(list(by)) if by else frame.head(1)
    found = {reason: int(one[reason].sum()) for reason in LEFT_OUT if reason in one.columns}
    words = {**LEFT_OUT, "unknown": unknown}
    said = [f"{count(number)} {words[reason]}" for reason, number in found.items() if number]
    return f"{units.capitalize()}s left out: {listed(said)}." if said else ""


CLOCKS = {
    "hour of the week (UTC)": ("weekday", "hour"),
    "local hour of the week": ("local_weekday", "local_hour"),
}
# A design effect below this changes no interval that anybody could see.
WIDER = 1.05
SOURCES = ("app", "callback")
INTERVAL = "95\N{NO-BREAK SPACE}% interval"
SIZED = ("channel", "first_channel", "country", "number_block")


def in_reading_order(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Put large channels and countries first; roles, days and hours keep the order the metric gave them."""
    keys: dict[str, pd.Series] = {}
    for name in by:
        if name in SIZED:
            size = frame.groupby([*by[: by.index(name)], name], dropna=False)["n"].transform("sum")
            # What was added up, and the total, stand below the groups whatever their size.
            if "pooled" in frame.columns:
                keys |= {"pooled": frame["pooled"].map({OTHERS: 1, ALL: 2}).fillna(0)}
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


def widened(frame: pd.DataFrame) -> str:
    """Say that intervals are wider than for cases that know nothing of each other; nothing where none is."""
    if "design_effect" not in frame.columns or not (frame["design_effect"] > WIDER).any():
        return ""
    return "Intervals allow for attempts of one session being alike."
