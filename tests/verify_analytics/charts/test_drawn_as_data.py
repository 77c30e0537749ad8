"""What is drawn is what the frame says: marks, widths, labels and limits, read back from the drawing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.text import Text

from tests.verify_analytics.charts import gallery
from tests.verify_analytics.charts.gallery import frame_of
from verify_analytics import charts
from verify_analytics.errors import ArgumentError


def drawn(picture: str, *, narrow: bool) -> Any:
    """A chart whose parts are read freely: matplotlib's own types know little of what a line holds."""
    return gallery.drawn(picture, narrow=narrow)


def texts(chart: Any) -> list[str]:
    return [text.get_text() for text in chart.findobj(Text)]


def labelled(chart: Any, kind: type, label: str) -> list[Any]:
    return [each for each in chart.findobj(kind) if str(each.get_label()) == label]


# --- the week as a map ------------------------------------------------------------------------------------------------


def week(*cells: tuple[int, int, int, float]) -> pd.DataFrame:
    rows = [
        {"weekday": day, "hour": hour, "measure": "confirmed", "count": round(n * rate), "n": n, "rate": rate}
        for day, hour, n, rate in cells
    ]
    context: dict[str, Any] = {"low": 0.1, "high": 0.9, "immature": 0, "unobserved": 0, "unknown": 0, "pooled": ""}
    frame = pd.DataFrame(rows).assign(**context, as_of=pd.Timestamp("2026-10-29T00:00Z"))
    return frame.astype({"weekday": "Int64", "hour": "Int64"})


def test_an_hour_of_enough_is_coloured_by_its_share_one_of_few_is_hatched_and_one_of_none_is_blank() -> None:
    chart: Any = charts.delivery_rate(week((0, 9, 100, 0.9), (0, 10, 100, 0.6), (2, 3, 9, 0.0)))
    assert len(labelled(chart, Rectangle, "share")) == 2
    [few] = labelled(chart, Rectangle, "too few")
    assert few.get_xy() == pytest.approx((3.04, 2.04))
    assert few.get_hatch()
    assert len(labelled(chart, Rectangle, "nothing")) == 168 - 3
    assert {"90", "60"} <= set(texts(chart))
    assert "0" not in texts(chart)


def test_the_lower_share_is_the_darker_one() -> None:
    chart: Any = charts.delivery_rate(week((0, 9, 100, 0.9), (0, 10, 100, 0.6)))
    light = {each.get_x(): sum(each.get_facecolor()[:3]) for each in labelled(chart, Rectangle, "share")}
    assert light[10.02] < light[9.02]


def test_on_a_phone_the_hours_run_down() -> None:
    wide, narrow = (charts.delivery_rate(week((2, 9, 100, 0.9)), narrow=each) for each in (False, True))
    assert labelled(wide, Rectangle, "share")[0].get_xy() == pytest.approx((9.02, 2.02))
    assert labelled(narrow, Rectangle, "share")[0].get_xy() == pytest.approx((2.02, 9.02))


# --- small panels, trends ---------------------------------------------------------------------------------------------


def test_groups_too_small_for_a_panel_are_counted_in_a_note() -> None:
    frame = frame_of("delivery by country and day")
    enough = frame[(frame["measure"] == "confirmed") & (frame["n"] >= 10)]["country"].nunique()
    left = frame["country"].nunique() - enough
    chart = drawn("delivery by country and day", narrow=False)
    assert len(chart.axes) == enough
    assert any(text.startswith(f"{left} groups not drawn, too small") for text in texts(chart))


def test_small_panels_share_one_scale() -> None:
    axes = drawn("delivery by country and day", narrow=False).axes
    assert len({(each.get_xlim(), each.get_ylim()) for each in axes}) == 1


def test_a_period_without_cases_breaks_the_line() -> None:
    days = pd.to_datetime(["2026-10-01", "2026-11-01", "2027-01-01"], utc=True)
    frame = pd.DataFrame({"month": days, "measure": "confirmed", "count": 80, "n": 100, "rate": 0.8, "low": 0.7})
    context: dict[str, Any] = {"high": 0.9, "immature": 0, "unobserved": 0, "unknown": 0}
    chart: Any = charts.delivery_rate(frame.assign(**context, as_of=pd.Timestamp("2027-02-01T00:00Z")))
    [line] = [each for each in chart.axes[0].lines if each.get_label() == "confirmed"]
    assert np.isnan(line.get_ydata()).tolist() == [False, False, True, False]
    assert [tick.get_text() for tick in chart.axes[1].get_xticklabels()] == ["Oct 26", "Nov 26", "Dec 26", "Jan 27"]


