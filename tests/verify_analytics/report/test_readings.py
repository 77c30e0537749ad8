"""The sentences beside the charts say what the frame says, and no more."""

import math
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from verify_analytics.report import build, headlines, readings, tables
from verify_analytics.report.study import Options

SAMPLE = Path(__file__).parents[3] / "data" / "sample" / "callbacks.parquet"


def rates(*rows: dict[str, object]) -> pd.DataFrame:
    """A rate frame of a few rows: what is not said is half of a hundred."""
    usual = {"count": 50, "n": 100, "rate": 0.5, "low": 0.4, "high": 0.6}
    return pd.DataFrame([usual | row for row in rows])


def plain(text: str) -> str:
    """Write the narrow spaces before a percent sign as plain ones."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def delivery(**row: object) -> dict[str, object]:
    return {"role": "first_choice", "measure": "confirmed"} | row


def test_the_channel_with_most_first_choices_leads() -> None:
    frame = rates(
        delivery(channel="sms", n=90),
        delivery(channel="voice", n=80),
        delivery(channel="voice", role="fallback", n=900),
        delivery(channel="sms", measure="accepted", n=90, rate=0.9, low=0.8, high=0.95),
    )
    said = plain(readings.by_channel_and_role(frame))
    assert said.startswith("Of 90 first-choice attempts by SMS, 50 % (40–60) have a receipt")
    assert said.endswith("it is 90 % (80–95).")


def test_a_country_without_receipts_is_named_and_one_with_few_attempts_is_not() -> None:
    frame = rates(
        *(
            {"country": country, "measure": measure, "rate": rate, "n": n}
            for country, n, coverage, accepted in (("US", 100, 0.03, 0.97), ("IN", 100, 0.98, 0.8), ("FR", 5, 0.0, 0.0))
            for measure, rate in (("coverage", coverage), ("accepted", accepted))
        )
    )
    said = readings.by_country(frame)
    assert said.startswith("In US fewer than half of the attempts")
    assert "The lowest accepted rate of those with at least 30 attempts is that of IN: 80" in said
    assert "FR" not in said


def test_the_most_frequent_code_is_told() -> None:
    frame = rates(
        {"measure": "share_of_unsuccessful", "channel": "sms", "code": "30", "name": "Spam", "count": 3, "rate": 0.03},
        {"measure": "share_of_all", "channel": "sms", "code": "30", "name": "Spam", "count": 99},
        {
            "measure": "share_of_unsuccessful",
            "channel": "voice",
            "code": "3010",
            "name": "Busy",
            "count": 7,
            "rate": 0.07,
        },
    )
    assert "3010 of Voice: Busy" in readings.errors(frame)
    assert readings.errors(frame.iloc[:0]) == "No attempt that can be judged failed or went undelivered."


def test_sessions_of_one_attempt_are_said_to_be_so() -> None:
    frame = rates({"measure": "attempts_per_session", "n": 12, "rate": math.nan})
    assert readings.retries(frame) == "None of 12 sessions took a second attempt."


def speed(source: str = "app", p90: float = math.nan, n: int = 100) -> pd.DataFrame:
    rows = (
        {"measure": "within_60s", "rate": 0.72, "low": 0.62, "high": 0.8},
        {"measure": "p50", "seconds": 21.0, "low": 19.0, "high": 24.5},
        {"measure": "p90", "seconds": p90, "low": 80.0, "high": math.nan},
    )
    return rates(*({"source": source, "seconds": math.nan, "n": n} | row for row in rows))


class Times:
    """As much of a study as a headline on time needs."""

    options = Options()

    def __init__(self, times: pd.DataFrame) -> None:
        self.frames = {"time-to-verify": times}


@pytest.mark.parametrize(
    ("p90", "said"),
    [(math.nan, "90 % is not reached (1 min 20 s or later)"), (95.0, "90 % by 1 min 35 s (1 min 20 s or later)")],
)
def test_a_quantile_that_is_not_reached_is_said_to_be_so(p90: float, said: str) -> None:
    told = plain(readings.times(speed(p90=p90)))
    assert told.startswith("72.0 % (62.0–80.0) of 100 sessions are verified within 60 s")
    assert "half by 21 s (19 s to 24 s)" in told
    assert said in told


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (19.0, 24.0, "19 s to 24 s"),
        (19.0, math.nan, "19 s or later"),
        (math.nan, 24.0, "up to 24 s"),
        (math.nan,) * 2 + ("",),
    ],
)
def test_an_interval_of_a_time_says_where_it_has_no_end(low: float, high: float, said: str) -> None:
    assert readings.span(pd.Series({"low": low, "high": high})) == said


def test_the_main_figure_on_time_carries_its_interval() -> None:
    told = headlines._within_a_minute(Times(speed()))  # type: ignore[arg-type]
    assert (told.rate, told.low, told.high) == (0.72, 0.62, 0.8)
    sure = plain(told.sure).replace("\N{WORD JOINER}", "")
    assert sure == "95 % interval 62.0–80.0 %; half by 21 s"


def test_a_share_that_nobody_was_watched_for_is_not_known_and_not_none() -> None:
    frame = speed().assign(rate=math.nan, low=math.nan, high=math.nan)
    assert readings.times(frame).startswith("None of 100 sessions was watched for 60 s")
    assert headlines._within_a_minute(Times(frame)).value == "not known"  # type: ignore[arg-type]
    assert tables.rate_cell(frame.iloc[0]).text == "not known"


def test_nobody_telling_is_not_nobody_verifying() -> None:
    assert readings.times(speed(n=0)).startswith("Not observable")


def test_the_word_of_the_application_goes_before_that_of_the_provider() -> None:
    both = pd.concat([speed("callback"), speed("app")])
    assert readings.source_of(both) == "app"
    assert readings.source_of(speed("callback")) == "callback"


@pytest.mark.usefixtures("undrawn")
def test_a_report_on_callbacks_alone_says_what_cannot_be_known(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    shutil.copy(SAMPLE, tmp_path / "alone" / "callbacks.parquet")
    page = build(tmp_path / "alone" / "callbacks.parquet", as_of="2026-10-29T00:00Z", out=tmp_path / "out").read_text()
    assert re.search(r"application<.*?not observable", page, re.DOTALL)
    assert "not known" in page
    assert "within 60 s, as reported by the application" not in page
