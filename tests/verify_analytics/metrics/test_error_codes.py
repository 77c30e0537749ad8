"""Codes are counted among what did not arrive, explained where they are known, and shown as they came where not."""

import csv
import warnings
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from verify_analytics import metrics
from verify_analytics.errors import ArgumentError, DoubtfulWarning

Build = Callable[..., Any]

SMS_AND_VOICE: list[dict[str, Any]] = [
    {"outcome": "undelivered", "error_code": "50"},
    {"outcome": "undelivered", "error_code": "50"},
    {"outcome": "failed", "error_code": "452"},
    {"outcome": "failed", "error_code": None},
    {"outcome": "undelivered", "error_code": "3010", "channel": "voice"},
    {"outcome": "delivered"},
    {"outcome": "accepted"},
    {"outcome": "silent"},
    {"outcome": "delivered", "channel": "voice"},
    {"outcome": "delivered", "channel": "voice"},
]


def shares(frame: pd.DataFrame, measure: str) -> list[tuple[str, str, int, int]]:
    rows = frame[frame["measure"] == measure]
    return list(rows[["channel", "code", "count", "n"]].itertuples(index=False, name=None))


def test_codes_are_shares_of_what_did_not_arrive_and_of_all_the_frequent_ones_first(
    attempts_of: Build, engine: Build
) -> None:
    found = metrics.error_codes(engine(attempts_of(SMS_AND_VOICE)))
    assert shares(found, "share_of_unsuccessful") == [
        ("sms", "50", 2, 5),
        ("sms", "(none given)", 1, 5),
        ("sms", "452", 1, 5),
        ("voice", "3010", 1, 5),
    ]
    assert shares(found, "share_of_all") == [
        ("sms", "50", 2, 10),
        ("sms", "(none given)", 1, 10),
        ("sms", "452", 1, 10),
        ("voice", "3010", 1, 10),
    ]
    first = found.iloc[0]
    assert first["rate"] == pytest.approx(0.4, abs=1e-9)
    assert [first["low"], first["high"]] == pytest.approx(proportion_confint(2, 5, method="wilson"), abs=1e-9)


def test_split_by_channel_the_shares_are_of_that_channel(attempts_of: Build, engine: Build) -> None:
    found = metrics.error_codes(engine(attempts_of(SMS_AND_VOICE)), by="channel")
    assert shares(found, "share_of_all")[0] == ("sms", "50", 2, 7)
    assert shares(found, "share_of_all")[-1] == ("voice", "3010", 1, 3)
    assert list(found.columns).count("channel") == 1
    per_channel = found[found["measure"] == "share_of_unsuccessful"].groupby("channel")["rate"].sum()
    assert per_channel.tolist() == pytest.approx([1, 1])


def test_the_frame_has_the_split_the_code_with_its_meaning_and_the_columns_of_every_rate(
    attempts_of: Build, engine: Build
) -> None:
    found = metrics.error_codes(engine(attempts_of(SMS_AND_VOICE)), by=["hour", "channel"])
    delivery = metrics.delivery_rate(attempts_of(SMS_AND_VOICE), by=["hour", "channel"])
    meaning = ["code", "name", "meaning", "category", "retryable"]
    assert list(found.columns) == ["hour", "channel", *meaning, *delivery.columns[2:]]
    alone = metrics.error_codes(engine(attempts_of(SMS_AND_VOICE)), by="role")
    assert list(alone.columns) == ["role", "channel", *meaning, *delivery.columns[2:]]
    shared = [name for name in delivery.columns if name in found.columns]
    assert found[shared].dtypes.to_dict() == delivery[shared].dtypes.to_dict()
    assert set(found[meaning].dtypes.astype(str)) == {"str"}


def test_each_code_comes_with_what_is_known_of_it(attempts_of: Build, engine: Build) -> None:
    rows = [
        {"outcome": "failed", "error_code": "452"},
        {"outcome": "failed", "error_code": "4711"},
        {"outcome": "failed"},
        {"outcome": "failed", "channel": "voice", "error_code": "1000"},
        {"outcome": "failed", "channel": "sms", "error_code": "1000"},
        {"outcome": "failed", "channel": "whatsapp", "error_code": "370"},
        {"outcome": "failed", "channel": None, "error_code": "452"},
    ]
    found = metrics.error_codes(engine(attempts_of(rows)))
    known = found[found["measure"] == "share_of_all"].set_index(["channel", "code"])[["name", "category", "retryable"]]
    assert {key: tuple(values) for key, values in zip(known.index, known.to_numpy(), strict=True)} == {
        ("sms", "452"): ("Potential SMS Pumping", "policy", "no"),
        ("sms", "4711"): ("(not in the catalogue)", "unknown", "unknown"),
        ("sms", "(none given)"): ("(no code)", "unknown", "unknown"),
        ("voice", "1000"): ("Canceled", "account", "no"),
        ("sms", "1000"): ("Unknown Error", "unknown", "unknown"),
        ("whatsapp", "370"): ("Rate limited", "policy", "yes"),
        ("not known", "452"): ("(not in the catalogue)", "unknown", "unknown"),
    }


def test_young_unobserved_and_unlisted_attempts_are_counted_beside(attempts_of: Build, engine: Build) -> None:
    rows = [
        {"outcome": "failed", "error_code": "20"},
        {"outcome": "failed", "error_code": "20", "mature": False},
        {"outcome": "unobserved", "error_code": "20"},
        {"outcome": "unknown"},
        {"is_attempt": False, "outcome": "failed", "error_code": "20"},
    ]
    found = metrics.error_codes(engine(attempts_of(rows)))
    assert shares(found, "share_of_all") == [("sms", "20", 1, 1)]
    assert found[["immature", "unobserved", "unknown"]].to_numpy().tolist() == [[1, 1, 1]] * 2


