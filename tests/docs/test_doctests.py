"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import inspect
import pkgutil
import warnings
from types import ModuleType

import pytest

import collector
import verify_analytics


def modules() -> list[str]:
    """Name every module of both packages; migrations are run by their own test, commands by theirs."""
    found = [
        module.name
        for package in (collector, verify_analytics)
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
        if ".migrations" not in module.name and not module.name.endswith("__main__")
    ]
    return [*found, "collector", "verify_analytics"]


class Finder(doctest.DocTestFinder):
    """Finds the examples of decorated functions, too."""

    def _from_module(self, module: ModuleType | None, object: object) -> bool:  # noqa: A002 - the name of the base
        here = inspect.unwrap(object) if callable(object) else object
        return bool(super()._from_module(module, here))  # type: ignore[misc]


@pytest.mark.parametrize("name", modules())
def test_the_examples_of(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = importlib.import_module(name)
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        for example in Finder().find(module, module.__name__):
            runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
