"""Do the webhooks arrive as they should, and did our collector listen? Rates by kind, minutes by day, gaps in time."""

import numpy as np
import pandas as pd

from .canvas import Chart, Words, in_house_style, message
from .clocks import numbers
from .frames import (
    INTERVAL,
    checked,
    group_name,
    in_reading_order,
    largest,
    seen_from,
    sentence,
    split_by,
    times_of,
    title_of,
    without_totals,
)
from .palette import FAINT, OUTCOMES, PLAIN, Look
from .rows import Mark, Row, Section, draw_rows
from .timeline import Panel, draw_timeline, write_lines
from .words import count, group_word, many, moment, percent, seconds

NEEDED = ("measure", "count", "n", "rate", "low", "high", "as_of")
HEALTH = ("measure", "reason", "count", "per_hour", "minutes_up", "minutes_down", "gaps", "as_of")
LOOK = Look(PLAIN, "o", "-", "")
FAULT = Look(OUTCOMES["undelivered"], "o", "-", "")
KINDS = {
    "redelivered": "came again",
    "after_60s": "again after 1 minute",
    "after_120s": "again after 2 minutes",
    "after_240s": "again after 4 minutes",
    "after_skipped_try": "again, a try between was lost",
    "after_other_gap": "again after another wait",
    "soon_after_outage": "soon after an outage of ours",
    "unproved": "without a proved signature",
    "unknown_status": "with a status nobody has listed",
    "without_attempt": "of the session, not of an attempt",
}
SECTIONS = (
    ("Of all callbacks", ("redelivered", "soon_after_outage", "unproved", "unknown_status", "without_attempt")),
    ("Of those that came again", ("after_60s", "after_120s", "after_240s", "after_skipped_try", "after_other_gap")),
)
OVER_TIME = ("redelivered", "soon_after_outage", "unproved", "unknown_status")
MOST_GROUPS = 4
MOST_LINES = 12
ANSWERED = {"accepted": "accepted", "repeated": "came again", "quarantined": "kept aside", "refused": "refused"}


