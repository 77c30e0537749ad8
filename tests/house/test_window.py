"""The two packages share the columns of three tables and no import: here both declarations are held side by side."""

import pytest
from sqlalchemy import Table, Text

from collector import store, wire
from verify_analytics import model
from verify_analytics.model.columns import Column

# The store's own keys page it and mean nothing outside of it.
KEYS = {"callback_id", "verification_id"}


def test_both_sides_declare_the_same_callbacks() -> None:
    assert [tuple(column) for column in model.CALLBACKS] == [tuple(column) for column in wire.COLUMNS]


@pytest.mark.parametrize(
    ("table", "columns"),
    [(store.callbacks, model.CALLBACKS), (store.verifications, model.VERIFICATIONS), (store.pulse, model.PULSE)],
    ids=lambda value: value.name if isinstance(value, Table) else "",
)
def test_the_tables_of_the_store_are_what_the_toolkit_reads(table: Table, columns: tuple[Column, ...]) -> None:
    kept = [
        (column.name, "text" if isinstance(column.type, Text) else "integer", column.nullable)
        for column in table.columns
        if column.name not in KEYS
    ]
    # Moments are kept as integers.
    read = [(column.name, "text" if column.kind == "text" else "integer", column.nullable) for column in columns]
    assert kept == read
