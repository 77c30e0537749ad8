"""The page stands alone, says what it counts, and can be read by everyone."""

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from verify_analytics import charts, load, metrics, model
from verify_analytics.report.asked import BLOCKS
from verify_analytics.report.sections import CHAPTERS

AS_OF = "2026-10-29T00:00Z"
VOID = {"meta", "br", "img", "link", "hr", "input"}
SECTIONS = [each.name for chapter in CHAPTERS for each in chapter.sections if each.source not in BLOCKS]

SOURCES = {each.name: each.source for chapter in CHAPTERS for each in chapter.sections}


class Reader(HTMLParser):
    """Every element with its attributes, its ancestors and its own text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[dict[str, object]] = []
        self.elements: list[dict[str, object]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element: dict[str, object] = {"tag": tag, **dict(attrs), "in": [each["tag"] for each in self.open], "text": ""}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append({"tag": tag, **dict(attrs), "in": [each["tag"] for each in self.open], "text": ""})

    def handle_endtag(self, tag: str) -> None:
        last = self.open.pop()
        assert last["tag"] == tag, f"<{last['tag']}> closed by </{tag}>"
        if tag in {"td", "th", "p", "h3"}:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] = str(element["text"]) + data


@pytest.fixture(scope="session")
def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def all_of(read: Reader, tag: str) -> list[dict[str, object]]:
    return [element for element in read.elements if element["tag"] == tag]


def plain(text: object) -> str:
    return " ".join(str(text).replace("\u2060", "").split())


def test_the_page_asks_nobody_for_anything(page: str, read: Reader) -> None:
    policy = next(each for each in all_of(read, "meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert str(policy["content"]).startswith("default-src 'none';")
    assert not {"script", "link", "img", "iframe", "object", "form"} & {str(each["tag"]) for each in read.elements}
    assert "://" not in page
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert not [name for each in read.elements for name in each if str(name).startswith("on")]


def test_every_link_leads_to_a_place_in_the_report(read: Reader, built: Path) -> None:
    ids = {str(each["id"]) for each in read.elements if "id" in each}
    for link in (str(each["href"]) for each in all_of(read, "a")):
        assert link[1:] in ids if link.startswith("#") else (built / link).is_file(), link


def test_no_two_elements_share_an_id(read: Reader) -> None:
    ids = Counter(str(each["id"]) for each in read.elements if "id" in each)
    assert [name for name, times in ids.items() if times > 1] == []


def test_headings_go_down_one_step_at_a_time(read: Reader) -> None:
    levels = [int(str(each["tag"])[1]) for each in read.elements if re.fullmatch(r"h[1-6]", str(each["tag"]))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_figure_has_words_and_every_table_a_caption_and_scopes(read: Reader) -> None:
    figures, tables = all_of(read, "figure"), all_of(read, "table")
    assert len(figures) == len(all_of(read, "figcaption")) == len(SECTIONS)
    assert len(tables) == len(all_of(read, "caption"))
    assert all(each.get("scope") in {"col", "row"} for each in all_of(read, "th"))
    pictures = [each for each in all_of(read, "svg") if each.get("role") == "img"]
    assert len(pictures) == 2 * len(SECTIONS)
    ids = {str(each["id"]): plain(each["text"]) for each in read.elements if "id" in each}
    assert all(len(ids[name]) > 10 for each in pictures for name in str(each["aria-labelledby"]).split())


def test_the_language_and_the_width_of_a_phone_are_declared(read: Reader) -> None:
    assert all_of(read, "html")[0]["lang"] == "en"
    viewport = next(each for each in all_of(read, "meta") if each.get("name") == "viewport")
    assert viewport["content"] == "width=device-width, initial-scale=1"


def test_headlines_are_the_metrics_own_figures(read: Reader, store: Path) -> None:
    callbacks = load.callbacks(store)
    attempts = model.attempts(callbacks, as_of=AS_OF, verifications=load.verifications(store), pulse=load.pulse(store))
    delivery = metrics.delivery_rate(attempts, by=["channel", "role"])
    row = delivery[
        (delivery["channel"] == "sms") & (delivery["role"] == "first_choice") & (delivery["measure"] == "confirmed")
    ].iloc[0]
    text = plain(all_of(read, "main")[0]["text"])
    said = (
        f"Confirmed delivered {charts_percent(row['rate'])} {row['count']} of {row['n']} first-choice attempts by SMS"
    )
    assert said in text
    assert f"95 % interval {100 * row['low']:.1f}–{100 * row['high']:.1f} %" in text
    retries = metrics.retries(attempts)
    again = retries[retries["measure"] == "reaches_attempt_2"].iloc[0]
    assert f"{again['count']} of {again['n']} sessions" in text


def charts_percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def test_what_was_left_out_is_counted_as_the_metric_counts_it(read: Reader, built: Path) -> None:
    row = pd.read_csv(built / "tables" / "delivery.csv").iloc[0]
    table = next(each for each in all_of(read, "table") if "Counted, and left out" in str(each["text"]))
    numbers = f"{row['n']:,} {row['immature']:,} {row['unobserved']:,} {row['unknown']:,}"
    assert f"attempts, delivery and errors {numbers}" in plain(table["text"])


def test_badges_tell_what_a_reader_should_doubt(read: Reader) -> None:
    badges = [plain(each["text"]) for each in all_of(read, "li") if each.get("class") in {"well", "doubt", "not-known"}]
    assert [badge.split(" the ")[0].split(" 2026")[0] for badge in badges[:1]] == ["✓ Fresh"]
    assert badges[1].startswith("! 1 gap the collector was down for 31 min in all: 2026-10-")
    assert re.match(r"! Unknown statuses \d+ attempts came with a status", badges[2])
    assert badges[3].startswith("✓ Every callback signed")


def test_doubts_of_the_metrics_stand_in_the_page(read: Reader) -> None:
    doubts = next(each for each in all_of(read, "aside") if each.get("class") == "doubts")
    assert "a clock is wrong" in plain(doubts["text"])


def test_nobodys_number_or_key_is_in_any_file(built: Path, tables: dict[str, pd.DataFrame]) -> None:
    callbacks = tables["callbacks"]
    secret = {*callbacks["number_block"].dropna(), *callbacks["recipient_key"].dropna(), *callbacks["session_id"]}
    for file in built.rglob("*"):
        if file.suffix in {".html", ".svg", ".csv", ".json"}:
            text = file.read_text(encoding="utf-8")
            # Digits in the middle of a fraction are nobody's number.
            found = [each for each in secret if each in text and re.search(rf"(?<![\d.]){re.escape(each)}", text)]
            assert not found, file.name


@pytest.mark.parametrize("name", SECTIONS)
def test_each_chart_lies_beside_as_picture_and_table(built: Path, name: str) -> None:
    assert (built / "charts" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "<desc" in (built / "charts" / f"{name}.svg").read_text(encoding="utf-8")
    assert len(pd.read_csv(built / "tables" / f"{SOURCES[name]}.csv"))


def test_the_charts_of_the_page_are_those_of_the_files(built: Path, page: str) -> None:
    picture = (built / "charts" / "error-codes.svg").read_text(encoding="utf-8")
    assert charts.inline(picture).strip() in page
