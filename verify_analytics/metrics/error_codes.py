"""Why did messages and calls not arrive? The provider's error codes, counted and explained."""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics import stats
from verify_analytics.errors import options_by_name

from .by import ATTEMPT_BY, NOT_KNOWN, By, checked_by, columns_of, is_time
from .clusters import checked_cluster, cluster_columns
from .counting import CONTEXT, warn_if_stale
from .engine import opened
from .frames import put_together, rate_rows, split_and_total
from .outcomes import CATEGORIES, KNOWN, UNSUCCESSFUL, category, left_out
from .tally import Tally, Within, tally, within_clusters

NONE_GIVEN = "(none given)"
MEASURES = {"share_of_unsuccessful": UNSUCCESSFUL, "share_of_all": KNOWN}
# What tells attempts that did not arrive apart.
KINDS = ("channel", "_code")
NEEDED = ("is_attempt", "mature", "outcome", "error_code", "channel", "started_us", *CONTEXT)


class Meaning(NamedTuple):
    """What is known of one code; `category` and `retryable` are a reading of the provider's advice, not its fields."""

    name: str
    meaning: str
    category: str
    retryable: str


UNLISTED = Meaning("(not in the catalogue)", "A code that nobody listed yet", "unknown", "unknown")
NO_CODE = Meaning("(no code)", "The provider said that it failed and not why", "unknown", "unknown")


@cache
def catalogue() -> Mapping[tuple[str, str], Meaning]:
    """Give the known codes by (channel, code).

    Read from ``error_codes.csv`` beside this file, which names the source of each entry. The provider has one table
    for messages (listed as ``sms``) and one for calls (``voice``).
    """
    text = files(__package__).joinpath("error_codes.csv").read_text(encoding="utf-8")
    return MappingProxyType(
        {
            (row["channel"], row["code"]): Meaning(row["name"], row["meaning"], row["category"], row["retryable"])
            for row in csv.DictReader(text.splitlines())
        }
    )


def explain(channel: str, code: str) -> Meaning:
    """Say what a code of a channel means; every channel but voice uses the table for messages.

    Examples
    --------
    >>> explain("voice", "3010").name
    'Busy Line'
    >>> explain("whatsapp", "370").category, explain("sms", "77777").name
    ('policy', '(not in the catalogue)')
    """
    if code == NONE_GIVEN:
        return NO_CODE
    if channel == NOT_KNOWN:
        return UNLISTED
    return catalogue().get(("voice" if channel == "voice" else "sms", code), UNLISTED)


@options_by_name
def error_codes(
    attempts: IntoFrame, *, by: By = (), top: int | None = None, totals: bool = False, cluster: str = "session"
) -> pd.DataFrame:
    """Say which error codes stand behind the attempts that did not arrive, the most frequent first.

    An attempt is *unsuccessful* when its outcome is failed or undelivered: the provider said that it did not arrive.
    Accepted and silent are not: nothing was said of them, and they carry no code.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine; filter it as you like. Rows that are no attempt are ignored.
    by
        As for `delivery_rate`. It chooses the denominators too: without it a share is of all channels together, with
        ``by="channel"`` it is of the attempts of that channel. A period gives the trend: a code that one period had
        (of a channel, say) has a row in each of them, with a count of 0 where it did not occur.
    top, totals, cluster
        As for `delivery_rate`.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `channel`, `code`, `name`, `meaning`, `category`, `retryable` (``yes``, ``no``,
        ``unknown``), then the columns of every rate: `measure`, `count`, `n`, `rate`, `low`, `high`, `interval`,
        `design_effect`, `immature`, `unobserved`, `unknown`, `as_of`, `patience_seconds`, `small`, `shrunk`,
        `shrunk_low`, `shrunk_high`, `pooled`.
        ``share_of_unsuccessful`` has `n` = unsuccessful of the group and adds up to 1 over its codes;
        ``share_of_all`` has `n` = all of the group with a known outcome.
        An attempt without a code counts as ``"(none given)"``; a code that nobody listed is shown as it came.
        Sorted by group, then by falling count. One row per group, channel, code and measure; no rows for a group
        where nothing was unsuccessful, unless `by` holds a time.

    Raises
    ------
    ArgumentError
        For a `by` that is not allowed, something that is no dataframe, or a frame of several `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.attempts``.

    Warns
    -----
    DoubtfulWarning
        Where `as_of` is later than the collector is known to have listened.

    Notes
    -----
    Only mature attempts count. A code that did not occur in a group has no row there: a mean over the groups that have
    one is too high. Where several callbacks of an attempt named different codes, the model keeps the
    smallest of the winning state: a rule for ties, not a ranking of causes. A code is what the carrier chose to say.
    `category` and `retryable` are this project's reading of the provider's advice. Attempts come in sessions, and
    the intervals are widened by the design effect.

    References
    ----------
    The catalogue's `source` column. `verify_analytics.stats.cluster_wilson` for the interval.
    """
    asked_by = "metrics.error_codes"
    names = checked_by(by, ATTEMPT_BY, grain="attempts", top=top)
    columns = dict.fromkeys([*NEEDED, *columns_of(names), *cluster_columns(checked_cluster(cluster))])
    frame = opened(attempts, list(columns), asked_by=asked_by, made_by="model.attempts").filter(nw.col("is_attempt"))
    # A code is looked at only where it explains something; elsewhere it would only make more groups.
    frame = frame.with_columns(_code=nw.when(nw.col("outcome").is_in(UNSUCCESSFUL)).then(nw.col("error_code")))
    counted: list[Tally] = []

    def measured(split: list[str]) -> pd.DataFrame:
        kept = top if split else None
        found = tally(
            frame, split, category(), CATEGORIES, started="started_us", cluster=cluster, top=kept, kinds=KINDS
        )
        codes = within_clusters(found, UNSUCCESSFUL, MEASURES.values())
        counted.append(found)
        return _finish(found, codes)

    made = split_and_total(measured, names, totals=totals)
    warn_if_stale(counted[0].context, asked_by=asked_by)
    return made


