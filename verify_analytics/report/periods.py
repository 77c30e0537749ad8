"""Which two periods are set side by side? As long as each other, next to each other, and both wholly in the store."""

from typing import NamedTuple

import pandas as pd

DAY = pd.Timedelta("1D")
# A week has every weekday once; longer periods would hide what moved lately.
MOST_DAYS = 7
# Halves that are shorter say nothing, and hold hardly anybody who is old enough to be judged.
SHORTEST = pd.Timedelta("1h")


class Span(NamedTuple):
    """A time from its first moment up to, and not with, its last."""

    since: pd.Timestamp
    until: pd.Timestamp

    @property
    def words(self) -> str:
        """Write it as a person would: days with their last one, other times with both moments."""
        if self.since == self.since.floor("D") and self.until == self.until.floor("D"):
            last = self.until - DAY
            return f"{self.since:%Y-%m-%d}" if last == self.since else f"{self.since:%Y-%m-%d} to {last:%Y-%m-%d}"
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"


class Periods(NamedTuple):
    """The later period and the one before it, and in words how they were chosen."""

    now: Span
    before: Span
    how: str


def choose(
    *, as_of: pd.Timestamp, since: pd.Timestamp | None, reaches_to: pd.Timestamp, heard_until: pd.Timestamp | None
) -> Periods | None:
    """Choose the two periods that the report compares.

    Parameters
    ----------
    as_of
        The moment we look from.
    since
        The begin of the report's own period, if it was asked for.
    reaches_to
        How far back the store reaches: before this it holds nothing, which is not the same as that nothing happened.
    heard_until
        When the collector is known to have listened last; None where that is not known.

    Returns
    -------
    Periods or None
        With `since`, the report's period and the one as long before it, where the store reaches so far back. Else as
        many whole days (UTC) as fit twice into what there is, a week at most; where not even two days do, the later
        and the earlier half. None where there is too little of either.

    Examples
    --------
    >>> at = lambda text: pd.Timestamp(text, tz="UTC")
    >>> found = choose(as_of=at("2026-10-29"), since=None, reaches_to=at("2026-10-22"), heard_until=None)
    >>> found.now.words, found.before.words
    ('2026-10-26 to 2026-10-28', '2026-10-23 to 2026-10-25')
    """
    end = as_of if heard_until is None else min(as_of, heard_until)
    begin = reaches_to if since is None else max(since, reaches_to)
    if end - begin < 2 * SHORTEST:
        return None
    if since is not None and since >= reaches_to and since - (end - since) >= reaches_to:
        before = Span(since - (end - since), since)
        return Periods(Span(since, end), before, "the period of this report and the one as long before it")
    last, first = end.floor("D"), begin.ceil("D")
    days = min(MOST_DAYS, (last - first) // DAY // 2)
    if days >= 1:
        middle = last - days * DAY
        named = "day" if days == 1 else f"{days} whole days"
        unlike = "" if days in {1, MOST_DAYS} else "; the two have other days of the week"
        how = f"the last {named} (UTC) and the {named if days == 1 else days} before{unlike}"
        return Periods(Span(middle, last), Span(middle - days * DAY, middle), how)
    half = ((end - begin) / 2).floor("min")
    how = "the later and the earlier half of a short history; the two have other hours of the day"
    return Periods(Span(end - half, end), Span(end - 2 * half, end - half), how)
