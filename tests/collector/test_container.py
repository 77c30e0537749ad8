"""The container file: linted, from files that are here, and what it runs runs; it cannot be built without an engine."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.collector.conftest import PEPPER, TOKEN, URL, CollectorProcess, clean_environment

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "container"
TEXT = (FOLDER / "Containerfile").read_text().replace("\\\n", " ")
STAGES = TEXT.split("\nFROM ")


def test_the_linter_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("no hadolint here; it comes with the dev packages")
    linted = subprocess.run(
        [hadolint, "--no-color", FOLDER / "Containerfile"], capture_output=True, text=True, check=False
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_what_it_copies_is_there_and_is_the_collector_alone(root: Path) -> None:
    copied = [line.split()[1] for line in re.findall(r"^(COPY [^-].*)$", TEXT, re.MULTILINE)]
    assert copied == ["requirements-collector.lock", "collector"]
    assert all((root / name).exists() for name in copied)
    assert "--require-hashes" in STAGES[-2]


def test_it_is_nobody_in_particular_and_ends_as_serve_does() -> None:
    last = STAGES[-1]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^STOPSIGNAL (.*)$", last, re.MULTILINE) == ["SIGTERM"]
    assert re.findall(r"^VOLUME (.*)$", last, re.MULTILINE) == ['["/var/lib/collector"]']
    # Everything that needs more comes before.
    assert "RUN" not in last[last.index("USER") :]


def words_of(instruction: str) -> list[str]:
    (found,) = re.findall(rf"^{instruction}.*?(\[.*\])$", STAGES[-1], re.MULTILINE)
    words: list[str] = json.loads(found)
    assert words[0] == "/opt/collector/bin/python"
    return [sys.executable, *words[1:]]


def test_its_health_check_tells_a_collector_that_is_ready_from_one_that_is_not(
    make_collector: Callable[..., CollectorProcess],
) -> None:
    collector = make_collector().start()
    environ = clean_environment() | {"COLLECTOR_PORT": str(collector.port)}

    def check() -> int:
        return subprocess.run(
            words_of("HEALTHCHECK"), env=environ, stderr=subprocess.DEVNULL, check=False, timeout=60
        ).returncode

    assert check() == 0
    collector.end()
    assert check() != 0


def test_its_entry_point_serves_from_a_copy_of_the_folder_with_settings_from_the_environment(
    root: Path, tmp_path: Path
) -> None:
    shutil.copytree(root / "collector", tmp_path / "program" / "collector")
    files = {"PLIVO_AUTH_TOKEN": TOKEN, "COLLECTOR_PEPPER": PEPPER}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path / "program"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLLECTOR_HOST": "127.0.0.1",
        "COLLECTOR_PORT": "0",
        "COLLECTOR_PUBLIC_URL": URL,
        "COLLECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/store/callbacks.db",
        **{f"{name}_FILE": str(tmp_path / name) for name in files},
    }
    (default,) = re.findall(r"^CMD (.*)$", STAGES[-1], re.MULTILINE)
    process = subprocess.Popen(
        [*words_of("ENTRYPOINT"), *json.loads(default)], env=environ, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = [json.loads(process.stderr.readline())]
        assert said[0]["event"] == "serving"
        with urllib.request.urlopen(f"http://127.0.0.1:{said[0]['port']}/readyz", timeout=10) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        _, rest = process.communicate(timeout=30)
    assert process.returncode == 0, rest


def test_the_example_gives_it_nothing_it_does_not_need() -> None:
    made = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    service = made["services"]["collector"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert set(service["secrets"]) == set(made["secrets"])
    named = {Path(value).name for key, value in service["environment"].items() if key.endswith("_FILE")}
    assert named == set(made["secrets"])
