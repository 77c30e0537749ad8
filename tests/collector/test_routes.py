"""HTTP in, HTTP out: every request gets its one answer, our own trouble is a 503, and nothing is ever a 500."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from urllib.parse import unquote_to_bytes, urlencode

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import Response

from collector import recipient
from collector.app import build_app
from collector.door import Door
from collector.errors import Refused
from collector.items import Arrival, Item, Outcome, Verification
from collector.pulse import Pulse
from collector.settings import Settings

TOKEN = "kD83hfQ0pLmZx71vTqRs92WbYcEaNuJo54GiUdHw"
URL = "https://hooks.example.com/hook%20s/plivo"
PATH = "/hook%20s/plivo"
PEPPER = b"0123456789abcdef0123456789abcdef"
SECRET = b"zB7Wq1rY5tKp9sXv3mNc8hLd2gFj6eQa"
NUMBER = "12015550123"
BODY = urlencode({"SessionUUID": "s-1", "Recipient": NUMBER}).encode()


class Kept:
    """A store that keeps in memory, or does what a test tells it to."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.does: Callable[[Item], Outcome] = lambda _: Outcome.ACCEPTED

    def append(self, item: Item) -> Outcome:
        outcome = self.does(item)
        self.items.append(item)
        return outcome


class Site:
    """The app with everything around it in reach."""

    def __init__(self) -> None:
        made = Settings(
            tokens=(TOKEN,), public_urls=(URL,), paths=(PATH,), peppers=(PEPPER,), verification_secrets=(SECRET,)
        )
        self.store = Kept()
        self.pulse = Pulse("one", lambda: 0)
        self.trouble = ""
        self.app: Flask = build_app(Door(made, recipient.key_id(PEPPER)), self.store, self.pulse, lambda: self.trouble)

    def send(
        self, method: str = "POST", uri: str = PATH, body: bytes = BODY, headers: dict[str, str] | None = None
    ) -> Response:
        """Send as waitress would hand it over: the raw target in REQUEST_URI, the decoded path in PATH_INFO."""
        given = signed() if headers is None else headers
        environ = EnvironBuilder(method=method, data=body, headers=list(given.items())).get_environ()
        path, _, query = uri.partition("?")
        environ |= {"REQUEST_URI": uri, "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query}
        chunks, status, returned = run_wsgi_app(self.app, environ, buffered=True)
        return Response(b"".join(chunks), status, returned)


def signed(nonce: str = "12345") -> dict[str, str]:
    mac = hmac.new(TOKEN.encode(), (URL + nonce).encode(), hashlib.sha256).digest()
    return {"X-Plivo-Signature-V2": base64.b64encode(mac).decode(), "X-Plivo-Signature-V2-Nonce": nonce}


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_callback_is_answered_200_after_the_store_has_it(site: Site) -> None:
    def stores(item: Item) -> Outcome:
        assert isinstance(item, Arrival)
        assert site.store.items == []
        return Outcome.ACCEPTED

    site.store.does = stores
    answer = site.send()
    assert (answer.status_code, answer.data) == (200, b"")
    assert len(site.store.items) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_cache_may_answer_in_our_place(site: Site, method: str) -> None:
    assert site.send(method, f"{PATH}?{BODY.decode()}").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("outcome", [Outcome.REPEATED, Outcome.QUARANTINED])
def test_a_repeated_or_unreadable_callback_is_200_and_looks_the_same(site: Site, outcome: Outcome) -> None:
    site.store.does = lambda _: outcome
    assert (site.send().status_code, site.send().data) == (200, b"")


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (PATH, 200),
        (f"{PATH}?a=b", 200),
        (f"http://anything.example{PATH}", 200),
        ("/hook s/plivo", 404),
        ("/hook+s/plivo", 404),
        (f"{PATH}/", 404),
        (f"/{PATH}", 404),
        ("/hook%20s//plivo", 404),
        ("/%68ook%20s/plivo", 404),
        ("/", 404),
        ("//", 404),
        ("*", 404),
        ("/\xff", 404),
    ],
)
def test_a_path_is_ours_as_it_was_sent_or_not_at_all(site: Site, uri: str, status: int) -> None:
    assert site.send(uri=uri).status_code == status


