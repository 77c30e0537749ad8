"""What do the charts on sessions say in one line? On retries, waits, and how far people get."""

import pandas as pd

from verify_analytics.charts.words import FEW, count, many, named, seconds

from .readings import NOTHING, extremes, figures, of, source_of, span


def flow(frame: pd.DataFrame) -> str:
    """Tell where most second attempts go, and what came of the largest ways."""
    rows = frame[(frame["measure"] == "second_attempt") & (frame["n"] > 0)].sort_values("count", kind="stable")
    if rows.empty:
        return "No session took a second attempt, or too few did to be shown."
    most = rows.iloc[-1]
    said = f"Of {many(most['n'], 'second attempt')}, {figures(most)} go {_way(most)}."
    source = source_of(frame)
    then = frame[
        (frame["measure"] == "second_attempt_then_verified") & (frame["source"] == source) & (frame["n"] >= FEW)
    ]
    if source is None or then.empty:
        return said
    told = [f"{figures(row)} after going {_way(row)}" for _, row in then.nlargest(2, "n").iterrows()]
    return f"{said} Verified in the end: {' and '.join(told)}; that is no proof of what the change did."


def _way(row: pd.Series) -> str:
    one, other = (named(row[name], "channel") for name in ("from_channel", "to_channel"))
    return f"by {one} again" if one == other else f"from {one} to {other}"


def attempts(frame: pd.DataFrame) -> str:
    """Tell how many attempts a session takes."""
    mean = of(frame, "attempts_per_session")
    if mean is None:
        return NOTHING
    third = of(frame, "reaches_attempt_3")
    more = "" if third is None else f" {figures(third)} come to a third."
    return f"A session takes {float(mean['mean']):.2f} attempts on average ({count(mean['n'])} sessions).{more}"


def gaps(frame: pd.DataFrame) -> str:
    """Tell how long people wait before they ask again."""
    half, most = of(frame, "gap_to_attempt_2_p50"), of(frame, "gap_to_attempt_2_p90")
    if half is None:
        return "Nobody asked again, or too few did to be shown."
    far = "" if most is None else f", 90\N{NO-BREAK SPACE}% within {seconds(float(most['seconds']))}"
    between = f" ({span(half)})" if span(half) else ""
    return f"Half of those who ask again do so within {seconds(float(half['seconds']))}{between}{far}."


def switch(frame: pd.DataFrame) -> str:
    """Tell how the chance of a code falls with the time waited."""
    source = source_of(frame)
    rows = frame[(frame["measure"] == "verified_next") & (frame["source"] == source)]
    rows = rows[(rows["n"] >= FEW) & rows["rate"].notna()]
    if source is None or rows.empty:
        return f"Not to be told: nobody told who verified, or fewer than {FEW} were still waiting."
    first, last = rows.iloc[0], rows.iloc[-1]
    told = [f"{figures(row)} after {seconds(float(row['after_seconds']))}" for row in (first, last)]
    within = seconds(float(first["within_seconds"]))
    return (
        f"Of those still waiting, {told[0]} and {told[1]} verify within the next {within}. When another way is worth "
        "offering is where this has become small; whether it helps is not in these figures."
    )


def deliveries(frame: pd.DataFrame) -> str:
    """Tell in which of the countries with receipts they come soonest, and latest."""
    rows = frame[(frame["measure"] == "within_30s") & (frame["n"] >= FEW) & (frame["country"] != "others")]
    rows = rows[rows["rate"].notna()]
    if rows.empty:
        return f"Not observable: no country has {FEW} first choices and enough receipts to say how long delivery takes."
    ends = [f"{figures(row)} in {named(row['country'], 'country')}" for row in extremes(rows)]
    told = ends[0] if len(rows) == 1 else f"from {ends[0]} to {ends[1]}"
    return f"First choices with a delivery receipt within 30 s, where receipts are sent: {told}."


def funnel(frame: pd.DataFrame) -> str:
    """Tell the largest loss."""
    source = source_of(frame)
    mine = frame[(frame["source"] == source) & (frame["n"] > 0)]
    lost = mine[mine["kind"] == "loss"].sort_values("count", kind="stable")
    if source is None or lost.empty:
        return "Not observable: nobody told which sessions were verified, so where the others were lost is not known."
    most = lost.iloc[-1]
    verified = of(mine, "verified")
    said = (
        ""
        if verified is None
        else f"{figures(verified)} of {many(verified['n'], 'session')} verify, as {named(source)}. "
    )
    where = LOST.get(str(most["measure"]), named(most["measure"]))
    return f"{said}Of all sessions, the most are lost {where}: {figures(most)}."


LOST = {
    "not_handed_over_policy": "to a fraud rule",
    "not_handed_over_account": "to the account's settings",
    "not_handed_over_network": "before the network took the code",
    "silent": "without any word from the network",
    "undelivered": "undelivered",
    "no_receipt": "after the network took the code, with no receipt to follow",
    "delivered_not_verified": "after the code was delivered, by its receipt",
}


def week(frame: pd.DataFrame) -> str:
    """Tell the hours of the week with the lowest and the highest share."""
    rows = frame[(frame["measure"] == "accepted") & (frame["n"] >= FEW)]
    if len(rows) < 2:
        return f"Fewer than two hours of the week have {FEW} attempts: too few to compare hours."
    low, high = extremes(rows)
    told = [f"{figures(row)} on {DAYS[int(row['weekday'])]} at {int(row['hour']):02d}:00 UTC" for row in (low, high)]
    return (
        f"Of {len(rows)} hours of the week with at least {FEW} attempts, from {told[0]} to {told[1]}. The lowest of "
        "many is low by chance alone: look for neighbours that are alike."
    )


DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def countries_over_time(frame: pd.DataFrame) -> str:
    """Tell which of the countries varies the most from day to day."""
    rows = frame[(frame["measure"] == "accepted") & (frame["n"] >= FEW) & (frame["country"] != "others")]
    spans = {country: extremes(mine) for country, mine in rows.groupby("country", sort=True) if len(mine) > 1}
    if not spans:
        return f"No country has two days with {FEW} attempts each."
    country, (low, high) = max(spans.items(), key=lambda each: each[1][1]["rate"] - each[1][0]["rate"])
    return (
        f"The days of {named(country, 'country')} lie farthest apart: from {figures(low)} accepted on "
        f"{named(low['day'], 'day')} to {figures(high)} on {named(high['day'], 'day')}; intervals that "
        "overlap are no evidence."
    )


def codes_over_time(frame: pd.DataFrame) -> str:
    """Tell the day on which one code stood for most of all attempts."""
    rows = frame[(frame["measure"] == "share_of_all") & (frame["n"] >= FEW) & (frame["count"] > 0)]
    if rows.empty:
        return f"No day has {FEW} attempts that can be judged, or none of them failed."
    worst = rows.iloc[int(rows["rate"].argmax())]
    code = f"code {named(worst['code'])} of {named(worst['channel'], 'channel')} ({named(worst['name'])})"
    return (
        f"The worst day of one code: {code} on {named(worst['day'], 'day')}, {figures(worst)} of "
        f"{many(worst['n'], 'attempt')}."
    )
