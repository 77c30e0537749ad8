"""What moved is told where it is more than chance, for all that was asked; and not otherwise."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from verify_analytics import stats
from verify_analytics.metrics.gaps import Gap
from verify_analytics.model.moments import MINUTE_US
from verify_analytics.report import changes, moved
from verify_analytics.report.periods import Periods, Span

DAY = pd.Timestamp("2026-10-28", tz="UTC")
PERIODS = Periods(Span(DAY, DAY + pd.Timedelta("1D")), Span(DAY - pd.Timedelta("1D"), DAY), "a day and the day before")


def rates(*rows: Mapping[Any, Any]) -> pd.DataFrame:
    """Make a frame as a metric gives it, with Wilson's interval."""
    frame = pd.DataFrame(list(rows))
    low, high = stats.wilson(frame["count"].to_numpy(), frame["n"].to_numpy())
    return frame.assign(
        rate=frame["count"] / frame["n"],
        low=low,
        high=high,
        interval="wilson",
        design_effect=1.0,
        patience_seconds=900.0,
    )


def side(delivered: int = 800, india: int = 400, busy: int = 20, n: int = 1000) -> changes.Sides:
    """Answers of a period: so many of 1,000 delivered, of 500 in India and so many refused as busy."""
    groups = {"channel": "sms", "role": "first_choice"}
    told = {"source": "app"}
    half = n // 2
    code = {"channel": "voice", "code": "3010", "name": "Busy Line", "measure": "share_of_all"}
    return {
        "delivery": rates(
            {**groups, "measure": "confirmed", "count": delivered, "n": n},
            {**groups, "measure": "accepted", "count": delivered, "n": n},
        ),
        "countries": rates(
            *(
                {"country": country, "measure": measure, "count": count, "n": half}
                for country, count in (("IN", india), ("DE", half * 8 // 10))
                for measure in ("confirmed", "accepted")
            )
        ),
        "codes": rates({**code, "count": busy, "n": n}),
        "retries": rates({"source": "", "measure": "reaches_attempt_2", "count": n // 5, "n": n}),
        "verification": rates(
            {**told, "measure": "verified", "count": n * 8 // 10, "n": n},
            {**told, "measure": "first_attempt_conversion", "count": n * 7 // 10, "n": n},
        ),
        "times": rates({**told, "measure": "within_60s", "count": n * 7 // 10, "n": n}),
    }


def change(now: changes.Sides, before: changes.Sides) -> changes.Change:
    return changes.Change(PERIODS, (0, 0), changes.compare_sides(now, before))


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", "")


def test_two_periods_that_are_alike_have_nothing_to_tell() -> None:
    found = change(side(), side())
    assert moved.sentences(found) == []
    said = moved.nothing(found)
    assert said.startswith("Nothing moved that is more than chance.")
    assert "Of 6 of 6 main figures a change of more than 5 points is excluded." in said


def test_too_few_data_are_not_told_as_no_change() -> None:
    said = moved.nothing(change(side(80, 40, 2, n=100), side(80, 40, 2, n=100)))
    assert "too few data to tell" in said


def test_what_fell_is_told_with_both_figures_the_interval_and_n_and_where() -> None:
    found = moved.sentences(change(side(delivered=700, india=300), side()))
    told = plain(found[0].text)
    assert found[0].verdict == "lower"
    assert told.startswith(
        "Confirmed deliveries, first choices by SMS: 70.0 % of 1,000 against 80.0 % of 1,000, lower by"
    )
    low, high = (100 * end for end in stats.newcombe(700, 1000, 800, 1000)[1:])
    assert f"by 10.0 points ({-high:.1f} to {-low:.1f})" in told
    assert "With it moved" in told
    assert "in IN: 60.0 % of 500 against 80.0 % of 500" in told


def test_no_country_is_blamed_where_none_moved_by_itself() -> None:
    told = moved.sentences(change(side(delivered=700), side()))
    assert told[0].text.endswith("No single country stands out.")


def test_a_code_that_came_up_is_told_as_a_share_of_all() -> None:
    told = [plain(each.text) for each in moved.sentences(change(side(busy=80), side()))]
    assert told == [
        (
            "Code 3010 of Voice (Busy Line), of all attempts: 8.0 % of 1,000 against 2.0 % of 1,000, higher by "
            "6.0 points (4.1 to 8.0)."
        )
    ]


def test_a_code_that_was_not_there_before_is_none_of_that_periods_attempts() -> None:
    before = side()
    before["codes"] = before["codes"].assign(code="8011", name="Other")
    found = change(side(busy=80), before).rows.set_index("code")
    assert found.loc["3010", "count_second"] == 0
    assert found.loc["3010", "verdict"] == "higher"


def test_there_are_never_more_than_five_sentences() -> None:
    before = side()
    more = {
        name: rates(*({**row, "count": row["count"] // 2} for row in frame.to_dict("records")))
        for name, frame in before.items()
    }
    assert len(moved.sentences(change(more, before))) == moved.MOST


def test_a_verdict_accounts_for_all_six_tiles() -> None:
    """One p of 0.03 is a change by itself, and one of six things looked at."""
    found = change(side(delivered=761), side(delivered=800)).rows
    row = found[(found["list"] == changes.MAIN) & (found["measure"] == "confirmed")].iloc[0]
    assert row["p"] < 0.05
    assert row["p_adjusted"] > 0.05
    assert row["verdict"] == "too little data"
    assert moved.sentences(change(side(delivered=761), side(delivered=800))) == []


@pytest.mark.parametrize("missing", ["delivery", "countries", "codes", "retries", "verification", "times"])
def test_what_one_period_does_not_have_is_not_compared(missing: str) -> None:
    empty = side()
    empty[missing] = empty[missing].iloc[:0]
    rows = change(side(), empty).rows
    assert missing not in set(rows["question"])
    assert len(rows)


def test_minutes_down_are_counted_in_the_period_they_lie_in() -> None:
    begin = DAY.value // 1000
    gap = Gap(begin - 10 * MINUTE_US, begin + 5 * MINUTE_US)
    assert changes._down([gap], PERIODS.now) == 5
    assert changes._down([gap], PERIODS.before) == 10