def test_the_raw_query_reaches_the_door(site: Site) -> None:
    site.send("GET", f"{PATH}?SessionUUID=%C3%A9&x=a%2Bb+c", b"")
    item = site.store.items[0]
    assert isinstance(item, Arrival)
    assert item.raw.url == f"{PATH}?SessionUUID=%C3%A9&x=a%2Bb+c"
    assert item.row is not None
    assert (item.row["session_id"], json.loads(item.row["extra"])) == ("é", {"x": "a+b c"})


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_405(site: Site, method: str) -> None:
    answer = site.send(method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


def test_a_refusal_is_a_problem_body_that_repeats_nothing(site: Site) -> None:
    answer = site.send(headers={"X-Plivo-Signature-V2": "guess", "Host": "evil.example"})
    assert answer.status_code == 403
    assert answer.content_type == "application/problem+json"
    assert json.loads(answer.data) == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "The request could not be shown to come from the provider.",
    }


def test_a_forged_content_is_answered_as_if_nothing_was_proved(site: Site) -> None:
    unproved = site.send(headers={})
    site.store.does = lambda _: Outcome.FORGED
    forged = site.send()
    assert (forged.status_code, forged.data) == (unproved.status_code, unproved.data)


def test_our_own_trouble_is_a_503_that_asks_to_try_again(site: Site) -> None:
    def fails(_: Item) -> Outcome:
        raise Refused(503, "overloaded", "Later.")

    site.store.does = fails
    answer = site.send()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    site.store.does = lambda _: Outcome.FULL
    assert site.send().status_code == 503


def test_our_own_mistake_is_a_503_and_its_text_reaches_neither_answer_nor_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def mistake(_: Item) -> Outcome:
        raise KeyError(NUMBER)

    site.store.does = mistake
    answer = site.send()
    assert answer.status_code == 503
    assert NUMBER.encode() not in answer.data
    from collector.logs import JsonLines

    assert caplog.records
    for record in caplog.records:
        assert NUMBER not in JsonLines().format(record)


def test_every_refusal_is_counted_by_its_reason(site: Site) -> None:
    site.send(headers={})
    site.send("HEAD")
    site.send(uri="/other")
    site.send("POST", "/healthz")
    site.store.does = lambda _: Outcome.FORGED
    site.send()
    assert site.pulse.totals() == {
        ("refused", "signature"): 1,
        ("refused", "method"): 2,
        ("refused", "not_found"): 1,
        ("refused", "nonce_reused"): 1,
    }


def test_a_body_over_the_limit_is_413_whatever_it_says_of_its_length(site: Site) -> None:
    assert site.send(body=b"x" * 65_535).status_code == 200
    assert site.send(body=b"x" * 65_536).status_code == 413
    assert site.send(body=b"x" * 70_000).status_code == 413


def test_health_is_that_the_process_lives_and_readiness_that_it_can_store(site: Site) -> None:
    assert (site.send("GET", "/healthz").status_code, site.send("GET", "/readyz").data) == (200, b"ok\n")
    site.trouble = "failing"
    ready = site.send("GET", "/readyz")
    assert (site.send("GET", "/healthz").status_code, ready.status_code, ready.data) == (200, 503, b"failing\n")


def test_a_report_of_the_application_is_kept(site: Site) -> None:
    body = json.dumps({"session_id": "s-1", "verified_at": "2026-09-01T12:00:00Z"}).encode()
    headers = {"X-Signature": "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()}
    assert site.send(uri="/verifications", body=body, headers=headers).status_code == 200
    assert isinstance(site.store.items[0], Verification)
    assert site.send(uri="/verifications", body=body, headers={}).status_code == 403


@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "BREW"]),
    uri=st.sampled_from([PATH, "/verifications", "/healthz", ""]).flatmap(
        lambda path: st.text(st.characters(max_codepoint=255), max_size=60).map(lambda rest: path + rest)
    ),
    body=st.binary(max_size=300),
    header=st.none() | st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=60),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_request_whatever_is_answered_with_a_500(
    site: Site, method: str, uri: str, body: bytes, header: str | None
) -> None:
    headers = signed() if header is None else {"X-Plivo-Signature-V2": header, "Content-Type": header}
    answer = site.send(method, uri, body, headers)
    assert answer.status_code in {200, 400, 403, 404, 405, 413, 422}
    assert ("refused", "our_mistake") not in site.pulse.totals()
