"""Small cells that were planted are in no frame, and follow from no two figures that stay."""

import itertools

import pandas as pd
import pytest

from verify_analytics.errors import ArgumentError
from verify_analytics.report import suppress


def rates(by: list[str], *rows: tuple[object, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=[*by, "measure", "count", "n"])
    return frame.assign(rate=frame["count"] / frame["n"], low=0.0, high=1.0, immature=0)


def kept(frame: pd.DataFrame, min_cell: int = 10) -> list[list[object]]:
    frames, _ = suppress.suppressed({"x": frame}, min_cell)
    shown = frames["x"]
    return shown[[*shown.columns[: list(shown.columns).index("n") + 1]]].to_numpy().tolist()


def test_nothing_is_hidden_unless_asked() -> None:
    frame = rates(["country"], ("DE", "confirmed", 1, 3))
    frames, hidden = suppress.suppressed({"x": frame}, 0)
    assert hidden == 0
    pd.testing.assert_frame_equal(frames["x"], frame)


@pytest.mark.parametrize(
    ("count", "n", "why"),
    [(3, 9, "few cases"), (3, 100, "a small count"), (97, 100, "a small rest"), (0, 9, "few cases, none counted")],
)
def test_a_small_cell_is_taken_out(count: int, n: int, why: str) -> None:
    assert kept(rates(["a"], ("x", "whole", count, n))) == [], why


@pytest.mark.parametrize(("count", "n"), [(10, 100), (90, 100), (0, 100), (100, 100), (0, 0)])
def test_a_cell_that_is_large_or_nothing_stays(count: int, n: int) -> None:
    assert kept(rates(["a"], ("x", "whole", count, n))) == [["x", "whole", count, n]]


def test_two_measures_of_a_group_that_differ_by_few_do_not_both_stay() -> None:
    """Reached attempt 2: 50, attempt 3: 45; so 5 took exactly two."""
    found = kept(rates([], ("reaches_attempt_2", 50, 200), ("reaches_attempt_3", 45, 200)))
    assert found == [["reaches_attempt_2", 50, 200]]


def test_a_single_hidden_group_takes_the_next_smallest_with_it() -> None:
    """A total stands elsewhere: with one group hidden, it less the others would be that group."""
    rows = [("DE", "whole", 500, 1000), ("FR", "whole", 50, 100), ("GB", "whole", 30, 60), ("AU", "whole", 2, 4)]
    assert [row[0] for row in kept(rates(["country"], *rows))] == ["DE", "FR"]


def test_two_hidden_groups_that_are_small_together_take_a_third() -> None:
    rows = [("DE", "whole", 500, 1000), ("FR", "whole", 50, 100), ("AU", "whole", 2, 4), ("NZ", "whole", 1, 3)]
    assert [row[0] for row in kept(rates(["country"], *rows))] == ["DE"]


def test_a_code_that_few_had_takes_another_with_it() -> None:
    rows = [("sms", code, "share_of_unsuccessful", count, 100) for code, count in (("80", 60), ("30", 36), ("7", 4))]
    assert [row[1] for row in kept(rates(["channel", "code"], *rows))] == ["80"]


def test_delivery_of_a_group_is_shown_as_a_whole_or_not_at_all() -> None:
    """Confirmed 80 and accepted 83 would tell of 3 without a receipt."""
    rows = [("DE", measure, count, 100) for measure, count in (("confirmed", 80), ("accepted", 83), ("coverage", 80))]
    assert kept(rates(["country"], *rows)) == []


def test_a_curve_keeps_points_between_which_enough_lie() -> None:
    frame = pd.DataFrame(
        [("app", "curve", float(second), second * 3, 200) for second in range(60)],
        columns=["source", "measure", "seconds", "count", "n"],
    )
    frame = frame.assign(rate=frame["count"] / 200, at_risk=200 - frame["count"])
    frames, _ = suppress.suppressed({"x": frame}, 10)
    counts = frames["x"]["count"].tolist()
    assert counts
    assert counts[0] == 0
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(counts))


def test_how_many_were_left_out_is_told_nowhere_where_it_is_few_somewhere() -> None:
    """The total is the same of all: told for one figure, it would tell of the other."""
    one, two = (rates([], ("whole", 100, 200)).assign(immature=number) for number in (3, 40))
    frames, _ = suppress.suppressed({"one": one, "two": two}, 10)
    assert [frames[name]["immature"].isna().all() for name in ("one", "two")] == [True, True]
    frames, _ = suppress.suppressed({"two": two}, 10)
    assert frames["two"]["immature"].tolist() == [40]


def test_a_frame_is_left_as_it_was() -> None:
    frame = rates(["country"], ("DE", "confirmed", 1, 3))
    before = frame.copy()
    suppress.suppressed({"x": frame}, 10)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("asked", [-1, 1_001, 2.5, True, "ten", None])
def test_a_size_that_cannot_be_is_refused(asked: object) -> None:
    with pytest.raises(ArgumentError, match=r"min_cell=.* must be a whole number"):
        suppress.checked(asked)


def test_a_doubt_is_told_without_its_small_count() -> None:
    said = suppress.without_few("3 of 400 sessions ended before they started: a clock is wrong", 10)
    assert said == "fewer than 10 of 400 sessions ended before they started: a clock is wrong"
    assert suppress.without_few("12 sessions ended", 10) == "12 sessions ended"
