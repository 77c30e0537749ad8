"""How many sessions are verified? The share of all that started, as one source reported it."""

import pandas as pd

from .canvas import Chart, Words, in_house_style, message
from .frames import INTERVAL, best_source, checked, left_out, seen_from, sentence, split_by, title_of
from .rates import Rates, draw_rates
from .words import named

NEEDED = ("source", "measure", "count", "n", "rate", "low", "high", "immature", "unobserved", "unknown", "as_of")
MEASURES = {"verified": "verified", "first_attempt_conversion": "first attempt"}
PROVIDER = "The provider need not report every verification: the true share may be higher."


@in_house_style
def verification_rate(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw what share of the sessions was verified, and with the first attempt, with intervals.

    One source is drawn: the application where it reported, else the provider; they are never pooled. Filter the frame
    by `source` to draw the other.

    Parameters
    ----------
    frame
        What ``metrics.verification_rate`` gives, for any `by`; filter its rows as you like.
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
    frame = checked(frame, NEEDED, name="verification_rate")
    by = split_by(frame, "source")
    source = best_source(frame)
    mine = frame[frame["source"] == source]
    what = "Share of all sessions that started, also those given up"
    who = f"as {named(source)}" if source else ""
    subtitle = sentence(what, who, INTERVAL, seen_from(frame))
    notes = [left_out(mine, by, "session", "whose first attempt was never seen")]
    notes += [PROVIDER] if source == "callback" else []
    words = Words(title_of("Sessions verified", by), subtitle, tuple(note for note in notes if note))
    if not source:
        text = "Not observable: nobody told which sessions were verified, or no session is old enough."
        return message(words, text, narrow=narrow)
    return draw_rates(mine, Rates("verification_rate", tuple(by), MEASURES, "session"), words, narrow=narrow)
