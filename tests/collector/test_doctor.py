"""Doctor looks and tells, line by line, changes nothing, and ends with 0, 1 or 2."""

import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collector import doctor, engines
from collector.__main__ import main
from collector.doctor import Finding
from tests.collector.conftest import PATH, PEPPER, SECRET, TOKEN, CollectorProcess, Provider
from tests.nginx import free_port
from tests.postgres import PostgresServer

Make = Callable[..., CollectorProcess]
NOW = time.time_ns() // 1_000


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out whatever this machine sets for a collector of its own."""
    for name in list(os.environ):
        if name.startswith(("COLLECTOR_", "PLIVO_")):
            monkeypatch.delenv(name)


def run(collector: CollectorProcess, *arguments: str) -> Result:
    result = CliRunner().invoke(main, ["doctor", "--env-file", str(collector.env_file), *arguments])
    for secret in (TOKEN, PEPPER, SECRET, PATH.rpartition("/")[2]):
        assert secret not in result.output
    assert "Traceback" not in result.output
    return result


def looked(collector: CollectorProcess, name: str, now: int = NOW) -> list[Finding]:
    return [found for found in doctor.examine(collector.env_file, now, None) if found.name == name]


def states(findings: list[Finding]) -> list[str]:
    return [finding.state for finding in findings]


def with_files(collector: CollectorProcess) -> None:
    """Move the secrets into files of their own."""
    text = collector.env_file.read_text()
    for name, value in (("PLIVO_AUTH_TOKEN", TOKEN), ("COLLECTOR_PEPPER", PEPPER)):
        file = collector.folder / name.lower()
        file.write_text(value)
        file.chmod(0o600)
        text = text.replace(f"{name}={value}", f"{name}_FILE={file.name}")
    collector.env_file.write_text(text)
    collector.env_file.chmod(0o600)


def test_a_sound_collector_has_nothing_but_good_lines_and_status_0(make_collector: Make) -> None:
    port = str(free_port())
    collector = make_collector(COLLECTOR_PORT=port)
    with_files(collector)
    collector.start()
    collector.post(Provider.fields("a"))
    before = sorted(path.name for path in collector.folder.iterdir())
    result = run(collector, "--no-request")
    assert result.exit_code == 0, result.output
    lines = [line.split(maxsplit=2) for line in result.output.splitlines()]
    assert {state for state, *_ in lines} == {"ok"}
    names = ["settings", "secrets", "secrets", "secrets", "database", "store", "content", "disk", "served", "port"]
    assert [name for _, name, _ in lines] == [*names, "clock"]
    assert sorted(path.name for path in collector.folder.iterdir()) == before


def test_a_collector_that_is_down_is_a_failed_check_and_status_1(make_collector: Make) -> None:
    collector = make_collector(COLLECTOR_PORT=str(free_port())).start()
    collector.end()
    result = run(collector, "--no-request")
    assert result.exit_code == 1
    failed = [line for line in result.output.splitlines() if line.startswith("failed")]
    assert "no collector serves this store now; start it" in failed[0]
    assert "no collector answers at 127.0.0.1" in failed[1]


def test_who_looks_does_not_keep_a_collector_from_starting(make_collector: Make) -> None:
    collector = make_collector()
    for _ in range(2):
        collector.start()
        assert states(looked(collector, "served")) == ["ok"]
        collector.end()
        assert states(looked(collector, "served")) == ["failed"]


@pytest.mark.parametrize("words", [["--env-file", "nowhere.env"], ["--ca-file", "nowhere.pem"]])
def test_what_it_cannot_even_read_is_status_2(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["doctor", *words])
    assert result.exit_code == 2
    assert words[1] in result.output


def test_a_ca_that_is_none_is_status_2(make_collector: Make, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    result = run(make_collector(), "--ca-file", str(tmp_path / "ca.pem"))
    assert result.exit_code == 2
    assert "holds no certificate" in result.output


def test_settings_that_cannot_be_meant_are_a_failed_check_in_the_words_of_serve(make_collector: Make) -> None:
    result = run(make_collector(PLIVO_AUTH_TOKEN="your-token-here"), "--no-request")
    assert result.exit_code == 1
    assert result.output.startswith("failed   settings  PLIVO_AUTH_TOKEN is still a placeholder")


def test_a_secret_that_others_may_read_is_a_warning_with_its_age(make_collector: Make) -> None:
    collector = make_collector()
    with_files(collector)
    file = collector.folder / "plivo_auth_token"
    os.utime(file, (NOW / 1e6 - 40 * 86_400,) * 2)
    assert states(looked(collector, "secrets")) == ["ok"] * 3
    file.chmod(0o644)
    (found,) = [line for line in looked(collector, "secrets") if line.state == "warning"]
    assert found.said == (
        "PLIVO_AUTH_TOKEN: plivo_auth_token, 40 days old, mode 0644: others may read it; chmod 600 plivo_auth_token"
    )


def test_a_store_that_others_may_read_is_a_warning(make_collector: Make) -> None:
    collector = make_collector().start()
    assert states(looked(collector, "store")) == ["ok"]
    collector.store.chmod(0o640)
    assert sorted(states(looked(collector, "store"))) == ["ok", "warning"]
    collector.store.chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_a_store_that_is_not_there_yet_is_no_failure_and_none_is_made(make_collector: Make) -> None:
    collector = make_collector()
    assert states(looked(collector, "store")) == ["warning"]
    assert looked(collector, "served") == []
    assert not collector.store.exists()


def test_a_damaged_store_fails(make_collector: Make) -> None:
    collector = make_collector().start()
    collector.end()
    whole = collector.store.read_bytes()
    with closing(sqlite3.connect(collector.store)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'callbacks'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    begin = (page - 1) * size
    collector.store.write_bytes(whole[:begin] + b"\xff" * size + whole[begin + size :])
    found = looked(collector, "content")
    assert states(found) == ["failed"] or states(looked(collector, "store")) == ["failed"]
    collector.store.write_bytes(b"no database at all " * 1_000)
    assert states(looked(collector, "store")) == ["failed"]


def test_a_large_store_is_not_read_through(make_collector: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = make_collector().start()
    monkeypatch.setattr(doctor, "LARGEST_CHECKED", 100)
    assert "not read through" in looked(collector, "content")[0].said


def test_a_store_of_another_release_fails(make_collector: Make) -> None:
    collector = make_collector().start()
    collector.end()
    with closing(sqlite3.connect(collector.store)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    (found,) = looked(collector, "store")
    assert (found.state, "schema 9999" in found.said) == ("failed", True)


def test_a_sqlite_that_loses_rows_fails(make_collector: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = make_collector()
    monkeypatch.setattr(engines, "SOUND_SQLITE", (99, 0, 0))
    monkeypatch.setitem(__import__("sys").modules, "pysqlite3.dbapi2", None)
    (found,) = looked(collector, "store")
    assert (found.state, "can lose committed rows" in found.said) == ("failed", True)


def test_the_days_left_come_from_what_came_lately(make_collector: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = make_collector().start()
    for number in range(20):
        collector.post(Provider.fields(f"s-{number}"))
    collector.end()
    assert "more than ten years" in looked(collector, "disk")[0].said
    size = collector.store.stat().st_size

    class Disk:
        f_frsize = 1
        f_bavail = engines.LEAST_SPACE + 5 * size

    # All of the store came today, so five times its size is five days.
    monkeypatch.setattr(os, "statvfs", lambda _: Disk)
    (found,) = looked(collector, "disk")
    assert (found.state, " 5 days of what came lately" in found.said) == ("warning", True)
    Disk.f_bavail = engines.LEAST_SPACE - 1
    assert states(looked(collector, "disk")) == ["failed"]


def test_a_clock_behind_the_stores_newest_row_fails(make_collector: Make) -> None:
    collector = make_collector().start()
    collector.post(Provider.fields("a"))
    now = time.time_ns() // 1_000
    assert states(looked(collector, "clock", now)) == ["ok"]
    (found,) = looked(collector, "clock", now - 600_000_000)
    assert found.state == "failed"
    assert "s behind the newest row" in found.said


@pytest.mark.postgres
def test_postgresql_is_looked_at_too(make_collector: Make, postgres: PostgresServer) -> None:
    url = postgres.new_database()
    collector = make_collector(COLLECTOR_DATABASE_URL=url).start()
    assert collector.post(Provider.fields("a")).status == 200
    assert states(looked(collector, "database")) == ["ok"]
    assert states(looked(collector, "store")) == ["ok"]
    assert looked(collector, "served") == []
    gone = make_collector("gone", COLLECTOR_DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:1/none")
    (found,) = looked(gone, "store")
    assert found.state == "failed"
