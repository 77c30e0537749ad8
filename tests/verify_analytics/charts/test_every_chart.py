"""What holds for every chart: the name of its metric, words that say what is seen, and no word on another."""

import inspect
from collections.abc import Iterator
from itertools import combinations

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from tests.verify_analytics.charts.gallery import PICTURES, drawn, frame_of
from verify_analytics import charts, metrics
from verify_analytics.charts.canvas import house_style
from verify_analytics.errors import ArgumentError, SchemaError

# Lists of cases, one row each: a table says them, a drawing would not.
WITHOUT_CHART = {"clock_faults", "unlawful"}
# Charts that are another view of a metric's frame.
VIEWS = {"attempts_per_session": "retries", "retry_flow": "retries", "retry_gaps": "retries"}
NO_CHARTS = {"Chart", "inline", "png", "svg"}
WIDTHS = pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
EVERY = pytest.mark.parametrize("picture", PICTURES)


def words_of(chart: charts.Chart) -> Iterator[Text]:
    for text in chart.findobj(Text):
        if isinstance(text, Text) and text.get_text().strip() and text.get_visible():
            yield text


def test_every_metric_has_a_chart_of_its_name() -> None:
    drawn_names = set(charts.__all__) - NO_CHARTS - set(VIEWS)
    assert drawn_names == set(metrics.__all__) - WITHOUT_CHART


def test_every_chart_takes_a_frame_and_a_width_and_nothing_else() -> None:
    for name in sorted(set(charts.__all__) - NO_CHARTS):
        assert list(inspect.signature(getattr(charts, name)).parameters) == ["frame", "narrow"], name


def test_every_chart_is_in_the_gallery() -> None:
    assert {chart for chart, _ in PICTURES.values()} == set(charts.__all__) - NO_CHARTS


@EVERY
@WIDTHS
def test_words_stay_on_the_sheet_and_apart(picture: str, narrow: bool) -> None:
    chart = drawn(picture, narrow=narrow)
    with house_style():
        FigureCanvasAgg(chart).draw()
        boxes = [(text.get_text(), text.get_window_extent()) for text in words_of(chart)]
    width, height = chart.bbox.width, chart.bbox.height
    outside = [text for text, box in boxes if box.x0 < -1 or box.x1 > width + 1 or box.y0 < -1 or box.y1 > height + 1]
    assert outside == []
    # A box is a little higher than its letters, so words that merely touch are apart.
    small = [(text, box.shrunk(0.96, 0.6)) for text, box in boxes]
    meeting = [(one, other) for (one, a), (other, b) in combinations(small, 2) if a.overlaps(b)]
    assert meeting == []


@EVERY
def test_says_what_it_shows_from_when_and_for_those_who_cannot_see_it(picture: str) -> None:
    wide, narrow = (drawn(picture, narrow=each) for each in (False, True))
    assert wide.title
    assert wide.alt.startswith(wide.title)
    assert narrow.alt == wide.alt
    assert "as of 2026-10-29 00:00 UTC" in wide.alt
    assert "nan" not in wide.alt.lower().split()


@EVERY
@WIDTHS
def test_a_frame_without_rows_gives_a_chart_that_says_so(picture: str, narrow: bool) -> None:
    name, _ = PICTURES[picture]
    chart = getattr(charts, name)(frame_of(picture).iloc[:0], narrow=narrow)
    assert not chart.axes
    assert len(chart.alt) > len(chart.title) + 10


@EVERY
def test_a_frame_in_which_nothing_could_be_judged_gives_a_chart_that_says_so(picture: str) -> None:
    frame = frame_of(picture).copy()
    for column, nothing in (("count", 0), ("n", 0), ("minutes_up", 0), ("minutes_down", 0)):
        if column in frame.columns:
            frame[column] = nothing
    for column in ("rate", "low", "high", "mean", "seconds", "difference", "value_first", "value_second"):
        if column in frame.columns:
            frame[column] = float("nan")
    chart = getattr(charts, PICTURES[picture][0])(frame)
    assert len(chart.alt) > len(chart.title)


@pytest.mark.parametrize("name", sorted(set(charts.__all__) - NO_CHARTS))
def test_another_thing_than_the_metrics_frame_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(
        ArgumentError, match=rf"charts\.{name} draws the frame that metrics\.{VIEWS.get(name, name)} gives"
    ):
        getattr(charts, name)([1, 2])
    with pytest.raises(SchemaError, match=rf"charts\.{name} .*this one has no column"):
        getattr(charts, name)(pd.DataFrame({"other": [1]}))
