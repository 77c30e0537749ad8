"""What did the collector do in each minute, those in which it was down too? A pulse, counted minute by minute."""

import json
from typing import Any

import numpy as np
import pandas as pd

from .gaps import gaps_between
from .periods import MINUTE_US

# In `refused_by` this word counts callbacks that were taken in on their V2 signature alone: no refusal, in no sum.
V3_UNPROVED = "v3_unproved"
NOT_TOLD = "(not told)"
TAKEN = ("accepted", "repeated")
KINDS = (*TAKEN, "quarantined", "refused")
# What a column of refusals for one reason is named: this and the reason.
FOR = "for:"


def each_collector(rows: pd.DataFrame, *, by_collector: bool) -> list[tuple[str, pd.DataFrame]]:
    """Give the minutes of each collector, or those of all as if it were one."""
    if not by_collector:
        return [("", rows)]
    return [(str(name), of_one) for name, of_one in rows.groupby("collector")]


def minutes_of(rows: pd.DataFrame, *, by_collector: bool) -> pd.DataFrame:
    """Count each minute, those without a pulse too: `up` or `down` is 1, and `gaps` is 1 where a gap begins.

    One row per minute, and collector where asked for.
    """
    counted = pd.concat([rows[["collector", "minute_us", *KINDS]], _reasons(rows)], axis="columns")
    parts = []
    for name, of_one in each_collector(counted, by_collector=by_collector):
        up = of_one.drop(columns="collector").groupby("minute_us", as_index=False).sum().assign(up=1, down=0, gaps=0)
        gaps = gaps_between(of_one["minute_us"])
        silent = [np.arange(gap.from_us, gap.to_us, MINUTE_US) for gap in gaps]
        without = pd.DataFrame({"minute_us": np.concatenate(silent)}) if silent else pd.DataFrame({"minute_us": []})
        begins = without["minute_us"].isin([gap.from_us for gap in gaps])
        down = without.astype("int64").assign(up=0, down=1, gaps=begins.astype("int64"))
        both = pd.concat([up, down.reindex(columns=up.columns, fill_value=0)], ignore_index=True)
        parts.append(both.assign(collector=pd.Series(name, index=both.index, dtype="str")))
    return pd.concat(parts, ignore_index=True)


def _reasons(rows: pd.DataFrame) -> pd.DataFrame:
    """Read the refusals by reason: one column for each word, named `FOR` and the word."""
    read = {text: _words(text) for text in rows["refused_by"].astype("str").unique()}
    words = sorted({word for counts in read.values() for word in counts})
    texts = rows["refused_by"].astype("str")
    made = {FOR + word: texts.map({text: counts.get(word, 0) for text, counts in read.items()}) for word in words}
    unproved = made.pop(FOR + V3_UNPROVED, pd.Series(0, index=rows.index))
    told = sum(made.values(), start=pd.Series(0, index=rows.index))
    untold = rows["refused"].astype("int64") - told
    made[FOR + NOT_TOLD] = untold.where(untold > 0, 0)
    return pd.DataFrame({V3_UNPROVED: unproved, **made}, index=rows.index).astype("int64")


def _words(text: str) -> dict[str, int]:
    """Read what the collector wrote as JSON; what cannot be read names no reason."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return {}
    return {str(word): int(count) for word, count in found.items()} if isinstance(found, dict) else {}
