"""What does a chart say in one line? Sentences of the frame's own figures with their intervals, claiming no more."""

import math
from typing import NamedTuple

import pandas as pd

from verify_analytics.charts.words import FEW, count, interval, listed, many, named, percent, seconds

SOURCES = ("app", "callback")
NOT_KNOWN = "not known"
FEWEST_TIMES = 10
Z = 1.959963984540054
NOTHING = "Nothing can be said yet: no attempt is old enough to be judged."


def figures(row: pd.Series) -> str:
    """Write a rate with its interval; one that is there for some and not known says so."""
    rate, n = float(row["rate"]), float(row["n"])
    if math.isnan(rate):
        return NOT_KNOWN
    return f"{percent(rate, n)} ({interval(float(row['low']), float(row['high']), n)})"


def span(row: pd.Series) -> str:
    """Write the interval of a time; one that has no end says so.

    >>> span(pd.Series({"low": 21.0, "high": 95.0})), span(pd.Series({"low": 21.0, "high": float("nan")}))
    ('21 s to 1 min 35 s', '21 s or later')
    """
    low, high = float(row["low"]), float(row["high"])
    if math.isnan(low):
        return "" if math.isnan(high) else f"up to {seconds(high)}"
    return f"{seconds(low)} or later" if math.isnan(high) else f"{seconds(low)} to {seconds(high)}"


def of(frame: pd.DataFrame, measure: str, **group: object) -> pd.Series | None:
    """Find the one row of a measure in a group; None where it has no cases."""
    rows = frame[(frame["measure"] == measure) & (frame["n"] > 0)]
    for name, value in group.items():
        rows = rows[rows[name] == value]
    return rows.iloc[0] if len(rows) else None


