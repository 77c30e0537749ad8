"""Who was verified, where it gets odd: redeliveries alone, nameless attempts, wrong clocks, borders of time, nulls."""

import warnings
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.verify_analytics.metrics.rows import AS_OF_US, Row
from verify_analytics import metrics, model
from verify_analytics.errors import DoubtfulWarning
from verify_analytics.model.columns import ATTEMPTS, SESSIONS

Build = Callable[..., Any]
BESIDE = ["immature", "unobserved", "unknown", "not_observable"]


class Read(NamedTuple):
    """The three frames that one reading gives."""

    rate: pd.DataFrame
    funnel: pd.DataFrame
    trust: pd.DataFrame


@pytest.fixture
def read(quick: Any, after: Any) -> Callable[..., Read]:
    """Read callbacks and the application's reports one day later; another session reports before and after."""

    def told(callbacks: Iterable[Row], verified: Iterable[tuple[str, float]] = (), **options: Any) -> Read:
        reports = [("first", -86400, -86400), ("last", 80000, 80000), *((s, at, max(at, 1)) for s, at in verified)]
        rows = [{"session_id": s, "verified_at": at, "received_at": heard} for s, at, heard in reports]
        attempts = model.attempts(
            quick.callbacks(callbacks), as_of=after(86400), verifications=quick.verifications(rows)
        )
        given = {"source": "app", **options}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DoubtfulWarning)
            return Read(
                metrics.verification_rate(model.sessions(attempts), **given),
                metrics.funnel(attempts, **given),
                metrics.receipt_trust(attempts, **given),
            )

    return told


def counted(frame: pd.DataFrame, measure: str) -> tuple[int, int]:
    rows = frame[(frame["measure"] == measure) & (frame["source"] == "app")]
    assert len(rows) == 1
    return int(rows.iloc[0]["count"]), int(rows.iloc[0]["n"])


def test_redeliveries_change_nothing(read: Callable[..., Read], callback: Any) -> None:
    once = [callback(1, "sent"), callback(5, "delivered")]
    again = [{**row, "received_at": at, "arrival_id": f"again {at}"} for row in once for at in (65, 190, 440)]
    for one, many in zip(read(once, [("s1", 20)]), read(once + again, [("s1", 20)]), strict=True):
        pd.testing.assert_frame_equal(one, many)


def test_redeliveries_alone_tell_a_session_too(read: Callable[..., Read], callback: Any) -> None:
    late = [{**callback(5, "delivered"), "received_at": at, "arrival_id": f"again {at}"} for at in (125, 245)]
    found = read(late, [("s1", 20)])
    assert counted(found.rate, "verified") == counted(found.funnel, "verified_delivered") == (1, 1)


def test_a_session_whose_attempts_have_no_name_is_unknown(read: Callable[..., Read], callback: Any) -> None:
    found = read([callback(5, "delivered", attempt_id=None)], [("s1", 20)])
    for frame in found:
        rows = frame[frame["source"] == "app"]
        assert set(rows["n"]) == {0}
        assert rows[BESIDE].drop_duplicates().to_numpy().tolist() == [[0, 0, 1, 0]]
        assert rows["rate"].isna().all()


def test_an_unknown_channel_is_a_channel(read: Callable[..., Read], callback: Any) -> None:
    found = read([callback(5, "delivered", channel="pigeon")], [("s1", 20)], by="first_channel")
    assert all(set(frame["first_channel"]) == {"pigeon"} for frame in found)
    assert counted(found.funnel, "verified_delivered") == (1, 1)


def test_an_unknown_status_is_in_no_funnel_and_its_session_in_the_rate(
    read: Callable[..., Read], callback: Any
) -> None:
    found = read([callback(5, "odd")], [("s1", 20)])
    assert counted(found.rate, "verified") == (1, 1)
    assert counted(found.funnel, "verified") == (0, 0)
    assert set(found.funnel["unknown"]) == set(found.trust["unknown"]) == {1}


@pytest.mark.parametrize(
    ("code", "measure"),
    [
        ("31415", "not_handed_over_network"),
        (None, "not_handed_over_network"),
        ("451", "not_handed_over_policy"),
        ("452", "not_handed_over_policy"),
        ("450", "not_handed_over_account"),
        ("900", "not_handed_over_account"),
    ],
)
def test_a_refusal_is_named_by_its_code(
    code: str | None, measure: str, read: Callable[..., Read], callback: Any
) -> None:
    assert counted(read([callback(5, "failed", error_code=code)]).funnel, measure) == (1, 1)


def test_facts_that_contradict_each_other_make_no_second_session(read: Callable[..., Read], callback: Any) -> None:
    rows = [callback(1, "sent", country="GB"), callback(5, "delivered", country="US", recipient_key="k:2")]
    found = read(rows, [("s1", 20)], by="country")
    assert all(set(frame["country"]) == {"GB"} for frame in found)
    assert counted(found.rate, "verified") == (1, 1)


