"""A frame is shown so that it reads well, and stays as it is."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from verify_analytics import metrics
from verify_analytics.errors import ArgumentError
from verify_analytics.notebook import Study, show


def lines(shown: object) -> list[list[str]]:
    """The lines of the text, cut where columns end."""
    return [re.split(r"\s{2,}", line.strip()) for line in repr(shown).splitlines()]


def html(shown: object) -> str:
    return str(shown._repr_html_())  # type: ignore[attr-defined]


def test_a_rate_is_a_percentage_with_its_interval_and_counts_have_thousands(rates: pd.DataFrame) -> None:
    head, sms, voice, pigeon, *_ = lines(show(rates))
    assert head == ["channel", "measure", "rate (95 % interval)", "count", "n"]
    assert sms == ["sms", "confirmed", "91.2\xa0% (90.1–92.3)", "91,240", "100,000"]
    assert voice[2:] == ["50\xa0% (22–78)", "4", "8 (few)"]
    assert pigeon[2] == "not known (no cases)"


def test_what_all_rows_share_is_told_once_below(rates: pd.DataFrame) -> None:
    *_, context, beside, intervals = lines(show(rates))
    assert " ".join(context) == "as_of 2026-10-29 00:00 UTC; patience 15 min"
    assert " ".join(beside) == "Beside the figures, not in them: immature 5"
    assert " ".join(intervals) == "95 % intervals: wilson"


def test_the_frame_stays_as_it_is(rates: pd.DataFrame) -> None:
    before = rates.copy(deep=True)
    shown = show(rates)
    html(shown)
    assert shown.frame is rates
    pd.testing.assert_frame_equal(rates, before)


def test_the_exact_number_is_kept_in_the_cell(rates: pd.DataFrame) -> None:
    assert 'title="rate=0.9124, low=0.9012, high=0.9234"' in html(show(rates)).replace("np.float64(", "").replace(
        ")", ""
    )


def test_hostile_texts_are_escaped_and_cannot_break_the_table(rates: pd.DataFrame) -> None:
    rates.columns = [*rates.columns[:-1], "<script>"]
    drawn = html(show(rates, caption="<img src=x>"))
    assert "&lt;b&gt;pigeon &lt;/b&gt;" in drawn
    assert not re.search(r"<(script|img|b)\b", drawn)
    assert "\x07" not in drawn


class Structure(HTMLParser):
    """Counts the cells of each row and remembers scopes."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []
        self.scopes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append(0)
        if tag in {"td", "th"}:
            self.rows[-1] += 1
        if tag == "th":
            self.scopes.append(dict(attrs).get("scope") or "")


def test_heads_are_told_apart_from_cells_for_those_who_listen(rates: pd.DataFrame) -> None:
    read = Structure()
    read.feed(html(show(rates)))
    assert read.rows == [5, 5, 5, 5]
    assert read.scopes == ["col"] * 5 + ["row"] * 3


def test_numbers_stand_right_and_texts_left(rates: pd.DataFrame) -> None:
    cells = re.findall(r"text-align:(\w+)[^>]*>([^<]+)<", html(show(rates)))
    assert {text: align for align, text in cells}["91,240"] == "right"
    assert {text: align for align, text in cells}["sms"] == "left"


def test_at_most_so_many_rows_and_a_note_how_many_there_are() -> None:
    shown = show(pd.DataFrame({"a": range(2500)}), most=3)
    assert repr(shown).splitlines() == ["a", "0", "1", "2", "The first 3 of 2,500 rows; all are in the frame."]


def test_times_are_durations_and_what_was_not_reached_says_so() -> None:
    nan = float("nan")
    frame = pd.DataFrame(
        {
            "measure": ["within_30s", "p50", "p90", "not_observable"],
            "seconds": [30.0, 92.4, nan, nan],
            "rate": [0.5, 0.5, 0.9, nan],
            "low": [0.4, 80.2, nan, nan],
            "high": [0.6, nan, nan, nan],
            "unit": ["share", "seconds", "seconds", ""],
            "n": [200, 200, 200, 0],
        }
    )
    assert [line[1:3] for line in lines(show(frame))[1:]] == [
        ["30 s", "50.0\xa0% (40.0–60.0)"],
        ["1 min 32 s (1 min 20 s–not known)", "200"],
        ["not reached", "200"],
        ["not observable", "0"],
    ]


def test_moments_are_utc_and_missing_values_are_not_known() -> None:
    frame = pd.DataFrame({"at": pd.to_datetime(["2026-10-29T02:00:05+02:00", "NaT"], utc=True), "fine": [True, False]})
    assert lines(show(frame)) == [["at (UTC)", "fine"], ["2026-10-29 00:00:05", "yes"], ["not known", "no"]]


def test_a_difference_of_shares_is_in_points(study: Study) -> None:
    first = metrics.delivery_rate(study.attempts, by="role")
    wanted = first[first["measure"] == "accepted"]
    shown = show(metrics.compare(wanted, between="role", first="first_choice", second="fallback"))
    assert lines(shown)[0][:4] == ["measure", "value_first", "value_second", "difference (95 % interval)"]
    assert lines(shown)[1][:5] == ["accepted", "92.0\xa0%", "67.3\xa0%", "+24.7 points (+13.4 to +38.1)", "higher"]


def test_columns_are_chosen_by_name_and_a_figure_brings_its_interval(rates: pd.DataFrame) -> None:
    shown = show(rates, columns=["n", "rate", "low"])
    assert lines(shown)[:2] == [["n", "rate (95 % interval)"], ["100,000", "91.2\xa0% (90.1–92.3)"]]


def test_a_wrong_column_is_answered_with_the_near_one(rates: pd.DataFrame) -> None:
    with pytest.raises(ArgumentError, match="no column 'raet' in this frame: did you mean 'rate'"):
        show(rates, columns=["raet"])


@pytest.mark.parametrize(("thing", "most"), [("a text", 5), (pd.DataFrame({"a": [1]}), 0)])
def test_what_is_no_table_or_no_number_of_rows_is_refused(thing: object, most: int) -> None:
    with pytest.raises(ArgumentError, match=r"table|number of rows"):
        show(thing, most=most)


def test_a_frame_without_rows_says_so(rates: pd.DataFrame) -> None:
    assert "No rows: there is nothing to count." in repr(show(rates.head(0)))


def test_a_relation_is_counted_and_only_its_first_rows_are_fetched(study: Study) -> None:
    shown = show(study.attempts.filter("is_attempt").select("channel, outcome").order("channel"), most=2)
    assert shown.frame is not None
    assert repr(shown).splitlines()[-1] == "The first 2 of 546 rows; all are in the frame."


@pytest.mark.parametrize("metric", ["delivery_rate", "error_codes", "retries", "funnel", "receipt_trust"])
def test_every_frame_of_attempts_can_be_shown(study: Study, metric: str) -> None:
    frame = getattr(metrics, metric)(study.attempts)
    assert "nan" not in html(show(frame, most=200)).lower().replace("not", "")
