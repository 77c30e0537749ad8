"""The real process on a real port: what was answered survives its death, and no client can stop it."""

import hashlib
import hmac
import json
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.collector.conftest import NUMBER, PATH, SECRET, TOKEN, CollectorProcess, Provider, clean_environment

Make = Callable[..., CollectorProcess]


def test_callbacks_by_post_and_get_are_stored_with_what_was_proved(collector_process: CollectorProcess) -> None:
    send, fields = collector_process, Provider.fields
    assert (send.post(fields("a")).status, send.get(fields("b")).status) == (200, 200)
    nonce = send.provider.headers("777")
    assert [send.post(fields("c"), nonce).status for _ in range(3)] == [200, 200, 200]
    assert send.post(fields("d"), nonce).status == 403
    assert send.post({"Channel": "sms"}).status == 200
    assert send.post(fields("e"), {}).status == 403
    assert send.rows("SELECT session_id, proof, count(*) FROM callbacks GROUP BY 1, 2") == [
        ("a", "v2", 1),
        ("b", "v2", 1),
        ("c", "v2", 3),
    ]
    assert send.rows("SELECT reason FROM quarantine ORDER BY 1") == [("no_session",), ("nonce_reused",)]
    assert send.end() == 0
    assert send.rows(
        "SELECT collector, sum(accepted), sum(repeated), sum(quarantined), sum(refused) FROM pulse GROUP BY 1"
    ) == [("serve", 3, 2, 1, 2)]


def test_the_application_reports_its_own_success(collector_process: CollectorProcess) -> None:
    body = json.dumps({"session_id": "s-1", "verified_at": "2026-09-01T12:00:00Z"}).encode()
    headers = {"X-Signature": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
    answers = [collector_process.request("POST", "/verifications", body, headers).status for _ in range(2)]
    answers.append(collector_process.request("POST", "/verifications", body + b" ", headers).status)
    assert answers == [200, 200, 403]
    assert collector_process.rows("SELECT session_id, verified_at FROM verifications") == [
        ("s-1", 1_788_264_000_000_000)
    ]


def test_a_second_server_on_one_store_is_refused_and_the_first_goes_on(make_collector: Make) -> None:
    first = make_collector("first").start()
    second = make_collector("second", COLLECTOR_DATABASE_URL=f"sqlite:///{first.store}")
    ended = second.run("serve")
    assert ended.returncode == 2
    assert ended.stderr.decode().strip() == (f"Error: another collector serves the store {first.store}: end it first")
    assert first.post(Provider.fields()).status == 200


def test_a_store_may_be_served_again_after_a_kill(make_collector: Make) -> None:
    collector = make_collector().start()
    collector.end(signal.SIGKILL)
    assert collector.start().post(Provider.fields()).status == 200


def test_a_port_that_is_taken_is_said_in_one_sentence(make_collector: Make) -> None:
    first = make_collector("first").start()
    ended = make_collector("second", COLLECTOR_PORT=str(first.port)).run("serve")
    assert ended.returncode == 2
    assert f"port {first.port}" in ended.stderr.decode()
    assert "Traceback" not in ended.stderr.decode()


def test_asked_to_end_it_answers_what_is_in_hand_and_writes_its_minute(make_collector: Make) -> None:
    collector = make_collector().start()
    with closing(sqlite3.connect(collector.store, isolation_level=None)) as holder, ThreadPoolExecutor(6) as pool:
        holder.execute("BEGIN IMMEDIATE")
        waiting = [pool.submit(collector.post, Provider.fields(f"s-{n}"), Provider().headers(f"{n}")) for n in range(6)]
        time.sleep(0.3)
        collector.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        holder.execute("ROLLBACK")
        assert [future.result().status for future in waiting] == [200] * 6
    assert collector.end() == 0
    assert collector.rows("SELECT sum(accepted) FROM pulse") == [(6,)]


def test_asked_to_end_in_the_moment_it_says_that_it_serves_it_ends_in_peace(make_collector: Make) -> None:
    for _ in range(5):
        collector = make_collector().start()
        assert collector.end() == 0


def test_a_store_that_is_held_is_a_503_in_time_and_heals(make_collector: Make) -> None:
    collector = make_collector().start()
    with closing(sqlite3.connect(collector.store, isolation_level=None)) as holder, ThreadPoolExecutor(30) as pool:
        holder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        first = pool.submit(collector.post, Provider.fields("s"), Provider().headers("1"))
        time.sleep(1.3)
        later = [pool.submit(collector.post, Provider.fields("t"), Provider().headers("2")) for _ in range(29)]
        answers = [future.result() for future in later]
        # Turned away at once, long before the row that holds them up has been given up.
        assert time.monotonic() - began < 2.4
        assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(503, "5")}
        assert collector.request("GET", "/readyz").status == 503
        assert collector.request("GET", "/healthz").status == 200
        assert first.result().status == 503
        holder.execute("ROLLBACK")
    assert collector.post(Provider.fields("u"), Provider().headers("3")).status == 200
    assert collector.request("GET", "/readyz").status == 200
    assert collector.rows("SELECT session_id FROM callbacks") == [("u",)]


