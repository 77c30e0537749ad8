"""What cannot be reported on is refused in one sentence, before anything is written."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from verify_analytics import report
from verify_analytics.errors import ArgumentError, NotFoundError, SchemaError, VerifyAnalyticsError

AS_OF = "2026-10-29T00:00Z"


def refused(where: Any, out: Path, **asked: Any) -> str:
    """Ask for a report that cannot be made; give the sentence."""
    with pytest.raises(VerifyAnalyticsError) as caught:
        report.build(where, **{"as_of": AS_OF, "out": out, **asked})
    assert not out.exists()
    assert [file for file in out.parent.iterdir() if file.name.startswith(".")] == []
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "report"


def test_a_store_that_is_not_there(out: Path) -> None:
    assert "no file or folder" in refused(out.parent / "callbacks.db", out)


def test_a_store_without_any_callback(store: Path, out: Path) -> None:
    empty = out.parent / "empty.parquet"
    pd.read_parquet(store).head(0).to_parquet(empty)
    assert refused(empty, out) == "empty.parquet holds no callbacks yet: nothing to report"


def test_a_store_that_began_later(store: Path, out: Path) -> None:
    sentence = refused(store, out, as_of="2020-01-01T00:00Z")
    assert sentence.startswith("callbacks.parquet holds no callbacks up to 2020-01-01 00:00 UTC: its first one was")


def test_wrong_columns(store: Path, out: Path) -> None:
    odd = out.parent / "odd.parquet"
    pd.read_parquet(store).rename(columns={"channel": "chanel"}).to_parquet(odd)
    assert "channel" in refused(odd, out)


@pytest.mark.parametrize("name", ["as_of", "since"])
def test_a_moment_without_its_zone(store: Path, out: Path, name: str) -> None:
    assert "has no time zone" in refused(store, out, **{name: "2026-10-28T00:00"})


def test_since_that_is_not_before_as_of(store: Path, out: Path) -> None:
    assert refused(store, out, since=AS_OF) == "since=2026-10-29T00:00Z is not before as_of=2026-10-29T00:00Z"


def test_since_after_the_last_session(store: Path, out: Path) -> None:
    assert "started since 2026-10-28 23:59 UTC" in refused(store, out, since="2026-10-28T23:59Z")


@pytest.mark.parametrize("name", ["patience", "window"])
def test_a_duration_without_a_unit(store: Path, out: Path, name: str) -> None:
    assert name in refused(store, out, **{name: "15"})


def test_a_folder_that_is_not_there_to_write_into(store: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="make it first"):
        report.build(store, as_of=AS_OF, out=tmp_path / "no" / "report")


def test_a_dataframe_is_no_store(store: Path, out: Path) -> None:
    assert "not DataFrame" in refused(pd.read_parquet(store), out)


def test_a_file_that_is_no_store(out: Path) -> None:
    note = out.parent / "note.txt"
    note.write_text("hello")
    with pytest.raises(SchemaError):
        report.build(note, as_of=AS_OF, out=out)


def test_a_folder_with_something_else_in_it_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not lose me")
    with pytest.raises(ArgumentError, match="is no report"):
        report.build(tmp_path / "nothing.db", as_of=AS_OF, out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "do not lose me"
