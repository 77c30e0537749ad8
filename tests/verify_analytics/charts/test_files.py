"""A chart as a file: the same bytes each time, words for those who cannot see it, nothing that leads elsewhere."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from verify_analytics import charts
from verify_analytics.charts import Chart

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def chart(delivery: Any) -> Chart:
    return charts.delivery_rate(delivery(["channel", "role"], [("a<b&c", "resend", 200, 0.8, 0.9)]))


def test_the_same_frame_gives_the_same_bytes(delivery: Any) -> None:
    frame = delivery(["channel", "role"], [("sms", "resend", 200, 0.8, 0.9)])
    one, two = (charts.delivery_rate(frame) for _ in range(2))
    assert charts.svg(one, name="x") == charts.svg(two, name="x")
    assert charts.png(one) == charts.png(two)


def test_an_svg_says_what_it_shows(chart: Chart) -> None:
    picture = ET.fromstring(charts.svg(chart, name="x"))
    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby") == "x-title x-desc"
    title, description = picture.find(f"{SVG}title"), picture.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert title.text == "Codes delivered, by channel and role"
    assert description.text == chart.alt
    assert "a<b&c, resend: confirmed 80.0 % (75.0–85.0), accepted 90.0 % (85.0–95.0), n = 200." in chart.alt


def test_an_svg_keeps_its_words_as_text(chart: Chart) -> None:
    picture = ET.fromstring(charts.svg(chart, name="x"))
    assert "resend" in {text.text for text in picture.iter(f"{SVG}text")}


def test_an_svg_leads_nowhere_and_names_no_moment(chart: Chart) -> None:
    picture = charts.svg(chart, name="x")
    addresses = set(re.findall(r"[a-z]+://[^\"'\s)]+", picture))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<!DOCTYPE|<metadata|<!--|<script|matplotlib v", picture)


def test_charts_in_one_page_do_not_share_an_id(chart: Chart) -> None:
    page = [charts.inline(charts.svg(chart, name=name)) for name in ("one", "two")]
    ids = [found for picture in page for found in re.findall(r'\bid="([^"]*)"', picture)]
    assert len(ids) == len(set(ids))
    for picture, name in zip(page, ("one", "two"), strict=True):
        referred = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", picture))
        assert referred <= {each for each in ids if each.startswith(name)}


def test_an_inline_svg_takes_the_width_it_is_given_and_styles_nothing_else(chart: Chart) -> None:
    picture = charts.inline(charts.svg(chart, name="x"))
    assert picture.startswith("<svg")
    assert "<style" not in picture
    assert "://" not in picture
    head = picture[: picture.index(">")]
    assert "viewBox" in head
    assert "width=" not in head


def test_a_notebook_shows_the_picture_with_its_words(chart: Chart) -> None:
    shown, about = chart._repr_mimebundle_()
    assert shown["image/png"].startswith(b"\x89PNG")
    assert shown["text/plain"] == chart.alt
    assert about["image/png"]["alt"] == chart.alt


def test_drawing_does_not_load_pyplot() -> None:
    code = "import sys; import verify_analytics.charts; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_style_sheet_can_be_used_for_ones_own_charts() -> None:
    with mpl.style.context("verify_analytics.charts.style"):
        assert mpl.rcParams["svg.hashsalt"] == "verify-analytics"


def test_a_chart_saved_by_hand_is_a_picture(chart: Chart, tmp_path: Path) -> None:
    chart.savefig(tmp_path / "x.svg")
    assert ET.parse(tmp_path / "x.svg").getroot().tag == f"{SVG}svg"