def test_after_an_input_output_error_it_answers_503_and_ends_for_a_restart(make_collector: Make) -> None:
    limit = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    collector = make_collector().start(sys.executable, "-c", limit)
    answers: list[int] = []
    while len(answers) < 1_000 and (not answers or answers[-1] == 200):
        headers = Provider().headers(f"{len(answers)}")
        answers.append(collector.post(Provider.fields(f"s-{len(answers)}"), headers).status)
    assert answers[-1] == 503
    assert collector.process.wait(20) == 1
    # The refused request may log before or after it.
    died = {"event": "writer_died", "why": "input/output error"}.items()
    assert [event for event in collector.events() if died <= event.items()]
    # Started anew, without the limit: everything answered 200 is there.
    collector.start()
    stored = {session for (session,) in collector.rows("SELECT session_id FROM callbacks")}
    assert stored == {f"s-{number}" for number in range(answers.count(200))}
    assert collector.post(Provider.fields("afterwards"), Provider().headers("99999")).status == 200


def test_a_socket_that_systemd_opened_is_served_and_survives_a_restart(make_collector: Make) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        collector = make_collector()
        # What systemd does: the socket as descriptor 3, and the number of the process in its environment.
        launch = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3);"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
            "os.execv(sys.argv[2], sys.argv[2:])"
        )
        for session in ("a", "b"):
            with collector.log.open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-c", launch, str(listening.fileno()), *collector.command("serve")],
                    pass_fds=[listening.fileno()],
                    stdout=log,
                    stderr=log,
                    env=clean_environment(),
                )
            try:
                # Nobody waits for the start: the socket is there already.
                collector.port = listening.getsockname()[1]
                assert collector.post(Provider.fields(session), Provider().headers(session)).status == 200
            finally:
                process.terminate()
                assert process.wait(20) == 0
    assert collector.rows("SELECT session_id FROM callbacks") == [("a",), ("b",)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_what_it_does_can_be_watched_on_a_port_of_its_own(make_collector: Make) -> None:
    port = free_port()
    collector = make_collector(COLLECTOR_METRICS_PORT=str(port)).start()
    headers = collector.provider.headers()
    for fields, given in [("a", headers), ("a", headers), ("b", headers), ("c", {})]:
        collector.post(Provider.fields(fields), given)
    collector.post({"x": "y"})

    def read(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            found: bytes = answer.read()
            return found.decode()

    figures = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in read("/metrics").splitlines()
        if not line.startswith("#")
    }
    wanted = {
        "collector_accepted_total": 1,
        "collector_repeated_total": 1,
        'collector_quarantined_total{reason="no_session"}': 1,
        'collector_refused_total{reason="nonce_reused"}': 1,
        'collector_refused_total{reason="signature"}': 1,
        "collector_waiting": 0,
    }
    assert {name: figures[name] for name in wanted} == wanted
    assert figures["collector_commit_seconds_count"] >= 4
    assert figures['collector_commit_seconds_bucket{le="+Inf"}'] == figures["collector_commit_seconds_count"]
    assert figures["process_resident_memory_bytes"] > 0
    assert (read("/healthz"), read("/readyz")) == ("ok\n", "ok\n")
    assert collector.request("GET", "/metrics").status == 404


def test_neither_store_nor_log_holds_what_they_must_not(make_collector: Make) -> None:
    collector = make_collector().start()
    collector.post(Provider.fields("a"))
    for name in ("SessionStatus", "Channel", "ChannelStatus", "ChannelErrorCode", "AttemptUUID"):
        collector.post(Provider.fields(name, **{name: NUMBER}))
    collector.get(Provider.fields("b"))
    collector.post(Provider.fields("c"), {})
    collector.request("GET", f"/nowhere/{NUMBER}?{urlencode(Provider.fields())}")
    collector.raw(f"GET {PATH}?Recipient={NUMBER} HTTP/1.1\r\nbroken\r\n\r\n".encode())
    collector.end()
    files = {file.name: file.read_bytes() for file in collector.folder.iterdir() if file.name != "collector.env"}
    assert {"store.db", "collector.log"} <= set(files)
    for name, content in files.items():
        for secret in (NUMBER, TOKEN, PATH):
            assert secret.encode() not in content, (name, secret)
    assert {stat.S_IMODE(file.stat().st_mode) for file in collector.folder.glob("store.db*")} == {0o600}
    for event in collector.events():
        assert {"at", "level", "event"} <= set(event)


def test_serving_needs_neither_alembic_nor_a_data_frame(root: Path) -> None:
    heavy = {"alembic", "pandas", "numpy", "pyarrow", "duckdb", "matplotlib", "narwhals"}
    code = (
        f"import sys, collector.serve, collector.replay, collector.metrics; print(sorted({heavy} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_it_stays_small(collector_process: CollectorProcess) -> None:
    for number in range(50):
        collector_process.post(Provider.fields(f"s-{number}"))
    status = Path(f"/proc/{collector_process.process.pid}/status")
    if not status.exists():
        pytest.skip("resident memory is read from /proc, on Linux")
    resident = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    assert resident < 70 * 1024


def test_the_settings_of_the_server_are_those_that_were_measured() -> None:
    from collector.serve import LIMITS

    kept: dict[str, Any] = {
        "connection_limit": 1_000,
        "channel_timeout": 30,
        "max_request_body_size": 65_536,
        "max_request_header_size": 16_384,
        "asyncore_use_poll": True,
        "expose_tracebacks": False,
        "ident": None,
    }
    assert kept.items() <= LIMITS.items()
    assert 16 <= LIMITS["threads"] <= 32
