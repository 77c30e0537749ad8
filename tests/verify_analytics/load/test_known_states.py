"""States kept beside an archive are what folding everything gives, however the rows came, and from whatever moment."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.load import statefiles, statefold

DAY = 86_400
MORE = pytest.mark.parametrize("examples", [4, pytest.param(100, marks=pytest.mark.full)])
# Around the noon that histories begin at: the day before, that day, and the days after.
MOMENTS = [-DAY, -40_000, 0, 3, 40_000, 43_199, 43_201, 60_000, DAY, DAY + 43_300, 3 * DAY, 9 * DAY]


def callbacks() -> st.SearchStrategy[dict[str, Any]]:
    """Make callbacks of few attempts on many days: whatever is told late, or contradicts itself."""
    return st.fixed_dictionaries(
        {
            "at": st.sampled_from(MOMENTS),
            "status": st.sampled_from(["queued", "sent", "delivered", "undelivered", "odd", None]),
            "session_id": st.sampled_from(["s1", "s2"]),
            "attempt_id": st.sampled_from(["a1", "a2", "a3", None]),
            "session_status": st.sampled_from(["in-progress", "verified", None]),
            "error_code": st.sampled_from(["30", "200", None]),
            "requested_at": st.sampled_from([*MOMENTS, None]),
            "country": st.sampled_from(["GB", "US", None]),
        }
    )


@MORE
def test_whatever_came_in_whatever_parts_the_states_are_those_of_a_full_fold(
    examples: int, archive: Any, callback: Any, rows_of: Any, after: Any, quick: Any, parquet: Any, tmp_path: Path
) -> None:
    @settings(
        max_examples=examples,
        phases=(Phase.explicit, Phase.generate),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(
        steps=st.lists(st.lists(callbacks(), min_size=1, max_size=6), min_size=1, max_size=4),
        lost=st.integers(0, 3),
        hot=st.lists(callbacks(), max_size=4),
        as_of=st.lists(st.sampled_from([moment + 1 for moment in MOMENTS]), min_size=2, max_size=2),
    )
    def holds(steps: Any, lost: int, hot: Any, as_of: list[int]) -> None:
        archive.empty()
        parts: dict[int, list[dict[str, Any]]] = {}
        known: list[dict[str, Any]] = []
        for number, step in enumerate(steps):
            parts[number] = [callback(**row) for row in step]
            known = [row for rows in parts.values() for row in rows]
            archive.add(parts[number], f"part-{number}")
            # What is read of an earlier moment must be so after every step.
            assert states(archive.path, as_of[0]) == folded(known, as_of[0])
        if lost in parts and len(parts) > 1:
            del parts[lost]
            known = [row for rows in parts.values() for row in rows]
            archive.lose(f"part-{lost}")
            assert states(archive.path, as_of[0]) == folded(known, as_of[0])
        more = [callback(**row) for row in hot]
        beside = parquet("beside.parquet", more)
        assert states([archive.path, beside], as_of[1]) == folded(known + more, as_of[1])

    def states(where: Any, seconds: float) -> Any:
        return rows_of(load.states(where, as_of=after(seconds)), "key")

    def folded(rows: Any, seconds: float) -> Any:
        return rows_of(model.fold(quick.callbacks(row for row in rows if row["received_at"] <= seconds)), "key")

    holds()


@pytest.fixture
def midnight(archive: Any, callback: Any) -> Any:
    """Give an archive in which an attempt was requested before midnight and delivered after it."""
    late = 43_190
    archive.add([callback(0, "sent"), callback(late, "sent", attempt_id="a2", requested_at=late)], "one")
    archive.add([callback(43_220, "delivered", attempt_id="a2", requested_at=late)], "two")
    return archive


def test_an_attempt_lies_in_the_day_it_was_requested_on(midnight: Any, callback: Any, after: Any, rows_of: Any) -> None:
    found = rows_of(load.states(midnight.path, as_of=after(DAY)), "key")
    assert [row["key"] for row in found] == ["a1", "a2"]
    assert found[1]["delivered_us"] is not None
    # One of which nothing was heard before midnight, and one that nobody says when it was requested.
    heard = [callback(43_230, "sent", attempt_id="a3", requested_at=43_190), callback(43_240, "sent", attempt_id="a4")]
    midnight.add([heard[0]], "three")
    load.states(midnight.path, as_of=after(DAY))
    assert midnight.days() == ["day=2026-09-01"]
    midnight.add([{**heard[1], "requested_at": None}], "four")
    load.states(midnight.path, as_of=after(DAY))
    assert midnight.days() == ["day=2026-09-01", "day=2026-09-02"]


def test_a_new_part_rewrites_only_the_days_that_it_meets(midnight: Any, callback: Any, after: Any) -> None:
    load.states(midnight.path, as_of=after(DAY))
    midnight.add([callback(2 * DAY, "sent", attempt_id="a3", requested_at=2 * DAY)], "three")
    load.states(midnight.path, as_of=after(9 * DAY))
    before = {file: file.stat().st_mtime_ns for file in (midnight.path / "states").glob("day=*/*.parquet")}
    midnight.add([callback(2 * DAY + 5, "delivered", attempt_id="a3", requested_at=2 * DAY)], "four")
    load.states(midnight.path, as_of=after(9 * DAY))
    kept = statefiles.read(midnight.path, statefiles.parts_of(midnight.path) or {})
    untouched = midnight.path / "states" / kept.days["2026-09-01"].file
    assert before[untouched] == untouched.stat().st_mtime_ns
    assert midnight.path / "states" / kept.days["2026-09-03"].file not in before


def test_a_part_is_folded_once(midnight: Any, after: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    load.states(midnight.path, as_of=after(DAY))
    asked: list[list[str]] = []
    given = statefold.callbacks_in

    def noted(archive: Path, parts: Iterable[str]) -> Any:
        asked.append(list(parts))
        return given(archive, parts)

    monkeypatch.setattr(statefold, "callbacks_in", noted)
    load.states(midnight.path, as_of=after(DAY))
    assert asked == []


def test_an_earlier_moment_folds_only_what_was_under_way(midnight: Any, after: Any, rows_of: Any) -> None:
    # Of a2 only the first callback had come; a1 was settled by then.
    found = rows_of(load.states(midnight.path, as_of=after(43_200)), "key")
    assert [(row["key"], row["delivered_us"]) for row in found] == [("a1", None), ("a2", None)]
    assert rows_of(load.states(midnight.path, as_of=after(100)), "key")[0]["key"] == "a1"
    assert rows_of(load.states(midnight.path, as_of=after(-1))) == []


@pytest.mark.parametrize("harm", ["deleted", "list torn", "file gone", "file torn", "other rows", "other format"])
def test_states_that_are_not_whole_are_made_again(harm: str, midnight: Any, after: Any, rows_of: Any) -> None:
    expected = rows_of(load.states(midnight.path, as_of=after(DAY)), "key")
    folder = midnight.path / "states"
    told = folder / "states.json"
    if harm == "deleted":
        shutil.rmtree(folder)
    elif harm == "list torn":
        told.write_text(told.read_text()[:40])
    elif harm == "file gone":
        next(folder.glob("day=*/*.parquet")).unlink()
    elif harm == "file torn":
        next(folder.glob("day=*/*.parquet")).write_text("x")
    elif harm == "other rows":
        shutil.copy(next(midnight.path.glob("callbacks/*/*.parquet")), next(folder.glob("day=*/*.parquet")))
    else:
        known = json.loads(told.read_text())
        told.write_text(json.dumps({**known, "states_version": 0}))
        # What another version means by a column nobody knows: here it is the states of other attempts.
        other = load.connection().read_parquet(str(folder / known["days"]["2026-09-01"][0]))
        load.keep(other.project("* REPLACE (key || '-other' AS key)")).to_parquet(
            str(folder / known["days"]["2026-09-01"][0])
        )
    assert rows_of(load.states(midnight.path, as_of=after(DAY)), "key") == expected


def test_what_left_the_archive_is_in_no_state_and_in_no_file(
    midnight: Any, callback: Any, after: Any, rows_of: Any
) -> None:
    midnight.add([callback(50, "sent", attempt_id="gone", recipient_key="k:gone")], "three")
    assert len(rows_of(load.states(midnight.path, as_of=after(DAY)))) == 3
    midnight.lose("three")
    assert [row["key"] for row in rows_of(load.states(midnight.path, as_of=after(DAY)), "key")] == ["a1", "a2"]
    files = list((midnight.path / "states").rglob("*.parquet"))
    assert not any("gone" in row["key"] for file in files for row in rows_of(load.connection().read_parquet(str(file))))


def test_a_part_that_was_written_anew_is_folded_anew(midnight: Any, callback: Any, after: Any, rows_of: Any) -> None:
    load.states(midnight.path, as_of=after(DAY))
    midnight.add([callback(0, "sent")], "one")
    found = rows_of(load.states(midnight.path, as_of=after(DAY)), "key")
    assert [(row["key"], row["accepted_us"] is None) for row in found] == [("a1", False), ("a2", True)]


def test_a_part_that_is_gone_leaves_the_days_alone_that_it_had_no_share_in(
    midnight: Any, callback: Any, after: Any, rows_of: Any
) -> None:
    midnight.add([callback(5 * DAY, "sent", attempt_id="later", requested_at=5 * DAY)], "later")
    load.states(midnight.path, as_of=after(9 * DAY))
    before = {file.relative_to(midnight.path) for file in midnight.path.glob("states/day=*/*.parquet")}
    midnight.lose("one")
    found = rows_of(load.states(midnight.path, as_of=after(9 * DAY)), "key")
    assert found == rows_of(model.fold(load.callbacks(midnight.path)), "key")
    left = {file.relative_to(midnight.path) for file in midnight.path.glob("states/day=*/*.parquet")}
    assert {file.parent.name for file in before & left} == {"day=2026-09-06"}


def test_who_was_erased_is_in_no_file_though_it_was_broken_off(
    midnight: Any, callback: Any, after: Any, rows_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight.add([callback(50, "sent", attempt_id="gone", recipient_key="k:gone")], "three")
    load.states(midnight.path, as_of=after(DAY))
    midnight.lose("three")

    def cut_off(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(statefold, "write", cut_off)
        with pytest.raises(KeyboardInterrupt):
            load.states(midnight.path, as_of=after(DAY))
    assert not any("gone" in keys for keys in _keys(midnight.path, rows_of))
    assert [row["key"] for row in rows_of(load.states(midnight.path, as_of=after(DAY)), "key")] == ["a1", "a2"]


def _keys(archive: Path, rows_of: Any) -> list[list[str]]:
    files = sorted((archive / "states").rglob("*.parquet"))
    return [[row["key"] for row in rows_of(load.connection().read_parquet(str(file)))] for file in files]


@pytest.mark.parametrize("step", ["fold", "write", "tidy"])
def test_an_update_that_was_cut_off_is_done_again(
    step: str, midnight: Any, callback: Any, after: Any, rows_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load.states(midnight.path, as_of=after(DAY))
    midnight.add([callback(2 * DAY, "sent", attempt_id="a3", requested_at=0)], "three")
    expected = rows_of(model.fold(load.callbacks(midnight.path)), "key")

    def cut_off(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(statefold, step, cut_off)
        with pytest.raises(KeyboardInterrupt):
            load.states(midnight.path, as_of=after(9 * DAY))
    (midnight.path / "states/day=2026-09-01/000009.parquet.new").write_text("half")
    assert rows_of(load.states(midnight.path, as_of=after(9 * DAY)), "key") == expected
    midnight.add([callback(3 * DAY, "sent", attempt_id="a4", requested_at=0)], "four")
    load.states(midnight.path, as_of=after(9 * DAY))
    assert not list((midnight.path / "states").rglob("*.new"))


def test_a_part_that_is_shown_and_not_listed_counts(midnight: Any, parquet: Any, callback: Any, after: Any) -> None:
    parquet("archive/callbacks/day=2026-09-02/new.parquet", [callback(50, "sent", attempt_id="a3")])
    assert len(load.states(midnight.path, as_of=after(DAY)).fetchall()) == 3


def test_files_that_were_replaced_stay_a_day_for_who_has_opened_them(midnight: Any, callback: Any, after: Any) -> None:
    old = load.states(midnight.path, as_of=after(DAY))
    files = set((midnight.path / "states").glob("day=*/*.parquet"))
    midnight.add([callback(60, "sent", attempt_id="a3")], "three")
    load.states(midnight.path, as_of=after(DAY))
    assert len(old.fetchall()) == 2
    for file in files:
        os.utime(file, (1, 1))
    midnight.add([callback(61, "sent", attempt_id="a4")], "four")
    load.states(midnight.path, as_of=after(DAY))
    assert not any(file.exists() for file in files)


def test_where_nothing_can_be_kept_everything_is_folded(
    midnight: Any, after: Any, rows_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows_of(load.states(midnight.path, as_of=after(DAY)), "key")
    (midnight.path / "manifest.json").unlink()
    assert rows_of(load.states(midnight.path, as_of=after(DAY)), "key") == expected
    shutil.rmtree(midnight.path / "states")
    # Root may write anywhere, so that a folder which cannot be made stands for one that cannot be written.
    (midnight.path / "states").write_text("a file in its place")
    midnight.list()
    assert rows_of(load.states(midnight.path, as_of=after(DAY)), "key") == expected


def test_the_states_of_any_place_are_those_of_its_callbacks(
    midnight: Any, store: Any, quick: Any, callback: Any, after: Any, rows_of: Any
) -> None:
    rows = [callback(0, "sent"), callback(90, "delivered")]
    for where in (store({"callbacks": rows}), quick.callbacks(rows)):
        found = rows_of(load.states(where, as_of=after(60)), "key")
        assert [(row["accepted_us"] is None, row["delivered_us"] is None) for row in found] == [(False, True)]


def test_finished_they_are_the_attempts(midnight: Any, after: Any, rows_of: Any) -> None:
    known = load.states(midnight.path, as_of=after(DAY))
    expected = model.attempts(load.callbacks(midnight.path), as_of=after(DAY))
    assert rows_of(model.finish(known, as_of=after(DAY)), "key") == rows_of(expected, "key")


def test_mistakes_are_answered(midnight: Any) -> None:
    with pytest.raises(ArgumentError, match="has no time zone"):
        load.states(midnight.path, as_of="2026-09-02T00:00")
    parts = {"callbacks/day=2026-09-01/one.parquet": 3}
    (midnight.path / "manifest.json").write_text(json.dumps({"archive_version": 1, "parts": parts}))
    with pytest.raises(SchemaError, match=r"does not name its parts.*: bring it back from a copy"):
        load.states(midnight.path, as_of="2026-09-02T00:00Z")
    (midnight.path / "manifest.json").write_text("{")
    with pytest.raises(SchemaError, match=r"cannot be read .*: bring it back from a copy, or move it away"):
        load.states(midnight.path, as_of="2026-09-02T00:00Z")
