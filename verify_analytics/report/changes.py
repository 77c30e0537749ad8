"""What differs between the report's period and the one before? The tiles' figures, and the groups behind them.

Two lists of questions, fixed before anybody looks: the few main figures, and the groups they are made of. Each list is
adjusted for how many it asks (Holm), so that a page on which nothing moved says so nineteen times in twenty.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from verify_analytics import metrics, stats
from verify_analytics.charts.words import FEW
from verify_analytics.errors import DoubtfulWarning
from verify_analytics.metrics.gaps import Gap
from verify_analytics.metrics.verdicts import verdicts
from verify_analytics.model.moments import MINUTE_US, microseconds

from .asked import SESSIONS, Asked, Given, answers
from .periods import Periods, Span
from .readings import leading_channel, source_of
from .suppress import suppressed

NOW, BEFORE = "this period", "the period before"
# The smallest difference of a share that would change a decision: 5 points. See decision 27.
RELEVANT = 0.05
# A code is asked about when it occurred so often in both periods together; a group when each side has FEW.
FEWEST_OF_A_CODE = 10
MOST_COUNTRIES = 12

QUESTIONS = {
    "delivery": Asked("delivery_rate", ("channel", "role")),
    "countries": Asked("delivery_rate", ("country",)),
    "codes": Asked("error_codes"),
    "retries": Asked("retries"),
    "verification": Asked("verification_rate", of=SESSIONS),
    "times": Asked("time_to_verify", of=SESSIONS),
}
MAIN, GROUP = "main figure", "group"
FIGURES = (
    *("measure", "value_first", "count_first", "n_first", "value_second", "count_second", "n_second"),
    *("difference", "low", "high", "interval", "p", "p_adjusted", "verdict"),
)
TOLD_APART = ("list", "question", "channel", "role", "country", "code", "name", "source")


class Change(NamedTuple):
    """The two periods, minutes down in each, and one row per question: what it is, both figures, the difference."""

    periods: Periods
    down: tuple[int, int]
    rows: pd.DataFrame

    def main(self, measure: str) -> pd.Series | None:
        """Find a main figure's row."""
        found = self.rows[(self.rows["list"] == MAIN) & (self.rows["measure"] == measure)]
        return found.iloc[0] if len(found) else None


Sides = dict[str, pd.DataFrame]


def compared(now: Given, before: Given, periods: Periods, gaps: Sequence[Gap], *, min_cell: int) -> Change:
    """Ask both periods the same, and compare.

    Parameters
    ----------
    now, before
        Attempts and sessions that started in either period. Only those old enough enter a figure, as everywhere.
    periods
        What they are.
    gaps
        When the collector was down.
    min_cell
        Figures of fewer are not compared, as they are not shown.
    """
    asked = [suppressed(answers(QUESTIONS, side, lambda _: None)[0], min_cell)[0] for side in (now, before)]
    rows = compare_sides(*asked)
    return Change(periods, (_down(gaps, periods.now), _down(gaps, periods.before)), rows)


def compare_sides(now: Sides, before: Sides) -> pd.DataFrame:
    """Compare what two periods answered to `QUESTIONS`.

    Returns
    -------
    pandas.DataFrame
        `list` (``"main figure"`` or ``"group"``), `question`, what tells groups apart (missing where it does not), then
        the figures of ``metrics.compare``, first is now. `p_adjusted` and `verdict` account for all rows of a list.
        One row per question.
    """
    parts = [*_main(now, before), *_groups(now, before)]
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in (*TOLD_APART, *FIGURES)})
    rows = pd.concat(parts, ignore_index=True).reindex(columns=[*TOLD_APART, *FIGURES])
    judged = [_judged(mine) for _, mine in rows.groupby("list", sort=False)]
    return pd.concat(judged, ignore_index=True)


def _judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Account for all questions of a list at once."""
    adjusted = stats.holm(rows["p"].to_numpy(dtype=float))
    apart, low, high = (rows[name].to_numpy(dtype=float) for name in ("difference", "low", "high"))
    said = verdicts(apart, low, high, adjusted, np.full(len(rows), RELEVANT), by_p=True)
    return rows.assign(p_adjusted=adjusted, verdict=said)


def _main(now: Sides, before: Sides) -> list[pd.DataFrame]:
    source = source_of(now["verification"])
    channel = leading_channel(now["delivery"])
    first = {"channel": channel, "role": "first_choice"}
    return [
        *_pair(now, before, MAIN, "verification", ("verified", "first_attempt_conversion"), source=source),
        *_pair(now, before, MAIN, "times", ("within_60s",), source=source),
        *_pair(now, before, MAIN, "delivery", ("confirmed", "accepted"), **first),
        *_pair(now, before, MAIN, "retries", ("reaches_attempt_2",)),
    ]


def _groups(now: Sides, before: Sides) -> list[pd.DataFrame]:
    """Ask about the groups that are large enough in both periods; which those are is not chosen by how they differ."""
    channel = leading_channel(now["delivery"])
    parts = _pair(now, before, GROUP, "countries", ("accepted", "confirmed"))
    largest = []
    if parts:
        sizes = parts[0].groupby("country")["n_first"].max().sort_values(ascending=False, kind="stable")
        largest = list(sizes.index[:MOST_COUNTRIES])
    countries = [each[each["country"].isin(largest)] for each in parts]
    channels = [
        each[(each["channel"] != channel) | (each["role"] != "first_choice")]
        for each in _pair(now, before, GROUP, "delivery", ("accepted",))
    ]
    codes = [
        each[each["count_first"] + each["count_second"] >= FEWEST_OF_A_CODE]
        for each in _pair(now, before, GROUP, "codes", ("share_of_all",))
    ]
    retried = _pair(
        now, before, GROUP, "retries", ("resent_too_early", "rescue"), source=("", source_of(now["retries"]))
    )
    return [
        each[(each["n_first"] >= FEW) & (each["n_second"] >= FEW)] for each in (*channels, *countries, *codes, *retried)
    ]


def _pair(
    now: Sides, before: Sides, kind: str, question: str, measures: Sequence[str], **group: object
) -> list[pd.DataFrame]:
    """Compare some measures of one question; nothing where either period has none of them."""
    sides = []
    for side in (now, before):
        rows = side[question]
        rows = rows[rows["measure"].isin(measures) & (rows["n"] > 0)]
        for name, value in group.items():
            rows = rows[rows[name].isin(value if isinstance(value, tuple) else (value,))]
        sides.append(rows)
    if question != "codes":  # a code that a period never had is 0 of that period's attempts
        same = [name for name in (*TOLD_APART, "measure") if name in sides[0] and name not in ("list", "question")]
        both = sides[0][same].merge(sides[1][same], on=same)
        sides = [side.merge(both, on=same) for side in sides]
    if sides[0].empty or sides[1].empty:
        return []
    with warnings.catch_warnings():
        # Rows that only one period has cannot be compared, and are not asked about.
        warnings.simplefilter("ignore", DoubtfulWarning)
        made = metrics.compare(sides[0], sides[1], names=(NOW, BEFORE), relevant=RELEVANT)
    made = made[(made["only_in"] == "") & made["difference"].notna()]
    return [made.assign(list=kind, question=question)]


def _down(gaps: Sequence[Gap], span: Span) -> int:
    """Count the minutes of a period in which nobody listened."""
    since, until = (microseconds(each.to_pydatetime()) for each in span)
    return sum(max(0, min(gap.to_us, until) - max(gap.from_us, since)) for gap in gaps) // MINUTE_US
