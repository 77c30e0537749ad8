"""Collectors on a real PostgreSQL, reached through a link that the tests can cut or stop."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.collector.conftest import SECRET, CollectorProcess
from tests.collector.postgres.link import Link
from tests.postgres import PostgresServer

Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def link(postgres: PostgresServer) -> Iterator[Link]:
    """Give a TCP link to the server that works until it is told otherwise."""
    with Link(postgres.folder / ".s.PGSQL.5432") as made:
        yield made


@pytest.fixture
def database(postgres: PostgresServer, engines_closed: None) -> str:
    """Give the URL of an empty database."""
    return postgres.emptied_database()


@pytest.fixture
def through(link: Link, database: str) -> str:
    """Give the URL of the same database through the link."""
    return f"postgresql://postgres@127.0.0.1:{link.port}/{name_of(database)}"


@pytest.fixture
def rows(postgres: PostgresServer, database: str) -> Rows:
    """Give a function that asks the database directly."""
    return lambda query: postgres.execute(query, name_of(database))


@pytest.fixture
def make_on(make_collector: Callable[..., CollectorProcess]) -> Callable[..., CollectorProcess]:
    """Give a function that prepares a collector on this database."""

    def make(url: str, folder: str = "", **settings: str) -> CollectorProcess:
        wanted: Mapping[str, str] = {"COLLECTOR_DATABASE_URL": url, "COLLECTOR_VERIFICATION_SECRET": SECRET, **settings}
        return make_collector(folder, **wanted)

    return make


def name_of(url: str) -> str:
    """Name the database of a URL that `PostgresServer` made."""
    return url.partition("@/")[2].partition("?")[0]
