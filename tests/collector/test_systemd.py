"""The units of `deploy/systemd`: sound, shut off, and their own command serves with what `init` wrote."""

import errno
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.__main__ import main
from collector.archive.sealing import SEALED_AFTER
from collector.pulse import MINUTE
from tests.collector.archive.tools import DAY, other_rows, plain_row
from tests.collector.conftest import TOKEN, CollectorProcess, Provider, clean_environment
from tests.collector.records import settings_for
from tests.collector.test_notify import manager
from tests.nginx import free_port

Make = Callable[..., CollectorProcess]
UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
COLLECTOR = "/opt/collector/bin/collector"


def system(command: str) -> str:
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"no {command} here; run.py installs it on Debian")
    return found


def lines(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", (UNITS / unit).read_text(), re.MULTILINE)


def test_the_units_are_those_that_the_documents_name() -> None:
    assert sorted(path.name for path in UNITS.iterdir()) == [
        "collector-archive.service",
        "collector-archive.timer",
        "collector-backup.service",
        "collector-backup.timer",
        "collector-prune.service",
        "collector-prune.timer",
        "collector.service",
        "collector.socket",
        "collector.sysusers",
    ]


def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        # The one thing that is not here is the program.
        (tmp_path / path.name).write_text(path.read_text().replace(COLLECTOR, "/bin/true"))
    units = [tmp_path / path.name for path in UNITS.iterdir() if path.suffix != ".sysusers"]
    checked = subprocess.run(
        [system("systemd-analyze"), "verify", "--man=no", *map(str, units)], capture_output=True, text=True, check=False
    )
    # Other units of this machine may be at fault; ours are not.
    assert [line for line in checked.stderr.splitlines() if "collector" in line] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_exposed_to_less_than_two_of_ten(service: str) -> None:
    command = [system("systemd-analyze"), "security", "--offline=true", "--threshold=20", str(UNITS / service)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert float(re.findall(r"exposure level for \S+: ([\d.]+)", checked.stdout)[0]) < 2.0


ONE_CORE = """
# To stay on one core, where it is fastest; without it all cores are used.
SystemCallFilter=sched_setaffinity"""


def test_the_services_are_shut_off_alike() -> None:
    def shut_off(service: str) -> str:
        text = (UNITS / service).read_text()
        shut = text[text.index("# The settings and secrets") :].partition("\n[Install]")[0].rstrip()
        # The server alone chooses a core.
        return shut.replace(ONE_CORE, "")

    assert ONE_CORE in (UNITS / "collector.service").read_text()
    assert len({shut_off(service) for service in SERVICES}) == 1


def test_a_crash_leaves_nothing_of_the_memory_in_a_file() -> None:
    assert {service: lines(service, "LimitCORE") for service in SERVICES} == {key: ["0"] for key in SERVICES}


def test_pruning_comes_daily_after_the_backup_so_that_thirty_days_of_quarantine_are_thirty_days() -> None:
    (backup,), (prune,) = (lines(f"collector-{name}.timer", "OnCalendar") for name in ("backup", "prune"))
    assert (backup, prune) == ("*-*-* 02:10:00 UTC", "*-*-* 03:40:00 UTC")


def test_the_archive_may_be_written_where_the_page_puts_it_by_those_who_write_it_alone() -> None:
    page = (UNITS.parents[1] / "docs" / "operations.md").read_text()
    place = re.findall(r"^echo COLLECTOR_ARCHIVE=(\S+) ", page, re.MULTILINE)
    found = {service: lines(service, "ReadWritePaths") for service in SERVICES}
    assert [service for service, paths in found.items() if paths == [f"-{place[0]}"]] == [
        "collector-archive.service",
        "collector-prune.service",
    ]


def test_the_archive_comes_daily_once_the_day_is_sealed_and_before_the_copy() -> None:
    (archive,) = lines("collector-archive.timer", "OnCalendar")
    hour, minute = (int(part) for part in archive.split()[1].split(":")[:2])
    # The day ends at midnight UTC; a timer that comes a little early would leave it until the next night.
    assert hour * 60 + minute >= SEALED_AFTER // MINUTE + 10
    assert archive < lines("collector-backup.timer", "OnCalendar")[0]


def test_a_flush_that_hangs_starts_it_anew_and_so_does_whatever_else_ends_it() -> None:
    found = {
        key: lines("collector.service", key) for key in ("Type", "Restart", "WatchdogSec", "StartLimitIntervalSec")
    }
    assert found == {
        "Type": ["notify"],
        "Restart": ["on-failure"],
        "WatchdogSec": ["30s"],
        "StartLimitIntervalSec": ["0"],
    }
    # Longer than the collector gives the requests and the writer in hand.
    assert int(lines("collector.service", "TimeoutStopSec")[0].rstrip("s")) > 10


def as_systemd_would(unit: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Give the command and the environment of a unit, with its credentials in a folder of their own."""
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o700)
    for line in lines(unit, "LoadCredential"):
        name, _, source = line.partition(":")
        file = credentials / name
        file.write_bytes((folder / "etc" / Path(source).relative_to("/etc/collector")).read_bytes())
        file.chmod(0o400)
    (text,) = lines(unit, "ExecStart")
    words = shlex.split(text.replace("%d", str(credentials)))
    assert words[0] == COLLECTOR
    environ = dict(line.replace("%d", str(credentials)).split("=", 1) for line in lines(unit, "Environment"))
    return [sys.executable, "-m", "collector", *words[1:]], clean_environment() | environ


def test_the_units_command_serves_with_what_init_wrote(tmp_path: Path) -> None:
    port = free_port()
    result = CliRunner().invoke(
        main,
        [
            *("init", "--env-file", str(tmp_path / "etc" / "collector.env"), "--public-host", "hooks.example.com"),
            *("--database-url", f"sqlite:///{tmp_path}/var/callbacks.db"),
        ],
    )
    assert result.exit_code == 0, result.output
    (tmp_path / "etc" / "secrets" / "plivo_auth_token").write_text(TOKEN)
    env_file = tmp_path / "etc" / "collector.env"
    env_file.write_text(env_file.read_text().replace("COLLECTOR_PORT=8080", f"COLLECTOR_PORT={port}"))
    url = next(line.partition("=")[2] for line in env_file.read_text().splitlines() if "PUBLIC_URL=" in line)
    command, environ = as_systemd_would("collector.service", tmp_path)
    # The service may not look into the folder that the credentials came from.
    (tmp_path / "etc").rename(tmp_path / "gone")
    with manager(str(tmp_path / "notify.sock")) as heard:
        environ |= {"NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": "30000000"}
        process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
        try:
            heard.wait("READY=1")
            heard.wait("WATCHDOG=1")
            assert post(port, url) == 200
        finally:
            process.terminate()
            assert process.wait(30) == 0
        heard.wait("STOPPING=1")
    assert (tmp_path / "var" / "callbacks.db").exists()


def post(port: int, url: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    headers = Provider(url=url).headers(str(time.monotonic_ns()))
    connection.request("POST", "/" + url.split("/", 3)[3], b"SessionUUID=s", headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_systemds_own_socket_activation_starts_it_at_the_first_callback(make_collector: Make) -> None:
    collector = make_collector()
    port = free_port()
    environ = [f"--setenv={name}={value}" for name, value in clean_environment().items()]
    with collector.log.open("ab") as log:
        process = subprocess.Popen(
            [system("systemd-socket-activate"), f"--listen=127.0.0.1:{port}", *environ, *collector.command("serve")],
            stderr=log,
            stdout=log,
        )
    try:
        collector.port = port
        end = time.monotonic() + 30
        while True:
            try:
                answer = collector.post(Provider.fields("a"))
                break
            except (OSError, HTTPException):
                assert time.monotonic() < end
                time.sleep(0.05)
        assert answer.status == 200
        assert [event["port"] for event in collector.events() if event["event"] == "serving"] == [port]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert collector.rows("SELECT session_id FROM callbacks") == [("a",)]


def commands() -> list[tuple[str, list[str]]]:
    found = []
    for service in SERVICES:
        (text,) = lines(service, "ExecStart")
        found.append((service, shlex.split(text)[1:]))
    return found


def test_the_units_call_what_was_agreed_on() -> None:
    assert dict(commands()) == {
        "collector.service": ["serve", "--env-file", "%d/collector.env"],
        "collector-archive.service": ["archive", "--env-file", "%d/collector.env"],
        "collector-backup.service": [
            "backup",
            "/var/backups/collector",
            "--keep",
            "14",
            "--env-file",
            "%d/collector.env",
        ],
        "collector-prune.service": ["prune", "--older-than", "400d", "--env-file", "%d/collector.env"],
    }


WITHOUT_NEW_CODE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
# PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN, which what is executed inherits.
if libc.prctl(65, *map(ctypes.c_ulong, (1, 0, 0, 0))):
    sys.exit(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_it_serves_where_no_memory_may_become_code(make_collector: Make, empty_store: str) -> None:
    assert all(lines(service, "MemoryDenyWriteExecute") == ["true"] for service in SERVICES)
    launcher = [sys.executable, "-c", WITHOUT_NEW_CODE]
    forbidden = [sys.executable, "-c", "import mmap; mmap.mmap(-1, 4096, prot=7)"]
    tried = subprocess.run([*launcher, *forbidden], capture_output=True, check=False)
    if tried.returncode == errno.EINVAL:
        # Linux before 6.3 cannot; systemd then does it in another way, which is not to be had here.
        return
    assert b"PermissionError" in tried.stderr
    port = free_port()
    collector = make_collector(COLLECTOR_DATABASE_URL=empty_store, COLLECTOR_METRICS_PORT=str(port)).start(*launcher)
    assert collector.post(Provider.fields("a")).status == 200
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    assert b"collector_accepted_total 1.0" in connection.getresponse().read()
    connection.close()
    (collector.folder / "archive").mkdir()
    other_rows(settings_for(empty_store), [plain_row(1, -1_000 * DAY)])
    environ = clean_environment() | {"COLLECTOR_ARCHIVE": str(collector.folder / "archive")}
    # Arrow among them, which some believe to make code while it runs.
    for words in (["archive"], ["prune", "--older-than", "400d"]):
        command = [*launcher, *collector.command(*words)]
        assert subprocess.run(command, env=environ, check=False, timeout=60).returncode == 0
    assert collector.end() == 0


def test_the_port_of_the_socket_is_the_one_init_writes(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["init", "--env-file", str(tmp_path / "collector.env")]).exit_code == 0
    text = (tmp_path / "collector.env").read_text()
    host, port = (re.findall(rf"^COLLECTOR_{key}=(.*)$", text, re.MULTILINE)[0] for key in ("HOST", "PORT"))
    assert lines("collector.socket", "ListenStream") == [f"{host}:{port}"]
