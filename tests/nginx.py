"""A real nginx with TLS on loopback, started as nobody with every path of its own, for tests that need a proxy."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NOBODY = 65_534
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# Who came, what for and how it ended; of the address the path alone.
LOG = """'$remote_addr $time_iso8601 "$request_method $uri" $status $body_bytes_sent'"""


class NoNginxError(Exception):
    """It cannot be had here; the message says why."""


def command(name: str) -> str:
    """Find an administrator's command, wherever PATH ends."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if found is None:
        raise NoNginxError(f"no {name} here; run.py installs it on Debian")
    return found


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Nginx:
    """One nginx, its folder and its CA.

    The folder lies outside of pytest's own, into which nobody but its owner may look.
    """

    def __init__(self) -> None:
        self.nginx = command("nginx")
        self.folder = Path(tempfile.mkdtemp(prefix="nginx-"))
        self.ca = self.folder / "cert.pem"
        self.access_log = self.folder / "access.log"
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run(
            [
                *(command("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
                *("-keyout", str(self.folder / "key.pem"), "-out", str(self.ca)),
            ],
            check=True,
            capture_output=True,
        )
        self._own()

    def start(self, *servers: str) -> "Nginx":
        """Start it with these server blocks, and wait until every port takes connections."""
        self.stop()
        temporary = "\n".join(f"{name}_temp_path {self.folder}/{name};" for name in TEMPORARY)
        blocks = "\n".join(f"server {{\n{server}\n}}" for server in servers)
        (self.folder / "nginx.conf").write_text(
            f"""daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{}}
http {{
log_format without_query {LOG};
access_log {self.access_log} without_query;
{temporary}
ssl_certificate {self.ca}; ssl_certificate_key {self.folder}/key.pem;
{blocks}
}}
"""
        )
        self._own()
        checked = self._run("-t")
        assert checked.returncode == 0, checked.stderr.decode()
        self._process = subprocess.Popen(self._words(), stderr=subprocess.DEVNULL, **self._as())
        for server in servers:
            self._wait(int(server.split("listen 127.0.0.1:", 1)[1].split(";")[0].split()[0]))
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def remove(self) -> None:
        """End it and take its folder away."""
        self.stop()
        shutil.rmtree(self.folder)

    def everything_written(self) -> bytes:
        """Give all that its files hold."""
        return b"".join(file.read_bytes() for file in self.folder.rglob("*") if file.is_file())

    def _words(self) -> list[str]:
        return [self.nginx, "-p", str(self.folder), "-e", f"{self.folder}/error.log", "-c", f"{self.folder}/nginx.conf"]

    def _run(self, *more: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([*self._words(), *more], capture_output=True, check=False, **self._as())

    @staticmethod
    def _as() -> dict[str, Any]:
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}

    def _own(self) -> None:
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def _wait(self, port: int) -> None:
        end = time.monotonic() + 20
        while True:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "error.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except OSError:
                assert time.monotonic() < end, (self.folder / "error.log").read_text()
                time.sleep(0.02)
            else:
                return
