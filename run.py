#!/usr/bin/env python3
"""Set everything up on a fresh machine, then do one thing: ``python3 run.py demo`` or ``python3 run.py test``.

Needs Python 3.11 to 3.13 with pip and nothing else: no uv, no make, no python3-venv. This file uses the standard
library alone. Packages come from a lock file with hashes; when nothing has changed the set-up costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "set-up.json"
CLUSTER_STAMP = VENV / "cluster.json"
CLUSTER_LOCK = ROOT / "requirements-cluster.lock"
UV_LOCK = ROOT / "requirements-uv.lock"
LOCKS = {"base": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}
# Where Python is told to write no bytecode, as containers often tell it, each command would compile all packages anew,
# which takes seconds. pip compiles what it installs; uv must be asked.
COMPILED = "--compile-bytecode"
# What the tests start that no Python package brings: Debian's package, and the command by which it is recognised.
DEBIAN = {
    "chromium": "chromium",
    "nginx-light": "nginx",
    "openssl": "openssl",
    "prometheus": "promtool",
    "strace": "strace",
    "systemd": "systemd-analyze",
}
# The dev lock holds everything of the base lock, so an environment made from it serves both.
ACCEPTED = {"base": ("base", "dev"), "dev": ("dev",)}


class StopError(Exception):
    """The work cannot go on; the message is one sentence for the person at the keyboard."""


def say(text: str) -> None:
    """Print one step, at once."""
    print(f"run.py: {text}", flush=True)


def call(command: list[str | Path], *, quiet: bool = False, env: dict[str, str] | None = None) -> int:
    """Run a command in the project folder; `quiet` keeps its output for the case that it fails."""
    child: subprocess.Popen[bytes] = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL if quiet else None,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    try:
        said, _ = child.communicate()
    except BaseException:
        # The child may have its own cleaning up to do (the demo stops a server): ask, then wait, then insist.
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
        raise
    if quiet and child.returncode:
        print(said.decode(errors="replace"), file=sys.stderr, flush=True)
    return child.returncode


# --- set-up -----------------------------------------------------------------------------------------------------------


def digest(lock: str) -> str:
    """Say in one word what an environment made from this lock, in this folder, is made of."""
    parts = [LOCKS[lock].read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_ready(lock: str) -> bool:
    """Say whether `.venv` already holds what this lock asks for."""
    try:
        stamp = json.loads(STAMP.read_text())
        return any(stamp == {"lock": name, "digest": digest(name)} for name in ACCEPTED[lock]) and PYTHON.exists()
    except (OSError, ValueError):
        return False


def make_venv() -> None:
    """Make `.venv` without pip in it, so that Debian's Python needs no python3-venv; a broken one is made anew."""
    if PYTHON.exists() and call([PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], quiet=True) == 0:
        return
    say("making .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    if call([sys.executable, "-m", "venv", "--without-pip", VENV], quiet=True):
        raise StopError(f"{sys.executable} could not make a virtual environment in {VENV}; the reason is above.")


def pip(*words: str | Path) -> list[str | Path]:
    """Use the pip of the Python that runs this file to install into `.venv`."""
    return [sys.executable, "-m", "pip", "--python", PYTHON, "--disable-pip-version-check", *words]


def uv_environment() -> dict[str, str]:
    """Hand pip's own settings for the index and the certificates to uv, which does not read pip's files."""
    found: dict[str, str] = {}
    for setting, variable in (("global.index-url", "UV_DEFAULT_INDEX"), ("global.cert", "SSL_CERT_FILE")):
        if variable in os.environ:
            continue
        command = [sys.executable, "-m", "pip", "config", "get", setting]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode == 0 and asked.stdout.strip():
            found[variable] = asked.stdout.strip()
    return found


def install(lock: str) -> None:
    """Install the lock and then the project itself, with uv when it can be had, else with pip from the same lock."""
    requirements = LOCKS[lock]
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        say("fetching uv, a fast installer")
        call(pip("install", "--quiet", "--require-hashes", "-r", UV_LOCK), quiet=True)
    if uv.exists():
        say(f"installing {requirements.name} with uv")
        env = uv_environment()
        target: list[str | Path] = ["--python", PYTHON]
        words: list[str | Path] = ["--quiet", COMPILED, *target, "--require-hashes", requirements]
        synced = call([uv, "pip", "sync", *words], quiet=True, env=env)
        # uv carries the build backend, so the project itself installs offline.
        itself: list[str | Path] = ["install", "--quiet", "--offline", "--no-deps", "-e", ROOT]
        if synced == 0 and call([uv, "pip", *itself[:1], *target, *itself[1:]], quiet=True, env=env) == 0:
            return
        say("uv did not succeed")
    say(f"installing {requirements.name} with pip (slower)")
    if call(pip("install", "--require-hashes", "-r", requirements)):
        raise StopError(f"the packages of {requirements.name} could not be installed; see pip's own words above.")
    if call(pip("install", "--quiet", "--no-deps", "-e", ROOT)):
        raise StopError("the project itself could not be installed into .venv; see pip's own words above.")


def set_up(lock: str) -> None:
    """Bring `.venv` to what the lock says; costs nothing when it is already there."""
    if is_ready(lock):
        return
    started = time.monotonic()
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        hint = "on Debian: apt-get install python3-pip"
        raise StopError(f"{sys.executable} has no pip; install it ({hint}) and try again.")
    make_venv()
    STAMP.unlink(missing_ok=True)
    # What is not in this lock goes.
    CLUSTER_STAMP.unlink(missing_ok=True)
    install(lock)
    STAMP.write_text(json.dumps({"lock": lock, "digest": digest(lock)}))
    say(f"ready in {time.monotonic() - started:.0f} s")


def add_cluster() -> None:
    """Add Apache Spark, and a Java for it, to `.venv`; without them the tests that need a cluster say so."""
    digest = hashlib.sha256(CLUSTER_LOCK.read_bytes()).hexdigest()
    try:
        if json.loads(CLUSTER_STAMP.read_text()) == digest:
            return
    except (OSError, ValueError):
        pass
    say(f"installing {CLUSTER_LOCK.name}, for the tests: Spark comes as its source, which takes a minute")
    # Nothing is removed: the versions of what both locks hold are the same, which a test sees to.
    words: list[str | Path] = ["--quiet", "--require-hashes", "-r", CLUSTER_LOCK]
    uv = VENV / "bin" / "uv"
    with_uv: list[str | Path] = [uv, "pip", "install", COMPILED, "--python", PYTHON, *words]
    if (not uv.exists() or call(with_uv, env=uv_environment())) and call(pip("install", *words), quiet=True):
        say("Spark could not be installed; the tests that need a cluster are skipped aloud")
        return
    CLUSTER_STAMP.write_text(json.dumps(digest))


def has(command: str) -> bool:
    """Say whether a command is there; an administrator's commands are, wherever `PATH` ends."""
    return shutil.which(command, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])) is not None


