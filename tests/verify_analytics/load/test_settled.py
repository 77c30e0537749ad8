"""Sessions that were settled stay so until something of theirs comes, and are what working out everything gives."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.load import in_parts, settledfiles, settledlook, settledqueries, settling

DAY = 86_400
OTHER_HARM = ("list of another format", "file gone", "hashes gone")
MORE = pytest.mark.parametrize("examples", [2, pytest.param(80, marks=pytest.mark.full)])
# Around the noon that histories begin at: that day, the next one, and one much later.
MOMENTS = [0, 3, 300, 43_190, 43_210, DAY, 9 * DAY]
PULSE = {"accepted": 0, "repeated": 0, "quarantined": 0, "refused": 0, "refused_by": "{}", "collector": "serve"}


def callbacks() -> st.SearchStrategy[dict[str, Any]]:
    """Make callbacks of few sessions on many days."""
    return st.fixed_dictionaries(
        {
            "at": st.sampled_from(MOMENTS),
            "status": st.sampled_from(["sent", "delivered", "undelivered", "odd"]),
            "session_id": st.sampled_from(["s1", "s2", "s3"]),
            "attempt_id": st.sampled_from(["a1", "a2", "a3", "a4", None]),
            "attempt_sequence": st.sampled_from([1, 2, None]),
            "channel": st.sampled_from(["sms", "voice"]),
            "session_status": st.sampled_from(["in-progress", "verified", "expired", None]),
            "requested_at": st.sampled_from([*MOMENTS, None]),
        }
    )


def reports() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Make reports about sessions, some of which nobody knows, and some of which come late."""
    one = st.fixed_dictionaries(
        {
            "session_id": st.sampled_from(["s1", "s2", "s3", "other"]),
            "verified_at": st.sampled_from(MOMENTS),
            "received_at": st.sampled_from(MOMENTS),
        }
    )
    return st.lists(one, max_size=2, unique_by=lambda row: (row["session_id"], row["verified_at"]))


