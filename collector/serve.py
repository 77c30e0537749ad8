"""Runs the service: waitress with limits that slow or hostile clients cannot push against, one writer behind it.

It ends in three ways: asked to (SIGTERM, SIGINT: requests in hand are answered, the minute is written, status 0),
because the store cannot be trusted any more (status 1, for systemd to start it anew), or it never began (status 2).
"""

import fcntl
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask
from sqlalchemy import Engine
from waitress.server import create_server

from collector.app import build_app
from collector.channel import channel_of, wake_once
from collector.door import LARGEST_BODY, LARGEST_HEADERS, Door, checks_of
from collector.engines import has_space, make_file, make_folder, partial_of, sqlite_file, writer_engine
from collector.errors import CollectorError
from collector.logs import log
from collector.notify import Notify
from collector.postgresql import SILENCE
from collector.pulse import Pulse
from collector.routes import now
from collector.settings import Settings, listen_fds, service_manager
from collector.store import accept_peppers, initialise
from collector.writer import Writer

LIMITS: dict[str, Any] = {
    # Each waits at the writer with one callback, so their number is the largest batch of one commit. Where there are
    # fewer than connections at once, what is answered wakes the server one by one and not in bursts: a tenth dearer.
    "threads": 32,
    "connection_limit": 1_000,
    "backlog": 1_024,
    "asyncore_use_poll": True,
    "channel_timeout": 30,
    "cleanup_interval": 10,
    "max_request_body_size": LARGEST_BODY,
    "max_request_header_size": LARGEST_HEADERS,
    "clear_untrusted_proxy_headers": True,
    "expose_tracebacks": False,
    "log_socket_errors": False,
    "ident": None,
}
"""Measured against 200 slow connections; waitress's own defaults let 100 idle ones stop it."""
FIRST_SYSTEMD_SOCKET = 3
# Waitress gives requests in hand five seconds; ours need the writer's three at most.
LAST_MOMENT = 10.0


def serve(settings: Settings) -> int:
    """Serve until asked to end.

    Returns
    -------
    int
        The exit status: 0, or 1 if the store could not be trusted any more.

    Raises
    ------
    CollectorError
        If it cannot begin: the store, a pepper, a port, another server on the same store.
    """
    with ExitStack() as stack:
        stack.enter_context(_ended_by_sigterm())
        stack.enter_context(sole_server(settings.database_url))
        engine = writer_engine(settings.database_url, silence=SILENCE)
        is_there = stack.enter_context(_sole_holder(settings.database_url))
        stack.callback(engine.dispose)
        initialise(engine)
        oldest = accept_peppers(engine, checks_of(settings))
        begin_new_log(engine)
        pulse = Pulse(name_of(settings), now)
        notify = Notify(*service_manager())
        writer = Writer(engine, pulse, died=_end_process, alive=notify.alive, is_there=is_there)

        def trouble() -> str:
            return writer.trouble() or ("" if has_space(settings.database_url) else "space")

        # Before any thread is started, because each inherits it.
        settle_on_one_core(_own_port(settings) or os.getpid())
        if settings.metrics_port is not None:
            from collector.metrics import Scrape, watch

            figures = Scrape(pulse, writer, trouble, url=settings.database_url, started_at=now())
            stack.callback(watch(settings.metrics_port, figures).close)
        server = listen(build_app(Door(settings, oldest), writer, pulse, trouble), settings, pulse)
        writer.start()
        _run(server, writer, notify)
    log.info("ended", extra={"because": "the store failed" if writer.is_dead else "it was asked to"})
    return 1 if writer.is_dead else 0


def begin_new_log(engine: Engine) -> None:
    """Fold SQLite's log into the store, flushed, so that the next commit begins a new one at its front.

    A server that ended at an error of the disk leaves a log whose last flush failed, and any other process that has the
    store open keeps it in use: what was committed behind it could go with it in a power cut. A reader within a
    transaction holds this up; then the log goes on, and we say so.

    Raises
    ------
    CollectorError
        If the disk reports an error again.
    """
    if engine.dialect.name != "sqlite":
        return
    with closing(engine.raw_connection()) as connection:
        try:
            # Not within a transaction, so on the driver's own connection; it waits for others as each of them does.
            is_busy, _, _ = connection.cursor().execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            why = "SQLITE_BUSY" if is_busy else ""
        except engine.dialect.loaded_dbapi.Error as error:
            why = str(getattr(error, "sqlite_errorname", type(error).__name__))
    if why.startswith("SQLITE_IOERR"):
        raise CollectorError(f"the store's log cannot be folded back into it ({why}): look at the disk")
    if why:
        log.warning("log_not_folded", extra={"why": why})


