"""Whether anybody was listening while an attempt waited: judged by minutes and by time alone."""

from typing import Any

import pytest

# Waiting of 900 s from second 90 touches the minutes 1 to 16, both included.
ALL = range(40)
GAPS = {
    "no gap": (ALL, False),
    "a gap before the start": (set(ALL) - {0}, False),
    "a gap in the minute of the start": (set(ALL) - {1}, True),
    "a gap in between": (set(ALL) - {9}, True),
    "a gap in the last minute of waiting": (set(ALL) - {16}, True),
    "a gap after waiting": (set(ALL) - {17}, False),
    "one gap before and one after": (set(ALL) - {0, 20}, False),
    "pulse that begins while it waits": (range(5, 40), False),
    "pulse that ends while it waits": (range(8), False),
    "pulse that begins after it": (range(30, 40), False),
    "pulse that ended before it": (range(1), False),
    "pulse that begins while it waits, with a gap": ({5, 6, 8, 9, 30}, True),
}


@pytest.mark.parametrize("why", GAPS)
def test_waiting_that_meets_a_minute_without_pulse_is_unobserved(
    why: str, callback: Any, attempts_of: Any, quick: Any
) -> None:
    minutes, unobserved = GAPS[why]
    row = attempts_of([callback(91, "delivered", requested_at=90)], pulse=quick.pulse(minutes))["a1"]
    assert row["coverage_known"]
    assert row["outcome"] == ("unobserved" if unobserved else "delivered")


def test_gaps_mean_the_same_on_every_engine(engine: Any, callback: Any, after: Any, rows_of: Any) -> None:
    from verify_analytics import model

    callbacks = engine.callbacks([callback(91, "delivered", requested_at=90)])
    for minutes, unobserved in (GAPS["a gap in between"], GAPS["a gap after waiting"]):
        attempts = model.attempts(callbacks, as_of=after(3600), pulse=engine.pulse(minutes))
        assert [row["outcome"] == "unobserved" for row in rows_of(attempts)] == [unobserved]


def test_minutes_in_any_order_mean_the_same_on_every_engine(
    engine: Any, callback: Any, after: Any, rows_of: Any
) -> None:
    from verify_analytics import model

    callbacks = engine.callbacks([callback(91, "delivered", requested_at=90)])
    for minutes, unobserved in (GAPS["no gap"], GAPS["a gap in between"]):
        backwards = sorted(minutes, reverse=True)
        attempts = model.attempts(callbacks, as_of=after(3600), pulse=engine.pulse(backwards))
        assert [row["outcome"] == "unobserved" for row in rows_of(attempts)] == [unobserved]


def test_any_of_several_collectors_covers_a_minute(quick: Any, callback: Any, attempts_of: Any) -> None:
    import polars as pl

    both = pl.concat(
        [quick.pulse(range(0, 40, 2), "one"), quick.pulse(range(1, 40, 2), "two"), quick.pulse([7], "two")]
    )
    assert attempts_of([callback(91, "sent")], pulse=both)["a1"]["outcome"] == "accepted"
    assert attempts_of([callback(91, "sent")], pulse=both.filter(pl.col("collector") == "one"))["a1"]["outcome"] == (
        "unobserved"
    )


def test_without_pulse_coverage_is_not_known_and_nothing_is_unobserved(
    callback: Any, attempts_of: Any, quick: Any
) -> None:
    for given in ({}, {"pulse": quick.pulse([])}, {"pulse": quick.pulse([100])}):
        row = attempts_of([callback(91, "sent")], **given)["a1"]
        assert (row["coverage_known"], row["covered_until_us"], row["observed_until_us"]) == (False, None, None)
        assert row["outcome"] == "accepted"


def test_minutes_after_as_of_do_not_exist(callback: Any, attempts_of: Any, quick: Any, us: Any) -> None:
    # Seen from minute 12 nothing is known of a gap in minute 14, later it is. Minute 12 itself is not over yet.
    pulse = quick.pulse(set(ALL) - {14})
    early = attempts_of([callback(91, "sent", requested_at=90)], seconds=750, pulse=pulse)["a1"]
    assert (early["outcome"], early["covered_until_us"]) == ("pending", us(720))
    late = attempts_of([callback(91, "sent", requested_at=90)], seconds=960, pulse=pulse)["a1"]
    assert late["outcome"] == "unobserved"


def test_unobserved_is_judged_by_time_whatever_was_heard_and_at_any_age(
    callback: Any, attempts_of: Any, quick: Any
) -> None:
    pulse = quick.pulse(set(ALL) - {3})
    read = attempts_of(
        [
            callback(91, "delivered", requested_at=90),
            callback(92, "landed", requested_at=90, attempt_id="a2"),
            callback(400, "sent", requested_at=400, attempt_id="a3"),
            callback(91, None, attempt_id=None),
        ],
        seconds=500,
        pulse=pulse,
    )
    assert [(key, row["outcome"], row["mature"]) for key, row in read.items()] == [
        ("a1", "unobserved", False),
        ("a2", "unobserved", False),
        ("a3", "pending", False),
        ("session:s1", None, False),
    ]
    # The facts stay where they are.
    assert read["a1"]["delivered_us"] == read["a1"]["settled_us"] is not None


def test_how_long_coverage_lasted_is_told(callback: Any, attempts_of: Any, quick: Any, us: Any) -> None:
    read = attempts_of(
        [callback(91, "sent", requested_at=90), callback(601, "sent", requested_at=600, attempt_id="a2")],
        pulse=quick.pulse(set(ALL) - {10, 30}),
    )
    assert {row["covered_until_us"] for row in read.values()} == {us(40 * 60)}
    # The run that holds the start ends with minute 9; the minute of the other start is not covered at all.
    assert [row["observed_until_us"] for row in read.values()] == [us(600), us(600)]
