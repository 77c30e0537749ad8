"""By what may a figure be split? Periods, the recipient's clock, the largest groups, and the whole beside them."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verify_analytics import metrics, stats
from verify_analytics.errors import ArgumentError
from verify_analytics.metrics.zones import zones_of_country, zones_of_prefix

Build = Callable[..., Any]
AT = "%Y-%m-%d %H:%M"
# hypothesis takes moments without a zone; they are read as UTC here.
EARLIEST, LATEST = (datetime(year, 1, 1) for year in (2000, 2099))  # noqa: DTZ001


def us(text: str) -> int:
    return int(pd.Timestamp(text, tz="UTC").value) // 1000


def started(*texts: str, **also: Any) -> list[dict[str, Any]]:
    return [{"started_us": us(text), **also} for text in texts]


def groups(found: pd.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    """Read the split and the number of attempts off one measure."""
    return list(found[found["measure"] == "confirmed"][[*names, "n"]].itertuples(index=False, name=None))


MOMENTS = ("2026-02-28 23:59", "2026-03-01 00:00", "2026-12-31 23:45", "2027-01-01 00:10", "2027-01-03 12:00")


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("day", ["2026-02-28", "2026-03-01", "2026-12-31", "2027-01-01", "2027-01-03"]),
        ("week", ["2026-02-23", "2026-02-23", "2026-12-28", "2026-12-28", "2026-12-28"]),
        ("month", ["2026-02-01", "2026-03-01", "2026-12-01", "2027-01-01", "2027-01-01"]),
        ("quarter", ["2026-01-01", "2026-01-01", "2026-10-01", "2027-01-01", "2027-01-01"]),
        ("year", ["2026-01-01", "2026-01-01", "2026-01-01", "2027-01-01", "2027-01-01"]),
        ("6h", ["2026-02-28 18:00", "2026-03-01", "2026-12-31 18:00", "2027-01-01", "2027-01-03 12:00"]),
        ("15min", ["2026-02-28 23:45", "2026-03-01", "2026-12-31 23:45", "2027-01-01", "2027-01-03 12:00"]),
    ],
)
def test_a_moment_falls_into_its_period(attempts_of: Build, engine: Build, name: str, starts: list[str]) -> None:
    found = metrics.delivery_rate(engine(attempts_of(started(*MOMENTS))), by=name)
    expected = pd.Series(1, index=pd.to_datetime(starts, utc=True, format="mixed")).groupby(level=0).sum()
    assert groups(found, name) == list(expected.items())


@pytest.mark.parametrize("decade", [2000, 2020, 2090])
def test_every_month_begins_and_ends_when_the_calendar_says(attempts_of: Build, decade: int) -> None:
    """The first and the last microsecond of each month; of quarters and years, those of their months."""
    begins = pd.date_range(f"{decade}-01-01", periods=120, freq="MS", tz="UTC", unit="us")
    ends = begins + pd.offsets.MonthBegin() - pd.Timedelta(microseconds=1)
    frame = attempts_of([{"started_us": int(at)} for at in [*begins.asi8, *ends.asi8]])
    for name, months in (("month", 1), ("quarter", 3), ("year", 12)):
        expected = [(begin, 2 * months) for begin in begins[::months]]
        assert groups(metrics.delivery_rate(frame, by=name), name) == expected


def test_one_wrong_clock_does_not_stretch_the_months_beyond_what_an_engine_can_read(
    attempts_of: Build, engine: Build
) -> None:
    given = engine(attempts_of(started("2000-01-01 00:00", "2026-10-27 12:00", "2098-12-31 23:59")))
    starts = pd.to_datetime(["2000-01-01", "2026-10-01", "2098-12-01"], utc=True)
    assert groups(metrics.delivery_rate(given, by="month"), "month") == [(start, 1) for start in starts]


# Each example is many moments, because a moment costs nothing and a figure does.
@settings(deadline=None, max_examples=5)
@given(st.lists(st.datetimes(EARLIEST, LATEST), min_size=20, max_size=40))
def test_any_moment_falls_into_the_month_and_the_day_of_the_week_that_the_calendar_says(
    attempts_of: Build, moments: list[datetime]
) -> None:
    frame = attempts_of(started(*map(str, moments)))
    months = Counter(pd.Timestamp(at.year, at.month, 1, tz="UTC") for at in moments)
    assert groups(metrics.delivery_rate(frame, by="month"), "month") == sorted(months.items())
    weekdays = Counter(at.weekday() for at in moments)
    assert groups(metrics.delivery_rate(frame, by="weekday"), "weekday") == sorted(weekdays.items())


def test_the_hour_of_the_week_takes_two_splits(attempts_of: Build, engine: Build) -> None:
    frame = attempts_of(started("2026-10-26 00:30", "2026-11-02 00:59", "2026-11-01 23:00"))
    found = metrics.delivery_rate(engine(frame), by=["weekday", "hour"])
    assert groups(found, "weekday", "hour") == [(0, 0, 2), (6, 23, 1)]


@pytest.mark.parametrize(
    ("country", "block", "utc", "hour"),
    [
        # Germany went back to winter time on 2026-10-25 at 01:00 UTC.
        ("DE", None, "2026-10-25 00:30", 2),
        ("DE", None, "2026-10-25 01:30", 2),
        ("DE", None, "2026-10-25 02:30", 3),
        # Area codes settle what the country leaves open.
        ("US", "+1212555", "2026-07-01 12:00", 8),
        ("US", "+1415555", "2026-07-01 12:00", 5),
        ("US", None, "2026-07-01 12:00", None),
        # A mobile number of Russia may be in any of its zones.
        ("RU", "+7916000", "2026-07-01 12:00", None),
        # Half an hour counts.
        ("IN", None, "2026-07-01 12:00", 17),
        (None, None, "2026-07-01 12:00", None),
        ("ZZ", None, "2026-07-01 12:00", None),
    ],
)
def test_the_local_hour_is_that_of_the_phone(
    attempts_of: Build, engine: Build, country: str | None, block: str | None, utc: str, hour: int | None
) -> None:
    frame = attempts_of(started(utc, country=country, number_block=block))
    found = metrics.delivery_rate(engine(frame), by="local_hour")
    assert found["local_hour"].dtype == "Int64"
    assert [None if pd.isna(value) else int(value) for value, _ in groups(found, "local_hour")] == [hour]


def test_local_hours_are_those_of_the_zone_through_both_changes_of_the_clock(attempts_of: Build) -> None:
    """Every quarter of an hour around both changes, against Python's own zones; on one frame, as an analyst has it."""
    zones = {"DE": "Europe/Berlin", "GB": "Europe/London", "NP": "Asia/Kathmandu", "CL": None}
    begins = [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)]
    moments = [begin + timedelta(minutes=15 * k) for begin in begins for k in range(24)]
    rows = [row for at in moments for place in zones for row in started(at.strftime(AT), country=place)]
    found = metrics.delivery_rate(attempts_of(rows), by=["country", "local_hour"])
    for place, zone in zones.items():
        mine = {
            hour: n for where, hour, n in groups(found, "country", "local_hour") if where == place and hour is not pd.NA
        }
        local = [at.astimezone(ZoneInfo(zone)).hour for at in moments] if zone else []
        assert mine == {hour: local.count(hour) for hour in set(local)}


