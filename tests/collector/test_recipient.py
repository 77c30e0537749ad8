"""What is kept of a number, and that the number is not.

Numbers come from phonenumbers' own examples, so that none of them is written down here and none belongs to a person.
"""

import hashlib
import hmac
import re
import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.recipient import Recipient, check_value, describe, key_id

PEPPER = b"a pepper that is only for tests, and long enough"
OTHER = b"another pepper that is only for tests, and long too"
NAME = key_id(PEPPER)
FILM = "14155550123"


def example(region: str) -> str:
    """Give a valid mobile number of a country, as digits."""
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert number is not None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return written.removeprefix("+")


def key_of(number: str | None, pepper: bytes = PEPPER) -> str | None:
    return describe(number, pepper, key_id(pepper)).recipient_key


# --- the key ---------------------------------------------------------------------------------------------------------


def test_the_key_is_an_hmac_of_the_digits_that_any_other_system_can_make() -> None:
    expected = hmac.new(PEPPER, FILM.encode(), hashlib.sha256).hexdigest()
    assert key_of(FILM) == f"{NAME}:{expected}"


@pytest.mark.parametrize("written", [f"+{FILM}", "+1 (415) 555-0123", " 1-415-555-0123\n"])
def test_one_number_has_one_key_however_it_is_written(written: str) -> None:
    assert describe(written, PEPPER, NAME) == describe(FILM, PEPPER, NAME)


def test_another_number_or_another_pepper_makes_another_key() -> None:
    keys = [key_of(FILM), key_of(FILM[:-1] + "4"), key_of(FILM[1:]), key_of(FILM, OTHER)]
    assert len({str(key).partition(":")[2] for key in keys}) == len(keys)


def test_a_number_without_a_country_has_a_key_all_the_same() -> None:
    for odd in ("1", "0415555", "9" * 15, "1" * 40):
        described = describe(odd, PEPPER, NAME)
        assert described.recipient_key is not None
        assert described.country is None


@pytest.mark.parametrize("nobody", [None, "", "anonymous", "+", "415x555"])
def test_what_is_no_number_describes_nobody(nobody: str | None) -> None:
    assert describe(nobody, PEPPER, NAME) == Recipient(None, None, None)


# --- the country -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["US", "CA", "PR", "JM", "GB", "GG", "IN", "BR", "DE", "NG", "KZ", "RU", "IT", "MX"])
def test_the_country_is_found_also_where_several_share_a_code(region: str) -> None:
    assert describe(example(region), PEPPER, NAME).country == region


def test_a_number_of_nobody_or_of_the_whole_world_has_no_country() -> None:
    freephone = phonenumbers.example_number_for_non_geo_entity(800)
    assert freephone is not None
    worldwide = f"{freephone.country_code}{freephone.national_number}"
    for number in ("1" * 11, "91" + "1" * 10, "999" + "5" * 8, "447700" + "900123", worldwide):
        assert describe(number, PEPPER, NAME).country is None


# --- the block -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["US", "GB", "DE", "NU", "SH", "TK", "CN"])
def test_the_block_is_the_number_without_its_last_four_digits(region: str) -> None:
    assert describe(example(region), PEPPER, NAME).number_block == example(region)[:-4]


def test_a_range_that_was_never_given_out_has_a_block_and_no_country() -> None:
    described = describe("1" + "000" + "5550123", PEPPER, NAME)
    assert described.country is None
    assert described.number_block == "1000555"


@pytest.mark.parametrize("length", range(1, 7))
def test_a_short_number_has_no_block_because_little_would_be_hidden(length: int) -> None:
    assert describe("1234567"[:length], PEPPER, NAME).number_block is None
    # A length that Austria does have.
    assert describe("431111"[:length], PEPPER, NAME)[1:] == (None, None)


@pytest.mark.parametrize(
    "digits",
    [
        pytest.param(FILM + "1234", id="an extension: without its last four digits the number would be whole"),
        pytest.param(FILM + FILM, id="two numbers in one: the first would be whole"),
        pytest.param(FILM[1:], id="no country's number is written like this"),
        pytest.param(FILM[:8], id="too short for its country"),
        pytest.param("49" + "1" * 14, id="longer than E.164 allows, though Germany's own numbers may be as long"),
    ],
)
def test_digits_longer_or_shorter_than_a_number_have_no_block(digits: str) -> None:
    assert describe(digits, PEPPER, NAME).number_block is None


@settings(deadline=None)
@given(st.text("0123456789", min_size=7, max_size=20) | st.text("+0123456789 -()", max_size=25) | st.text(max_size=10))
def test_nothing_kept_holds_the_number(text: str) -> None:
    described = describe(text, PEPPER, NAME)
    digits = re.sub(r"\D", "", text)
    if described.number_block is not None:
        assert described.number_block == digits[:-4]
    for kept in (described.country, described.number_block):
        assert kept is None or digits not in kept
    if described.country is not None:
        assert re.fullmatch("[A-Z]{2}", described.country)


# --- the pepper ------------------------------------------------------------------------------------------------------


def test_a_pepper_has_a_name_and_a_check_value_that_do_not_give_it_away() -> None:
    assert re.fullmatch("[0-9a-f]{8}", key_id(PEPPER))
    assert re.fullmatch("[0-9a-f]{64}", check_value(PEPPER))
    assert key_id(PEPPER) != key_id(OTHER)
    assert check_value(PEPPER) != check_value(OTHER)
    assert not check_value(PEPPER).startswith(key_id(PEPPER))


def test_names_and_check_values_stay_as_they_are_because_stores_hold_them() -> None:
    assert key_id(b"0123456789abcdef0123456789abcdef") == "4c28774e"
    assert check_value(b"0123456789abcdef0123456789abcdef") == (
        "8ecbd9e242a0e4f44675f42dba482c5bdaf543d4beb842a3d67d8a323c05bb6c"
    )


def test_neither_country_names_nor_carriers_are_loaded() -> None:
    """They take 100 MB and half a second, and we need neither."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, collector.recipient; print([m for m in sys.modules if 'phonenumbers' in m])",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "phonenumbers" in said
    assert not re.search("geocoder|carrier|geodata|timezone", said)
