"""What a status means, row by row: a second copy of the table, so that an opinion is changed on purpose."""

from typing import Any

import pytest

from verify_analytics import model
from verify_analytics.model import outcomes

TABLE = """
sms      queued       queued
sms      sent         accepted
sms      failed       failed
sms      undelivered  undelivered
sms      delivered    delivered
sms      read         unlisted
sms      completed    unlisted
voice    queued       queued
voice    ringing      ringing
voice    in-progress  accepted
voice    answer       accepted
voice    failed       failed
voice    canceled     failed
voice    cancel       failed
voice    timeout      failed
voice    no-answer    undelivered
voice    busy         undelivered
voice    completed    delivered
voice    sent         unlisted
voice    delivered    unlisted
whatsapp queued       queued
whatsapp sent         accepted
whatsapp failed       failed
whatsapp undelivered  undelivered
whatsapp delivered    delivered
whatsapp read         delivered
rcs      read         delivered
pigeon   sent         accepted
pigeon   landed       unlisted
missing  delivered    delivered
missing  completed    unlisted
sms      missing      nothing
voice    empty        nothing
"""
ROWS = [tuple(line.split()) for line in TABLE.strip().splitlines()]


def word(text: str) -> str | None:
    return {"missing": None, "empty": ""}.get(text, text)


@pytest.mark.parametrize(("channel", "status", "state"), ROWS, ids=[" ".join(row) for row in ROWS])
def test_a_status_means(channel: str, status: str, state: str, quick: Any, callback: Any, rows_of: Any) -> None:
    callbacks = quick.callbacks([callback(1, word(status), channel=word(channel))])
    [told] = rows_of(model.story(callbacks, session_id="s1"))
    assert told["state"] == (None if state in {"unlisted", "nothing"} else state)
    [attempt] = rows_of(model.fold(callbacks))
    assert attempt["has_unknown_status"] == (state == "unlisted")
    times = {name: attempt[f"{name}_us"] is not None for name in outcomes.STATES}
    assert times == {name: name == state for name in outcomes.STATES}


def test_the_table_has_no_row_that_is_not_shown_here() -> None:
    shown = {(channel, status): state for channel, status, state in ROWS}
    known = {
        ("whatsapp" if channel == outcomes.OTHER else channel, status): state
        for channel, meanings in outcomes.MEANING.items()
        for status, state in meanings.items()
    }
    assert {pair: shown.get(pair) for pair in known} == known


def test_every_engine_reads_the_table_alike(engine: Any, callback: Any, rows_of: Any) -> None:
    rows = [
        callback(i, word(status), channel=word(channel), attempt_id=f"a{i:02}")
        for i, (channel, status, _) in enumerate(ROWS)
    ]
    told = rows_of(model.story(engine.callbacks(rows), session_id="s1"), "attempt_id")
    expected = [None if state in {"unlisted", "nothing"} else state for _, _, state in ROWS]
    assert [row["state"] for row in told] == expected


CODES = """
sms   undelivered 30    30
sms   undelivered 0     none
sms   undelivered 000   none
sms   undelivered empty none
sms   undelivered blank none
sms   failed      0     none
sms   failed      450   450
voice no-answer   0     0
voice busy        0     0
voice failed      0     0
voice failed      000   none
voice completed   0     none
voice in-progress 0     none
voice no-answer   4010  4010
"""
CODE_ROWS = [tuple(line.split()) for line in CODES.strip().splitlines()]


@pytest.mark.parametrize(("channel", "status", "code", "error"), CODE_ROWS, ids=[" ".join(row) for row in CODE_ROWS])
def test_an_error_code_says(
    channel: str, status: str, code: str, error: str, quick: Any, callback: Any, rows_of: Any
) -> None:
    sent = {"empty": "", "blank": " "}.get(code, code)
    callbacks = quick.callbacks([callback(1, status, channel=channel, error_code=sent)])
    [told] = rows_of(model.story(callbacks, session_id="s1"))
    assert told["error_code"] == (None if error == "none" else error)


@pytest.mark.parametrize(
    ("status", "end"),
    [("verified", "verified"), ("validated", "verified"), ("expired", "expired"), ("in-progress", None), (None, None)],
)
def test_a_session_status_reports(status: str | None, end: str | None, quick: Any, callback: Any, rows_of: Any) -> None:
    callbacks = quick.callbacks([callback(7, "sent", session_status=status)])
    [told] = rows_of(model.story(callbacks, session_id="s1"))
    assert told["session_end"] == end
    [state] = rows_of(model.fold(callbacks))
    seen = {name: state[f"{name}_us"] == state["first_received_us"] for name in ("verified", "expired")}
    assert seen == {name: name == end for name in seen}
