"""How does a metric's frame become a table? Whole as CSV for a spreadsheet; short, a row per group, for a page."""

import csv
import io
from collections.abc import Mapping, Sequence
from math import isnan
from typing import NamedTuple

import pandas as pd

from verify_analytics.charts.frames import in_reading_order
from verify_analytics.charts.words import count, group_word, interval, named, percent, printable, seconds

from .readings import NOT_KNOWN, span

# A spreadsheet takes a text that begins like this for a formula, and may run it; some take the full-width forms too.
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
LONGEST = 1000
MOST_CODES = 15
MOST_FLOWS = 4
SOURCES = {"": "", "app": "application", "callback": "provider"}
RETRYABLE = {"yes": "may help", "no": "will not help", "unknown": "not known"}
RETRIES = {
    "attempts_per_session": "attempts per session",
    "resent_too_early": "resent on the same channel though the code before did arrive",
    "fell_back_too_early": "changed the channel though the code before did arrive",
    "rescue": "verified after changing the channel (followed by, not caused by)",
    "second_attempt": "second attempt",
    "second_attempt_then_verified": "verified after the second attempt",
}
SHARES = {"within_10s": "in 10 s", "within_30s": "in 30 s", "within_60s": "in 60 s", "within_120s": "in 2 min"}
SPANS = {"p50": "half by", "p90": "90 % by", "restricted_mean": "mean wait"}


class Cell(NamedTuple):
    """What stands in a cell, what stands small beside it, and whether it is a number (or a name)."""

    text: str
    small: str = ""
    number: bool = True


class Table(NamedTuple):
    """A table of a page: its caption, the heads of its columns, and its rows; `more` rows are only in the file."""

    caption: str
    heads: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    more: int = 0


# A figure of so few that it is not to be shown.
HIDDEN = Cell("hidden")


def name(text: str, small: str = "") -> Cell:
    """Make a cell that holds a name."""
    return Cell(text, small, number=False)


