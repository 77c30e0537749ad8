"""The pictures of the documents, made from the sample: charts as the code draws them, pages as Chromium shows them.

``.venv/bin/python -m tests.docs.pictures`` makes ``docs/images`` anew. Charts (SVG) have the same bytes each time and
are compared by a test; pages (PNG) depend on the browser and its fonts, and are looked at.
"""

import asyncio
import tempfile
import warnings
from pathlib import Path

from tests.chromium import browser
from tests.verify_analytics.charts.gallery import AS_OF, SAMPLE, frame_of
from verify_analytics import charts, report
from verify_analytics.errors import DoubtfulWarning

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
# Name of the file: the picture of the gallery.
CHARTS = {
    "delivery": "delivery by channel and role",
    "error-codes": "codes",
    "retry-flow": "ways",
    "time-to-verify": "time to verify",
    "when-to-switch": "switch",
}
# Name of the file: width and height of the window, in which a page is shown.
PAGES = {"report": (1280, 1500), "report-phone": (390, 1500)}
NOTEBOOK = "01-first-look"


def drawn(name: str) -> str:
    """Draw one chart as it stands in the documents."""
    picture = CHARTS[name]
    chart = {
        "delivery": charts.delivery_rate,
        "error-codes": charts.error_codes,
        "retry-flow": charts.retry_flow,
        "time-to-verify": charts.time_to_verify,
        "when-to-switch": charts.when_to_switch,
    }[name](frame_of(picture))
    return charts.svg(chart, name=name)


def main() -> None:
    """Make every picture."""
    IMAGES.mkdir(exist_ok=True)
    for name in CHARTS:
        (IMAGES / f"{name}.svg").write_text(drawn(name), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulWarning)
        page = report.build(SAMPLE, as_of=AS_OF, out=Path(folder) / "report")
        notebook = _executed(Path(folder))
        with browser() as chromium:
            shots = {**dict.fromkeys(PAGES, page), "notebook": notebook}
            for name, path in shots.items():
                width, height = PAGES.get(name, (1000, 1250))
                shown = chromium.new_page(viewport={"width": width, "height": height})
                shown.goto(path.as_uri())
                shown.screenshot(path=IMAGES / f"{name}.png")
                shown.close()


def _executed(folder: Path) -> Path:
    """Run the first notebook and write it as a page."""
    import nbclient
    import nbformat
    from nbconvert import HTMLExporter

    book = nbformat.read(ROOT / "notebooks" / f"{NOTEBOOK}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(book, resources={"metadata": {"path": str(ROOT / "notebooks")}})
    asyncio.run(client.async_execute())
    text, _ = HTMLExporter(template_name="lab").from_notebook_node(book)  # type: ignore[no-untyped-call]
    page = folder / "notebook.html"
    page.write_text(text, encoding="utf-8")
    return page


if __name__ == "__main__":
    main()
