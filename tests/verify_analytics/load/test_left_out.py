"""What could not be read is counted by reason, next to what was excluded, and all of it adds up."""

from typing import Any

import pytest

from verify_analytics import load
from verify_analytics.errors import LeftOutNotice

COLUMNS = {"session_id": "id", "received_at": "t", "attempt_id": "a", "recipient_key": "who", "attempt_sequence": "n"}
FILE = """id,t,a,who,n,brand
s1,2026-09-01T12:00:00Z,a1,k:1,1,x
s1,yesterday,a1,k:1,1,x
s1,yesterday,a2,k:1,2,x
s2,,b1,k:2,1,x
,2026-09-01T12:00:00Z,c1,k:3,1,x
s3,2026-09-01T12:00:00Z,d1,k:4,first,x
s3,2026-09-01T12:00:00Z,d1,k:4,first,y
s4,2026-09-01T13:00:00Z,e1,k:5,1,x
s4,2026-09-01T13:00:01Z,e2,k:5,2
"""


@pytest.fixture
def calls(tmp_path: Any) -> Any:
    """Give a file with something of everything."""
    file = tmp_path / "calls.csv"
    file.write_text(FILE)
    return file


def test_each_row_is_counted_once_and_all_add_up(calls: Any) -> None:
    exclude = load.Exclusions(recipients=["k:5"], periods=[("2026-09-02T00:00Z", "2026-09-03T00:00Z")])
    told = load.left_out(calls, columns=COLUMNS, exclude=exclude)
    # Attempt a2 and session s2 have nothing left; a1 has a row that is kept, and a row without session names none.
    assert list(told.itertuples(index=False, name=None)) == [
        ("left out", "line that is no row of the table", 1, 0, 0),
        ("left out", "no received_at", 1, 1, 1),
        ("left out", "no session_id", 1, 0, 0),
        ("left out", "received_at cannot be read", 2, 1, 0),
        ("left out", "the same row once more", 1, 0, 0),
        ("left out", "test recipient", 1, 1, 1),
        ("left out", "period 2026-09-02T00:00Z to 2026-09-03T00:00Z", 0, 0, 0),
        ("kept", "", 2, 2, 2),
        ("all", "", 9, 5, 4),
    ]
    grains = ["callbacks", "attempts", "sessions"]
    assert told[told["what"] != "all"][grains].sum().tolist() == told[told["what"] == "all"][grains].iloc[0].tolist()


def test_one_sentence_says_all_of_it(calls: Any, rows_of: Any) -> None:
    with pytest.warns(LeftOutNotice) as said:
        loaded = load.callbacks(calls, columns=COLUMNS, exclude=load.Exclusions(recipients=["k:5"]))
    [told] = [str(each.message) for each in said]
    assert told == (
        "callbacks: left out 1 rows (line that is no row of the table), 1 rows (no received_at), "
        "1 rows (no session_id), 2 rows (received_at cannot be read), 1 rows (the same row once more), "
        "1 callbacks of 1 sessions (test recipient), 1 values (attempt_sequence cannot be read), "
        "columns that were not asked for (brand); kept 2"
    )
    assert said[0].filename == __file__
    assert len(rows_of(loaded)) == 2


def test_who_turns_warnings_into_errors_can_let_this_one_pass(calls: Any) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(LeftOutNotice):
            load.callbacks(calls, columns=COLUMNS)
        warnings.simplefilter("ignore", LeftOutNotice)
        load.callbacks(calls, columns=COLUMNS)


def test_what_is_counted_is_the_same_on_every_engine(calls: Any, engine: Any) -> None:
    table = load.connection().read_csv(str(calls), all_varchar=True, ignore_errors=True).to_arrow_table()
    told = load.left_out(engine.make(table), columns=COLUMNS)
    expected = load.left_out(calls, columns=COLUMNS)
    assert told["reason"].tolist() == expected["reason"].tolist()[1:]
    assert told.iloc[:-1].to_numpy().tolist() == expected.iloc[1:-1].to_numpy().tolist()
