"""A store of every release there was can be brought to this one, with a copy made first and every row as it was."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import inspect

from collector import backups, migrate, migrations, store
from collector.engines import sqlite_module
from collector.errors import CollectorError
from collector.serve import sole_server
from tests.collector.conftest import PEPPER, CollectorProcess
from tests.collector.records import BOTH, NEWER, contents, fill, line, moment, settings_for

SCHEMAS = Path(__file__).parent / "data" / "schemas"
NOW = moment(10_000)
ADDS = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("callbacks", sa.Column("novel", sa.Text, nullable=True))
    {then}
"""


@contextmanager
def nobody(_url: str) -> Iterator[None]:
    """Hold no lock: nobody serves this store."""
    yield


def release(url: str, schema: str = "0001") -> str:
    """Make a store as that release made it."""
    engine = store.writer_engine(url)
    statements = (SCHEMAS / f"{schema}-{engine.dialect.name}.sql").read_text()
    path = store.sqlite_file(url)
    if path is not None:
        with closing(sqlite_module().connect(path)) as connection:
            connection.executescript(statements)
    else:
        driver = engine.raw_connection()
        driver.cursor().execute(statements)
        driver.commit()
        driver.close()
    engine.dispose()
    return url


def rows_of(url: str) -> list[object]:
    return [contents(url, table) for table in store.metadata.sorted_tables]


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a function that makes this a release with one more revision."""

    def make(then: str = "pass") -> None:
        folder = Path(shutil.copytree(Path(migrations.__file__).parent, tmp_path / "migrations"))
        (folder / "versions" / "0002_next.py").write_text(ADDS.format(then=then))
        real = migrations.config

        def config() -> object:
            made = real()
            made.set_main_option("script_location", str(folder))
            return made

        monkeypatch.setattr(migrations, "config", config)
        monkeypatch.setattr(migrate, "SCHEMA", "0002")
        monkeypatch.setattr(store, "SCHEMA", "0002")

    return make


def test_every_release_left_its_schema_for_both_databases() -> None:
    wanted = {f"{schema}-{name}.sql" for schema in migrations.known() for name in ("sqlite", "postgresql")}
    assert {file.name for file in SCHEMAS.iterdir()} == wanted


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
@pytest.mark.parametrize("schema", sorted(migrations.known()))
def test_a_store_of_that_release_comes_up_to_this_one_with_every_row_as_it_was(database_url: str, schema: str) -> None:
    release(database_url, schema)
    before = rows_of(database_url)
    assert all(before)
    engine = store.writer_engine(database_url)
    migrations.upgrade(engine)
    store.check(engine)
    engine.dispose()
    assert rows_of(database_url) == before
    # It goes on where it stopped: what it met is known, what was forged is forged, keys are not used twice.
    told = fill(
        settings_for(database_url, PEPPER, NEWER),
        line("first", 90, nonce="1" * 20),
        line("first", 95, nonce="1" * 20),
        line("forged", 96, nonce="2" * 20),
        line("new", 97, nonce="9" * 20),
    )
    assert (told["known"], told["repeated"], told["refused"], told["accepted"]) == (1, 1, 1, 1)


def test_a_store_of_the_first_release_is_the_one_that_this_release_makes(tmp_path: Path) -> None:
    old, new = release(f"sqlite:///{tmp_path / 'old.db'}"), f"sqlite:///{tmp_path / 'new.db'}"
    store.initialise(store.writer_engine(new))
    if store.SCHEMA == "0001":
        assert tables_of(old) == tables_of(new)


def tables_of(url: str) -> list[str]:
    with closing(sqlite_module().connect(store.sqlite_file(url) or "")) as connection:
        found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        return [" ".join(sql.split()) for (sql,) in found]


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_migrating_makes_a_copy_first_and_keeps_every_row(
    database_url: str, next_release: Callable[..., None], tmp_path: Path
) -> None:
    before = rows_of(release(database_url))
    next_release()
    said = migrate.migrate(database_url, NOW, nobody)
    assert said.startswith("the store was brought from schema 0001 to 0002")
    assert rows_of(database_url) == before
    assert contents(database_url, store.version_table) == [("0002",)]
    copies = list(tmp_path.glob("store-before-0002-*.db"))
    if database_url.startswith("sqlite"):
        assert rows_of(f"sqlite:///{copies[0]}") == before
        assert backups.verify(copies[0], settings_for(database_url, PEPPER, NEWER))["schema"] == "0001"
    else:
        assert copies == []
        assert "pg_dump" in said
    assert migrate.migrate(database_url, NOW, nobody) == "the store stands at schema 0002: nothing to do"
    assert list(tmp_path.glob("store-before-0002-*.db")) == copies


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_revision_that_fails_leaves_the_store_as_it_was(database_url: str, next_release: Callable[..., None]) -> None:
    before = rows_of(release(database_url))
    next_release("op.execute('INSERT INTO nowhere VALUES (1)')")
    with pytest.raises(CollectorError, match="stays as it was"):
        migrate.migrate(database_url, NOW, nobody)
    assert rows_of(database_url) == before
    assert contents(database_url, store.version_table) == [("0001",)]
    engine = store.reader_engine(database_url)
    with engine.connect() as connection:
        assert "novel" not in {column["name"] for column in inspect(connection).get_columns("callbacks")}
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_it_is_refused_while_others_are_connected(database_url: str, next_release: Callable[..., None]) -> None:
    release(database_url)
    next_release()
    engine = store.reader_engine(database_url)
    with engine.connect(), pytest.raises(CollectorError, match="1 other connections to this database are open"):
        migrate.migrate(database_url, NOW, nobody)
    engine.dispose()
    assert contents(database_url, store.version_table) == [("0001",)]


def test_it_is_refused_while_a_server_runs(
    make_collector: Callable[..., CollectorProcess], next_release: Callable[..., None]
) -> None:
    collector = make_collector()
    url = release(f"sqlite:///{collector.store}")
    collector.env_file.write_text(collector.env_file.read_text().replace(PEPPER, f"{PEPPER},{NEWER}"))
    collector.start()
    ran = collector.run("migrate")
    assert (ran.returncode, ran.stdout) == (0, b"the store stands at schema 0001: nothing to do\n")
    next_release()
    with pytest.raises(CollectorError, match="another collector serves the store"):
        migrate.migrate(url, NOW, sole_server)
    assert list(collector.folder.glob("*before*")) == []


@pytest.mark.parametrize("found", ["0099", "none"])
def test_a_schema_that_nobody_knows_is_said(tmp_path: Path, found: str) -> None:
    url = release(f"sqlite:///{tmp_path / 'store.db'}")
    engine = store.writer_engine(url)
    with engine.begin() as connection:
        connection.execute(store.version_table.delete())
        if found != "none":
            connection.execute(store.version_table.insert().values(version_num=found))
    engine.dispose()
    with pytest.raises(CollectorError, match="which this release does not know"):
        migrate.migrate(url, NOW, nobody)


def test_a_store_that_is_not_there_is_not_made(make_collector: Callable[..., CollectorProcess]) -> None:
    collector = make_collector()
    ran = collector.run("migrate")
    assert (ran.returncode, b"there is no store at" in ran.stderr) == (2, True)
    assert [file.name for file in collector.folder.iterdir()] == ["collector.env"]
