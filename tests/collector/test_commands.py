"""Each command does one thing; what it cannot do it says in one sentence, with status 2 and without a traceback."""

import json
import os
import re
import shlex
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import event

from collector import __version__, engines, setup, status, store
from collector.__main__ import main
from collector.settings import Settings
from tests.collector.conftest import TOKEN, URL, CollectorProcess, Provider, clean_environment


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave out whatever this machine sets for a collector of its own, and stand in an empty folder."""
    for name in list(os.environ):
        if name.startswith(("COLLECTOR_", "PLIVO_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def said(result: Result) -> str:
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in result.output
    return lines[-1].removeprefix("Error: ")


def test_the_version_is_told() -> None:
    assert run("--version").output == f"collector, version {__version__}\n"


def test_init_writes_what_is_needed_for_its_owner_alone_and_says_what_is_left_to_do(tmp_path: Path) -> None:
    result = run("init", "--public-host", "hooks.example.com")
    assert result.exit_code == 0
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == [
        "collector.env",
        "secrets/pepper",
        "secrets/plivo_auth_token",
        "secrets/verification_secret",
    ]
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    settings = dict(
        line.split("=", 1) for line in (tmp_path / "collector.env").read_text().splitlines() if not line.startswith("#")
    )
    url = settings["COLLECTOR_PUBLIC_URL"]
    assert url.startswith("https://hooks.example.com/callbacks/plivo/")
    assert len(url.rpartition("/")[2]) >= 20
    assert url in result.output
    assert "secrets/plivo_auth_token" in result.output
    for secret in ("pepper", "verification_secret"):
        text = (tmp_path / "secrets" / secret).read_text().strip()
        assert len(text) == 64
        assert text not in result.output


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("https://hooks.example.com", "has a scheme"),
        ("hooks.example.com/path", "has a path"),
        ("hooks.example.com:http", "has a port that is none"),
        ("hooks.example.com:0", "has a port that is none"),
        ("hooks.example.com:", "has a port that is none"),
        ("hooks example.com", "is no host name"),
        ("hooks..example.com", "is no host name"),
        ("-hooks.example.com", "is no host name"),
        ("user@hooks.example.com", "is no host name"),
        ("hooks.example.com?x", "is no host name"),
        ("", "is no host name"),
    ],
)
def test_a_public_host_that_is_none_is_refused_and_nothing_is_written(tmp_path: Path, host: str, expected: str) -> None:
    assert expected in said(run("init", "--public-host", host))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["hooks.example.com", "hooks.example.com:8443", "localhost", "[2001:db8::1]:8443"])
def test_a_public_host_with_or_without_a_port_makes_a_url_the_settings_take(tmp_path: Path, host: str) -> None:
    assert run("init", "--public-host", host).exit_code == 0
    (tmp_path / "secrets" / "plivo_auth_token").write_text(TOKEN)
    made = Settings.read({}, tmp_path / "collector.env")
    assert made.public_urls[0].startswith(f"https://{host}/callbacks/plivo/")


def test_the_store_may_be_put_elsewhere(tmp_path: Path) -> None:
    assert run("init", "--database-url", "sqlite:////srv/callbacks.db").exit_code == 0
    assert "COLLECTOR_DATABASE_URL=sqlite:////srv/callbacks.db\n" in (tmp_path / "collector.env").read_text()
    assert "--database-url is no place" in said(run("init", "--env-file", "b.env", "--database-url", "mysql://x"))


def test_two_collectors_share_no_secret_and_no_path(tmp_path: Path) -> None:
    made = [setup.write(tmp_path / folder / "collector.env") for folder in ("a", "b")]
    assert made[0].path != made[1].path
    for name in ("secrets/pepper", "secrets/verification_secret"):
        assert (tmp_path / "a" / name).read_text() != (tmp_path / "b" / name).read_text()


def test_secrets_are_their_owners_alone_whatever_the_session_would_allow(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        setup.write(tmp_path / "collector.env")
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


@pytest.mark.parametrize("there", ["collector.env", "secrets/pepper"])
def test_init_overwrites_nothing_and_then_writes_nothing(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    assert "overwrites nothing" in said(run("init"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / there]
    assert (tmp_path / there).read_text() == "mine"


def test_what_init_leaves_open_is_asked_for_one_after_the_other(tmp_path: Path) -> None:
    run("init")
    assert "COLLECTOR_PUBLIC_URL" in said(run("serve", "--env-file", "collector.env"))
    env_file = tmp_path / "collector.env"
    env_file.write_text(env_file.read_text().replace("<your-host>", "hooks.example.com"))
    assert "PLIVO_AUTH_TOKEN" in said(run("serve", "--env-file", "collector.env"))


def test_a_collector_starts_with_what_init_wrote(make_collector: Callable[..., CollectorProcess]) -> None:
    collector = make_collector()
    collector.env_file.unlink()
    run("init", "--env-file", str(collector.env_file), "--public-host", "hooks.example.com")
    (collector.folder / "secrets" / "plivo_auth_token").write_text(collector.provider.token + "\n")
    text = collector.env_file.read_text().replace("COLLECTOR_PORT=8080", "COLLECTOR_PORT=0")
    collector.env_file.write_text(text)
    url = next(line for line in text.splitlines() if line.startswith("COLLECTOR_PUBLIC_URL=")).partition("=")[2]
    collector.start()
    headers = Provider(url=url).headers()
    body = urlencode(Provider.fields()).encode()
    assert collector.request("POST", url.removeprefix("https://hooks.example.com"), body, headers).status == 200
    assert stat.S_IMODE((collector.folder / "data" / "callbacks.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("command", ["serve", "status"])
def test_an_env_file_that_is_not_there_is_said(command: str) -> None:
    assert "nowhere.env" in said(run(command, "--env-file", "nowhere.env"))


def test_a_capture_that_is_not_there_is_said() -> None:
    assert "nowhere.jsonl" in said(run("replay", "nowhere.jsonl"))


def test_an_unknown_command_is_said() -> None:
    assert "serv" in said(run("serv"))


def test_status_of_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    assert "there is no store at" in said(run("status"))
    assert list(tmp_path.iterdir()) == []


def capture(*sessions: str) -> bytes:
    lines = [
        {
            "received_at": f"2026-09-01T12:00:{number:02}Z",
            "method": "POST",
            "url": URL,
            "headers": list(Provider().headers(str(number)).items()),
            "body": urlencode(Provider.fields(session)),
        }
        for number, session in enumerate(sessions)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def test_replay_reads_a_file_or_standard_input_and_prints_what_became_of_it(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector()
    given = collector.folder / "capture.jsonl"
    given.write_bytes(capture("a", "b"))
    env = ("--env-file", str(collector.env_file))
    first = run("replay", str(given), *env)
    second = run("replay", "-", *env, stdin=capture("a", "b", "c"))
    assert (first.exit_code, second.exit_code) == (0, 0)
    words = {line.rsplit(maxsplit=1)[0]: int(line.rsplit(maxsplit=1)[1]) for line in second.stdout.splitlines()}
    assert words == {
        "lines": 3,
        "accepted": 1,
        "repeated": 0,
        "quarantined": 0,
        "known": 2,
        "verification": 0,
        "refused": 0,
    }
    assert "2 lines, 100%" in first.stderr
    assert "lines" in second.stderr


def test_replay_names_the_line_it_cannot_read(make_collector: Callable[..., CollectorProcess]) -> None:
    collector = make_collector()
    result = run("replay", "-", "--env-file", str(collector.env_file), stdin=capture("a") + b"no json\n")
    assert said(result).startswith("line 2 is not JSON: the 1 lines before it are stored")


def test_replay_of_unproved_lines_needs_no_token_but_a_pepper(tmp_path: Path) -> None:
    env_file = tmp_path / "collector.env"
    env_file.write_text(f"COLLECTOR_PUBLIC_URL={URL}\nCOLLECTOR_DATABASE_URL=sqlite:///{tmp_path / 'store.db'}\n")
    env = ("--env-file", str(env_file), "--accept-unproved")
    assert "COLLECTOR_PEPPER" in said(run("replay", "-", *env, stdin=b""))
    env_file.write_text(env_file.read_text() + "COLLECTOR_PEPPER=0f1e2d3c4b5a69788796a5b4c3d2e1f0\n")
    result = run("replay", "-", *env, stdin=capture("a"))
    assert result.exit_code == 0
    assert "accepted                              1" in result.stdout


def test_a_pepper_that_was_taken_out_is_missed_by_serve_and_replay(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector()
    env = ("--env-file", str(collector.env_file))
    assert run("replay", "-", *env, stdin=b"").exit_code == 0
    text = collector.env_file.read_text()
    collector.env_file.write_text(text.replace("COLLECTOR_PEPPER=0f1e", "COLLECTOR_PEPPER=1f1e"))
    for command in (("replay", "-"), ("serve",)):
        assert "COLLECTOR_PEPPER lacks the pepper" in said(run(*command, *env, stdin=b""))


def test_status_says_what_the_store_holds(make_collector: Callable[..., CollectorProcess]) -> None:
    collector = make_collector()
    env = ("--env-file", str(collector.env_file))
    run("replay", "-", *env, stdin=capture("a", "b"))
    lines = run("status", *env).stdout.splitlines()
    assert lines[:5] == [
        f"store          {collector.store}, schema {store.SCHEMA}",
        "callbacks      2, latest 2026-09-01T12:00:01Z, oldest 2026-09-01T12:00:00Z",
        "verifications  0",
        "quarantine     0",
        "pulse replay   latest minute 2026-09-01T12:00:00Z",
    ]
    assert lines[5].startswith("peppers        1, oldest first: ")
    assert re.fullmatch(r"on disk        \d+\.\d MB, \d+\.\d of it log", lines[6])
    assert lines[7] == f"versions       collector {__version__}, SQLite {engines.sqlite_module().sqlite_version}"
    assert lines[8] == "V3 unproved    0 accepted on V2 alone (24 h)"
    assert lines[9] == "refused (24 h) nothing"


def test_status_counts_what_was_refused_lately_and_reads_beside_the_server(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector().start()
    for _ in range(3):
        collector.post(Provider.fields(), {})
    collector.request("GET", "/nowhere")
    env = ("--env-file", str(collector.env_file))
    assert run("status", *env).stdout.splitlines()[-1] == "refused (24 h) nothing"
    collector.end()
    assert run("status", *env).stdout.splitlines()[-1] == "refused (24 h) signature 3, not_found 1"


def test_status_names_what_v2_alone_proved_also_after_a_restart(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector()
    env = ("--env-file", str(collector.env_file))
    v3 = {"X-Plivo-Signature-V3": "x" * 44, "X-Plivo-Signature-V3-Nonce": "1"}
    for session in ("a", "b"):
        collector.start()
        assert collector.post(Provider.fields(session), collector.provider.headers() | v3).status == 200
        assert collector.post(Provider.fields(f"{session}-2"), v3).status == 403
        assert collector.post(Provider.fields(f"{session}-3")).status == 200
        collector.end()
    assert run("status", *env).stdout.splitlines()[-2:] == [
        "V3 unproved    2 accepted on V2 alone (24 h)",
        "refused (24 h) signature 2",
    ]
    assert collector.rows("SELECT sum(accepted), sum(refused) FROM pulse") == [(4, 2)]


def test_a_damaged_store_is_said_in_one_sentence(make_collector: Callable[..., CollectorProcess]) -> None:
    collector = make_collector()
    collector.store.write_bytes(b"not a database at all, but long enough to be looked at " * 100)
    for command in (("status",), ("replay", "-"), ("serve",)):
        assert "not a database" in said(run(*command, "--env-file", str(collector.env_file), stdin=b""))


def test_status_says_why_quarantine_keeps_what_it_keeps(make_collector: Callable[..., CollectorProcess]) -> None:
    collector = make_collector().start()
    collector.post({"SessionStatus": "odd"})
    collector.post({"SessionUUID": "a", "Channel": "x" * 300})
    signed = collector.provider.headers()
    collector.post(Provider.fields("a"), signed)
    collector.post(Provider.fields("forged"), signed)
    engine = store.writer_engine(f"sqlite:///{collector.store}")
    with engine.begin() as connection:
        marked = store.quarantine.c.reason == "field_too_long"
        connection.execute(store.quarantine.update().where(marked).values(replayed_at=1))
    lines = run("status", "--env-file", str(collector.env_file)).stdout.splitlines()
    assert lines[3].startswith("quarantine     3, latest ")
    assert lines[4:7] == ["  field_too_long 1, 1 replayed", "  no_session   1", "  nonce_reused 1"]


def test_status_counts_a_large_table_by_its_keys_and_looks_at_its_ends(
    make_collector: Callable[..., CollectorProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = make_collector()
    env = ("--env-file", str(collector.env_file))
    run("replay", "-", *env, stdin=capture(*"abcdefghij"))
    engine = store.writer_engine(f"sqlite:///{collector.store}")
    with engine.begin() as connection:
        connection.execute(store.callbacks.delete().where(store.callbacks.c.callback_id.in_([1, 5])))
    monkeypatch.setattr(status, "COUNTED", 5)
    monkeypatch.setattr(status, "ENDS", 2)
    line = run("status", *env).stdout.splitlines()[1]
    assert line == "callbacks      about 9, latest 2026-09-01T12:00:09Z, oldest 2026-09-01T12:00:01Z"


def test_status_of_a_large_store_reads_no_whole_table(make_collector: Callable[..., CollectorProcess]) -> None:
    collector = make_collector()
    env = ("--env-file", str(collector.env_file))
    run("replay", "-", *env, stdin=capture("a", "b"))
    engine = store.writer_engine(f"sqlite:///{collector.store}")
    with engine.begin() as connection:
        for table, key in (("callbacks", "callback_id"), ("verifications", "verification_id")):
            connection.exec_driver_sql(f"UPDATE {table} SET {key} = 10000000 WHERE {key} = 2")
    asked: list[str] = []
    reader = store.reader_engine(f"sqlite:///{collector.store}")

    def plan(connection: object, cursor: Any, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            asked.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(reader, "before_cursor_execute", plan)
    with reader.connect() as connection:
        list(status._facts(connection, f"sqlite:///{collector.store}", 0))
    reader.dispose()
    scanned = {step for step in asked if step.startswith("SCAN")}
    assert {step for step in scanned if "callbacks" in step} == set()
    assert {step for step in scanned if "pulse" in step} == set()


def test_who_has_read_enough_of_the_output_gets_no_word_about_it(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector()
    collector.run("replay", os.devnull)
    words = " ".join(shlex.quote(word) for word in collector.command("status"))
    # The pipe is closed before the first line is written.
    done = subprocess.run(
        ["bash", "-c", f"(sleep 0.2; {words}) | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, env=clean_environment(), check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("0\n", "")
