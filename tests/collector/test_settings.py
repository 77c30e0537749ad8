"""How a collector is set up: what is read, what is required, and that no secret is ever shown."""

from pathlib import Path
from typing import Any

import pytest

from collector.errors import CollectorError
from collector.settings import DEFAULT_DATABASE_URL, NAMES, Settings, listen_fds

TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
NEW_TOKEN = "bmV3IHRva2VuIG9mIHRoZSBzYW1lIGFjY291bnQgMQ"
PEPPER = "3f9a1c5e7b2d4860a1b2c3d4e5f60718"
SECRET = "an-application-signs-with-this"
URL = "https://callbacks.example/hook/3kQ9"
ENOUGH = {"PLIVO_AUTH_TOKEN": TOKEN, "COLLECTOR_PUBLIC_URL": URL, "COLLECTOR_PEPPER": PEPPER}


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_token_a_url_and_a_pepper_are_enough() -> None:
    assert Settings.read(ENOUGH) == Settings(
        tokens=(TOKEN,),
        main_tokens=(),
        public_urls=(URL,),
        paths=("/hook/3kQ9",),
        database_url=DEFAULT_DATABASE_URL,
        host="127.0.0.1",
        port=8080,
        metrics_port=None,
        peppers=(PEPPER.encode(),),
        v3="ignore",
        verification_secrets=(),
    )


def test_every_setting_can_be_given() -> None:
    everything = {
        "PLIVO_AUTH_TOKEN": f"{TOKEN}, {NEW_TOKEN}",
        "PLIVO_MAIN_AUTH_TOKEN": NEW_TOKEN,
        "COLLECTOR_PUBLIC_URL": f"{URL},https://former.example:8443",
        "COLLECTOR_PATH": "/one,/two",
        "COLLECTOR_DATABASE_URL": "postgresql+psycopg://user:word@h/db",
        "COLLECTOR_ARCHIVE": "data/archive",
        "COLLECTOR_HOST": "::1",
        "COLLECTOR_PORT": "0",
        "COLLECTOR_METRICS_PORT": "9100",
        "COLLECTOR_PEPPER": f"{PEPPER},{PEPPER[::-1]}",
        "COLLECTOR_V3": "require",
        "COLLECTOR_VERIFICATION_SECRET": SECRET,
    }
    assert set(everything) == set(NAMES)
    assert Settings.read(everything) == Settings(
        tokens=(TOKEN, NEW_TOKEN),
        main_tokens=(NEW_TOKEN,),
        public_urls=(URL, "https://former.example:8443"),
        paths=("/one", "/two"),
        database_url="postgresql+psycopg://user:word@h/db",
        archive=Path("data/archive"),
        host="::1",
        port=0,
        metrics_port=9100,
        peppers=(PEPPER.encode(), PEPPER[::-1].encode()),
        v3="require",
        verification_secrets=(SECRET.encode(),),
    )


def test_a_path_is_that_of_its_url_without_the_query() -> None:
    urls = "https://h.example,https://h.example/,https://h.example/a%20b/?tenant=a,http://127.0.0.1:8080/x"
    assert Settings.read({**ENOUGH, "COLLECTOR_PUBLIC_URL": urls}).paths == ("/", "/", "/a%20b/", "/x")


def test_two_urls_may_share_a_path() -> None:
    urls = f"{URL},https://former.example/hook/3kQ9,{URL}?tenant=a"
    assert Settings.read({**ENOUGH, "COLLECTOR_PUBLIC_URL": urls}).paths == ("/hook/3kQ9",) * 3


def test_an_optional_setting_left_empty_is_not_set() -> None:
    optional = ["COLLECTOR_HOST", "COLLECTOR_PORT", "COLLECTOR_METRICS_PORT", "COLLECTOR_V3", "COLLECTOR_DATABASE_URL"]
    optional.append("COLLECTOR_ARCHIVE")
    assert Settings.read({**ENOUGH, **dict.fromkeys(optional, "")}) == Settings.read(ENOUGH)


def test_the_environment_of_the_process_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)
    assert Settings.read() == Settings.read(ENOUGH)


