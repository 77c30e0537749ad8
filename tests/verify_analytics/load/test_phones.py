"""No phone number comes in: what looks like one is refused, and a column of them is hashed as a collector would."""

from typing import Any

import pyarrow as pa
import pytest

from collector import recipient
from verify_analytics import load
from verify_analytics.errors import ArgumentError, SchemaError
from verify_analytics.load.phones import looks_like_a_number, number_condition

# Written in pieces and reserved for fiction: nobody has these numbers.
NUMBER = "1415" + "5550123"
PEPPER = "p" * 32
NUMBERS = [
    NUMBER,
    f"+{NUMBER}",
    "+1 (415) 555-0123",
    "415.555.0123",
    f"whatsapp:{NUMBER}",
    f"TEL:+{NUMBER}",
    f"{NUMBER}.0",
]
NAMES = [
    "k:1",
    "0a1b2c3d:" + "0" * 64,
    "f" * 64,
    "user-12",
    "451",
    "123456",
    "",
    "123e4567-e89b-42d3-a456-426614174000",
]
BASE = {"session_id": "s1", "received_at": "2026-09-01T12:00:00Z"}


def frame(quick: Any, *rows: dict[str, Any]) -> Any:
    return quick.make(pa.Table.from_pylist([BASE | row for row in rows]))


def as_they_are(*names: str) -> dict[str, str]:
    return {name: name for name in (*BASE, *names)}


@pytest.mark.parametrize(("text", "expected"), [*((n, True) for n in NUMBERS), *((n, False) for n in NAMES)])
def test_what_looks_like_a_number_is_told_alike_in_both_forms(text: str, expected: bool) -> None:
    assert looks_like_a_number(text) is expected
    [(found,)] = load.connection().sql(f"SELECT {number_condition('t')} FROM (SELECT '{text}' AS t)").fetchall()
    assert found is expected


COLUMNS = ("recipient_key", "channel", "channel_status", "error_code", "country", "number_block")


@pytest.mark.parametrize(
    ("column", "number"), [*((c, f"+{NUMBER}") for c in COLUMNS), *(("recipient_key", n) for n in NUMBERS)]
)
def test_a_column_that_holds_numbers_is_refused_without_repeating_them(column: str, number: str, quick: Any) -> None:
    with pytest.raises(SchemaError, match=r"looks like phone numbers .1 of 2 rows.*recipient.*pepper=") as refused:
        load.callbacks(frame(quick, {column: "4"}, {column: number}), columns=as_they_are(column))
    assert "5550123" not in str(refused.value)


def test_a_block_is_digits_and_has_lost_its_last_four(quick: Any, rows_of: Any) -> None:
    whole = "4479" + "46" * 4
    given = frame(quick, {"number_block": whole[:-4]}, {"session_id": "s2", "number_block": "1415555"})
    assert len(rows_of(load.callbacks(given, columns=as_they_are("number_block")))) == 2
    with pytest.raises(SchemaError, match=r"looks like phone numbers .1 of 2 rows"):
        load.callbacks(frame(quick, {"number_block": whole}, {}), columns=as_they_are("number_block"))


def test_ids_may_be_the_digits_of_a_database_but_no_number_with_its_plus(quick: Any, rows_of: Any) -> None:
    given = frame(quick, {"session_id": "10000001", "attempt_id": "20000002"})
    assert [row["attempt_id"] for row in rows_of(load.callbacks(given, columns=as_they_are("attempt_id")))] == [
        "20000002"
    ]
    with pytest.raises(SchemaError, match="looks like phone numbers"):
        load.callbacks(frame(quick, {"session_id": f"+{NUMBER}"}), columns=as_they_are())


@pytest.mark.parametrize("pepper", [PEPPER, PEPPER.encode(), "x" * 70])
def test_a_number_becomes_the_key_that_a_collector_gives_it(pepper: str | bytes, engine: Any, rows_of: Any) -> None:
    secret = pepper.encode() if isinstance(pepper, str) else pepper
    expected = recipient.describe(NUMBER, secret, recipient.key_id(secret)).recipient_key
    for form in (NUMBER, "+1 (415) 555-0123", int(NUMBER), float(NUMBER)):
        given = engine.make(pa.Table.from_pylist([BASE | {"To": form}]))
        loaded = load.callbacks(given, columns={**as_they_are(), "recipient": "To"}, pepper=pepper)
        told = rows_of(loaded)
        assert [row["recipient_key"] for row in told] == [expected], form
        assert "5550123" not in str(told)


def test_a_recipient_that_is_no_number_has_no_key_and_is_counted(quick: Any, rows_of: Any) -> None:
    given = frame(quick, {"To": NUMBER}, {"To": "anonymous"}, {"To": None})
    with pytest.warns(UserWarning, match=r"1 values \(recipient cannot be read\)"):
        loaded = load.callbacks(given, columns={**as_they_are(), "recipient": "To"}, pepper=PEPPER)
    # Two rows that say nothing of whom are the same row.
    assert sorted(row["recipient_key"] is None for row in rows_of(loaded)) == [False, True]


def test_the_preset_drops_recipients_and_says_so_or_hashes_them(quick: Any, rows_of: Any) -> None:
    given = quick.make(
        pa.table(
            {"SessionUUID": ["s1"], "Recipient": [NUMBER], "received_at": ["2026-09-01T12:00Z"], "Channel": ["sms"]}
        )
    )
    with pytest.warns(
        UserWarning, match=r"left out recipients .pepper= would keep a keyed hash of them., what no column"
    ):
        [row] = rows_of(load.callbacks(given, columns="plivo"))
    assert row["recipient_key"] is None
    with pytest.warns(UserWarning, match="what no column says"):
        [row] = rows_of(load.callbacks(given, columns="plivo", pepper=PEPPER))
    assert row["recipient_key"] is not None


def test_a_pepper_that_could_be_guessed_or_has_nothing_to_hash_is_refused(quick: Any) -> None:
    given = frame(quick, {"To": NUMBER})
    with pytest.raises(ArgumentError, match="pepper= needs at least 32 characters"):
        load.callbacks(given, columns={**as_they_are(), "recipient": "To"}, pepper="short")
    with pytest.raises(ArgumentError, match='columns= has no "recipient"'):
        load.callbacks(given, columns=as_they_are(), pepper=PEPPER)
    both = {**as_they_are(), "recipient": "To", "recipient_key": "Key"}
    keyed = frame(quick, {"To": NUMBER, "Key": "k:1"})
    with pytest.raises(ArgumentError, match="which of them is the key"):
        load.callbacks(keyed, columns=both, pepper=PEPPER)


def test_a_file_without_a_first_line_of_names_does_not_give_its_first_row_away(tmp_path: Any, rows_of: Any) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(f"s1,2026-09-01T12:00:00Z,+{NUMBER}\ns2,2026-09-01T12:01:00Z,+{NUMBER}\n")
    for columns in (as_they_are(), "plivo", None):
        with pytest.raises(SchemaError, match="is the first line of your table the names of its columns") as refused:
            load.callbacks(file, columns=columns)
        assert "5550123" not in str(refused.value)
    with pytest.warns(UserWarning, match=r"columns that were not asked for \(\+#{11}\)") as said:
        load.callbacks(file, columns={"session_id": "s1", "received_at": "2026-09-01T12:00:00Z"})
    assert "5550123" not in str(said[0].message)
