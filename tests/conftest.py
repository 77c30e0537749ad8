"""What every test may use: the long runs are chosen, and in CI a check that cannot run is a failure, not a skip."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import NoServerError, PostgresServer

pytest_plugins = ["tests.built_report"]
ROOT = Path(__file__).resolve().parent.parent
# Whoever lands a change is judged by the change, not by a new draw of examples; a developer's run draws anew each time.
settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long fault and load runs too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    chosen = [item for item in items if "full" not in item.keywords]
    config.hook.pytest_deselected(items=[item for item in items if "full" in item.keywords])
    items[:] = chosen


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Under ``CI=true`` a skipped check is a failed one: green must mean that it ran."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing may be: {report.longrepr}"


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the project folder."""
    return ROOT


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server that runs; a test that stops it starts it again."""
    try:
        server = PostgresServer()
    except NoServerError as reason:
        pytest.skip(str(reason))
    try:
        yield server.start()
    finally:
        server.remove()
