"""Test numbers and load tests go as whole sessions, alike on every engine, and what went is said and counted."""

import warnings
from typing import Any

import pandas as pd
import pytest

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError, DoubtfulWarning, LeftOutNotice

HOUR = ("2026-09-01T12:00Z", "2026-09-01T13:00Z")


@pytest.fixture
def rows(callback: Any) -> list[Any]:
    """Four sessions: of a test number, begun in the test hour and gone on after it, begun before, begun after."""
    of = {name: {"session_id": name, "recipient_key": f"k:{name}"} for name in ("test", "within", "before", "after")}
    return [
        callback(5, "sent", attempt_id="b1", requested_at=-100, **of["before"]),
        callback(30, "delivered", attempt_id="b1", requested_at=-100, **of["before"]),
        callback(10, "sent", attempt_id="w1", requested_at=None, **of["within"]),
        callback(3700, "sent", attempt_id="w2", attempt_sequence=2, requested_at=3690, **of["within"]),
        callback(
            3710, None, attempt_id=None, requested_at=None, channel=None, **of["within"] | {"recipient_key": None}
        ),
        callback(7300, "sent", attempt_id="t1", requested_at=7300, **of["test"]),
        callback(
            7301, "sent", attempt_id="t2", attempt_sequence=2, requested_at=7301, **of["test"] | {"recipient_key": None}
        ),
        callback(3600, "sent", attempt_id="a1", requested_at=3600, **of["after"]),
    ]


def excluding(frame: Any, exclude: Any) -> Any:
    with pytest.warns(LeftOutNotice):
        return load.callbacks(frame, exclude=exclude)


def test_a_recipient_s_sessions_go_as_a_whole(engine: Any, rows: Any, rows_of: Any, kinds: Any, declared: Any) -> None:
    given = engine.callbacks(rows)
    kept = excluding(given, load.Exclusions(recipients=["k:test", "k:nobody"]))
    assert type(kept) is type(given)
    assert kinds(kept) == declared(model.CALLBACKS)
    assert {row["session_id"] for row in rows_of(kept)} == {"within", "before", "after"}
    assert len(rows_of(kept)) == 6


def test_a_period_takes_the_sessions_that_began_in_it_and_no_others(engine: Any, rows: Any, rows_of: Any) -> None:
    kept = excluding(engine.callbacks(rows), load.Exclusions(periods=[HOUR]))
    told = rows_of(kept)
    # The one that was asked for before the period stays, though all its callbacks came in it.
    assert {row["session_id"] for row in told} == {"test", "before", "after"}
    assert len(told) == 5


def test_what_was_left_out_and_what_was_kept_add_up_to_all(engine: Any, rows: Any) -> None:
    exclude = load.Exclusions(recipients=["k:test"], periods=[HOUR, ("2026-09-01T13:00Z", "2026-09-02T00:00Z")])
    told = load.left_out(engine.callbacks(rows), exclude=exclude)
    assert isinstance(told, pd.DataFrame)
    # The session of the test number began in the last period, too: it counts once, by the first reason.
    assert list(told.itertuples(index=False, name=None)) == [
        ("left out", "test recipient", 2, 2, 1),
        ("left out", "period 2026-09-01T12:00Z to 2026-09-01T13:00Z", 3, 2, 1),
        ("left out", "period 2026-09-01T13:00Z to 2026-09-02T00:00Z", 1, 1, 1),
        ("kept", "", 2, 1, 1),
        ("all", "", 8, 6, 4),
    ]


