"""Why did messages and calls not arrive? The error codes behind them, the most frequent first."""

import pandas as pd

from .canvas import Chart, Words, in_house_style, message
from .frames import (
    INTERVAL,
    checked,
    group_name,
    in_reading_order,
    largest,
    left_out,
    seen_from,
    sentence,
    split_by,
    title_of,
)
from .palette import channel_look
from .rows import Mark, Row, Section, draw_rows
from .words import GROUPS, listed, many, named, printable

NEEDED = ("channel", "code", "name", "category", "retryable", "measure", "count", "n", "rate", "low", "high", "as_of")
MOST_CODES = 12
MOST_GROUPS = 4
MOST_CODES_PER_GROUP = 5
ENDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
RETRYABLE = {"yes": "may pass on a retry", "no": "a retry will not help", "unknown": ""}


@in_house_style
def error_codes(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw the share of each error code among the attempts that did not arrive, with intervals.

    Parameters
    ----------
    frame
        What ``metrics.error_codes`` gives, for any `by`. Where it holds ``share_of_unsuccessful`` that is drawn, else
        ``share_of_all``.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError
        For something else than a frame.
    SchemaError
        For a frame without the metric's columns.
    """
    frame = checked(frame, NEEDED, name="error_codes")
    by = [name for name in split_by(frame, "code") if name != "channel"]
    unsuccessful = (frame["measure"] == "share_of_unsuccessful").any()
    rows = frame[frame["measure"] == ("share_of_unsuccessful" if unsuccessful else "share_of_all")]
    groups = _groups(rows, by)
    whose = f" of each {listed(GROUPS.get(name, name) for name in groups)}" if groups else ""
    which = "that failed or went undelivered" if unsuccessful else "old enough to be judged"
    subtitle = sentence(f"Share of the attempts{whose} {which}", INTERVAL, seen_from(rows))
    notes = left_out(rows, [], "attempt") if not groups and len(rows) else ""
    words = Words(title_of("Why codes did not arrive", groups), subtitle, (notes,) if notes else ())
    if not len(rows):
        return message(
            words, "No attempt that could be judged failed or went undelivered: nothing to explain.", narrow=narrow
        )
    return _draw(rows, groups, words, narrow=narrow)


def _groups(rows: pd.DataFrame, by: list[str]) -> list[str]:
    """Say what the shares are shares of: a split by the channel shows in that n differs between channels."""
    within = rows.groupby(by) if by else [((), rows)]
    by_channel = any(mine.groupby("channel")["n"].first().nunique() > 1 for _, mine in within)
    return ["channel", *by] if by_channel else by


def _draw(rows: pd.DataFrame, groups: list[str], words: Words, *, narrow: bool) -> Chart:
    kept, other_groups = largest(rows, groups, MOST_GROUPS)
    sections, other_codes = [], 0
    most = MOST_CODES_PER_GROUP if groups else MOST_CODES
    for _, mine in in_reading_order(kept, groups).groupby(groups, sort=False) if groups else [((), kept)]:
        shown = mine.sort_values("count", ascending=False, kind="stable").head(most)
        other_codes += len(mine) - len(shown)
        heading = group_name(mine.iloc[0], groups)
        sections.append(Section(heading, tuple(_row(row, groups) for _, row in shown.iterrows())))
    more = [many(number, what) for number, what in ((other_codes, "rarer code"), (other_groups, "group")) if number]
    if more:
        words = words._replace(notes=(f"Not drawn: {' and '.join(more)}; see the table.", *words.notes))
    longest = max(mark.high for section in sections for row in section.rows for mark in row.marks)
    top = next(end for end in ENDS if longest <= end)
    return draw_rows(words, sections, ["share"], narrow=narrow, kind="bar", top=top)


def _row(row: pd.Series, groups: list[str]) -> Row:
    channel = "" if "channel" in groups else f"{named(row['channel'], 'channel')} "
    numbers = (float(row["rate"]), float(row["low"]), float(row["high"]), float(row["n"]))
    mark = Mark("share", *numbers, channel_look(str(row["channel"])))
    name = f"{channel}{printable(str(row['code']), 16)} {printable(str(row['name']))}"
    return Row(name, (mark,), float(row["count"]), RETRYABLE.get(str(row["retryable"]), ""))
