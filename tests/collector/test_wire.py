"""What a callback says: nine fields in every form the provider could send them, and what is too odd for a row."""

import json
import re
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.form import pairs
from collector.wire import (
    COLUMNS,
    KNOWN,
    LONGEST_VALUE,
    MOST_FIELDS,
    Params,
    Reading,
    Unreadable,
    arrival_id,
    canonical,
    digest,
    parse_form,
    read,
)

SESSION = "8e712097-8090-4644-81e7-8f42f5d8354e"
ATTEMPT = "acbffc94-283b-42b3-8a96-65cbc18a9624"
CALLBACK = {
    "SessionUUID": SESSION,
    "SessionStatus": "in-progress",
    "RequestTime": "2024-07-02 10:15:04.123456",
    "Recipient": "14155550123",
    "ChannelErrorCode": "",
    "Channel": "sms",
    "AttemptUUID": ATTEMPT,
    "AttemptSequence": "1",
    "ChannelStatus": "delivered",
}
PEPPER = b"a pepper that is only for tests"


def body(**changes: str | None) -> list[tuple[str, str, str]]:
    """Write the callback above as it comes in a body, with some fields changed, added or (None) left out."""
    fields = {**CALLBACK, **changes}
    return [("body", name, value) for name, value in fields.items() if value is not None]


def reason(params: Params) -> str:
    with pytest.raises(Unreadable) as refused:
        read(params)
    return refused.value.reason


# --- the nine fields -------------------------------------------------------------------------------------------------


def test_a_callback_is_read_field_by_field() -> None:
    assert read(body()) == Reading(
        session_id=SESSION,
        session_status="in-progress",
        attempt_id=ATTEMPT,
        attempt_sequence=1,
        channel="sms",
        channel_status="delivered",
        error_code="",
        requested_at=1_719_915_304_123_456,
        recipient="14155550123",
        extra={},
    )


def test_a_get_is_read_from_its_query() -> None:
    query = [("query", name, value) for _, name, value in body()]
    assert read(query) == read(query, carrier="query") == read(body())


def test_only_the_session_must_be_there() -> None:
    assert read([("body", "SessionUUID", SESSION)]) == Reading(session_id=SESSION)


@pytest.mark.parametrize("empty", ["", "  ", "\t"])
def test_an_empty_field_says_as_little_as_none(empty: str) -> None:
    fields = [("body", name, empty) for name in CALLBACK if name not in {"SessionUUID", "ChannelErrorCode"}]
    assert read([("body", "SessionUUID", SESSION), *fields]) == Reading(session_id=SESSION)


@pytest.mark.parametrize("code", ["", "0", "000", "30", " 30", "Unknown Error"])
def test_an_error_code_is_kept_exactly_as_it_came(code: str) -> None:
    assert read(body(ChannelErrorCode=code)).error_code == code


def test_statuses_and_the_channel_lose_their_capitals_and_their_margins_and_nothing_else() -> None:
    reading = read(body(SessionStatus=" Expired ", Channel="VOICE\n", ChannelStatus="No-Answer"))
    assert (reading.session_status, reading.channel, reading.channel_status) == ("expired", "voice", "no-answer")
    unheard_of = read(body(SessionStatus="validated", Channel="Carrier Pigeon", ChannelStatus="half_way"))
    assert (unheard_of.session_status, unheard_of.channel, unheard_of.channel_status) == (
        "validated",
        "carrier pigeon",
        "half_way",
    )


def test_identifiers_keep_their_capitals() -> None:
    assert read(body(SessionUUID="ABC", AttemptUUID="Def")) == read(body(SessionUUID="ABC", AttemptUUID="Def"))
    assert read(body(SessionUUID="ABC", AttemptUUID="Def")).session_id == "ABC"
    assert read(body(SessionUUID="ABC", AttemptUUID="Def")).attempt_id == "Def"


@pytest.mark.parametrize(("text", "number"), [("1", 1), (" 2 ", 2), ("007", 7), ("0", 0), ("999999999", 999_999_999)])
def test_a_sequence_is_a_number(text: str, number: int) -> None:
    reading = read(body(AttemptSequence=text))
    assert (reading.attempt_sequence, reading.extra) == (number, {})


