"""A mistake is answered with the near name, in one sentence at the end of what a notebook shows."""

import inspect
from collections.abc import Callable
from types import ModuleType

import pandas as pd
import pytest

from verify_analytics import charts, load, metrics, model, notebook
from verify_analytics.charts import measures
from verify_analytics.errors import (
    ArgumentError,
    OptionError,
    SchemaError,
    UnknownNameError,
    VerifyAnalyticsError,
    options_by_name,
)
from verify_analytics.metrics.definitions import DEFINITIONS

FRAME = pd.DataFrame({"measure": ["reaches_attempt_2", "rescue"], "rate": [0.2, 0.5]})


@pytest.mark.parametrize(
    ("room", "asked", "near"),
    [
        (metrics, "delivery_rat", "delivery_rate"),
        (charts, "time_to_verfy", "time_to_verify"),
        (load, "callback", "callbacks"),
        (model, "atempts", "attempts"),
        (notebook, "exprot", "export"),
    ],
)
def test_a_name_that_a_room_does_not_have(room: ModuleType, asked: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=f"has no '{asked}': did you mean '{near}'"):
        getattr(room, asked)
    assert not hasattr(room, asked)


@pytest.mark.parametrize("room", [metrics, charts, load, model, notebook])
def test_tools_that_look_whether_something_is_there_are_told_no(room: ModuleType) -> None:
    assert not hasattr(room, "__wrapped__")
    assert not hasattr(room, "_repr_html_")


@pytest.mark.parametrize("room", [metrics, load, notebook])
def test_every_function_knows_its_options(room: ModuleType) -> None:
    plain = [
        name
        for name in room.__all__
        if inspect.isfunction(getattr(room, name))
        and any(each.kind is each.KEYWORD_ONLY for each in inspect.signature(getattr(room, name)).parameters.values())
    ]
    assert plain
    for name in plain:
        with pytest.raises(OptionError, match="has no option 'no_such_option'"):
            getattr(room, name)(None, no_such_option=1)


@pytest.mark.parametrize(
    ("function", "given", "options", "said"),
    [
        (metrics.delivery_rate, [FRAME], {"buy": "country"}, "delivery_rate has no option 'buy': did you mean 'by'"),
        (metrics.delivery_rate, [FRAME, "country"], {}, "delivery_rate takes its options by name: by, top"),
        (charts.delivery_rate, [FRAME], {"narow": True}, "delivery_rate has no option 'narow': did you mean 'narrow'"),
        (load.Exclusions, [], {"recipient": ["a"]}, "Exclusions has no option 'recipient': did you mean 'recipients'"),
        (model.attempts, [FRAME], {"as_off": "x"}, "attempts has no option 'as_off': did you mean 'as_of'"),
    ],
)
def test_an_option_that_a_function_does_not_have(
    function: Callable[..., object], given: list[object], options: dict[str, object], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        function(*given, **options)


def test_a_wrong_option_is_what_python_and_we_call_such_a_thing() -> None:
    assert issubclass(OptionError, TypeError)
    assert issubclass(OptionError, ArgumentError)
    assert issubclass(UnknownNameError, AttributeError)


def test_a_function_that_takes_many_things_still_does() -> None:
    @options_by_name
    def many(*things: int, by: int = 0) -> int:
        return sum(things) + by

    assert many(1, 2, 3, by=4) == 10


@pytest.mark.parametrize(
    "chart", ["delivery_rate", "verification_rate", "completeness", "error_codes", "webhook_health"]
)
def test_a_frame_of_another_metric_is_named(chart: str) -> None:
    with pytest.raises(SchemaError, match=r"looks like that of metrics\.retries: try charts\.retries"):
        getattr(charts, chart)(FRAME)


def test_a_chart_knows_the_measures_of_every_metric() -> None:
    defined: dict[str, list[str]] = {}
    for each in DEFINITIONS:
        defined.setdefault(each.metric, []).append(each.measure)
    assert {name: list(known) for name, known in measures.MEASURES.items()} == defined


def test_a_notebook_shows_the_line_that_asked_and_one_sentence() -> None:
    try:
        metrics.delivery_rate(FRAME, buy="country")  # type: ignore[call-arg]
    except VerifyAnalyticsError as error:
        line, sentence = error._render_traceback_()
    assert line.endswith('metrics.delivery_rate(FRAME, buy="country")  # type: ignore[call-arg]')
    assert sentence.startswith("OptionError: delivery_rate has no option 'buy': did you mean 'by'?")
