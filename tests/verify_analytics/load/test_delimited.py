"""A CSV file is read as text, whatever stands between its values; a line that is no row is counted."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from verify_analytics import load
from verify_analytics.errors import LeftOutNotice, SchemaError

COLUMNS = {"session_id": "id", "received_at": "t", "error_code": "code"}
LINES = ["id,t, code ", "007,2026-09-01T12:00Z,000", "s2,2026-09-01T12:01Z,0451", 's3,2026-09-01T12:02Z,"4,""5"']


def written(file: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)
    return file


@pytest.mark.parametrize(
    ("name", "sep", "start", "end"),
    [
        ("a.csv", ",", "", "\n"),
        ("a.csv.gz", ",", "", "\r\n"),
        ("a.tsv", "\t", "", "\n"),
        ("a.TXT", ";", "\ufeff", "\r\n"),
        ("a.csv", "|", "", "\n"),
    ],
)
def test_codes_and_ids_keep_their_zeros(
    name: str, sep: str, start: str, end: str, tmp_path: Path, rows_of: Any
) -> None:
    text = start + end.join(line.replace(",", sep, 2) for line in LINES) + end
    loaded = load.callbacks(written(tmp_path / name, text), columns=COLUMNS)
    assert [(row["session_id"], row["error_code"]) for row in rows_of(loaded, "received_us")] == [
        ("007", "000"),
        ("s2", "0451"),
        ("s3", '4,"5'),
    ]


def test_lines_that_are_no_rows_are_counted(tmp_path: Path, rows_of: Any) -> None:
    text = "\n".join([*LINES, "s4,2026-09-01T12:03Z", "s5,2026-09-01T12:04Z,450,more"]) + "\n"
    file = written(tmp_path / "a.csv", text)
    with pytest.warns(LeftOutNotice, match=r"callbacks: left out 2 rows \(line that is no row of the table\)"):
        loaded = load.callbacks(file, columns=COLUMNS)
    assert len(rows_of(loaded)) == 3
    told = load.left_out(file, columns=COLUMNS).set_index("what")["callbacks"]
    assert told.to_dict() == {"left out": 2, "kept": 3, "all": 5}


def test_bytes_that_are_no_text_are_no_row(tmp_path: Path, rows_of: Any) -> None:
    file = written(tmp_path / "a.csv", "\n".join(LINES).encode() + b"\ns4,2026-09-01T12:03Z,\xe9\n")
    with pytest.warns(LeftOutNotice, match=r"left out 1 rows \(line that is no UTF-8: save the file as 'CSV UTF-8'\)"):
        assert len(rows_of(load.callbacks(file, columns=COLUMNS))) == 3
    told = load.left_out(file, columns=COLUMNS).set_index("what")["callbacks"]
    assert told.to_dict() == {"left out": 1, "kept": 3, "all": 4}


def test_a_file_of_which_no_line_can_be_read_is_refused(tmp_path: Path) -> None:
    """In another encoding, with an accent in each line: empty, it would look like no traffic."""
    data = b"id,t,code\n" + b"s1,2026-09-01T12:03Z,\xe9\n" * 2 + b"s2\n"
    with pytest.raises(SchemaError, match=r"no line can be read: 2 times line that is no UTF-8: save .*; 1 times line"):
        load.callbacks(written(tmp_path / "a.csv", data), columns=COLUMNS)


def test_a_file_of_a_head_alone_gives_no_rows(tmp_path: Path, rows_of: Any) -> None:
    assert rows_of(load.callbacks(written(tmp_path / "a.csv", "id,t,code\n"), columns=COLUMNS)) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "has no first line with the names of its columns"),
        (b"\xff\xfei\x00d\x00", "is UTF-16; save it as UTF-8"),
        (b"id,t,cod\xe9\n", "is no UTF-8; save it as 'CSV UTF-8'"),
        (b"id;t\n", "no column 'code', asked for as error_code"),
        (b"\x1f\x8bjunk", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=message) as refused:
        load.callbacks(written(tmp_path / "a.csv", data), columns=COLUMNS)
    assert "\n" not in str(refused.value)


def test_a_file_with_our_own_names_needs_no_mapping_and_finds_its_siblings(tmp_path: Path, rows_of: Any) -> None:
    text = "session_id,received_at,channel\ns1,2026-09-01T12:00Z,sms\n"
    file = written(tmp_path / "calls.csv", text)
    assert [row["channel"] for row in rows_of(load.callbacks(file))] == ["sms"]
    assert load.verifications(file) is None
    assert load.pulse(file) is None
    written(
        tmp_path / "verifications.csv", "session_id,verified_at,received_at\ns1,2026-09-01T12:00Z,2026-09-01T12:01Z\n"
    )
    assert len(rows_of(load.verifications(file))) == 1
    with pytest.raises(SchemaError, match=r"nothing says session_id: .*did you mean 'session'"):
        load.callbacks(written(tmp_path / "other.csv", "session,received_at\ns1,2026-09-01T12:00Z\n"))
    with pytest.raises(SchemaError, match=r'nothing says received_at.*, or take columns="plivo"'):
        load.callbacks(written(tmp_path / "theirs.csv", "SessionUUID,Channel\ns1,sms\n"))


def test_reports_may_be_in_other_words(tmp_path: Path, rows_of: Any) -> None:
    file = written(
        tmp_path / "ok.csv", "sid,at,user\ns1,2026-09-01T12:00Z,u\ns1,2026-09-01T12:00Z,v\n,2026-09-01T12:00Z,w\n"
    )
    columns = {"session_id": "sid", "verified_at": "at", "received_at": "at"}
    with pytest.warns(
        LeftOutNotice, match=r"verifications: left out 1 rows \(no session_id\), 1 rows \(the same row once"
    ):
        assert [row["session_id"] for row in rows_of(load.verifications(file, columns=columns))] == ["s1"]


def test_a_file_that_was_cut_off_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    rows = "".join(f"s{n * 7919 % 100_003},2026-09-01T12:00:{n % 60:02}Z,{n * 104729 % 9973}\n" for n in range(50_000))
    whole = gzip.compress(f"id,t,code\n{rows}".encode())
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SchemaError, match=r"a\.csv\.gz' cannot be read: ") as refused:
        load.callbacks(file, columns=COLUMNS)
    assert "\n" not in str(refused.value)
