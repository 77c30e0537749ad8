"""The funnel names where each session was lost, adds up to all of them, and does not pretend that steps are nested."""

import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.verify_analytics.metrics.rows import AS_OF_US, MINUTE, START_US, together
from tests.verify_analytics.metrics.rows import attempts_of_session as session
from verify_analytics import metrics
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError
from verify_analytics.metrics.definitions import undefined

Build = Callable[..., Any]
BESIDE = ["immature", "unobserved", "unknown", "not_observable"]


# One session for each end, and a few that are told by two attempts.
SESSIONS = together(
    session("a", "delivered", app=20),
    session("b", "accepted", app=20),
    session("c", "undelivered", app=20),
    session("d", "delivered"),
    session("e", "accepted"),
    session("f", "undelivered"),
    session("g", "failed 300"),
    session("h", "failed 451"),
    session("i", "failed 450"),
    session("j", "silent"),
    session("k", "failed 451", "delivered", app=90),
    session("l", "undelivered", "accepted"),
    # Delivered only after the verification: an attempt for a new need, and no receipt for this one.
    session("m", "accepted", "delivered", app=20),
    # Refused by a code that nobody knows.
    session("n", "failed 31415"),
    session("o", "silent", "failed 452", app=3600),
    session("p", "silent", app=20),
)


def counted(frame: pd.DataFrame, *, source: str = "app") -> dict[str, int]:
    rows = frame[frame["source"] == source]
    assert rows["measure"].is_unique
    return {row["measure"]: int(row["count"]) for _, row in rows.iterrows()}


def test_each_session_is_lost_where_its_furthest_attempt_was(attempts_of: Build, engine: Build) -> None:
    found = metrics.funnel(engine(attempts_of(SESSIONS)), source="app")
    assert counted(found) == {
        "sessions": 16,
        "accepted": 9,
        "delivered": 3,
        "verified": 6,
        "not_handed_over_policy": 2,
        "not_handed_over_account": 1,
        "not_handed_over_network": 2,
        "silent": 1,
        "undelivered": 1,
        "no_receipt": 2,
        "delivered_not_verified": 1,
        "verified_delivered": 2,
        "verified_without_receipt": 3,
        "verified_against_receipt": 1,
    }
    assert counted(found, source="") == {"sessions": 16, "accepted": 9, "delivered": 3}
    assert set(found["n"]) == {16}
    assert found[BESIDE].to_numpy().sum() == 0
    row = found[(found["measure"] == "delivered") & (found["source"] == "app")].iloc[0]
    assert row["rate"] == pytest.approx(3 / 16, abs=1e-12)
    assert [row["low"], row["high"]] == pytest.approx(proportion_confint(3, 16, method="wilson"), abs=1e-9)


def test_losses_and_verified_add_up_to_all_sessions_in_every_group(attempts_of: Build, engine: Build) -> None:
    rows = [{**row, "country": (None, "DE", "FR")[ord(row["session_id"]) % 3]} for row in SESSIONS]
    found = metrics.funnel(engine(attempts_of(rows)), by="country", totals=True, source="app")
    found = found[found["source"] == "app"]
    assert set(found["country"]) == {"DE", "FR", "not known", "all"}
    for _, group in found.groupby("country"):
        kinds, steps = group.groupby("kind")["count"].sum(), group.set_index("measure")["count"]
        assert kinds["loss"] + steps["verified"] == steps["sessions"]
        assert kinds["verified"] == steps["verified"]
        assert steps["delivered"] == steps["verified_delivered"] + steps["delivered_not_verified"]
    # All of all is no estimate: no interval, and nothing to lean on the others.
    sessions = found[found["measure"] == "sessions"]
    assert set(sessions["interval"]) == {"none"}
    assert sessions[["low", "high", "shrunk", "shrunk_low", "shrunk_high"]].isna().all(axis=None)


def test_more_may_be_verified_than_delivered(attempts_of: Build) -> None:
    """Where no receipts are sent, a funnel of nested steps would say that nobody can be verified."""
    rows = together(*(session(f"s{number}", "accepted", app=20) for number in range(4)))
    found = counted(metrics.funnel(attempts_of(rows), source="app"))
    assert (found["delivered"], found["verified"], found["verified_without_receipt"]) == (0, 4, 4)


def test_what_cannot_be_judged_is_left_out_by_reason(attempts_of: Build, engine: Build) -> None:
    hour = 60 * MINUTE
    young = {"started_us": AS_OF_US - 20 * MINUTE, "last_started_us": AS_OF_US - 20 * MINUTE}
    rows = together(
        session("a", "delivered", app=20),
        session("b", "delivered", app=20, **young, mature=True),
        # The attempt waited longer than the session, and into the collector's sleep.
        session("c", "unobserved", app=20),
        session("d", "delivered", "unobserved"),
        session("e", "unknown", app=20),
        session("f", "delivered", app=20, app_first_us=START_US + hour, app_last_us=START_US + hour),
        session("g", "delivered", app=20, observed_until_us=START_US + MINUTE),
        [{"session_id": "h", "is_attempt": False, "attempt_id": None, "role": None, "outcome": None,
          "attempts_in_session": 0, "attempt_sequence": None, "lowest_sequence": None}],
    )  # fmt: skip
    found = metrics.funnel(engine(attempts_of(rows)), source="app")
    beside = found[["source", "n", *BESIDE]].drop_duplicates().to_numpy().tolist()
    assert beside == [["", 2, 1, 3, 2, 0], ["app", 1, 1, 3, 2, 1]]