# --- codes ------------------------------------------------------------------------------------------------------------


def test_beside_each_code_stands_what_it_makes_up_with_those_above_it() -> None:
    frame = frame_of("codes")
    shares = frame[frame["measure"] == "share_of_unsuccessful"].sort_values("count", ascending=False, kind="stable")
    so_far = shares["count"].head(12).cumsum() / shares["n"].max()
    chart = drawn("codes", narrow=False)
    # They stand at the right edge of the sheet, one below the other.
    right = [text for text in chart.texts if text.get_ha() == "right" and text.get_position()[0] > 0.98]
    found = [text.get_text() for text in right if text.get_text().endswith("%")]
    assert found == [f"{100 * share:.0f}\N{NO-BREAK SPACE}%" for share in so_far]


# --- ways -------------------------------------------------------------------------------------------------------------


def test_what_flows_into_a_channel_flows_out_of_it() -> None:
    chart = drawn("ways", narrow=False)
    bands = {
        str(each.get_label()): _height(each)
        for each in chart.findobj(PathPatch)
        if ":" in _named(each) or " to " in _named(each)
    }
    into: dict[str, float] = {}
    out: dict[str, float] = {}
    for name, height in bands.items():
        begin, _, end = name.partition(" to ")
        if end:
            into[end] = into.get(end, 0.0) + height
        else:
            channel = begin.partition(":")[0]
            out[channel] = out.get(channel, 0.0) + height
    assert into
    assert into == pytest.approx(out)


def _named(patch: Any) -> str:
    return str(patch.get_label())


def _height(patch: Any) -> float:
    y = patch.get_path().vertices[:, 1]
    return float(y[-2] - y[0])


def test_the_bar_of_all_sessions_is_whole() -> None:
    frame = frame_of("ways")
    chart = drawn("ways", narrow=False)
    names = ("verified with the first attempt", "no second attempt, not verified", "asked again")
    parts = [labelled(chart, Rectangle, name)[0].get_width() for name in names]
    first = frame[(frame["source"] == "app") & (frame["measure"] == "verified_before_attempt_2")]
    assert sum(parts) == first["n"].iloc[0]
    assert parts[0] == first["count"].iloc[0]


def test_where_nobody_tells_of_verification_the_ways_end_at_the_second_attempt() -> None:
    frame = frame_of("ways")
    chart = charts.retry_flow(frame[frame["source"] == ""])
    assert "verification is not observable" in chart.alt
    assert not [each for each in chart.findobj(PathPatch) if ":" in _named(each)]
    assert [each for each in chart.findobj(PathPatch) if " to " in _named(each)]


def test_ways_of_several_groups_are_refused() -> None:
    with pytest.raises(ArgumentError, match="draws one group, and this frame is split by country"):
        charts.retry_flow(frame_of("attempts by country"))


# --- time -------------------------------------------------------------------------------------------------------------


def test_under_the_curve_stand_those_still_waiting() -> None:
    frame = frame_of("time to verify")
    app = frame[frame["source"] == "app"]
    wanted = [app["n"].iloc[0], *app.loc[app["measure"].str.startswith("within"), "at_risk"]]
    found = texts(drawn("time to verify", narrow=False))
    assert all(f"{int(number):,}" in found for number in wanted)


def test_a_curve_of_fewer_than_ten_is_in_the_table_only() -> None:
    frame = frame_of("time to verify by country")
    few = frame[(frame["source"] == "app") & (frame["n"] > 0)].groupby("country")["n"].first()
    five = few.nlargest(5)
    assert (five >= 10).all()
    tiny = frame[frame["country"].isin([*five.index[:2], few.idxmin()])]
    chart = charts.time_to_verify(tiny[tiny["source"] == "app"])
    drawn_names = {str(line.get_label()) for line in chart.axes[0].lines}
    assert str(few.idxmin()) not in drawn_names
    assert f"Not drawn, fewer than 10: {few.idxmin()}." in texts(chart)