def settle_on_one_core(number: int) -> None:
    """Keep this process, and every thread it will start, on one core: the one with this number, counted around.

    One thread at a time has the interpreter, and on several cores handing it over means waking another core: a quarter
    of a callback's processor time. The kernel moves others away from a core that is taken. Whoever chose cores for us
    (`taskset`, ``CPUAffinity=``) is left to know better, and collectors on neighbouring ports take different cores.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    # Whoever runs us may forbid the choice (a filter of system calls): then all cores will do.
    with suppress(OSError):
        ours = sorted(os.sched_getaffinity(0))
        if len(ours) == os.cpu_count():
            os.sched_setaffinity(0, {ours[number % len(ours)]})


def name_of(settings: Settings) -> str:
    """Name this collector in its pulse, the same after every start: a SQLite store has only one.

    On PostgreSQL several may serve one store, also on one host, where they differ by their port.
    """
    if sqlite_file(settings.database_url):
        return "serve"
    return f"serve@{socket.gethostname()}:{_own_port(settings)}"


def _own_port(settings: Settings) -> int:
    """Give the port that was asked for, or that of the first socket which systemd opened."""
    if not listen_fds():
        return settings.port
    with socket.socket(fileno=os.dup(FIRST_SYSTEMD_SOCKET)) as given:
        address = given.getsockname()
    return int(address[1]) if isinstance(address, tuple) else 0


@contextmanager
def sole_server(url: str) -> Iterator[None]:
    """Hold the lock of a SQLite store against a second server; PostgreSQL takes as many as come.

    Raises
    ------
    CollectorError
        If another process serves this store.
    """
    path = sqlite_file(url)
    if path is None:
        yield
        return
    make_folder(path.parent)
    lock = Path(f"{path}.lock")
    try:
        descriptor = make_file(lock)
    except FileExistsError:
        descriptor = os.open(lock, os.O_RDWR)
    with _locked(descriptor, path):
        # Of a restore that was killed: part of a copy, or a second name of the store itself.
        partial_of(path).unlink(missing_ok=True)
        yield


@contextmanager
def _sole_holder(url: str) -> Iterator[Callable[[], bool]]:
    """Hold the file of a SQLite store itself, which may have a second name elsewhere: a hard link, a mount of its own.

    What is given says whether the name still leads to that file.

    To be entered before SQLite opens the file and left after it has closed it: a process that closes a file loses all
    of SQLite's locks on it.
    """
    path = sqlite_file(url)
    if path is None:
        yield lambda: True
        return
    descriptor = os.open(path, os.O_RDONLY)

    def is_there() -> bool:
        try:
            return os.path.samestat(path.stat(), os.fstat(descriptor))
        except OSError:
            return False

    with _locked(descriptor, path):
        yield is_there


@contextmanager
def _locked(descriptor: int, path: Path) -> Iterator[None]:
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CollectorError(f"another collector serves the store {path}: end it first") from None
        yield
    finally:
        os.close(descriptor)


def listen(app: Flask, settings: Settings, pulse: Pulse) -> Any:
    """Open the port, or take the sockets that systemd opened, and put waitress behind them.

    Raises
    ------
    CollectorError
        If the address cannot be listened on.
    """
    sockets = [socket.socket(fileno=FIRST_SYSTEMD_SOCKET + number) for number in range(listen_fds())]
    where = {"sockets": sockets} if sockets else {"host": settings.host, "port": settings.port}
    try:
        # Waitress starts to accept here; a request that comes before the writer runs waits for it.
        server = create_server(app, **LIMITS, **where)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CollectorError(f"cannot listen on {settings.host}, port {settings.port}: {why}") from None
    for part in getattr(server, "map", getattr(server, "_map", {})).values():
        if hasattr(part, "channel_class"):
            part.channel_class = channel_of(pulse)
            wake_once(part.trigger)
    for host, port in getattr(server, "effective_listen", [(server.effective_host, server.effective_port)]):
        log.info("serving", extra={"host": host, "port": int(port)})
    return server


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Take SIGTERM for the wish to end in peace, from before anybody is told that we serve; what it was stays so."""

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except CollectorError:
        signal.signal(signal.SIGTERM, before)
        raise


def _run(server: Any, writer: Writer, notify: Notify) -> None:
    """Serve until a signal; then answer what is in hand, and let the writer finish."""
    # All that was made so far lives as long as the process. Looked through by each full collection, it would hold up
    # every request for some fifty milliseconds.
    gc.collect()
    gc.freeze()
    try:
        # The socket listens already: whoever comes from now on is answered.
        notify("READY=1")
        server.run()
    except (SystemExit, KeyboardInterrupt):
        pass
    finally:
        notify("STOPPING=1")
        server.close()
        if not writer.stop(LAST_MOMENT):
            log.error("writer_stuck")
            os._exit(1)


def _end_process() -> None:
    """End a process whose writer died: politely at first, so that waiting requests get their 503."""
    watchdog = threading.Timer(LAST_MOMENT, os._exit, [1])
    watchdog.daemon = True
    watchdog.start()
    os.kill(os.getpid(), signal.SIGTERM)
