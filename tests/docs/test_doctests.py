"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil
import warnings

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


@pytest.mark.parametrize("name", modules())
def test_the_examples_of(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = importlib.import_module(name)
        failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert failed == 0
