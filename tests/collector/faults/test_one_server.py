"""Promise 1 needs one writer: a second collector on the same SQLite file is refused, whatever it calls the file."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.collector.conftest import CollectorProcess, Provider

Make = Callable[..., CollectorProcess]


def by_a_link(store: Path) -> Path:
    link = store.parent / "link.db"
    link.symlink_to(store)
    return link


def by_a_linked_folder(store: Path) -> Path:
    folder = store.parent.parent / "linked"
    folder.symlink_to(store.parent)
    return folder / store.name


def by_another_spelling(store: Path) -> Path:
    return store.parent / ".." / store.parent.name / "." / store.name


def by_a_second_name(store: Path) -> Path:
    name = store.parent / "second.db"
    os.link(store, name)
    return name


def by_a_second_name_elsewhere(store: Path) -> Path:
    name = store.parent.parent / store.name
    os.link(store, name)
    return name


@pytest.mark.parametrize(
    "spelled",
    [by_a_link, by_a_linked_folder, by_another_spelling, by_a_second_name, by_a_second_name_elsewhere],
)
def test_a_second_collector_on_the_same_file_is_refused_by_whatever_name(
    make_collector: Make, spelled: Callable[[Path], Path]
) -> None:
    first = make_collector("first").start()
    other_name = spelled(first.store)
    second = make_collector("second", COLLECTOR_DATABASE_URL=f"sqlite:///{other_name}")
    ended = second.run("serve")
    named = first.store if "second_name" not in spelled.__name__ else other_name
    assert ended.stderr.decode() == f"Error: another collector serves the store {named}: end it first\n"
    assert ended.returncode == 2
    assert first.post(Provider.fields()).status == 200
    # The first one gone, however suddenly, the file may be served by its other name.
    first.end(signal.SIGKILL)
    if "second_name" not in spelled.__name__:
        assert second.start().post(Provider.fields("next"), Provider().headers("2")).status == 200
        assert first.rows("SELECT session_id FROM callbacks") == [("s-1",), ("next",)]