def test_the_denominators_and_what_was_left_out_are_those_of_delivery(attempts_of: Build, engine: Build) -> None:
    rows = [{**row, "country": place, "mature": place != "US"} for row in SMS_AND_VOICE for place in ("DE", None, "US")]
    given = engine(attempts_of(rows))
    codes = metrics.error_codes(given, by="country")
    delivery = metrics.delivery_rate(given, by="country")
    beside = ["country", "n", "immature", "unobserved", "unknown"]
    expected = delivery[(delivery["measure"] == "confirmed") & (delivery["n"] > 0)][beside]
    got = codes[codes["measure"] == "share_of_all"][beside].drop_duplicates()
    assert got.to_numpy().tolist() == expected.to_numpy().tolist()


@pytest.mark.parametrize("rows", [[], [{"outcome": "delivered"}], [{"outcome": "failed", "mature": False}]])
@pytest.mark.parametrize("by", [[], ["country", "day"], ["channel"]])
def test_where_nothing_was_unsuccessful_there_is_nothing_to_explain(
    rows: list[dict[str, Any]], by: list[str], attempts_of: Build, engine: Build
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.error_codes(engine(attempts_of(rows)), by=by)
    assert len(found) == 0
    full = metrics.error_codes(attempts_of(SMS_AND_VOICE), by=by)
    assert found.dtypes.to_dict() == full.dtypes.to_dict()


def test_all_engines_agree(attempts_of: Build, engine: Build) -> None:
    given = attempts_of([{**row, "country": country} for row in SMS_AND_VOICE for country in ("DE", None)])
    expected = metrics.error_codes(given, by=["country", "day"])
    pd.testing.assert_frame_equal(metrics.error_codes(engine(given), by=["country", "day"]), expected, atol=1e-9)


def test_in_a_trend_a_code_that_did_not_occur_is_zero_and_not_missing(attempts_of: Build, engine: Build) -> None:
    """Three weeks: codes 50 and 30 of SMS, then nothing but successes, then too young; voice only in the first."""
    week = 7 * 86_400_000_000
    first = int(pd.Timestamp("2026-10-05", tz="UTC").value) // 1000
    rows: list[dict[str, Any]] = [
        {"outcome": "undelivered", "error_code": "50"},
        {"outcome": "undelivered", "error_code": "50"},
        {"outcome": "failed", "error_code": "30"},
        {"outcome": "undelivered", "error_code": "3010", "channel": "voice"},
        {"outcome": "delivered", "started_us": first + week},
        {"outcome": "failed", "error_code": "50", "started_us": first + week + 1},
        {"outcome": "failed", "error_code": "50", "started_us": first + 2 * week, "mature": False},
    ]
    given = engine(attempts_of([{"started_us": first, **row} for row in rows]))
    found = metrics.error_codes(given, by=["channel", "week"], totals=True)
    found["week"] = found["week"].dt.strftime("%m-%d")
    share = found[found["measure"] == "share_of_all"]
    assert share.fillna({"week": ""})[["channel", "week", "code", "count", "n", "immature"]].to_numpy().tolist() == [
        ["sms", "10-05", "50", 2, 3, 0],
        ["sms", "10-05", "30", 1, 3, 0],
        ["sms", "10-12", "50", 1, 2, 0],
        ["sms", "10-12", "30", 0, 2, 0],
        ["sms", "10-19", "30", 0, 0, 1],
        ["sms", "10-19", "50", 0, 0, 1],
        ["voice", "10-05", "3010", 1, 1, 0],
        ["sms", "", "50", 3, 6, 1],
        ["sms", "", "30", 1, 6, 1],
        ["voice", "", "3010", 1, 6, 1],
    ]
    none = share[(share["week"] == "10-12") & (share["code"] == "30")].iloc[0]
    assert (none["rate"], none["low"], none["name"]) == (0, 0, "Spam Detected")
    assert none["high"] == pytest.approx(proportion_confint(0, 2, method="wilson")[1], abs=1e-9)
    young = share[share["week"] == "10-19"]
    assert young[["rate", "low", "high"]].isna().all(axis=None)
    # Without a time there is no trend to fill.
    assert set(metrics.error_codes(given, by="role")["count"]) == {1, 3}


def test_a_report_that_looks_past_the_collector_is_doubted(attempts_of: Build) -> None:
    frame = attempts_of([{"outcome": "failed", "covered_until_us": 1_793_145_600_000_000}])
    with pytest.warns(DoubtfulWarning, match=r"metrics\.error_codes"):
        metrics.error_codes(frame)


def test_a_misspelt_split_is_refused_with_a_near_name(attempts_of: Build) -> None:
    with pytest.raises(ArgumentError, match="did you mean 'channel'"):
        metrics.error_codes(attempts_of([{}]), by="chanel")


def test_the_catalogue_is_whole_and_names_its_sources() -> None:
    rows = list(csv.DictReader(files("verify_analytics.metrics").joinpath("error_codes.csv").read_text().splitlines()))
    assert len({(row["channel"], row["code"]) for row in rows}) == len(rows) == 87
    assert {channel: sum(row["channel"] == channel for row in rows) for channel in ("sms", "voice")} == {
        "sms": 33,
        "voice": 54,
    }
    assert {row["category"] for row in rows} == {
        "account",
        "carrier",
        "content",
        "network",
        "policy",
        "recipient",
        "unknown",
    }
    assert {row["retryable"] for row in rows} == {"yes", "no", "unknown"}
    assert all(all(row.values()) for row in rows)
