"""What is refused at start, and in which words."""

import pytest

from collector.errors import CollectorError
from collector.settings import Settings

TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
NEW_TOKEN = "bmV3IHRva2VuIG9mIHRoZSBzYW1lIGFjY291bnQgMQ"
PEPPER = "3f9a1c5e7b2d4860a1b2c3d4e5f60718"
URL = "https://callbacks.example/hook/3kQ9"
ENOUGH = {"PLIVO_AUTH_TOKEN": TOKEN, "COLLECTOR_PUBLIC_URL": URL, "COLLECTOR_PEPPER": PEPPER}


def refusal(changes: dict[str, str]) -> str:
    """Read settings that must be refused, and give the sentence."""
    with pytest.raises(CollectorError) as refused:
        Settings.read({**ENOUGH, **changes})
    return str(refused.value)


SECRETS = ("PLIVO_AUTH_TOKEN", "PLIVO_MAIN_AUTH_TOKEN", "COLLECTOR_PEPPER", "COLLECTOR_VERIFICATION_SECRET")
PLACEHOLDERS = [
    "changeme",
    "ChangeMe-123!",
    "change-me",
    "CHANGE_ME_PLEASE",
    "replace_with_your_token",
    "your_auth_token",
    "YOUR-PLIVO-AUTH-TOKEN",
    "your_auth_token_here",
    "my_auth_token",
    "auth_token",
    "token",
    "secret",
    "password",
    "pepper",
    "<auth_token>",
    "${PLIVO_AUTH_TOKEN}",
    "{{token}}",
    "abc...xyz",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "todo",
    "none",
    "example",
    "placeholder",
]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_a_placeholder_is_no_secret(name: str, value: str) -> None:
    assert refusal({name: value}) == f"{name} is still a placeholder; put the real value there"


@pytest.mark.parametrize("name", SECRETS)
def test_an_empty_secret_is_refused_even_where_none_is_needed(name: str) -> None:
    assert f"{name} is set but empty" in refusal({name: "  "})
    for comma in (f"{TOKEN},", f",{TOKEN}", f"{TOKEN},,{NEW_TOKEN}"):
        assert f"{name} has an empty entry" in refusal({name: comma})


@pytest.mark.parametrize(("name", "shortest"), list(zip(SECRETS, (16, 16, 32, 16), strict=True)))
def test_a_secret_that_could_be_guessed_is_refused(name: str, shortest: int) -> None:
    assert f"has {shortest - 1} characters and needs {shortest}" in refusal({name: PEPPER[: shortest - 1]})
    assert Settings.read({**ENOUGH, name: PEPPER[:shortest]})
    assert "repeats a few characters" in refusal({name: "abcdefg" * 6})


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", [f"{TOKEN} {TOKEN}", f"{TOKEN}ü", f"{TOKEN}\x07", f"{TOKEN}\udcff"])
def test_a_secret_with_a_stray_character_is_refused(name: str, value: str) -> None:
    assert "has a space or a character outside of ASCII" in refusal({name: value})


def test_the_entry_at_fault_is_named_by_its_number() -> None:
    assert refusal({"PLIVO_AUTH_TOKEN": f"{TOKEN},changeme"}).startswith("entry 2 of PLIVO_AUTH_TOKEN is still a")


def test_more_than_four_tokens_or_urls_are_refused() -> None:
    four = ",".join(f"{TOKEN}{number}" for number in range(4))
    assert len(Settings.read({**ENOUGH, "PLIVO_AUTH_TOKEN": four}).tokens) == 4
    for name in ("PLIVO_AUTH_TOKEN", "PLIVO_MAIN_AUTH_TOKEN"):
        assert f"{name} has 5 entries and may have 4" in refusal({name: f"{four},{TOKEN}"})
    urls = ",".join(f"https://h{number}.example/" for number in range(5))
    assert "COLLECTOR_PUBLIC_URL has 5 entries and may have 4" in refusal({"COLLECTOR_PUBLIC_URL": urls})


def test_more_than_four_peppers_are_kept_because_none_can_ever_be_taken_away() -> None:
    peppers = ",".join(f"{PEPPER}{number}" for number in range(9))
    assert len(Settings.read({**ENOUGH, "COLLECTOR_PEPPER": peppers}).peppers) == 9