def test_without_any_known_place_every_local_hour_is_missing(attempts_of: Build, engine: Build) -> None:
    found = metrics.delivery_rate(engine(attempts_of(started("2026-07-01", country=None))), by="local_weekday")
    assert groups(found, "local_weekday") == [(pd.NA, 1)]
    assert metrics.delivery_rate(engine(attempts_of([])), by="local_hour").empty


def test_countries_and_prefixes_have_the_zones_of_the_tables() -> None:
    assert "Pacific/Honolulu" in zones_of_country("US")
    assert zones_of_country("XX") == frozenset()
    assert zones_of_prefix("+55") > {"America/Sao_Paulo", "America/Manaus"}


COUNTRIES = [{"country": name} for name in ("DE", "DE", "DE", "FR", "FR", "AT", "BE", None)]


def test_top_keeps_the_largest_groups_and_pools_the_rest(attempts_of: Build, engine: Build) -> None:
    found = metrics.delivery_rate(engine(attempts_of(COUNTRIES)), by="country", top=2)
    assert groups(found, "country", "pooled") == [
        ("DE", "", 3),
        ("FR", "", 2),
        ("others", "others", 2),
        ("not known", "", 1),
    ]


def test_top_chooses_blocks_before_countries_before_channels(attempts_of: Build, engine: Build) -> None:
    rows = [
        {"number_block": "+1201555", "channel": "sms"},
        {"number_block": "+1201555", "channel": "voice"},
        {"number_block": "+1202555", "channel": "voice"},
    ]
    found = metrics.delivery_rate(engine(attempts_of(rows)), by=["channel", "number_block"], top=1)
    assert groups(found, "channel", "number_block") == [
        ("sms", "+1201555", 1),
        ("voice", "+1201555", 1),
        ("voice", "others", 1),
    ]


