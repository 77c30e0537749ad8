"""The store's file is taken away under the server: nobody is told that a row is kept which will be gone."""

import signal
from collections.abc import Callable

import pytest

from tests.collector.conftest import CollectorProcess, Provider

Make = Callable[..., CollectorProcess]


def remove(collector: CollectorProcess) -> None:
    for file in collector.folder.glob("store.db*"):
        if not file.name.endswith(".lock"):
            file.unlink()


def move_away(collector: CollectorProcess) -> None:
    collector.store.rename(collector.folder / "elsewhere.db")


def put_another_there(collector: CollectorProcess) -> None:
    move_away(collector)
    collector.store.write_bytes(b"")


@pytest.mark.parametrize("what", [remove, move_away, put_another_there])
def test_a_row_in_a_file_that_lost_its_name_is_not_acknowledged_and_the_process_ends(
    make_collector: Make, what: Callable[[CollectorProcess], None]
) -> None:
    collector = make_collector().start()
    assert collector.post(Provider.fields("before"), Provider().headers("1")).status == 200
    what(collector)
    answer = collector.post(Provider.fields("after"), Provider().headers("2"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert collector.process.wait(20) == 1
    (died,) = [event for event in collector.events() if event["event"] == "writer_died"]
    assert died["why"] == "the store's file was removed or replaced"


def test_a_store_that_stays_where_it_is_is_served_to_the_end(make_collector: Make) -> None:
    collector = make_collector().start()
    for number in range(20):
        assert collector.post(Provider.fields(f"s-{number}"), Provider().headers(f"{number}")).status == 200
    assert collector.end(signal.SIGTERM) == 0
