"""Writes what a new collector needs to start: settings, and the secrets that only it knows."""

import os
import secrets
from pathlib import Path
from typing import NamedTuple

from collector.errors import CollectorError

UNKNOWN_HOST = "<your-host>"


class Setup(NamedTuple):
    """What was written, and what a person has to know of it."""

    env_file: Path
    url: str
    path: str
    token_file: Path


def write(env_file: Path, public_host: str | None = None) -> Setup:
    """Write an env file and a folder of secrets beside it, readable by their owner alone.

    Parameters
    ----------
    env_file
        Where the settings go; the store and the secrets go into its folder.
    public_host
        The host name under which the provider reaches this collector; left to be filled in where it is not known.

    Raises
    ------
    CollectorError
        If one of the files is there already: nothing is overwritten, and nothing is written.
    """
    env_file = env_file.absolute()
    folder = env_file.parent
    # A path that cannot be guessed keeps passers-by out, and the older signature covers it.
    path = f"/callbacks/plivo/{secrets.token_hex(12)}"
    url = f"https://{public_host or UNKNOWN_HOST}{path}"
    token_file = folder / "secrets" / "plivo_auth_token"
    files = {
        token_file: "",
        folder / "secrets" / "pepper": f"{secrets.token_hex(32)}\n",
        folder / "secrets" / "verification_secret": f"{secrets.token_hex(32)}\n",
        env_file: _settings(url, folder),
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
       }}
  4. Give Plivo this URL when you create a Verify session:
       {setup.url}

Keep {setup.token_file.parent}{os.sep}pepper: without it no number and no repeated callback is recognised any more.
"""


def _settings(url: str, folder: Path) -> str:
    return f"""\
# What Plivo signs with; several, oldest first, while a token is being changed.
PLIVO_AUTH_TOKEN_FILE=secrets/plivo_auth_token
# The URL Plivo was given, to the letter: every signature covers it.
COLLECTOR_PUBLIC_URL={url}
COLLECTOR_DATABASE_URL=sqlite:///{folder / "data" / "callbacks.db"}
COLLECTOR_HOST=127.0.0.1
COLLECTOR_PORT=8080
# Makes keys of phone numbers. Never take an old one out; a new one goes after it, with a comma between.
COLLECTOR_PEPPER_FILE=secrets/pepper
# Signs your application's own reports to /verifications.
COLLECTOR_VERIFICATION_SECRET_FILE=secrets/verification_secret
"""
