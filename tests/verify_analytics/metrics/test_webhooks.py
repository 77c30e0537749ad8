"""How many callbacks came more than once, after which wait, and how many were odd in themselves."""

import warnings
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from verify_analytics import load, metrics, model, simulate
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError
from verify_analytics.simulate import Features

END = datetime(2026, 10, 29, tzinfo=UTC)


def shown(frame: pd.DataFrame, *more: str) -> dict[Any, tuple[int, int]]:
    """Count and n by measure, and by what else is named."""
    keys = [*more, "measure"]
    names = frame[keys[0]] if len(keys) == 1 else zip(*(frame[name] for name in keys), strict=True)
    return dict(zip(names, zip(frame["count"].tolist(), frame["n"].tolist(), strict=True), strict=True))


def test_redeliveries_are_arrivals_less_contents_told_apart_by_their_wait(
    everywhere: Any, callback: Any, after: Any
) -> None:
    rows = [
        callback(1, "sent"),
        callback(61, "sent"),  # the first retry
        callback(182, "sent"),  # the second
        callback(422, "sent"),  # the third
        callback(10, "delivered"),
        callback(190, "delivered"),  # the second, the first did not arrive
        callback(5, "queued"),
        callback(6, "queued"),  # sooner than the provider tries again
        callback(20, "sent", attempt_id="a2"),  # another attempt
    ]
    found = metrics.webhook_health(everywhere.callbacks(rows), as_of=after(3600))
    assert found["measure"].tolist() == [
        *("redelivered", "after_60s", "after_120s", "after_240s", "after_skipped_try", "after_other_gap"),
        *("soon_after_outage", "unproved", "unknown_status", "without_attempt"),
    ]
    counted = shown(found)
    assert counted["redelivered"] == (5, 9)
    waits = ["after_60s", "after_120s", "after_240s", "after_skipped_try", "after_other_gap"]
    assert [counted[name] for name in waits] == [(1, 5)] * 5
    assert (found["as_of"] == after(3600)).all()
    assert found.loc[0, "rate"] == 5 / 9


WAITS = [
    *((44.9, "after_other_gap"), (45, "after_60s"), (75, "after_60s"), (75.1, "after_other_gap")),
    *((105, "after_120s"), (135, "after_120s"), (225, "after_240s"), (255, "after_240s")),
    *((165, "after_skipped_try"), (375, "after_skipped_try"), (435, "after_skipped_try")),
    *((0.2, "after_other_gap"), (435.1, "after_other_gap"), (90, "after_other_gap"), (300, "after_other_gap")),
]


def test_a_wait_is_a_retry_within_fifteen_seconds(quick: Any, callback: Any, after: Any) -> None:
    """Each case is an attempt in a country of its own."""
    rows = [
        callback(1 + at, "sent", session_id=f"s{n}", attempt_id=f"a{n}", country=f"C{n:02}")
        for n, (gap, _) in enumerate(WAITS)
        for at in (0, gap)
    ]
    found = metrics.webhook_health(quick.callbacks(rows), as_of=after(3600), by="country")
    for n, (gap, measure) in enumerate(WAITS):
        counted = shown(found[found["country"] == f"C{n:02}"])
        assert [name for name in counted if name.startswith("after_") and counted[name][0]] == [measure], gap


def test_what_was_received_later_does_not_exist_yet(quick: Any, callback: Any, after: Any) -> None:
    rows = [callback(1, "sent"), callback(61, "sent"), callback(181, "sent"), callback(200, "odd")]
    callbacks = quick.callbacks(rows)
    early = metrics.webhook_health(callbacks, as_of=after(61))
    young = metrics.webhook_health(quick.callbacks(rows[:2]), as_of=after(61))
    pd.testing.assert_frame_equal(early, young)
    assert shown(early)["redelivered"] == (1, 2)


def test_an_arrival_that_stands_in_the_frame_twice_is_one(quick: Any, callback: Any, after: Any) -> None:
    rows = [callback(1, "sent"), callback(1, "sent"), callback(61, "sent"), callback(61, "sent")]
    counted = shown(metrics.webhook_health(quick.callbacks(rows), as_of=after(3600)))
    assert (counted["redelivered"], counted["after_60s"]) == ((1, 2), (1, 1))


def test_odd_callbacks_count_once_however_often_they_come(quick: Any, callback: Any, after: Any) -> None:
    rows = [
        callback(1, "sent"),
        callback(2, "landed", proof="none"),
        callback(62, "landed", proof="none"),
        callback(3, None, attempt_id=None, channel=None, session_status="verified"),
        callback(63, None, attempt_id=None, channel=None, session_status="verified"),
    ]
    counted = shown(metrics.webhook_health(quick.callbacks(rows), as_of=after(3600)))
    assert counted["unproved"] == (2, 5)
    assert counted["unknown_status"] == (1, 3)
    assert counted["without_attempt"] == (1, 3)
    assert counted["redelivered"] == (2, 5)


