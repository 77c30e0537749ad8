"""The delivery chart, read as data: which points it draws where, with which interval, and what it says."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from verify_analytics import charts
from verify_analytics.charts import Chart
from verify_analytics.errors import ArgumentError, SchemaError


def points(chart: Chart) -> dict[str, tuple[float, ...]]:
    """Every point of a row chart by its name."""
    return {
        str(line.get_label()): tuple(np.asarray(line.get_xdata(), dtype=float).tolist())
        for line in chart.axes[0].lines
        if not str(line.get_label()).startswith("_")
    }


def texts(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.texts]


def test_each_group_has_its_two_points_and_their_intervals_as_the_frame_has_them(delivery: Any) -> None:
    frame = delivery(["channel", "role"], [("sms", "first_choice", 200, 0.8, 0.9), ("voice", "fallback", 50, 0.6, 0.6)])
    drawn = points(charts.delivery_rate(frame))
    assert drawn["confirmed: first choice"] == (0.8,)
    assert drawn["interval of confirmed: first choice"] == pytest.approx((0.75, 0.85))
    assert drawn["accepted: first choice"] == (0.9,)
    assert drawn["confirmed: fallback"] == (0.6,)
    assert len(drawn) == 8


@pytest.mark.parametrize("narrow", [False, True])
def test_n_stands_with_each_group_and_the_figure_beside_it(delivery: Any, *, narrow: bool) -> None:
    frame = delivery(["channel", "role"], [("sms", "first_choice", 1200, 0.8, 0.9), ("voice", "fallback", 8, 0.6, 0.6)])
    said = texts(charts.delivery_rate(frame, narrow=narrow))
    assert "n = 1,200" in said
    assert "n = 8 (few)" in said
    assert {"SMS", "Voice", "80.0\xa0%", "90.0\xa0%", "60\xa0%"} <= set(said)


def test_the_subtitle_has_the_definition_and_the_moment(delivery: Any) -> None:
    chart = charts.delivery_rate(delivery(["channel"], [("sms", 200, 0.8, 0.9)]))
    said = " ".join(texts(chart))
    assert "Confirmed: a receipt says delivered." in said
    assert "as of 2026-10-29 00:00 UTC" in said
    assert chart.title == "Codes delivered, by channel"


def test_the_scale_is_whole_so_that_two_charts_can_be_compared(delivery: Any) -> None:
    axes = charts.delivery_rate(delivery(["country"], [("DE", 200, 0.97, 0.98)])).axes[0]
    assert axes.get_xlim() == (0.0, 1.0)


def test_what_was_left_out_is_counted_once_per_group(delivery: Any) -> None:
    frame = delivery(["channel"], [("sms", 200, 0.8, 0.9), ("voice", 50, 0.6, 0.6)], immature=3, unobserved=1)
    said = " ".join(texts(charts.delivery_rate(frame)))
    assert "Attempts left out: 6 too young to be judged and 2 waiting while the collector was down." in said


def test_a_channel_keeps_its_colour_and_sign_in_every_chart(delivery: Any) -> None:
    alone = charts.delivery_rate(delivery(["channel"], [("voice", 50, 0.6, 0.6)]))
    among = charts.delivery_rate(delivery(["channel"], [("sms", 90, 0.8, 0.9), ("voice", 50, 0.6, 0.6)]))
    looks = [
        {
            (line.get_markeredgecolor(), line.get_marker())
            for line in chart.axes[0].lines
            if line.get_label() == "confirmed: Voice"
        }
        for chart in (alone, among)
    ]
    assert looks[0] == looks[1] != set()


def test_the_largest_channels_come_first_and_roles_keep_their_order(delivery: Any) -> None:
    groups = [
        ("aaa", "first_choice", 9, 0.5, 0.5),
        ("sms", "first_choice", 80, 0.8, 0.9),
        ("sms", "resend", 90, 0.7, 0.7),
    ]
    said = texts(charts.delivery_rate(delivery(["channel", "role"], groups)))
    assert said.index("SMS") < said.index("first choice") < said.index("resend") < said.index("aaa")


def test_a_group_with_nothing_to_judge_says_so(delivery: Any) -> None:
    chart = charts.delivery_rate(delivery(["channel"], [("sms", 90, 0.8, 0.9), ("voice", 0, 0.0, 0.0)]))
    assert "nothing to judge yet" in [text.get_text() for text in chart.axes[0].texts]
    assert "n = 0" in texts(chart)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("groups", [[], [("sms", 0, 0.0, 0.0)]])
def test_a_frame_without_anything_to_judge_gives_a_chart_that_says_so(
    delivery: Any, groups: Any, *, narrow: bool
) -> None:
    chart = charts.delivery_rate(delivery(["channel"], groups, immature=4), narrow=narrow)
    assert chart.axes == []
    assert "No attempt is old enough to be judged" in chart.alt
    assert charts.png(chart).startswith(b"\x89PNG")


def test_many_groups_are_cut_and_the_cut_is_said(delivery: Any) -> None:
    chart = charts.delivery_rate(delivery(["country"], [(f"{n:02d}", 100 + n, 0.5, 0.6) for n in range(40)]))
    assert sum(text.startswith("n = ") for text in texts(chart)) == 24
    assert any("16 smaller groups not drawn" in text for text in texts(chart))
    assert "39" in texts(chart)
    assert "00" not in texts(chart)


def test_a_frame_filtered_to_one_measure_is_drawn_as_that(delivery: Any) -> None:
    frame = delivery(["country"], [("DE", 200, 0.97, 0.98)])
    drawn = points(charts.delivery_rate(frame[frame["measure"] == "coverage"]))
    assert drawn == {"coverage: DE": (0.5,), "interval of coverage: DE": pytest.approx((0.45, 0.55))}


def days(*offsets: int) -> list[pd.Timestamp]:
    return [pd.Timestamp("2026-10-01T00:00Z").as_unit("us") + pd.Timedelta(days=offset) for offset in offsets]


def test_days_are_drawn_as_a_line_with_its_band_and_bars_of_n(delivery: Any) -> None:
    groups = [(day, 100 + at, 0.8, 0.9) for at, day in enumerate(days(0, 1, 2))]
    shares, sizes = charts.delivery_rate(delivery(["day"], groups)).axes
    line = next(line for line in shares.lines if line.get_label() == "confirmed")
    assert np.asarray(line.get_ydata()).tolist() == [0.8, 0.8, 0.8]
    band = next(each for each in shares.collections if each.get_label() == "interval of confirmed")
    assert band.get_paths()[0].vertices[:, 1].min() == pytest.approx(0.75)  # type: ignore[index, union-attr]
    assert [bar.get_height() for bar in sizes.patches] == [100.0, 101.0, 102.0]  # type: ignore[attr-defined]


def test_a_day_without_attempts_breaks_the_line(delivery: Any) -> None:
    groups = [(day, 100, 0.8, 0.9) for day in days(0, 1, 3)]
    shares = charts.delivery_rate(delivery(["day"], groups)).axes[0]
    line = next(line for line in shares.lines if line.get_label() == "confirmed")
    assert np.isnan(np.asarray(line.get_ydata(), dtype=float)).tolist() == [False, False, True, False]
    alone = next(each for each in shares.collections if each.get_label() == "intervals alone of confirmed")
    assert len(alone.get_paths()) == 1


def test_a_scale_that_does_not_begin_at_zero_says_so(delivery: Any) -> None:
    high = charts.delivery_rate(delivery(["day"], [(day, 100, 0.9, 0.95) for day in days(0, 1)]))
    low = charts.delivery_rate(delivery(["day"], [(day, 100, 0.06, 0.95) for day in days(0, 1)]))
    assert high.axes[0].get_ylim() == (0.8, 1.0)
    assert "The scale of shares does not begin at 0 %." in texts(high)
    assert low.axes[0].get_ylim() == (0.0, 1.0)
    assert "The scale of shares does not begin at 0 %." not in texts(low)


def test_hours_by_channel_have_a_panel_each_on_one_scale_and_tiny_ones_are_not_drawn(delivery: Any) -> None:
    groups = [
        ("sms", 0, 100, 0.8, 0.9),
        ("sms", 5, 100, 0.7, 0.9),
        ("voice", 0, 90, 0.4, 0.5),
        ("pigeon", 3, 4, 0.5, 0.5),
    ]
    frame = delivery(["channel", "hour"], groups).astype({"hour": "Int64"})
    chart = charts.delivery_rate(frame)
    shares = chart.axes[::2]
    assert len(shares) == 2
    assert {axes.get_ylim() for axes in shares} == {shares[0].get_ylim()}
    assert "Not drawn, too few in each hour: pigeon." in texts(chart)


def test_where_every_day_has_too_few_that_is_said_and_no_line_drawn(delivery: Any) -> None:
    chart = charts.delivery_rate(delivery(["channel", "day"], [("sms", day, 4, 0.5, 0.5) for day in days(0, 1)]))
    assert chart.axes == []
    assert "No day has 10 cases that can be judged: too few to draw." in chart.alt


def test_bare_channels_come_with_a_warning(delivery: Any) -> None:
    bare = charts.delivery_rate(delivery(["channel"], [("sms", 200, 0.8, 0.9)]))
    fair = charts.delivery_rate(delivery(["channel", "role"], [("sms", "resend", 200, 0.8, 0.9)]))
    assert "Split by role too" in bare.alt
    assert "Split by role too" not in fair.alt


def test_two_axes_of_time_are_refused(delivery: Any) -> None:
    frame = delivery(["day", "hour"], [(days(0)[0], 3, 100, 0.8, 0.9)])
    with pytest.raises(ArgumentError, match="split by 'day' or by 'hour'"):
        charts.delivery_rate(frame)


def test_something_else_than_the_metrics_frame_is_refused_with_the_way_out(delivery: Any) -> None:
    frame = delivery(["channel"], [("sms", 200, 0.8, 0.9)])
    with pytest.raises(ArgumentError, match="got list"):
        charts.delivery_rate([1])  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match=r"no column 'low'"):
        charts.delivery_rate(frame.drop(columns="low"))


def test_the_frame_is_left_as_it_was(delivery: Any) -> None:
    frame = delivery(["channel", "role"], [("voice", "resend", 20, 0.8, 0.9), ("sms", "resend", 200, 0.8, 0.9)])
    before = frame.copy(deep=True)
    charts.delivery_rate(frame)
    pd.testing.assert_frame_equal(frame, before)
