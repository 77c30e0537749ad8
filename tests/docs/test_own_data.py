"""What the page on one's own data shows as printed is what its code prints and says."""

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

from verify_analytics.errors import LeftOutNotice

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-data.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_what_the_page_shows_is_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    printed: set[str] = set()
    shown = 0
    for language, text in BLOCK.findall(PAGE.read_text()):
        if language == "python":
            out = io.StringIO()
            with warnings.catch_warnings(record=True) as said, contextlib.redirect_stdout(out):
                warnings.simplefilter("always", LeftOutNotice)
                exec(compile(text, PAGE.name, "exec"), namespace)
            notices = [f"{each.message}\n" for each in said if issubclass(each.category, LeftOutNotice)]
            printed = {out.getvalue(), *notices}
        elif language == "text":
            shown += 1
            assert text in printed
    assert shown == 3
