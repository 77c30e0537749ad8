"""The report in a real browser: quiet, alone, readable by everybody, at every width and on paper."""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import Browser, Page

from tests.chromium import NoBrowserError, Watched, browser, watched

ROOT = Path(__file__).resolve().parents[2]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE, DESKTOP = (390, 844), (1280, 900)
SIZES = pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
A4 = {"width": "210mm", "height": "297mm"}


@pytest.fixture(scope="module")
def folder(built: Path) -> Path:
    """The report that all tests read."""
    return built


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    try:
        with browser() as started:
            yield started
    except NoBrowserError as error:
        pytest.skip(str(error))


def opened(chromium: Browser, path: Path, size: tuple[int, int], **options: Any) -> Watched:
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    found = watched(context)
    found.page.goto(path.as_uri())
    return found


@SIZES
def test_it_asks_nobody_for_anything_and_complains_of_nothing(chromium: Browser, folder: Path, size: Any) -> None:
    found = opened(chromium, folder / "index.html", size)
    assert found.outside == []
    assert [url for url in found.requested if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in found.requested if url.startswith("file:")]) == 1
    assert found.complaints == []
    found.page.context.close()


@pytest.mark.parametrize("size", [pytest.param(PHONE, marks=pytest.mark.full), DESKTOP], ids=["phone", "desktop"])
def test_it_breaks_no_rule_of_accessibility(chromium: Browser, folder: Path, size: Any) -> None:
    page = opened(chromium, folder / "index.html", size, bypass_csp=True).page
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)
    broken = [
        (rule["id"], [(node["html"][:160], node["failureSummary"][:300]) for node in rule["nodes"][:3]])
        for rule in found["violations"]
    ]
    assert broken == []
    assert len(found["passes"]) > 20
    page.context.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_nothing_sticks_out_to_the_side(chromium: Browser, folder: Path, width: int) -> None:
    page = opened(chromium, folder / "index.html", (width, 800)).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Each chart is shown in one of its two forms, as wide as the page lets it.
    shown = page.evaluate(
        "Array.from(document.querySelectorAll('figure svg[role=img]')).filter(each => each.getClientRects().length)"
        ".map(each => each.getBoundingClientRect().width)"
    )
    assert shown
    assert min(shown) >= min(260, width - 60)
    page.context.close()


def test_it_is_read_without_a_script(chromium: Browser, folder: Path) -> None:
    page = opened(chromium, folder / "index.html", DESKTOP, java_script_enabled=False).page
    assert page.title()
    assert page.locator("script").count() == 0
    assert page.locator("h1").is_visible()
    page.locator("summary").first.click()
    assert page.locator("details[open] table").first.is_visible()
    page.context.close()


def test_the_keyboard_reaches_all_in_order_and_shows_where_it_is(chromium: Browser, folder: Path) -> None:
    page = opened(chromium, folder / "index.html", DESKTOP).page
    wanted = page.evaluate(
        "Array.from(document.querySelectorAll('a[href], summary, [tabindex=\"0\"]'))"
        ".filter(each => each.getClientRects().length && each.checkVisibility()).length"
    )
    reached, unseen = [], []
    for _ in range(wanted):
        page.keyboard.press("Tab")
        name, place, outline = page.evaluate(
            "(() => { const at = document.activeElement; const look = getComputedStyle(at);"
            " return [at.className + ' ' + at.tagName + ' ' + at.textContent.trim().slice(0, 40),"
            " Array.from(document.querySelectorAll('*')).indexOf(at),"
            " look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) > 0]; })()"
        )
        reached.append(place)
        unseen += [] if outline else [name]
    assert reached[0] == page.evaluate(
        "Array.from(document.querySelectorAll('*')).indexOf(document.querySelector('a'))"
    )
    assert reached == sorted(set(reached))
    assert unseen == []
    page.context.close()


def test_printed_it_is_a_document_with_every_table_open(chromium: Browser, folder: Path) -> None:
    page = opened(chromium, folder / "index.html", DESKTOP).page
    page.emulate_media(media="print")
    hidden = (
        "Array.from(document.querySelectorAll('table')).filter(each => each.getBoundingClientRect().height < 5).length"
    )
    assert page.evaluate(hidden) == 0
    # What is as wide as the paper is cut by no edge.
    page.set_viewport_size({"width": 690, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 690
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert 4 <= pages_of(printed) <= 40
    page.context.close()


def pages_of(printed: bytes) -> int:
    """Count the pages of a PDF, whose objects may be packed."""
    packed = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", printed, re.DOTALL)
    texts = [printed]
    for piece in packed:
        try:
            texts.append(zlib.decompress(piece))
        except zlib.error:
            continue
    return sum(len(re.findall(rb"/Type\s*/Page\b(?!s)", text)) for text in texts)


def test_each_chart_file_opens_alone_and_says_what_it_is(chromium: Browser, folder: Path) -> None:
    context = chromium.new_context(viewport={"width": 800, "height": 600})
    files = sorted((folder / "charts").glob("*.svg"))
    assert files
    for file in files:
        found = watched(context)
        found.page.goto(file.as_uri())
        assert found.complaints == []
        assert found.outside == []
        root = "document.documentElement"
        assert found.page.evaluate(f"{root}.getAttribute('role')") == "img"
        for part in ("title", "desc"):
            assert found.page.evaluate(f"{root}.querySelector('{part}').textContent.length > 10")
        found.page.close()
    context.close()


@pytest.mark.parametrize(
    "how", [{"color_scheme": "dark"}, {"forced_colors": "active"}, {"reduced_motion": "reduce"}], ids=str
)
def test_a_reader_with_other_wishes_reads_it_too(chromium: Browser, folder: Path, how: Any) -> None:
    page = opened(chromium, folder / "index.html", DESKTOP, **how).page
    colours = page.evaluate(
        "(() => { const look = getComputedStyle(document.body); return [look.color, look.backgroundColor]; })()"
    )
    assert colours[0] != colours[1]
    assert visible(page)
    page.context.close()


def visible(page: Page) -> bool:
    return page.locator("h1").is_visible() and page.locator("figure").first.is_visible()