@pytest.mark.parametrize("text", ["first", "1.0", "-1", "+1", "1e3", "١", "²", "0x1", "1,2"])
def test_an_unreadable_sequence_is_null_and_stays_raw(text: str) -> None:
    reading = read(body(AttemptSequence=text))
    assert (reading.attempt_sequence, reading.extra) == (None, {"AttemptSequence": text})


def test_a_sequence_too_large_for_a_column_is_null() -> None:
    assert read(body(AttemptSequence="1000000000")).attempt_sequence is None


@pytest.mark.parametrize("text", ["yesterday", "2024-02-30 10:15:04", "0001-01-01T05:53:28+05:53", "0"])
def test_an_unreadable_moment_is_null_and_stays_raw(text: str) -> None:
    reading = read(body(RequestTime=text))
    assert (reading.requested_at, reading.extra) == (None, {"RequestTime": text})


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("14155550123", "14155550123"),
        ("+14155550123", "14155550123"),
        (" 14155550123", "14155550123"),  # a plus sign that nobody escaped
        ("4155550123", "4155550123"),
        ("+1 (415) 555-0123", "14155550123"),
    ],
)
def test_a_recipient_is_digits_with_or_without_a_plus(text: str, digits: str) -> None:
    assert read(body(Recipient=text)).recipient == digits


@pytest.mark.parametrize("text", ["anonymous", "somebody@h.example", "415x555"])
def test_a_recipient_that_is_no_number_leaves_only_the_fact(text: str) -> None:
    reading = read(body(Recipient=text))
    assert (reading.recipient, reading.extra) == (None, {"Recipient": None})


def test_a_printed_reading_does_not_show_the_recipient() -> None:
    assert "5550123" not in repr(read(body())) + str(read(body()))


@pytest.mark.parametrize("text", ["14155550123", "to 14155550123", "To +1 (415) 555-0123", "٤١٥٥٥٥٠١٢٣"])
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("SessionStatus", "session_status"),
        ("Channel", "channel"),
        ("ChannelStatus", "channel_status"),
        ("ChannelErrorCode", "error_code"),
    ],
)
def test_a_text_that_could_hold_a_number_leaves_only_the_fact(name: str, column: str, text: str) -> None:
    reading = read(body(**{name: text}))
    assert (getattr(reading, column), reading.extra) == (None, {name: None})


@pytest.mark.parametrize("text", ["14155550123", " +1 415 555 0123", "12345678", "1" * 15])
def test_an_attempt_that_is_nothing_but_a_number_leaves_only_the_fact(text: str) -> None:
    reading = read(body(AttemptUUID=text))
    assert (reading.attempt_id, reading.extra) == (None, {"AttemptUUID": None})


@pytest.mark.parametrize("text", ["1234567", "1" * 16, "a14155550123", "12345678-1234-1234-1234-123456789012"])
def test_identifiers_with_digits_in_them_stay_as_they_came(text: str) -> None:
    reading = read(body(SessionUUID=text, AttemptUUID=text))
    assert (reading.session_id, reading.attempt_id, reading.extra) == (text, text, {})


# --- fields nobody told us of ----------------------------------------------------------------------------------------


def test_fields_the_provider_added_are_kept_and_our_names_are_exact() -> None:
    assert read(body(Locale="en_US", CodeLength="6", channel="x", Empty="")).extra == {
        "Locale": "en_US",
        "CodeLength": "6",
        "channel": "x",
        "Empty": "",
    }


def test_an_added_field_that_comes_twice_is_a_list_in_the_order_received() -> None:
    extra = read([*body(), ("body", "Tag", "b"), ("body", "Tag", "a"), ("body", "Tag", "b")]).extra
    assert extra == {"Tag": ["b", "a", "b"]}


def test_an_added_field_with_seven_digits_in_a_row_keeps_its_name_alone() -> None:
    extra = read(body(From="+14155550199", Note="call 415-555-0199", MCC="310", Id=ATTEMPT)).extra
    assert extra == {"From": None, "Note": None, "MCC": "310", "Id": ATTEMPT}


