"""What a reader of the report sees first."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def page(built: Path) -> str:
    return (built / "index.html").read_text(encoding="utf-8")
