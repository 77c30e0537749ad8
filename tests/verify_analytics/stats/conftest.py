"""The published numbers, by their id."""

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def published() -> dict[str, Any]:
    """Each check by its id: inputs, expected values, tolerance, and who published it."""
    return {check["id"]: check for check in json.loads((DATA / "stat_checks.json").read_text())}