def test_a_clock_that_runs_backwards_takes_nobody_out(read: Callable[..., Read], callback: Any) -> None:
    rows = [callback(1, "sent"), callback(5, "delivered")]
    found = read(rows, [("s1", -30)])
    assert counted(found.rate, "verified") == counted(found.rate, "first_attempt_conversion") == (1, 1)
    assert set(found.rate["clock_faults"]) == {1}
    # A second attempt asked for "before" the first one is a second attempt all the same.
    second = callback(70, "sent", attempt_id="a2", attempt_sequence=2, requested_at=-60)
    found = read([*rows, second], [("s1", 90)])
    assert counted(found.rate, "first_attempt_conversion") == (0, 1)
    assert counted(found.rate, "verified_with_attempt_2") == (1, 1)


@pytest.mark.parametrize(("by", "start"), [("day", "2026-08-31"), ("month", "2026-08-01"), ("year", "2026-01-01")])
def test_a_session_across_midnight_belongs_to_its_start(
    by: str, start: str, read: Callable[..., Read], callback: Any
) -> None:
    """The small histories start at noon of September 1: twelve hours and ten seconds before lies August."""
    night = -12 * 3600 - 10
    rows = [
        callback(night + 2, "undelivered", requested_at=night),
        callback(night + 42, "delivered", requested_at=night + 40, attempt_id="a2", attempt_sequence=2),
    ]
    found = read(rows, [("s1", night + 60)], by=by)
    assert all(frame[by].unique().tolist() == [pd.Timestamp(start, tz="UTC")] for frame in found)
    assert counted(found.rate, "verified_with_attempt_2") == (1, 1)


def test_local_hours_are_those_of_the_phone_when_the_clock_is_put_back(sessions_of: Build, engine: Build) -> None:
    """On 2026-10-25 in Germany the hour from 02:00 to 03:00 came twice."""
    starts = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1, 2)]
    rows = [{"started_us": round(at.timestamp()) * 1_000_000, "country": "DE"} for at in starts]
    found = metrics.verification_rate(engine(sessions_of(rows)), by="local_hour", source="app")
    rates = found[found["measure"] == "verified"]
    assert rates[["local_hour", "n"]].to_numpy().tolist() == [[2, 2], [3, 1]]


NULLABLE = [column.name for column in ATTEMPTS if column.nullable]
OF_SESSIONS = [column.name for column in SESSIONS if column.nullable]


def with_nulls(attempts_of: Build, sessions_of: Build, into: Build) -> list[pd.DataFrame]:
    """Ask of a row for each column that may hold nulls, of one with nulls in all of them, and of an ordinary one."""
    kept = {"app_first_us": AS_OF_US - 2 * 86_400_000_000, "app_last_us": AS_OF_US}
    rows = [dict(kept), *(kept | {name: None} for name in NULLABLE), dict.fromkeys(NULLABLE)]
    some = [{}, *({name: None} for name in OF_SESSIONS), dict.fromkeys(OF_SESSIONS)]
    attempts = into(attempts_of(rows))
    return [
        metrics.funnel(attempts, by="country", source="app"),
        metrics.receipt_trust(attempts, by="first_channel", source="app"),
        metrics.verification_rate(into(sessions_of(some)), by=["country", "first_channel"], source="app"),
    ]


@pytest.fixture(scope="module")
def expected(attempts_of: Build, sessions_of: Build) -> list[pd.DataFrame]:
    return with_nulls(attempts_of, sessions_of, lambda frame: frame)


def test_a_null_in_every_column_that_may_hold_one_counts_alike_everywhere(
    attempts_of: Build, sessions_of: Build, engine: Build, expected: list[pd.DataFrame]
) -> None:
    for ours, theirs in zip(with_nulls(attempts_of, sessions_of, engine), expected, strict=True):
        pd.testing.assert_frame_equal(ours, theirs, rtol=0, atol=1e-9)


def test_a_null_takes_no_session_out_of_sight(expected: list[pd.DataFrame]) -> None:
    funnel, _, rate = expected
    steps = funnel[(funnel["measure"] == "sessions") & (funnel["source"] == "")]
    assert steps[["n", *BESIDE]].to_numpy().sum() == len(NULLABLE) + 2
    verified = rate[rate["measure"] == "verified"]
    assert verified[["n", *BESIDE]].to_numpy().sum() == len(OF_SESSIONS) + 2


def test_a_source_is_asked_only_about_sessions_it_watched_to_the_end(sessions_of: Callable[..., pd.DataFrame]) -> None:
    """The reporter stops with the report of one session; what began a minute before it cannot be judged, nor that one.

    In ten sessions an hour apart, of which 7 in 10 verify, to choose by the start alone gave 74 %.
    """
    minute = 60_000_000
    start = AS_OF_US - 24 * 60 * minute
    last_report = start + 60 * minute
    rows = [
        {"started_us": start, "verified_app_us": start + minute},
        {"started_us": start + 50 * minute},
        {"started_us": start + 50 * minute + 1},
        {"started_us": last_report - minute, "verified_app_us": last_report},
    ]
    frame = sessions_of([{**row, "last_started_us": row["started_us"], "app_last_us": last_report} for row in rows])
    found = metrics.verification_rate(frame, source="app")
    assert counted(found, "verified") == (1, 2)
    assert set(found["not_observable"]) == {2}
