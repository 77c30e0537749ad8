"""The history of the store's schema: each release's tables can become the next one's, and only by adding to them.

Alembic is imported here and nowhere else, so that a collector that only serves does not carry it in memory.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from collector.store import alone


def config() -> Config:
    """Point Alembic at this folder."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return made


def head() -> str:
    """Name the newest revision."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def known() -> set[str]:
    """Name every revision that this release can start from."""
    return {revision.revision for revision in ScriptDirectory.from_config(config()).walk_revisions()}


def upgrade(engine: Engine) -> None:
    """Bring a store to the newest revision; one that is there already is left as it is."""
    made = config()
    with engine.begin() as connection:
        alone(connection, "schema")
        made.attributes["connection"] = connection
        command.upgrade(made, "head")
