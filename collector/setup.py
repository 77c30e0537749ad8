"""Writes what a new collector needs to start: settings, and the secrets that only it knows."""

import os
import re
import secrets
from pathlib import Path
from typing import NamedTuple

from collector import values
from collector.errors import CollectorError

# Labels of letters, digits and hyphens, or an address of IPv6 in brackets; what is not ASCII comes as xn--.
_HOST = re.compile(
    r"(?=.{1,253}$)[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?(?:\.[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?)*"
    r"|\[[0-9A-Fa-f:.]+\]"
)
UNKNOWN_HOST = "<your-host>"


class Setup(NamedTuple):
    """What was written, and what a person has to know of it."""

    env_file: Path
    url: str
    path: str
    token_file: Path


def write(env_file: Path, public_host: str | None = None, database_url: str | None = None) -> Setup:
    """Write an env file and a folder of secrets beside it, readable by their owner alone.

    Parameters
    ----------
    env_file
        Where the settings go; the store and the secrets go into its folder.
    public_host
        The host name under which the provider reaches this collector; left to be filled in where it is not known.
    database_url
        Where the store goes; beside the env file, if not said.

    Raises
    ------
    CollectorError
        If the host is none, or one of the files is there already: nothing is overwritten, and nothing is written.
    """
    if public_host is not None:
        _check_host(public_host)
    env_file = env_file.absolute()
    folder = env_file.parent
    beside = f"sqlite:///{folder / 'data' / 'callbacks.db'}"
    store = values.database_url("--database-url", database_url, beside)
    # A path that cannot be guessed keeps passers-by out, and the older signature covers it.
    path = f"/callbacks/plivo/{secrets.token_hex(12)}"
    url = f"https://{public_host or UNKNOWN_HOST}{path}"
    token_file = folder / "secrets" / "plivo_auth_token"
    files = {
        token_file: "",
        folder / "secrets" / "pepper": f"{secrets.token_hex(32)}\n",
        folder / "secrets" / "verification_secret": f"{secrets.token_hex(32)}\n",
        env_file: _settings(url, store),
    }
    if there := [str(file) for file in files if file.exists()]:
        raise CollectorError(f"{there[0]} is there already, and init overwrites nothing: move it away first")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        token_file.parent.mkdir(mode=0o700, exist_ok=True)
        for file, text in files.items():
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(descriptor)
    except OSError as error:
        raise CollectorError(f"{error.filename} cannot be written: {error.strerror}") from None
    return Setup(env_file, url, path, token_file)


def next_steps(setup: Setup) -> str:
    """Say what is left to do, in the order in which it is done."""
    fill = f"  0. Write the collector's host name instead of {UNKNOWN_HOST} into {setup.env_file}.\n"
    return f"""Written, readable by you alone: {setup.env_file} and {setup.token_file.parent}{os.sep}

{fill if UNKNOWN_HOST in setup.url else ""}\
  1. Put your Plivo Auth Token (console, Overview) into {setup.token_file}.
  2. Start it: collector serve --env-file {setup.env_file}
  3. Let a proxy with TLS hand this one path on, raw and with its query, and log no query; for nginx:
       location = {setup.path} {{
         proxy_pass http://127.0.0.1:8080;
         client_max_body_size 64k;
         client_body_timeout 10s;
         access_log off;
         error_log /dev/null;  # nginx writes the query into it, and a GET has the number there
       }}
  4. See whether all of it holds: collector doctor --env-file {setup.env_file}
  5. Give Plivo this URL when you create a Verify session:
       {setup.url}

Keep {setup.token_file.parent}{os.sep}pepper: without it no number and no repeated callback is recognised any more.
"""


def _check_host(text: str) -> None:
    """Refuse what would make a URL that the provider cannot be given."""
    given = f"--public-host {text!r}"
    if "://" in text:
        raise CollectorError(f"{given} has a scheme; give the host name alone, as in hooks.example.com")
    if "/" in text:
        raise CollectorError(f"{given} has a path; give the host name alone, the path is drawn at random")
    host, colon, port = text.rpartition(":") if not text.endswith("]") and ":" in text else (text, "", "")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65_535):
        raise CollectorError(f"{given} has a port that is none; give it as in hooks.example.com:8443")
    if not _HOST.fullmatch(host):
        raise CollectorError(f"{given} is no host name; give one as in hooks.example.com")


def _settings(url: str, store: str) -> str:
    return f"""\
# What Plivo signs with; several, oldest first, while a token is being changed.
PLIVO_AUTH_TOKEN_FILE=secrets/plivo_auth_token
# The URL Plivo was given, to the letter: every signature covers it.
COLLECTOR_PUBLIC_URL={url}
COLLECTOR_DATABASE_URL={store}
COLLECTOR_HOST=127.0.0.1
COLLECTOR_PORT=8080
# Makes keys of phone numbers. Never take an old one out; a new one goes after it, with a comma between.
COLLECTOR_PEPPER_FILE=secrets/pepper
# Signs your application's own reports to /verifications.
COLLECTOR_VERIFICATION_SECRET_FILE=secrets/verification_secret
"""
