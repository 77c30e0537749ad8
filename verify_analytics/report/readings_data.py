"""What do the charts on the data say in one line? Callbacks, the collector, what is missing or contradictory."""

import pandas as pd

from verify_analytics.charts.words import count, many, named, percent, seconds

from .readings import extremes, figures, of, source_of

FEW_CALLBACKS = 100


def webhooks(frame: pd.DataFrame) -> str:
    """Tell how many callbacks came again, and on which day most did."""
    rows = frame[(frame["measure"] == "redelivered") & (frame["n"] >= FEW_CALLBACKS)]
    if rows.empty:
        return f"No day has {FEW_CALLBACKS} callbacks."
    _, worst = extremes(rows)
    again, all_ = rows["count"].sum(), rows["n"].sum()
    return (
        f"{percent(again / all_, all_)} of {many(all_, 'callback')} had come before; on "
        f"{named(worst['day'], 'day')} it was {figures(worst)}. They count once: "
        "a day of many says that the collector answered late or was down."
    )


def collector(frame: pd.DataFrame) -> str:
    """Tell how long the collector was down, and how much it refused."""
    days = frame.drop_duplicates("day") if "day" in frame else frame.head(1)
    up, down = float(days["minutes_up"].sum()), float(days["minutes_down"].sum())
    if up + down == 0:
        return "Not known: this store keeps no record of when its collector was up."
    refused = frame[frame["measure"] == "refused"]["count"].sum()
    said = f"It listened {percent(up / (up + down), up + down)} of the time" + (
        f", down for {seconds(60 * down)}" if down else ""
    )
    return (
        f"{said}, and refused {many(refused, 'request')}." if len(frame[frame["measure"] == "refused"]) else f"{said}."
    )


def completeness(frame: pd.DataFrame) -> str:
    """Tell of which share the whole story arrived."""
    row = of(frame, "whole")
    if row is None:
        return "No attempt is old enough to be judged, or what is missing is too little to be shown."
    return f"{figures(row)} of {many(row['n'], 'attempt')} lack nothing that the provider would have said."


def order(frame: pd.DataFrame) -> str:
    """Tell what contradicted itself the most."""
    rows = frame[frame["n"] > 0].sort_values("rate", kind="stable")
    if rows.empty:
        return "Nothing is old enough to be judged."
    worst = rows.iloc[-1]
    if not worst["count"]:
        return f"Nothing contradicts itself, of {count(worst['n'])} looked at."
    name = str(worst["measure"]).replace("_", " ")
    return f"The most frequent contradiction, {name}, is found in {figures(worst)} of {count(worst['n'])}."


def receipts(frame: pd.DataFrame) -> str:
    """Tell how often people verified against the receipt."""
    source = source_of(frame)
    row = None if source is None else of(frame, "verified_against_receipt", source=source)
    if row is None:
        return "Not observable, or too few to be shown: nobody told which sessions were verified."
    return (
        f"Of {many(row['n'], 'session')} verified with one attempt, {figures(row)} had a receipt that says it did not "
        "arrive: such a receipt is wrong."
    )
