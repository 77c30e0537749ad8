"""The one file that sets everything up: its verbs, and when it may skip the set-up."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load run.py with an environment of its own, so that nothing real is touched."""
    spec = importlib.util.spec_from_file_location("run_under_test", root / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(module, "VENV", venv)
    monkeypatch.setattr(module, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(module, "STAMP", venv / "set-up.json")
    monkeypatch.setattr(module, "CLUSTER_STAMP", venv / "cluster.json")
    return module


@pytest.fixture
def asked(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Note the commands that would be called; all of them succeed."""
    noted: list[list[str]] = []

    def remember(command: list[str | Path], **_: object) -> int:
        noted.append([str(word) for word in command])
        return 0

    monkeypatch.setattr(run, "call", remember)
    monkeypatch.setattr(run, "uv_environment", dict)
    return noted


def stamp(run: ModuleType, lock: str, digest: str | None = None) -> None:
    run.STAMP.write_text(json.dumps({"lock": lock, "digest": digest or run.digest(lock)}))


def test_an_environment_with_the_tests_in_it_serves_the_demo_too(run: ModuleType) -> None:
    stamp(run, "dev")
    assert run.is_ready("base")
    assert run.is_ready("dev")


def test_an_environment_for_the_demo_does_not_serve_the_tests(run: ModuleType) -> None:
    stamp(run, "base")
    assert run.is_ready("base")
    assert not run.is_ready("dev")


def test_a_changed_lock_asks_for_a_new_set_up(run: ModuleType) -> None:
    stamp(run, "dev", "of another lock")
    assert not run.is_ready("dev")


@pytest.mark.parametrize("text", ["", "not json", "[]"])
def test_a_broken_stamp_asks_for_a_new_set_up(run: ModuleType, text: str) -> None:
    run.STAMP.write_text(text)
    assert not run.is_ready("base")


def test_an_environment_whose_python_has_gone_is_set_up_anew(run: ModuleType) -> None:
    stamp(run, "dev")
    run.PYTHON.unlink()
    assert not run.is_ready("dev")


def test_pip_takes_over_where_uv_cannot_be_had(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def remember(command: list[str | Path], **_: object) -> int:
        calls.append([str(word) for word in command])
        return 0

    monkeypatch.setattr(run, "call", remember)
    run.install("base")  # fetching uv "succeeds" without leaving one behind
    assert ["--require-hashes", "-r", str(run.LOCKS["base"])] == calls[1][-3:]
    assert calls[1][1:3] == ["-m", "pip"]
    assert "-e" in calls[2]


def test_the_tests_may_write_bytecode_whatever_the_machine_says(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, str] | None] = []

    def remember(_: list[str | Path], env: dict[str, str] | None = None) -> int:
        given.append(env)
        return 0

    monkeypatch.setattr(run, "call", remember)
    for step in ("set_up", "add_cluster", "add_debian_packages"):
        monkeypatch.setattr(run, step, lambda *_: None)
    run.test(["tests/house"])
    # Python takes an empty word for none.
    assert given == [{"PYTHONDONTWRITEBYTECODE": ""}]


@pytest.mark.parametrize("has_uv", [True, False])
def test_what_is_installed_is_compiled_whoever_installs_it(
    run: ModuleType, asked: list[list[str]], has_uv: bool
) -> None:
    if has_uv:
        (run.VENV / "bin" / "uv").touch()
    run.install("dev")
    run.add_cluster()
    locks = {str(run.LOCKS["dev"]), str(run.CLUSTER_LOCK)}
    installing = [words for words in asked if locks & set(words)]
    assert len(installing) == 2
    # pip compiles unless it is told not to, uv does not unless it is told to.
    assert all(("--compile-bytecode" in words) == has_uv and "--no-compile" not in words for words in installing)


def test_spark_is_added_once_and_again_after_another_set_up(
    run: ModuleType, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (run.VENV / "bin" / "uv").touch()
    # The tests' own Python has no pip, which is asked before a set-up.
    monkeypatch.setattr(run.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))
    for _ in range(2):
        run.add_cluster()
    assert len(asked) == 1
    assert {"--require-hashes", str(run.CLUSTER_LOCK)} <= set(asked[0])
    run.set_up("dev")
    assert not run.CLUSTER_STAMP.exists()


def test_without_spark_the_tests_go_on(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "call", lambda *_, **__: 1)
    run.add_cluster()
    assert not run.CLUSTER_STAMP.exists()
    assert "the tests that need a cluster are skipped aloud" in capsys.readouterr().out


@pytest.mark.parametrize(("uid", "is_installed"), [(0, True), (1000, False)])
def test_debians_servers_are_installed_for_the_tests_by_root_alone_and_none_is_started(
    run: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    uid: int,
    is_installed: bool,
) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def remember(command: list[str], *, quiet: bool = False, env: dict[str, str] | None = None) -> int:
        calls.append((command, env or {}))
        return 0

    monkeypatch.setattr(run, "call", remember)
    monkeypatch.setattr(run, "has", lambda command: command not in {"nginx", "promtool"})
    monkeypatch.setattr(run.os, "geteuid", lambda: uid)
    run.add_debian_packages()
    assert "nginx-light, prometheus" in capsys.readouterr().out
    assert [command[:2] for command, _ in calls] == ([["apt-get", "update"], ["apt-get", "install"]] * is_installed)
    if is_installed:
        assert calls[1][0][-2:] == ["nginx-light", "prometheus"]
        assert calls[1][1]["RUNLEVEL"] == "1"


def test_where_all_of_debians_servers_are_nothing_is_asked_for(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "has", lambda command: True)
    monkeypatch.setattr(run, "call", lambda *_, **__: pytest.fail("nothing is missing"))
    run.add_debian_packages()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["frob"], []])
def test_an_unknown_verb_prints_the_verbs(words: list[str], root: Path) -> None:
    done = subprocess.run([sys.executable, root / "run.py", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(verb in done.stderr for verb in ("setup", "demo", "test", "lab", "bench", "lint"))
    assert "Traceback" not in done.stderr
