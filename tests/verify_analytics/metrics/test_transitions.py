"""What followed what in an attempt, and whether it may."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from verify_analytics import load, metrics, model, simulate
from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.metrics.transitions import MAY_FOLLOW, STATES, UNLISTED, lawful
from verify_analytics.model import outcomes
from verify_analytics.simulate import Features

END = datetime(2026, 10, 29, tzinfo=UTC)


def steps(frame: pd.DataFrame) -> dict[tuple[str, str, str], tuple[int, int, str]]:
    keys = zip(frame["channel"], frame["from_state"], frame["to_state"], strict=True)
    return dict(zip(keys, zip(frame["count"].tolist(), frame["n"].tolist(), frame["lawful"], strict=True), strict=True))


def test_steps_are_counted_from_state_to_state(everywhere: Any, callback: Any, after: Any) -> None:
    rows = [
        callback(1, "queued"),
        callback(2, "sent"),
        callback(62, "sent"),  # a redelivery is no step
        callback(3, "delivered"),
        callback(4, "delivered", session_status="verified"),  # the session's end repeats it
        callback(1, "sent", attempt_id="a2"),
        callback(2, "queued", attempt_id="a2"),  # overtaken
        callback(1, "ringing", attempt_id="v", channel="voice"),
        callback(2, "landed", attempt_id="v", channel="voice"),
        callback(3, "completed", attempt_id="v", channel="voice"),
        callback(3, "sent", attempt_id=None),
        callback(3, None, attempt_id="a3"),
    ]
    found = metrics.transitions(everywhere.callbacks(rows), as_of=after(3600))
    assert steps(found) == {
        ("sms", "(start)", "queued"): (1, 2, "yes"),
        ("sms", "(start)", "accepted"): (1, 2, "yes"),
        ("sms", "queued", "accepted"): (1, 1, "yes"),
        ("sms", "accepted", "queued"): (1, 2, "no"),
        ("sms", "accepted", "delivered"): (1, 2, "yes"),
        ("sms", "delivered", "delivered"): (1, 1, "yes"),
        ("voice", "(start)", "ringing"): (1, 1, "yes"),
        ("voice", "ringing", "(unlisted)"): (1, 1, "not known"),
        ("voice", "(unlisted)", "delivered"): (1, 1, "not known"),
    }
    beside = found.drop_duplicates("channel")[["channel", "without_attempt", "without_status"]]
    assert beside.values.tolist() == [["sms", 1, 1], ["voice", 0, 0]]


def test_what_was_received_later_does_not_exist_yet(quick: Any, callback: Any, after: Any) -> None:
    rows = [callback(1, "sent"), callback(60, "delivered")]
    assert steps(metrics.transitions(quick.callbacks(rows), as_of=after(59))) == {
        ("sms", "(start)", "accepted"): (1, 1, "yes")
    }


def test_ends_exclude_each_other_and_only_messages_fail_before_the_carrier() -> None:
    """The table of the docstring, cell by cell."""
    ends = ("failed", "undelivered", "delivered")
    for before in outcomes.STATES:
        for later in outcomes.STATES:
            weaker = outcomes.STATES.index(later) < outcomes.STATES.index(before)
            two_ends = before in ends and later in ends and before != later
            assert (lawful("whatsapp", before, later) == "yes") == (not weaker and not two_ends)
            assert (later in MAY_FOLLOW[before]) == (not weaker and not two_ends)
    assert lawful("sms", "accepted", "failed") == "no"
    assert {lawful("sms", "(start)", state) for state in outcomes.STATES} == {"yes"}
    assert {lawful("sms", UNLISTED, state) for state in STATES} == {"not known"}


def test_nothing_gives_no_rows(quick: Any, callback: Any, after: Any) -> None:
    assert len(metrics.transitions(quick.callbacks([]), as_of=after(0))) == 0
    nothing = {column.name: None for column in model.CALLBACKS if column.nullable and column.name != "channel_status"}
    nameless = quick.callbacks([callback(1, "sent", **nothing)])
    assert len(metrics.transitions(nameless, as_of=after(60))) == 0
    only = {name: value for name, value in nothing.items() if name != "attempt_id"}
    found = metrics.transitions(quick.callbacks([callback(1, "sent", **only)]), as_of=after(60))
    assert steps(found) == {("not known", "(start)", "accepted"): (1, 1, "yes")}


def test_it_says_what_is_wrong_with_what_it_was_given(quick: Any, callback: Any, after: Any) -> None:
    callbacks = quick.callbacks([callback(1, "sent")])
    with pytest.raises(ArgumentError, match="cluster='attempt' is no unit of independence"):
        metrics.transitions(callbacks, as_of=after(60), cluster="attempt")
    with pytest.raises(SchemaError, match="no column 'digest'"):
        metrics.transitions(callbacks.drop("digest"), as_of=after(60))


def test_every_step_is_one_that_the_simulator_made() -> None:
    """The callbacks of a lively week gone through one by one, with plain dictionaries."""
    features = Features(disorder=0.2, lost=0.05, redelivered=0.1, odd_status=0.05)
    callbacks = simulate.history(400, seed=9, end=END, days=7, features=features).frames()["callbacks"]
    expected: Counter[tuple[str, str, str]] = Counter()
    last: dict[str, str] = {}
    seen: set[str] = set()
    for row in callbacks.sort_values(["received_at", "arrival_id"]).to_dict("records"):
        if row["digest"] in seen:
            continue
        seen.add(row["digest"])
        if pd.isna(row["attempt_id"]) or pd.isna(row["channel_status"]):
            continue
        meanings = outcomes.MEANING.get(row["channel"], outcomes.MEANING[outcomes.OTHER])
        state = meanings.get(row["channel_status"], UNLISTED)
        expected[row["channel"], last.get(row["attempt_id"], "(start)"), state] += 1
        last[row["attempt_id"]] = state
    found = steps(metrics.transitions(load.callbacks(callbacks), as_of=END))
    assert {key: count for key, (count, _, _) in found.items()} == dict(expected)
    assert {said for _, _, said in found.values()} == {"yes", "no", "not known"}
