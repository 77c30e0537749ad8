"""One collector in a process of its own for all attacks of a module, one after another."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.collector.attacks.tools import OTHER_URL, Target
from tests.collector.conftest import SECRET, URL

MakeTarget = Callable[..., Target]


@pytest.fixture(scope="module")
def make_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeTarget]:
    """Give a function that prepares a collector to be attacked; whatever was started is ended."""
    made: list[Target] = []

    def make(**settings: str) -> Target:
        folder: Path = tmp_path_factory.mktemp("target")
        urls = f"{URL},{OTHER_URL}"
        made.append(Target(folder, {"COLLECTOR_PUBLIC_URL": urls, "COLLECTOR_VERIFICATION_SECRET": SECRET, **settings}))
        return made[-1]

    yield make
    for target in made:
        target.end()


@pytest.fixture(scope="module")
def target(make_target: MakeTarget) -> Target:
    """Give one that runs, with two public URLs and no main token."""
    return make_target().start()


@pytest.fixture(scope="module")
def strict(make_target: MakeTarget) -> Target:
    """Give one that runs and requires V3."""
    return make_target(COLLECTOR_V3="require").start()
