"""Says on what kind of disk a store would lie, and refuses one that cannot keep what it is given.

SQLite's log needs shared memory and locks that hold. A file system of another machine, or one that a user's program
plays, may grant both and keep neither: two collectors would then write at once, and rows that were flushed could go.
"""

import os
from pathlib import Path

from collector.errors import CollectorError

MOUNTS = Path("/proc/self/mountinfo")
# As the kernel calls them. Every file system of FUSE is called "fuse" or "fuse." and a name; virtiofs is FUSE too.
SHARED = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "beegfs", "gpfs", "gfs2", "ocfs2"),
    *("9p", "virtiofs", "vboxsf", "fuse", "fuseblk"),
}


def kind_of(folder: Path) -> str:
    """Name the file system of a folder, made or yet to be made, as the kernel does; empty where it does not say."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    device = there.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    # 36 35 98:0 /root /where options [optional fields] - kind source options
    parts = (line.partition(" - ") for line in lines)
    return next((after.split()[0] for before, _, after in parts if before.split()[2:3] == [wanted]), "")


def refuse_shared(store: Path) -> None:
    """Refuse a store on a file system that other machines, or programs, have their hands in.

    Raises
    ------
    CollectorError
        Saying which it is.
    """
    kind = kind_of(store.parent)
    if kind in SHARED or kind.startswith("fuse."):
        raise CollectorError(
            f"the store {store} would lie on {kind}, a network or shared file system, on which SQLite can lose rows: "
            "put it on a disk of this machine, or use PostgreSQL"
        )
