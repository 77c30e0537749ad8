"""A store made today and a store brought up from its first release are the same store."""

import io
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_mock_engine, select
from sqlalchemy.engine import Engine

from collector import migrations, store


def schema_of(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        return [(name, " ".join(sql.split())) for name, sql in rows]


def test_the_revisions_build_the_same_sqlite_store_as_creating_it_now(tmp_path: Path) -> None:
    upgraded, created = (store.writer_engine(f"sqlite:///{tmp_path / name}") for name in ("upgraded.db", "created.db"))
    migrations.upgrade(upgraded)
    store.initialise(created)
    assert schema_of(upgraded) == schema_of(created)


def test_an_upgraded_store_is_accepted_and_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    engine = store.writer_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrations.upgrade(engine)
    before = schema_of(engine)
    migrations.upgrade(engine)
    store.check(engine)
    store.initialise(engine)
    assert schema_of(engine) == before


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_revisions_say_the_same_as_the_tables_in_both_dialects(dialect: str) -> None:
    written = io.StringIO()
    made = migrations.config()
    made.output_buffer = written
    made.attributes["dialect"] = dialect
    command.upgrade(made, "head", sql=True)
    revisions = {" ".join(statement.split()) for statement in written.getvalue().split(";")}

    tables: list[str] = []
    engine: Any = create_mock_engine(
        f"{dialect}://", lambda sql, *_, **__: tables.append(" ".join(str(sql.compile(dialect=engine.dialect)).split()))
    )
    store.metadata.create_all(engine, checkfirst=False)
    assert len(tables) == 7
    for statement in tables:
        assert any(statement in revision for revision in revisions), statement


def test_the_store_knows_the_newest_revision_without_alembic(tmp_path: Path) -> None:
    assert migrations.head() == store.SCHEMA
    engine = store.writer_engine(f"sqlite:///{tmp_path / 'store.db'}")
    store.initialise(engine)
    with engine.connect() as connection:
        assert connection.scalars(select(store.version_table.c.version_num)).all() == [store.SCHEMA]
