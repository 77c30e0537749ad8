"""Stores and archives that many tests begin from, made once."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.settings import Settings
from tests.collector.archive.tools import Copied


@pytest.fixture(scope="session")
def stores_made() -> dict[Callable[[str, Path], Settings], tuple[Settings, Path]]:
    """Give what was made so far, by the function that makes it."""
    return {}


@pytest.fixture
def copied(
    stores_made: dict[Callable[[str, Path], Settings], tuple[Settings, Path]],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Copied:
    """Give a function that makes a store and an archive; in SQLite it makes them once and copies the files."""

    def copy(make: Callable[[str, Path], Settings], database_url: str, root: Path) -> Settings:
        if not database_url.startswith("sqlite"):
            return make(database_url, root)
        if make not in stores_made:
            folder = tmp_path_factory.mktemp("made")
            stores_made[make] = make(f"sqlite:///{folder / 'store.db'}", folder / "archive"), folder
        settings, folder = stores_made[make]
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        archive = root if settings.archive is not None else None
        return dataclasses.replace(settings, database_url=database_url, archive=archive)

    return copy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give the folder of an archive that is not made yet."""
    return tmp_path / "archive"
