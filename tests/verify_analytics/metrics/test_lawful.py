"""What happened in an order in which it cannot: counted, and listed so that one can look."""

import warnings
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from verify_analytics import load, metrics, model, simulate
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError
from verify_analytics.metrics.order_checks import CHECKS
from verify_analytics.simulate import Features

END = datetime(2026, 10, 29, tzinfo=UTC)


def found_in(frame: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Count and n of each measure that found anything."""
    hits = frame[frame["count"] > 0]
    return dict(zip(hits["measure"], zip(hits["count"].tolist(), hits["n"].tolist(), strict=True), strict=True))


def read(quick: Any, rows: list[Any], after: Any, **more: Any) -> Any:
    return model.attempts(quick.callbacks(rows), as_of=after(7200), **more)


def test_what_went_well_finds_nothing(quick: Any, callback: Any, after: Any) -> None:
    rows = [
        callback(1, "sent"),
        callback(2, "undelivered"),
        callback(61, "sent"),
        callback(31, "sent", attempt_id="a2", attempt_sequence=2, requested_at=30),
        callback(33, "delivered", attempt_id="a2", attempt_sequence=2, requested_at=30),
        callback(50, None, attempt_id=None, channel=None, attempt_sequence=None, session_status="verified"),
    ]
    found = metrics.lawful_order(read(quick, rows, after))
    assert found["measure"].tolist() == list(CHECKS)
    assert found["unit"].tolist() == ["attempt"] * 10 + ["session"] * 3
    assert found["n"].tolist() == [2] * 10 + [1] * 3
    assert found_in(found) == {}


# What was said of an attempt (seconds, status, more), and what is found in it.
CASES: list[tuple[list[tuple[float, str, dict[str, Any]]], set[str]]] = [
    (
        [(1, "delivered", {}), (2, "undelivered", {})],
        {"delivered_and_undelivered", "undelivered_after_delivered"},
    ),
    (
        [(1, "undelivered", {}), (2, "delivered", {})],
        {"delivered_and_undelivered", "delivered_after_undelivered"},
    ),
    ([(1, "undelivered", {}), (1, "delivered", {})], {"delivered_and_undelivered"}),
    ([(1, "failed", {}), (2, "delivered", {})], {"failed_and_receipt"}),
    ([(1, "failed", {}), (2, "undelivered", {})], {"failed_and_receipt"}),
    ([(1, "sent", {"attempt_sequence": 2})], {"sequence_jump"}),
    (
        [(1, "sent", {}), (2, "sent", {"attempt_id": "a2", "requested_at": -1})],
        {"sequence_shared"},
    ),
    ([(1, "sent", {}), (2, "delivered", {"country": "DE"})], {"facts_conflict"}),
    ([(1, "failed", {"error_code": "30"}), (2, "failed", {"error_code": "40"})], {"codes_differ"}),
    ([(1, "sent", {"requested_at": 3})], set()),
    ([(1, "sent", {"requested_at": 3.000001})], {"requested_after_arrival"}),
    ([(1, "sent", {"requested_at": None})], set()),
    (
        [
            (31, "sent", {"requested_at": 30}),
            (32, "sent", {"attempt_id": "a2", "attempt_sequence": 2, "requested_at": 29.999999}),
        ],
        {"requested_before_previous"},
    ),
    (
        [(1, "sent", {"session_status": "expired"}), (2, "delivered", {"session_status": "verified"})],
        {"verified_after_expired"},
    ),
    (
        [(1, "sent", {"session_status": "verified"}), (2, "delivered", {"session_status": "expired"})],
        {"expired_after_verified"},
    ),
    (
        [(1, "sent", {"session_status": "expired"}), (1, "delivered", {"session_status": "verified"})],
        set(),
    ),
]


def test_each_contradiction_is_found_by_its_name(quick: Any, callback: Any, after: Any) -> None:
    """One session a case; what is listed under each name are the sessions in which it was meant to be."""
    rows = [
        callback(at, status, **{**more, "session_id": f"s{case}", "attempt_id": f"{case} {more.get('attempt_id')}"})
        for case, (said, _) in enumerate(CASES)
        for at, status, more in said
    ]
    attempts = read(quick, rows, after)
    counted = metrics.lawful_order(attempts).set_index("measure")["count"]
    for what in CHECKS:
        meant = {f"s{case}" for case, (_, found) in enumerate(CASES) if what in found}
        listed = metrics.unlawful(attempts, what=what)
        assert set(listed["session_id"]) == meant, what
        assert counted[what] == len(listed), what
    # But for what only a report of the application can show, each has its case.
    assert {what for what in CHECKS if not counted[what]} == {"verified_before_start"}


def test_what_the_application_reports_is_asked_too(quick: Any, callback: Any, after: Any) -> None:
    """s1 is verified before it starts, s2 after its expiry and before by a callback, s3 has no first attempt."""
    rows = [
        callback(10, "sent", requested_at=9),
        callback(10, "sent", session_id="s2", attempt_id="b", session_status="verified"),
        callback(400, "delivered", session_id="s2", attempt_id="b", session_status="expired"),
        callback(10, "sent", session_id="s3", attempt_id="c", attempt_sequence=2, requested_at=9),
    ]
    reports = quick.verifications(
        [
            {"session_id": name, "verified_at": at, "received_at": 500}
            for name, at in [("s1", 8), ("s2", 450), ("s3", 1)]
        ]
    )
    found = metrics.lawful_order(read(quick, rows, after, verifications=reports))
    assert found_in(found[found["unit"] == "session"]) == {
        "verified_after_expired": (1, 3),
        "expired_after_verified": (1, 3),
        "verified_before_start": (1, 2),
    }


def test_what_is_found_is_listed_with_its_two_moments(everywhere: Any, quick: Any, callback: Any, after: Any) -> None:
    rows = [
        callback(5, "delivered", session_id="s2", attempt_id="b", country=None, channel="whatsapp"),
        callback(9.5, "undelivered", session_id="s2", attempt_id="b", country=None, channel="whatsapp"),
        callback(1, "delivered"),
        callback(4, "undelivered"),
        callback(7000, "delivered", session_id="s3", attempt_id="c", requested_at=7000),
        callback(7001, "undelivered", session_id="s3", attempt_id="c", requested_at=7000),
    ]
    attempts = everywhere.of(read(quick, rows, after).to_arrow())
    listed = metrics.unlawful(attempts, what="undelivered_after_delivered")
    assert listed["session_id"].tolist() == ["s1", "s2", "s3"]
    assert listed["attempt_id"].tolist() == ["a1", "b", "c"]
    assert listed["channel"].tolist() == ["sms", "whatsapp", "sms"]
    assert listed["country"].isna().tolist() == [False, True, False]
    assert listed["first_at"].tolist() == [after(1), after(5), after(7000)]
    assert listed["second_at"].tolist() == [after(4), after(9.5), after(7001)]
    assert listed["seconds"].tolist() == [3, 4.5, 1]
    # The last one is too young to be judged, and there to be looked at all the same.
    assert listed["counted"].tolist() == [True, True, False]
    counted = metrics.lawful_order(attempts)
    assert found_in(counted)["undelivered_after_delivered"] == (2, 2)
    assert counted.loc[0, "immature"] == 1


def test_a_session_is_listed_without_an_attempt_and_its_story_can_be_told(
    quick: Any, callback: Any, after: Any, rows_of: Any
) -> None:
    rows = [callback(1, "sent", session_status="expired"), callback(2, "sent", session_status="verified")]
    callbacks = quick.callbacks(rows)
    listed = metrics.unlawful(model.attempts(callbacks, as_of=after(7200)), what="verified_after_expired")
    assert listed["attempt_id"].isna().all()
    assert listed["attempt_sequence"].isna().all()
    assert listed[["channel", "seconds", "counted"]].values.tolist() == [["sms", 1, True]]
    told = rows_of(model.story(callbacks, session_id=str(listed.loc[0, "session_id"])))
    assert [row["session_end"] for row in told] == ["expired", "verified"]


def test_the_clock_may_be_as_wrong_as_is_tolerated(quick: Any, callback: Any, after: Any) -> None:
    attempts = read(quick, [callback(1, "sent", requested_at=5)], after)
    assert "requested_after_arrival" in found_in(metrics.lawful_order(attempts))
    assert found_in(metrics.lawful_order(attempts, tolerance="4s")) == {}
    assert len(metrics.unlawful(attempts, what="requested_after_arrival", tolerance="4s")) == 0


def test_what_waited_while_nobody_listened_is_left_out(quick: Any, callback: Any, after: Any) -> None:
    rows = [callback(1, "delivered"), callback(2, "undelivered")]
    attempts = read(quick, rows, after, pulse=quick.pulse([0, 1, *range(60, 119)]))
    found = metrics.lawful_order(attempts)
    assert found_in(found) == {}
    assert found[["n", "unobserved"]].drop_duplicates().values.tolist() == [[0, 1]]
    assert metrics.unlawful(attempts, what="delivered_and_undelivered")["counted"].tolist() == [False]


def test_split_by_country_with_a_whole(everywhere: Any, quick: Any, callback: Any, after: Any) -> None:
    rows = [
        callback(1, "delivered", session_id="s1", attempt_id="a", country="DE"),
        callback(2, "undelivered", session_id="s1", attempt_id="a", country="DE"),
        callback(1, "delivered", session_id="s2", attempt_id="b"),
        callback(1, "delivered", session_id="s3", attempt_id="c", country=None),
    ]
    found = metrics.lawful_order(everywhere.of(read(quick, rows, after).to_arrow()), by="country", totals=True)
    both = found[found["measure"] == "delivered_and_undelivered"]
    assert both[["country", "count", "n"]].values.tolist() == [
        ["DE", 1, 1],
        ["GB", 0, 1],
        ["not known", 0, 1],
        ["all", 1, 3],
    ]


def test_a_filter_that_cuts_sessions_apart_is_doubtful(quick: Any, callback: Any, after: Any) -> None:
    rows = [callback(1, "sent"), callback(2, "sent", attempt_id="a2", attempt_sequence=2, requested_at=1)]
    attempts = read(quick, rows, after)
    part = attempts.filter(attempts["attempt_sequence"] == 1)
    for ask in (metrics.lawful_order, lambda frame: metrics.unlawful(frame, what="codes_differ")):
        with pytest.warns(DoubtfulWarning, match="1 sessions are here without all their attempts"):
            ask(part)


def test_a_frame_of_pandas_that_was_filtered_is_read(attempts_of: Any) -> None:
    frame = attempts_of([{"session_id": "s"}, {"session_id": "t"}, {"session_id": "t", "conflict": True}])
    part = frame.assign(attempts_in_session=1)[frame["session_id"] == "t"]
    assert found_in(metrics.lawful_order(part)) == {"facts_conflict": (1, 2), "sequence_shared": (2, 2)}


def test_nothing_is_no_rate(attempts_of: Any, engine: Any) -> None:
    found = metrics.lawful_order(engine(attempts_of([])))
    assert len(found) == len(CHECKS)
    assert found["rate"].isna().all()
    assert len(metrics.unlawful(engine(attempts_of([])), what="codes_differ")) == 0


def test_it_says_what_is_wrong_with_what_it_was_given(attempts_of: Any) -> None:
    one = attempts_of([{}])
    with pytest.raises(ArgumentError, match=r"nothing is listed under what='codes_difer'.*codes_differ"):
        metrics.unlawful(one, what="codes_difer")
    with pytest.raises(ArgumentError, match="cannot be split by 'role'"):
        metrics.lawful_order(one, by="role")
    with pytest.raises(ArgumentError, match="tolerance='2' is no duration"):
        metrics.lawful_order(one, tolerance="2")
    with pytest.raises(SchemaError, match=r"metrics\.lawful_order needs the column conflict"):
        metrics.lawful_order(one.drop(columns="conflict"))


def test_what_is_unlawful_is_what_the_simulator_made_so() -> None:
    """Clocks of the application that lie behind, and sessions whose first attempt is lost; nothing else."""
    features = Features.quiet(clock_faults=0.3, lost=0.5)
    world = simulate.history(500, seed=4, end=END, days=7, features=features)
    before, jumps = set(), 0
    for part in (part for chunk in world.chunks() for part in chunk):
        said, story = part.said, part.story
        arrived = {
            (int(said.session[row]), int(story.sequence[said.session[row], said.attempt[row]]))
            for row in part.arrivals.callback.tolist()
        }
        mature = {
            (int(i), int(story.sequence[i, k]))
            for i, k in zip(*story.exists.nonzero(), strict=True)
            if story.requested_us[i, k] <= world.end_us - 900_000_000
        }
        jumps += sum((i, number - 1) not in arrived for i, number in arrived & mature if number > 1)
        reports = zip(part.reports.session.tolist(), part.reports.verified_us.tolist(), strict=True)
        before |= {
            part.manners.session_id[i]
            for i, verified_us in reports
            if verified_us < story.requested_us[i][story.sequence[i] == 1][0] and (i, 1) in arrived
        }
    frames = world.frames()
    attempts = model.attempts(
        load.callbacks(frames["callbacks"]), as_of=END, verifications=load.verifications(frames["verifications"])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = found_in(metrics.lawful_order(attempts))
    assert len(before) > 20
    assert jumps > 5
    assert set(metrics.unlawful(attempts, what="verified_before_start")["session_id"]) == before
    assert {name: count for name, (count, _) in found.items()} == {
        "sequence_jump": jumps,
        "verified_before_start": len(before),
    }
