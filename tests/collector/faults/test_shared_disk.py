"""Promise 1 on disks that cannot keep it: a store on another machine's file system is refused at the start."""

import os
from pathlib import Path

import pytest

from collector import disks, store
from collector.errors import CollectorError


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, kind: str) -> None:
    """Let the kernel say that this folder lies on such a file system."""
    device = folder.stat().st_dev
    mounts = folder / "mountinfo"
    mounts.write_text(
        "21 1 0:999999 / /else rw - ext4 /dev/else rw\n"
        f"22 1 {os.major(device)}:{os.minor(device)} / {folder} rw,relatime shared:1 master:2 - {kind} server:/x rw\n"
    )
    monkeypatch.setattr(disks, "MOUNTS", mounts)


@pytest.mark.parametrize("kind", ["nfs4", "nfs", "cifs", "smb3", "9p", "fuse.sshfs", "fuse", "virtiofs"])
def test_a_store_on_a_shared_file_system_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    pretend(monkeypatch, tmp_path, kind)
    path = tmp_path / "yet" / "to be made" / "store.db"
    with pytest.raises(CollectorError) as caught:
        store.writer_engine(f"sqlite:///{path}")
    assert str(caught.value) == (
        f"the store {path} would lie on {kind}, a network or shared file system, on which SQLite can lose rows: "
        "put it on a disk of this machine, or use PostgreSQL"
    )
    assert not path.parent.exists()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "zfs"])
def test_a_store_on_a_disk_of_this_machine_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    pretend(monkeypatch, tmp_path, kind)
    engine = store.writer_engine(f"sqlite:///{tmp_path / 'store.db'}")
    store.initialise(engine)
    engine.dispose()


def test_the_kernel_is_asked_about_the_disk_behind_a_link(tmp_path: Path) -> None:
    if not disks.MOUNTS.exists():
        pytest.skip("the kernel's table of mounts is there on Linux")
    link = tmp_path / "link"
    link.symlink_to("/proc/self")
    assert disks.kind_of(link) == "proc"
    assert disks.kind_of(Path("/proc/there/is/none")) == "proc"


def test_where_the_kernel_does_not_say_the_store_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "none")
    store.writer_engine(f"sqlite:///{tmp_path / 'store.db'}").dispose()
