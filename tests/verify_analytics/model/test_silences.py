"""When a source told nothing for long: judged by minutes, sessions and reports that one can count by hand.

A loud half-hour has a session in each minute, reported 20 seconds after it began. Silences are told in minutes since
the start: from the first one without a report to the next one with one.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.verify_analytics.conftest import ENGINES, MOSTLY_FEW, START, Engine, callback, kept, rows_of
from verify_analytics import model
from verify_analytics.errors import SchemaError
from verify_analytics.simulate.spells import Begun, speech

Row = dict[str, Any]
SOURCES = ("app", "callback")


class Block(NamedTuple):
    """Some minutes in which a session begins every so often, and what becomes of each and of its report."""

    minutes: int
    every: float = 60.0
    told: str = "at once"
    status: tuple[str, ...] = ("delivered",)


class Told(NamedTuple):
    """One session: when it began, what was said of its attempt, when it was reported."""

    at: float
    status: tuple[str, ...]
    reported_at: float | None


LOUD = Block(30)
QUIET = Block(60, 120, "never")


def kept_attempts(*given: Any, **more: Any) -> Any:
    return kept(model.attempts(*given, **more))


def sessions_of(blocks: Iterable[Block]) -> list[Told]:
    """Let blocks follow each other. What is told late is told in the second in which its block ends."""
    found, begin = list[Told](), 0
    for block in blocks:
        end = begin + 60 * block.minutes
        for number in range(10**6):
            at = begin + number * block.every
            if at >= end:
                break
            told = {
                "at once": at + 20,
                "never": None,
                "late": end,
                "every other": at + 20 if number % 2 else None,
                "every other late": end if number % 2 else None,
                "every third late": end if number % 3 == 1 else None,
            }[block.told]
            found.append(Told(at, block.status, told))
        begin = end
    return found


def received(told: Iterable[Told], source: str) -> tuple[list[Row], list[Row]]:
    """Give callbacks, and the application's reports, of sessions that one source reported."""
    rows, reports = list[Row](), list[Row]()
    for n, one in enumerate(told):
        about = {"session_id": f"s{n:03}", "attempt_id": f"a{n:03}", "requested_at": one.at}
        rows += [callback(one.at + 1 + i, status, **about) for i, status in enumerate(one.status)]
        if one.reported_at is not None and source == "callback":
            rows.append(callback(one.reported_at, None, session_status="verified", **about))
        elif one.reported_at is not None:
            at = one.reported_at
            reports.append({"session_id": about["session_id"], "verified_at": one.at + 15, "received_at": at})
    return rows, reports


