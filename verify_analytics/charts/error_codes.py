"""Why did messages and calls not arrive? The error codes behind them, the most frequent first."""

from collections.abc import Iterator

import pandas as pd

from verify_analytics.errors import ArgumentError

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
    times_of,
    title_of,
    without_totals,
)
from .multiples import draw_multiples
from .palette import Look, channel_look
from .rows import Mark, Row, Section, draw_rows
from .trend import Line, Panel
from .words import group_word, listed, many, named, percent, printable

NEEDED = ("channel", "code", "name", "category", "retryable", "measure", "count", "n", "rate", "low", "high", "as_of")
MOST_CODES = 12
MOST_GROUPS = 4
MOST_CODES_PER_GROUP = 5
ENDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
MOST_TRENDS = 6
NOTHING = "No attempt that could be judged failed or went undelivered: nothing to explain."
RETRYABLE = {"yes": "may pass on a retry", "no": "a retry will not help", "unknown": ""}


@in_house_style
def error_codes(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw the share of each error code among the attempts that did not arrive, the most frequent first (a Pareto).

    Beside each share stands what this code and those above it make up together. A split by a period is drawn as small
    panels: how the share of each of the most frequent codes, of all attempts, moves over time.

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
    if times_of(by):
        return _trend(without_totals(frame), by, narrow=narrow)
    unsuccessful = (frame["measure"] == "share_of_unsuccessful").any()
    rows = frame[frame["measure"] == ("share_of_unsuccessful" if unsuccessful else "share_of_all")]
    groups = _groups(rows, by)
    whose = f" of each {listed(map(group_word, groups))}" if groups else ""
    which = "that failed or went undelivered" if unsuccessful else "old enough to be judged"
    subtitle = sentence(f"Share of the attempts{whose} {which}", INTERVAL, seen_from(rows))
    notes = left_out(rows, [], "attempt") if not groups and len(rows) else ""
    words = Words(title_of("Why codes did not arrive", groups), subtitle, (notes,) if notes else ())
    if not len(rows):
        return message(words, NOTHING, narrow=narrow)
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
        sections.append(Section(heading, tuple(_rows(shown, groups))))
    more = [many(number, what) for number, what in ((other_codes, "rarer code"), (other_groups, "group")) if number]
    if more:
        words = words._replace(notes=(f"Not drawn: {' and '.join(more)}; see the table.", *words.notes))
    highs = [mark.high for section in sections for row in section.rows for mark in row.marks]
    top = next((end for end in ENDS if max(highs) <= end), 1.0)
    return draw_rows(words, sections, ["share"], narrow=narrow, kind="bar", top=top)


def _rows(shown: pd.DataFrame, groups: list[str]) -> Iterator[Row]:
    """Give each code its row, with what it makes up together with those above it."""
    so_far = 0
    for _, row in shown.iterrows():
        so_far += int(row["count"])
        channel = "" if "channel" in groups else f"{named(row['channel'], 'channel')} "
        n = float(row["n"])
        mark = Mark("share", float(row["rate"]), float(row["low"]), float(row["high"]), n, _look(row))
        name = f"{channel}{printable(str(row['code']), 16)} {printable(str(row['name']))}"
        advice = RETRYABLE.get(str(row["retryable"]), "")
        yield Row(name, (mark,), float(row["count"]), advice, together=percent(so_far / n, n) if n else "")


def _look(row: pd.Series) -> Look:
    return channel_look(str(row["channel"]))


def _trend(frame: pd.DataFrame, by: list[str], *, narrow: bool) -> Chart:
    """Draw the share of all attempts that each of the most frequent codes makes up, over time."""
    times = times_of(by)
    if len(times) > 1 or len(by) > 1:
        raise ArgumentError(
            f"charts.error_codes draws codes over one time and no other split, got {', '.join(by)}: filter by one of "
            "them first"
        )
    rows = frame[frame["measure"] == "share_of_all"]
    subtitle = sentence("Share of all attempts old enough to be judged", INTERVAL, seen_from(frame))
    words = Words(title_of("Why codes did not arrive", by), subtitle)
    if not (rows["count"] > 0).any():
        return message(words, NOTHING, narrow=narrow)
    panels = []
    for (channel, code), mine in rows.groupby(["channel", "code"], sort=False):
        name = f"{named(channel, 'channel')} {printable(str(code), 16)} {printable(str(mine['name'].iloc[0]))}"
        panels.append((int(mine["count"].sum()), Panel(name, (Line("share", mine, _look(mine.iloc[0])),))))
    panels.sort(key=lambda each: -each[0])
    kept = [panel for _, panel in panels[:MOST_TRENDS]]
    if len(panels) > MOST_TRENDS:
        words = words._replace(notes=(f"{many(len(panels) - MOST_TRENDS, 'rarer code')} not drawn; see the table.",))
    return draw_multiples(words, kept, times[0], narrow=narrow)
