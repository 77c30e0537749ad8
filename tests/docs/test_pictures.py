"""The charts in the documents are what the code draws of the sample today; every picture is there, and described."""

import re
from pathlib import Path

import pytest

from tests.docs.pictures import CHARTS, IMAGES, ROOT, drawn

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_what_the_code_draws(name: str) -> None:
    assert (IMAGES / f"{name}.svg").read_text(encoding="utf-8") == drawn(name), "python -m tests.docs.pictures"


def test_pictures_are_there_are_described_and_are_small() -> None:
    found = [(path, *shown) for path in DOCUMENTS for shown in PICTURE.findall(path.read_text(encoding="utf-8"))]
    assert found
    assert [target for path, _, target in found if not (path.parent / target).is_file()] == []
    assert [target for _, words, target in found if len(words) < 20] == []
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < 1_500_000


def test_no_picture_lies_there_unused() -> None:
    used = {(path.parent / target).resolve() for path in DOCUMENTS for _, target in PICTURE.findall(path.read_text())}
    assert {Path(path).resolve() for path in IMAGES.iterdir()} == used