LONG = {
    "an hour in which thirty fell silent": ((LOUD, QUIET, LOUD), [(30, 90)]),
    "not one of 59 minutes": ((LOUD, QUIET._replace(minutes=59), LOUD), []),
    "one in which twenty were to be expected": ((LOUD, QUIET._replace(every=180), LOUD), [(30, 90)]),
    "not one in which nineteen were to be expected": ((LOUD, QUIET._replace(every=190), LOUD), []),
    "not one in which ten were to be expected of twenty": (
        (LOUD._replace(told="every other"), QUIET._replace(every=180), LOUD._replace(told="every other")),
        [],
    ),
    "one in which twenty were to be expected of forty": (
        (LOUD._replace(told="every other"), Block(60, 90, "never"), Block(31, told="every other")),
        [(30, 91)],
    ),
    "not a night in which nobody asked": ((LOUD, Block(300, 10**6, "never"), LOUD), []),
    "not an outage of the carriers": ((LOUD, QUIET._replace(status=("sent", "undelivered")), LOUD), []),
    "not one in which messages failed": ((LOUD, QUIET._replace(status=("failed",)), LOUD), []),
    "not one in which nobody was heard of but to ask": ((LOUD, QUIET._replace(status=("queued",)), LOUD), []),
    "where carriers send no receipts too": ((LOUD, QUIET._replace(status=("queued", "sent")), LOUD), [(30, 90)]),
    "where a receipt came after a failure too": (
        (LOUD, QUIET._replace(status=("undelivered", "delivered")), LOUD),
        [(30, 90)],
    ),
    "not reports that come in one go afterwards": ((LOUD, QUIET._replace(told="late"), LOUD), []),
    "not if half of them come afterwards": ((LOUD, QUIET._replace(told="every other late"), LOUD), []),
    "although a third of them comes afterwards": ((LOUD, QUIET._replace(told="every third late"), LOUD), [(30, 90)]),
    "although the source began late": ((Block(60, 30, "never"), LOUD, QUIET, LOUD), [(90, 150)]),
    "although the source ended early": ((LOUD, QUIET, LOUD, Block(60, 30, "never")), [(30, 90)]),
    "two of them": ((LOUD, QUIET, LOUD, QUIET, LOUD), [(30, 90), (120, 180)]),
    "not before the first report": ((QUIET, LOUD), []),
    "not after the last report": ((LOUD, QUIET), []),
    "if twenty sessions were reported outside of it": ((Block(10), QUIET, Block(10)), [(10, 70)]),
    "not if nineteen were": ((Block(10), QUIET, Block(9)), []),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("why", LONG)
def test_a_silence_is_long(why: str, source: str, quick: Any, after: Any, us: Any) -> None:
    blocks, silent = LONG[why]
    rows, reports = received(sessions_of(blocks), source)
    attempts = kept_attempts(
        quick.callbacks(rows), as_of=after(10**6), verifications=quick.verifications(reports) if reports else None
    )
    found = rows_of(model.silences(attempts))
    assert [
        (row["source"], row["from_us"], row["until_us"]) for row in sorted(found, key=lambda row: row["from_us"])
    ] == [(source, us(60 * begin), us(60 * end)) for begin, end in silent]


def test_a_silence_is_listed_with_what_tells_it_from_nobody_having_verified(engine: Any, after: Any, us: Any) -> None:
    rows, reports = received(sessions_of((LOUD, QUIET, LOUD)), "app")
    # Two of the silent hour's sessions were not delivered; the provider says of three sessions that they were verified.
    rows = [row | {"channel_status": "sent"} if row["attempt_id"] in {"a030", "a031"} else row for row in rows]
    rows += [
        callback(2000, None, session_id=f"s{n}", attempt_id=None, session_status="verified", requested_at=1990)
        for n in ("029", "030", "035")
    ]
    attempts = kept_attempts(engine.callbacks(rows), as_of=after(10**6), verifications=engine.verifications(reports))
    assert rows_of(model.silences(attempts)) == [
        {
            "source": "app",
            "from_us": us(1800),
            "until_us": us(5400),
            "seconds": 3600.0,
            "sessions": 30,
            "delivered": 28,
            "verified_by_other": 2,
            "as_of": after(10**6),
        }
    ]


def test_the_list_has_the_declared_columns_whether_or_not_it_has_rows(engine: Any, after: Any, kinds: Any) -> None:
    for blocks, told_of in (((LOUD, QUIET, LOUD), True), ((Block(1),), False)):
        rows, reports = received(sessions_of(blocks), "app")
        told = engine.verifications(reports) if told_of else None
        attempts = kept_attempts(engine.callbacks(rows), as_of=after(10**6), verifications=told)
        assert kinds(model.silences(attempts)) == {column.name: column.kind for column in model.SILENCES}


def test_attempts_that_were_filtered_still_know_of_the_silence(quick: Any, after: Any) -> None:
    import polars as pl

    rows, reports = received(sessions_of((LOUD, QUIET, LOUD)), "app")
    attempts = kept_attempts(quick.callbacks(rows), as_of=after(10**6), verifications=quick.verifications(reports))
    some = attempts.filter(pl.col("session_id").is_in(["s001", "s030", "s070"]))
    assert [row["sessions"] for row in rows_of(model.silences(some))] == [1]
    assert [row["observable_app"] for row in rows_of(model.sessions(some), "session_id")] == [True, False, True]
    # One that began after the silence was over has nothing to say of it.
    assert rows_of(model.silences(attempts.filter(pl.col("session_id") == "s070"))) == []
    with pytest.raises(SchemaError, match="attempts: no column 'app_silence_from_us'"):
        model.silences(attempts.drop("app_silence_from_us"))


# The silence lasts from 1800 s up to 5400 s; a session waits 600 s from its last attempt.
WAITING: dict[str, tuple[list[float], bool]] = {
    "until a microsecond before the silence": ([1199.999999], True),
    "until the silence began": ([1200], False),
    "into it with a later attempt alone": ([900, 1200], False),
    "in it": ([3600], False),
    "from its last microsecond on": ([5399.999999], False),
    "from its end on": ([5400], True),
    "over all of it": ([900, 5400], False),
}


def test_a_session_whose_waiting_meets_a_long_silence_is_not_observable(engine: Any, after: Any) -> None:
    rows, reports = received(sessions_of((LOUD, QUIET, LOUD)), "app")
    for why, (starts, _) in WAITING.items():
        rows += [
            callback(at + 2, "sent", session_id=why, attempt_id=f"{why} {n}", attempt_sequence=n, requested_at=at)
            for n, at in enumerate(starts, 1)
        ]
    attempts = kept_attempts(engine.callbacks(rows), as_of=after(10**6), verifications=engine.verifications(reports))
    read = {row["session_id"]: row["observable_app"] for row in rows_of(model.sessions(attempts))}
    assert {why: read[why] for why in WAITING} == {why: observable for why, (_, observable) in WAITING.items()}


def test_a_verified_session_in_a_silence_is_not_observable_either(quick: Any, after: Any) -> None:
    rows, reports = received(sessions_of((LOUD, QUIET, LOUD)), "app")
    # Of one session of the silent hour the report came in the end: judged by its outcome, it would stay alone.
    reports.append({"session_id": "s040", "verified_at": 3100, "received_at": 5410})
    attempts = kept_attempts(quick.callbacks(rows), as_of=after(10**6), verifications=quick.verifications(reports))
    row = {row["session_id"]: row for row in rows_of(model.sessions(attempts))}["s040"]
    assert (row["outcome"], row["observable_app"]) == ("verified", False)


def test_each_source_is_judged_by_itself(quick: Any, after: Any) -> None:
    by_app, reports = received(sessions_of((LOUD, QUIET, LOUD)), "app")
    by_callback, _ = received(sessions_of((LOUD, Block(60, 120), LOUD)), "callback")
    assert {row["attempt_id"] for row in by_app} == {row["attempt_id"] for row in by_callback}
    attempts = kept_attempts(
        quick.callbacks(by_callback), as_of=after(10**6), verifications=quick.verifications(reports)
    )
    row = {row["session_id"]: row for row in rows_of(model.sessions(attempts))}["s040"]
    assert (row["observable_app"], row["observable_callback"]) == (False, True)
    assert [(row["source"], row["verified_by_other"]) for row in rows_of(model.silences(attempts))] == [("app", 30)]


def test_a_silence_that_is_not_over_is_no_silence_yet(quick: Any, after: Any) -> None:
    """Seen from inside of it, its sessions began after the last report: not observable for that reason."""
    rows, reports = received(sessions_of((LOUD, QUIET, LOUD)), "app")
    for seconds, listed in ((5419, 0), (5420, 1)):
        attempts = kept_attempts(
            quick.callbacks(rows), as_of=after(seconds), verifications=quick.verifications(reports)
        )
        assert len(rows_of(model.silences(attempts))) == listed
        row = {row["session_id"]: row for row in rows_of(model.sessions(attempts))}["s040"]
        assert not row["observable_app"]


def test_five_sessions_are_observable_whatever_lies_between_their_reports(quick: Any, after: Any) -> None:
    rows, reports = received([Told(86_400 * n, ("delivered",), 86_400 * n + 5) for n in range(6)], "app")
    attempts = kept_attempts(quick.callbacks(rows), as_of=after(10**6), verifications=quick.verifications(reports))
    observable = [row["observable_app"] for row in rows_of(model.sessions(attempts), "session_id")]
    # The first began before the first report.
    assert observable == [False, True, True, True, True, True]


BLOCKS = st.builds(
    Block,
    minutes=st.sampled_from([1, 10, 30, 59, 60, 61, 90]),
    every=st.sampled_from([45, 60, 90.5, 119.999999, 120, 180, 10**6]),
    told=st.sampled_from(["at once", "never", "late", "every other", "every other late", "every third late"]),
    status=st.sampled_from([("delivered",), ("sent",), ("sent", "undelivered"), ("queued",)]),
)
# Drawn freely, hardly any history would have a long silence; so some do by what they are made of.
HISTORIES = st.lists(BLOCKS, min_size=1, max_size=4) | st.tuples(
    st.just(Block(30, 60)), BLOCKS.map(lambda block: block._replace(minutes=60, told="never")), BLOCKS, st.just(LOUD)
).map(list)
EXAMPLES = {"pandas": 2, "pandas-arrow": 2, "polars": 15, "polars-lazy": 3, "duckdb": 2}


@pytest.mark.parametrize("engine", MOSTLY_FEW, indirect=True)
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.full)])
def test_what_is_observable_equals_what_the_witness_concludes(engine: Any, after: Any, us: Any, times: int) -> None:
    """The witness walks through reports in plain Python; seen from the end, or from a moment in the middle."""

    @settings(
        max_examples=EXAMPLES[engine.name] * times,
        phases=(Phase.explicit, Phase.generate),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(blocks=HISTORIES, until=st.sampled_from([10**5, 5420, 4000.5]), source=st.sampled_from(SOURCES))
    def holds(blocks: list[Block], until: float, source: str) -> None:
        told = sessions_of(blocks)
        rows, reports = received(told, source)
        attempts = kept_attempts(
            engine.callbacks(rows), as_of=after(until), verifications=engine.verifications(reports)
        )
        heard = [one for one in told if one.at + 1 <= until]
        known = [one.reported_at is not None and one.reported_at <= until for one in heard]
        begun = [Begun(us(one.at), reached(one, until), reported) for one, reported in zip(heard, known, strict=True)]
        spoken = speech(begun, [us(one.reported_at) for one, is_known in zip(heard, known, strict=True) if is_known])
        read = [row[f"observable_{source}"] for row in rows_of(model.sessions(attempts), "session_id")]
        assert read == [spoken.covers(us(one.at), us(one.at + 600)) for one in heard]
        listed = rows_of(model.silences(attempts))
        assert sorted((row["from_us"], row["until_us"]) for row in listed) == list(spoken.silences)
        assert {row["source"] for row in listed} <= {source}

    holds()


@settings(max_examples=10, phases=(Phase.explicit, Phase.generate), deadline=None, database=None, derandomize=True)
@given(blocks=HISTORIES, until=st.sampled_from([5420, 5399, 4000.5, 2000]), source=st.sampled_from(SOURCES))
def test_an_old_silence_is_the_same_from_a_store_that_has_grown(blocks: list[Block], until: float, source: str) -> None:
    rows, reports = received(sessions_of(blocks), source)
    quick, read = Engine("polars", ENGINES["polars"]), []
    for end in (until, 10**6):
        attempts = kept_attempts(
            quick.callbacks(row for row in rows if row["received_at"] <= end),
            as_of=START + timedelta(seconds=until),
            verifications=quick.verifications(report for report in reports if report["received_at"] <= end),
        )
        sessions = model.sessions(attempts)
        silences = model.silences(attempts)
        read.append([rows_of(attempts, "key"), rows_of(sessions, "session_id"), rows_of(silences, "from_us")])
    assert read[0] == read[1]


def reached(one: Told, until: float) -> bool:
    said = {status for i, status in enumerate(one.status) if one.at + 1 + i <= until}
    return "delivered" in said or said == {"sent"}
