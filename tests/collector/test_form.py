"""Taking a form apart: nothing is lost, and nothing is too odd."""

from urllib.parse import parse_qsl, quote_from_bytes, urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.form import MOST_PIECES, octets, pairs, query_octets

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=8))
def test_what_was_encoded_comes_back(fields: list[tuple[str, str]]) -> None:
    assert pairs(urlencode(fields).encode()) == fields


@settings(deadline=None)
@given(st.text("ab=&+%20;é", max_size=30))
def test_forms_are_taken_apart_as_the_standard_library_does(raw: str) -> None:
    assert pairs(raw.encode()) == parse_qsl(raw, keep_blank_values=True, errors="surrogateescape")


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=10), min_size=1, max_size=5))
@example([b"\xff\xfe"])
@example([b"\xed\xa0\x80"])
def test_bytes_that_are_no_text_are_given_back_unchanged(names: list[bytes]) -> None:
    raw = "&".join(map(quote_from_bytes, names)).encode()
    assert [octets(name) for name, value in pairs(raw)] == names


def test_repeated_names_and_empty_values_stay_and_empty_pieces_are_nothing() -> None:
    assert pairs(b"&a=1&&a=1&b=&c&=d&") == [("a", "1"), ("a", "1"), ("b", ""), ("c", ""), ("", "d")]
    assert pairs(b"") == []


def test_broken_escapes_stay_as_they_are_and_a_semicolon_separates_nothing() -> None:
    assert pairs(b"a=%zz%4&b=1;c=2") == [("a", "%zz%4"), ("b", "1;c=2")]


def test_a_body_made_of_separators_is_not_taken_apart_to_its_end() -> None:
    found = pairs(b"a=b&" * 5_000)
    assert len(found) == MOST_PIECES + 1
    assert sum(len(name) + len(value) for name, value in found) > 5_000


@settings(deadline=None)
@given(st.text(max_size=20))
@example("\ud800\udcff")
def test_any_text_has_bytes(text: str) -> None:
    assert isinstance(octets(text), bytes)
    assert isinstance(query_octets(text), bytes)


def test_a_query_is_taken_as_a_server_hands_it_over_one_character_a_byte() -> None:
    assert query_octets("name=é".encode().decode("latin-1")) == "name=é".encode()
    assert query_octets("name=€") == "name=€".encode()
