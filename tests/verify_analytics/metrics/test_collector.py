"""What the collector took in and refused, and when it was down: from its pulse."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from verify_analytics import load, metrics, model, simulate, stats
from verify_analytics.errors import ArgumentError, DoubtfulWarning, SchemaError
from verify_analytics.simulate import Features

HOUR = 60  # minutes


def minute(at: int, reasons: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    """Make the pulse of one minute after the start (12:00); `reasons` are refusals by reason."""
    words = reasons or {}
    counts = dict.fromkeys(("accepted", "repeated", "quarantined"), 0)
    told = sum(count for word, count in words.items() if word != "v3_unproved")
    row = {"collector": "one", "minute": 60 * at, **counts, "refused": told, "refused_by": json.dumps(words)}
    return row | more


def pulse(engine: Any, arrow: Any, rows: list[dict[str, Any]]) -> Any:
    made: pa.Table = arrow(rows, model.PULSE)
    return load.pulse(engine.make(made))


def counts(frame: pd.DataFrame) -> dict[Any, int]:
    """Count by measure, with the reason where there is one."""
    names = [f"{row['measure']} {row['reason']}".strip() for _, row in frame.iterrows()]
    return dict(zip(names, frame["count"].tolist(), strict=True))


def test_requests_are_counted_by_what_became_of_them(everywhere: Any, arrow: Any, after: Any) -> None:
    rows = [
        minute(0, {"signature": 2, "method": 1}, accepted=5, repeated=2),
        minute(1, {"signature": 1, "v3_unproved": 4}, accepted=4, quarantined=1),
        minute(4, refused=2),
    ]
    found = metrics.collector_health(pulse(everywhere, arrow, rows), as_of=after(300))
    assert counts(found) == {
        "accepted": 9,
        "repeated": 2,
        "v3_unproved": 4,
        "quarantined": 1,
        "refused": 6,
        "refused_for signature": 3,
        "refused_for (not told)": 2,
        "refused_for method": 1,
    }
    assert found[["minutes_up", "minutes_down", "gaps"]].drop_duplicates().values.tolist() == [[3, 2, 1]]
    assert found["per_hour"].tolist()[:2] == [180, 40]
    assert (found["as_of"] == after(300)).all()


def test_an_unproved_v3_is_in_no_sum_of_refusals(quick: Any, arrow: Any, after: Any) -> None:
    found = metrics.collector_health(pulse(quick, arrow, [minute(0, {"v3_unproved": 7}, accepted=7)]), as_of=after(60))
    assert counts(found) == {"accepted": 7, "repeated": 0, "v3_unproved": 7, "quarantined": 0, "refused": 0}


def test_what_cannot_be_read_names_no_reason(quick: Any, arrow: Any, after: Any) -> None:
    rows = [minute(0, refused=3, refused_by="?"), minute(1, refused=1, refused_by="[1]"), minute(2, {"method": 1})]
    found = metrics.collector_health(pulse(quick, arrow, rows), as_of=after(180))
    assert counts(found)["refused_for (not told)"] == 4
    assert counts(found)["refused"] == 5


def test_a_minute_that_is_not_over_does_not_exist_yet(quick: Any, arrow: Any, after: Any) -> None:
    rows = [minute(0, accepted=1), minute(1, accepted=1), minute(5, accepted=1)]
    found = metrics.collector_health(pulse(quick, arrow, rows), as_of=after(179))
    assert counts(found)["accepted"] == 2
    assert found["minutes_down"].unique().tolist() == [0]


def test_a_minute_that_stands_in_the_frame_twice_is_one(quick: Any, arrow: Any, after: Any) -> None:
    rows = [minute(0, {"method": 1}, accepted=1)] * 2
    assert counts(metrics.collector_health(pulse(quick, arrow, rows), as_of=after(60)))["accepted"] == 1


def test_it_is_down_when_no_collector_listens_or_each_by_itself(everywhere: Any, arrow: Any, after: Any) -> None:
    rows = [minute(at, accepted=1) for at in (0, 1, 5, 6)]
    rows += [minute(at, accepted=10, collector="two") for at in (1, 2, 3, 9)]
    both = pulse(everywhere, arrow, rows)
    together = metrics.collector_health(both, as_of=after(600))
    assert together[["count", "minutes_up", "minutes_down", "gaps"]].values.tolist()[0] == [44, 7, 3, 2]
    each = metrics.collector_health(both, as_of=after(600), by="collector", totals=True)
    accepted = each[each["measure"] == "accepted"]
    columns = ["collector", "count", "minutes_up", "minutes_down", "gaps", "pooled"]
    assert accepted[columns].values.tolist() == [
        ["one", 4, 4, 3, 1, ""],
        ["two", 40, 4, 5, 1, ""],
        ["all", 44, 7, 3, 2, "all"],
    ]
    gaps = metrics.collector_gaps(both, as_of=after(600))
    assert gaps[["from_at", "to_at", "minutes"]].values.tolist() == [
        [after(240), after(300), 1],
        [after(420), after(540), 2],
    ]
    of_each = metrics.collector_gaps(both, as_of=after(600), by="collector")
    assert of_each[["collector", "from_at", "minutes"]].values.tolist() == [
        ["one", after(120), 3],
        ["two", after(240), 5],
    ]


def test_downtime_is_counted_on_each_day_of_a_gap(quick: Any, arrow: Any, after: Any) -> None:
    """Down from 23:58 to 00:03; the gap belongs to the day on which it began."""
    rows = [minute(at) for at in (12 * HOUR - 3, 12 * HOUR + 3)]
    found = metrics.collector_health(pulse(quick, arrow, rows), as_of=after(12 * 3600 + 240), by="day", totals=True)
    refused = found[found["measure"] == "refused"]
    assert refused[["minutes_up", "minutes_down", "gaps"]].values.tolist() == [[1, 2, 1], [1, 3, 0], [2, 5, 1]]
    assert refused["day"].isna().tolist() == [False, False, True]


def test_a_day_without_any_pulse_is_there_and_has_no_rate(quick: Any, arrow: Any, after: Any) -> None:
    rows = [minute(0, {"method": 1}), minute(48 * HOUR, {"method": 1})]
    found = metrics.collector_health(pulse(quick, arrow, rows), as_of=after(48 * 3600 + 60), by="day")
    refused = found[found["measure"] == "refused"]
    assert refused["minutes_down"].tolist() == [12 * HOUR - 1, 24 * HOUR, 12 * HOUR]
    assert refused["minutes_up"].tolist() == [1, 0, 1]
    assert refused["per_hour"].isna().tolist() == [False, True, False]
    assert refused["low"].isna().tolist() == [False, True, False]
    assert [row for row in found["reason"] if row] == ["method", "method"]


def test_refusals_within_one_hour_have_the_exact_interval(quick: Any, arrow: Any, after: Any) -> None:
    rows = [minute(at, {"signature": 1} if at < 10 else None) for at in range(30)]
    row = metrics.collector_health(pulse(quick, arrow, rows), as_of=after(1800)).set_index("measure").loc["refused"]
    assert (row["count"], row["per_hour"], row["interval"]) == (10, 20, "poisson_exact")
    assert (row["low"], row["high"]) == pytest.approx((2 * 4.7954, 2 * 18.3904), abs=1e-3)
    assert np.isnan(row["design_effect"])


def test_a_burst_widens_the_interval_as_its_variance_says(quick: Any, arrow: Any, after: Any) -> None:
    """12 refusals in one hour and none in the next two: variance over mean is 12, as one event in a quarter hour."""
    rows = [minute(at, {"signature": 12} if at == 5 else None) for at in range(3 * HOUR)]
    row = metrics.collector_health(pulse(quick, arrow, rows), as_of=after(3 * 3600)).set_index("measure").loc["refused"]
    assert row["interval"] == "poisson_dispersed"
    assert row["design_effect"] == pytest.approx(12)
    assert (row["low"], row["high"]) == pytest.approx(tuple(stats.poisson_exact(1, exposure=0.25)))


def test_a_steady_rate_is_not_called_more_certain_than_chance(quick: Any, arrow: Any, after: Any) -> None:
    rows = [minute(at, {"signature": 1} if at % 30 == 0 else None) for at in range(3 * HOUR)]
    row = metrics.collector_health(pulse(quick, arrow, rows), as_of=after(3 * 3600)).set_index("measure").loc["refused"]
    assert (row["design_effect"], row["interval"]) == (1, "poisson_exact")


def test_hours_that_were_listened_to_in_part_are_judged_by_that_part(quick: Any, arrow: Any, after: Any) -> None:
    """One refusal a minute, in a whole hour and in a quarter of the next: nothing varies."""
    rows = [minute(at, {"signature": 1}) for at in range(75)]
    row = metrics.collector_health(pulse(quick, arrow, rows), as_of=after(75 * 60)).set_index("measure").loc["refused"]
    assert row["design_effect"] == 1


@pytest.mark.parametrize("by", [(), ["day", "collector"]])
def test_no_pulse_is_not_known_and_never_nothing(quick: Any, arrow: Any, after: Any, by: Any) -> None:
    for none in (None, pulse(quick, arrow, [])):
        with pytest.warns(DoubtfulWarning, match="not observable: there is no pulse"):
            found = metrics.collector_health(none, as_of=after(60), by=by)
        assert found["measure"].tolist() == ["not_observable"]
        assert found["minutes_up"].tolist() == [0]
        assert found["per_hour"].isna().all()
        with pytest.warns(DoubtfulWarning, match="not observable"):
            assert len(metrics.collector_gaps(none, as_of=after(60))) == 0


def test_a_pulse_that_ended_long_ago_is_doubtful(quick: Any, arrow: Any, after: Any) -> None:
    for metric in (metrics.collector_health, metrics.collector_gaps):
        with pytest.warns(DoubtfulWarning, match="listened only until 2026-09-01 12:01 UTC"):
            metric(pulse(quick, arrow, [minute(0)]), as_of=after(3600))


def test_it_says_what_is_wrong_with_what_it_was_given(quick: Any, arrow: Any, after: Any) -> None:
    one = pulse(quick, arrow, [minute(0)])
    with pytest.raises(ArgumentError, match="minutes of the collector cannot be split by 'country'"):
        metrics.collector_health(one, as_of=after(60), by="country")
    with pytest.raises(ArgumentError, match="gaps cannot be listed by day"):
        metrics.collector_gaps(one, as_of=after(60), by="day")
    with pytest.raises(SchemaError, match="no column 'refused_by'"):
        metrics.collector_health(one.drop("refused_by"), as_of=after(60))


def test_the_gaps_are_the_outages_of_the_simulator() -> None:
    end = datetime(2026, 10, 29, tzinfo=UTC)
    world = simulate.history(100, seed=5, end=end, days=3, features=Features.quiet(outage_minutes=(31, 8)))
    found = metrics.collector_gaps(load.pulse(world.frames()["pulse"]), as_of=end)
    made = sorted((span.from_us, span.to_us) for span in world.outages)
    assert found[["from_at", "to_at"]].astype("int64").values.tolist() == [list(span) for span in made]
    assert sorted(found["minutes"]) == [8, 31]