def extremes(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Find the rows with the lowest and with the highest rate."""
    return rows.iloc[int(rows["rate"].argmin())], rows.iloc[int(rows["rate"].argmax())]


def source_of(frame: pd.DataFrame) -> str | None:
    """Choose whose word on verification is used: the application's where it reported, else the provider's."""
    told = set(frame.loc[frame["n"] > 0, "source"])
    return next((source for source in SOURCES if source in told), None)


def leading_channel(frame: pd.DataFrame) -> str | None:
    """Name the channel with the most first choices that can be judged."""
    rows = frame[(frame["measure"] == "confirmed") & (frame["role"] == "first_choice") & (frame["n"] > 0)]
    return None if rows.empty else str(rows["channel"].iloc[int(rows["n"].argmax())])


def by_channel_and_role(frame: pd.DataFrame) -> str:
    """Tell the first choices of the leading channel."""
    channel = leading_channel(frame)
    if channel is None:
        return NOTHING
    group = {"channel": channel, "role": "first_choice"}
    confirmed, accepted = of(frame, "confirmed", **group), of(frame, "accepted", **group)
    if confirmed is None or accepted is None:
        return NOTHING
    return (
        f"Of {many(confirmed['n'], 'first-choice attempt')} by {named(channel, 'channel')}, {figures(confirmed)} have "
        f"a receipt that says delivered; with those the network took without a receipt it is {figures(accepted)}."
    )


def by_country(frame: pd.DataFrame) -> str:
    """Tell where receipts are missing, and where least is accepted."""
    enough = frame[frame["n"] >= FEW]
    coverage = enough[enough["measure"] == "coverage"].sort_values("rate", kind="stable")
    accepted = enough[enough["measure"] == "accepted"]
    if accepted.empty:
        return f"No country has {FEW} attempts that can be judged yet."
    said = []
    bare = coverage[coverage["rate"] < 0.5]
    if len(bare):
        names = listed(named(name, "country") for name in bare["country"])
        said.append(
            f"In {names} fewer than half of the attempts the network took got a receipt: there, read accepted and not "
            "confirmed."
        )
    lowest, _ = extremes(accepted)
    where = named(lowest["country"], "country")
    said.append(
        f"The lowest accepted rate of those with at least {FEW} attempts is that of {where}: {figures(lowest)} of "
        f"{count(lowest['n'])}."
    )
    return " ".join(said)


def by_day(frame: pd.DataFrame) -> str:
    """Tell between what the days of the largest channel lie."""
    rows = frame[(frame["measure"] == "accepted") & (frame["n"] >= FEW)]
    if rows.empty:
        return f"No day has {FEW} attempts of one channel that can be judged yet."
    channel = rows.groupby("channel")["n"].sum().idxmax()
    worst, best = extremes(rows[rows["channel"] == channel])
    return (
        f"Days of {named(channel, 'channel')} with at least {FEW} attempts lie between {figures(worst)} accepted on "
        f"{named(worst['day'], 'day')} "
        f"and {figures(best)} on {named(best['day'], 'day')}; intervals that overlap are no evidence of a change."
    )


def by_block(frame: pd.DataFrame) -> str:
    """Tell the block with the lowest accepted rate."""
    rows = frame[(frame["measure"] == "accepted") & (frame["n"] >= FEW) & (frame["number_block"] != "others")]
    if rows.empty:
        return f"No block of numbers has {FEW} attempts that can be judged yet."
    lowest, _ = extremes(rows)
    return (
        f"The lowest accepted rate of the largest blocks with at least {FEW} attempts is that of "
        f"{named(lowest['number_block'])}: {figures(lowest)} of {count(lowest['n'])}."
    )


def errors(frame: pd.DataFrame) -> str:
    """Tell the most frequent code."""
    rows = frame[frame["measure"] == "share_of_unsuccessful"].sort_values("count", ascending=False, kind="stable")
    if rows.empty:
        return "No attempt that can be judged failed or went undelivered."
    first = rows.iloc[0]
    code = f"{named(first['code'])} of {named(first['channel'], 'channel')}"
    return (
        f"Of {many(first['n'], 'attempt')} that failed or went undelivered, {figures(first)} name code {code}: "
        f"{first['name']}."
    )


def retries(frame: pd.DataFrame) -> str:
    """Tell how many need a second attempt, and how many ask too early."""
    again, early = of(frame, "reaches_attempt_2"), of(frame, "resent_too_early")
    if again is None:
        one = of(frame, "attempts_per_session")
        return NOTHING if one is None else f"None of {many(one['n'], 'session')} took a second attempt."
    said = f"{figures(again)} of {many(again['n'], 'session')} took a second attempt or more."
    if early is None:
        return said
    return f"{said} Of {many(early['n'], 'resend')}, {figures(early)} came too early: the code before did arrive."


def times(frame: pd.DataFrame) -> str:
    """Tell by when how many are verified, as one source reported it."""
    source = source_of(frame)
    if source is None:
        return "Not observable: nobody told when a session was verified. This is no rate of zero."
    minute, half, most = (of(frame, measure, source=source) for measure in ("within_60s", "p50", "p90"))
    if minute is None or half is None or most is None:
        return NOTHING
    ends = [
        f"{name} by {seconds(float(row['seconds']))}" if pd.notna(row["seconds"]) else f"{name} is not reached"
        for name, row in (("half", half), ("90 %", most))
    ]
    told = [f"{end} ({span(row)})" if span(row) else end for end, row in zip(ends, (half, most), strict=True)]
    n = many(minute["n"], "session")
    if math.isnan(float(minute["rate"])):
        return f"None of {n} was watched for 60 s: what share is verified by then is not known."
    return f"{figures(minute)} of {n} are verified within 60 s, as {named(source)}; {', '.join(told)}."


def times_by_country(frame: pd.DataFrame) -> str:
    """Tell the slowest and the fastest of the countries with enough sessions."""
    source = source_of(frame)
    rows = frame[(frame["measure"] == "within_60s") & (frame["source"] == source) & (frame["n"] >= FEW)]
    rows = rows[rows["rate"].notna() & (rows["country"] != "others")]
    if source is None or rows.empty:
        return f"No country has {FEW} sessions that can be observed yet."
    ends = [f"{figures(row)} in {named(row['country'], 'country')}" for row in extremes(rows)]
    return f"Verified within 60 s, as {named(source)}: from {ends[0]} to {ends[1]}."


class ByThen(NamedTuple):
    """By when a share of those who verify have done so: seconds with their interval, how many, and of how many."""

    seconds: float
    low: float
    high: float
    n: int
    horizon: float
    share: float
    of: int


def by_then(frame: pd.DataFrame, source: str, share: float) -> ByThen | None:
    """Read off a curve by when a share of those who verify within its horizon have done so.

    Not the quantile of all sessions, which counts those who never verify. The interval is that of an order statistic:
    of `n` who verified, the times between which that many of them fall in 95 of 100 such samples (the normal
    approximation to the binomial; Conover 1999, Practical Nonparametric Statistics, 3.2). None with fewer than ten.
    """
    curve = frame[(frame["measure"] == "curve") & (frame["source"] == source)].sort_values("seconds", kind="stable")
    if curve.empty or not float(curve.iloc[-1]["count"]) >= FEWEST_TIMES:
        return None
    last = curve.iloc[-1]
    n, end = int(last["count"]), float(last["rate"])
    reached = curve["rate"].to_numpy(dtype=float) / end
    at = curve["seconds"].to_numpy(dtype=float)
    half = Z * math.sqrt(share * (1 - share) / n)
    wanted = (share, share - half, share + half)
    # A point of a curve stands at the end of its second; beyond the last there is no bound.
    middle, low, high = (float(at[reached >= each - 1e-9][0]) if each <= 1 else math.nan for each in wanted)
    return ByThen(middle, low, high, n, float(last["horizon_seconds"]), end, int(last["n"]))
