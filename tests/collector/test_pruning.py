"""Old rows go, a few hundred at a time; what keeps signatures from being used again stays."""

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector import pruning, store
from collector.engines import sqlite_module
from collector.errors import CollectorError
from collector.pruning import DAY, HOUR, prune
from collector.settings import Settings
from tests.collector.conftest import CollectorProcess
from tests.collector.records import BOTH, change, column, contents, fill, line, moment, report, settings_for


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings of a store whose rows came at 0, 100 and 200 seconds."""
    made = settings_for(database_url)
    for second in (0, 100, 200):
        fill(made, line(f"s-{second}", second), line(f"q-{second}", second, SessionUUID=""))
        report(made, f"s-{second}", second)
    return made


def pruned(settings: Settings, before: float | None, quarantine_before: float, **more: object) -> dict[str, int]:
    return dict(
        prune(
            settings.database_url,
            before=moment(before) if before is not None else None,
            quarantine_before=moment(quarantine_before),
            **({"is_meant": True} | more),  # type: ignore[arg-type]
        )
    )


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_what_is_older_goes_and_nonces_and_peppers_stay(settings: Settings) -> None:
    url = settings.database_url
    before = [contents(url, table) for table in (store.nonces, store.peppers)]
    assert pruned(settings, 150, 50) == {"callbacks": 2, "verifications": 2, "pulse": 2, "quarantine": 1}
    assert column(url, store.callbacks.c.session_id) == ["s-200"]
    assert column(url, store.verifications.c.session_id) == ["s-200"]
    assert column(url, store.pulse.c.minute) == [moment(180)]
    assert column(url, store.quarantine.c.received_at) == [moment(100), moment(200)]
    assert [contents(url, table) for table in (store.nonces, store.peppers)] == before
    assert pruned(settings, 150, 50) == {"callbacks": 0, "verifications": 0, "pulse": 0, "quarantine": 0}


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_without_an_age_only_quarantine_goes(settings: Settings) -> None:
    assert pruned(settings, None, 1_000) == {"quarantine": 3}
    assert len(contents(settings.database_url, store.callbacks)) == 3


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_a_dry_run_counts_and_removes_nothing(settings: Settings) -> None:
    before = [contents(settings.database_url, table) for table in store.metadata.sorted_tables]
    said = pruned(settings, 150, 50, is_meant=False)
    assert said == {"callbacks": 2, "verifications": 2, "pulse": 2, "quarantine": 1}
    assert [contents(settings.database_url, table) for table in store.metadata.sorted_tables] == before


def test_what_was_replayed_from_quarantine_goes_whatever_its_age(settings: Settings) -> None:
    mine = store.quarantine.c.received_at == moment(200)
    change(settings.database_url, store.quarantine.update().where(mine).values(replayed_at=moment(300)))
    assert pruned(settings, None, -1) == {"quarantine": 1}
    assert column(settings.database_url, store.quarantine.c.received_at) == [moment(0), moment(100)]


@pytest.mark.parametrize(("text", "wanted"), [("400d", 400 * DAY), ("36h", 36 * HOUR), ("1d", DAY)])
def test_an_age_is_read(text: str, wanted: int) -> None:
    assert pruning.age(text) == wanted


@pytest.mark.parametrize("odd", ["", "0d", "400", "400 d", "-1d", "1w", "999999d", "٤d"])
def test_what_is_no_age_is_refused(odd: str) -> None:
    with pytest.raises(CollectorError, match="is no age: give days or hours"):
        pruning.age(odd)


def test_many_rows_go_in_many_short_turns(database_url: str) -> None:
    settings = settings_for(database_url)
    fill(settings, *(line(f"s-{n}", n / 10) for n in range(1_000)))
    told: list[str] = []
    assert pruned(settings, 90, 0, told=told.append)["callbacks"] == 900
    assert len(contents(database_url, store.callbacks)) == 100
    assert told == ["callbacks 900"]


def test_the_command_removes_beside_the_server_and_makes_the_file_small_once_it_has_ended(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector()
    settings = settings_for(f"sqlite:///{collector.store}")
    # From before the test's own clock, whatever it is: 2026-09-01 is either long ago or long to come.
    fill(settings, *(line(f"s-{n}", n / 10 - 10**8, Channel="x" * 200) for n in range(2_000)))
    collector.start()
    collector.post(collector.provider.fields("today"))
    dry = collector.run("prune", "--older-than", "400d", "--dry-run")
    assert re.search(rb"callbacks +2000|callbacks +2,000", dry.stdout)
    assert b"nothing was removed" in dry.stdout
    assert collector.run("prune", "--older-than", "400d").returncode == 0
    assert collector.rows("SELECT session_id FROM callbacks") == [("today",)]
    assert collector.rows("SELECT count(*) FROM nonces") == [(2_001,)]
    large = collector.store.stat().st_size
    refused = collector.run("prune", "--vacuum")
    assert (refused.returncode, b"another collector serves the store" in refused.stderr) == (2, True)
    collector.end()
    assert collector.run("prune", "--vacuum").returncode == 0
    assert collector.store.stat().st_size < large / 2
    assert collector.start().post(collector.provider.fields("again")).status == 200


def test_what_is_removed_is_overwritten(settings: Settings, tmp_path: Path) -> None:
    with closing(sqlite_module().connect(tmp_path / "store.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"s-100" in (tmp_path / "store.db").read_bytes()
    change(settings.database_url, store.verifications.delete())
    pruned(settings, 150, 150)
    for file in tmp_path.glob("store.db*"):
        assert b"s-100" not in file.read_bytes()
