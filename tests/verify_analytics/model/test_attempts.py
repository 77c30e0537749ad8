"""What became of each attempt, on histories that one can check by eye. Patience is 900 s unless said otherwise."""

from typing import Any

import pytest

from verify_analytics import model
from verify_analytics.errors import ArgumentError

OUTCOMES: dict[str, tuple[list[tuple[float, str | None]], str]] = {
    "delivered wins over everything, in any order": (
        [(9, "delivered"), (3, "undelivered"), (2, "failed")],
        "delivered",
    ),
    "undelivered wins over failed": ([(2, "undelivered"), (3, "failed"), (1, "sent")], "undelivered"),
    "failed wins over accepted": ([(2, "failed"), (3, "sent")], "failed"),
    "accepted is what the network took and nobody confirmed": ([(1, "queued"), (2, "sent")], "accepted"),
    "queued alone is silence": ([(1, "queued")], "silent"),
    "a callback without a status is silence": ([(1, None)], "silent"),
    "an empty status says nothing": ([(1, "")], "silent"),
    "only unlisted statuses are unknown": ([(1, "landed"), (2, None)], "unknown"),
    "an unlisted status beside a listed one does no harm": ([(1, "queued"), (2, "landed")], "silent"),
    "an unlisted status beside a receipt does no harm": ([(1, "landed"), (2, "failed")], "failed"),
}


@pytest.mark.parametrize("why", OUTCOMES)
def test_the_strongest_state_decides(why: str, callback: Any, attempts_of: Any) -> None:
    statuses, outcome = OUTCOMES[why]
    attempt = attempts_of(callback(at, status) for at, status in statuses)["a1"]
    assert attempt["outcome"] == outcome


YOUNG = {"queued": "pending", "sent": "pending", "delivered": "delivered", "failed": "failed", "landed": "unknown"}


@pytest.mark.parametrize("status", YOUNG)
def test_an_attempt_younger_than_patience_waits_unless_it_is_settled(
    status: str, callback: Any, attempts_of: Any
) -> None:
    [young] = attempts_of([callback(5, status)], seconds=899.999999).values()
    assert (young["outcome"], young["mature"]) == (YOUNG[status], False)
    [old] = attempts_of([callback(5, status)], seconds=900).values()
    assert old["mature"]


def test_patience_is_the_analysts(callback: Any, attempts_of: Any) -> None:
    rows = [callback(5, "sent")]
    assert attempts_of(rows, seconds=100, patience="90s")["a1"]["outcome"] == "accepted"
    assert attempts_of(rows, seconds=100, patience="2min")["a1"]["outcome"] == "pending"
    assert attempts_of(rows, seconds=100, patience="2min")["a1"]["patience_seconds"] == 120.0


def test_what_was_received_after_as_of_does_not_exist(callback: Any, attempts_of: Any) -> None:
    rows = [callback(5, "sent"), callback(1000.000001, "delivered"), callback(1001, "sent", attempt_id="a2")]
    assert [(key, row["outcome"]) for key, row in attempts_of(rows, seconds=1000).items()] == [("a1", "accepted")]
    assert attempts_of(rows, seconds=1000.000001)["a1"]["outcome"] == "delivered"


def test_the_first_time_of_the_winning_receipt_is_when_it_was_settled(callback: Any, attempts_of: Any, us: Any) -> None:
    attempt = attempts_of(
        [callback(9, "delivered"), callback(7, "delivered"), callback(3, "undelivered"), callback(1, "sent")]
    )["a1"]
    assert (attempt["settled_us"], attempt["delivered_us"], attempt["undelivered_us"]) == (us(7), us(7), us(3))
    assert attempts_of([callback(1, "sent")])["a1"]["settled_us"] is None


def test_the_error_code_is_that_of_the_winning_state(callback: Any, attempts_of: Any) -> None:
    failed = callback(1, "failed", error_code="200")
    assert attempts_of([failed])["a1"]["error_code"] == "200"
    undelivered = attempts_of([failed, callback(2, "undelivered", error_code="30")])["a1"]
    assert (undelivered["error_code"], undelivered["codes_differ"]) == ("30", False)
    delivered = attempts_of([failed, callback(2, "delivered", error_code="000")])["a1"]
    assert (delivered["error_code"], delivered["codes_differ"]) == (None, False)
    assert attempts_of([callback(1, "sent", error_code="30")])["a1"]["error_code"] is None


def test_of_several_codes_the_smallest_text_is_kept_and_marked(callback: Any, attempts_of: Any) -> None:
    rows = [callback(1, "undelivered", error_code="50"), callback(2, "undelivered", error_code="300")]
    attempt = attempts_of(rows)["a1"]
    assert (attempt["error_code"], attempt["codes_differ"]) == ("300", True)
    none_and_one = attempts_of([callback(1, "undelivered", error_code=""), rows[0]])["a1"]
    assert (none_and_one["error_code"], none_and_one["codes_differ"]) == ("50", False)


