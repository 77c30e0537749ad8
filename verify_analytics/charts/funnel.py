"""How far do people get, and where are they lost? Shares of all sessions: the steps, the losses, the verified."""

import pandas as pd

from .canvas import Chart, Words, in_house_style, message
from .frames import (
    INTERVAL,
    best_source,
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
from .palette import OUTCOMES, PLAIN, Look
from .rows import Mark, Row, Section, draw_rows
from .words import many, named

NEEDED = ("source", "kind", "measure", "count", "n", "rate", "low", "high", "as_of")
MOST_GROUPS = 5
KINDS = {"step": "How far sessions got", "loss": "Lost: not verified, and went no further than", "verified": "Verified"}
NAMES = {
    "sessions": "asked for a code",
    "accepted": "taken by the network",
    "delivered": "delivered, by a receipt",
    "verified": "verified",
    "not_handed_over_policy": "stopped by a fraud rule",
    "not_handed_over_account": "stopped by the account's settings",
    "not_handed_over_network": "failed before the network took it",
    "silent": "nothing was said of it",
    "undelivered": "undelivered",
    "no_receipt": "taken by the network, no receipt",
    "delivered_not_verified": "delivered, but not verified",
    "verified_delivered": "with a receipt",
    "verified_without_receipt": "without any receipt",
    "verified_against_receipt": "against the receipt",
}
LOOKS = {
    "step": Look(PLAIN, "o", "-", ""),
    "loss": Look(OUTCOMES["undelivered"], "o", "-", "////"),
    "verified": Look(OUTCOMES["delivered"], "o", "-", "\\\\\\\\"),
}
NOT_NESTED = "Steps are not nested: people verify without a receipt too, so more can be verified than delivered."


@in_house_style
def funnel(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw how many of the sessions got how far, where the others were lost, and what the verified had received.

    One source is drawn: the application where it reported, else the provider; filter by `source` for the other. With
    a split only the steps are drawn, a section per group.

    Parameters
    ----------
    frame
        What ``metrics.funnel`` gives, for any `by`; filter its rows as you like.
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
    frame = checked(frame, NEEDED, name="funnel")
    by = split_by(frame, "source")
    source = best_source(frame)
    rows = frame[(frame["source"] == source) & (frame["n"] > 0)]
    who = f"verified as {named(source)}" if source else "verification is not observable"
    subtitle = sentence("Shares of all sessions that started", who, INTERVAL, seen_from(frame))
    notes = [NOT_NESTED, left_out(frame[frame["source"] == source], by, "session", "of which no attempt was seen")]
    words = Words(title_of("From asking for a code to being verified", by), subtitle, tuple(filter(None, notes)))
    if rows.empty:
        return message(words, "No session is old enough to be judged, so there is nothing to draw.", narrow=narrow)
    kept, more = largest(rows, by, MOST_GROUPS)
    if more:
        words = words._replace(notes=(f"{many(more, 'smaller group')} not drawn; see the table.", *words.notes))
    return draw_rows(words, _by_group(kept, by) if by else _in_full(kept), ["share"], narrow=narrow, kind="bar")


def _in_full(rows: pd.DataFrame) -> list[Section]:
    kinds = rows.groupby("kind", sort=False)
    return [Section(KINDS[str(kind)], tuple(map(_row, _records(mine)))) for kind, mine in kinds]


def _by_group(rows: pd.DataFrame, by: list[str]) -> list[Section]:
    steps = in_reading_order(rows[rows["kind"] == "step"], by)
    groups = steps.groupby([*by, "pooled"] if "pooled" in steps.columns else by, sort=False, dropna=False)
    return [Section(group_name(mine.iloc[0], by), tuple(map(_row, _records(mine)))) for _, mine in groups]


def _records(rows: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in rows.iterrows()]


def _row(row: pd.Series) -> Row:
    numbers = (float(row["rate"]), float(row["low"]), float(row["high"]), float(row["n"]))
    mark = Mark("share", *numbers, LOOKS[str(row["kind"])])
    return Row(NAMES.get(str(row["measure"]), named(row["measure"])), (mark,), float(row["count"]))
