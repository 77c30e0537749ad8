"""A study is what a notebook's parameters ask for, and says what it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from verify_analytics import metrics, notebook
from verify_analytics.errors import ArgumentError, DoubtfulWarning, NotFoundError
from verify_analytics.notebook import Study

from .conftest import AS_OF, ROOT, SAMPLE

HALF = "2026-10-25T12:00Z"


def sessions(study: Study) -> set[str]:
    return {row[0] for row in study.sessions.select("session_id").fetchall()}


def test_since_and_until_share_the_sessions_out_and_lose_none(study: Study) -> None:
    early, late = study.part(None, HALF), study.part(HALF, None)
    assert sessions(early) | sessions(late) == sessions(study)
    assert not sessions(early) & sessions(late)
    assert [a + b for a, b in zip(early.counts, late.counts, strict=True)] == list(study.counts)


def test_a_session_is_kept_whole_with_what_came_after_until(study: Study) -> None:
    early = study.part(None, HALF)
    last = early.callbacks.aggregate("max(received_us) AS last").fetchall()[0][0]
    assert last >= early.sessions.aggregate("max(started_us) AS last").fetchall()[0][0]
    ids = {row[0] for row in early.callbacks.select("session_id").fetchall()}
    assert ids == sessions(early)


def test_who_is_mature_is_told_by_as_of_and_not_by_until() -> None:
    until = notebook.study(str(SAMPLE / "callbacks.parquet"), as_of=AS_OF, until="2026-10-25T12:05Z")
    assert metrics.delivery_rate(until.attempts)["immature"].iloc[0] == 0


def test_a_part_is_never_more_than_the_whole(study: Study) -> None:
    early = study.part(None, HALF)
    assert early.part("2026-10-24T00:00Z", None).until == early.until


@pytest.mark.parametrize("folder", [ROOT, ROOT / "notebooks"])
@pytest.mark.parametrize("store", ["data/sample/callbacks.parquet", "../data/sample/callbacks.parquet"])
def test_a_path_is_meant_from_the_notebook_or_the_root(
    folder: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert Path(notebook.places.found(store)).samefile(SAMPLE / "callbacks.parquet")
    assert Path(notebook.places.found(f"sqlite:///{store}").removeprefix("sqlite:///")).samefile(
        SAMPLE / "callbacks.parquet"
    )


def test_a_server_s_url_is_left_alone_and_never_shown_with_its_password() -> None:
    url = "postgresql://me:secret@db/verify"
    assert notebook.places.found(url) == url
    assert "secret" not in notebook.opening._named(url)


def test_a_wrong_path_is_answered_with_the_near_one() -> None:
    with pytest.raises(NotFoundError, match=r"did you mean 'callbacks\.parquet'"):
        notebook.study(str(SAMPLE / "callback.parquet"), as_of=AS_OF)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"since": HALF, "until": "2026-10-25T00:00Z"}, "since=.* is not before until="),
        ({"since": "2026-10-30T00:00Z"}, "since=.* is not before as_of="),
        ({"since": "yesterday"}, "since='yesterday' is no moment"),
        ({"patience": "15m"}, "patience='15m' is no duration"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(given: dict[str, str], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        notebook.study("no such file", as_of=AS_OF, **given)  # type: ignore[arg-type]


def test_an_empty_text_is_no_moment_at_all() -> None:
    made = notebook.study(str(SAMPLE / "callbacks.parquet"), as_of=AS_OF, since="", until=None)
    assert made.since is None


def test_an_empty_store_opens_and_says_that_it_is_empty(some_of_the_sample: Callable[[str], Path]) -> None:
    made = notebook.study(str(some_of_the_sample("false")), as_of=AS_OF)
    assert made.counts == (0, 0, 0)
    assert made.notices[0].startswith("This store holds no callbacks yet")
    assert made.notices[-1].startswith("No pulse was kept")
    with pytest.warns(DoubtfulWarning, match="not observable"):
        told = notebook.answers(made)
    assert set(told["n"]) == {0}


def test_a_moment_before_the_first_callback_is_told_with_the_first_callback() -> None:
    made = notebook.study(str(SAMPLE / "callbacks.parquet"), as_of="2026-10-01T00:00Z")
    assert made.notices[0].startswith("Nothing was received up to as_of: the first callback came 2026-10-2")


def test_a_period_without_sessions_is_told_with_what_is_there(study: Study) -> None:
    nothing = study.part("2026-10-01T00:00Z", "2026-10-02T00:00Z")
    assert nothing.notices[0].startswith("No session started in this period: the store's 1,716 callbacks")


def test_few_sessions_are_told(study: Study) -> None:
    few = study.part("2026-10-25T12:00Z", "2026-10-25T13:00Z")
    assert few.notices[0].startswith(f"Only {few.counts[2]} session")


def test_it_says_what_it_is(study: Study) -> None:
    assert repr(study.part(HALF, None)).splitlines()[1] == (
        "Sessions started from 2026-10-25 12:00 UTC, as of 2026-10-29 00:00 UTC, patience 15min, window 10min"
    )
    assert study._repr_html_().startswith("<p><strong>callbacks.parquet: 1,716 callbacks, 546 attempts, 423 sessions")


def test_each_answer_is_a_row_of_its_metric_unchanged(study: Study) -> None:
    told = notebook.answers(study).set_index("what")
    confirmed = metrics.delivery_rate(study.attempts).set_index("measure").loc["confirmed"]
    answer = told.loc["delivered, by receipt"]
    assert [answer[name] for name in ("count", "n", "rate", "low", "high")] == [
        confirmed[name] for name in ("count", "n", "rate", "low", "high")
    ]
    note = str(told.loc["sms: delivered or taken", "note"])
    assert note.endswith("sms against voice: higher; by receipts alone: too little data")
    assert set(told["more"]) <= {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
