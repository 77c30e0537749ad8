"""The metric dictionary says what the code does: statuses, measures, numerators and denominators."""

import pandas as pd
import pytest

from tests.docs import dictionary
from verify_analytics import metrics
from verify_analytics.errors import ArgumentError
from verify_analytics.metrics.definitions import DEFINITIONS, definition, undefined
from verify_analytics.model.outcomes import MEANING, OTHER


def test_the_page_prints_what_the_code_defines() -> None:
    text = dictionary.PAGE.read_text()
    assert dictionary.rewritten(text) == text, "run: .venv/bin/python -m tests.docs.dictionary"


def test_the_page_prints_every_pair_of_channel_and_status() -> None:
    text = dictionary.PAGE.read_text()
    for channel, meanings in MEANING.items():
        for status, state in meanings.items():
            named = channel if channel != OTHER else "any other"
            assert any(
                line.startswith(f"| {named}") and f"`{status}` | {state} |" in line for line in text.splitlines()
            ), (channel, status)


def test_every_metric_has_its_definitions_and_every_definition_its_metric() -> None:
    defined = {entry.metric for entry in DEFINITIONS}
    assert defined <= set(metrics.__all__)
    assert len({(entry.metric, entry.measure) for entry in DEFINITIONS}) == len(DEFINITIONS)


def test_what_nobody_defined_is_asked_for_in_vain() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'delivery_rate'"):
        definition("delivery_rat", "confirmed")
    with pytest.raises(ArgumentError, match="did you mean 'confirmed'"):
        definition("delivery_rate", "confirmd")
    assert undefined("delivery_rate", pd.Series(["confirmed", "confirmedx"])) == ["confirmedx"]
