"""Which figures of two frames belong together? Rows matched by what tells them apart, and what stands alone."""

import re
from typing import Any

import numpy as np
import pandas as pd

from verify_analytics import stats
from verify_analytics.errors import ArgumentError, SchemaError, near_name

from .by import ALL, OTHERS
from .frames import CLUSTERED, WILSON
from .verdicts import NUMBER, SECONDS, SHARE, Side

NEEDED = ("measure", "n", "low", "high", "interval")
# What says more of a code, and does not tell rows apart.
DESCRIBES = ("name", "meaning", "category", "retryable")
# Two values of these are the same cases seen twice, and no two groups.
NO_GROUPS = ("measure", "source", "code", "after_seconds", *DESCRIBES)
# Figures mean something else under another of these.
SAME = ("patience_seconds", "window_seconds", "horizon_seconds", "within_seconds")
# A curve is many rows of one measure; what was not observable is no figure.
SKIPPED = ("curve", "not_observable")
# Shares of one whole among several rows, told apart by these: a row that is not there is 0 of that whole.
OF_A_WHOLE = {
    "share_of_unsuccessful": ("code",),
    "share_of_all": ("code",),
    "second_attempt": ("from_channel", "to_channel"),
}
# A quantile or a mean time; other rows that name seconds are shares by then.
_IN_SECONDS = re.compile(r"(?:^|_)p\d+(?:\.\d+)?$|^restricted_mean")
MOMENT = "datetime64[us, UTC]"
BARE = ("value", "low", "high", "count", "n", "effect")


def checked_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Make sure that this is what a metric gave, without the rows that are not compared.

    Raises
    ------
    ArgumentError
        For something that is no pandas frame, or a frame that holds a row twice.
    SchemaError
        For a frame without a column of every metric.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(f"compare takes the frames that metrics give; got {type(frame).__name__}")
    missing = [name for name in NEEDED if name not in frame.columns]
    if missing or not {"rate", "seconds", "mean"} & set(frame.columns):
        raise SchemaError(
            f"compare needs the columns that metrics give, among them {', '.join(missing) or 'rate'}; "
            f"there are: {', '.join(map(str, frame.columns))}"
        )
    kept = frame[~frame["measure"].isin(SKIPPED)].reset_index(drop=True)
    if kept.duplicated(keys_of(kept)).any():
        raise ArgumentError(
            "the frame holds rows that nothing tells apart: compare two frames, each of one metric and one reading"
        )
    return kept


def keys_of(frame: pd.DataFrame) -> list[str]:
    """Name the columns that tell rows apart: those up to the measure, but what merely describes a code.

    And how long one has waited already; and `pooled`, because a local hour that is not known and the whole both have a
    missing hour.
    """
    upto = [str(name) for name in frame.columns[: list(frame.columns).index("measure") + 1]]
    beside = [name for name in ("after_seconds", "pooled") if name in frame.columns]
    return [*(name for name in upto if name not in DESCRIBES), *beside]


