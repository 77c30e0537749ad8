"""Folding is a join: order, repetition and splitting cannot change a state or an attempt, on any engine."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from verify_analytics import model
from verify_analytics.errors import ArgumentError, SchemaError

# One example costs an engine much or little: planning a query of DuckDB takes longer than running it on five rows.
EXAMPLES = {"pandas": 3, "pandas-arrow": 2, "polars": 12, "polars-lazy": 8, "duckdb": 2}
MORE = pytest.mark.parametrize("times", [1, pytest.param(40, marks=pytest.mark.full)])


def law(engine: Any, times: int = 1) -> settings:
    # Histories are small enough to be read as they are found; making them smaller costs minutes on slow engines.
    return settings(
        max_examples=EXAMPLES[engine.name] * times,
        phases=(Phase.explicit, Phase.generate),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


@MORE
def test_order_repetition_and_splitting_change_nothing(
    engine: Any, histories: Any, rows_of: Any, after: Any, times: int
) -> None:
    @law(engine, times)
    @given(rows=histories, data=st.data())
    def holds(rows: list[dict[str, Any]], data: st.DataObject) -> None:
        again = data.draw(st.lists(st.sampled_from(rows), max_size=5)) if rows else []
        disordered = data.draw(st.permutations(rows + again))
        sides = [data.draw(st.sampled_from([(0,), (1,), (0, 1)])) for _ in disordered]
        parts = [[row for row, side in zip(disordered, sides, strict=True) if n in side] for n in (0, 1)]

        whole = model.fold(engine.callbacks(rows))
        expected = rows_of(whole, "key")
        assert rows_of(model.fold(engine.callbacks(disordered)), "key") == expected
        merged = model.merge(*(model.fold(engine.callbacks(part)) for part in parts))
        assert rows_of(merged, "key") == expected
        assert rows_of(model.merge(merged), "key") == expected
        read, read_merged = (rows_of(model.finish(one, as_of=after(3600)), "key") for one in (whole, merged))
        assert read_merged == read
        assert rows_of(model.attempts(engine.callbacks(disordered), as_of=after(3600)), "key") == read

    holds()


@MORE
def test_every_engine_gives_the_same_attempts_and_sessions(
    engine: Any, quick: Any, histories: Any, reports: Any, rows_of: Any, after: Any, times: int
) -> None:
    @law(engine, times)
    @given(
        rows=histories,
        told=st.none() | reports,
        minutes=st.none() | st.lists(st.integers(-1, 45)),
        seconds=st.sampled_from([950, 1700, 3600]),
    )
    def holds(rows: Any, told: Any, minutes: Any, seconds: int) -> None:
        read = []
        for one in (engine, quick):
            verifications = None if told is None else one.verifications(told)
            pulse = None if minutes is None else one.pulse(minutes)
            attempts = model.attempts(
                one.callbacks(rows), as_of=after(seconds), verifications=verifications, pulse=pulse
            )
            sessions = model.sessions(attempts)
            read.append((rows_of(attempts, "key"), rows_of(sessions, "session_id")))
        assert read[0] == read[1]

    holds()


@MORE
def test_an_old_reading_is_the_same_from_a_store_that_has_grown(
    engine: Any, histories: Any, reports: Any, rows_of: Any, after: Any, times: int
) -> None:
    @law(engine, times)
    @given(rows=histories, told=reports, minutes=st.lists(st.integers(0, 45)), as_of=st.sampled_from([60, 62, 900]))
    def holds(rows: Any, told: Any, minutes: list[int], as_of: int) -> None:
        read = []
        for until in (as_of, 10**6):
            attempts = model.attempts(
                engine.callbacks(row for row in rows if row["received_at"] <= until),
                as_of=after(as_of),
                verifications=engine.verifications(one for one in told if one["received_at"] <= until),
                pulse=engine.pulse(minute for minute in minutes if 60 * minute <= until),
            )
            # Sessions are made of attempts alone, so one engine is enough for them.
            sessions = rows_of(model.sessions(attempts), "session_id") if engine.name == "polars" else []
            read.append((rows_of(attempts, "key"), sessions))
        assert read[0] == read[1]

    holds()


def test_a_state_keeps_the_smallest_and_the_largest_of_each_fact(
    engine: Any, callback: Any, rows_of: Any, us: Any
) -> None:
    rows = [
        callback(5, "undelivered", country="US", error_code="9", attempt_sequence=None, requested_at=None),
        callback(4, "undelivered", country=None, error_code="10", attempt_sequence=2),
        callback(6, "sent", country="GB", error_code="300"),
    ]
    [state] = rows_of(model.fold(engine.callbacks(rows)))
    assert state == {
        "key": "a1",
        "is_attempt": True,
        "first_received_us": us(4),
        "last_received_us": us(6),
        "queued_us": None,
        "ringing_us": None,
        "accepted_us": us(6),
        "failed_us": None,
        "undelivered_us": us(4),
        "delivered_us": None,
        "verified_us": None,
        "expired_us": None,
        # As texts: a rule for ties, and not a ranking of codes.
        "code_undelivered": "10",
        "code_undelivered_max": "9",
        "code_failed": None,
        "code_failed_max": None,
        "has_unknown_status": False,
        "session_id": "s1",
        "session_id_max": "s1",
        "attempt_id": "a1",
        "attempt_id_max": "a1",
        "provider": "plivo",
        "provider_max": "plivo",
        "channel": "sms",
        "channel_max": "sms",
        "attempt_sequence": 1,
        "attempt_sequence_max": 2,
        "recipient_key": "k:1",
        "recipient_key_max": "k:1",
        "country": "GB",
        "country_max": "US",
        "number_block": "447000",
        "number_block_max": "447000",
        "requested_us": us(0),
        "requested_us_max": us(0),
    }


def test_callbacks_that_name_no_attempt_fold_by_session(engine: Any, callback: Any, rows_of: Any) -> None:
    rows = [
        callback(1, "sent", attempt_id=None),
        callback(2, "delivered", attempt_id=None),
        callback(3, "sent", attempt_id=None, session_id="s2"),
        callback(4, "sent"),
    ]
    states = rows_of(model.fold(engine.callbacks(rows)), "key")
    assert [(row["key"], row["is_attempt"], row["attempt_id"]) for row in states] == [
        ("a1", True, "a1"),
        ("session:s1", False, None),
        ("session:s2", False, None),
    ]


def test_no_callbacks_give_no_attempts_and_no_sessions(engine: Any, after: Any, rows_of: Any, kinds: Any) -> None:
    attempts = model.attempts(
        engine.callbacks([]), as_of=after(0), verifications=engine.verifications([]), pulse=engine.pulse([])
    )
    assert rows_of(attempts) == []
    assert kinds(attempts) == {column.name: column.kind for column in model.ATTEMPTS}
    assert rows_of(model.sessions(attempts)) == []


def test_what_is_given_is_not_changed(callback: Any, after: Any, request: pytest.FixtureRequest) -> None:
    import pandas as pd

    from verify_analytics import load

    given_rows = pd.DataFrame([callback(1, "sent")]).assign(
        received_at=pd.Timestamp(after(1)).as_unit("ns"), requested_at=pd.Series([pd.NaT], dtype="datetime64[ns, UTC]")
    )
    before = given_rows.copy(deep=True)
    callbacks = load.callbacks(given_rows)
    pd.testing.assert_frame_equal(given_rows, before)
    loaded = callbacks.copy(deep=True)
    attempts = model.attempts(callbacks, as_of=after(60))
    pd.testing.assert_frame_equal(callbacks, loaded)
    read = attempts.copy(deep=True)
    model.sessions(attempts)
    pd.testing.assert_frame_equal(attempts, read)


def test_lazy_engines_stay_lazy_and_every_engine_keeps_its_frame(engine: Any, callback: Any, after: Any) -> None:
    callbacks = engine.callbacks([callback(1, "sent")])
    attempts = model.attempts(callbacks, as_of=after(60))
    made = [attempts, model.sessions(attempts), model.fold(callbacks), model.story(callbacks, session_id="s1")]
    assert [type(frame) for frame in made] == [type(callbacks)] * 4


def test_a_filtered_pandas_frame_is_read_like_a_fresh_one(callback: Any, after: Any, rows_of: Any) -> None:
    from verify_analytics import load

    from_engine = pytest.importorskip("pandas")
    rows = [callback(i, "sent", attempt_id=f"a{i}", attempt_sequence=i, requested_at=i) for i in (1, 2, 3)]
    frame = from_engine.DataFrame(rows).assign(
        received_at=from_engine.to_datetime([after(1), after(2), after(3)], utc=True),
        requested_at=from_engine.to_datetime([after(1), after(2), after(3)], utc=True),
    )
    loaded = load.callbacks(frame)
    # The analyst's own doings: rows left out, labels kept, Arrow's integers turned into pandas' own.
    filtered = loaded[loaded["attempt_sequence"] > 1].astype(
        {"attempt_sequence": "Int64", "received_us": "Int64", "requested_us": "Int64"}
    )
    read = rows_of(model.attempts(filtered, as_of=after(60)), "key")
    assert [(row["key"], row["role"]) for row in read] == [("a2", "unknown"), ("a3", "resend")]
    # States in any order, with missing integers of pandas' own type: shifting those within a group would fail.
    untold = loaded.assign(requested_us=loaded["requested_us"].where(loaded["attempt_sequence"] == 1))
    states = model.fold(untold).astype({"requested_us": "Int64", "attempt_sequence": "Int64"})
    for order in ([1, 2, 0], [2, 1, 0], [2, 0, 1]):
        again = rows_of(model.finish(states.iloc[order], as_of=after(60)), "key")
        assert [row["role"] for row in again] == ["first_choice", "resend", "resend"]


def test_what_is_missing_is_named_with_the_nearest_name(quick: Any, callback: Any) -> None:
    callbacks = quick.callbacks([callback(1, "sent")])
    with pytest.raises(SchemaError, match=r"no column 'country'; did you mean 'contry'\?.*load\.callbacks"):
        model.fold(callbacks.rename({"country": "contry"}))
    with pytest.raises(SchemaError, match=r"no column 'received_us'"):
        model.attempts(callbacks.drop("received_us"), as_of="2026-10-29T00:00Z")
    with pytest.raises(SchemaError, match=r"states: no column 'key'.*model\.fold"):
        model.merge(callbacks)
    with pytest.raises(SchemaError, match=r"model\.fold"):
        model.finish(callbacks, as_of="2026-10-29T00:00Z")
    with pytest.raises(SchemaError, match=r"model\.attempts"):
        model.sessions(callbacks)
    with pytest.raises(SchemaError, match=r"load\.callbacks"):
        model.story(callbacks.drop("digest"), session_id="s1")


def test_what_is_no_dataframe_is_refused() -> None:
    with pytest.raises(ArgumentError, match="list is no dataframe"):
        model.fold([1, 2])  # type: ignore[type-var]


def test_frames_of_two_engines_are_not_joined_in_silence(quick: Any, callback: Any, after: Any) -> None:
    from verify_analytics import load

    callbacks = quick.callbacks([callback(1, "sent")])
    lazy = quick.pulse([0]).lazy()
    with pytest.raises(ArgumentError, match=r"callbacks are polars \(DataFrame\) and pulse are polars \(LazyFrame\)"):
        model.attempts(callbacks, as_of=after(60), pulse=lazy)
    other = load.connection().sql("SELECT 's1' AS session_id, 1::BIGINT AS verified_us, 1::BIGINT AS received_us")
    with pytest.raises(ArgumentError, match=r"polars \(DataFrame\) and verifications are duckdb"):
        model.attempts(callbacks, as_of=after(60), verifications=other)
    with pytest.raises(ArgumentError, match="further states"):
        model.merge(model.fold(callbacks), model.fold(callbacks.lazy()))


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # DuckDB's own
def test_what_duckdb_hands_over_to_pandas_is_read_like_itself(root: Path, rows_of: Any) -> None:
    """`.df()` makes numbers with a point of integers with gaps: the first thing many an analyst does."""
    from verify_analytics import load

    where = root / "data" / "sample" / "callbacks.parquet"
    given = (load.callbacks(where), load.verifications(where), load.pulse(where))
    read = [
        rows_of(model.sessions(model.attempts(one, as_of="2026-10-29T00:00Z", verifications=two, pulse=three)))
        for one, two, three in (given, [each.df() for each in given if each is not None])
    ]
    told = [
        sorted((row["session_id"], row["outcome"], row["attempts"], row["started_us"]) for row in rows) for rows in read
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 423
