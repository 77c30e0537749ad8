"""Stores with several days in them, what an archive holds read by others than ourselves, and ends at any step."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector import store
from collector.archive import sealing
from collector.settings import Settings
from tests.collector.conftest import NUMBER
from tests.collector.records import OTHER_NUMBER, contents, fill, line, moment, report, settings_for

TABLES = {"callbacks": "callback_id", "verifications": "verification_id", "pulse": ""}
DAY = 86_400
# 2026-09-01 12:00 is where the seconds of `records` begin.
NOON = {0: "day=2026-09-01", 1: "day=2026-09-02", 2: "day=2026-09-03"}
AFTER = moment(2 * DAY)
"""2026-09-03 12:00: the first two days are closed, the third is not."""

Rows = dict[str, Counter[tuple[Any, ...]]]


class Copied(Protocol):
    """Makes a store and an archive, or copies those that were made before by the same function."""

    def __call__(self, make: Callable[[str, Path], Settings], database_url: str, root: Path) -> Settings: ...


def three_days(database_url: str, _: Path) -> Settings:
    """Put a few callbacks, reports and minutes of three days into a store, not in the order of their moments."""
    settings = settings_for(database_url)
    for day in (1, 0, 2):
        seconds = day * DAY
        fill(
            settings,
            line(f"b-{day}", seconds + 200, Recipient=OTHER_NUMBER, ChannelErrorCode="450"),
            line(f"a-{day}", seconds + 100, Recipient=NUMBER),
            line(f"a-{day}", seconds + 101, Recipient="", RequestTime="", AttemptSequence="", New="x"),
        )
        report(settings, f"a-{day}", seconds + 150)
    return settings


def sealed(settings: Settings, root: Path, now: int = AFTER, **more: Any) -> sealing.Sealed:
    root.mkdir(exist_ok=True)
    return sealing.archive(settings.database_url, root, now, **more)


def an_archive(folder: Path) -> tuple[Path, Rows]:
    """Make a store and an archive of two of its days; give the archive and the rows that it must have.

    For whoever reads archives elsewhere: moments are microseconds since 1970, in the order of the columns.
    """
    settings = three_days(f"sqlite:///{folder}/store.db", folder)
    before = in_store(settings)
    sealed(settings, folder / "archive")
    left = in_store(settings)
    return folder / "archive", {name: before[name] - left[name] for name in before}


def in_store(settings: Settings) -> Rows:
    """Every row of the window, without the keys that count them."""
    return {name: Counter(contents(settings.database_url, getattr(store, name), key)) for name, key in TABLES.items()}


def in_archive(root: Path) -> Rows:
    """Every row of every part that a reader sees, as the store would have it."""
    found: Rows = {name: Counter() for name in TABLES}
    for name, path in parts(root):
        table = pq.read_table(path, partitioning=None)
        columns = [
            (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
            for column in table.columns
        ]
        found[name].update(zip(*columns, strict=True))
    return found


def parts(root: Path) -> list[tuple[str, Path]]:
    return [(name, path) for name in TABLES for path in sorted((root / name).rglob("*.parquet"))]


def named(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for _, path in parts(root))


def manifest(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "manifest.json").read_text())
    return found


def both(settings: Settings, root: Path) -> Rows:
    """What a reader has who reads the store and then the archive, and drops what is the same row."""
    stored, archived = in_store(settings), in_archive(root)
    return {name: stored[name] | archived[name] for name in TABLES}


def leave_closed(settings: Settings, root: Path, before: Rows) -> None:
    """Look at a finished run: every row is there once, closed days in the archive and the open one in the store."""
    stored, archived = in_store(settings), in_archive(root)
    assert {name: stored[name] + archived[name] for name in TABLES} == before
    open_day = moment(2 * DAY - DAY / 2)
    for name, place in {"callbacks": 1, "verifications": 2, "pulse": 1}.items():
        assert all(row[place] >= open_day for row in stored[name])
        assert all(row[place] < open_day for row in archived[name])
    said = manifest(root)
    assert set(said) == {"archive_version", "parts"}
    assert sorted(said["parts"]) == named(root)
    assert list(root.rglob(".*")) == []


class CrashError(BaseException):
    """The process ends here."""


@contextmanager
def crash(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[tuple[Callable[[str], None], list[str]]]:
    """Give a step hook that ends everything at its so-manieth call; from then on nothing is tidied up any more."""
    seen: list[str] = []
    has_ended = False
    unlink = Path.unlink

    def step(name: str) -> None:
        nonlocal has_ended
        seen.append(name)
        if len(seen) == number:
            has_ended = True
            raise CrashError

    def no_more(self: Path, missing_ok: bool = False) -> None:
        if not has_ended:
            unlink(self, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", no_more)
        yield step, seen


def other_rows(settings: Settings, rows: list[dict[str, Any]]) -> None:
    """Put rows of callbacks into a store as they are."""
    engine = store.writer_engine(settings.database_url)
    store.initialise(engine)
    with engine.begin() as connection:
        connection.execute(store.callbacks.insert(), rows)
    engine.dispose()


def plain_row(number: int, seconds: float, **changed: Any) -> dict[str, Any]:
    """Make one callback by hand."""
    return {
        "arrival_id": f"{number:064x}",
        "received_at": moment(seconds),
        "provider": "plivo",
        "session_id": f"s-{number // 3}",
        "session_status": "in-progress",
        "attempt_id": f"a-{number // 3}",
        "attempt_sequence": 1,
        "channel": "sms",
        "channel_status": "sent",
        "error_code": None,
        "requested_at": moment(seconds) - 1,
        "recipient_key": None,
        "country": "US",
        "number_block": "1201555",
        "proof": "v2",
        "digest": f"1:{number:064x}",
        "extra": None,
    } | changed
