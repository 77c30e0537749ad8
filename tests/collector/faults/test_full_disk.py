"""Promise 8 on a full disk: 503 and not a row less, the process stays up, and it heals by itself."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.engines import LEAST_SPACE
from tests.collector.conftest import CollectorProcess
from tests.collector.faults.clients import takes_a_fresh_callback
from tests.collector.faults.oracle import Book
from tests.collector.faults.service import eventually, figure, free_port, injecting, read

Make = Callable[..., CollectorProcess]
ROOM = 8 * 1024 * 1024


class SmallDisk:
    """A disk with a few megabytes above the floor, and ballast to take them away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def leave(self, octets: int) -> None:
        """Fill the disk until only so much is left."""
        self.clear()
        disk = os.statvfs(self.folder)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - octets)

    def clear(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mount a small disk; only root may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={LEAST_SPACE + ROOM}"
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


def until(collector: CollectorProcess, book: Book, *, answered: str, tries: int = 3_000) -> None:
    """Send callbacks until one is answered so."""
    before = book.answers[answered]
    for _ in range(tries):
        takes_a_fresh_callback(collector.port, book)
        if book.answers[answered] > before:
            return
    raise AssertionError(f"no answer {answered} in {tries}: {dict(book.answers)}")


def test_on_a_full_disk_it_answers_503_stays_up_and_heals_when_space_returns(
    make_collector: Make, small_disk: SmallDisk
) -> None:
    watched, book = free_port(), Book()
    collector = make_collector(
        COLLECTOR_DATABASE_URL=f"sqlite:///{small_disk.folder / 'store.db'}", COLLECTOR_METRICS_PORT=str(watched)
    ).start()
    collector.store = small_disk.folder / "store.db"
    assert takes_a_fresh_callback(collector.port, book)
    assert read(watched, "/readyz").body == b"ok\n"
    # Little is left: said before anything is lost, and callbacks are still taken.
    small_disk.leave(LEAST_SPACE // 2)
    assert (read(watched, "/readyz").status, read(watched, "/readyz").body) == (503, b"space\n")
    assert takes_a_fresh_callback(collector.port, book)
    for _ in range(2):
        # Nothing is left.
        small_disk.leave(0)
        until(collector, book, answered="503")
        refused = collector.post(collector.provider.fields("never"), collector.provider.headers("1"))
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert (read(watched, "/readyz").status, collector.request("GET", "/readyz").status) == (503, 503)
        assert (read(watched, "/healthz").status, collector.request("GET", "/healthz").status) == (200, 200)
        assert collector.process.poll() is None
        # Space again: nobody restarts it, and nobody calls.
        small_disk.clear()
        assert eventually(lambda: read(watched, "/readyz").body == b"ok\n")
        assert takes_a_fresh_callback(collector.port, book)
    assert figure(watched, 'collector_refused_total{reason="store"}') >= 4
    assert collector.end() == 0
    assert book.differences(collector.store) == []
    # What was answered 503 is not there behind anybody's back.
    assert collector.rows("SELECT count(*) FROM callbacks") == [(book.acknowledged,)]


def test_a_write_that_finds_no_space_is_a_503_and_the_next_that_does_is_a_200(make_collector: Make) -> None:
    """The same for whoever may not mount: the kernel says for seven writes that the disk is full."""
    book = Book()
    collector = make_collector().start(*injecting("pwrite64:error=ENOSPC:when=151..157"))
    until(collector, book, answered="503")
    assert collector.request("GET", "/readyz").status == 503
    until(collector, book, answered="200")
    assert eventually(lambda: collector.request("GET", "/readyz").status == 200)
    assert collector.end() == 0
    assert book.differences(collector.store) == []
    assert collector.rows("SELECT count(*) FROM callbacks") == [(book.acknowledged,)]