def as_csv(frame: pd.DataFrame) -> str:
    """Write a frame as CSV that a spreadsheet opens without running anything: commas, moments in ISO 8601, UTC.

    A text that begins like a formula gets an apostrophe before it, and control characters become spaces; numbers stay
    numbers, what is missing stays empty.

    >>> print(as_csv(pd.DataFrame({"code": ["=1+1", "30"], "rate": [-0.5, float("nan")]})), end="")
    code,rate
    '=1+1,-0.5
    30,
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([_plain(value) for value in row])
    return written.getvalue()


def _plain(value: object) -> object:
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float):
        return "" if pd.isna(value) else value
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, str):
        # A lone carriage return would begin a new row in some readers, and with it a new formula.
        text = printable(value, LONGEST)
        return f"'{text}" if text.startswith(FORMULA) else text
    return value


def rate_cell(row: pd.Series) -> Cell:
    """Write a rate with its interval."""
    rate, n = float(row["rate"]), float(row["n"])
    if n == 0:
        return Cell("–")
    if isnan(rate):
        return Cell(NOT_KNOWN)
    return Cell(percent(rate, n), interval(float(row["low"]), float(row["high"]), n))


def by_group(
    frame: pd.DataFrame, by: Sequence[str], measures: Mapping[str, str], *, caption: str, n: str, most: int = 40
) -> Table:
    """Set each group in a row and each measure in a column, with its interval.

    Parameters
    ----------
    frame
        A frame of rates.
    by
        The columns it was split by.
    measures
        The measures to show and how their column is called; n is that of the first.
    caption, n
        What the table is about, and what n counts.
    most
        How many rows at most.
    """
    main = next(iter(measures))
    first = in_reading_order(frame[frame["measure"] == main], by)
    heads = (*(name(group_word(each)) for each in by), Cell(n), *(Cell(head) for head in measures.values()))
    rows = []
    for _, group in first.head(most).iterrows():
        mine = frame
        for each in by:
            mine = mine[mine[each] == group[each]]
        cells = [name(named(group[each], each)) for each in by]
        found = {str(row["measure"]): row for _, row in mine.iterrows()}
        cells.append(Cell(count(group["n"])))
        cells += [rate_cell(found[measure]) if measure in found else HIDDEN for measure in measures]
        rows.append(tuple(cells))
    return Table(caption, heads, tuple(rows), max(0, len(first) - most))


def of_errors(frame: pd.DataFrame) -> Table:
    """Explain the most frequent codes."""
    shown = frame[frame["measure"] == "share_of_unsuccessful"]
    of_all = frame[frame["measure"] == "share_of_all"].set_index(["channel", "code"])
    rows = [
        (
            name(named(row["channel"], "channel")),
            name(named(row["code"]), str(row["name"])),
            name(str(row["meaning"]), f"category: {row['category']}"),
            name(RETRYABLE[str(row["retryable"])]),
            Cell(count(row["count"])),
            rate_cell(row),
            rate_cell(of_all.loc[key]) if (key := (row["channel"], row["code"])) in of_all.index else HIDDEN,
        )
        for _, row in shown.head(MOST_CODES).iterrows()
    ]
    heads = (*map(name, ("channel", "code", "what it means", "asking again")), Cell("attempts"))
    heads = (*heads, Cell("of unsuccessful"), Cell("of all"))
    caption = "Error codes of attempts that failed or went undelivered"
    return Table(caption, heads, tuple(rows), max(0, len(shown) - MOST_CODES))


def of_retries(frame: pd.DataFrame, by: Sequence[str] = ()) -> Table:
    """Set each figure of retry behaviour in a row; of the roads from channel to channel only the most frequent."""
    _ = by
    flows = frame["to_channel"] != ""
    size = frame["count"].where(frame["measure"] == "second_attempt", frame["n"])
    rank = size[flows].groupby(frame["measure"]).rank(method="first", ascending=False)
    shown = frame[~flows | frame.index.isin(rank[rank <= MOST_FLOWS].index)]
    rows = [
        (name(_retry_name(row)), name(SOURCES[str(row["source"])]), Cell(count(row["n"])), _retry_value(row))
        for _, row in shown.iterrows()
    ]
    heads = (name("figure"), name("verified as told by"), Cell("of"), Cell("value"))
    return Table("Retry behaviour of sessions", heads, tuple(rows), len(frame) - len(shown))


def _retry_name(row: pd.Series) -> str:
    measure = str(row["measure"])
    if measure in RETRIES:
        flow = [named(row[column], "channel") for column in ("from_channel", "to_channel") if row[column]]
        return ": ".join(part for part in (RETRIES[measure], " → ".join(flow)) if part)
    words = measure.split("_")
    if measure.startswith("reaches_attempt_"):
        return f"{words[-1]} attempts or more"
    if measure.startswith("verified_before_attempt_"):
        return f"verified after attempt {int(words[-1]) - 1}, before any further one"
    if measure.startswith("gap_to_attempt_"):
        share = "half" if words[-1] == "p50" else f"{words[-1][1:]} %"
        return f"wait before attempt {words[-2]}: {share} within"
    return named(measure)


def _retry_value(row: pd.Series) -> Cell:
    if pd.notna(row["seconds"]):
        return Cell(seconds(float(row["seconds"])))
    return Cell(f"{row['mean']:.2f}") if pd.notna(row["mean"]) else rate_cell(row)


def of_times(frame: pd.DataFrame, by: Sequence[str]) -> Table:
    """Set the shares verified by a time, and the times by which a share is, in a row per group and source."""
    rows = []
    keys = [*by, "source"]
    for _, mine in in_reading_order(frame, by).groupby(keys, sort=False):
        first = mine.iloc[0]
        found = {str(row["measure"]): row for _, row in mine.drop_duplicates("measure").iterrows()}
        cells = [*(name(named(first[each], each)) for each in by), name(SOURCES[str(first["source"])])]
        cells.append(Cell(count(first["n"])))
        if "not_observable" in found:
            cells += [Cell("not observable"), *(Cell("–") for _ in range(len(SHARES) + len(SPANS) - 1))]
        else:
            cells += [rate_cell(found[measure]) if measure in found else HIDDEN for measure in SHARES]
            times = (found.get(measure) for measure in SPANS)
            cells += [HIDDEN if row is None else Cell(seconds(float(row["seconds"]), "–"), span(row)) for row in times]
        rows.append(tuple(cells))
    heads = (*(name(group_word(each)) for each in by), name("told by"), Cell("sessions"))
    heads = (*heads, *(Cell(head) for head in (*SHARES.values(), *SPANS.values())))
    return Table("Sessions verified by a time, as a share of all sessions", heads, tuple(rows))


def of_waits(frame: pd.DataFrame) -> Table:
    """Set the chance of a code in the next while in a row per time waited and source, and what a trial would need."""
    rows = [
        (
            name(SOURCES[str(row["source"])]),
            Cell(seconds(float(row["after_seconds"]))),
            Cell(count(row["n"])),
            rate_cell(row),
            Cell("–" if pd.isna(row["sessions_to_start"]) else count(row["sessions_to_start"])),
        )
        for _, row in frame[frame["measure"] == "verified_next"].iterrows()
    ]
    heads = (name("told by"), Cell("after"), Cell("still waiting"), Cell("verify next"), Cell("a trial needs"))
    return Table(
        "Verified within the next while, of those still waiting; sessions that a trial needs", heads, tuple(rows)
    )


def of_measures(frame: pd.DataFrame, caption: str, n: str) -> Table:
    """Set each measure of a frame without a split in a row, by source where there are several."""
    told = "source" in frame.columns
    heads = (name("figure"), *((name("told by"),) if told else ()), Cell("found"), Cell(n), Cell("share"))
    rows = [
        (
            name(str(row["measure"]).replace("_", " ")),
            *((name(SOURCES[str(row["source"])]),) if told else ()),
            Cell(count(row["count"])),
            Cell(count(row["n"])),
            rate_cell(row),
        )
        for _, row in frame.iterrows()
    ]
    return Table(caption, heads, tuple(rows))
