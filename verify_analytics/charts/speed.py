"""How long does it take until somebody is verified, or a code is delivered? The share that is by each second."""

import pandas as pd

from .canvas import Chart, Words, in_house_style, message
from .curves import BAND, MOST_GROUPS, NEVER, UNREACHED, Panel, curves_of, draw_curves
from .frames import checked, largest, left_out, seen_from, sentence, split_by, title_of, without_totals
from .words import many, named, percent

NEEDED = ("measure", "seconds", "rate", "low", "high", "n", "horizon_seconds", "as_of")
PROVIDER = "The provider need not report every verification: a lower curve there may be missing callbacks."
ARRIVAL = "Seen when the receipt reached us: later than the phone, and nothing where a country sends no receipts."


@in_house_style
def time_to_verify(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw the share of all sessions that is verified by each second: one panel per source, one curve per group.

    Sources are never pooled, and one that could see nothing says so. Under the curves stand how many were still
    waiting, the shares within 30 and 60 seconds, and by when half and 90 % of all sessions were verified.

    Parameters
    ----------
    frame
        What ``metrics.time_to_verify`` gives, for any `by`; filter its rows as you like.
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
    frame = checked(frame, ("source", *NEEDED), name="time_to_verify")
    by = split_by(frame, "source")
    what = "Share verified by then, of all sessions, also those that never are"
    words = Words(title_of("How long verification takes", by), sentence(what, seen_from(frame)))
    if not (frame["n"] > 0).any():
        text = "Not observable: nobody told when a session was verified, or no session is old enough."
        return message(words, text, narrow=narrow)
    panels, more, notes = [], 0, []
    for source in dict.fromkeys(frame["source"]):
        rows = frame[frame["source"] == source]
        kept, others = largest(rows[rows["n"] > 0], by, MOST_GROUPS)
        more = max(more, others)
        curves = curves_of(kept, by, "all sessions")
        missing = "Not observable: this source reported nothing."
        panels.append(Panel(f"Verified as {named(source)}", str(source), curves, missing, "sessions"))
        said = left_out(rows, by, "session", "whose first attempt was never seen")
        notes += [f"{named(source).capitalize()}: {said[0].lower()}{said[1:]}"] if said else []
    notes += [PROVIDER] if "callback" in set(frame["source"]) else []
    words = words._replace(notes=_notes(frame, more, notes))
    return draw_curves(words, panels, float(frame["horizon_seconds"].max()), "the session's start", narrow=narrow)


@in_house_style
def time_to_deliver(frame: pd.DataFrame, *, narrow: bool = False) -> Chart:
    """Draw the share of the attempts that is delivered by each second, by the arrival of its receipt.

    A group whose receipts are too few to be trusted is not drawn and said to be not observable.

    Parameters
    ----------
    frame
        What ``metrics.time_to_deliver`` gives, for any `by`; filter its rows as you like.
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
    frame = checked(frame, (*NEEDED, "coverage", "floor"), name="time_to_deliver")
    by = split_by(frame, "measure")
    what = "Share with a receipt that says delivered by then, of all attempts"
    words = Words(title_of("How long delivery takes", by), sentence(what, seen_from(frame)))
    seen = frame["measure"] != "not_observable"
    hidden = without_totals(frame[~seen])
    floor = percent(float(frame["floor"].max())) if len(frame) else ""
    few = f"fewer than {floor} of the attempts the network took got a receipt"
    if not (frame.loc[seen, "n"] > 0).any():
        return message(words, f"Not observable: {few}, or no attempt was made.", narrow=narrow)
    kept, more = largest(frame[seen & (frame["n"] > 0)], by, MOST_GROUPS)
    notes = [ARRIVAL]
    notes += [f"{many(len(hidden), 'group')} not observable: {few}."] if len(hidden) else []
    notes += [said] if (said := left_out(frame, by, "attempt")) else []
    words = words._replace(notes=_notes(frame, more, notes))
    curves = curves_of(kept, by, "all attempts")
    panel = Panel("Delivered, by the arrival of the receipt", "receipts", curves, "", "attempts")
    return draw_curves(words, [panel], float(frame["horizon_seconds"].max()), "the attempt's start", narrow=narrow)


def _notes(frame: pd.DataFrame, more: int, notes: list[str]) -> tuple[str, ...]:
    """Put before a chart's own notes what is not drawn and what a dash means, and after them what is shaded."""
    first = [f"{many(more, 'smaller group')} not drawn; see the table."] if more else []
    unreached = frame.loc[frame["measure"].isin(["p50", "p90"]), "seconds"].isna().any()
    first += [UNREACHED] if unreached else []
    banded = frame.loc[frame["measure"] == "curve", "low"].notna().any()
    return (*first, *notes, *([BAND] if banded else []))


__all__ = ["NEVER", "UNREACHED", "time_to_deliver", "time_to_verify"]
