"""A report of an archive and the store that feeds it is the report of the whole, to the byte."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from verify_analytics import notebook, report
from verify_analytics.cli import main
from verify_analytics.errors import ArgumentError
from verify_analytics.report import study as report_study
from verify_analytics.report.manifest import command

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
AS_OF = "2026-10-29T00:00Z"
MOMENTS = {"callbacks": "received_at", "verifications": "received_at", "pulse": "minute"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the sample as an archive of all days but the last, and that one as a folder beside it."""
    folder = tmp_path_factory.mktemp("apart")
    parts = {}
    for table, moment in MOMENTS.items():
        rows = pq.read_table(SAMPLE / f"{table}.parquet")
        days = pc.strftime(rows[moment], "%Y-%m-%d")
        every = sorted(pc.unique(days).to_pylist())
        for day in every[:-1]:
            file = folder / "archive" / table / f"day={day}" / "part.parquet"
            write(rows.filter(pc.equal(days, day)), file)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            name = file.relative_to(folder / "archive").as_posix()
            parts[name] = {"rows": pq.read_metadata(file).num_rows, "digest": digest, "schema": "0001"}
        # Some of the day before is in both.
        write(rows.filter(pc.is_in(days, pa.array(every[-2:]))), folder / f"{table}.parquet")
    (folder / "archive" / "manifest.json").write_text(json.dumps({"archive_version": 1, "parts": parts}))
    return [str(folder / "archive"), str(folder / "callbacks.parquet")]


def write(rows: pa.Table, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, file)


def studied(where: Any) -> Any:
    return report_study.study(
        where, as_of=AS_OF, since=None, patience="15min", window="10min", say=lambda _: None, ready=lambda *_: None
    )


@pytest.mark.full
def test_the_figures_of_a_report_are_those_of_the_whole(archive: list[str]) -> None:
    apart, whole = studied(archive), studied(str(SAMPLE / "callbacks.parquet"))
    assert apart.facts == whole.facts
    assert (apart.attempts, apart.sessions) == (whole.attempts, whole.sessions)
    for name, frame in whole.frames.items():
        assert frame.equals(apart.frames[name]), name
    # Both places are named, and no folder of this machine.
    assert command(apart, archive).startswith("verify-analytics report archive callbacks.parquet --as-of")


def test_a_notebook_opens_both_and_says_so(archive: list[str]) -> None:
    opened = notebook.study(archive, as_of=AS_OF)
    assert opened.counts == notebook.study(str(SAMPLE / "callbacks.parquet"), as_of=AS_OF).counts
    assert opened.store == "archive and callbacks.parquet"


def test_the_command_takes_both(archive: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def build(where: Any, **_: Any) -> Path:
        asked.extend(where)
        return tmp_path

    monkeypatch.setattr(report, "build", build)
    done = CliRunner().invoke(main, ["report", *archive, "--as-of", AS_OF, "--out", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert asked == archive


def test_what_is_no_name_is_refused(tmp_path: Path) -> None:
    for given in ([], [3], {"a": 1}):
        with pytest.raises(ArgumentError, match="takes the name of a store, or several in a list"):
            report.build(given, as_of=AS_OF, out=tmp_path / "report")  # type: ignore[arg-type]
