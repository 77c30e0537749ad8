"""Charts and frames become files that open anywhere; nothing is written that was not asked for."""

from pathlib import Path

import pandas as pd
import pytest

from verify_analytics import charts, notebook
from verify_analytics.errors import ArgumentError, NotFoundError


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"from_at": [], "to_at": [], "minutes": [], "as_of": []})


def test_a_chart_becomes_png_and_svg_and_a_frame_csv(frame: pd.DataFrame, tmp_path: Path) -> None:
    odd = pd.DataFrame({"code": ["=1+1"], "n": [3]})
    things = {"gaps": charts.collector_gaps(frame), "codes": odd, "shown": notebook.show(odd)}
    written = notebook.export(things, out=tmp_path / "figures")
    assert [path.name for path in written] == ["gaps.png", "gaps.svg", "codes.csv", "shown.csv"]
    assert (tmp_path / "figures" / "gaps.png").read_bytes().startswith(b"\x89PNG")
    assert "<desc" in (tmp_path / "figures" / "gaps.svg").read_text()
    assert (tmp_path / "figures" / "codes.csv").read_text() == "code,n\n'=1+1,3\n"
    assert (tmp_path / "figures" / "shown.csv").read_bytes() == (tmp_path / "figures" / "codes.csv").read_bytes()
    assert "4 files in" in repr(written)


@pytest.mark.parametrize("out", [None, ""])
def test_without_a_folder_nothing_is_written_and_that_is_said(frame: pd.DataFrame, out: str | None) -> None:
    assert repr(notebook.export({"gaps": frame}, out=out)) == "Nothing was written: give out= a folder."


def test_what_cannot_be_written_is_refused_before_anything_is(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"'\.\./x' is no name of a file"):
        notebook.export({"a": frame, "../x": frame}, out=tmp_path / "figures")
    with pytest.raises(ArgumentError, match="b: export writes charts and frames, not a int"):
        notebook.export({"a": frame, "b": 3}, out=tmp_path / "figures")  # type: ignore[dict-item]
    with pytest.raises(NotFoundError, match=r"there is no folder .* to make 'figures' in"):
        notebook.export({"a": frame}, out=tmp_path / "nowhere" / "figures")
    assert list(tmp_path.iterdir()) == []
