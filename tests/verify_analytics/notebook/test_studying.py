"""A store is opened once for all cells: the period is honest, and work is shown where there is somebody to see it."""

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.verify_analytics.conftest import rows_of
from verify_analytics import notebook
from verify_analytics.errors import ArgumentError, NotFoundError

SAMPLE = Path(__file__).parents[3] / "data" / "sample" / "callbacks.parquet"
AS_OF = "2026-10-29T00:00Z"
BORDER = "2026-10-26T00:00Z"


@pytest.fixture(scope="module")
def whole() -> notebook.Study:
    return notebook.study(SAMPLE, as_of=AS_OF)


@pytest.fixture(scope="module")
def later() -> notebook.Study:
    return notebook.study(SAMPLE, as_of=AS_OF, since=BORDER)


def ids(study: notebook.Study) -> set[str]:
    return {row["session_id"] for row in rows_of(study.sessions)}


def test_two_periods_that_meet_hold_every_session_once(whole: notebook.Study, later: notebook.Study) -> None:
    before = notebook.study(SAMPLE, as_of=AS_OF, until=BORDER)
    assert not ids(before) & ids(later)
    assert ids(before) | ids(later) == ids(whole)
    assert len(ids(later)) > 50


def test_attempts_come_with_their_sessions(later: notebook.Study) -> None:
    attempts = [row for row in rows_of(later.attempts) if row["is_attempt"]]
    assert {row["session_id"] for row in attempts} == ids(later)


def test_callbacks_are_those_received_in_the_period(later: notebook.Study) -> None:
    first = min(row["received_us"] for row in rows_of(later.callbacks.select("received_us")))
    assert first >= datetime.fromisoformat(BORDER).timestamp() * 1e6


def test_it_says_what_it_holds(later: notebook.Study) -> None:
    said = f"{len(ids(later))} sessions that started from 2026-10-26 00:00 UTC, with "
    assert repr(later).startswith(said)
    assert later._repr_html_() == repr(later)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"since": AS_OF}, "since=2026-10-29T00:00Z is not before as_of=2026-10-29T00:00Z"),
        ({"since": BORDER, "until": BORDER}, "since=2026-10-26T00:00Z is not before until=2026-10-26T00:00Z"),
        ({"until": "2026-10-26"}, "until"),
    ],
)
def test_a_period_that_cannot_be_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        notebook.study(SAMPLE, as_of=AS_OF, **given)


def test_a_store_that_is_nowhere_is_said_by_the_name_it_was_given() -> None:
    with pytest.raises(NotFoundError, match=r"data/sampel/callbacks\.parquet"):
        notebook.study("data/sampel/callbacks.parquet", as_of=AS_OF)


class Handle:
    """What a notebook gives for an output that may change."""

    def __init__(self, first: dict[str, str]) -> None:
        self.seen = [first]

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.seen.append(data)


def test_in_a_notebook_one_bar_moves_and_leaves_what_was_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython
    import IPython.display

    handles: list[Handle] = []

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        handles.append(Handle(data))
        return handles[-1]

    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=True))
    monkeypatch.setattr(IPython.display, "display", display)
    study = notebook.study(SAMPLE, as_of=AS_OF)
    [handle] = handles
    steps = [data["text/html"] for data in handle.seen[1:]]
    assert [step.partition("value=")[2][:3] for step in steps[:-1]] == ['"0"', '"1"', '"2"', '"3"']
    assert "folding callbacks into attempts" in steps[2]
    assert handle.seen[-1]["text/plain"] == study.summary
    assert "<progress" not in steps[-1]


def test_in_a_script_nothing_is_shown(capsys: pytest.CaptureFixture[str], whole: Any) -> None:
    notebook.study(SAMPLE, as_of=AS_OF)
    assert capsys.readouterr() == ("", "")
    assert whole.summary