def test_an_attempt_for_a_new_need_that_nobody_watched_takes_no_session_out(attempts_of: Build) -> None:
    found = metrics.funnel(attempts_of(session("a", "delivered", "unobserved", app=20)), source="app")
    assert counted(found)["verified_delivered"] == 1


def test_without_a_source_the_answer_is_not_observable_and_never_zero(attempts_of: Build) -> None:
    rows = session("a", "delivered", app_first_us=None, app_last_us=None)
    with pytest.warns(DoubtfulWarning, match="not observable: no session can be watched") as caught:
        found = metrics.funnel(attempts_of(rows))
    assert [warning.filename for warning in caught] == [__file__]
    seen, blind = found[found["source"] == ""], found[found["source"] != ""]
    assert (set(seen["n"]), set(blind["n"])) == ({1}, {0})
    assert seen["rate"].notna().all()
    assert blind[["rate", "low", "high"]].isna().all(axis=None)
    assert set(blind["interval"]) == {"not observable"}


def test_a_filter_on_attempts_is_doubted_because_it_cuts_sessions_apart(attempts_of: Build) -> None:
    frame = attempts_of(SESSIONS)
    with pytest.warns(DoubtfulWarning, match=r"metrics\.funnel: 1 of 14 sessions are here without all") as caught:
        metrics.funnel(frame[(frame["outcome"] != "delivered") | (frame["session_id"] == "m")], source="app")
    assert [warning.filename for warning in caught] == [__file__]


def test_a_wider_window_lets_later_verifications_in(attempts_of: Build) -> None:
    found = metrics.funnel(attempts_of(SESSIONS), window="2h", source="app")
    assert counted(found)["verified"] == 7
    assert set(found["window_seconds"]) == {7200.0}


def test_the_frame_has_its_columns_in_order_and_in_their_types(attempts_of: Build) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = metrics.funnel(attempts_of([]), by=["first_channel", "day"])
    found = metrics.funnel(attempts_of(SESSIONS), by=["first_channel", "day"])
    assert nothing.empty
    assert nothing.dtypes.to_dict() == found.dtypes.to_dict()
    expected = {
        "first_channel": "str",
        "day": "datetime64[us, UTC]",
        **dict.fromkeys(["source", "kind", "measure"], "str"),
        **dict.fromkeys(["count", "n"], "int64"),
        **dict.fromkeys(["rate", "low", "high"], "float64"),
        "interval": "str",
        "design_effect": "float64",
        **dict.fromkeys(BESIDE, "int64"),
        "as_of": "datetime64[us, UTC]",
        "patience_seconds": "float64",
        "window_seconds": "float64",
        "small": "bool",
        **dict.fromkeys(["shrunk", "shrunk_low", "shrunk_high"], "float64"),
        "pooled": "str",
    }
    assert dict(found.dtypes.astype(str)) == expected
    assert list(found.columns) == list(expected)
    assert undefined("funnel", found["measure"]) == []


def test_of_no_attempts_every_step_is_zero_and_no_rate(attempts_of: Build) -> None:
    found = metrics.funnel(attempts_of([]))
    assert len(found) == 3 + 14 + 14
    assert found[["count", "n"]].to_numpy().sum() == 0
    assert found[["rate", "low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "role"}, "sessions cannot be split by 'role'"),
        ({"source": "apps"}, "did you mean 'app'"),
        ({"window": "10"}, "no duration"),
        ({"cluster": "sesion"}, "did you mean 'session'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    options: dict[str, Any], says: str, attempts_of: Build
) -> None:
    with pytest.raises(ArgumentError, match=says):
        metrics.funnel(attempts_of(SESSIONS), **options)


def test_sessions_given_for_attempts_are_refused(sessions_of: Build) -> None:
    with pytest.raises(SchemaError, match=r"as model\.attempts gives them"):
        metrics.funnel(sessions_of([{}]))


def test_two_readings_in_one_frame_are_refused(attempts_of: Build) -> None:
    later = {"as_of_us": AS_OF_US + MINUTE, "covered_until_us": AS_OF_US + MINUTE}
    of_one_session = together(session("a", "delivered"), session("a", "delivered", **later))
    of_two = together(session("a", "delivered"), session("b", "delivered", **later))
    for rows in (of_one_session, of_two):
        with pytest.raises(ArgumentError, match="more than one as_of"):
            metrics.funnel(attempts_of(rows))
