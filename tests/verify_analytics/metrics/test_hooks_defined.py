"""Every measure of the webhooks' metrics is defined, and those of attempts are read from lazy and careless frames."""

from typing import Any

import pandas as pd
import polars as pl
import pytest

from verify_analytics import metrics
from verify_analytics.metrics.definitions import DEFINITIONS, undefined


def test_every_measure_is_in_the_dictionary_and_the_other_way_round(
    quick: Any, callback: Any, after: Any, attempts_of: Any
) -> None:
    callbacks = quick.callbacks([callback(1, "sent")])
    given = {
        "webhook_health": metrics.webhook_health(callbacks, as_of=after(60)),
        "transitions": metrics.transitions(callbacks, as_of=after(60)),
        "completeness": metrics.completeness(attempts_of([{}])),
        "lawful_order": metrics.lawful_order(attempts_of([{}])),
    }
    for name, frame in given.items():
        assert undefined(name, frame["measure"]) == []
        assert {entry.measure for entry in DEFINITIONS if entry.metric == name} == set(frame["measure"])
    health = metrics.collector_health(quick.pulse([0]), as_of=after(60))
    assert undefined("collector_health", health["measure"]) == []


@pytest.mark.parametrize("metric", [metrics.completeness, metrics.lawful_order])
def test_lazy_frames_and_careless_labels_change_nothing(attempts_of: Any, metric: Any) -> None:
    rows = [
        {"session_id": f"s{n // 2}", "attempt_sequence": n % 2 + 1, "attempts_in_session": 2, "conflict": n % 3 == 0}
        for n in range(12)
    ]
    given = attempts_of(rows)
    expected = metric(given)
    shuffled = given.sample(frac=1, random_state=4)
    shuffled.index = pd.Index([7] * len(shuffled))
    pd.testing.assert_frame_equal(metric(shuffled), expected, rtol=0, atol=1e-9)
    pd.testing.assert_frame_equal(metric(pl.from_pandas(given).lazy()), expected, rtol=0, atol=1e-9)