def test_the_parts_add_up_on_the_sample_and_the_model_agrees_on_what_began_when(
    quick: Any, root: Any, rows_of: Any
) -> None:
    sample = load.connection().read_parquet(str(root / "data/sample/callbacks.parquet")).to_arrow_table()
    callbacks = load.callbacks(quick.make(sample))
    keys = sorted({row["recipient_key"] for row in rows_of(callbacks) if row["recipient_key"]})[:40]
    begin, end = "2026-10-24T06:00Z", "2026-10-25T18:00Z"
    exclude = load.Exclusions(recipients=keys, periods=[(begin, end)])
    told = load.left_out(callbacks, exclude=exclude)
    grains = ["callbacks", "attempts", "sessions"]
    parts = told[told["what"] != "all"][grains].sum()
    assert told[told["what"] == "left out"][grains].to_numpy().min() > 0
    assert parts.to_dict() == told[told["what"] == "all"][grains].iloc[0].to_dict()
    attempts = rows_of(model.attempts(callbacks, as_of="2026-10-30T00:00Z"))
    span = [pd.Timestamp(moment).value // 1000 for moment in (begin, end)]
    gone = {row["session_id"] for row in rows_of(callbacks) if row["recipient_key"] in keys}
    gone |= {row["session_id"] for row in attempts if span[0] <= row["session_started_us"] < span[1]}
    kept = {row["session_id"] for row in rows_of(excluding(callbacks, exclude))}
    assert kept == {row["session_id"] for row in attempts} - gone


def test_lazy_frames_stay_lazy_and_parquet_on_disk(parquet: Any, rows: Any, rows_of: Any, callback: Any) -> None:
    file = parquet("callbacks.parquet", rows)
    kept = excluding(file, load.Exclusions(recipients=["k:test"]))
    assert "PARQUET" in kept.explain().upper()
    parquet("callbacks.parquet", [callback(1, "sent", session_id="new"), callback(2, "sent", recipient_key="k:test")])
    assert {row["session_id"] for row in rows_of(kept)} == {"new"}


def test_a_store_is_asked_alike(store: Any, rows: Any, rows_of: Any) -> None:
    kept = excluding(store({"callbacks": rows}), load.Exclusions(recipients=["k:test"], periods=[HOUR]))
    assert {row["session_id"] for row in rows_of(kept)} == {"before", "after"}


def test_one_sentence_says_how_much_went_and_is_no_doubt(quick: Any, rows: Any) -> None:
    exclude = load.Exclusions(recipients=["k:test"], periods=[("2026-01-01T00:00Z", "2026-01-02T00:00Z")])
    with pytest.warns(LeftOutNotice) as said:
        load.callbacks(quick.callbacks(rows), exclude=exclude)
    [told] = [str(each.message) for each in said]
    assert told == (
        "callbacks: left out 2 callbacks of 1 sessions (test recipient), 0 callbacks of 0 sessions "
        "(period 2026-01-01T00:00Z to 2026-01-02T00:00Z); kept 6"
    )
    assert said[0].filename == __file__
    assert not issubclass(LeftOutNotice, DoubtfulWarning)


def test_nothing_is_said_where_nothing_was_asked_or_left_out(quick: Any, rows: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load.callbacks(quick.callbacks(rows))
        told = load.left_out(quick.callbacks(rows))
    assert list(told.itertuples(index=False, name=None)) == [("kept", "", 8, 6, 4), ("all", "", 8, 6, 4)]


def test_of_nothing_nothing_is_left_out(engine: Any) -> None:
    told = load.left_out(engine.callbacks([]), exclude=load.Exclusions(recipients=["k"], periods=[HOUR]))
    assert told[["callbacks", "attempts", "sessions"]].to_numpy().tolist() == [[0, 0, 0]] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipients": ["1415" + "5550123"]}, "one of these looks like a phone number"),
        ({"recipients": ["k:1", "+1 415 555 0123"]}, "one of these looks like a phone number"),
        ({"recipients": "k:1"}, "recipients= is a list of recipient keys"),
        ({"recipients": [""]}, "takes recipient keys, texts"),
        ({"recipients": [14155550123]}, "takes recipient keys, texts"),
        ({"periods": [HOUR[::-1]]}, "periods=: 2026-09-01T13:00Z is not before 2026-09-01T12:00Z"),
        ({"periods": [("2026-09-01", "2026-09-02")]}, "has no time zone; for UTC write"),
        ({"periods": HOUR}, "takes pairs of moments"),
        ({"periods": [(HOUR[0],)]}, "takes pairs of moments"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(arguments: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as refused:
        load.Exclusions(**arguments)
    assert "555" not in str(refused.value)


def test_something_else_in_its_place_is_refused(quick: Any, rows: Any) -> None:
    with pytest.raises(ArgumentError, match=r"exclude= takes load\.Exclusions"):
        load.callbacks(quick.callbacks(rows), exclude=["k:1"])  # type: ignore[arg-type]
