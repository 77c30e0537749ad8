"""A store on a real PostgreSQL: the same tables, opened by the same calls."""

import pytest
from sqlalchemy import text

from collector import store
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres


def test_a_store_is_made_on_postgresql_and_recognised_when_it_is_opened_again(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    for _ in range(2):
        engine = store.writer_engine(url)
        store.initialise(engine)
        engine.dispose()
    reader = store.reader_engine(url)
    with reader.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM callbacks")) == 0
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"
    reader.dispose()
