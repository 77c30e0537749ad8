"""Looks at everything a collector stands on, and says of each whether it will hold and what to do if not.

It reads and asks and changes nothing. The one request it sends goes through the public URL and is stored nowhere
(`collector.reach`).
"""

import fcntl
import os
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from collector import envfile
from collector.archive import facts
from collector.engines import LEAST_SPACE, reader_engine, sqlite_file, sqlite_module
from collector.errors import CollectorError
from collector.pulse import MINUTE
from collector.reach import Method, State, Way, nearby
from collector.settings import Settings, secret_files
from collector.store import SCHEMA, callbacks, check, pulse

DAY = 24 * 60 * MINUTE
WEEK = 7 * DAY
LARGEST_CHECKED = 256 * 1024 * 1024
"""Bytes; a larger store is not read through."""
FEW_DAYS = 14
CLOCK_OFF = 30
"""Seconds by which two clocks may differ: callbacks carry the provider's time beside ours."""


class Finding(NamedTuple):
    """One line: what was looked at, how it stands, what was found and what to do."""

    state: State
    name: str
    said: str

    def __str__(self) -> str:
        return f"{self.state:<8} {self.name:<9} {self.said}"


class Request(NamedTuple):
    """How the request through the public URL is sent.

    Attributes
    ----------
    is_insecure
        Whatever certificate the other side shows.
    ca_file
        Whom to trust besides those this machine trusts.
    """

    is_insecure: bool = False
    ca_file: Path | None = None


def examine(env_file: Path | None, now: int, request: Request | None) -> Iterator[Finding]:
    """Look at one thing after the other.

    Parameters
    ----------
    env_file
        As for `Settings.read`.
    now
        Microseconds since 1970, UTC.
    request
        How to send a request through the public URL; None: not at all.

    Raises
    ------
    CollectorError
        If the env file or the CA's file cannot be read: then nothing can be looked at.
    """
    if env_file is not None:
        envfile.text_of(env_file)
    context = _context(request) if request else None
    settings, finding = _settings(env_file)
    yield finding
    if settings is None:
        return
    yield from _secrets(env_file, now)
    yield from _store(settings.database_url, now)
    yield from _archive(settings, now)
    if settings.port:
        near = nearby(settings.host, settings.port)
        yield Finding(near.state, "port", near.said)
    dates: list[str] = []
    if request and context:
        if request.is_insecure:
            yield Finding("warning", "TLS", "the certificate is not looked at (--insecure); the provider looks at it")
        for number in range(len(settings.public_urls)):
            yield from _requests(Way(settings, number, context), now, dates)
    yield _clock(settings.database_url, now, dates)


def _requests(way: Way, now: int, dates: list[str]) -> Iterator[Finding]:
    """Send a probe by each of the provider's methods, and note the times that came back."""
    which = f"URL {way.number + 1}: " if len(way.settings.public_urls) > 1 else ""
    methods: tuple[Method, ...] = ("POST", "GET")
    for method in methods:
        reached = way.go(method)
        yield Finding(reached.state, method, which + reached.said)
        dates += [reached.date] if reached.date else []
    if reached.certificate_ends:
        yield _certificate(reached.certificate_ends, now)


def _settings(env_file: Path | None) -> tuple[Settings | None, Finding]:
    try:
        settings = Settings.read(env_file=env_file)
    except CollectorError as error:
        return None, Finding("failed", "settings", f"{error}; nothing else is looked at before")
    counts = (
        f"tokens {len(settings.tokens) + len(settings.main_tokens)}, public URLs {len(settings.public_urls)}, "
        f"peppers {len(settings.peppers)}, V3 {settings.v3}"
    )
    plain = [url for url in settings.public_urls if url.startswith("http://")]
    if plain:
        return settings, Finding("warning", "settings", f"{counts}; a public URL is http: give Plivo one with https")
    return settings, Finding("ok", "settings", counts)


def _secrets(env_file: Path | None, now: int) -> Iterator[Finding]:
    """Tell how old each file of secrets is, and who may read it."""
    for name, file in secret_files(env_file=env_file).items():
        found = file.stat()
        days = (now // 1_000_000 - int(found.st_mtime)) // 86_400
        age = f"{name}: {file.name}, {'of today' if days < 1 else f'{days} days old'}"
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            yield Finding("warning", "secrets", f"{age}, mode {mode:04o}: others may read it; chmod 600 {file.name}")
        else:
            yield Finding("ok", "secrets", f"{age}, mode {mode:04o}")


def _store(url: str, now: int) -> Iterator[Finding]:
    """Look at the database, its disk, its schema and who serves it."""
    path = sqlite_file(url)
    try:
        if path is not None:
            module = sqlite_module()
            yield Finding("ok", "database", f"SQLite {module.sqlite_version}, which keeps what it has committed")
            if not path.exists():
                yield Finding("warning", "store", f"there is none at {path} yet; `collector serve` makes it")
                return
        with _opened(url) as engine, engine.connect() as connection:
            check(engine)
            if path is None:
                yield _postgresql(connection)
            yield Finding("ok", "store", f"{path or 'PostgreSQL'}, schema {SCHEMA}, readable")
            if path is not None:
                yield from _sqlite(connection, path, now)
    except CollectorError as error:
        yield Finding("failed", "store", str(error))
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        yield Finding("failed", "store", f"the store cannot be read: {said}")
    if path is not None:
        yield _served(path)


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = reader_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _postgresql(connection: Connection) -> Finding:
    """Tell whether PostgreSQL keeps what it has committed."""
    names = ("server_version", "fsync", "full_page_writes", "synchronous_commit")
    found = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar()) for name in names}
    version = f"PostgreSQL {found.pop('server_version').split()[0]}"
    if unsafe := [name for name, value in found.items() if value == "off"]:
        return Finding("failed", "database", f"{version} runs with {unsafe[0]}=off: a power cut loses rows; turn it on")
    return Finding("ok", "database", f"{version}, fsync, full_page_writes and synchronous_commit on")