def slices(frame: pd.DataFrame, between: str, first: Any, second: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut a frame into the rows of two values of a column, without the column.

    Raises
    ------
    ArgumentError
        For a column that makes no groups, or a value that it does not hold.
    """
    groups = [name for name in keys_of(frame) if name not in (*NO_GROUPS, "pooled")]
    if between not in groups:
        why = (
            "holds the same cases seen twice, and no two groups" if between in NO_GROUPS else "does not split the frame"
        )
        raise ArgumentError(f"between={between!r} {why}: {near_name(between, groups)}")
    first_rows, second_rows = (_rows_of(frame, between, value) for value in (first, second))
    if (first_rows & second_rows).any():
        raise ArgumentError(f"first={first!r} and second={second!r} are the same: name two values of {between}")
    left = [name for name in groups if name != between]
    one, two = (
        _repooled(frame[rows].drop(columns=between).reset_index(drop=True), left) for rows in (first_rows, second_rows)
    )
    return one, two


def _repooled(side: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Say which rows pool others of the groups that are left: the one compared may itself be ``"others"``."""
    if "pooled" not in side:
        return side
    texts = [name for name in groups if isinstance(side[name].dtype, pd.StringDtype)]
    others = (side[texts] == OTHERS).any(axis="columns") if texts else pd.Series(False, index=side.index)
    return side.assign(pooled=side["pooled"].where((side["pooled"] != OTHERS) | others, "").astype("str"))


def _rows_of(frame: pd.DataFrame, between: str, value: Any) -> pd.Series:
    if str(value) == ALL:
        raise ArgumentError(f"{ALL!r} holds every group of {between}: compare two groups that have no case in common")
    column = frame[between]
    asked: Any = value
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        try:
            moment = pd.Timestamp(value)
            asked = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
        except (TypeError, ValueError):
            asked = None
    found: pd.Series = (column == asked).fillna(value=False).astype(bool)
    if not found.any():
        there = column.dropna().unique().astype("str")
        raise ArgumentError(f"no {between} {value!r} in the frame: {near_name(str(value), there)}")
    return found


def paired(one: pd.DataFrame, two: pd.DataFrame, called: tuple[str, str]) -> pd.DataFrame:
    """Put the rows of two frames beside each other.

    Returns
    -------
    pandas.DataFrame
        What tells rows apart and describes them, the measure, then for `side_of` either side's figures, `unit`,
        `interval`, `only_in` and the context. One row per row that either side has, in the order of the first.

    Raises
    ------
    ArgumentError
        For frames that have nothing in common, or were measured in different ways.
    """
    keys = keys_of(one)
    if keys != keys_of(two):
        raise ArgumentError(
            f"the frames are split differently, by {_listed(keys)} and by {_listed(keys_of(two))}: "
            "ask the metric with the same by="
        )
    for name in SAME:
        _refuse_if_different(one, two, name)
    left, right = _figures(one), _figures(two)
    left, right = _with_zeros(left, right, keys), _with_zeros(right, left, keys)
    both = left.assign(_order=range(len(left))).merge(
        right.assign(_order=range(len(right))), on=keys, how="outer", suffixes=("_first", "_second")
    )
    in_first, in_second = both["_order_first"].notna(), both["_order_second"].notna()
    # A side without rows is too little data, and no mistake.
    if len(left) and len(right) and not (in_first & in_second).any():
        raise ArgumentError(
            "the frames have no row in common: compare the same metric, with splits that both sides have"
        )
    only = np.where(in_first & in_second, "", np.where(in_first, *called))
    both["only_in"] = pd.Series(only, index=both.index, dtype="str")
    both = both.sort_values(["_order_first", "_order_second"], kind="stable", ignore_index=True)
    for name in (name for name in (*DESCRIBES, "patience_seconds") if f"{name}_first" in both):
        both[name] = both[f"{name}_first"].fillna(both[f"{name}_second"])
    both["unit"] = (
        both["unit_first"].where(both["unit_first"].fillna(SHARE) != SHARE, both["unit_second"]).fillna(SHARE)
    )
    both["interval"] = _interval(both)
    described = [name for name in DESCRIBES if name in both]
    told_apart = [*(name for name in keys if name not in ("measure", "pooled")), *described, "measure"]
    sided = [f"{name}_{side}" for side in ("first", "second") for name in (*BARE, "as_of")]
    pooled = [name for name in ("pooled",) if name in keys]
    both = both.astype({name: one[name].dtype for name in keys})
    return both[[*told_apart, *pooled, "unit", *sided, "interval", "only_in", "patience_seconds"]]


def side_of(rows: pd.DataFrame, side: str) -> Side:
    """Give the figures of one side (``"first"`` or ``"second"``) of what `paired` gave."""
    return Side(*(rows[f"{name}_{side}"].to_numpy(dtype=float) for name in BARE))


def pools_differ(one: pd.DataFrame, two: pd.DataFrame) -> bool:
    """Say whether both frames pooled small groups, and kept other groups apart."""
    if not all("pooled" in frame and (frame["pooled"] == OTHERS).any() for frame in (one, two)):
        return False
    texts = [name for name in keys_of(one) if (one[name] == OTHERS).any() and name != "pooled"]
    return any(set(one[name]) != set(two[name]) for name in texts)


def _figures(frame: pd.DataFrame) -> pd.DataFrame:
    """Give what tells rows apart and describes them, and the figures under names that do not depend on their kind."""
    nothing = pd.Series(np.nan, index=frame.index)

    def figure(name: str) -> pd.Series:
        return frame[name].astype("float64") if name in frame else nothing

    seconds = frame["measure"].str.contains(_IN_SECONDS) if "seconds" in frame else nothing.notna()
    mean = figure("mean").notna()
    share = ~seconds & ~mean
    keys = keys_of(frame)
    texts = [name for name in keys if isinstance(frame[name].dtype, pd.StringDtype)]
    # As plain objects: pandas 3.1 cannot merge two empty columns of text.
    return (
        frame[[*keys, *(name for name in DESCRIBES if name in frame)]]
        .astype(dict.fromkeys(texts, object))
        .assign(
            value=figure("rate").where(share, figure("mean").where(mean, figure("seconds"))),
            low=figure("low"),
            high=figure("high"),
            count=figure("count").where(share),
            n=figure("n"),
            effect=figure("design_effect"),
            unit=pd.Series(np.where(seconds, SECONDS, np.where(mean, NUMBER, SHARE)), index=frame.index, dtype="str"),
            interval=frame["interval"],
            as_of=frame["as_of"] if "as_of" in frame else pd.Series(pd.NaT, index=frame.index, dtype=MOMENT),
            patience_seconds=figure("patience_seconds"),
        )
    )


def _with_zeros(mine: pd.DataFrame, theirs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Add rows that only the other side has where they are parts of a whole: none of my whole, and not nothing."""
    added = []
    for measure, parts in OF_A_WHOLE.items():
        whole = [name for name in keys if name not in parts]
        here = mine[(mine["measure"] == measure) & (mine["n"] > 0)].drop_duplicates(whole)
        there = theirs.loc[theirs["measure"] == measure, [*keys, *(name for name in DESCRIBES if name in theirs)]]
        if not set(parts) <= set(keys) or here.empty or there.empty:
            continue
        known = there.merge(mine[keys].assign(_known=True), on=keys, how="left")
        absent = known[known["_known"].isna()].drop(columns="_known")
        kept = here.drop(columns=[*parts, *(name for name in DESCRIBES if name in here)])
        rows = absent.merge(kept, on=whole, how="inner")
        rows = rows.assign(value=0.0, count=0.0, low=0.0, high=stats.wilson(0, rows["n"]).high, effect=np.nan)
        added.append(rows.assign(interval=WILSON))
    return pd.concat([mine, *(rows[mine.columns] for rows in added if len(rows))], ignore_index=True)


def _interval(both: pd.DataFrame) -> pd.Series:
    """Name the interval of each difference by those of its sides."""
    kinds = {frozenset({WILSON}): "newcombe"}
    kinds |= {frozenset({CLUSTERED}): "cluster_newcombe", frozenset({CLUSTERED, WILSON}): "cluster_newcombe"}
    pairs = zip(both["interval_first"], both["interval_second"], _has_bounds(both), strict=True)
    made = [kinds.get(frozenset(pair), "mover") if known else "none" for *pair, known in pairs]
    return pd.Series(made, index=both.index, dtype="str")


def _has_bounds(both: pd.DataFrame) -> pd.Series:
    """Say where a difference has a value and at least one bound."""
    values = both[["value_first", "value_second"]].notna().all(axis="columns")
    lows, highs = (
        both[[f"low_{a}", f"high_{b}"]].notna().all(axis="columns")
        for a, b in (("first", "second"), ("second", "first"))
    )
    return values & (lows | highs)


def _refuse_if_different(one: pd.DataFrame, two: pd.DataFrame, name: str) -> None:
    values = [set(frame[name].dropna()) if name in frame else set() for frame in (one, two)]
    if all(values) and values[0] != values[1]:
        said = " and ".join(", ".join(f"{value:g}" for value in sorted(each)) for each in values)
        raise ArgumentError(f"the frames were measured with different {name}, {said}: make both in the same way")


def _listed(keys: list[str]) -> str:
    return ", ".join(name for name in keys if name not in ("measure", "pooled")) or "nothing"