def test_of_groups_of_one_size_top_keeps_the_first_by_name(attempts_of: Build, engine: Build) -> None:
    found = metrics.delivery_rate(engine(attempts_of([{"country": "FR"}, {"country": "DE"}])), by="country", top=1)
    assert groups(found, "country") == [("DE", 1), ("others", 1)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "number_block"}, "it needs top="),
        ({"by": "country", "top": 0}, "top=0 is no number of groups"),
        ({"by": "country", "top": True}, "top=True is no number of groups"),
        ({"by": "day", "top": 3}, "top=3 has nothing to choose from: by has day"),
        ({"top": 3}, "nothing to choose from"),
        ({"by": "7h"}, "cannot be split by '7h'"),
        ({"by": "mont"}, "did you mean 'month'"),
        ({"by": "channel", "cluster": "sesion"}, "did you mean 'session'"),
    ],
)
def test_a_split_that_cannot_be_meant_is_refused(attempts_of: Build, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        metrics.delivery_rate(attempts_of(COUNTRIES), **options)


def test_the_total_is_of_all_rows_and_a_session_in_two_groups_is_one_cluster_of_it(
    attempts_of: Build, engine: Build
) -> None:
    rows = [
        {"session_id": f"s{i}", "channel": channel, "outcome": outcome}
        for i, outcome in enumerate(["delivered", "delivered", "undelivered", "undelivered"])
        for channel in ("sms", "voice")
    ]
    found = metrics.delivery_rate(engine(attempts_of(rows)), by=["channel", "day"], totals=True)
    whole = found[found["pooled"] == "all"]
    assert groups(whole, "channel", "day") == [("all", pd.NaT, 8)]
    alone = metrics.delivery_rate(engine(attempts_of(rows)))
    for name in ("count", "n", "low", "high", "design_effect", "immature"):
        pd.testing.assert_series_equal(whole[name].reset_index(drop=True), alone[name])
    # Both attempts of a session ended alike, so eight attempts tell as much as four.
    assert whole["design_effect"].iloc[0] == pytest.approx(2)
    assert found.dtypes.equals(metrics.delivery_rate(engine(attempts_of(rows)), by=["channel", "day"]).dtypes)


def test_attempts_of_one_session_widen_the_interval(attempts_of: Build, engine: Build) -> None:
    rows = [{"session_id": f"s{i // 2}", "outcome": "delivered" if i < 10 else "silent"} for i in range(20)]
    found = metrics.delivery_rate(engine(attempts_of(rows))).iloc[0]
    alone = metrics.delivery_rate(engine(attempts_of([{**row, "session_id": f"t{i}"} for i, row in enumerate(rows)])))
    assert (found["interval"], found["design_effect"]) == ("cluster_wilson", pytest.approx(2))
    assert (alone.iloc[0]["interval"], alone.iloc[0]["design_effect"]) == ("cluster_wilson", 1)
    assert found["low"] < alone.iloc[0]["low"] < alone.iloc[0]["high"] < found["high"]


def test_where_all_ended_alike_the_interval_is_plain_and_marked(attempts_of: Build, engine: Build) -> None:
    found = metrics.delivery_rate(engine(attempts_of([{"session_id": "s"}, {"session_id": "s"}]))).iloc[0]
    assert found["interval"] == "wilson"
    assert pd.isna(found["design_effect"])


def test_on_request_the_recipient_is_the_unit_and_an_unknown_one_is_its_session(
    attempts_of: Build, engine: Build
) -> None:
    rows = [
        {"session_id": f"s{i}", "recipient_key": key, "outcome": outcome}
        for i, (key, outcome) in enumerate(
            [("k1", "delivered"), ("k1", "delivered"), ("k2", "silent"), ("k2", "silent"), (None, "silent")]
        )
    ]
    effect = [
        metrics.delivery_rate(engine(attempts_of(rows)), cluster=unit).iloc[0]["design_effect"]
        for unit in ("session", "recipient")
    ]
    assert effect[0] == 1
    assert effect[1] > 1.5


def test_error_codes_know_their_clusters_too(attempts_of: Build, engine: Build) -> None:
    """Both attempts of a session fail with one code, or with another: two of them tell as much as one."""
    rows = [
        {"session_id": f"s{i // 2}", "outcome": "failed", "error_code": "450" if i < 10 else "300"} for i in range(20)
    ]
    found = metrics.error_codes(engine(attempts_of(rows)), by="country", totals=True)
    assert list(found["design_effect"].round(9)) == [2.0] * len(found)
    assert set(found["pooled"]) == {"", "all"}
    assert set(found["interval"]) == {"cluster_wilson"}
    mixed = [{**row, "session_id": f"s{i % 10}"} for i, row in enumerate(rows)]
    assert set(metrics.error_codes(engine(attempts_of(mixed)))["design_effect"]) == {1.0}


def of_country(country: str, arrived: int, of: int) -> list[dict[str, Any]]:
    return [{"country": country, "outcome": "delivered" if i < arrived else "silent"} for i in range(of)]


def test_a_small_group_is_marked_and_leans_on_the_others(attempts_of: Build, engine: Build) -> None:
    sizes = {"DE": (90, 100), "FR": (70, 100), "AT": (95, 100), "BE": (80, 100), "LU": (0, 2)}
    rows = [row for country, (arrived, of) in sizes.items() for row in of_country(country, arrived, of)]
    found = metrics.delivery_rate(engine(attempts_of(rows)), by="country", totals=True)
    confirmed = found[found["measure"] == "confirmed"].set_index("country")
    assert confirmed.index[confirmed["small"]].tolist() == ["LU"]
    expected = stats.beta_binomial_shrinkage([95, 80, 90, 70, 0], [100, 100, 100, 100, 2])
    assert confirmed["shrunk"].tolist()[:4] == pytest.approx(expected.rate[:4].tolist())
    assert confirmed["shrunk_low"].tolist()[4] == pytest.approx(expected.low[4])
    assert confirmed["shrunk_high"].tolist()[4] == pytest.approx(expected.high[4])
    # Nothing of two arrived, and yet no country is taken to be that bad.
    assert confirmed["rate"].tolist()[4] == 0
    assert confirmed["shrunk"].tolist()[4] > 0.5
    assert confirmed["shrunk"].isna().tolist() == [False] * 5 + [True]


def test_two_groups_or_none_cannot_lean_on_each_other(attempts_of: Build) -> None:
    rows = of_country("DE", 5, 10) + of_country("FR", 5, 10)
    for by in ((), "country"):
        assert metrics.delivery_rate(attempts_of(rows), by=by)["shrunk"].isna().all()


def test_what_was_pooled_is_no_group_to_lean_on(attempts_of: Build) -> None:
    rows = [row for country in ("AT", "BE", "DE", "FR", "LU") for row in of_country(country, 5, 10)]
    found = metrics.delivery_rate(attempts_of(rows), by="country", top=4)
    assert found.loc[found["pooled"] == "others", "shrunk"].isna().all()
    assert found.loc[(found["pooled"] == "") & (found["measure"] == "confirmed"), "shrunk"].notna().all()


def test_codes_lean_on_the_same_code_elsewhere_if_every_group_met_it(attempts_of: Build) -> None:
    rows = [
        {"country": country, "outcome": "failed", "error_code": code}
        for country, codes in (("AT", "ab"), ("BE", "aab"), ("DE", "aaabc"))
        for code in codes
    ]
    found = metrics.error_codes(attempts_of(rows), by="country")
    share = found[found["measure"] == "share_of_all"]
    expected = stats.beta_binomial_shrinkage([1, 2, 3], [2, 3, 5])
    assert share.loc[share["code"] == "a", "shrunk"].tolist() == pytest.approx(expected.rate.tolist())
    assert share.loc[share["code"] == "c", "shrunk"].isna().all()


def test_means_and_gaps_of_few_are_marked_too(attempts_of: Build) -> None:
    """They have no rate, and their intervals are no better for it."""
    two = [{"session_id": "s1"}, {"session_id": "s1", "attempt_sequence": 2, "role": "resend"}]
    found = metrics.retries(attempts_of(two)).set_index("measure")
    assert found.loc[["attempts_per_session", "reaches_attempt_2"], "small"].all()
