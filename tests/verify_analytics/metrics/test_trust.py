"""Receipts are held against what people did: verified though not delivered, delivered and never answered."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, counted, row, together
from tests.verify_analytics.metrics.rows import attempts_of_session as session
from verify_analytics import metrics
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError
from verify_analytics.metrics.definitions import undefined

Build = Callable[..., Any]
BESIDE = ["not_asked", "immature", "unobserved", "unknown", "not_observable"]


TEN = together(
    session("a", "delivered", app=20),
    session("b", "undelivered", app=20),
    session("c", "failed 30", app=20),
    session("d", "accepted", app=20),
    # Which of the two codes was typed in, nobody knows.
    session("e", "undelivered", "accepted", app=90),
    session("f", "undelivered", "delivered", app=90),
    # One attempt was made for this need, and another for the next.
    session("g", "undelivered", "delivered", app=20),
    session("h", "delivered"),
    session("i", "undelivered"),
    # Verified after the window.
    session("j", "delivered", app=3600),
)


def test_ten_sessions_give_the_figures_one_works_out_by_hand(attempts_of: Build, engine: Build) -> None:
    found = metrics.receipt_trust(engine(attempts_of(TEN)), source="app")
    assert counted(found, "verified_against_receipt") == (3, 5)
    assert counted(found, "delivered_not_verified") == (2, 4)
    lies = row(found, "verified_against_receipt")
    assert [lies["low"], lies["high"]] == pytest.approx(proportion_confint(3, 5, method="wilson"), abs=1e-9)
    assert lies["not_asked"] == 5
    assert row(found, "delivered_not_verified")["not_asked"] == 6
    assert found[["rate_of_others", "difference", "difference_low", "difference_high"]].isna().all(axis=None)


def test_a_group_stands_beside_all_others(attempts_of: Build, engine: Build) -> None:
    """Of Germany 2 of 10 are not verified, of all others 3 of 5; the interval agrees with that of statsmodels."""
    countries = [("DE", 10, 2), ("FR", 3, 2), (None, 2, 1)]
    rows = together(
        *(
            session(f"{place}{number}", "delivered", app=None if number < lost else 20, country=place)
            for place, size, lost in countries
            for number in range(size)
        )
    )
    found = metrics.receipt_trust(engine(attempts_of(rows)), by="country", totals=True, source="app")
    mine = row(found, "delivered_not_verified", country="DE")
    assert (mine["rate"], mine["rate_of_others"]) == pytest.approx((0.2, 0.6), abs=1e-12)
    low, high = confint_proportions_2indep(2, 10, 3, 5, method="newcomb", compare="diff")
    assert [mine["difference"], mine["difference_low"], mine["difference_high"]] == pytest.approx(
        [-0.4, low, high], abs=1e-9
    )
    assert row(found, "delivered_not_verified", country="not known")["rate_of_others"] == pytest.approx(4 / 13)
    whole = row(found, "delivered_not_verified", country="all")
    assert (whole["count"], whole["n"]) == (5, 15)
    assert np.isnan(whole["difference"])


def test_the_only_group_has_no_others(attempts_of: Build) -> None:
    found = metrics.receipt_trust(attempts_of(TEN), by="country", source="app")
    assert found["rate_of_others"].isna().all()


def test_sessions_of_one_recipient_widen_the_difference_too(attempts_of: Build) -> None:
    rows = together(
        *(
            session(f"{place}{number}", "delivered", app=None if number < 4 else 20, country=place,
                    recipient_key=f"{place}{number // 2}")
            for place in ("DE", "FR")
            for number in range(8)
        )
    )  # fmt: skip
    width = [
        row(found, "delivered_not_verified", country="DE")[["difference_low", "difference_high"]].diff().iloc[1]
        for found in (
            metrics.receipt_trust(attempts_of(rows), by="country", source="app", cluster=unit)
            for unit in ("session", "recipient")
        )
    ]
    # Both sessions of a recipient end alike: 8 tell as much as 4.
    low, high = confint_proportions_2indep(2, 4, 2, 4, method="newcomb", compare="diff")
    assert width[1] == pytest.approx(high - low, abs=1e-9)
    assert width[0] < width[1]


def test_blocks_are_asked_for_by_the_largest(attempts_of: Build) -> None:
    rows = together(
        *(session(f"s{number}", "delivered", number_block=f"+49155{number // 4:02d}") for number in range(9))
    )
    found = metrics.receipt_trust(attempts_of(rows), by="number_block", top=2, source="app")
    assert found["number_block"].unique().tolist() == ["+4915500", "+4915501", "others"]
    assert counted(found, "delivered_not_verified", number_block="others") == (1, 1)
    with pytest.raises(ArgumentError, match="it needs top="):
        metrics.receipt_trust(attempts_of(rows), by="number_block")


def test_all_sessions_are_asked_or_left_out_by_reason(attempts_of: Build, engine: Build) -> None:
    rows = together(
        TEN,
        session("k", "delivered", app=20, started_us=AS_OF_US - MINUTE, last_started_us=AS_OF_US - MINUTE),
        session("l", "unobserved", app=20),
        session("m", "unknown", app=20),
        session("n", "undelivered", app=20, app_first_us=AS_OF_US),
    )
    found = metrics.receipt_trust(engine(attempts_of(rows)), source="app")
    assert found[BESIDE].to_numpy().tolist() == [[5, 1, 1, 1, 1], [6, 1, 1, 1, 1]]
    assert set(found["n"] + found[BESIDE].sum(axis="columns")) == {14}


def test_without_a_source_receipts_cannot_be_held_against_anything(attempts_of: Build) -> None:
    rows = session("a", "undelivered", app_first_us=None, app_last_us=None)
    with pytest.warns(DoubtfulWarning, match=r"metrics\.receipt_trust: not observable") as caught:
        found = metrics.receipt_trust(attempts_of(rows))
    assert [warning.filename for warning in caught] == [__file__]
    assert set(found["interval"]) == {"not observable"}
    assert found["rate"].isna().all()


def test_cut_sessions_are_doubted(attempts_of: Build) -> None:
    frame = attempts_of(TEN)
    with pytest.warns(DoubtfulWarning, match=r"receipt_trust: 1 of 10 sessions are here without all") as caught:
        metrics.receipt_trust(frame[frame["key"] != "e-1"], source="app")
    assert [warning.filename for warning in caught] == [__file__]


def test_the_frame_has_its_columns_in_order_and_in_their_types(attempts_of: Build) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = metrics.receipt_trust(attempts_of([]), by="country")
    found = metrics.receipt_trust(attempts_of(TEN), by="country")
    expected = {
        **dict.fromkeys(["country", "source", "measure"], "str"),
        **dict.fromkeys(["count", "n"], "int64"),
        **dict.fromkeys(["rate", "low", "high"], "float64"),
        "interval": "str",
        **dict.fromkeys(
            ["design_effect", "rate_of_others", "difference", "difference_low", "difference_high"], "float64"
        ),
        **dict.fromkeys(BESIDE, "int64"),
        "as_of": "datetime64[us, UTC]",
        "patience_seconds": "float64",
        "window_seconds": "float64",
        "small": "bool",
        **dict.fromkeys(["shrunk", "shrunk_low", "shrunk_high"], "float64"),
        "pooled": "str",
    }
    for frame in (nothing, found):
        assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == expected
    assert list(found.columns) == list(expected)
    assert undefined("receipt_trust", found["measure"]) == []


def test_sessions_given_for_attempts_are_refused(sessions_of: Build) -> None:
    with pytest.raises(SchemaError, match=r"as model\.attempts gives them"):
        metrics.receipt_trust(sessions_of([{}]))