def minutes_of(moments: Iterable[int]) -> list[int]:
    """Give the minutes around some moments, each with the ten that follow."""
    return sorted({moment // 60 + more for moment in moments for more in range(11)})


@MORE
def test_whatever_came_in_whatever_parts_they_are_what_working_out_everything_gives(
    examples: int,
    archive: Any,
    callback: Any,
    quick: Any,
    parquet: Any,
    tmp_path: Path,
    after: Any,
    rows_of: Any,
    monkeypatch: pytest.MonkeyPatch,
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
        steps=st.lists(st.tuples(st.lists(callbacks(), min_size=1, max_size=5), reports()), min_size=1, max_size=3),
        lost=st.sampled_from([None, "callbacks", "verifications"]),
        hot=st.tuples(st.lists(callbacks(), max_size=3), reports()),
        covered=st.lists(st.sampled_from(MOMENTS), max_size=3),
        as_of=st.lists(st.sampled_from([moment + 1 for moment in MOMENTS]), min_size=2, max_size=2),
        patience=st.sampled_from(["5min", "15min"]),
        one_by_one=st.booleans(),
    )
    def holds(
        steps: Any, lost: str | None, hot: Any, covered: list[int], as_of: list[int], patience: str, *, one_by_one: bool
    ) -> None:
        archive.empty()
        for name in ("SPAN", "OLD_SPAN"):
            monkeypatch.setattr(settling, name, 1 if one_by_one else 1_000)
        # What is kept of other histories, as of an archive that was made anew under its old name, must not mislead.
        pulse = [{**PULSE, "minute": 60 * minute} for minute in minutes_of(covered)]
        if pulse:
            archive.add(pulse, "pulse", "pulse")
        parts: dict[tuple[str, int], list[dict[str, Any]]] = {}

        def check(where: Any, seconds: int, more: tuple[list[Any], list[Any]] = ([], [])) -> None:
            known = {
                table: [row for (kind, _), rows in parts.items() if kind == table for row in rows]
                for table in ("callbacks", "verifications")
            }
            told = known["verifications"] + more[1]
            has_reports = any(kind == "verifications" for kind, _ in parts) or where is not archive.path
            expected = model.attempts(
                quick.callbacks(known["callbacks"] + more[0]),
                as_of=after(seconds),
                patience=patience,
                verifications=quick.verifications(told) if has_reports else None,
                pulse=quick.pulse(minutes_of(covered)) if pulse else None,
            )
            found = load.kept_attempts(where, tmp_path / "kept", as_of=after(seconds), patience=patience, window="7min")
            assert rows_of(found.attempts, "key") == rows_of(expected, "key")
            sessions = rows_of(model.sessions(expected, window="7min"), "session_id")
            assert rows_of(found.sessions, "session_id") == sessions

        for number, (rows, told) in enumerate(steps):
            parts["callbacks", number] = [callback(**row) for row in rows]
            archive.add(parts["callbacks", number], f"part-{number}")
            if told:
                parts["verifications", number] = told
                archive.add(told, f"part-{number}", "verifications")
            check(archive.path, as_of[0])
        if (lost, 0) in parts and len([kind for kind, _ in parts if kind == lost]) > 1:
            del parts[str(lost), 0]
            archive.lose("part-0", lost)
            check(archive.path, as_of[0])
        beside = [callback(**row) for row in hot[0]], hot[1]
        for table, rows in zip(("callbacks", "verifications"), beside, strict=True):
            parquet(f"beside/{table}.parquet", rows, table)
        check([archive.path, tmp_path / "beside" / "callbacks.parquet"], as_of[1], beside)

    holds()


@pytest.fixture
def weeks(archive: Any, callback: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give an archive of three days, one session each, that are settled one by one."""
    monkeypatch.setattr(settling, "SPAN", 1)
    monkeypatch.setattr(settling, "OLD_SPAN", 1)
    for day in range(3):
        moment = day * DAY
        row = callback(moment, "delivered", session_id=f"s{day}", attempt_id=f"a{day}", requested_at=moment)
        archive.add([row], f"part-{day}")
    return archive


def settled(folder: Path) -> dict[tuple[str, ...], list[str]]:
    return {span.days: sorted(span.parts) for span in settledfiles.read(folder).spans}


def test_a_new_day_leaves_the_others_as_they_are(weeks: Any, callback: Any, after: Any, tmp_path: Path) -> None:
    load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(9 * DAY))
    before = settled(tmp_path / "kept")
    assert list(before) == [("2026-09-01",), ("2026-09-02",), ("2026-09-03",)]
    weeks.add([callback(3 * DAY, session_id="s3", attempt_id="a3", requested_at=3 * DAY)], "new")
    load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(9 * DAY))
    found = settled(tmp_path / "kept")
    assert {days: parts for days, parts in found.items() if days in before} == before
    assert ("2026-09-04",) in found


def test_a_session_that_goes_on_the_next_day_is_settled_as_a_whole_on_the_day_it_began(
    weeks: Any, callback: Any, after: Any, tmp_path: Path, rows_of: Any
) -> None:
    again = {"session_id": "s0", "attempt_id": "a9", "attempt_sequence": 2, "channel": "voice", "requested_at": DAY + 9}
    weeks.add([callback(DAY + 9, "completed", **again)], "again")
    found = load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(9 * DAY))
    expected = load.keep(model.attempts(load.callbacks(weeks.path), as_of=after(9 * DAY)))
    assert rows_of(found.attempts, "key") == rows_of(expected, "key")
    assert rows_of(found.sessions, "session_id") == rows_of(model.sessions(expected), "session_id")
    assert [row["role"] for row in rows_of(expected, "key") if row["key"] == "a9"] == ["fallback"]
    rows = {
        days: [reach.rows for reach in parts.values()] for days, parts in settledfiles.read(tmp_path / "kept").spans
    }
    assert rows == {("2026-09-01",): [2], ("2026-09-02",): [1], ("2026-09-03",): [1]}


@pytest.mark.parametrize("late", ["callback", "report", "other session"])
def test_what_comes_late_settles_the_days_of_its_session_anew(
    late: str, weeks: Any, callback: Any, after: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    before = settled(folder)
    if late == "report":
        report = {"session_id": "s1", "verified_at": DAY + 5, "received_at": 3 * DAY}
        weeks.add([report], "late", "verifications")
    else:
        session = "s1" if late == "callback" else "s7"
        weeks.add([callback(3 * DAY, session_id=session, attempt_id="a1", requested_at=DAY)], "late")
    load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    found = settled(folder)
    assert [days for days in before if found[days] != before[days]] == [("2026-09-02",)]


def test_what_lies_elsewhere_is_looked_at_and_not_kept(
    weeks: Any, callback: Any, after: Any, tmp_path: Path, parquet: Any
) -> None:
    folder = tmp_path / "kept"
    load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    before = settled(folder)
    hot = parquet("hot.parquet", [callback(3 * DAY, session_id="s1", attempt_id="a9", requested_at=3 * DAY)])
    found = load.kept_attempts([weeks.path, hot], folder, as_of=after(9 * DAY))
    assert found.attempts.filter("session_id = 's1'").aggregate("count(*)").fetchall() == [(2,)]
    assert settled(folder) == before
    assert list(folder.glob("now/*.parquet"))
    load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    assert not list(folder.glob("now/*"))


def test_another_moment_patience_and_window_need_nothing_anew(
    weeks: Any, after: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(9 * DAY))

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("something was settled again")

    monkeypatch.setattr(settledqueries.Writing, "part", never)
    found = load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(30 * DAY), patience="1h", window="2h")
    assert found.sessions.project("window_seconds, patience_seconds").distinct().fetchall() == [(7200, 3600)]


@pytest.mark.parametrize(
    "harm",
    ["list torn", "file torn", *(pytest.param(harm, marks=pytest.mark.full) for harm in OTHER_HARM)],
)
def test_what_is_not_whole_is_settled_again(
    harm: str, weeks: Any, callback: Any, after: Any, tmp_path: Path, rows_of: Any
) -> None:
    folder = tmp_path / "kept"
    load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    told = folder / settledfiles.LIST
    if harm == "list torn":
        told.write_text(told.read_text()[:50])
    elif harm == "list of another format":
        told.write_text(told.read_text().replace('"version": [', '"version": [0,'))
    elif harm == "file gone":
        next(folder.glob("from=*/*-sessions.parquet")).unlink()
    elif harm == "file torn":
        next(folder.glob("from=*/*-attempts.parquet")).write_text("x")
    else:
        shutil.rmtree(folder / "sessions-of")
    # Something new, so that it is asked which days know of it.
    weeks.add([callback(3 * DAY, session_id="s1", attempt_id="a1", requested_at=DAY)], "late")
    found = load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    expected = load.keep(model.attempts(load.callbacks(weeks.path), as_of=after(9 * DAY)))
    assert rows_of(found.attempts, "key") == rows_of(expected, "key")
    assert rows_of(found.sessions, "session_id") == rows_of(model.sessions(expected), "session_id")


def test_states_that_were_made_anew_under_their_old_names_are_other_ones(
    weeks: Any, callback: Any, after: Any, tmp_path: Path
) -> None:
    load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(9 * DAY))
    names = sorted(file.name for file in (weeks.path / "states").glob("day=*/*.parquet"))
    shutil.rmtree(weeks.path / "states")
    shutil.rmtree(weeks.path / "callbacks")
    for day in range(3):
        row = callback(day * DAY, "undelivered", session_id=f"s{day}", attempt_id=f"a{day}", requested_at=day * DAY)
        weeks.add([row], f"part-{day}")
    found = load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(9 * DAY))
    assert found.attempts.project("outcome").distinct().fetchall() == [("undelivered",)]
    assert sorted(file.name for file in (weeks.path / "states").glob("day=*/*.parquet")) == names


def test_whoever_is_stopped_goes_on_where_he_was(
    weeks: Any, after: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    given = settling.span_settled
    done: list[tuple[str, ...]] = []

    def stopped(place: Path, known: Any, sources: Any, writing: Any, days: tuple[str, ...]) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(days)
        return given(place, known, sources, writing, days)

    with monkeypatch.context() as patched:
        patched.setattr(in_parts, "span_settled", stopped)
        with pytest.raises(KeyboardInterrupt):
            load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    kept = "SELECT value FROM duckdb_settings() WHERE name = 'preserve_insertion_order'"
    assert load.connection().execute(kept).fetchall() == [("true",)]
    assert sorted(settled(folder)) == sorted(done)
    before = settled(folder)
    found = load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    assert {days: settled(folder)[days] for days in before} == before
    assert found.sessions.aggregate("count(*)").fetchall() == [(3,)]


@pytest.mark.parametrize("table", ["callbacks", "verifications"])
def test_an_archive_that_lacks_a_listed_part_is_refused(table: str, weeks: Any, after: Any, tmp_path: Path) -> None:
    weeks.add([{"session_id": "s1", "verified_at": DAY + 5, "received_at": DAY + 6}], "part-0", "verifications")
    (weeks.path / table / "day=2026-09-01" / "part-0.parquet").unlink()
    with pytest.raises(SchemaError, match=f"names {table}/day=2026-09-01/part-0.parquet, which is not there"):
        load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(9 * DAY))
    if table == "callbacks":
        with pytest.raises(SchemaError, match="which is not there"):
            load.states(weeks.path, as_of=after(9 * DAY))


def test_files_that_are_not_ours_stay(weeks: Any, after: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    (folder / "notes").mkdir(parents=True)
    (folder / "notes" / "mine.parquet").write_text("x")
    load.kept_attempts(weeks.path, folder, as_of=after(9 * DAY))
    assert (folder / "notes" / "mine.parquet").read_text() == "x"


def test_an_archive_is_no_place_for_what_is_worked_out(weeks: Any, after: Any) -> None:
    before = set(weeks.path.iterdir())
    with pytest.raises(ArgumentError, match="is an archive; give a folder of its own"):
        load.kept_attempts(weeks.path, weeks.path, as_of=after(9 * DAY))
    assert set(weeks.path.iterdir()) - before <= {weeks.path / "states"}


@pytest.mark.parametrize("groups", [0, pytest.param(1, marks=pytest.mark.full), 8])
def test_days_in_one_run_of_coverage_are_not_joined_with_minutes_and_say_the_same(
    groups: int, weeks: Any, after: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_of: Any
) -> None:
    # A run that ends within the waiting of the second day, and one that begins within that of the third.
    minutes = [*range(-5, 1445), *range(2 * 1440 + 3, 2 * 1440 + 90)]
    weeks.add([{**PULSE, "minute": 60 * minute} for minute in minutes], "pulse", "pulse")
    monkeypatch.setattr(settledlook, "GROUPS", groups)
    asked: list[int] = []
    given = settledlook._groups

    def noted(*args: Any) -> Any:
        made = given(*args)
        asked.append(sum(len(parts) for alike, parts in made if alike is not None))
        return made

    monkeypatch.setattr(settledlook, "_groups", noted)
    found = load.kept_attempts(weeks.path, tmp_path / "kept", as_of=after(9 * DAY))
    callbacks, pulse = load.callbacks(weeks.path), load.pulse(weeks.path)
    expected = load.keep(model.attempts(callbacks, as_of=after(9 * DAY), pulse=pulse))
    assert rows_of(found.attempts, "key") == rows_of(expected, "key")
    assert rows_of(found.sessions, "session_id") == rows_of(model.sessions(expected), "session_id")
    assert [row["outcome"] for row in rows_of(expected, "key")] == ["delivered", "unobserved", "unobserved"]
    assert asked == [min(groups, 2)]
