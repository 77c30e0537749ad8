"""Everything an alert needs can be read at any moment, and nothing that was sent can be read at all."""

import ast
import itertools
import re
import socket
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from wsgiref.simple_server import demo_app, make_server

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector import __version__, metrics
from collector.metrics import REASONS
from collector.store import SCHEMA
from tests.collector.conftest import NUMBER, PATH, PEPPER, TOKEN, CollectorProcess, Provider
from tests.postgres import PostgresServer

Make = Callable[..., CollectorProcess]
Sample = tuple[str, tuple[tuple[str, str], ...]]
NAMES = {
    "collector_accepted_total",
    "collector_repeated_total",
    "collector_verification_total",
    "collector_v3_unproved_total",
    "collector_probe_total",
    "collector_quarantined_total",
    "collector_refused_total",
    "collector_waiting",
    "collector_oldest_waiting_seconds",
    "collector_commit_age_seconds",
    "collector_commit_seconds_bucket",
    "collector_commit_seconds_count",
    "collector_commit_seconds_sum",
    "collector_ready",
    "collector_start_timestamp_seconds",
    "collector_store_bytes",
    "collector_wal_bytes",
    "collector_disk_free_bytes",
    "collector_quarantine_rows",
    "collector_quarantine_bytes",
    "collector_newest_callback_timestamp_seconds",
    "collector_info",
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Watched:
    """A collector with a metrics port, and its figures."""

    def __init__(self, make: Make, **settings: str) -> None:
        self.port = free_port()
        self.collector = make(COLLECTOR_METRICS_PORT=str(self.port), **settings).start()

    def text(self, timeout: float = 10) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=timeout) as answer:
            found: bytes = answer.read()
            return found.decode()

    def figures(self) -> dict[Sample, float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }

    def until(self, holds: Callable[[dict[Sample, float]], bool]) -> dict[Sample, float]:
        """Scrape until this is so: what only the store knows is as old as the last scrape."""
        end = time.monotonic() + 30
        while not holds(figures := self.figures()):
            assert time.monotonic() < end, figures
            time.sleep(0.2)
        return figures


@pytest.fixture
def watched(make_collector: Make) -> Watched:
    return Watched(make_collector)


def plain(figures: dict[Sample, float], name: str) -> float:
    return figures[f"collector_{name}", ()]


def test_every_figure_is_there_and_true(watched: Watched) -> None:
    began = time.time()
    collector = watched.collector
    headers = collector.provider.headers()
    for fields, given in [("a", headers), ("a", headers), ("b", headers), ("c", {})]:
        collector.post(Provider.fields(fields), given)
    collector.post({"x": "y"})
    collector.post({"SessionUUID": "00000000-0000-0000-0000-000000000000"})
    figures = watched.until(lambda found: found.get(("collector_quarantine_rows", ())) == 2)
    assert {name for name, _ in figures if name.startswith("collector_")} == NAMES
    counts = {"accepted_total": 1, "repeated_total": 1, "probe_total": 1, "waiting": 0, "ready": 1}
    assert {name: plain(figures, name) for name in counts} == counts
    reasons = {labels[0][1]: value for (name, labels), value in figures.items() if name == "collector_refused_total"}
    assert {reason for reason, value in reasons.items() if value} == {"nonce_reused", "signature"}
    assert figures["collector_quarantined_total", (("reason", "no_session"),)] == 1
    assert figures["collector_info", (("database", "sqlite"), ("schema", SCHEMA), ("version", __version__))] == 1
    (octets,) = collector.rows("SELECT sum(length(body) + length(headers) + length(url)) FROM quarantine")
    assert plain(figures, "quarantine_bytes") == octets[0] > 500
    assert plain(figures, "oldest_waiting_seconds") == 0
    assert 0 <= plain(figures, "commit_age_seconds") < 60
    assert plain(figures, "store_bytes") == collector.store.stat().st_size
    assert plain(figures, "wal_bytes") > 0
    assert plain(figures, "disk_free_bytes") > 0
    assert began - 60 < plain(figures, "start_timestamp_seconds") <= time.time()
    assert began - 1 < plain(figures, "newest_callback_timestamp_seconds") <= time.time()


def test_every_reason_is_counted_from_the_start(watched: Watched) -> None:
    for kind, reasons in REASONS.items():
        found = {
            labels[0][1]: v for (name, labels), v in watched.figures().items() if name == f"collector_{kind}_total"
        }
        assert found == dict.fromkeys(reasons, 0)


