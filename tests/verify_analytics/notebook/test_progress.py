"""Long work shows how far it is, in one place, and only where somebody looks."""

import time
import warnings

import duckdb
import pytest

from verify_analytics import load, notebook
from verify_analytics.errors import DoubtfulWarning
from verify_analytics.notebook import progress

from .conftest import AS_OF, SAMPLE


class Told:
    """Remembers what was shown."""

    def __init__(self) -> None:
        self.said: list[tuple[str, float | None]] = []

    def show(self, words: str, share: float | None) -> None:
        self.said.append((words, share))

    def close(self) -> None:
        self.said.append(("closed", None))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(progress, "PAUSE_SECONDS", 0.02)
    return Told()


def test_a_script_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    notebook.study(str(SAMPLE / "callbacks.parquet"), as_of=AS_OF)
    assert capfd.readouterr() == ("", "")
    assert progress.face(None) is None


def test_a_script_is_told_if_it_asks(capfd: pytest.CaptureFixture[str], told: Told) -> None:
    notebook.study(str(SAMPLE / "callbacks.parquet"), as_of=AS_OF, progress=True)
    assert "folding callbacks into attempts" in capfd.readouterr().err


def test_a_query_is_counted_by_the_database(told: Told) -> None:
    ours = load.connection()
    settings = "SELECT current_setting('enable_progress_bar'), current_setting('enable_progress_bar_print')"
    before = ours.sql(settings).fetchall()
    steps = progress.Steps(told)
    rows = steps("counting", lambda: ours.sql("SELECT count(*) FROM range(30000000) WHERE range % 7 = 1").fetchall())
    shares = [share for _, share in told.said if share is not None]
    assert rows == [(4285715,)]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert ours.sql(settings).fetchall() == before


def test_the_reading_of_a_store_is_counted_by_rows(told: Told) -> None:
    def work() -> None:
        load.watching.tell("callbacks", 250, 1000)
        time.sleep(0.1)

    progress.Steps(told)("reading", work)
    assert told.said[-1] == ("reading (callbacks, 250 rows so far)", 0.25)


def test_what_goes_wrong_in_the_work_is_raised_as_it_is(told: Told) -> None:
    with pytest.raises(duckdb.Error, match="no_such_table"):
        progress.Steps(told)("asking", lambda: load.connection().sql("FROM no_such_table"))


def test_stopping_a_cell_stops_the_query(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(words: str, share: float | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(told, "show", stop)
    endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = 3"
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        progress.Steps(told)("waiting", lambda: load.connection().sql(endless).fetchall())
    assert time.monotonic() - began < 20
    assert load.connection().sql("SELECT 1").fetchall() == [(1,)]


def test_short_work_shows_no_bar() -> None:
    quick = Told()
    progress.Steps(quick)("quick", lambda: None)
    assert quick.said == []


def test_the_bar_is_html_without_script_and_says_the_same_in_words() -> None:
    drawn = progress.bar("folding <1>", 0.42)
    assert drawn["text/plain"] == "folding <1>: 42 %"
    assert '<progress max="100" value="42" aria-label="folding &lt;1&gt;">' in drawn["text/html"]
    assert "value" not in progress.bar("folding", None)["text/html"]


def test_no_progress_is_shown_where_it_is_not_wanted() -> None:
    assert progress.face(False) is None
    assert isinstance(progress.face(True), progress.OnTerminal)


class Output:
    """An output of a cell: how often one was made, and all that was ever in it."""

    def __init__(self) -> None:
        self.made = 0
        self.drawn: list[str] = []

    def display(self, shown: dict[str, str], **_: object) -> "Output":
        self.made += 1
        self.drawn.append(shown["text/plain"])
        return self

    def update(self, shown: dict[str, str], **_: object) -> None:
        self.drawn.append(shown["text/plain"])


def test_a_notebook_has_one_output_that_is_drawn_anew_and_left_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output()
    monkeypatch.setattr("IPython.display.display", output.display)
    bar = progress.InNotebook()
    for share in (0.1, 0.2):
        bar.show("folding", share)
    bar.close()
    assert output.drawn == ["folding: 10 %", "folding: 20 %", ""]
    assert output.made == 1


def test_what_is_doubtful_is_a_sentence_in_a_notebook_and_other_warnings_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output()
    others: list[object] = []
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", output.display)
    monkeypatch.setattr(warnings, "showwarning", lambda *said: others.append(said[0]))
    progress.speak_plainly()
    progress.speak_plainly()
    for kind in (DoubtfulWarning, UserWarning):
        warnings.showwarning(kind("few"), kind, "file.py", 1)
    assert output.drawn == ["Doubtful: few"]
    assert [str(each) for each in others] == ["few"]
