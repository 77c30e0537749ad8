"""A report is put down whole or not at all, and never over something else."""

import json
from pathlib import Path
from typing import Any

import pytest

from verify_analytics.errors import ArgumentError
from verify_analytics.report import folder

MANIFEST = json.dumps({"made_by": folder.MADE_BY, "files": {"index.html": "x", "charts/a.svg": "x"}}).encode()
FILES = {"index.html": b"new", "charts/a.svg": b"<svg/>", "manifest.json": MANIFEST}


def names(place: Path) -> list[str]:
    return sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file())


def test_files_come_to_lie_where_they_should_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder.put_down(tmp_path / "report", FILES)
    assert names(tmp_path) == ["report/charts/a.svg", "report/index.html", "report/manifest.json"]


def test_an_older_report_is_replaced_with_all_its_files(tmp_path: Path) -> None:
    folder.put_down(tmp_path / "report", FILES)
    newer = {"index.html": b"newer", "manifest.json": MANIFEST}
    folder.put_down(tmp_path / "report", newer)
    assert names(tmp_path) == ["report/index.html", "report/manifest.json"]
    assert (tmp_path / "report" / "index.html").read_bytes() == b"newer"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    folder.put_down(tmp_path / "report", FILES)
    assert len(names(tmp_path / "report")) == 3


@pytest.mark.parametrize("moment", ["while writing", "while moving"])
def test_a_failure_leaves_the_older_report_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    folder.put_down(tmp_path / "report", FILES)
    write, rename = Path.write_bytes, Path.rename

    def full(path: Path, data: Any) -> int:
        if moment == "while writing" and path.name == "a.svg":
            raise OSError(28, "No space left on device")
        return write(path, data)

    def stuck(path: Path, target: Any) -> Path:
        if moment == "while moving" and path.name == "new":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(Path, "rename", stuck)
    with pytest.raises(OSError, match=r"No space|Input/output"):
        folder.put_down(tmp_path / "report", {**FILES, "index.html": b"half"})
    monkeypatch.undo()
    assert names(tmp_path) == ["report/charts/a.svg", "report/index.html", "report/manifest.json"]
    assert (tmp_path / "report" / "index.html").read_bytes() == b"new"


def test_a_report_with_a_strangers_file_in_it_is_not_thrown_away(tmp_path: Path) -> None:
    folder.put_down(tmp_path / "report", FILES)
    (tmp_path / "report" / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match=r"'notes.txt', which no report wrote"):
        folder.put_down(tmp_path / "report", FILES)
    assert (tmp_path / "report" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("manifest", [None, "", "[]", "{}", '{"made_by": "somebody", "files": {}}'])
def test_a_folder_that_is_no_report_is_left_alone(tmp_path: Path, manifest: str | None) -> None:
    there = tmp_path / "report"
    there.mkdir()
    (there / "index.html").write_text("a page of mine")
    if manifest is not None:
        (there / "manifest.json").write_text(manifest)
    with pytest.raises(ArgumentError, match="is no report"):
        folder.put_down(there, FILES)
    assert (there / "index.html").read_text() == "a page of mine"


def test_a_file_or_a_link_in_its_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("file", "link"):
        with pytest.raises(ArgumentError, match="is no folder"):
            folder.put_down(tmp_path / name, FILES)
