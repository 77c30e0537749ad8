"""How is a report put down? Whole or not at all: written beside its place, then moved there in one step."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from verify_analytics.errors import ArgumentError, NotFoundError

MANIFEST = "manifest.json"
MADE_BY = "verify-analytics report"


def check(out: Path) -> None:
    """Refuse a place that a report must not take.

    Raises
    ------
    NotFoundError
        If the folder it would lie in does not exist.
    ArgumentError
        If something else than a report is there, or a report with files in it that it did not write.
    """
    if not out.parent.is_dir():
        raise NotFoundError(f"there is no folder {str(out.parent)!r} to write the report into; make it first")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ArgumentError(f"{str(out)!r} is there and is no folder; name another place for the report")
    if not out.exists() or not any(out.iterdir()):
        return
    known = _files_of_report(out)
    if known is None:
        raise ArgumentError(f"{str(out)!r} is there and is no report; name another place, or remove it first")
    strange = sorted(
        file.relative_to(out).as_posix()
        for file in out.rglob("*")
        if not file.is_dir() and file.relative_to(out).as_posix() not in known
    )
    if strange:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise ArgumentError(f"{str(out)!r} holds {strange[0]!r}{more}, which no report wrote; move it away first")


def _files_of_report(out: Path) -> set[str] | None:
    """Name the files of the report that lies there; None if none does."""
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        return {MANIFEST, *manifest["files"]} if manifest["made_by"] == MADE_BY else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def put_down(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files beside `out`, then move them there at once; an older report goes only when the new one is whole.

    Raises
    ------
    ArgumentError, NotFoundError
        As `check`, which is asked once more: the place may have changed meanwhile.
    """
    check(out)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        fresh, old = Path(name) / "new", Path(name) / "old"
        fresh.mkdir()
        for file, content in files.items():
            (fresh / file).parent.mkdir(exist_ok=True)
            (fresh / file).write_bytes(content)
        if out.exists():
            out.rename(old)
        try:
            fresh.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
