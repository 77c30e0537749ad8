"""A store moves to another place row for row, however often it is interrupted; nothing is doubled, nothing is lost."""

import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from collector import moving, store
from collector.errors import CollectorError
from collector.moving import move
from collector.pulse import Counts, write
from collector.settings import Settings
from collector.turns import Turns
from tests.collector.conftest import PEPPER, CollectorProcess, clean_environment
from tests.collector.records import BOTH, NEWER, change, column, contents, fill, line, moment, report, settings_for
from tests.postgres import PostgresServer

OWN = {"callbacks": ["callback_id"], "verifications": ["verification_id"], "quarantine": ["quarantine_id"]}


def everything(url: str) -> dict[str, object]:
    """All that a store holds, but for the numbers that it gave itself; peppers in their order."""
    found: dict[str, object] = {
        table.name: contents(url, table, *OWN.get(table.name, []))
        for table in store.metadata.sorted_tables
        if table is not store.peppers
    }
    return found | {"peppers": column(url, store.peppers.c.key_id)}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a store with something in every table, and two peppers."""
    url = f"sqlite:///{tmp_path / 'source.db'}"
    fill(settings_for(url), *(line(f"s-{n}", n) for n in range(10)))
    made = settings_for(url, PEPPER, NEWER)
    fill(
        made,
        line("a", 100, nonce="1" * 20),
        line("forged", 101, nonce="1" * 20),
        line("q", 102, SessionUUID=""),
        line("odd", 103, body=b"SessionUUID=\xff\x00&b=1"),
        line("a", 104, nonce="1" * 20),
    )
    for number in range(3):
        report(made, "s-1", number)
    return made


@pytest.fixture
def target(database_url: str) -> str:
    return database_url


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_round_trip_gives_the_same_store_again(settings: Settings, target: str, tmp_path: Path) -> None:
    before = everything(settings.database_url)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    moved = move(settings.database_url, target)
    assert moved.added == moved.source == moved.target
    assert moved.added == {"nonces": 13, "callbacks": 12, "quarantine": 3, "verifications": 3, "pulse": 2}
    assert everything(target) == before
    move(target, back)
    assert everything(back) == before
    assert everything(settings.database_url) == before
    # In the order in which they came, too: whoever reads it in pages reads it as before.
    ids = [column(url, store.callbacks.c.arrival_id) for url in (settings.database_url, target, back)]
    assert ids[0] == ids[1] == ids[2]


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_second_run_takes_what_came_meanwhile_and_nothing_twice(settings: Settings, target: str) -> None:
    move(settings.database_url, target)
    fill(settings, line("late", 110), line("a", 111, nonce="1" * 20), line("s", 100.5, Channel="voice"))
    marked = store.quarantine.update().where(store.quarantine.c.quarantine_id == 2).values(replayed_at=moment(500))
    change(settings.database_url, marked)
    again = move(settings.database_url, target)
    assert again.added == {"nonces": 2, "callbacks": 3, "quarantine": 0, "verifications": 0, "pulse": 0}
    assert again.changed == {"nonces": 1, "callbacks": 0, "quarantine": 1, "verifications": 0, "pulse": 1}
    assert everything(target) == everything(settings.database_url)
    assert not any(move(settings.database_url, target).added.values())


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_target_that_takes_callbacks_of_its_own_keeps_them(settings: Settings, target: str) -> None:
    fill(settings_for(target), line("own", 200), line("s-3", 3, nonce="7" * 20))
    moved = move(settings.database_url, target)
    assert moved.target["callbacks"] == moved.source["callbacks"] + 2
    assert set(contents(settings.database_url, store.callbacks, "callback_id")) < set(
        contents(target, store.callbacks, "callback_id")
    )
    # A number that the target gives next is a new one.
    assert fill(settings_for(target, PEPPER, NEWER), line("new", 300))["accepted"] == 1


def count(url: str, *minutes: Counts) -> None:
    """Count the same minutes for the collector `serve`, one after the other."""
    engine = store.writer_engine(url)
    store.initialise(engine)
    with engine.begin() as connection:
        write(connection, "serve", {moment(60 * number): counts for number, counts in enumerate(minutes)})
    engine.dispose()


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_of_a_minute_that_both_stores_counted_the_larger_of_each_count_stands(
    make_collector: Callable[..., CollectorProcess], target: str
) -> None:
    collector = make_collector("source")
    alike = Counts(accepted=1, refused=Counter(forged=1))
    count(f"sqlite:///{collector.store}", alike, Counts(5, 0, 2, Counter(forged=1, stale=4), 3), Counts(accepted=9))
    count(target, alike, Counts(3, 1, 0, Counter(forged=2, method=1), 1))
    for _ in range(2):
        ran = collector.run("move", "--to", target)
        assert ran.returncode == 0, ran.stderr
        assert b"\n1 minutes were in both stores with other counts, and the larger of each count stands" in ran.stdout
        refused = '{"forged": 2, "method": 1, "stale": 4, "v3_unproved": 3}'
        assert [row[2:] for row in contents(target, store.pulse)] == [
            (1, 0, 0, 1, '{"forged": 1}'),
            (5, 1, 2, 7, refused),
            (9, 0, 0, 0, "{}"),
        ]
    other = make_collector("other")
    count(f"sqlite:///{other.store}", alike)
    assert b"with other counts" not in other.run("move", "--to", target).stdout


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
@pytest.mark.parametrize("peppers", [(NEWER,), (NEWER, PEPPER), (PEPPER, NEWER[::-1])])
def test_a_target_of_other_peppers_is_refused(settings: Settings, target: str, peppers: tuple[str, ...]) -> None:
    fill(settings_for(target, *peppers), line("own", 200))
    before = everything(target)
    with pytest.raises(CollectorError, match="written with other peppers"):
        move(settings.database_url, target)
    assert everything(target) == before


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
@pytest.mark.parametrize("turn", [1, 2, 3, 5])
def test_a_move_that_was_cut_off_goes_on_when_it_is_run_again(
    settings: Settings, target: str, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    taken = 0
    real = Turns.take

    def cut(self: Turns, write: Callable[..., object]) -> object:
        nonlocal taken
        taken += 1
        if taken == turn:
            raise KeyboardInterrupt
        return real(self, write)

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(Turns, "take", cut)
        move(settings.database_url, target)
    assert everything(target) != everything(settings.database_url)
    move(settings.database_url, target)
    assert everything(target) == everything(settings.database_url)


def test_what_arrived_otherwise_is_found_out(settings: Settings, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    move(settings.database_url, target)
    change(target, store.callbacks.update().where(store.callbacks.c.callback_id == 4).values(channel="voice"))
    with pytest.raises(CollectorError, match="1 rows of callbacks are in the target with other values"):
        move(settings.database_url, target)
    change(target, store.callbacks.update().where(store.callbacks.c.callback_id == 4).values(channel="sms"))
    real = moving._page
    monkeypatch.setattr(moving, "_page", lambda turns, way, rows: real(turns, way, rows[1:]))
    change(target, store.verifications.delete())
    with pytest.raises(CollectorError, match="1 rows of verifications came into the source meanwhile"):
        move(settings.database_url, target)


def test_a_nonce_that_is_bound_to_another_content_there_is_said(settings: Settings, target: str) -> None:
    fill(settings_for(target), line("other", 50, nonce="1" * 20))
    with pytest.raises(CollectorError, match="1 rows of nonces are in the target with other values"):
        move(settings.database_url, target)


def test_a_store_is_not_moved_onto_itself_nor_made_where_none_is(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match="the store itself"):
        move(settings.database_url, f"sqlite:///{tmp_path / 'x' / '..' / 'source.db'}")
    with pytest.raises(CollectorError, match="there is no store at"):
        move(f"sqlite:///{tmp_path / 'none.db'}", f"sqlite:///{tmp_path / 'target.db'}")
    assert not (tmp_path / "target.db").exists()


@pytest.mark.postgres
def test_a_move_that_is_killed_again_and_again_ends_with_the_same_store(
    make_collector: Callable[..., CollectorProcess], postgres: PostgresServer
) -> None:
    collector = make_collector()
    settings = settings_for(f"sqlite:///{collector.store}")
    fill(settings, *(line(f"s-{n}", n / 10) for n in range(2_500)))
    target = postgres.new_database()
    command = [*collector.command("move"), "--to", target]
    for so_far in (300, 1_500, 3_000):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=clean_environment()
        )
        assert process.stderr is not None
        wanted = so_far if so_far < 2_500 else so_far - 2_500
        for told in process.stderr:
            name, seen = told.split()[0], told.split()[1].strip(",").replace(",", "")
            if name == ("nonces" if so_far < 2_500 else "callbacks") and int(seen) >= wanted:
                break
        process.kill()
        process.wait()
        process.stderr.close()
    assert 0 < len(contents(target, store.callbacks)) < 2_500
    ran = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False)
    assert ran.returncode == 0, ran.stderr
    assert "callbacks               2,500" in ran.stdout
    assert ran.stdout.endswith("run this again for the rest\n")
    assert everything(target) == everything(settings.database_url)


def test_what_is_moved_while_it_is_served_is_complete_after_a_second_run(
    make_collector: Callable[..., CollectorProcess], tmp_path: Path
) -> None:
    collector = make_collector("served").start()
    target = tmp_path / "target.db"
    for number in range(20):
        collector.post(collector.provider.fields(f"s-{number}"))
    assert collector.run("move", "--to", f"sqlite:///{target}").returncode == 0
    collector.post(collector.provider.fields("late"))
    collector.end()
    assert collector.run("move", "--to", f"sqlite:///{target}").returncode == 0
    assert everything(f"sqlite:///{target}") == everything(f"sqlite:///{collector.store}")
