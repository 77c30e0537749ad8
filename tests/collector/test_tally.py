"""Two stores have one sum when they have the same rows, in whatever order, and no other way."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from collector.tally import Tally

VALUES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=5), st.binary(max_size=5))
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=6)


def of(rows: Sequence[Sequence[object]], *, pages: int = 1) -> Tally:
    made = Tally()
    for first in range(pages):
        made.add(rows[first::pages])
    return made


@given(ROWS, ROWS)
def test_the_sum_is_equal_when_the_rows_are(
    some: list[tuple[object, object]], others: list[tuple[object, object]]
) -> None:
    assert (of(some) == of(others)) == (sorted(map(repr, some)) == sorted(map(repr, others)))


@given(ROWS)
def test_neither_order_nor_pages_count(rows: list[tuple[object, object]]) -> None:
    shuffled = sorted(rows, key=repr)
    assert of(rows) == of(shuffled, pages=3) == of(rows[::-1], pages=2)


def test_bytes_are_the_same_however_a_database_hands_them_over() -> None:
    assert of([(b"ab", 1)]) == of([(memoryview(b"ab"), 1)])


def test_a_row_twice_is_not_a_row_once_and_a_text_is_no_number() -> None:
    assert of([("a",)]) != of([("a",), ("a",)])
    assert of([("1",)]) != of([(1,)])
    assert of([("a", "b")]) != of([("a', 'b",)])
