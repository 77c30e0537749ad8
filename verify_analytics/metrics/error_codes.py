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

from .by import ATTEMPT_BY, NOT_KNOWN, By, checked_by
from .counting import CONTEXT, Counts, Ints, count_rows, opened, warn_if_stale
from .frames import put_together, rate_rows
from .outcomes import KNOWN, UNSUCCESSFUL, left_out

NONE_GIVEN = "(none given)"
MEASURES = ("share_of_unsuccessful", "share_of_all")
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


def error_codes(attempts: IntoFrame, *, by: By = ()) -> pd.DataFrame:
    """Say which error codes stand behind the attempts that did not arrive, the most frequent first.

    An attempt is *unsuccessful* when its outcome is failed or undelivered: the provider said that it did not arrive.
    Accepted and silent are not: nothing was said of them, and they carry no code.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine; filter it as you like. Rows that are no attempt are ignored.
    by
        Up to two of ``channel``, ``role``, ``country``, ``day``, ``hour``. It chooses the denominators too: without
        it a share is of all channels together, with ``by="channel"`` it is of the attempts of that channel.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `channel`, `code`, `name`, `meaning`, `category`, `retryable` (``yes``, ``no``,
        ``unknown``), then the columns of every rate: `measure`, `count`, `n`, `rate`, `low`, `high`, `interval`,
        `design_effect`, `immature`, `unobserved`, `unknown`, `as_of`, `patience_seconds`.
        ``share_of_unsuccessful`` has `n` = unsuccessful of the group and adds up to 1 over its codes;
        ``share_of_all`` has `n` = all of the group with a known outcome.
        An attempt without a code counts as ``"(none given)"``; a code that nobody listed is shown as it came.
        Sorted by group, then by falling count. One row per group, channel, code and measure; no rows for a group
        where nothing was unsuccessful.

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
    Only mature attempts count. Where several callbacks of an attempt named different codes, the model keeps the
    smallest of the winning state: a rule for ties, not a ranking of causes. A code is what the carrier chose to say.
    `category` and `retryable` are this project's reading of the provider's advice. Intervals are plain Wilson, and
    attempts of one session are alike: `design_effect` is missing to say so.

    References
    ----------
    The catalogue's `source` column. `verify_analytics.stats.wilson` for the interval.
    """
    asked_by = "metrics.error_codes"
    names = checked_by(by, ATTEMPT_BY, grain="attempts")
    columns = dict.fromkeys([*NEEDED, *(name for name in names if name not in ("day", "hour"))])
    frame = opened(attempts, list(columns), asked_by=asked_by, made_by="model.attempts").filter(nw.col("is_attempt"))
    # A code is looked at only where it explains something; elsewhere it would only make more groups.
    code = nw.when(nw.col("outcome").is_in(UNSUCCESSFUL)).then(nw.col("error_code"))
    counts = count_rows(
        frame, names, ["mature", "outcome", "channel", "_code"], started="started_us", made={"_code": code}
    )
    warn_if_stale(counts.context, asked_by=asked_by)
    return _finish(counts)


def _finish(counts: Counts) -> pd.DataFrame:
    mature = counts.table["mature"].astype(bool)
    unsuccessful = mature & counts.table["outcome"].isin(UNSUCCESSFUL)
    rows = _codes(counts, unsuccessful)
    place = rows.pop("_place").to_numpy(dtype=np.int64)
    count = rows.pop("_count").to_numpy(dtype=np.int64)
    denominators: dict[str, Ints] = {
        "share_of_unsuccessful": counts.total(unsuccessful),
        "share_of_all": counts.total(mature & counts.table["outcome"].isin(KNOWN)),
    }
    beside = {name: values[place] for name, values in left_out(counts).items()}
    # What was split by the channel carries it already.
    split = counts.groups.iloc[place].reset_index(drop=True).drop(columns="channel", errors="ignore")
    groups = pd.concat([split, rows], axis="columns") if len(split.columns) else rows
    if "channel" in counts.groups.columns:
        groups = groups[[*counts.groups.columns, *(name for name in rows.columns if name != "channel")]]
    return put_together(
        [rate_rows(groups, measure, count, denominators[measure][place]) for measure in MEASURES],
        beside,
        counts.context,
    )


def _codes(counts: Counts, unsuccessful: pd.Series) -> pd.DataFrame:
    """Count each channel and code within its group, the most frequent first, with what the code means."""
    table = pd.DataFrame(
        {
            "_place": counts.place,
            "channel": counts.table["channel"].astype("str").where(counts.table["channel"].notna(), NOT_KNOWN),
            "code": counts.table["_code"].astype("str").where(counts.table["_code"].notna(), NONE_GIVEN),
            "_count": counts.rows,
        }
    )[unsuccessful.to_numpy()]
    found = table.groupby(["_place", "channel", "code"], as_index=False).agg({"_count": "sum"})
    found = found.sort_values(["_place", "_count", "channel", "code"], ascending=[True, False, True, True])
    found = found.reset_index(drop=True)
    meanings = [explain(channel, code) for channel, code in zip(found["channel"], found["code"], strict=True)]
    for name in Meaning._fields:
        found[name] = pd.Series([getattr(meaning, name) for meaning in meanings], index=found.index, dtype="str")
    return found
