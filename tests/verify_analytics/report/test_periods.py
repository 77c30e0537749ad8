"""Two periods are set side by side only where the store holds both, and each as long as it says."""

import pandas as pd
import pytest

from verify_analytics.report.periods import Periods, choose


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def chosen(as_of: str, reaches_to: str, since: str | None = None, heard_until: str | None = None) -> tuple[str, str]:
    found = choose(
        as_of=at(as_of),
        since=None if since is None else at(since),
        reaches_to=at(reaches_to),
        heard_until=None if heard_until is None else at(heard_until),
    )
    return ("", "") if found is None else (found.now.words, found.before.words)


def test_the_reports_own_period_is_set_beside_the_one_as_long_before_it() -> None:
    now, before = chosen("2026-10-29", "2026-10-01", since="2026-10-22")
    assert (now, before) == ("2026-10-22 to 2026-10-28", "2026-10-15 to 2026-10-21")


def test_a_store_that_does_not_reach_back_so_far_is_not_asked_for_it() -> None:
    """The period before would begin on the 15th; the store began a minute later."""
    now, before = chosen("2026-10-29", "2026-10-15 00:01", since="2026-10-22")
    assert (now, before) == ("2026-10-26 to 2026-10-28", "2026-10-23 to 2026-10-25")


def test_without_a_begin_the_last_seven_whole_days_are_set_beside_the_seven_before() -> None:
    now, before = chosen("2026-10-29 13:30", "2026-10-01")
    assert (now, before) == ("2026-10-22 to 2026-10-28", "2026-10-15 to 2026-10-21")


def test_a_day_that_the_store_holds_in_part_is_no_whole_day() -> None:
    now, before = chosen("2026-10-29", "2026-10-25 00:19")
    assert (now, before) == ("2026-10-28", "2026-10-27")


def test_a_short_history_is_cut_in_halves() -> None:
    now, before = chosen("2026-10-29 12:00", "2026-10-29 06:00")
    assert now == "2026-10-29 09:00 to 2026-10-29 12:00 UTC"
    assert before == "2026-10-29 06:00 to 2026-10-29 09:00 UTC"


def test_a_period_ends_where_the_collector_was_heard_last() -> None:
    now, before = chosen("2026-10-29", "2026-10-01", heard_until="2026-10-20 11:00")
    assert (now, before) == ("2026-10-13 to 2026-10-19", "2026-10-06 to 2026-10-12")


@pytest.mark.parametrize(
    ("as_of", "reaches_to", "since", "heard_until"),
    [
        ("2026-10-29 01:59", "2026-10-29 00:00", None, None),
        ("2026-10-29 12:00", "2026-10-29 00:00", "2026-10-29 11:00", None),
        ("2026-10-29 12:00", "2026-10-01", "2026-10-28", "2026-10-20"),
    ],
)
def test_too_little_of_either_is_no_period(
    as_of: str, reaches_to: str, since: str | None, heard_until: str | None
) -> None:
    assert chosen(as_of, reaches_to, since, heard_until) == ("", "")


@pytest.mark.parametrize("hours", range(3, 24 * 20, 13))
@pytest.mark.parametrize("since", [None, 7, 40, 100])
def test_both_periods_are_as_long_as_each_other_side_by_side_and_inside_of_what_there_is(
    hours: int, since: int | None
) -> None:
    begin, end = at("2026-10-03 05:17"), at("2026-10-03 05:17") + pd.Timedelta(hours=hours)
    asked = None if since is None else end - pd.Timedelta(hours=since)
    found = choose(as_of=end, since=asked, reaches_to=begin, heard_until=None)
    if found is None:
        return
    assert isinstance(found, Periods)
    assert found.now.until - found.now.since == found.before.until - found.before.since
    assert found.before.until == found.now.since
    assert begin <= found.before.since
    assert found.now.until <= end
