"""A table in the analyst's own words: the same rows whatever it is kept in, and nothing guessed."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from verify_analytics import load, model
from verify_analytics.errors import ArgumentError, SchemaError

# As an export has it: other names, capitals and blanks, texts for everything, gaps.
OURS = {"session_id": "id", "received_at": "seen", "attempt_id": "sending", "channel": "road", "channel_status": "said"}
HEAD = ("id", "seen", "sending", "road", "said")
ROWS = [
    ("s1", "2026-09-01T12:00:01.000001Z", "a1", "SMS", " Sent "),
    ("s1", "2026-09-01T14:00:05+02:00", "a1", "sms", "DELIVERED"),
    ("s2", "1788264006", "a2", "Voice", "no-answer"),
    ("s2", "1788264007500", None, None, None),
    ("s3", "1788264008000001", "a3", "sms", ""),
]


def table(rows: Iterable[tuple[Any, ...]] = ROWS, head: Iterable[str] = HEAD) -> pa.Table:
    kept = list(rows)
    return pa.table({name: pa.array([row[place] for row in kept]) for place, name in enumerate(head)})


def csv(file: Path, rows: Iterable[tuple[Any, ...]] = ROWS, head: Iterable[str] = HEAD, sep: str = ",") -> Path:
    lines = [head, *(["" if value is None else value for value in row] for row in rows)]
    file.write_text("".join(sep.join(line) + "\n" for line in lines))
    return file


def test_the_same_rows_come_of_every_engine_and_of_a_file(
    engine: Any, tmp_path: Path, rows_of: Any, kinds: Any, declared: Any
) -> None:
    given = engine.make(table())
    loaded = load.callbacks(given, columns=OURS)
    assert type(loaded) is type(given)
    assert kinds(loaded) == declared(model.CALLBACKS)
    told = rows_of(loaded, "received_us")
    assert [(row["session_id"], row["attempt_id"]) for row in told] == [
        ("s1", "a1"),
        ("s1", "a1"),
        ("s2", "a2"),
        ("s2", None),
        ("s3", "a3"),
    ]
    assert [row["received_us"] - 1788264000000000 for row in told] == [1000001, 5000000, 6000000, 7500000, 8000001]
    assert [row["channel"] for row in told] == ["sms", "sms", "voice", None, "sms"]
    assert [row["channel_status"] for row in told] == ["sent", "delivered", "no-answer", None, None]
    assert {(row["provider"], row["proof"], row["recipient_key"]) for row in told} == {("plivo", "none", None)}
    assert rows_of(load.callbacks(csv(tmp_path / "calls.csv"), columns=OURS), "received_us") == told
    model.attempts(loaded, as_of="2026-10-29T00:00Z")


def test_the_frame_that_was_given_is_not_changed(rows_of: Any) -> None:
    given = table().to_pandas()
    before = given.copy(deep=True)
    load.callbacks(given, columns=OURS)
    pd.testing.assert_frame_equal(given, before)


def test_the_sample_in_other_words_is_the_sample(engine: Any, rows_of: Any, root: Path) -> None:
    sample = load.connection().read_parquet(str(root / "data/sample/callbacks.parquet"))
    names = [c.name for c in model.CALLBACKS if c.name not in {"arrival_id", "digest", "extra", "proof"}]
    # What a callback says; "no code" and an empty one mean the same.
    said = ", ".join(f'nullif("{name}", \'\') AS "{name}"' if name == "error_code" else f'"{name}"' for name in names)
    given = sample.project(", ".join(f'"{name}" AS their_{name}' for name in names))
    loaded = load.callbacks(engine.make(given.to_arrow_table()), columns={name: f"their_{name}" for name in names})
    told = [tuple(row[name] for name in names) for row in rows_of(loaded)]
    expected = [tuple(row[name] for name in names) for row in rows_of(sample.project(said))]
    assert len(told) > 1000
    assert sorted(told, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("name", ["calls.csv", "calls.csv.gz"])
def test_the_sample_as_csv_gives_the_sample_s_attempts(name: str, tmp_path: Path, rows_of: Any, root: Path) -> None:
    sample = load.connection().read_parquet(str(root / "data/sample/callbacks.parquet"))
    file = tmp_path / name
    sample.project('* EXCLUDE (arrival_id, digest, extra), "error_code" AS code').write_csv(
        str(file), compression="gzip" if name.endswith("gz") else None
    )
    assert (file.read_bytes()[:2] == b"\x1f\x8b") == name.endswith("gz")
    with pytest.warns(UserWarning, match=r"columns that were not asked for \(code\)"):
        loaded = load.callbacks(file)
    expected = model.attempts(load.callbacks(sample), as_of="2026-10-29T00:00Z")
    assert rows_of(model.attempts(loaded, as_of="2026-10-29T00:00Z"), "key") == rows_of(expected, "key")


def test_the_same_content_received_again_is_a_redelivery_and_in_the_same_microsecond_one_arrival(rows_of: Any) -> None:
    rows = [
        ("s1", "2026-09-01T12:00:00Z", "a1", "sms", "sent"),
        ("s1", "2026-09-01T12:01:00Z", "a1", "SMS", "sent "),
        ("s1", "2026-09-01T12:01:00Z", "a1", "sms", "sent"),
        ("s1", "2026-09-01T12:01:00Z", "a1", "sms", "delivered"),
    ]
    with pytest.warns(UserWarning, match=r"left out 1 rows \(the same row once more\)"):
        told = rows_of(load.callbacks(table(rows).to_pandas(), columns=OURS), "received_us")
    assert len(told) == len({row["arrival_id"] for row in told}) == 3
    assert [row["digest"] == told[0]["digest"] for row in told if row["channel_status"] == "sent"] == [True, True]
    assert len({row["digest"] for row in told}) == 2


def test_names_of_arrivals_do_not_depend_on_engine_order_or_process(engine: Any, rows_of: Any) -> None:
    turned = load.callbacks(engine.make(table(reversed(ROWS))), columns=OURS)
    first = min(rows_of(turned), key=lambda row: row["received_us"])
    # Each value with its length, a dash for none: provider, session, its status, attempt, sequence, channel, status, …
    digest = "m1:" + sha256(b"5:plivo,2:s1,-,2:a1,-,3:sms,4:sent,-,-,-,").hexdigest()
    assert first["digest"] == digest
    assert first["arrival_id"] == sha256(f"1788264001000001:{digest}".encode()).hexdigest()


def test_moments_told_by_number_are_read_by_their_size(quick: Any, rows_of: Any) -> None:
    seconds = 1788264000
    for unit in (1, 1_000, 1_000_000, 1_000_000_000):
        for kind in (pa.int64(), pa.float64()):
            given = pa.table({"id": ["s1"], "t": pa.array([seconds * unit]).cast(kind, safe=False)})
            loaded = load.callbacks(quick.make(given), columns={"session_id": "id", "received_at": "t"})
            assert [row["received_us"] for row in rows_of(loaded)] == [seconds * 1_000_000], (unit, kind)


def test_one_moment_may_stand_for_another_where_it_is_said(quick: Any, rows_of: Any) -> None:
    given = quick.make(pa.table({"id": ["s1"], "t": ["2026-09-01T12:00Z"]}))
    columns = {"session_id": "id", "received_at": "t", "requested_at": "t"}
    [row] = rows_of(load.callbacks(given, columns=columns))
    assert row["received_us"] == row["requested_us"]
    [report] = rows_of(load.verifications(given, columns={"session_id": "id", "verified_at": "t", "received_at": "t"}))
    assert report["verified_us"] == report["received_us"] == row["received_us"]


def test_the_pulse_may_be_in_other_words_but_no_count_is_not_zero(quick: Any, rows_of: Any) -> None:
    counts = {"accepted": "ok", "repeated": "again", "quarantined": "odd", "refused": "no"}
    given = quick.make(pa.table({"m": ["2026-09-01T12:00Z"], "ok": ["3"], "again": ["0"], "odd": ["0"], "no": ["1"]}))
    [row] = rows_of(load.pulse(given, columns={"minute": "m", **counts}))
    assert (row["collector"], row["accepted"], row["refused"], row["refused_by"]) == ("own", 3, 1, "{}")
    with pytest.raises(SchemaError, match="nothing says accepted"):
        load.pulse(given, columns={"minute": "m"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({**OURS, "chanel": "road"}, "'chanel' is no name of ours; did you mean 'channel'?"),
        ({**OURS, "error_code": "cod"}, r"no column 'cod', asked for as error_code; .*Known: id, road, said"),
        ({"session_id": "id", "received_at": "sen"}, "no column 'sen', asked for as received_at; did you mean 'seen'?"),
        ({value: key for key, value in OURS.items()}, "the wrong way round; it goes from our name to yours"),
        ({**OURS, "attempt_id": "id"}, "'id' cannot be both session_id and attempt_id"),
        ({"session_id": "id"}, "nothing says received_at: when each row was received"),
        ({**OURS, "extra": "said"}, "'extra' is free text, in which numbers could come along"),
        ({**OURS, "channel": "said", "channel_status": "road", "recipient": "x"}, "no column 'x'"),
        (
            {"session_id": "id", "received_at": "seen", "recipient": "road"},
            "numbers of recipients are never kept; give the column itself as",
        ),
        ("plvo", "'plvo' is no preset; did you mean 'plivo'?"),
        ("plivo", "nothing says received_at.*"),
        ({}, "is a dictionary of our names to yours"),
        ([("session_id", "id")], "is a dictionary of our names to yours"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(columns: Any, message: str, quick: Any) -> None:
    with pytest.raises((ArgumentError, SchemaError), match=message.replace("?", r"\?")):
        load.callbacks(quick.make(table()), columns=columns)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("said", pa.array([451.0, None, 30.0]), r"column 'said' holds DOUBLE, but channel_status is text: .*451\.0"),
        ("id", pa.array([1, 2, 3]), r"holds BIGINT, but session_id is text: .*dtype=\{\"id\": \"str\"\}"),
        ("seen", pa.array([True, False, None]), "holds BOOLEAN, but received_at is a moment"),
        ("seen", pa.array(["9/1/2026 2:05 pm"] * 3), "nothing that can be read .their form: '9/9/9999 9:99 xx'"),
        ("seen", pa.array(["2026-09-01 12:00"] * 3), 'no time zone in 3 of 3 rows, .*say timezone="UTC"'),
        ("seen", pa.array([1, 2, 3], pa.timestamp("ns")), "no time zone in 3 of 3 rows"),
    ],
)
def test_a_column_that_cannot_be_meant_is_refused_on_every_engine(
    column: str, values: Any, message: str, engine: Any
) -> None:
    made = table(ROWS[:3])
    given = made.set_column(made.column_names.index(column), column, values)
    with pytest.raises(SchemaError, match=message):
        load.callbacks(engine.make(given), columns=OURS)


def test_codes_that_were_taken_for_numbers_before_are_refused(engine: Any, tmp_path: Path) -> None:
    """What a program wrote that had guessed: 452.0 is in no catalogue, and would never count as a fraud rule."""
    rows = [(*row, code) for row, code in zip(ROWS, ["452.0", None, "0.0", "30.", "000"], strict=True)]
    columns, head = {**OURS, "error_code": "code"}, (*HEAD, "code")
    for given in (engine.make(table(rows, head)), csv(tmp_path / "guessed.csv", rows, head)):
        with pytest.raises(SchemaError, match=r"column 'code', .* numbers with a point \(3 of 5 rows\)"):
            load.callbacks(given, columns=columns)


def test_of_a_column_of_numbers_nothing_is_said_on_moments(quick: Any) -> None:
    made = table().append_column("n", pa.array(["one"] * 5))
    with pytest.raises(SchemaError, match=r"form: 'xxx'.; a whole number from 0 up is wanted$"):
        load.callbacks(quick.make(made), columns={**OURS, "attempt_sequence": "n"})


def test_one_row_without_a_zone_is_enough_to_ask(quick: Any) -> None:
    odd = [*ROWS, ("s4", "2026-09-01 12:00", "a4", "sms", "sent")]
    with pytest.raises(SchemaError, match="no time zone in 1 of 6 rows"):
        load.callbacks(quick.make(table(odd)), columns=OURS)


def test_columns_of_nothing_but_nulls_pass_whatever_their_type(engine: Any, rows_of: Any) -> None:
    made = table()
    for column in ("sending", "road"):
        made = made.set_column(made.column_names.index(column), column, pa.nulls(5))
    told = rows_of(load.callbacks(engine.make(made), columns=OURS))
    assert {(row["attempt_id"], row["channel"]) for row in told} == {(None, None)}
    frame = table().to_pandas().assign(sending=float("nan"))
    assert {row["attempt_id"] for row in rows_of(load.callbacks(frame, columns=OURS))} == {None}


def test_whole_numbers_with_gaps_are_read_and_others_counted(quick: Any, rows_of: Any) -> None:
    kinds = (["1", " 2.0 ", None, "two", "-1"], [1.0, 2.0, None, 2.5, -1.0])
    for values in kinds:
        made = table().append_column("n", pa.array(values))
        with pytest.warns(UserWarning, match=r"left out 2 values \(attempt_sequence cannot be read\)"):
            loaded = load.callbacks(quick.make(made), columns={**OURS, "attempt_sequence": "n"})
        assert [row["attempt_sequence"] for row in rows_of(loaded, "received_us")] == [1, 2, None, None, None]


def test_what_programs_write_for_nothing_is_nothing_and_namibia_stays(quick: Any, rows_of: Any) -> None:
    values = ["NULL", "\\N", "nan", " None ", "NA"]
    made = table().append_column("where", pa.array(values))
    told = rows_of(load.callbacks(quick.make(made), columns={**OURS, "country": "where"}), "received_us")
    assert [row["country"] for row in told] == [None, None, None, None, "NA"]


def test_a_name_that_is_there_twice_is_asked_about(tmp_path: Path) -> None:
    frame = table().to_pandas()
    frame.columns = pd.Index(["id", "seen", "sending", "road", "road"])
    columns = {"session_id": "id", "received_at": "seen", "channel": "road"}
    with pytest.raises(SchemaError, match="callbacks: column 'road' is there twice"):
        load.callbacks(frame, columns=columns)
    with pytest.raises(SchemaError, match="column 'road' is there twice"):
        load.callbacks(csv(tmp_path / "twice.csv", head=("id", "seen", "sending", "road", "road")), columns=columns)


def test_a_pandas_column_of_several_types_is_asked_about() -> None:
    frame = table().to_pandas()
    frame["said"] = pd.Series(["sent", 451.0, None, "sent", "sent"], dtype=object)
    with pytest.raises(SchemaError, match="column 'said' holds values of several types"):
        load.callbacks(frame, columns=OURS)
