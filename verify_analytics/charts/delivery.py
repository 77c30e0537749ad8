"""Do the messages and calls arrive? Shares with their intervals, by group or over time."""

import pandas as pd

from .canvas import Chart, Words, in_house_style
from .frames import INTERVAL, checked, left_out, seen_from, sentence, split_by, title_of, widened
from .rates import Rates, draw_rates

NEEDED = ("measure", "count", "n", "rate", "low", "high", "immature", "unobserved", "unknown", "as_of")
# What each measure is called, and what it counts.
MEANINGS = {
    "confirmed": ("confirmed", "a receipt says delivered"),
    "accepted": ("accepted", "that, or taken by the network with no receipt to follow"),
    "coverage": ("coverage", "of those the network took, how many got a receipt"),
    "not_handed_over": ("not handed over", "failed before the network took it"),
    "not_handed_over_policy": ("stopped by policy", "failed because of a fraud rule"),
    "not_handed_over_account": ("stopped by account", "failed because of the account's settings"),
}


@in_house_style
def delivery_rate(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw what share of the attempts reached the phone, with intervals.

    Two measures are drawn: ``confirmed`` (filled) and ``accepted`` (hollow), or the first two that the frame holds.
    Where they lie apart, carriers send few receipts. A split by a period, the hour or the weekday is drawn as a line
    over time, with more than four groups as small panels; one by weekday and hour as a map of the week.

    Parameters
    ----------
    frame
        What ``metrics.delivery_rate`` gives, for any `by`; filter its rows as you like.
    narrow
        Lay it out for a phone.

    Returns
    -------
    Chart
        A matplotlib ``Figure`` with alternative text in ``alt``.

    Raises
    ------
    ArgumentError
        For something else than a frame, or one split by two times that do not make a week of hours.
    SchemaError
        For a frame without the metric's columns.
    """
    frame = checked(frame, NEEDED, name="delivery_rate")
    by = split_by(frame, "measure")
    drawn = [measure for measure in MEANINGS if measure in set(frame["measure"])][:2]
    words = Words(title_of("Codes delivered", by), _definition(frame, drawn), _notes(frame, by))
    rates = Rates("delivery_rate", tuple(by), {measure: MEANINGS[measure][0] for measure in drawn})
    return draw_rates(frame, rates, words, narrow=narrow)


def _definition(frame: pd.DataFrame, drawn: list[str]) -> str:
    meanings = [f"{MEANINGS[name][0].capitalize()}: {MEANINGS[name][1]}." for name in drawn]
    return " ".join([*meanings, sentence("Of attempts old enough to be judged", INTERVAL, seen_from(frame))])


def _notes(frame: pd.DataFrame, by: list[str]) -> tuple[str, ...]:
    notes = [left_out(frame, by, "attempt"), widened(frame)]
    if "channel" in by and "role" not in by:
        notes.append("No fair comparison of channels: most calls follow a message that failed. Split by role too.")
    return tuple(note for note in notes if note)