# --- what is required ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENOUGH)
@pytest.mark.parametrize("purpose", ["serve", "replay"])
def test_what_is_missing_is_named_with_the_way_to_give_it(name: str, purpose: Any) -> None:
    given = {other: value for other, value in ENOUGH.items() if other != name}
    with pytest.raises(CollectorError, match=rf"^{name} is not set: give .* \(or {name}_FILE, a file that holds it\)$"):
        Settings.read(given, require=purpose)


def test_to_look_into_a_store_nothing_is_required_but_what_is_given_must_be_sound() -> None:
    assert Settings.read({}, require="store") == Settings()
    with pytest.raises(CollectorError, match="COLLECTOR_PORT is no port"):
        Settings.read({"COLLECTOR_PORT": "x"}, require="store")
    with pytest.raises(CollectorError, match="COLLECTOR_PEPPER is not set"):
        Settings.read({}, require="store").need("COLLECTOR_PEPPER")


def test_the_token_of_the_main_account_alone_can_prove_a_request() -> None:
    given = {name: value for name, value in ENOUGH.items() if name != "PLIVO_AUTH_TOKEN"}
    assert Settings.read({**given, "PLIVO_MAIN_AUTH_TOKEN": TOKEN}).tokens == ()


# --- secrets stay secret ---------------------------------------------------------------------------------------------

HIDDEN = {
    "PLIVO_AUTH_TOKEN": f"{TOKEN},{NEW_TOKEN}",
    "PLIVO_MAIN_AUTH_TOKEN": "bWFpbiB0b2tlbiBvZiB0aGUgYWNjb3VudCBhYm92ZQ",
    "COLLECTOR_PEPPER": f"{PEPPER},{PEPPER[::-1]}",
    "COLLECTOR_VERIFICATION_SECRET": SECRET,
    "COLLECTOR_DATABASE_URL": "postgresql://user:hunter2@h.example/db",
}


def test_printing_settings_shows_no_secret() -> None:
    read = Settings.read({**ENOUGH, **HIDDEN, "COLLECTOR_PATH": "/stripped/7vWx"})
    hidden = [entry for value in HIDDEN.values() for entry in value.split(",")] + ["hunter2", "3kQ9", "7vWx"]
    for shown in (repr(read), str(read), f"{read}", f"{read!r:>10}", "%s" % read, f"{[read]}"):  # noqa: UP031
        assert not [secret for secret in hidden if secret in shown]
        assert "2 tokens" in shown
        assert "https://callbacks.example" in shown


# --- sockets from systemd --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"LISTEN_FDS": "1", "LISTEN_PID": "77"}, 1),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "77"}, 2),
        ({"LISTEN_FDS": "1", "LISTEN_PID": "78"}, 0),
        ({"LISTEN_FDS": "1"}, 0),
        ({"LISTEN_FDS": "one", "LISTEN_PID": "77"}, 0),
        ({"LISTEN_PID": "77"}, 0),
        ({}, 0),
    ],
)
def test_sockets_are_counted_only_when_they_are_meant_for_this_process(given: dict[str, str], count: int) -> None:
    assert listen_fds(given, pid=77) == count


def test_who_works_on_the_store_is_asked_for_nothing_but_where_it_is(tmp_path: Path) -> None:
    env_file = tmp_path / "collector.env"
    env_file.write_text(
        "PLIVO_AUTH_TOKEN_FILE=secrets/not-mine-to-read\nCOLLECTOR_PUBLIC_URL=https://<your-host>/\n"
        "COLLECTOR_PEPPER_FILE=pepper\nCOLLECTOR_DATABASE_URL=sqlite:///here.db\n"
    )
    assert Settings.read({}, env_file, require="place").database_url == "sqlite:///here.db"
    with pytest.raises(CollectorError, match="pepper"):
        Settings.read({}, env_file, require="keys")
    (tmp_path / "pepper").write_text("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
    made = Settings.read({}, env_file, require="keys")
    assert (len(made.peppers), made.tokens, made.public_urls) == (1, (), ())
    with pytest.raises(CollectorError, match="COLLECTOR_PUBLIC_URL"):
        Settings.read({}, env_file, require="store")