@pytest.mark.parametrize("name", [*SECRETS, "COLLECTOR_PUBLIC_URL"])
def test_the_same_entry_twice_is_refused(name: str) -> None:
    once = URL if name == "COLLECTOR_PUBLIC_URL" else TOKEN
    assert f"{name} has the same entry twice" in refusal({name: f"{once},{once}"})


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://h.example/a;b=1", "semicolon or a fragment"),
        ("https://h.example/a?b=1;c=2", "semicolon or a fragment"),
        ("https://h.example/a#b", "semicolon or a fragment"),
        ("https://h.example/a#", "semicolon or a fragment"),
        ("ftp://h.example/a", "does not begin with https:// or http://"),
        ("HTTPS://h.example/a", "does not begin with https:// or http://"),
        ("h.example/a", "does not begin with https:// or http://"),
        ("//h.example/a", "does not begin with https:// or http://"),
        ("https://<yourdomain>.com/a", "still has a placeholder in it"),
        ("https://h.example/a b", "a character that no URL has"),
        ("https://h.example/ü", "a character that no URL has"),
        ("https://h.example/a\x07", "a character that no URL has"),
        ("https://http://h.example/a", "begins with two schemes"),
        ("https://http//h.example/a", "begins with two schemes"),
        ("https://", "no host or no valid port"),
        ("https:///a", "no host or no valid port"),
        ("https://h.example:port/a", "no host or no valid port"),
        ("https://h.example:99999/a", "no host or no valid port"),
        ("https://h.example:0/a", "no host or no valid port"),
        ("https://[::1/a", "no host or no valid port"),
        ("https://user:word@h.example/a", "a user or a password before the host"),
        ("https://h.example/a,/b", "entry 2 of COLLECTOR_PUBLIC_URL does not begin"),
    ],
)
def test_a_url_whose_signature_nobody_could_foresee_is_refused(url: str, sentence: str) -> None:
    assert sentence in refusal({"COLLECTOR_PUBLIC_URL": url})


def test_a_url_that_continues_another_like_a_nonce_would_is_refused() -> None:
    assert "is the beginning of another" in refusal({"COLLECTOR_PUBLIC_URL": f"{URL},{URL}2"})
    assert Settings.read({**ENOUGH, "COLLECTOR_PUBLIC_URL": f"{URL},{URL}/"}).paths == ("/hook/3kQ9", "/hook/3kQ9/")


@pytest.mark.parametrize("path", ["/verifications", "/healthz", "/readyz", "/metrics", "/metrics/"])
def test_the_collectors_own_paths_are_not_given_away(path: str) -> None:
    own = path.rstrip("/")
    assert f"cannot arrive under {own}," in refusal({"COLLECTOR_PUBLIC_URL": f"https://h.example{path}?a=b"})
    assert f"cannot arrive under {own}," in refusal({"COLLECTOR_PATH": path})
    assert Settings.read({**ENOUGH, "COLLECTOR_PUBLIC_URL": f"https://h.example{path}", "COLLECTOR_PATH": "/x"})


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        ("", "is set but empty"),
        ("/a,/b", "has 2 entries for 1 public URLs; give one path for each, in the same order"),
        ("hook", "is not a path"),
        ("/hook?a=b", "is not a path"),
        ("/ho ok", "is not a path"),
        ("https://h.example/hook", "is not a path"),
    ],
)
def test_paths_go_with_the_urls_one_by_one(paths: str, sentence: str) -> None:
    assert sentence in refusal({"COLLECTOR_PATH": paths})


def test_two_urls_may_be_given_one_path() -> None:
    urls = {"COLLECTOR_PUBLIC_URL": f"{URL},https://former.example/callbacks", "COLLECTOR_PATH": "/hook,/hook"}
    assert Settings.read({**ENOUGH, **urls}).paths == ("/hook", "/hook")


def test_a_path_without_any_url_is_refused() -> None:
    with pytest.raises(CollectorError, match="COLLECTOR_PATH has 1 entries for 0 public URLs"):
        Settings.read({"COLLECTOR_PATH": "/hook"}, require="store")


@pytest.mark.parametrize("name", ["COLLECTOR_PORT", "COLLECTOR_METRICS_PORT"])
@pytest.mark.parametrize("value", ["-1", "65536", "8080.0", "0x50", "eighty", "٨٠", "8 0", "100000000000000000000"])
def test_what_is_no_port_is_refused(name: str, value: str) -> None:
    assert refusal({name: value}) == f"{name} is no port: give a whole number up to 65535"


def test_the_variable_kubernetes_sets_for_a_service_named_collector_is_recognised() -> None:
    assert "enableServiceLinks: false" in refusal({"COLLECTOR_PORT": "tcp://10.0.0.1:8080"})


def test_metrics_have_a_port_of_their_own() -> None:
    assert "metrics need a port of their own" in refusal({"COLLECTOR_METRICS_PORT": "8080"})
    assert Settings.read({**ENOUGH, "COLLECTOR_PORT": "0", "COLLECTOR_METRICS_PORT": "0"}).metrics_port == 0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("COLLECTOR_V3", ["Require", "yes", "true"]),
        ("COLLECTOR_HOST", ["a b", "http://h", "h/a"]),
        ("COLLECTOR_ARCHIVE", ["/srv/\0archive", "/srv/a\n/srv/b"]),
        ("COLLECTOR_DATABASE_URL", ["callbacks.db", "sqlite://", "sqlite:///:memory:", "sqlite:///", "mysql://h/db"]),
    ],
)
def test_other_settings_must_be_one_of_what_there_is(name: str, values: list[str]) -> None:
    for value in values:
        assert refusal({name: value}).startswith(f"{name} is n")