def reasons_in(root: Path) -> Iterator[tuple[str, str]]:
    """Find the reasons that the code gives: the texts `Refused` and `Unreadable` are made with, and words for them."""
    for path in sorted((root / "collector").glob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                place = {"Refused": 1, "Unreadable": 0}.get(name)
                if place is not None and isinstance(node.args[place], ast.Constant):
                    yield ("refused" if name == "Refused" else "quarantined"), str(node.args[place].value)  # type: ignore[attr-defined]
            if isinstance(node, ast.Dict) and any(isinstance(k, ast.Constant) and k.value == 413 for k in node.keys):
                values = (str(v.value) for v in node.values if isinstance(v, ast.Constant))
                yield from (("refused", value) for value in values if " " not in value)
    yield from [("refused", "bad_request"), ("quarantined", "unstorable"), ("quarantined", "our_mistake")]


def test_the_reasons_are_those_that_the_code_gives(root: Path) -> None:
    found: dict[str, set[str]] = {"refused": set(), "quarantined": set()}
    for kind, reason in reasons_in(root):
        found[kind].add(reason)
    assert len(found["refused"]) > 10
    assert {kind: sorted(words - set(REASONS[kind])) for kind, words in found.items()} == {
        "refused": [],
        "quarantined": [],
    }


def test_no_figure_holds_what_was_sent(watched: Watched) -> None:
    collector = watched.collector
    collector.post(Provider.fields("a", Channel=NUMBER))
    collector.get(Provider.fields("b"))
    collector.post({"x": NUMBER})
    collector.request("GET", f"/nowhere/{NUMBER}?{NUMBER}")
    text = watched.text()
    for secret in (NUMBER, TOKEN, PEPPER, PATH, str(collector.folder)):
        assert secret not in text
    labels = [
        value for _, pairs in watched.figures() for name, value in pairs if name not in {"le", "version", "schema"}
    ]
    assert [value for value in labels if not re.fullmatch(r"[a-z0-9_]*", value) or re.search(r"\d{3}", value)] == []


def test_it_answers_while_every_thread_that_takes_callbacks_waits(watched: Watched) -> None:
    collector = watched.collector
    numbers = itertools.count()
    with (
        closing(sqlite3.connect(collector.store, isolation_level=None)) as holder,
        ThreadPoolExecutor(40) as pool,
    ):
        holder.execute("BEGIN IMMEDIATE")
        waiting = [pool.submit(collector.post, Provider.fields(f"{n}")) for n in itertools.islice(numbers, 40)]
        figures = watched.until(lambda found: plain(found, "oldest_waiting_seconds") > 0.5)
        assert plain(figures, "ready") in {0, 1}
        holder.execute("ROLLBACK")
        assert {future.result().status for future in waiting} <= {200, 503}
    assert plain(watched.until(lambda found: plain(found, "ready") == 1), "oldest_waiting_seconds") == 0


def test_who_connects_and_says_nothing_is_hung_up_on_in_silence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert metrics._Silent.timeout == 10
    monkeypatch.setattr(metrics._Silent, "timeout", 0.2)
    with make_server("127.0.0.1", 0, demo_app, metrics._Server, metrics._Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for said in (b"", b"GET /metrics HTTP/1.1\r\nHost: half"):
            with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
                connection.sendall(said)
                assert connection.recv(1) == b""
        server.shutdown()
        thread.join()
    assert capfd.readouterr().err == ""


def test_what_was_deleted_from_quarantine_is_no_longer_counted(watched: Watched) -> None:
    for name in ("x", "longer"):
        watched.collector.post({name: "y"})
    both = watched.until(lambda found: found.get(("collector_quarantine_rows", ())) == 2)
    with closing(sqlite3.connect(watched.collector.store)) as connection, connection:
        connection.execute("DELETE FROM quarantine WHERE quarantine_id = 1")
    one = watched.until(lambda found: found.get(("collector_quarantine_rows", ())) == 1)
    (octets,) = watched.collector.rows("SELECT length(body) + length(headers) + length(url) FROM quarantine")
    assert plain(one, "quarantine_bytes") == octets[0] < plain(both, "quarantine_bytes")


def test_what_the_store_knows_is_left_out_when_the_store_cannot_be_read(watched: Watched) -> None:
    watched.until(lambda found: ("collector_quarantine_rows", ()) in found)
    store = watched.collector.store
    store.rename(store.with_name("away.db"))
    figures = watched.until(lambda found: ("collector_quarantine_rows", ()) not in found)
    assert ("collector_store_bytes", ()) not in figures
    assert plain(figures, "accepted_total") == 0


@pytest.mark.postgres
def test_the_figures_of_a_postgresql_store(make_collector: Make, postgres: PostgresServer) -> None:
    watched = Watched(make_collector, COLLECTOR_DATABASE_URL=postgres.new_database())
    assert watched.collector.post(Provider.fields("a")).status == 200
    newest = ("collector_newest_callback_timestamp_seconds", ())
    figures = watched.until(lambda found: newest in found)
    assert plain(figures, "store_bytes") > 1_000_000
    assert ("collector_wal_bytes", ()) not in figures
    about = (("database", "postgresql"), ("schema", SCHEMA), ("version", __version__))
    assert figures["collector_info", about] == 1
