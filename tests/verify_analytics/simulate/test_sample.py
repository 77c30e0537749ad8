"""The sample kept with the project is what its command makes, is small, and is fully described."""

import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from verify_analytics import load
from verify_analytics.simulate import sample

TABLES = ("callbacks", "verifications", "pulse")


@pytest.fixture
def kept(root: Path) -> Path:
    return root / "data" / "sample"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    sample.write(folder)
    return folder


@pytest.mark.parametrize("table", TABLES)
def test_the_kept_files_are_what_the_command_makes(table: str, kept: Path, made: Path) -> None:
    """To mend a failure after the simulator changed: ``python -m verify_analytics.simulate.sample``."""
    pd.testing.assert_frame_equal(
        pd.read_parquet(kept / f"{table}.parquet"), pd.read_parquet(made / f"{table}.parquet")
    )


def test_the_manifest_belongs_to_the_kept_files(kept: Path) -> None:
    manifest = json.loads((kept / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["synthetic"] is True
    for name, digest in manifest["files"].items():
        assert digest == f"sha256:{hashlib.sha256((kept / name).read_bytes()).hexdigest()}"
    assert manifest["rows"] == {table: len(pd.read_parquet(kept / f"{table}.parquet")) for table in TABLES}


def test_the_sample_stays_small_enough_to_be_committed(kept: Path) -> None:
    assert sum(file.stat().st_size for file in kept.iterdir()) < 300_000


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_in_the_dictionary_and_nothing_else_is(table: str, kept: Path) -> None:
    text = (kept / "README.md").read_text(encoding="utf-8")
    section = text.split(f"## {table}.parquet")[1].split("\n## ")[0]
    described = re.findall(r"^\| `(\w+)` \| .+ \| (?:yes|no) \| .+ \|$", section, re.MULTILINE)
    assert described == list(pd.read_parquet(kept / f"{table}.parquet").columns)


def test_what_the_dictionary_says_is_never_missing_is_not(kept: Path) -> None:
    text = (kept / "README.md").read_text(encoding="utf-8")
    for table in TABLES:
        frame = pd.read_parquet(kept / f"{table}.parquet")
        section = text.split(f"## {table}.parquet")[1].split("\n## ")[0]
        never = re.findall(r"^\| `(\w+)` \| .+ \| no \| .+ \|$", section, re.MULTILINE)
        assert not frame[never].isna().any(axis=None)


def test_file_and_folder_are_the_same_place(kept: Path) -> None:
    for read in (load.callbacks, load.verifications, load.pulse):
        of_file, of_folder = (read(kept / name) for name in ("callbacks.parquet", ""))
        assert of_file is not None
        assert of_folder is not None
        assert of_file.columns == of_folder.columns
        assert len(of_file) == len(of_folder) > 0
