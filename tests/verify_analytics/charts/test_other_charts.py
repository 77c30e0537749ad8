"""The charts of errors, retries and times, read as data."""

from typing import Any

import numpy as np
import pytest

from verify_analytics import charts
from verify_analytics.charts import Chart
from verify_analytics.errors import ArgumentError, SchemaError


def texts(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.texts]


def labels(chart: Chart) -> list[str]:
    return [str(line.get_label()) for line in chart.axes[0].lines if not str(line.get_label()).startswith("_")]


# --- error codes ------------------------------------------------------------------------------------------------------


def test_bars_have_the_length_and_the_interval_of_their_share(errors: Any) -> None:
    chart = charts.error_codes(errors([], [("sms", "80", 40, 100), ("voice", "3000", 20, 100)]))
    assert [bar.get_width() for bar in chart.axes[0].patches] == [0.4, 0.2]  # type: ignore[attr-defined]
    whiskers = [line.get_xdata() for line in chart.axes[0].lines if str(line.get_label()).startswith("interval of")]
    assert np.array(whiskers) == pytest.approx(np.array([[0.36, 0.44], [0.18, 0.22]]))
    assert {"SMS 80 Name of 80", "n = 40 · may pass on a retry", "40.0\xa0%"} <= set(texts(chart))


def test_the_share_of_all_is_drawn_where_only_that_is_given(errors: Any) -> None:
    frame = errors([], [("sms", "80", 40, 100)])
    chart = charts.error_codes(frame[frame["measure"] == "share_of_all"])
    assert chart.axes[0].patches[0].get_width() == pytest.approx(0.04)  # type: ignore[attr-defined]
    assert "old enough to be judged" in chart.alt


def test_the_subtitle_says_of_what_the_shares_are_shares(errors: Any) -> None:
    pooled = charts.error_codes(errors([], [("sms", "80", 40, 100), ("voice", "3000", 20, 100)]))
    apart = charts.error_codes(errors([], [("sms", "80", 40, 70), ("voice", "3000", 20, 30)]))
    both = charts.error_codes(errors(["role"], [("resend", "sms", "80", 40, 70), ("resend", "voice", "3000", 20, 30)]))
    assert pooled.title == "Why codes did not arrive"
    assert apart.title == "Why codes did not arrive, by channel"
    assert "of each channel that failed" in apart.alt
    assert both.title == "Why codes did not arrive, by channel and role"


def test_rare_codes_are_cut_and_the_cut_is_said(errors: Any) -> None:
    chart = charts.error_codes(errors([], [("sms", str(code), 100 - code, 2000) for code in range(20)]))
    assert len(chart.axes[0].patches) == 12
    assert "Not drawn: 8 rarer codes; see the table." in texts(chart)


def test_no_error_at_all_is_said_in_words(errors: Any) -> None:
    chart = charts.error_codes(errors([], []))
    assert chart.axes == []
    assert "nothing to explain" in chart.alt


@pytest.mark.parametrize("code", ["$x^{", "a\x00b\nc", "\N{PILE OF POO}", "9" * 500, "<script>", "%s {0}"])
def test_a_code_nobody_has_met_cannot_break_the_drawing(errors: Any, code: str) -> None:
    for narrow in (False, True):
        chart = charts.error_codes(errors([], [("sms", code, 40, 100)]), narrow=narrow)
        picture = charts.svg(chart, name="x")
        assert "<script>" not in picture
        assert "\x00" not in picture
        assert charts.png(chart).startswith(b"\x89PNG")


# --- retries ----------------------------------------------------------------------------------------------------------

PLAIN = [
    ("", "", "", "attempts_per_session", 150, 120),
    ("", "", "", "reaches_attempt_2", 30, 120),
    ("", "", "", "gap_to_attempt_2_p50", 43, 30),
    ("", "", "", "gap_to_attempt_2_p90", 80, 30),
    ("", "", "", "resent_too_early", 5, 20),
    ("", "sms", "voice", "second_attempt", 12, 30),
    ("app", "", "", "verified_before_attempt_2", 80, 120),
    ("app", "", "", "rescue", 9, 12),
    ("app", "sms", "voice", "second_attempt_then_verified", 9, 12),
    ("callback", "", "", "verified_before_attempt_2", 40, 120),
    ("callback", "", "", "rescue", 4, 12),
]


def test_retries_are_drawn_section_by_section_as_one_source_tells_them(asking: Any) -> None:
    chart = charts.retries(asking([], PLAIN))
    said = texts(chart)
    headings = [
        "How many attempts a session takes",
        "Asked too early: the code before did arrive",
        "What the second attempt was",
        "Verified",
        "Verified afterwards (followed by, not caused by)",
    ]
    assert [text for text in said if text in headings] == headings
    assert labels(chart).count("share: with the 1st attempt") == 1
    first = next(line for line in chart.axes[0].lines if line.get_label() == "share: with the 1st attempt")
    assert np.asarray(first.get_xdata()).tolist() == [80 / 120]
    assert "SMS → Voice" in said
    assert "1.25 attempts per session." in said
    assert "Half of the second attempts come within 43 s of the first, 90 % within 1 min 20 s." in said
    assert "verified as reported by the application" in chart.alt


def test_the_provider_is_the_source_where_the_application_reported_nothing(asking: Any) -> None:
    rows = [row if row[0] != "app" else (*row[:4], 0, 0) for row in PLAIN]
    chart = charts.retries(asking([], rows))
    assert "verified as reported by the provider" in chart.alt
    first = next(line for line in chart.axes[0].lines if line.get_label() == "share: with the 1st attempt")
    assert np.asarray(first.get_xdata()).tolist() == [40 / 120]