@in_house_style
def webhook_health(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw how many callbacks came again, after which wait, and how many were odd; over time as a timeline.

    Parameters
    ----------
    frame
        What ``metrics.webhook_health`` gives, for any `by`; filter its rows as you like. Split by a period it becomes a
        timeline: how many arrived, and which share came again or was odd.
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
    frame = checked(frame, NEEDED, name="webhook_health")
    by = split_by(frame, "measure")
    words = Words(
        title_of("How the webhooks arrive", by), sentence("Of callbacks received", INTERVAL, seen_from(frame))
    )
    if not (frame["n"] > 0).any():
        return message(words, "No callback was received up to then: nothing to draw.", narrow=narrow)
    times = times_of(by)
    if times:
        rows = without_totals(frame)
        if len(by) > 1:
            note = (
                f"All groups together; by {group_word(next(name for name in by if name not in times))}: see the table."
            )
            words = words._replace(notes=(note,))
        return draw_timeline(words, _panels_of_webhooks(rows, times[0]), times[0], narrow=narrow)
    kept, more = largest(frame[frame["n"] > 0], by, MOST_GROUPS)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.",))
    return draw_rows(words, _sections(kept, by), ["share"], narrow=narrow)


def _sections(rows: pd.DataFrame, by: list[str]) -> list[Section]:
    sections = []
    groups = in_reading_order(rows, by).groupby(by, sort=False, dropna=False) if by else [((), rows)]
    for _, mine in groups:
        for heading, measures in SECTIONS:
            found = {str(row["measure"]): row for _, row in mine.iterrows()}
            made = tuple(_row(found[name], KINDS[name]) for name in measures if name in found)
            name = " · ".join(part for part in (group_name(mine.iloc[0], by), heading) if part)
            sections += [Section(name, made)] if made else []
    return sections


def _row(row: pd.Series, name: str) -> Row:
    numbers_of = (float(row["rate"]), float(row["low"]), float(row["high"]), float(row["n"]))
    return Row(name, (Mark("share", *numbers_of, LOOK, filled=bool(row["count"])),), float(row["n"]))


def _panels_of_webhooks(rows: pd.DataFrame, time: str) -> list[Panel]:
    panels: list[Panel] = []
    for measure in OVER_TIME:
        mine = rows[rows["measure"] == measure]
        if mine.empty:
            continue
        one = mine.groupby(time, as_index=False, dropna=False)[["count", "n"]].sum()
        single = len(one) == len(mine)
        x, n = numbers(one[time], time), one["n"].to_numpy(dtype=np.float64)
        if not panels:
            panels.append(Panel("callbacks received", x, n, None, share=False, look=Look(FAINT, "o", "-", "")))
        with np.errstate(invalid="ignore"):
            rate = one["count"].to_numpy(dtype=np.float64) / n
        high = mine.set_index(time)["high"].reindex(one[time]).to_numpy(dtype=np.float64) if single else None
        panels.append(Panel(KINDS[measure], x, rate, high, share=True, look=FAULT))
    return panels


@in_house_style
def collector_health(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw how long our collector listened, what it answered, and what it refused; over time as a timeline.

    Parameters
    ----------
    frame
        What ``metrics.collector_health`` gives, for any `by`; filter its rows as you like.
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
    frame = checked(frame, HEALTH, name="collector_health")
    by = split_by(frame, "measure")
    times = times_of(by)
    rows = without_totals(frame)
    words = Words(title_of("What our collector did", by), sentence("Requests and minutes", seen_from(frame)))
    one = rows.drop_duplicates(by) if by else rows.head(1)
    up, down = (float(one[name].sum()) for name in ("minutes_up", "minutes_down"))
    if rows.empty or up + down == 0:
        text = "This store keeps no record of when its collector was up, so nothing can be said of it."
        return message(words, text, narrow=narrow)
    listened = f"Listened {percent(up / (up + down), up + down)} of the time; down for {seconds(60 * down)}."
    words = words._replace(notes=(listened,))
    if times:
        return draw_timeline(words, _panels_of_collector(rows, times[0]), times[0], narrow=narrow)
    counts = rows.groupby(["measure", "reason"], sort=False, as_index=False)["count"].sum()
    told = zip(counts["measure"], counts["reason"], counts["count"], strict=True)
    lines = [f"{_answer(str(measure), str(reason))}: {count(number)}" for measure, reason, number in told]
    return write_lines(words, lines, narrow=narrow)


def _answer(measure: str, reason: str) -> str:
    names = {
        "accepted": "accepted",
        "repeated": "came again and were known",
        "v3_unproved": "accepted though one of two signatures did not fit",
        "quarantined": "signed, could not be read, and were kept aside",
        "refused": "refused",
        "refused_for": "refused for",
    }
    return " ".join(part for part in (names.get(measure, measure), reason.replace("_", " ")) if part)


def _panels_of_collector(rows: pd.DataFrame, time: str) -> list[Panel]:
    chosen = (
        ("accepted", "accepted"),
        ("repeated", "came again"),
        ("quarantined", "kept aside"),
        ("refused", "refused"),
    )
    panels = []
    for measure, name in chosen:
        mine = rows[rows["measure"] == measure].groupby(time, as_index=False)["count"].sum()
        look = Look(FAINT, "o", "-", "") if measure == "accepted" else FAULT
        panels.append(Panel(name, numbers(mine[time], time), mine["count"].to_numpy(np.float64), None, False, look))
    one = rows.drop_duplicates([time]).sort_values(time)
    down = one["minutes_down"].to_numpy(dtype=np.float64)
    panels.append(Panel("minutes down", numbers(one[time], time), down, None, share=False, look=FAULT))
    return panels


@in_house_style
def collector_gaps(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw when our collector did not listen, and for how long.

    Parameters
    ----------
    frame
        What ``metrics.collector_gaps`` gives: one row per gap.
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
    frame = checked(frame, ("from_at", "to_at", "minutes", "as_of"), name="collector_gaps")
    words = Words("When our collector did not listen", sentence("Minutes without its pulse", seen_from(frame)))
    if frame.empty:
        return message(words, "No gap is known: in every minute on record it listened.", narrow=narrow)
    rows = frame.sort_values("minutes", ascending=False, kind="stable")
    total = f"{many(len(frame), 'gap')}, {seconds(60.0 * float(frame['minutes'].sum()))} in all."
    lines = [f"{moment(row['from_at'])}, for {seconds(60.0 * float(row['minutes']))}" for _, row in rows.iterrows()]
    more = len(lines) - MOST_LINES
    notes = (total, *((f"{many(more, 'shorter gap')} not listed; see the table.",) if more > 0 else ()))
    return write_lines(words._replace(notes=notes), lines[:MOST_LINES], narrow=narrow)
