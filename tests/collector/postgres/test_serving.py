"""`collector serve` on PostgreSQL does what it does on SQLite, and says plainly why it cannot begin."""

import hmac
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from collector import engines, store
from collector.errors import CollectorError
from tests.collector.conftest import SECRET, CollectorProcess, Provider
from tests.collector.postgres.conftest import Rows, name_of
from tests.collector.postgres.traffic import deliver
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres
Make = Callable[..., CollectorProcess]


def test_callbacks_reports_retries_and_forgeries_end_as_on_sqlite(database: str, make_on: Make, rows: Rows) -> None:
    collector = make_on(database.replace("postgresql+psycopg:", "postgresql:")).start()
    fields, nonce = Provider.fields("s-1", ErrorDetail="wörd 文"), collector.provider.nonce()
    assert [deliver(collector, fields, nonce) for _ in range(18)] == [200] * 18
    assert deliver(collector, Provider.fields("s-2"), nonce) == 403
    odd = collector.provider.headers()
    assert collector.request("POST", collector.provider.url.partition(".com")[2], b"%ff", odd).status == 200
    assert collector.post(Provider.fields("s-3", ErrorDetail="a\0b")).status == 200
    assert collector.get(Provider.fields("s-4", ErrorDetail="a\0b")).status == 200
    assert collector.get(Provider.fields("s-5")).status == 200
    assert rows("SELECT session_id, count(*) FROM callbacks GROUP BY 1 ORDER BY 1") == [("s-1", 16), ("s-5", 1)]
    assert rows("SELECT DISTINCT extra FROM callbacks WHERE session_id = 's-1'") == [('{"ErrorDetail": "wörd 文"}',)]
    assert rows("SELECT max(arrivals) FROM nonces") == [(18,)]
    reasons = sorted(reason for (reason,) in rows("SELECT reason FROM quarantine"))
    assert reasons == ["nonce_reused", "not_utf8", "nul_character", "nul_character"]
    report = b'{"session_id": "s-1", "verified_at": "2026-09-01T12:00:00.000001Z"}'
    signed = {"X-Signature": f"sha256={hmac.new(SECRET.encode(), report, 'sha256').hexdigest()}"}
    assert [collector.request("POST", "/verifications", report, signed).status for _ in range(2)] == [200, 200]
    assert rows("SELECT session_id, verified_at FROM verifications") == [("s-1", 1_788_264_000_000_001)]
    status = collector.run("status")
    assert (status.returncode, status.stderr) == (0, b"")
    assert b"PostgreSQL, schema" in status.stdout
    assert collector.end() == 0
    assert rows("SELECT refused_by FROM pulse WHERE refused > 0") == [('{"nonce_reused": 1}',)]
    assert rows("SELECT sum(accepted), sum(repeated), sum(quarantined) FROM pulse") == [(2, 17, 3)]
    # Every line of the log is one of ours.
    assert len(collector.log.read_text().splitlines()) == len(collector.events())


@pytest.fixture
def role(postgres: PostgresServer, database: str) -> Iterator[str]:
    """Give a role that has to say its password, and owns the database."""
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all asked scram-sha-256\n{before}")
    postgres.execute("SELECT pg_reload_conf()")
    postgres.execute("CREATE ROLE asked LOGIN PASSWORD 'open-sesame'")
    postgres.execute("GRANT ALL ON SCHEMA public TO asked", name_of(database))
    yield "asked"
    postgres.execute("DROP OWNED BY asked CASCADE", name_of(database))
    postgres.execute("DROP ROLE asked")
    rules.write_text(before)
    postgres.execute("SELECT pg_reload_conf()")


def test_a_role_that_may_only_use_its_schema_is_enough(role: str, database: str, make_on: Make, rows: Rows) -> None:
    collector = make_on(database.replace("postgres@", f"{role}:open-sesame@")).start()
    assert collector.post(Provider.fields("s-1")).status == 200
    assert rows("SELECT tableowner FROM pg_tables WHERE tablename = 'callbacks'") == [(role,)]
    assert collector.end() == 0
    assert "open-sesame" not in collector.log.read_text()


def test_a_wrong_password_is_said_without_it(role: str, database: str, make_on: Make) -> None:
    collector = make_on(database.replace("postgres@", f"{role}:wrong-word@"))
    ended = collector.run("serve")
    assert ended.returncode == 2
    assert b"password authentication failed" in ended.stderr
    assert b"check the password in COLLECTOR_DATABASE_URL" in ended.stderr
    assert b"wrong-word" not in ended.stdout + ended.stderr
    assert b"postgresql" not in ended.stdout + ended.stderr
    assert len(ended.stderr.splitlines()) == 1


WAYS = [
    (r"/\w+\?", "/nowhere?", r"""database 'nowhere': database "nowhere" does not exist; create it first"""),
    (r"host=.*", "host=/no/where", r"at /no/where, .*No such file or directory; start the server"),
    (r"@.*", ":open-sesame@127.0.0.1:1/x", r"at 127.0.0.1 port 1, database 'x': Connection refused; start"),
    (r"@.*", "@no.such.host.invalid/x", r"check the host name"),
    (r"postgres@", "stranger@", r'role "stranger" does not exist; create it first'),
    (r"$", "&sslmode=sure", r"invalid sslmode value"),
    (r"$", "&colour=red", r"colour"),
]


@pytest.mark.parametrize(("what", "instead", "said"), WAYS)
def test_who_is_not_let_in_is_told_why_in_one_sentence(what: str, instead: str, said: str, database: str) -> None:
    with pytest.raises(CollectorError, match=said) as caught:
        store.initialise(engines.writer_engine(re.sub(what, instead, database, count=1)))
    assert "\n" not in str(caught.value)
    assert "open-sesame" not in str(caught.value)


def test_a_server_without_tls_is_not_talked_to_where_tls_is_demanded(through: str) -> None:
    with pytest.raises(CollectorError, match=r"server does not support SSL, but SSL was required; check sslmode"):
        store.initialise(engines.writer_engine(f"{through}?sslmode=require"))


def test_a_server_that_is_not_there_ends_serve_with_status_two(database: str, make_on: Make, tmp_path: Path) -> None:
    made = make_url(database).update_query_dict({"host": str(tmp_path)})
    ended = make_on(made.render_as_string(hide_password=False)).run("serve")
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"Error: the store cannot be opened: PostgreSQL at ")
    assert b"Traceback" not in ended.stderr


def test_without_psycopg_it_is_said_what_to_install(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CollectorError, match=r"pip install 'psycopg\[binary\]'"):
        engines.writer_engine(database)


def test_it_stays_small(database: str, make_on: Make) -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("resident memory is read from /proc, on Linux")
    collector = make_on(database).start()
    for number in range(50):
        collector.post(Provider.fields(f"s-{number}"))
    lines = Path(f"/proc/{collector.process.pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    assert resident < 90 * 1024