def test_retries_without_any_source_say_that_verification_is_not_observable(asking: Any) -> None:
    chart = charts.retries(asking([], [row for row in PLAIN if not row[0]]))
    assert "verification is not observable" in chart.alt


def test_retries_by_group_have_a_section_of_headlines_each(asking: Any) -> None:
    rows = [(channel, *row) for channel in ("sms", "voice") for row in PLAIN]
    said = texts(charts.retries(asking(["first_channel"], rows)))
    assert said.count("2 or more attempts") == 2
    assert said.count("verified with the 1st attempt") == 2
    assert {"SMS", "Voice"} <= set(said)


def test_retries_of_nobody_are_said_in_words(asking: Any) -> None:
    chart = charts.retries(asking([], [("", "", "", "reaches_attempt_2", 0, 0)]))
    assert chart.axes == []
    assert "nothing to draw" in chart.alt


# --- time to verify ---------------------------------------------------------------------------------------------------


def test_each_source_has_a_panel_and_its_curve_as_steps_over_all_seconds(speed: Any) -> None:
    chart = charts.time_to_verify(speed([], [("app", 200, 0.7, 0.8), ("callback", 190, 0.3, 0.4)]))
    assert len(chart.axes) == 2
    curve = next(line for line in chart.axes[0].lines if line.get_label() == "all sessions")
    assert curve.get_drawstyle() == "steps-post"
    assert np.asarray(curve.get_xdata()).tolist() == [0.0, 20.0, 300.0, 600.0]
    assert np.asarray(curve.get_ydata()).tolist() == [0.0, 0.7, 0.8, 0.8]
    assert [axes.get_ylim() for axes in chart.axes] == [(0.0, 1.0)] * 2
    assert [axes.get_xlim() for axes in chart.axes] == [(0.0, 600.0)] * 2


def test_under_the_curves_stand_n_shares_and_quantiles_that_may_not_exist(speed: Any) -> None:
    chart = charts.time_to_verify(speed([], [("app", 1200, 0.7, 0.8)]))
    said = texts(chart)
    assert {"1,200", "70.0\xa0%", "20 s", "—"} <= set(said)
    assert any("never gets there" in text for text in said)


def test_a_share_that_nobody_was_watched_for_is_not_known(speed: Any) -> None:
    frame = speed([], [("app", 1200, 0.7, 0.8)])
    frame.loc[frame["measure"] == "within_60s", "rate"] = np.nan
    assert "not known" in texts(charts.time_to_verify(frame))


def test_a_source_that_saw_nothing_says_so_and_draws_nothing(speed: Any) -> None:
    chart = charts.time_to_verify(speed([], [("app", 0, 0, 0), ("callback", 190, 0.3, 0.4)]))
    assert len(chart.axes) == 1
    assert any(text.startswith("Not observable") for text in texts(chart))
    assert "Verified as reported by the application: Not observable" in chart.alt


@pytest.mark.parametrize("rows", [[], [("app", 0, 0, 0), ("callback", 0, 0, 0)]])
def test_without_any_source_there_is_no_curve_and_no_zero(speed: Any, rows: Any) -> None:
    chart = charts.time_to_verify(speed([], rows))
    assert chart.axes == []
    assert "Not observable" in chart.alt


def test_curves_are_named_at_their_ends_and_do_not_hide_each_other(speed: Any) -> None:
    groups = [("sms", "app", 200, 0.70, 0.80), ("voice", "app", 100, 0.60, 0.79), ("rcs", "app", 50, 0.60, 0.78)]
    chart = charts.time_to_verify(speed(["first_channel"], groups))
    # Each name stands twice: at its curve and in the table below.
    ends = sorted(text.get_position()[1] for text in chart.texts if text.get_text() in {"SMS", "Voice", "RCS"})[3:]
    gaps = np.diff(ends) * chart.get_figheight() * 72
    assert (gaps > 10.9).all()


def test_a_band_is_drawn_as_soon_as_the_metric_gives_one(speed: Any) -> None:
    frame = speed([], [("app", 200, 0.7, 0.8)])
    bare = charts.time_to_verify(frame)
    assert not bare.axes[0].collections
    assert "Shaded" not in bare.alt
    banded = frame.assign(low=frame["rate"] - 0.05, high=frame["rate"] + 0.05)
    chart = charts.time_to_verify(banded)
    assert chart.axes[0].collections
    assert "Shaded: 95 % interval" in chart.alt


# --- all of them ------------------------------------------------------------------------------------------------------


def test_each_metric_says_in_its_own_words_what_is_unknown(delivery: Any, asking: Any, speed: Any) -> None:
    of_attempts = charts.delivery_rate(delivery(["channel"], [("sms", 90, 0.8, 0.9)], unknown=3))
    of_times = charts.time_to_verify(speed([], [("app", 200, 0.7, 0.8)], unknown=3))
    of_retries = charts.retries(asking([], PLAIN, unknown=3))
    assert "Attempts left out: 3 with no status that is listed." in of_attempts.alt
    assert "sessions left out: 3 whose first attempt was never seen." in of_times.alt
    assert "Sessions left out: 3 of which no attempt was seen." in of_retries.alt


@pytest.mark.parametrize("name", ["delivery_rate", "error_codes", "retries", "time_to_verify"])
def test_every_chart_refuses_what_its_metric_does_not_give(name: str, errors: Any) -> None:
    draw = getattr(charts, name)
    with pytest.raises(ArgumentError, match=f"metrics.{name} gives; got str"):
        draw("x")
    with pytest.raises(SchemaError, match="no column"):
        draw(errors([], []).drop(columns="rate"))