def test_arrivals_soon_after_an_outage_are_told_apart(everywhere: Any, callback: Any, after: Any) -> None:
    """Up in minutes 1 and 5 to 20, down from 2 to 5; until minute 12 the provider may still be trying again."""
    pulse = everywhere.pulse([1, *range(5, 21)])
    moments = [30, 70, 300, 719.9, 720, 1200, 1259.9, 1260]
    rows = [callback(at, f"status {at}") for at in moments]
    found = metrics.webhook_health(everywhere.callbacks(rows), as_of=after(1270), pulse=pulse)
    assert shown(found)["soon_after_outage"] == (2, 6)
    assert (found["coverage_unknown"] == 2).all()


def test_without_a_pulse_what_follows_an_outage_is_not_observable(quick: Any, callback: Any, after: Any) -> None:
    callbacks = quick.callbacks([callback(1, "sent")])
    for pulse in (None, quick.pulse([])):
        found = metrics.webhook_health(callbacks, as_of=after(3600), pulse=pulse).set_index("measure")
        row = found.loc["soon_after_outage"]
        assert (row["count"], row["n"], row["interval"], row["coverage_unknown"]) == (0, 0, "not_observable", 1)
        assert np.isnan(row["rate"])
    known = metrics.webhook_health(quick.callbacks([]), as_of=after(60), pulse=quick.pulse([0])).set_index("measure")
    assert known.loc["soon_after_outage", "interval"] == "wilson"


def test_a_gap_at_the_edge_of_the_pulse_is_none(quick: Any, callback: Any, after: Any) -> None:
    """Nobody knows what was before the first minute; a minute that is not over is not known either."""
    rows = [callback(620, "sent"), callback(700, "delivered")]
    found = metrics.webhook_health(quick.callbacks(rows), as_of=after(719), pulse=quick.pulse([10, 11, 12]))
    assert shown(found)["soon_after_outage"] == (0, 1)
    assert found["coverage_unknown"].unique().tolist() == [1]


def test_one_collector_that_listens_is_no_outage(quick: Any, callback: Any, after: Any) -> None:
    one, other = quick.pulse([0, 1, 5]), quick.pulse([2, 3, 4], collector="other")
    both = load.pulse(quick.of(one.to_arrow().cast(other.to_arrow().schema)).vstack(other))
    found = metrics.webhook_health(quick.callbacks([callback(330, "sent")]), as_of=after(360), pulse=both)
    assert shown(found)["soon_after_outage"] == (0, 1)


def test_nothing_at_all_is_one_group_without_a_rate(quick: Any, after: Any) -> None:
    found = metrics.webhook_health(quick.callbacks([]), as_of=after(0))
    assert len(found) == 10
    assert (found["n"] == 0).all()
    assert found["rate"].isna().all()


def test_a_redelivery_counts_on_the_day_and_channel_on_which_it_came(
    everywhere: Any, callback: Any, after: Any
) -> None:
    midnight = 12 * 3600
    rows = [
        callback(midnight - 1, "sent"),
        callback(midnight + 59, "sent"),
        callback(midnight + 70, "ringing", attempt_id="a2", channel="voice"),
        callback(midnight + 80, None, attempt_id=None, channel=None),
    ]
    found = metrics.webhook_health(everywhere.callbacks(rows), as_of=after(2 * midnight), by=["day", "channel"])
    days = [datetime(2026, 9, day, tzinfo=UTC) for day in (1, 2)]
    counted = {key[:2]: value for key, value in shown(found, "day", "channel").items() if key[2] == "redelivered"}
    assert counted == {
        (days[0], "sms"): (0, 1),
        (days[1], "sms"): (1, 1),
        (days[1], "voice"): (0, 1),
        (days[1], "not known"): (0, 1),
    }


def test_totals_and_the_largest_countries(quick: Any, callback: Any, after: Any) -> None:
    countries = ["GB", "GB", "DE", "FR"]
    rows = [callback(n, f"status {n}", country=country, session_id=f"s{n}") for n, country in enumerate(countries)]
    found = metrics.webhook_health(quick.callbacks(rows), as_of=after(60), by="country", top=1, totals=True)
    first = found[found["measure"] == "redelivered"]
    assert first[["country", "n", "pooled"]].values.tolist() == [
        ["GB", 2, ""],
        ["others", 2, "others"],
        ["all", 4, "all"],
    ]