def test_a_name_with_seven_digits_in_a_row_is_masked() -> None:
    assert read(body(**{"+14155550199": "x"})).extra == {"+###########": "x"}


def test_what_a_post_has_in_its_query_is_an_extra_whatever_it_is_called() -> None:
    reading = read([*body(Channel=None), ("query", "tenant", "a"), ("query", "Channel", "voice")])
    assert (reading.channel, reading.extra) == (None, {"tenant": "a", "Channel": "voice"})


def test_a_post_without_a_body_is_not_read_from_its_query() -> None:
    query = [("query", name, value) for _, name, value in body()]
    with pytest.raises(Unreadable, match="no_session"):
        read(query, carrier="body")


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["body", "query"]), st.text(max_size=8), st.text(max_size=12)), max_size=8))
def test_an_extra_is_json_without_a_number(added: list[tuple[str, str, str]]) -> None:
    number = [("body", "Added", "x14155550199"), ("query", "14155550199", "x")]
    try:
        extra = read([*body(), *added, *number]).extra
    except Unreadable:
        return
    text = json.dumps(extra)
    assert json.loads(text) == extra
    assert not re.search(r"\d{7}", re.sub(r"\\u[0-9a-f]{4}", "", text))


# --- too odd for a row -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [None, "", "  "])
def test_without_a_session_there_is_no_row(session: str | None) -> None:
    assert reason(body(SessionUUID=session)) == "no_session"


@pytest.mark.parametrize("session", ["14155550123", "+1 (415) 555-0123", "12345678", "1" * 15])
def test_a_session_that_is_nothing_but_a_number_has_no_row(session: str) -> None:
    assert reason(body(SessionUUID=session)) == "session_is_number"


def test_what_is_no_form_has_no_session() -> None:
    for raw in (b'{"SessionUUID": "1"}', b"--x\r\nContent-Disposition: form-data", b""):
        assert reason([("body", *pair) for pair in pairs(raw)]) == "no_session"


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_field_of_ours_twice_is_refused_even_with_the_same_value(name: str) -> None:
    assert reason([*body(), ("body", name, CALLBACK[name])]) == "field_twice"


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_field_of_ours_has_a_bounded_length(name: str) -> None:
    assert reason(body(**{name: "1" * (LONGEST_VALUE + 1)})) == "field_too_long"
    read(body(**{name: "1" * LONGEST_VALUE}))


def test_sixty_four_fields_are_read_and_sixty_five_are_not() -> None:
    added = [("query", f"n{number}", "") for number in range(MOST_FIELDS - len(CALLBACK))]
    assert len(read([*body(), *added]).extra) == MOST_FIELDS - len(CALLBACK)
    assert reason([*body(), *added, ("query", "one", "more")]) == "too_many_fields"


@pytest.mark.parametrize("field", ["SessionUUID", "Added"])
def test_nul_and_bytes_that_are_no_text_are_refused_anywhere(field: str) -> None:
    for raw, expected in ((b"%00", "nul_character"), (b"%ff", "not_utf8"), (b"%ed%a0%80", "not_utf8")):
        form = urlencode({name: value for name, value in CALLBACK.items() if name != field}).encode()
        for piece in (field.encode() + b"=x" + raw, raw + b"=x"):
            assert reason([("body", *pair) for pair in pairs(form + b"&" + piece)]) == expected


def test_a_form_alone_is_refused_for_the_same_reasons() -> None:
    assert parse_form(b"a=1&a=1&b") == [("a", "1"), ("a", "1"), ("b", "")]
    for raw, expected in ((b"&a" * 65, "too_many_fields"), (b"a=%00", "nul_character"), (b"\xff=a", "not_utf8")):
        with pytest.raises(Unreadable) as refused:
            parse_form(raw)
        assert refused.value.reason == expected


# --- recognising content ---------------------------------------------------------------------------------------------


def test_the_digest_does_not_know_the_order_of_fields() -> None:
    assert digest(body(), PEPPER) == digest(body()[::-1], PEPPER)
    assert re.fullmatch("1:[0-9a-f]{64}", digest(body(), PEPPER))