def _sqlite(connection: Connection, path: Path, now: int) -> Iterator[Finding]:
    size = path.stat().st_size
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield Finding("warning", "store", f"mode {mode:04o}: others may read it; chmod 600 {path.name}")
    if size > LARGEST_CHECKED:
        yield Finding("ok", "content", f"not read through: {_bytes(size)} are more than {_bytes(LARGEST_CHECKED)}")
    elif (found := connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()) == "ok":
        yield Finding("ok", "content", f"{_bytes(size)} read through, sound")
    else:
        yield Finding("failed", "content", f"damaged: {str(found).splitlines()[0]}; restore it from a backup")
    yield _disk(connection, path, size, now)


def _disk(connection: Connection, path: Path, size: int, now: int) -> Finding:
    """Tell how much room is left, and for how many days of the callbacks of the last week."""
    disk = os.statvfs(path.parent)
    free = disk.f_bavail * disk.f_frsize
    if free < LEAST_SPACE:
        return Finding("failed", "disk", f"{_bytes(free)} free and {_bytes(LEAST_SPACE)} needed; make room")
    counted = select(func.sum(pulse.c.accepted + pulse.c.repeated), func.min(pulse.c.minute))
    lately, since = connection.execute(counted.where(pulse.c.minute >= now - WEEK)).one()
    rows = connection.scalar(select(func.max(callbacks.c.callback_id))) or 0
    if not lately or not rows:
        return Finding("ok", "disk", f"{_bytes(free)} free; nothing came in the last seven days")
    per_day = lately / max((now - since) / DAY, 1.0) * size / rows
    days = int((free - LEAST_SPACE) / per_day)
    said = f"{_bytes(free)} free: {'more than ten years' if days > 3_650 else f'{days} days'} of what came lately"
    if days < FEW_DAYS:
        return Finding("warning", "disk", f"{said}; make room, or see `collector prune`")
    return Finding("ok", "disk", said)


def _served(path: Path) -> Finding:
    """Tell whether a collector holds the store; asking holds the lock for no longer than a look."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return Finding("warning", "served", "no collector has served this store yet; start it")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Finding("ok", "served", "a collector serves this store")
    finally:
        os.close(descriptor)
    return Finding("failed", "served", "no collector serves this store now; start it")


def _clock(url: str, now: int, dates: list[str]) -> Finding:
    """Compare this machine's clock with the store's newest row and with those that answered."""
    newest = _edge(url, callbacks.c.callback_id.desc())
    ahead = (newest - now) // 1_000_000 if newest is not None else 0
    if ahead > CLOCK_OFF:
        return Finding("failed", "clock", f"it is {ahead} s behind the newest row of the store; set it")
    for date in dates:
        try:
            answered = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            continue
        # The requests themselves took a moment.
        off = int(answered - now / 1e6)
        if not -CLOCK_OFF <= off <= 2 * CLOCK_OFF:
            return Finding("warning", "clock", f"it differs by {abs(off)} s from the clock of who answered; set it")
    moment = datetime.fromtimestamp(now // 1_000_000, UTC).isoformat().replace("+00:00", "Z")
    return Finding(
        "ok", "clock", moment + (", as who answered says" if dates else ", not before the store's newest row")
    )


def _archive(settings: Settings, now: int) -> Iterator[Finding]:
    """Look at the folder for closed days, if there is one."""
    if settings.archive is not None:
        oldest = _edge(settings.database_url, callbacks.c.callback_id.asc())
        for state, said in facts.findings(settings.archive, oldest, now):
            yield Finding(state, "archive", said)


def _edge(url: str, order: ColumnElement[Any]) -> int | None:
    """Give the moment of the store's first row or of its last; None if there is none, or none can be read."""
    try:
        with _opened(url) as engine, engine.connect() as connection:
            last = select(callbacks.c.received_at).order_by(order).limit(1)
            found: int | None = connection.scalar(last)
            return found
    except (CollectorError, SQLAlchemyError):
        return None


def _certificate(ends: str, now: int) -> Finding:
    days = (ssl.cert_time_to_seconds(ends) - now // 1_000_000) // 86_400
    said = f"trusted, good for {days} more days"
    if days < FEW_DAYS:
        return Finding("warning", "TLS", f"{said}; renew the certificate")
    return Finding("ok", "TLS", said)


def _context(request: Request) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if request.ca_file is not None:
            context.load_verify_locations(request.ca_file)
    except (OSError, ssl.SSLError):
        raise CollectorError(f"{request.ca_file} holds no certificate in PEM; give the CA's own") from None
    if request.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _bytes(number: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"
