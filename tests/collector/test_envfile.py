"""Where a setting comes from: the environment, an env file, or a file of its own."""

from pathlib import Path

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


def written(folder: Path, *lines: str) -> Path:
    path = folder / "collector.env"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_setting_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n{NEW_TOKEN}\n\n")
    (tmp_path / "port").write_text("\ufeff9000\r\n")
    given = {name: value for name, value in ENOUGH.items() if name != "PLIVO_AUTH_TOKEN"}
    given |= {"PLIVO_AUTH_TOKEN_FILE": str(tmp_path / "token"), "COLLECTOR_PORT_FILE": str(tmp_path / "port")}
    read = Settings.read(given)
    assert (read.tokens, read.port) == ((TOKEN, NEW_TOKEN), 9000)


def test_an_env_file_holds_comments_quotes_and_paths_from_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc" / "secrets").mkdir(parents=True)
    (tmp_path / "etc" / "secrets" / "pepper").write_text(PEPPER)
    env_file = written(
        tmp_path / "etc",
        "# made by collector init",
        "",
        f"  PLIVO_AUTH_TOKEN = '{TOKEN}'  ",
        f'export COLLECTOR_PUBLIC_URL="{URL}?a=b"',
        "COLLECTOR_PEPPER_FILE=secrets/pepper\r",
    )
    monkeypatch.chdir(tmp_path)
    for path in (env_file, Path("etc/collector.env")):
        read = Settings.read({}, path)
        assert (read.tokens, read.public_urls, read.peppers) == ((TOKEN,), (f"{URL}?a=b",), (PEPPER.encode(),))


def test_the_environment_wins_over_the_env_file_whichever_form_each_uses(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(NEW_TOKEN)
    env_file = written(tmp_path, *(f"{name}={value}" for name, value in ENOUGH.items()), "COLLECTOR_PORT=1")
    assert Settings.read({"COLLECTOR_PORT": "2"}, env_file).port == 2
    assert Settings.read({"PLIVO_AUTH_TOKEN_FILE": str(tmp_path / "token")}, env_file).tokens == (NEW_TOKEN,)


def test_a_setting_given_in_both_forms_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    assert "both PLIVO_AUTH_TOKEN and PLIVO_AUTH_TOKEN_FILE" in refusal({"PLIVO_AUTH_TOKEN_FILE": f"{tmp_path}/token"})
    lines = [*(f"{name}={value}" for name, value in ENOUGH.items()), "PLIVO_AUTH_TOKEN_FILE=token"]
    with pytest.raises(CollectorError, match="both PLIVO_AUTH_TOKEN and PLIVO_AUTH_TOKEN_FILE"):
        Settings.read({}, written(tmp_path, *lines))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such file or directory"),
        (b"\xff\xfe", "is not a text file in UTF-8"),
        (b"a\0b", "is not a text file in UTF-8"),
        (b"a" * 70_000, "is larger than 64 KB"),
        (b"", "which is empty; put the value there"),
        (b"\n \n", "which is empty; put the value there"),
    ],
)
def test_a_file_that_cannot_be_meant_is_named(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    given = {name: value for name, value in ENOUGH.items() if name != "COLLECTOR_PEPPER"}
    with pytest.raises(CollectorError, match=sentence):
        Settings.read({**given, "COLLECTOR_PEPPER_FILE": str(path)})


def test_a_folder_an_empty_name_and_a_name_that_is_none_are_no_files(tmp_path: Path) -> None:
    given = {name: value for name, value in ENOUGH.items() if name != "COLLECTOR_PEPPER"}
    for name, sentence in (
        (str(tmp_path), "is a directory"),
        (" ", "is set but empty"),
        ("a\0b", "no file name"),
    ):
        with pytest.raises(CollectorError, match=sentence):
            Settings.read({**given, "COLLECTOR_PEPPER_FILE": name})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "COLLECTOR_PUBLIC_URI=https://h",
            "line 2 .* sets COLLECTOR_PUBLIC_URI, .* did you mean COLLECTOR_PUBLIC_URL?",
        ),
        ("COLECTOR_PEPPER_FILE=a", "did you mean COLLECTOR_PEPPER_FILE?"),
        ("SOMETHING=else", "there are COLLECTOR_ARCHIVE, COLLECTOR_DATABASE_URL, .*, each also as NAME_FILE"),
        (TOKEN, "line 2 .* is not NAME=value"),
        (f"{TOKEN} = {TOKEN}", "which is no setting"),
        (f"a b={TOKEN}", "is not NAME=value"),
        ("COLLECTOR_PORT=2", "line 2 .* sets COLLECTOR_PORT a second time"),
    ],
)
def test_a_line_that_cannot_be_meant_is_named_by_its_number(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(CollectorError, match=sentence):
        Settings.read(ENOUGH, written(tmp_path, "COLLECTOR_PORT=1", line))


def test_an_env_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match=r"cannot read .*collector\.env: no such file"):
        Settings.read(ENOUGH, tmp_path / "collector.env")
