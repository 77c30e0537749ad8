"""A frame is shown as a person reads it, and every number stays as it was."""

import pandas as pd
import pytest

from verify_analytics.errors import ArgumentError
from verify_analytics.notebook import show

NAN = float("nan")
AS_OF = pd.Timestamp("2026-10-29T00:00Z")


def rates() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": ["sms", "pigeon"],
            "measure": ["not_handed_over", "confirmed"],
            "count": [12, 0],
            "n": [1400, 0],
            "rate": [12 / 1400, NAN],
            "low": [0.0049, NAN],
            "high": [0.0149, NAN],
            "interval": ["wilson", ""],
            "immature": [3, 0],
            "unobserved": [0, 0],
            "as_of": [AS_OF, AS_OF],
        }
    )


def test_rates_are_percentages_with_their_intervals_and_units_in_the_head() -> None:
    shown = show(rates())
    assert list(shown.texts.columns) == ["channel", "measure", "count", "n", "rate, % (95 % interval)", "immature"]
    assert list(shown.texts.iloc[0]) == ["SMS", "not handed over", "12", "1,400", "0.9 (0.5–1.5)", "3"]


def test_what_has_no_cases_is_not_known_and_no_zero() -> None:
    assert show(rates()).texts["rate, % (95 % interval)"].iloc[1] == "not known"


def test_no_number_is_lost_and_nothing_is_changed() -> None:
    frame = rates()
    shown = show(frame)
    assert shown.frame is frame
    pd.testing.assert_frame_equal(frame, rates())


def test_times_are_durations_and_one_that_is_never_reached_says_so() -> None:
    frame = pd.DataFrame(
        {
            "measure": ["p50", "p90", "within_30s"],
            "seconds": [22.385, NAN, 30.0],
            "rate": [0.5, 0.9, 0.66],
            "low": [21.22, NAN, 0.6],
            "high": [NAN, NAN, 0.71],
            "unit": ["seconds", "seconds", "share"],
            "n": [336, 336, 336],
        }
    )
    assert list(show(frame).texts["time (95 % interval)"]) == ["22 s (21 s–open)", "not reached", "30 s"]
    assert show(frame).texts["rate, % (95 % interval)"].iloc[2] == "66.0 (60.0–71.0)"


def test_a_difference_has_its_sign_its_unit_and_its_interval() -> None:
    frame = pd.DataFrame(
        {
            "measure": ["verified", "p50"],
            "unit": ["share", "seconds"],
            "value_first": [0.81, 22.0],
            "value_second": [0.88, 24.5],
            "difference": [-0.07, -2.5],
            "low": [-0.149, NAN],
            "high": [0.008, 1.0],
        }
    )
    texts = show(frame).texts
    assert list(texts["difference (95 % interval)"]) == ["-7.0 points (-14.9 to +0.8)", "-2.5 s (open to +1.0)"]
    assert list(texts["value first"]) == ["81.0\N{NO-BREAK SPACE}%", "22 s"]


def test_moments_and_periods_are_written_in_utc() -> None:
    frame = pd.DataFrame({"day": [AS_OF], "from_at": [AS_OF], "weekday": pd.array([0], "Int64"), "n": [1]})
    assert list(show(frame).texts.iloc[0]) == ["2026-10-29", "2026-10-29 00:00 UTC", "Mon", "1"]


def test_chosen_columns_are_shown_also_those_that_are_dull() -> None:
    shown = show(rates(), columns=["channel", "low", "as_of"])
    assert list(shown.texts.iloc[0]) == ["SMS", "0.5", "2026-10-29 00:00 UTC"]


def test_many_rows_are_cut_and_that_is_said() -> None:
    shown = show(pd.concat([rates()] * 30, ignore_index=True), rows=5)
    assert len(shown.texts) == 5
    assert "55 more rows" in repr(shown)
    assert "55 more rows" in shown._repr_html_()


def test_no_rows_are_said_to_be_none() -> None:
    assert "No rows." in show(rates().iloc[:0])._repr_html_()


def test_what_a_provider_invented_cannot_write_into_the_page() -> None:
    frame = rates().assign(channel=["<script>alert(1)</script>", "a\nb"])
    html = show(frame)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_numbers_stand_right_and_names_left_in_a_table_with_heads() -> None:
    html = show(rates())._repr_html_()
    assert html.count('<th scope="col"') == 6
    assert 'text-align: left">channel</th>' in html
    assert 'text-align: right; font-variant-numeric: tabular-nums">count</th>' in html


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: show([1]), "show takes a pandas frame, as every metric gives; got list"),
        (lambda: show(rates(), rows=0), "rows=0 is no number of rows to show"),
        (lambda: show(rates(), columns=["zzz"]), "no column 'zzz': Known: "),
        (lambda: show(rates(), columns=["chanel"]), "no column 'chanel': did you mean 'channel'?"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(mistake, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArgumentError) as caught:
        mistake()
    assert str(caught.value).startswith(said)