def test_the_digest_is_keyed() -> None:
    assert digest(body(), PEPPER) != digest(body(), PEPPER + b"2")


@pytest.mark.parametrize(
    "changed",
    [
        body(Channel="voice"),
        body(Channel=" sms"),
        body(Channel="SMS"),
        body(Recipient="+14155550123"),
        body(AttemptSequence="01"),
        body(RequestTime="2024-07-02T10:15:04.123456Z"),
        body(ChannelErrorCode=None),
        body(Added=""),
        [*body()[:-1], ("query", *body()[-1][1:])],
        [*body(), body()[0]],
        [*body(), ("body", "", "")],
    ],
)
def test_the_digest_knows_every_field_as_it_was_received(changed: Params) -> None:
    """Values that read alike differ too: what we make of them may change, what was received may not."""
    assert digest(changed, PEPPER) != digest(body(), PEPPER)


def test_the_digest_counts_repeated_fields() -> None:
    once, twice, thrice = ([("body", "a", "1")] * times for times in (1, 2, 3))
    assert len({digest(params, PEPPER) for params in (once, twice, thrice)}) == 3


def test_the_digest_knows_bytes_that_are_no_text() -> None:
    forms = [b"a=%ff", b"a=%fe", b"a=%ef%bf%bd", b"a=", b"a=%c3%bf", b"a=%ed%b3%bf"]
    assert len({digest([("body", *pair) for pair in pairs(form)], PEPPER) for form in forms}) == len(forms)


def test_the_canonical_list_is_written_so_that_others_can_write_it() -> None:
    assert canonical([("query", "b", "é"), ("body", "a", "")]) == b"4:body,1:a,0:,5:query,1:b,2:\xc3\xa9,"
    assert canonical([]) == b""


triples = st.lists(st.tuples(st.sampled_from(["body", "query"]), st.text(max_size=6), st.text(max_size=6)), max_size=5)


@settings(deadline=None)
@given(triples, triples)
def test_two_contents_are_equal_when_their_canonical_lists_are(one: Params, other: Params) -> None:
    assert (canonical(one) == canonical(other)) is (sorted(one) == sorted(other))


@pytest.mark.parametrize(
    ("received_at", "nonces", "content"),
    [
        (2, [("v2", "1")], "1:a"),
        (1, [("v2", "2")], "1:a"),
        (1, [("v3", "1")], "1:a"),
        (1, [("v2", "1"), ("v3", "1")], "1:a"),
        (1, [], "1:a"),
        (1, [("v2", "1")], "1:b"),
        (1, [("v2", "11")], ":a"),
    ],
)
def test_an_arrival_is_another_when_anything_of_it_is(
    received_at: int, nonces: list[tuple[str, str]], content: str
) -> None:
    assert arrival_id(received_at, nonces, content) != arrival_id(1, [("v2", "1")], "1:a")


def test_an_arrival_does_not_depend_on_the_order_of_its_proofs() -> None:
    nonces = [("v3", "2"), ("v2", "1")]
    assert arrival_id(1, nonces, "1:a") == arrival_id(1, nonces[::-1], "1:a")
    assert re.fullmatch("[0-9a-f]{64}", arrival_id(1, nonces, "1:a"))


# --- the window ------------------------------------------------------------------------------------------------------


def test_the_window_declares_every_column_once_and_everything_a_reading_has() -> None:
    names = [column.name for column in COLUMNS]
    assert len(names) == len(set(names))
    described = {"arrival_id", "received_at", "provider", "recipient_key", "country", "number_block", "proof", "digest"}
    assert set(names) == described | set(Reading.__dataclass_fields__) - {"recipient"}


def test_what_must_be_there_is_what_every_request_has() -> None:
    required = {column.name for column in COLUMNS if not column.nullable}
    assert required == {"arrival_id", "received_at", "provider", "session_id", "proof", "digest"}
    assert {column.name for column in COLUMNS if column.kind == "moment"} == {"received_at", "requested_at"}
    assert {column.name for column in COLUMNS if column.kind == "integer"} == {"attempt_sequence"}
