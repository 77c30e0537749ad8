"""A filter on attempts, then sessions: the resends are gone, and every success seems to be the first attempt's."""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import pytest

from verify_analytics import metrics, model
from verify_analytics.errors import DoubtfulWarning


@pytest.fixture
def attempts(quick: Any, callback: Any, after: Any) -> Any:
    """Read one session of two attempts."""
    rows = [callback(1, "sent"), callback(60, "sent", attempt_id="a2", attempt_sequence=2)]
    return model.attempts(quick.callbacks(rows), as_of=after(86400))


@pytest.mark.parametrize("metric", [metrics.verification_rate, metrics.time_to_verify, metrics.when_to_switch])
def test_sessions_made_of_filtered_attempts_are_doubted(metric: Callable[..., Any], attempts: Any) -> None:
    first = nw.from_native(attempts).filter(nw.col("role") == "first_choice").to_native()
    with pytest.warns(DoubtfulWarning) as cut:
        metric(model.sessions(first), source="app")
    assert any("made without all their attempts" in str(warning.message) for warning in cut)
    with pytest.warns(DoubtfulWarning) as whole:
        metric(model.sessions(attempts), source="app")
    assert not any("attempts" in str(w.message).replace("model.attempts", "") for w in whole)
