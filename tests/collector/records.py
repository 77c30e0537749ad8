"""Stores with something in them, for the tests of what an operator does with them: one in SQLite, one in PostgreSQL."""

import base64
import itertools
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import Table, select

from collector import store
from collector.replay import open_replay
from collector.settings import Settings
from tests.collector.conftest import PEPPER, TOKEN, URL, Provider

NEWER = "9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a"
OTHER_NUMBER = "12015550199"
BOTH = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres)]
_nonces = itertools.count(2 * 10**19)
START = datetime(2026, 9, 1, 12, tzinfo=UTC)


def settings_for(url: str, *peppers: str) -> Settings:
    return Settings.read(
        {
            "PLIVO_AUTH_TOKEN": TOKEN,
            "COLLECTOR_PUBLIC_URL": URL,
            "COLLECTOR_PEPPER": ",".join(peppers or (PEPPER,)),
            "COLLECTOR_DATABASE_URL": url,
        }
    )


def moment(seconds: float) -> int:
    return int((START + timedelta(seconds=seconds)).timestamp() * 1_000_000)


def line(
    session: str,
    seconds: float = 0,
    *,
    nonce: str = "",
    body: bytes | None = None,
    headers: Iterable[tuple[str, str]] = (),
    **fields: str,
) -> dict[str, Any]:
    """One captured request, signed."""
    nonce = nonce or str(next(_nonces))
    text = body if body is not None else urlencode(Provider.fields(session, **fields), quote_via=quote).encode()
    return {
        "received_at": (START + timedelta(seconds=seconds)).isoformat(),
        "method": "POST",
        "url": URL,
        "headers": [*Provider().headers(nonce).items(), *headers],
        "body_base64": base64.b64encode(text).decode(),
    }


def fill(settings: Settings, *lines: dict[str, Any]) -> dict[str, int]:
    """Bring captured requests in."""
    with open_replay(settings, now=moment(10**9)) as run:
        result = run([json.dumps(one).encode() for one in lines])
    return dict(result.table())


def report(settings: Settings, session: str, seconds: float = 0) -> None:
    """Add a success that the application reported."""
    engine = store.writer_engine(settings.database_url)
    store.initialise(engine)
    with engine.begin() as connection:
        at = moment(seconds)
        connection.execute(store.verifications.insert().values(session_id=session, verified_at=at, received_at=at))
    engine.dispose()


def contents(url: str, table: Table, *without: str) -> list[tuple[Any, ...]]:
    """Every row of a table, in one order whatever the database."""
    engine = store.reader_engine(url)
    columns = [column for column in table.columns if column.name not in without]
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select(*columns))]
    engine.dispose()
    return sorted(rows, key=repr)


def column(url: str, of: Any) -> list[Any]:
    """Every value of one column, in the order of the rows."""
    engine = store.reader_engine(url)
    with engine.connect() as connection:
        found = list(connection.scalars(select(of).order_by(*of.table.primary_key.columns)))
    engine.dispose()
    return found


def change(url: str, statement: Any) -> None:
    engine = store.writer_engine(url)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()
