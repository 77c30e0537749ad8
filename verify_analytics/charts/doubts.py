"""Do the webhooks tell a whole and possible story? What is missing and out of order, one row per kind of fault."""

from collections.abc import Mapping
from typing import NamedTuple

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
    times_of,
    title_of,
)
from .palette import OUTCOMES, Look
from .rates import Rates, draw_rates
from .rows import Mark, Row, Section, draw_rows
from .words import many, named

NEEDED = ("measure", "count", "n", "rate", "low", "high", "as_of")
FAULT = Look(OUTCOMES["undelivered"], "o", "-", "")
WELL = Look(OUTCOMES["delivered"], "o", "-", "")
MOST_GROUPS = 6
ENDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
COMPLETENESS = {
    "whole": "every callback that was due",
    "lacks_previous_attempt": "an attempt before it is missing",
    "lacks_acceptance": "the network's acceptance is missing",
    "lacks_end": "the end is missing",
    "lacks_several": "several are missing",
    "without_queued": "no first callback (queued or ringing)",
}
LAWFUL = {
    "delivered_and_undelivered": "both delivered and undelivered",
    "undelivered_after_delivered": "undelivered after delivered",
    "delivered_after_undelivered": "delivered after undelivered",
    "failed_and_receipt": "failed, and yet a receipt",
    "sequence_jump": "number jumps: one before is missing",
    "sequence_shared": "two attempts with one number",
    "facts_conflict": "callbacks disagree on the facts",
    "codes_differ": "callbacks disagree on the code",
    "requested_after_arrival": "requested after it was told of",
    "requested_before_previous": "requested before the one before",
    "verified_after_expired": "verified after it expired",
    "expired_after_verified": "expired after it was verified",
    "verified_before_start": "verified before it started",
}
TRUST = {
    "verified_against_receipt": "verified though no receipt says delivered",
    "delivered_not_verified": "delivered, and not verified",
}


class Kinds(NamedTuple):
    """What a chart of faults shows: the metric, its title, what its shares are of, and its measures in words."""

    metric: str
    title: str
    shares_of: str
    measures: Mapping[str, str]
    unit: str = "attempt"


@in_house_style
def completeness(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw what share of the attempts is told whole, and which callbacks the others lack, with intervals.

    Parameters
    ----------
    frame
        What ``metrics.completeness`` gives, for any `by`; filter its rows as you like. Over time ``whole`` is drawn.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError, SchemaError
        As the other charts.
    """
    kinds = Kinds("completeness", "Callbacks that should have come", "Of attempts old enough", COMPLETENESS)
    return _draw(frame, kinds, (), narrow=narrow)


@in_house_style
def lawful_order(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw how often something happened in an order that is not possible, with intervals.

    Parameters
    ----------
    frame
        What ``metrics.lawful_order`` gives, for any `by`; filter its rows as you like.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError, SchemaError
        As the other charts.
    """
    kinds = Kinds("lawful_order", "What happened out of order", "Of attempts and of sessions old enough", LAWFUL)
    return _draw(frame, kinds, ("unit",), narrow=narrow)


@in_house_style
def receipt_trust(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw how often a receipt and the verification contradict each other, with intervals.

    Parameters
    ----------
    frame
        What ``metrics.receipt_trust`` gives, for any `by`; filter its rows as you like.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError, SchemaError
        As the other charts.
    """
    kinds = Kinds("receipt_trust", "Receipts that verification contradicts", "Of sessions", TRUST, "session")
    return _draw(frame, kinds, ("source",), narrow=narrow)


def _draw(frame: object, kinds: Kinds, before: tuple[str, ...], *, narrow: bool) -> Chart:
    rows = checked(frame, (*before, *NEEDED), name=kinds.metric)
    by = split_by(rows, before[0] if before else "measure")
    subtitle = sentence(kinds.shares_of, INTERVAL, seen_from(rows))
    words = Words(title_of(kinds.title, by), subtitle, tuple(filter(None, [left_out(rows, by, kinds.unit)])))
    if times_of(by):
        first = next((name for name in kinds.measures if (rows.loc[rows["measure"] == name, "n"] > 0).any()), "")
        rates = Rates(kinds.metric, tuple(by), {first: kinds.measures.get(first, "")}, kinds.unit)
        return draw_rates(rows, rates, words, narrow=narrow)
    rows = rows[(rows["n"] > 0) & rows["measure"].isin(list(kinds.measures))]
    if rows.empty:
        text = f"No {kinds.unit} is old enough to be judged, so there is nothing to draw."
        return message(words, text, narrow=narrow)
    kept, more = largest(rows, by, MOST_GROUPS)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    top = next(end for end in ENDS if float(kept["high"].max()) <= end)
    return draw_rows(words, _sections(kept, by, before, kinds), ["share"], narrow=narrow, top=top)


def _sections(rows: pd.DataFrame, by: list[str], before: tuple[str, ...], kinds: Kinds) -> list[Section]:
    """Put the kinds of each group under its name; attempts and sessions, and each source, apart."""
    keys = [*by, *before]
    ordered = in_reading_order(rows, by)
    sections = []
    for _, mine in ordered.groupby(keys, sort=False) if keys else [((), ordered)]:
        first = mine.iloc[0]
        names = [group_name(first, by), *(f"{named(first[each])}{'s' if each == 'unit' else ''}" for each in before)]
        heading = " · ".join(name[:1].upper() + name[1:] for name in names if name)
        sections.append(Section(heading, tuple(_row(row, kinds) for _, row in mine.iterrows())))
    return sections


def _row(row: pd.Series, kinds: Kinds) -> Row:
    numbers = (float(row["rate"]), float(row["low"]), float(row["high"]), float(row["n"]))
    measure = str(row["measure"])
    look = WELL if measure == "whole" else FAULT
    return Row(kinds.measures[measure], (Mark("share", *numbers, look, filled=bool(row["count"])),), float(row["n"]))
