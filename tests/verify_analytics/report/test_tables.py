"""Tables can be opened in a spreadsheet without running anything, and read back without losing anything."""

import io

import numpy as np
import pandas as pd
import pytest

from verify_analytics.charts.spreadsheet import as_csv
from verify_analytics.report.tables import Cell, by_group, of_errors, of_retries, of_times, rate_cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", "＝1+1", "＠x"])
def test_a_text_that_looks_like_a_formula_is_made_harmless(text: str) -> None:
    written = as_csv(pd.DataFrame({"code": [text]}))
    assert pd.read_csv(io.StringIO(written), dtype=str)["code"][0] == f"'{text.strip(chr(0)).strip()}"


def test_numbers_moments_and_missing_values_come_back_as_they_were() -> None:
    frame = pd.DataFrame(
        {
            "rate": [0.1 + 0.2, float("nan"), -0.5],
            "hour": pd.array([3, None, 5], dtype="Int64"),
            "as_of": pd.to_datetime(["2026-10-29T00:00Z"] * 3, utc=True).as_unit("us"),
            "code": ["000", "a,b", 'say "no"'],
        }
    )
    back = pd.read_csv(io.StringIO(as_csv(frame)), dtype={"code": "str", "hour": "Int64"}, parse_dates=["as_of"])
    pd.testing.assert_frame_equal(back.astype(frame.dtypes), frame)


def rates(rows: list[tuple[str, str, int, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["country", "measure", "n", "rate"])
    return frame.assign(count=1, low=frame["rate"] - 0.1, high=frame["rate"] + 0.1)


def test_a_table_has_a_row_per_group_with_each_measure_and_its_interval() -> None:
    frame = rates([("DE", "confirmed", 200, 0.5), ("DE", "accepted", 200, 0.6), ("US", "confirmed", 0, np.nan)])
    table = by_group(frame, ["country"], {"confirmed": "c", "accepted": "a"}, caption="x", n="attempts")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["DE", "200", "50.0\xa0%", "60.0\xa0%"],
        ["US", "0", "–", "hidden"],
    ]
    assert table.rows[0][2].small == "40.0–60.0"
    assert [head.text for head in table.heads] == ["country", "attempts", "c", "a"]


def test_a_long_table_is_cut_and_says_by_how_much() -> None:
    frame = rates([(f"{number:02d}", "confirmed", 200, 0.5) for number in range(50)])
    table = by_group(frame, ["country"], {"confirmed": "c"}, caption="x", n="attempts", most=40)
    assert (len(table.rows), table.more) == (40, 10)


def test_a_rate_of_nothing_is_a_dash_and_no_zero() -> None:
    assert rate_cell(pd.Series({"rate": float("nan"), "low": float("nan"), "high": float("nan"), "n": 0})).text == "–"


def test_error_codes_come_with_their_meaning() -> None:
    row = {
        "channel": "sms",
        "code": "80",
        "name": "Unavailable",
        "meaning": "The phone is off",
        "category": "recipient",
        "retryable": "yes",
        "count": 5,
        "n": 10,
        "rate": 0.5,
        "low": 0.2,
        "high": 0.8,
    }
    both = [{**row, "measure": "share_of_unsuccessful"}, {**row, "measure": "share_of_all", "n": 100, "rate": 0.05}]
    table = of_errors(pd.DataFrame(both))
    assert [cell.text for cell in table.rows[0]] == [
        "SMS",
        "80",
        "The phone is off",
        "may help",
        "5",
        "50\xa0%",
        "5.0\xa0%",
    ]


def test_figures_of_retries_have_names_a_person_understands() -> None:
    nothing = {"source": "", "from_channel": "", "to_channel": "", "count": 3, "n": 10, "low": 0.1, "high": 0.9}
    missing = {"rate": np.nan, "mean": np.nan, "seconds": np.nan}
    rows = [
        {**nothing, **missing, "measure": "attempts_per_session", "mean": 1.3},
        {**nothing, **missing, "measure": "reaches_attempt_2", "rate": 0.3},
        {**nothing, **missing, "measure": "gap_to_attempt_2_p90", "seconds": 80.0},
        {**nothing, **missing, "measure": "second_attempt", "from_channel": "sms", "to_channel": "voice", "rate": 0.3},
        {**nothing, **missing, "measure": "verified_before_attempt_3", "source": "app", "rate": 0.3},
    ]
    table = of_retries(pd.DataFrame(rows))
    assert [(row[0].text, row[3].text) for row in table.rows] == [
        ("attempts per session", "1.30"),
        ("2 attempts or more", "30\xa0%"),
        ("wait before attempt 2: 90 % within", "1 min 20 s"),
        ("second attempt: SMS → Voice", "30\xa0%"),
        ("verified after attempt 2, before any further one", "30\xa0%"),
    ]


def test_a_source_that_saw_nothing_is_not_observable_in_its_table() -> None:
    frame = pd.DataFrame(
        [
            {"source": "app", "measure": "not_observable", "n": 0, "rate": np.nan, "seconds": np.nan},
            {
                "source": "callback",
                "measure": "within_10s",
                "n": 9,
                "rate": 0.5,
                "seconds": 10.0,
                "low": 0.3,
                "high": 0.7,
            },
            *(
                {
                    "source": "callback",
                    "measure": measure,
                    "n": 9,
                    "rate": 0.5,
                    "seconds": 20.0,
                    "low": low,
                    "high": high,
                }
                for low, high, measures in (
                    (0.3, np.nan, ("within_30s", "within_60s", "within_120s")),
                    (12.0, np.nan, ("p50", "p90", "restricted_mean")),
                )
                for measure in measures
            ),
        ]
    )
    table = of_times(frame, ())
    assert [cell.text for cell in table.rows[0]][:3] == ["application", "0", "not observable"]
    assert len(table.rows[0]) == len(table.rows[1]) == len(table.heads)
    assert table.rows[1][2] == Cell("50\xa0%", "30–70")
    assert table.rows[1][6] == Cell("20 s", "12 s or later")