def test_waiting_on_is_drawn_with_its_interval_and_how_many_still_wait() -> None:
    frame = frame_of("switch")
    rows = frame[(frame["source"] == "app") & frame["rate"].notna()]
    chart = drawn("switch", narrow=False)
    [line] = [each for each in chart.axes[0].lines if each.get_label() == "verified in the next while"]
    assert line.get_ydata().tolist() == rows["rate"].tolist()
    assert f"{rows['n'].iloc[0]:,}" in texts(chart)
    assert any("not what switching would" in text for text in texts(chart))


def test_gaps_have_a_filled_half_and_a_hollow_ninety_percent() -> None:
    chart = drawn("gaps of attempts", narrow=False)
    marks = {
        str(each.get_label()): each for each in chart.axes[0].lines if str(each.get_label()).startswith(("half", "90"))
    }
    rows = frame_of("gaps of attempts").set_index("measure")["seconds"]
    assert marks["half of 2nd attempt"].get_xdata()[0] == rows["gap_to_attempt_2_p50"]
    assert marks["90 % of 2nd attempt"].get_markerfacecolor() == "#ffffff"


# --- compare, funnel, doubts ------------------------------------------------------------------------------------------


def test_a_difference_is_filled_only_where_the_verdict_says_that_there_is_one() -> None:
    chart = drawn("compared times", narrow=False)
    frame = frame_of("compared times")
    shares = frame[(frame["unit"] == "share") & frame["difference"].notna()]
    marks = [each for each in chart.axes[0].lines if each.get_marker() == "o"]
    assert [each.get_xdata()[0] for each in marks] == shares["difference"].tolist()
    filled = [each.get_markerfacecolor() != "#ffffff" for each in marks]
    assert filled == shares["verdict"].isin(["higher", "lower"]).tolist()
    assert any(filled)
    assert not all(filled)


def test_the_scale_of_differences_has_zero_in_its_middle() -> None:
    low, high = drawn("compared shares", narrow=False).axes[0].get_xlim()
    assert low == -high


def test_a_funnel_has_its_steps_its_losses_and_what_the_verified_had() -> None:
    chart = drawn("funnel", narrow=False)
    said = texts(chart)
    assert {"How far sessions got", "Lost: not verified, and went no further than", "Verified"} <= set(said)
    bars = [each for each in chart.axes[0].patches if isinstance(each, Rectangle)]
    frame = frame_of("funnel")
    assert sorted(each.get_width() for each in bars) == sorted(frame.loc[frame["source"] == "app", "rate"])


def test_a_fault_that_never_happened_is_hollow() -> None:
    frame = frame_of("order")
    chart = drawn("order", narrow=False)
    marks = [each for each in chart.axes[0].lines if each.get_marker() == "o"]
    hollow = [each.get_markerfacecolor() == "#ffffff" for each in marks]
    assert hollow == (frame["count"] == 0).tolist()


def test_a_figure_that_is_never_more_than_nothing_has_no_panel() -> None:
    chart = drawn("webhooks by day", narrow=False)
    frame = frame_of("webhooks by day")
    never = frame[frame["measure"] == "unproved"]
    assert not never["count"].any()
    assert "none" in texts(chart)
    assert len(chart.axes) == 1 + sum(
        bool(frame.loc[frame["measure"] == name, "count"].any())
        for name in ("redelivered", "soon_after_outage", "unproved", "unknown_status")
    )


def test_steps_that_should_not_follow_are_framed() -> None:
    frame = frame_of("transitions")
    chart = drawn("transitions", narrow=False)
    assert len(labelled(chart, Rectangle, "not possible in this order")) == (frame["lawful"] == "no").sum()
    assert len(labelled(chart, Rectangle, "share")) == len(frame)


def test_gaps_of_the_collector_are_listed_the_longest_first() -> None:
    frame = frame_of("gaps")
    longest = frame.sort_values("minutes", ascending=False)["minutes"].iloc[0]
    listed = [text for text in texts(drawn("gaps", narrow=False)) if ", for " in text]
    assert len(listed) == len(frame)
    assert listed[0].endswith(f"for {longest} min")
