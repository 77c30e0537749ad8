"""How this collector is set up, and whether it may start like that.

The one reader of the environment. Whatever could make the collector accept what it should not, or lose what it should
keep, is refused here, before a port is opened, in a sentence that says what to change and never repeats a secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from collector import envfile, values
from collector.errors import CollectorError
from collector.values import MOST_TOKENS, SHORTEST_PEPPER, SHORTEST_SECRET, V3

DEFAULT_DATABASE_URL = "sqlite:///data/callbacks.db"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PATH = "/callbacks/plivo"
DEFAULT_PORT = 8080
Purpose = Literal["serve", "replay", "store", "place", "keys"]

# Setting → field. Each is also read as NAME_FILE, naming a file that holds the value.
NAMES = {
    "PLIVO_AUTH_TOKEN": "tokens",
    "PLIVO_MAIN_AUTH_TOKEN": "main_tokens",
    "COLLECTOR_PUBLIC_URL": "public_urls",
    "COLLECTOR_PATH": "paths",
    "COLLECTOR_DATABASE_URL": "database_url",
    "COLLECTOR_ARCHIVE": "archive",
    "COLLECTOR_HOST": "host",
    "COLLECTOR_PORT": "port",
    "COLLECTOR_METRICS_PORT": "metrics_port",
    "COLLECTOR_PEPPER": "peppers",
    "COLLECTOR_V3": "v3",
    "COLLECTOR_VERIFICATION_SECRET": "verification_secrets",
}
_REQUIRED = {
    "serve": ("PLIVO_AUTH_TOKEN", "COLLECTOR_PUBLIC_URL", "COLLECTOR_PEPPER"),
    "replay": ("PLIVO_AUTH_TOKEN", "COLLECTOR_PUBLIC_URL", "COLLECTOR_PEPPER"),
    "store": (),
    "place": (),
    "keys": ("COLLECTOR_PEPPER",),
}
# Who works on what is stored needs no token, and often may not read the file that holds it.
_ASKED_FOR = {
    "place": {"COLLECTOR_DATABASE_URL", "COLLECTOR_ARCHIVE"},
    "keys": {"COLLECTOR_DATABASE_URL", "COLLECTOR_ARCHIVE", "COLLECTOR_PEPPER"},
}
_WHAT = {
    "PLIVO_AUTH_TOKEN": "the Auth Token of your Plivo account, without which no callback can be told from a forged one",
    "COLLECTOR_PUBLIC_URL": "the URL Plivo was given, because every signature covers it",
    "COLLECTOR_ARCHIVE": "a folder for closed days, which `erase`, `prune` and `status` then look into as well",
    "COLLECTOR_PEPPER": "a secret of your own, under which phone numbers become keys; `collector init` makes one",
}


@dataclass(frozen=True, repr=False)
class Settings:
    """Everything a collector is told, checked. Printing one shows no secret.

    Parameters
    ----------
    tokens, main_tokens
        Plivo's Auth Tokens for the plain and for the ``Ma-`` signatures, oldest first.
    public_urls, paths
        The URLs Plivo was given, and for each, in the same order, the path its requests arrive under.
    database_url, host, port, metrics_port
        Where rows go and where to listen; no metrics port means no metrics over HTTP, port 0 any free port.
    archive
        The folder for closed days as Parquet; None means that every day stays in the store.
    peppers
        Secrets that make keys of numbers, oldest first: the last one keys recipients.
    v3
        What becomes of a request whose V2 signature is genuine and whose V3 signature is not, or is missing.
    verification_secrets
        What applications sign their reports with; none means that no report is taken.
    """

    tokens: tuple[str, ...] = ()
    main_tokens: tuple[str, ...] = ()
    public_urls: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    database_url: str = DEFAULT_DATABASE_URL
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    metrics_port: int | None = None
    archive: Path | None = None
    peppers: tuple[bytes, ...] = ()
    v3: V3 = "ignore"
    verification_secrets: tuple[bytes, ...] = ()

    @classmethod
    def read(
        cls, environ: Mapping[str, str] | None = None, env_file: Path | None = None, require: Purpose = "serve"
    ) -> Settings:
        """Read the settings from the environment and an env file; the environment wins.

        Parameters
        ----------
        environ
            By default the environment of this process.
        env_file
            Lines ``NAME=value`` or ``NAME_FILE=path``, where a relative path starts at the file's own folder.
        require
            What they are for: ``serve`` and ``replay`` need a token, a URL and a pepper, ``store`` needs none of them.
            ``place`` reads where the store and its archive are and nothing else, ``keys`` the peppers too.

        Raises
        ------
        CollectorError
            A setting is missing, or cannot be meant, or would be unsafe.
        """
        given = _gather(os.environ if environ is None else environ, env_file, _ASKED_FOR.get(require))
        public_urls = values.urls(*given("COLLECTOR_PUBLIC_URL"))
        peppers = values.secrets(*given("COLLECTOR_PEPPER"), shortest=SHORTEST_PEPPER)
        secrets = values.secrets(*given("COLLECTOR_VERIFICATION_SECRET"), shortest=SHORTEST_SECRET)
        port = values.port(*given("COLLECTOR_PORT"))
        settings = cls(
            tokens=values.secrets(*given("PLIVO_AUTH_TOKEN"), shortest=SHORTEST_SECRET, most=MOST_TOKENS),
            main_tokens=values.secrets(*given("PLIVO_MAIN_AUTH_TOKEN"), shortest=SHORTEST_SECRET, most=MOST_TOKENS),
            public_urls=public_urls,
            paths=values.paths(*given("COLLECTOR_PATH"), public_urls),
            database_url=values.database_url(*given("COLLECTOR_DATABASE_URL"), DEFAULT_DATABASE_URL),
            archive=values.folder(*given("COLLECTOR_ARCHIVE")),
            host=values.host(*given("COLLECTOR_HOST"), DEFAULT_HOST),
            port=DEFAULT_PORT if port is None else port,
            metrics_port=values.port(*given("COLLECTOR_METRICS_PORT")),
            peppers=tuple(pepper.encode() for pepper in peppers),
            v3=values.v3(*given("COLLECTOR_V3")),
            verification_secrets=tuple(secret.encode() for secret in secrets),
        )
        if settings.port and settings.port == settings.metrics_port:
            raise CollectorError(
                "COLLECTOR_METRICS_PORT is the same as COLLECTOR_PORT; metrics need a port of their own"
            )
        settings.need(*_REQUIRED[require])
        return settings

    def need(self, *names: str) -> None:
        """Refuse to go on without these settings.

        Raises
        ------
        CollectorError
            Naming the first that is missing, what it is, and how to give it.
        """
        for name in names:
            # A main account's token alone can prove a request, by the Ma- headers.
            if not (getattr(self, NAMES[name]) or (name == "PLIVO_AUTH_TOKEN" and self.main_tokens)):
                raise CollectorError(f"{name} is not set: give {_WHAT[name]} (or {name}_FILE, a file that holds it)")

    def __repr__(self) -> str:
        # Paths hold a random segment that is worth keeping to oneself; a database URL may hold a password.
        origins = ", ".join("://".join(urlsplit(url)[:2]) for url in self.public_urls)
        return (
            f"Settings({len(self.tokens)} tokens, {len(self.main_tokens)} main tokens, URLs at [{origins}], "
            f"{self.database_url.partition(':')[0]} database, host {self.host!r}, port {self.port}, "
            f"metrics port {self.metrics_port}, {len(self.peppers)} peppers, v3 {self.v3!r}, "
            f"{len(self.verification_secrets)} verification secrets)"
        )


def listen_fds(environ: Mapping[str, str] | None = None, pid: int | None = None) -> int:
    """Count the sockets that systemd opened for this process: they are the file descriptors from 3 on.

    Returns
    -------
    int
        0 when there are none, or when they are meant for another process.
    """
    given = os.environ if environ is None else environ
    count, owner = given.get("LISTEN_FDS", ""), given.get("LISTEN_PID", "")
    if owner != str(os.getpid() if pid is None else pid) or not (count.isascii() and count.isdigit()):
        return 0
    return int(count)


def service_manager(
    environ: Mapping[str, str] | None = None, pid: int | None = None
) -> tuple[str | None, float | None]:
    """Find where systemd wants to be told how this process does, and within how many seconds again and again."""
    given = os.environ if environ is None else environ
    microseconds, owner = given.get("WATCHDOG_USEC", ""), given.get("WATCHDOG_PID", "")
    is_watched = microseconds.isascii() and microseconds.isdigit() and int(microseconds) > 0
    is_watched &= owner in {"", str(os.getpid() if pid is None else pid)}
    return given.get("NOTIFY_SOCKET") or None, int(microseconds) / 1e6 if is_watched else None


def secret_files(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> dict[str, Path]:
    """Name the files that hold a secret: those that ``NAME_FILE`` names, and the env file itself."""
    given = os.environ if environ is None else environ
    lines = envfile.read(env_file, NAMES) if env_file is not None else {}
    found = {"the env file": env_file} if env_file is not None else {}
    for name in NAMES:
        for source, folder in ((given, Path()), (lines, env_file.parent if env_file is not None else Path())):
            if file := source.get(f"{name}_FILE", "").strip():
                found[name] = folder / file
            if file or name in source:
                break
    return found


def _gather(
    environ: Mapping[str, str], env_file: Path | None, asked_for: Collection[str] | None
) -> Callable[[str], tuple[str, str | None]]:
    """Collect what was given; asked for a setting, the result answers with its name and its text."""
    lines = envfile.read(env_file, NAMES) if env_file is not None else {}
    folder = env_file.parent if env_file is not None else Path()

    def given(name: str) -> tuple[str, str | None]:
        if asked_for is not None and name not in asked_for:
            return name, None
        text = _one_of(environ, name, Path())
        return name, _one_of(lines, name, folder) if text is None else text

    return given


def _one_of(source: Mapping[str, str], name: str, folder: Path) -> str | None:
    """Take a setting as itself or from the file it names, and never guess which of the two was meant."""
    text, file = source.get(name), source.get(f"{name}_FILE")
    if file is None:
        return None if text is None else text.strip()
    if text is not None:
        raise CollectorError(f"both {name} and {name}_FILE are given; take one of them out")
    if not file.strip():
        raise CollectorError(f"{name}_FILE is set but empty; give it the path of a file or take it out")
    place = folder / file.strip()
    found = envfile.text_of(place).strip()
    if not found:
        raise CollectorError(f"{name}_FILE names {place}, which is empty; put the value there, or take the setting out")
    return found