def add_debian_packages() -> None:
    """Install the servers and tools that the tests start, where this is Debian and we may; else those tests say so."""
    missing = [package for package, command in DEBIAN.items() if not has(command)]
    if not missing:
        return
    if not has("apt-get") or os.geteuid() != 0:
        say(f"not here, and only root may install: {', '.join(missing)}; the tests that need one are skipped aloud")
        return
    say(f"installing from Debian, for the tests: {', '.join(missing)}")
    # Run level 1 keeps the packages from starting their services: the tests start what they need themselves.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install: list[str | Path] = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing]
    if call(["apt-get", "update", "--quiet"], quiet=True) or call(install, quiet=True, env=quiet):
        say("Debian's packages could not be installed; the tests that need one are skipped aloud")


# --- verbs ------------------------------------------------------------------------------------------------------------


def setup(_: list[str]) -> int:
    """Set up `.venv` for the demo and the notebooks."""
    set_up("base")
    say("set up; next: python3 run.py demo")
    return 0


def demo(rest: list[str]) -> int:
    """Show the whole road: collector, signed traffic, report."""
    set_up("base")
    return call([VENV / "bin" / "verify-analytics", "demo", *rest])


def static_checks() -> int:
    """Run what reads the code without running it."""
    commands: list[list[str | Path]] = [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]]
    for command in commands:
        say(" ".join(str(word) for word in command))
        if status := call([PYTHON, "-m", *command]):
            return status
    return 0