@pytest.mark.parametrize(
    ("fact", "other"),
    [
        ("session_id", "s2"),
        ("provider", "other"),
        ("channel", "voice"),
        ("attempt_sequence", 2),
        ("recipient_key", "k:2"),
        ("country", "US"),
        ("number_block", "1202555"),
    ],
)
def test_facts_that_contradict_each_other_are_marked(fact: str, other: Any, callback: Any, attempts_of: Any) -> None:
    agreed = callback(1, "sent")
    [attempt] = attempts_of([agreed, callback(2, "delivered", **{fact: other})]).values()
    assert attempt["conflict"]
    assert attempt[fact] == min(agreed[fact], other)
    if fact not in {"session_id", "provider"}:
        [attempt] = attempts_of([agreed, callback(2, "delivered", **{fact: None})]).values()
        assert not attempt["conflict"]
        assert attempt[fact] == agreed[fact]


def test_a_requested_time_that_varies_is_no_conflict(callback: Any, attempts_of: Any, us: Any) -> None:
    attempt = attempts_of([callback(1, "sent", requested_at=1), callback(2, "delivered")])["a1"]
    assert (attempt["conflict"], attempt["requested_us"], attempt["started_us"]) == (False, us(0), us(0))


def test_a_row_that_names_no_attempt_has_no_outcome_and_no_role(callback: Any, attempts_of: Any) -> None:
    rows = [callback(1, "sent", attempt_id=None), callback(2, "delivered", attempt_id=None, channel="voice")]
    row = attempts_of(rows)["session:s1"]
    assert (row["is_attempt"], row["outcome"], row["role"], row["attempt_id"]) == (False, None, None, None)
    # Several attempts may hide behind it, so facts that differ are no contradiction.
    assert not row["conflict"]


def test_the_start_is_the_requested_time_or_else_the_first_arrival(callback: Any, attempts_of: Any, us: Any) -> None:
    told = attempts_of([callback(4, "sent", requested_at=1)])["a1"]
    assert (told["started_us"], told["started_at_source"]) == (us(1), "requested_at")
    untold = attempts_of([callback(9, "delivered", requested_at=None), callback(4, "sent", requested_at=None)])["a1"]
    assert (untold["started_us"], untold["started_at_source"]) == (us(4), "received_at")


def test_the_moment_of_looking_travels_with_every_row(callback: Any, attempts_of: Any, after: Any, us: Any) -> None:
    attempt = attempts_of([callback(4, "sent")], seconds=1234.5)["a1"]
    assert (attempt["as_of"], attempt["as_of_us"]) == (after(1234.5), us(1234.5))


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        ("2026-10-29T00:00", r'has no time zone; for UTC write "2026-10-29T00:00Z"'),
        ("2026-10-29", r'has no time zone; for UTC write "2026-10-29T00:00Z"'),
        ("yesterday", r"""as_of='yesterday' is no moment; write it as "2026-10-29T00:00Z\""""),
        (20261029, "is no moment"),
        (None, "is no moment"),
    ],
)
def test_a_moment_without_a_zone_is_refused(as_of: Any, message: str, quick: Any, callback: Any) -> None:
    with pytest.raises(ArgumentError, match=message):
        model.attempts(quick.callbacks([callback(1, "sent")]), as_of=as_of)


def test_a_naive_timestamp_is_refused_and_an_aware_one_taken(quick: Any, callback: Any, rows_of: Any, us: Any) -> None:
    import pandas as pd

    callbacks = quick.callbacks([callback(1, "sent")])
    with pytest.raises(ArgumentError, match="no time zone"):
        model.attempts(callbacks, as_of=pd.Timestamp("2026-09-01 13:00"))
    with pytest.raises(ArgumentError, match="missing"):
        model.attempts(callbacks, as_of=pd.NaT)  # type: ignore[arg-type]
    [row] = rows_of(model.attempts(callbacks, as_of=pd.Timestamp("2026-09-01 15:00:00.000001", tz="Europe/Berlin")))
    assert row["as_of_us"] == us(3600.000001)


@pytest.mark.parametrize("patience", ["15", "15m", "fast", "", "-5min", "0s", 15, None])
def test_a_duration_without_a_clear_unit_is_refused(patience: Any, quick: Any, callback: Any) -> None:
    with pytest.raises(ArgumentError, match=r'patience=.* write it as .*"15min"'):
        model.attempts(quick.callbacks([callback(1, "sent")]), as_of="2026-10-29T00:00Z", patience=patience)


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("15min", 900), ("1h", 3600), ("2d", 172800), ("1.5 h", 5400)]
)
def test_durations_are_read(written: str, seconds: int, quick: Any, callback: Any, rows_of: Any, after: Any) -> None:
    [row] = rows_of(model.attempts(quick.callbacks([callback(1, "sent")]), as_of=after(60), patience=written))
    assert row["patience_seconds"] == seconds
