"""What was shown becomes files, and a spreadsheet runs nothing of them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from verify_analytics import charts
from verify_analytics.errors import ArgumentError, VerifyAnalyticsError
from verify_analytics.notebook import export, show


@pytest.fixture
def chart() -> charts.Chart:
    return charts.delivery_rate(
        pd.DataFrame(
            columns=["measure", "count", "n", "rate", "low", "high", "immature", "unobserved", "unknown", "as_of"]
        )
    )


def test_a_chart_is_written_as_png_and_svg_and_its_frame_as_csv(
    tmp_path: Path, rates: pd.DataFrame, chart: charts.Chart
) -> None:
    written = export({"delivery": (show(rates, most=1), chart), "codes": rates}, out=tmp_path / "new" / "folder")
    assert [file.name for file in written.files] == ["delivery.csv", "delivery.png", "delivery.svg", "codes.csv"]
    assert all(file.stat().st_size for file in written.files)
    assert (tmp_path / "new" / "folder" / "delivery.png").read_bytes()[:4] == b"\x89PNG"
    assert len((tmp_path / "new" / "folder" / "delivery.csv").read_text().splitlines()) == 4
    assert str(tmp_path) not in repr(written)


def test_no_cell_starts_a_formula(tmp_path: Path) -> None:
    export({"bad": pd.DataFrame({"=head": ["=1+1", "@SUM(A1)"]})}, out=tmp_path)
    assert (tmp_path / "bad.csv").read_text() == "'=head\n'=1+1\n'@SUM(A1)\n"


def test_no_folder_writes_nothing_and_says_how(tmp_path: Path, rates: pd.DataFrame) -> None:
    assert export({"a": rates}, out=None).files == ()
    assert "name a folder in the parameter out" in repr(export({"a": rates}, out=""))


@pytest.mark.parametrize("shown", [{"../up": 1}, {"a b": 1}, {"": 1}, {"a": "text"}, ["a"]])
def test_what_cannot_be_a_file_is_refused_also_when_nothing_is_written(shown: Any) -> None:
    with pytest.raises(ArgumentError):
        export(shown, out=None)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path, rates: pd.DataFrame) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VerifyAnalyticsError, match="cannot be written to"):
        export({"a": rates}, out=tmp_path / "file")
