"""Runs a real collector for the demo: as a process of its own, on loopback, with a store that goes away with it."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM
from threading import Thread, current_thread, main_thread

from verify_analytics.errors import VerifyAnalyticsError

PUBLIC_URL = "https://codes.example.com/callbacks/plivo"
"""What the provider was given; every signature covers it, and nothing is ever sent there."""
VERIFICATION_URL = "https://codes.example.com/verifications"
HOST = "127.0.0.1"
# What a process needs of its surroundings to start Python at all; no setting of a real collector gets in.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")
PATIENCE_SECONDS = 20.0


class StationError(VerifyAnalyticsError):
    """The collector did not do what the demo needs of it."""


@dataclass(frozen=True)
class Keys:
    """Secrets made for one run of the demo; shown to nobody."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    main_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    pepper: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    verification_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


@contextmanager
def held_back() -> Iterator[list[int]]:
    """Hold interruptions back for the moment in which a process is started; tell which came."""
    came: list[int] = []
    if current_thread() is not main_thread():  # only the main thread is ever interrupted
        yield came
        return
    before = {number: signal.signal(number, lambda got, _: came.append(got)) for number in (SIGINT, SIGTERM, SIGHUP)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Station:
    """A collector with a store of its own in a folder.

    Parameters
    ----------
    folder
        Where the store and the collector's own words go.
    environ
        The surroundings of the demo, of which only what Python needs is handed on.
    keys
        Secrets to share with another station; new ones if none are given.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], keys: Keys | None = None) -> None:
        self.keys = keys or Keys()
        self.store = folder / "callbacks.db"
        self._log = folder / "collector.log"
        self._environ = {name: environ[name] for name in KEPT if name in environ} | {
            "PLIVO_AUTH_TOKEN": self.keys.token,
            "PLIVO_MAIN_AUTH_TOKEN": self.keys.main_token,
            "COLLECTOR_PUBLIC_URL": PUBLIC_URL,
            "COLLECTOR_DATABASE_URL": f"sqlite:///{self.store}",
            "COLLECTOR_HOST": HOST,
            "COLLECTOR_PORT": "0",
            "COLLECTOR_PEPPER": self.keys.pepper,
            "COLLECTOR_VERIFICATION_SECRET": self.keys.verification_secret,
        }

    def replay(self, capture: Path) -> dict[str, int]:
        """Bring a capture in through the collector's door and give its own counts, by its own words."""
        command = [sys.executable, "-m", "collector", "replay", str(capture)]
        done = subprocess.run(command, env=self._environ, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise StationError(f"collector replay ended with status {done.returncode}; its words are above")
        counts = (line.rpartition(" ") for line in done.stdout.splitlines() if line.strip())
        return {name.strip(): int(count.replace(",", "")) for name, _, count in counts}

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve on a free loopback port; give its address, and end the process whatever happens."""
        ports: list[int] = []
        # From here on the process is ours to end: an interruption must not come between its start and the `try`.
        with held_back() as interruptions:
            process = self._start()
            listener = Thread(target=self._listen, args=(process, ports), daemon=True)
        try:
            listener.start()
            if interruptions:
                raise KeyboardInterrupt
            yield f"http://{HOST}:{self._wait_for(ports, process)}"
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            listener.join(PATIENCE_SECONDS)
        if process.returncode:
            raise StationError(f"the collector ended with status {process.returncode}: {self._last_words()}")

    def _start(self) -> subprocess.Popen[str]:
        # A session of its own: Ctrl-C reaches the demo alone, which then ends the collector in good order.
        return subprocess.Popen(
            [sys.executable, "-m", "collector", "serve"],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _listen(self, process: subprocess.Popen[str], ports: list[int]) -> None:
        """Keep the collector's log, and find the port in it."""
        with self._log.open("a") as kept:
            for line in process.stderr or ():
                kept.write(line)
                kept.flush()
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if said.get("event") == "serving":
                    ports.append(int(said["port"]))

    def _wait_for(self, ports: list[int], process: subprocess.Popen[str]) -> int:
        waited = 0.0
        while not ports:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                waited += 0.05
            else:
                raise StationError(f"the collector did not start: {self._last_words()}")
            if waited > PATIENCE_SECONDS:
                raise StationError(f"the collector was not ready within {PATIENCE_SECONDS:.0f} s: {self._last_words()}")
        return ports[0]

    def _last_words(self) -> str:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return lines[-1] if lines else "it said nothing"