def _finish(found: Tally, within: Within) -> pd.DataFrame:
    rows, codes = _codes(within, found)
    place = rows.pop("_place").to_numpy(dtype=np.int64)
    count = rows.pop("_count").to_numpy(dtype=np.int64)
    beside = {name: values[place] for name, values in left_out(found).items()}
    # What was split by the channel carries it already.
    split = found.groups.iloc[place].reset_index(drop=True).drop(columns="channel", errors="ignore")
    groups = pd.concat([split, rows], axis="columns") if len(split.columns) else rows
    if "channel" in found.groups.columns:
        groups = groups[[*found.groups.columns, *(name for name in rows.columns if name != "channel")]]
    parts = []
    for number, (measure, below) in enumerate(MEASURES.items()):
        whole = found.clusters((), below)
        spread, products = (codes[name].to_numpy(dtype=float) for name in (f"_spread_{number}", f"_products_{number}"))
        clusters = stats.Clusters(
            successes=count.astype(float),
            trials=whole.trials[place],
            clusters=whole.clusters[place],
            squares=whole.squares[place],
            spread=spread,
            successes_squared=codes["_squared"].to_numpy(dtype=float),
            products=products,
        )
        parts.append(rate_rows(groups, measure, count, found.total(below)[place], clusters=clusters))
    return put_together(parts, beside, found.context)


def _codes(within: Within, found: Tally) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count each channel and code within its group, the most frequent first, with what the code means.

    The second frame has, row by row, what an interval needs of the clusters: the sum of squared counts, and for each
    measure the sums of squared counts over sizes and of counts times sizes.
    """
    units, rows = within.units, within.rows
    table = pd.DataFrame({"_place": within.place, "_count": units * rows, "_squared": units * units * rows})
    for name, column, nothing in (("channel", "channel", NOT_KNOWN), ("code", "_code", NONE_GIVEN)):
        values = within.table[column]
        table[name] = values.astype("str").where(values.notna(), nothing)
    for number, sizes in enumerate(within.sizes):
        table[f"_spread_{number}"] = units * units / np.where(sizes > 0, sizes, 1) * rows
        table[f"_products_{number}"] = units * sizes * rows
    keys = ["_place", "channel", "code"]
    sums = [name for name in table.columns if name not in keys]
    made = _with_zeros(table.groupby(keys, as_index=False)[sums].sum(), keys, found)
    made = made.sort_values(["_place", "_count", "channel", "code"], ascending=[True, False, True, True])
    made = made.reset_index(drop=True)
    meanings = [explain(channel, code) for channel, code in zip(made["channel"], made["code"], strict=True)]
    for name in Meaning._fields:
        made[name] = pd.Series([getattr(meaning, name) for meaning in meanings], index=made.index, dtype="str")
    of_clusters = [name for name in sums if name != "_count"]
    return made.drop(columns=of_clusters), made[of_clusters]


def _with_zeros(made: pd.DataFrame, keys: list[str], found: Tally) -> pd.DataFrame:
    """Add to a trend the codes that a period did not have, where another period of the same channel or country did."""
    if made.empty or not any(is_time(name) for name in found.by):
        return made
    alike = [name for name in found.by if not is_time(name)]
    places = pd.DataFrame({"_place": range(len(found.groups))})
    places["_whole"] = found.groups.groupby(alike, dropna=False).ngroup() if alike else 0
    seen = made[keys].merge(places, on="_place").drop(columns="_place").drop_duplicates()
    every = places.merge(seen, on="_whole")[keys]
    filled = every.merge(made, on=keys, how="left")
    return filled.assign(**{name: filled[name].fillna(0).astype(made[name].dtype) for name in made.columns.drop(keys)})
