"""Who asks to be forgotten is forgotten: in every table, under every pepper, in the files too, and nobody else is."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from collector import erasure, store
from collector.engines import sqlite_module
from collector.erasure import erase
from collector.errors import CollectorError
from collector.keys import keys_of
from collector.settings import Settings
from collector.turns import Turns
from tests.collector.conftest import NUMBER, PEPPER, SECRET, CollectorProcess
from tests.collector.records import (
    BOTH,
    NEWER,
    OTHER_NUMBER,
    column,
    contents,
    fill,
    line,
    report,
    settings_for,
)

TWICE = b"&Channel=sms&Channel=sms"


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings of a store in which one person has rows in every table, under two peppers, and another one too."""
    fill(
        settings_for(database_url),
        line("mine-old", 0),
        line("shared", 1),
        line("shared", 2, Recipient=OTHER_NUMBER),
        line("theirs", 3, Recipient=OTHER_NUMBER),
        line("mine-old", 4, Recipient=""),
        line("shared", 5, Recipient=""),
    )
    made = settings_for(database_url, PEPPER, NEWER)
    fill(
        made,
        line("mine-new", 10),
        line("q-mine", 11, body=b"SessionUUID=q-mine&Recipient=%2B1+201+555-0123" + TWICE),
        line("q-theirs", 12, body=b"SessionUUID=q-theirs&Recipient=" + OTHER_NUMBER.encode() + TWICE),
        line("mine-old", 13, body=b"SessionUUID=mine-old" + TWICE),
        line("shared", 14, body=b"SessionUUID=shared" + TWICE),
        line("local", 15, body=b"note=(0201)+555-0123"),
    )
    for number, session in enumerate(("mine-old", "mine-new", "shared", "theirs", "q-mine", "q-theirs")):
        report(made, session, number)
    return made


def sessions(settings: Settings) -> list[str]:
    return sorted(column(settings.database_url, store.callbacks.c.session_id))


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_everything_about_a_person_goes_and_everybody_elses_stays(settings: Settings) -> None:
    url = settings.database_url
    nonces = contents(url, store.nonces)
    found, left = erase(settings, [NUMBER], [], is_meant=True)
    assert dict(found.table()) == {"callbacks": "4", "verifications": "3", "quarantine": "3 (id 1, 3, 5)"}
    assert sessions(settings) == ["shared", "shared", "theirs"]
    keys = {key for key in column(url, store.callbacks.c.recipient_key) if key}
    assert keys == {keys_of(OTHER_NUMBER, settings.peppers)[1]}
    assert sorted(column(url, store.verifications.c.session_id)) == ["q-theirs", "shared", "theirs"]
    assert column(url, store.quarantine.c.quarantine_id) == [2, 4]
    assert contents(url, store.nonces) == nonces
    assert ("no trace" in left) == url.startswith("sqlite")
    again, _ = erase(settings, [NUMBER], [], is_meant=True)
    assert dict(again.table()) == {"callbacks": "0", "verifications": "0", "quarantine": "0"}


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_without_being_meant_it_only_says_what_would_go(settings: Settings) -> None:
    before = [contents(settings.database_url, table) for table in store.metadata.sorted_tables]
    found, left = erase(settings, [NUMBER], [], is_meant=False)
    assert dict(found.table()) == {"callbacks": "4", "verifications": "3", "quarantine": "3 (id 1, 3, 5)"}
    assert left == ""
    assert [contents(settings.database_url, table) for table in store.metadata.sorted_tables] == before


def test_a_key_alone_finds_its_own_rows_and_the_number_in_quarantine(settings: Settings) -> None:
    newest, oldest = keys_of(NUMBER, settings.peppers)
    assert dict(erase(settings, [], [newest], is_meant=True)[0].table())["callbacks"] == "1"
    assert "mine-old" in sessions(settings)
    assert dict(erase(settings, [], [oldest], is_meant=True)[0].table())["callbacks"] == "3"
    assert sessions(settings) == ["shared", "shared", "theirs"]
    assert 1 not in column(settings.database_url, store.quarantine.c.quarantine_id)


@pytest.mark.parametrize("database_url", BOTH, indirect=True)
def test_more_people_than_one_statement_may_name_are_found(settings: Settings) -> None:
    # PostgreSQL takes 65,535 values in one statement, SQLite 250,000 where Debian built it.
    nobody = [
        f"{number:08x}:{'0' * 64}" for number in range(66_000 if "postgres" in settings.database_url else 251_000)
    ]
    everybody = [*nobody, *keys_of(NUMBER, settings.peppers)]
    assert dict(erase(settings, [], everybody, is_meant=False)[0].table())["callbacks"] == "4"


@pytest.mark.parametrize("odd", ["", "abc", "0" * 64, NUMBER])
def test_what_is_no_key_is_refused_and_not_repeated(settings: Settings, odd: str) -> None:
    with pytest.raises(CollectorError, match="a recipient key is 8 hexadecimal digits") as caught:
        erase(settings, [], [odd], is_meant=True)
    assert NUMBER not in str(caught.value)


def test_a_missing_pepper_is_refused_because_rows_under_it_would_stay(settings: Settings) -> None:
    with pytest.raises(CollectorError, match="lacks the pepper"):
        erase(settings_for(settings.database_url), [NUMBER], [], is_meant=True)
    assert "mine-new" in sessions(settings)