def test_arrivals_of_one_session_are_alike_and_the_interval_knows_it(quick: Any, callback: Any, after: Any) -> None:
    """Ten sessions of which half have all callbacks three times: not as sixty facts."""
    rows = []
    for n in range(10):
        for step, status in enumerate(["queued", "sent", "delivered"]):
            rows.append(callback(n + step, status, session_id=f"s{n}", attempt_id=f"a{n}"))
            if n < 5:
                rows += [
                    callback(n + step + wait, status, session_id=f"s{n}", attempt_id=f"a{n}") for wait in (60, 180)
                ]
    found = metrics.webhook_health(quick.callbacks(rows), as_of=after(3600)).set_index("measure")
    row = found.loc["redelivered"]
    assert (row["count"], row["n"], row["interval"]) == (30, 60, "cluster_wilson")
    # Each of the ten has 1.5 repeats more or less than half of its arrivals: 10 x 1.5 squared, by 60 x 0.5 x 0.5.
    assert row["design_effect"] == pytest.approx(1.5, abs=1e-9)


def test_a_null_in_every_nullable_column_changes_no_count(everywhere: Any, callback: Any, after: Any) -> None:
    nothing = {column.name: None for column in model.CALLBACKS if column.nullable}
    rows = [callback(1, **{**nothing, "channel_status": None}), callback(61, **{**nothing, "channel_status": None})]
    found = metrics.webhook_health(everywhere.callbacks(rows), as_of=after(3600), by=["channel", "country"])
    assert found["channel"].unique().tolist() == ["not known"]
    counted = shown(found)
    assert (counted["redelivered"], counted["after_60s"], counted["without_attempt"]) == ((1, 2), (1, 1), (1, 1))


def test_it_says_what_is_wrong_with_what_it_was_given(quick: Any, callback: Any, after: Any) -> None:
    callbacks = quick.callbacks([callback(1, "sent")])
    with pytest.raises(ArgumentError, match="no time zone"):
        metrics.webhook_health(callbacks, as_of="2026-10-29")
    with pytest.raises(ArgumentError, match="callbacks cannot be split by 'role'"):
        metrics.webhook_health(callbacks, as_of=after(60), by="role")
    with pytest.raises(SchemaError, match="no column 'digest'"):
        metrics.webhook_health(callbacks.drop("digest"), as_of=after(60))
    with pytest.raises(SchemaError, match="no column 'minute_us'"):
        metrics.webhook_health(callbacks, as_of=after(60), pulse=callbacks)
    with pytest.warns(DoubtfulWarning, match="listened only until"):
        metrics.webhook_health(callbacks, as_of=after(3600), pulse=quick.pulse([0]))


@pytest.fixture(scope="module")
def world() -> Any:
    """A simulated week in which much comes again, is held up or late; every callback says something of its own."""
    features = Features.quiet(redelivered=0.1, disorder=0.05, late=0.03, lost=0.02, outage_minutes=(31, 8))
    return simulate.history(600, seed=11, end=END, days=7, features=features)


def test_redeliveries_are_those_that_the_simulator_made(world: Any) -> None:
    arrivals = [part.arrivals for chunk in world.chunks() for part in chunk]
    again, waits = 0, dict.fromkeys(["after_60s", "after_120s", "after_240s", "after_skipped_try"], 0)
    due = [0, 60, 180, 420]
    for part in arrivals:
        tries: dict[int, list[int]] = {}
        for one, tried in zip(part.callback.tolist(), part.tried.tolist(), strict=True):
            tries.setdefault(one, []).append(tried)
        again += sum(len(of_one) - 1 for of_one in tries.values())
        for of_one in tries.values():
            for before, later in pairwise(of_one):
                waits[f"after_{due[later] - due[before]}s" if later == before + 1 else "after_skipped_try"] += 1
    frames = world.frames()
    found = metrics.webhook_health(load.callbacks(frames["callbacks"]), as_of=END, pulse=load.pulse(frames["pulse"]))
    counted = shown(found)
    assert again > 100
    assert waits["after_240s"] > 5
    assert counted["redelivered"] == (again, sum(len(part.callback) for part in arrivals))
    assert {name: counted[name] for name in waits} == {name: (count, again) for name, count in waits.items()}
    assert counted["after_other_gap"] == (0, again)


def test_what_follows_an_outage_is_what_the_simulator_let_in_then(world: Any) -> None:
    received = np.concatenate([part.arrivals.received_us for chunk in world.chunks() for part in chunk])
    ends = [span.to_us for span in world.outages]
    soon = sum(int(((received >= end) & (received < end + 420_000_000)).sum()) for end in ends)
    frames = world.frames()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.webhook_health(
            load.callbacks(frames["callbacks"]), as_of=END, pulse=load.pulse(frames["pulse"])
        )
    assert soon > 0
    assert shown(found)["soon_after_outage"] == (soon, len(received))
