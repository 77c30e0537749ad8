"""Promise 1 needs one writer: a second collector on the same SQLite file is refused, whatever it calls the file."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

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
    name = store.parent.parent / store.name
    os.link(store, name)
    return name


SPELLINGS = [by_a_link, by_a_linked_folder, by_another_spelling, by_a_second_name]


def test_a_second_collector_on_the_same_file_is_refused_by_whatever_name(make_collector: Make) -> None:
    first = make_collector("first").start()
    for spelled in SPELLINGS:
        other_name = spelled(first.store)
        ended = make_collector(spelled.__name__, COLLECTOR_DATABASE_URL=f"sqlite:///{other_name}").run("serve")
        # A second name on the disk is a name of its own; everything else leads to the first one.
        named = other_name if spelled is by_a_second_name else first.store
        assert ended.stderr.decode() == f"Error: another collector serves the store {named}: end it first\n"
        assert ended.returncode == 2
    assert first.post(Provider.fields()).status == 200


def test_after_the_first_was_killed_the_file_may_be_served_by_a_link(make_collector: Make) -> None:
    first = make_collector("first").start()
    assert first.post(Provider.fields()).status == 200
    second = make_collector("second", COLLECTOR_DATABASE_URL=f"sqlite:///{by_a_link(first.store)}")
    first.end(signal.SIGKILL)
    assert second.start().post(Provider.fields("next"), Provider().headers("2")).status == 200
    assert first.rows("SELECT session_id FROM callbacks") == [("s-1",), ("next",)]
