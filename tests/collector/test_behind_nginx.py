"""Behind a real nginx with TLS: what `init` prints works there, and `doctor` names what is wrong with what does not."""

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from collector import doctor
from collector.__main__ import main
from collector.doctor import Finding, Request
from collector.reach import Way
from collector.settings import Settings
from tests.collector.conftest import NUMBER, PEPPER, TOKEN, CollectorProcess, Provider
from tests.nginx import Nginx, NoNginxError, free_port

Make = Callable[..., CollectorProcess]
SEGMENT = "3f9d1c7788aabb"
PATH = f"/callbacks/plivo/{SEGMENT}"


@pytest.fixture(scope="module")
def made() -> Iterator[Nginx]:
    try:
        nginx = Nginx()
    except NoNginxError as reason:
        pytest.skip(str(reason))
    yield nginx
    nginx.remove()


@pytest.fixture
def nginx(made: Nginx) -> Iterator[Nginx]:
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out whatever this machine sets for a collector of its own."""
    for name in list(os.environ):
        if name.startswith(("COLLECTOR_", "PLIVO_")):
            monkeypatch.delenv(name)


class Site(NamedTuple):
    """A public URL, and the server block that says where its port leads."""

    port: int
    url: str

    def server(self, location: str, *, tls: bool = True, more: str = "") -> str:
        return f"listen 127.0.0.1:{self.port}{' ssl' if tls else ''}; {more}\n{location}"


def a_site(path: str = PATH, scheme: str = "https") -> Site:
    port = free_port()
    return Site(port, f"{scheme}://localhost:{port}{path}")


def examined(collector: CollectorProcess, nginx: Nginx, *, insecure: bool = False) -> list[Finding]:
    request = Request(insecure, None if insecure else nginx.ca)
    return list(doctor.examine(collector.env_file, time.time_ns() // 1_000, request))


def said(findings: list[Finding], *names: str) -> set[tuple[str, str]]:
    """Give what the requests found, which must name neither token nor pepper nor the path."""
    found: set[tuple[str, str]] = {
        (finding.state, finding.said) for finding in findings if finding.name in (names or ("POST", "GET"))
    }
    for secret in (TOKEN, PEPPER, SEGMENT):
        assert secret not in str(findings)
    return found


def nothing_stored(collector: CollectorProcess) -> None:
    for table in ("callbacks", "nonces", "quarantine"):
        assert collector.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_the_recipe_of_init_works_as_it_is_printed(make_collector: Make, nginx: Nginx) -> None:
    collector = make_collector()
    collector.env_file.unlink()
    public, inner = free_port(), free_port()
    init = CliRunner().invoke(
        main, ["init", "--env-file", str(collector.env_file), "--public-host", f"localhost:{public}"]
    )
    assert init.exit_code == 0, init.output
    recipe = re.search(r"^ *location .*?^ *\}", init.output, re.MULTILINE | re.DOTALL)
    assert recipe is not None
    (collector.folder / "secrets" / "plivo_auth_token").write_text(TOKEN)
    text = collector.env_file.read_text()
    collector.env_file.write_text(text.replace("COLLECTOR_PORT=8080", f"COLLECTOR_PORT={inner}"))
    collector.store = collector.folder / "data" / "callbacks.db"
    collector.start()
    # Nothing but the port, which another service of this machine may have.
    site = Site(public, next(line.partition("=")[2] for line in text.splitlines() if "PUBLIC_URL=" in line))
    nginx.start(site.server(recipe[0].replace(":8080", f":{inner}")))

    result = CliRunner().invoke(main, ["doctor", "--env-file", str(collector.env_file), "--ca-file", str(nginx.ca)])
    assert result.exit_code == 0, result.output
    assert {line.split()[0] for line in result.output.splitlines()} == {"ok"}
    assert "proved, path, query and body unchanged, not stored" in result.output
    nothing_stored(collector)

    provider = Provider(url=site.url)
    path = site.url.partition(f":{public}")[2]
    context = ssl.create_default_context(cafile=nginx.ca)
    for number, (method, target, body) in enumerate(
        [
            ("POST", path, urlencode(Provider.fields("a", Recipient=NUMBER)).encode()),
            ("GET", f"{path}?{urlencode(Provider.fields('b', Recipient=NUMBER))}", b""),
        ]
    ):
        way = Way(Settings.read({}, collector.env_file), 0, context)
        assert way._ask(method, target, body, provider.headers(str(number))).status == 200
    assert collector.rows("SELECT session_id FROM callbacks ORDER BY 1") == [("a",), ("b",)]
    # Down for a moment, so that nginx has something to complain about: it complains without the number.
    collector.end()
    answer = way._ask("GET", target, b"", provider.headers("3"))
    assert answer.status == 502
    written = nginx.everything_written()
    for secret in (NUMBER, TOKEN, path.rpartition("/")[2]):
        assert secret.encode() not in written.replace((nginx.folder / "nginx.conf").read_bytes(), b"")


class Case(NamedTuple):
    """A way of setting the proxy up, and what doctor says of it."""

    location: str
    expected: str
    path: str = PATH
    collector_path: str = ""
    state: str = "failed"
    more: str = ""


PASSED_ON = "proxy_pass http://127.0.0.1:{inner};"
REACHING = {
    "plain": Case(f"location / {{ {PASSED_ON} }}", "unchanged, not stored", state="ok"),
    "a prefix, handed on": Case(
        f"location /hooks/ {{ {PASSED_ON} }}", "unchanged, not stored", path=f"/hooks{PATH}", state="ok"
    ),
    "a prefix, stripped, and the collector knows": Case(
        "location /hooks/ { proxy_pass http://127.0.0.1:{inner}/; }",
        "unchanged, not stored",
        path=f"/hooks{PATH}",
        collector_path=PATH,
        state="ok",
    ),
    "a prefix, stripped, and the collector does not know": Case(
        "location /hooks/ { proxy_pass http://127.0.0.1:{inner}/; }", "COLLECTOR_PATH", path=f"/hooks{PATH}"
    ),
    "another path": Case(f"location / {{ rewrite ^ /callbacks/plivo break; {PASSED_ON} }}", "under another path"),
    "no body": Case(f"location / {{ proxy_pass_request_body off; proxy_set_header Content-Length ''; {PASSED_ON} }}",
                    "changed on the way: the body"),
    "another query": Case(f"location / {{ set $args 'x=1'; {PASSED_ON} }}", "changed on the way: the query"),
    "no query": Case(
        "location / { set $args ''; proxy_pass http://127.0.0.1:{inner}$uri; }", "changed on the way: the query"
    ),
    "another method": Case(f"location / {{ proxy_method GET; {PASSED_ON} }}", "changed on the way: the method"),
    "no signature": Case(
        f"location / {{ proxy_set_header X-Plivo-Signature-V2 ''; {PASSED_ON} }}", "drops the X-Plivo-Signature headers"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], tuple[CollectorProcess, Site]]]:
    """Give a collector that runs, one for each way in which its URL and its path go together."""
    started: dict[tuple[str, str], tuple[CollectorProcess, Site]] = {}

    def run(path: str, collector_path: str) -> tuple[CollectorProcess, Site]:
        if (path, collector_path) not in started:
            site = a_site(path)
            settings = {"COLLECTOR_PUBLIC_URL": site.url} | ({"COLLECTOR_PATH": PATH} if collector_path else {})
            process = CollectorProcess(tmp_path_factory.mktemp("running"), settings)
            started[path, collector_path] = process, site
            process.start()
        return started[path, collector_path]

    yield run
    for process, _ in started.values():
        process.end()


@pytest.mark.parametrize("name", REACHING)
def test_what_the_proxy_does_to_a_request_is_seen(
    running: Callable[[str, str], tuple[CollectorProcess, Site]], nginx: Nginx, name: str
) -> None:
    case = REACHING[name]
    collector, site = running(case.path, case.collector_path)
    nginx.start(site.server(case.location.replace("{inner}", str(collector.port))))
    found = said(examined(collector, nginx))
    if case.state == "ok":
        assert {state for state, _ in found} == {"ok"}
    assert [sentence for state, sentence in found if state == case.state and case.expected in sentence] != []
    # Whatever the proxy did to it: a probe is never mistaken for a callback.
    nothing_stored(collector)


def test_a_collector_with_another_token_or_url_or_pepper_is_told_apart(make_collector: Make, nginx: Nginx) -> None:
    site = a_site()
    collector = make_collector(COLLECTOR_PUBLIC_URL=site.url).start()
    nginx.start(site.server(f"location / {{ proxy_pass http://127.0.0.1:{collector.port}; }}"))
    text = collector.env_file.read_text()
    other_token = TOKEN.swapcase()
    for changed, expected in (
        (text.replace(TOKEN, other_token), "another token"),
        (text.replace(TOKEN, f"{TOKEN},{other_token}"), "another token"),
        (text.replace("localhost", "127.0.0.1"), "another COLLECTOR_PUBLIC_URL"),
        (text.replace(PEPPER, f"{PEPPER},{PEPPER.swapcase()}"), "another COLLECTOR_PEPPER"),
    ):
        collector.env_file.write_text(changed)
        found = said(examined(collector, nginx, insecure=True))
        assert {state for state, _ in found} == {"failed"}
        assert all(expected in sentence for _, sentence in found), found
    nothing_stored(collector)


UNREACHED = {
    "the collector is down": ("location / { proxy_pass http://127.0.0.1:{dead}; }", "502"),
    "the collector hangs": (
        "location / { proxy_read_timeout 1s; proxy_pass http://127.0.0.1:{hanging}; }",
        "504",
    ),
    "no location": ("location = /else { return 200; } location / { return 404; }", "does not know the path"),
    "a firewall": ("location / { deny all; }", "turns it away"),
    "a password": ("location / { return 401; }", "asks for a password"),
    "another server": ("location / { return 200 hello; }", "not from this collector"),
    "a slash": (f"location = {PATH} {{ return 301 $uri/; }}", "with or without a slash"),
    "another host": ("location / { return 302 https://else.example.com$uri; }", "to another host"),
    "elsewhere": ("location / { return 302 /login; }", "to elsewhere"),
    "trouble": ("location / { return 503; }", "nobody to hand on to"),
    "an odd answer": ("location / { return 418; }", "does not take the request"),
    "no answer": ("location / { return 444; }", "hangs up"),
}


@pytest.mark.parametrize("name", UNREACHED)
def test_what_never_reaches_the_collector_is_named(make_collector: Make, nginx: Nginx, name: str) -> None:
    location, expected = UNREACHED[name]
    site = a_site()
    collector = make_collector(COLLECTOR_PUBLIC_URL=site.url)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        text = location.replace("{dead}", str(free_port())).replace("{hanging}", str(hanging.getsockname()[1]))
        nginx.start(site.server(text))
        found = said(examined(collector, nginx))
    assert {state for state, _ in found} == {"failed"}
    assert all(expected in sentence for _, sentence in found), found


def test_http_that_is_sent_on_to_https_is_named(make_collector: Make, nginx: Nginx) -> None:
    site = a_site(scheme="http")
    collector = make_collector(COLLECTOR_PUBLIC_URL=site.url)
    nginx.start(site.server("location / { return 301 https://localhost$request_uri; }", tls=False))
    found = examined(collector, nginx)
    assert all("to https" in sentence for _, sentence in said(found))
    assert {state for state, _ in said(found, "settings")} == {"warning"}


@pytest.mark.parametrize(
    ("tls", "scheme", "expected"), [(False, "https", "no TLS"), (True, "http", "http or for https")]
)
def test_a_port_that_speaks_the_other_protocol_is_named(
    make_collector: Make, nginx: Nginx, tls: bool, scheme: str, expected: str
) -> None:
    site = a_site(scheme=scheme)
    collector = make_collector(COLLECTOR_PUBLIC_URL=site.url)
    nginx.start(site.server("location / { return 200; }", tls=tls))
    assert all(expected in sentence for _, sentence in said(examined(collector, nginx)))


def test_a_certificate_nobody_trusts_fails_unless_its_ca_is_given_or_nobody_looks(
    make_collector: Make, nginx: Nginx, tmp_path: Path
) -> None:
    site = a_site()
    collector = make_collector(COLLECTOR_PUBLIC_URL=site.url).start()
    nginx.start(site.server(f"location / {{ proxy_pass http://127.0.0.1:{collector.port}; }}"))
    moment = time.time_ns() // 1_000
    found = said(list(doctor.examine(collector.env_file, moment, Request())))
    assert all(state == "failed" and "the certificate is not trusted" in sentence for state, sentence in found)
    trusted = examined(collector, nginx)
    assert {state for state, _ in said(trusted)} == {"ok"}
    assert [(state, days in sentence) for state, sentence in said(trusted, "TLS") for days in ("29", "30")].count(
        ("ok", True)
    )
    careless = examined(collector, nginx, insecure=True)
    assert {state for state, _ in said(careless)} == {"ok"}
    assert {state for state, _ in said(careless, "TLS")} == {"warning"}
    soon = list(doctor.examine(collector.env_file, moment + 20 * doctor.DAY, Request(ca_file=nginx.ca)))
    assert {state for state, _ in said(soon, "TLS")} == {"warning"}
    assert [f.state for f in soon if f.name == "clock"] == ["warning"]


def test_a_name_that_is_not_there_and_a_port_nobody_listens_on_are_named(make_collector: Make, nginx: Nginx) -> None:
    for url, expected in (
        (f"https://no-such-host.invalid{PATH}", "is not found"),
        (f"https://localhost:{free_port()}{PATH}", "nobody listens"),
    ):
        collector = make_collector(COLLECTOR_PUBLIC_URL=url)
        assert all(expected in sentence for _, sentence in said(examined(collector, nginx)))


def test_who_takes_the_connection_and_never_answers_is_given_up(
    make_collector: Make, nginx: Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.reach.TIMEOUT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        collector = make_collector(COLLECTOR_PUBLIC_URL=f"https://localhost:{silent.getsockname()[1]}{PATH}")
        assert all("does not answer within 1 s" in sentence for _, sentence in said(examined(collector, nginx)))


def test_what_is_no_http_is_named(make_collector: Make, nginx: Nginx) -> None:
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = odd.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(b"220 mail.example.com ESMTP\r\n")

        threading.Thread(target=answer, daemon=True).start()
        collector = make_collector(COLLECTOR_PUBLIC_URL=f"http://localhost:{odd.getsockname()[1]}{PATH}")
        assert all("is no HTTP" in sentence for _, sentence in said(examined(collector, nginx)))


def test_where_v3_is_required_the_probe_has_it_too(make_collector: Make, nginx: Nginx) -> None:
    site = a_site()
    collector = make_collector(COLLECTOR_PUBLIC_URL=site.url, COLLECTOR_V3="require").start()
    nginx.start(site.server(f"location / {{ proxy_pass http://127.0.0.1:{collector.port}; }}"))
    assert {state for state, _ in said(examined(collector, nginx))} == {"ok"}
    nothing_stored(collector)


def test_a_main_accounts_token_alone_is_enough(make_collector: Make, nginx: Nginx) -> None:
    site = a_site()
    collector = make_collector(COLLECTOR_PUBLIC_URL=site.url)
    text = collector.env_file.read_text().replace("PLIVO_AUTH_TOKEN", "PLIVO_MAIN_AUTH_TOKEN")
    collector.env_file.write_text(text)
    collector.start()
    nginx.start(site.server(f"location / {{ proxy_pass http://127.0.0.1:{collector.port}; }}"))
    assert {state for state, _ in said(examined(collector, nginx))} == {"ok"}