@pytest.mark.parametrize("step", range(1, 6))
def test_an_erasure_that_was_cut_off_finds_the_rest_when_it_is_run_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    taken = 0
    real = Turns.take

    def cut(self: Turns, write: Callable[..., int]) -> int:
        nonlocal taken
        taken += 1
        if taken == step:
            raise KeyboardInterrupt
        return real(self, write)

    with monkeypatch.context() as patched:
        patched.setattr(Turns, "take", cut)
        try:
            erase(settings, [NUMBER], [], is_meant=True)
        except KeyboardInterrupt:
            assert taken == step
        else:
            assert taken < step
            assert step == 5
    erase(settings, [NUMBER], [], is_meant=True)
    assert sessions(settings) == ["shared", "shared", "theirs"]
    assert sorted(column(settings.database_url, store.verifications.c.session_id)) == ["q-theirs", "shared", "theirs"]
    assert column(settings.database_url, store.quarantine.c.quarantine_id) == [2, 4]


def files_with(folder: Path, *needles: str) -> set[str]:
    return {
        file.name for file in folder.glob("store.db*") for needle in needles if needle.encode() in file.read_bytes()
    }


def test_the_files_of_the_store_do_not_hold_the_person_any_more_while_it_is_served(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector(COLLECTOR_VERIFICATION_SECRET=SECRET).start()
    for number in range(300):
        who = NUMBER if number % 3 == 0 else OTHER_NUMBER
        collector.post(collector.provider.fields(f"s-{number}", Recipient=who))
        collector.post({"Recipient": who, "SessionStatus": "x" * (number * 20 % 7_000)})
    key = keys_of(NUMBER, (PEPPER.encode(),))[0]
    # The control: before, they are there.
    assert files_with(collector.folder, key)
    assert files_with(collector.folder, NUMBER)
    ran = collector.run("erase", "--yes", stdin=NUMBER.encode())
    assert ran.returncode == 0, ran.stderr
    assert b"callbacks        100" in ran.stdout
    assert b"no trace of it" in ran.stdout
    assert files_with(collector.folder, key, NUMBER) == set()
    assert NUMBER.encode() not in ran.stdout + ran.stderr
    assert collector.post(collector.provider.fields("after")).status == 200
    assert collector.rows("SELECT count(*) FROM callbacks") == [(201,)]


def test_a_trace_that_is_left_is_found_and_said(settings: Settings) -> None:
    url = settings.database_url
    file = store.sqlite_file(url) or Path()
    key = keys_of(NUMBER, settings.peppers)[0]
    # Deleted by somebody who does not overwrite.
    with closing(sqlite_module().connect(file)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM callbacks WHERE recipient_key = ?", (key,))
        connection.commit()
    assert files_with(file.parent, key)
    assert "run `collector prune --vacuum`" in erase(settings, [NUMBER], [], is_meant=True)[1]


def test_whoever_reads_the_log_meanwhile_is_named_as_the_reason(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = store.reader_engine(settings.database_url)
    monkeypatch.setattr("collector.erasure.Turns.fold_log", lambda self: False)
    with engine.connect() as connection:
        connection.execute(select(store.callbacks)).first()
        assert "somebody was reading" in erase(settings, [NUMBER], [], is_meant=True)[1]
    engine.dispose()


def test_a_body_that_cannot_be_looked_into_is_named_and_stays(settings: Settings) -> None:
    fill(settings, line("odd", 20, body=b"\x0b\x02\x80", headers=[("Content-Encoding", "br")]))
    found, _ = erase(settings, [NUMBER], [], is_meant=True)
    assert dict(found.table())["not looked into"] == "1 compressed in quarantine (id 6)"
    assert 6 in column(settings.database_url, store.quarantine.c.quarantine_id)


def test_a_needle_across_two_reads_of_a_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "CHUNK", 8)
    file = tmp_path / "file"
    file.write_bytes(b"......needle....")
    assert erasure.holds(file, [b"needle"])
    assert not erasure.holds(file, [b"needles"])
    assert not erasure.holds(tmp_path / "none", [b"needle"])


def test_the_command_says_what_would_go_and_takes_the_number_from_standard_input_alone(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector().start()
    collector.post(collector.provider.fields("a"))
    ran = collector.run("erase", stdin=f"+{NUMBER}".encode())
    assert (ran.returncode, ran.stdout.decode().splitlines()) == (
        0,
        [
            "callbacks        1",
            "verifications    0",
            "quarantine       0",
            "nonces stay: they lead to nobody, and keep captured signatures from being used again",
            "nothing was removed: run it again with --yes",
        ],
    )
    assert collector.run("erase", "--yes", NUMBER).returncode == 2
    assert collector.run("erase", "--yes", stdin=b"").returncode == 2
    assert collector.rows("SELECT count(*) FROM callbacks") == [(1,)]
    key = keys_of(NUMBER, (PEPPER.encode(),))[0]
    assert collector.run("erase", "--yes", "--recipient-key", key).returncode == 0
    assert collector.rows("SELECT count(*) FROM callbacks") == [(0,)]


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match="there is no store at"):
        erase(settings_for(f"sqlite:///{tmp_path / 'none.db'}"), [NUMBER], [], is_meant=True)
    assert list(tmp_path.iterdir()) == []