def lint(_: list[str]) -> int:
    """Run ruff, mypy and the house rules."""
    set_up("dev")
    return static_checks() or call([PYTHON, "-m", "pytest", "-q", "tests/house"])


def test(rest: list[str]) -> int:
    """Pass lint, types, house rules, tests, doctests, notebooks and documents; `--full` adds the long runs."""
    set_up("dev")
    add_cluster()
    add_debian_packages()
    chosen = [word for word in rest if word != "--full"]
    if not chosen and (status := static_checks()):
        return status
    say("tests" + (", the long fault and load runs too" if "--full" in rest else ""))
    workers = [] if chosen else ["-n", "2", "--dist", "loadfile"]
    # The tests start many processes; whatever the machine says, the project's own modules are compiled once.
    return call([PYTHON, "-m", "pytest", *workers, *rest], env={"PYTHONDONTWRITEBYTECODE": ""})


def quiet_lab() -> None:
    """Keep JupyterLab from asking its makers for news and updates, and from popping up anything."""
    settings = VENV / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (settings / "overrides.json").write_text(json.dumps({"@jupyterlab/apputils-extension:notification": quiet}))


def lab_command(root: Path, rest: list[str]) -> list[str | Path]:
    """Write the command that opens JupyterLab on the notebooks below a folder, on loopback and asking nobody else."""
    # Jupyter refuses to serve root unless told that this is meant.
    user = ["--allow-root"] if os.geteuid() == 0 else []
    # The manager of extensions would list what a registry has.
    alone = ["--ip=127.0.0.1", "--LabApp.extension_manager=readonly"]
    first = root / "notebooks" / "01-first-look.ipynb"
    return [VENV / "bin" / "jupyter-lab", *user, *alone, "--notebook-dir", root, first, *rest]


def lab(rest: list[str]) -> int:
    """Open JupyterLab on the notebooks."""
    set_up("base")
    quiet_lab()
    return call(lab_command(ROOT, rest))


def bench(rest: list[str]) -> int:
    """Run the benchmarks, or the named ones (then their options); each prints ratios measured within its own run."""
    set_up("dev")
    there = sorted(path.stem for path in (ROOT / "bench").glob("[!_]*.py"))
    options_from = next((place for place, word in enumerate(rest) if word.startswith("-")), len(rest))
    names, options = [name.removesuffix(".py") for name in rest[:options_from]] or there, rest[options_from:]
    for name in names:
        if name not in there:
            raise StopError(f"there is no benchmark {name!r}; there are: {', '.join(there)}.")
        say(f"bench/{name}.py")
        if status := call([PYTHON, "-m", f"bench.{name}", *options]):
            return status
    return 0


VERBS = {verb.__name__: verb for verb in (setup, demo, test, lab, bench, lint)}


def usage() -> str:
    """List the verbs with what each does."""
    lines = [f"  {name:<6} {(verb.__doc__ or '').splitlines()[0]}" for name, verb in VERBS.items()]
    return "\n".join(["python3 run.py VERB", *lines])


def main(words: list[str]) -> int:
    """Do what the first word says."""
    verb, rest = (words[0], words[1:]) if words else ("", [])
    if verb in {"-h", "--help"}:
        print(usage())
        return 0
    if verb not in VERBS:
        print(f"{usage()}\n\nrun.py: {f'unknown verb {verb!r}' if verb else 'name a verb'}", file=sys.stderr)
        return 2
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        print(f"run.py: this is Python {sys.version.split()[0]}; 3.11, 3.12 or 3.13 is needed.", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return VERBS[verb](rest)
    except StopError as reason:
        print(f"run.py: {reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("run.py: interrupted; it may be run again.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
