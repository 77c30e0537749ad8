"""What root makes in the folder of a service belongs to the service, and nothing else is given away."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from collector import backups, moving, store
from collector.serve import sole_server
from collector.settings import Settings
from tests.collector.records import fill, line, moment, settings_for

NOBODY = 65_534


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user who is not root, as a service is."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_for(f"sqlite:///{tmp_path / 'store.db'}")
    fill(made, line("a", 0))
    return made


@pytest.fixture
def copy(settings: Settings, tmp_path: Path) -> Path:
    return backups.backup(settings.database_url, tmp_path / "copy.db", moment(60))[0]


@pytest.fixture
def services_folder() -> Iterator[Path]:
    """The folder of a service that does not run as root, where its user can reach it."""
    if os.geteuid():
        pytest.skip("only root can make a folder for somebody else")
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "collector"
        folder.mkdir(mode=0o700)
        os.chown(folder, NOBODY, NOBODY)
        yield folder


@pytest.mark.parametrize("place", ["store.db", "made/with/store.db"])
@pytest.mark.parametrize("how", ["restore", "move", "replay"])
def test_what_root_puts_into_the_folder_of_a_service_is_the_services(
    settings: Settings, copy: Path, services_folder: Path, how: str, place: str
) -> None:
    there = settings_for(f"sqlite:///{services_folder / place}")
    if how == "restore":
        with sole_server(there.database_url):
            backups.restore(copy, there)
    elif how == "move":
        moving.move(settings.database_url, there.database_url)
    else:
        fill(there, line("a", 0))
    engine = store.writer_engine(there.database_url)
    with engine.connect() as connection:
        connection.execute(store.peppers.select())
        # The log that root's command has open is the service's too.
        files = [services_folder, *services_folder.rglob("*")]
        assert [file for file in files if file.name == "store.db-wal"]
        assert {(file.stat().st_uid, file.stat().st_gid) for file in files} == {(NOBODY, NOBODY)}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600, 0o700}
    engine.dispose()
    with nobody(), sole_server(there.database_url):
        engine = store.writer_engine(there.database_url)
        store.initialise(engine)
        with engine.begin() as connection:
            assert connection.execute(store.callbacks.delete()).rowcount == 1
        engine.dispose()


def test_root_gives_away_nothing_that_was_there_before(copy: Path, services_folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.touch()
    for link in ("store.db.lock", ".store.db.partial"):
        (services_folder / link).symlink_to(mine)
    there = settings_for(f"sqlite:///{services_folder / 'store.db'}")
    with sole_server(there.database_url):
        backups.restore(copy, there)
    assert (mine.stat().st_uid, mine.read_bytes()) == (0, b"")
