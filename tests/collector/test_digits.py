"""What counts as a phone number, however it is written. The numbers here belong to nobody: they are kept for films."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.digits import digits_of, holds_number, is_number, masked

NUMBER = "14155550123"


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        f"+{NUMBER}",
        f" {NUMBER}\n",
        "+1 (415) 555-0123",
        "1.415.555.0123",
        "1/415/5550123",
        "1–415—555‐0123",
        "1\u00a0415\u202f555 0123",
        "１４１５５５５０１２３",
        "١٤١٥٥٥٥٠١٢٣",
        "+1\u200b415\u200d5550123",
        "1\ufe0f\u20e34155550123",
    ],
)
def test_a_number_is_its_digits_however_it_is_written(text: str) -> None:
    assert digits_of(text) == NUMBER


@pytest.mark.parametrize(
    "text", ["", " ", "+", "-", "anonymous", "sip:14155550123@h", "1415555O123", "null", "1e9", "½"]
)
def test_what_is_no_number_has_no_digits(text: str) -> None:
    assert digits_of(text) is None


@pytest.mark.parametrize("text", [NUMBER, "+1 (415) 555-0123", "12345678", "1" * 15, "١٤١٥٥٥٥٠١٢٣"])
def test_eight_to_fifteen_digits_and_nothing_else_are_somebodys_number(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize(
    "text", ["", "1234567", "1" * 16, f"to {NUMBER}", f"s-{NUMBER}", "12345678-1234-1234-1234-123456789012"]
)
def test_an_identifier_with_digits_in_it_is_not_yet_a_number(text: str) -> None:
    assert not is_number(text)


def test_leading_zeros_stay_because_what_they_stand_for_depends_on_the_country() -> None:
    assert digits_of("00 1 415 555 0123") == f"00{NUMBER}"
    assert digits_of("0415 5550") == "04155550"


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        "1234567",
        "to 4155550 now",
        "415-555-0123",
        "(415) 555 0123",
        "415.555.0123",
        "4 1 5 5 5 5 0 1 2 3",
        "415,555,0123",
        "415_555_0123",
        "4155–5501",
        "４１５５５５０",
        "٤١٥٥٥٥٠",
        "४१५५५५०",
        "⁴¹⁵⁵⁵⁵⁰",
        "④①⑤⑤⑤⑤⓪",
        "415\u200b555\u200b0123",
        "4155550123@h",
        "ext1234567",
        "2024-07-02 10:15:04.1234567",
        "8e712097-8090-4644-81e7-8f1234567890",
        "2024-55-0123",
        "2024-55-01 12:30",
        "1415-55-50 12:3",
        "203.0.113.15",
    ],
)
def test_seven_digits_in_a_row_could_be_a_number_whatever_stands_between(text: str) -> None:
    assert holds_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123456",
        "123-456",
        "code 1234, try 2",
        "en_US",
        "v1.2.3",
        "12:34:56",
        "8e712097-8090-4644-81e7-8f42f5d8354e",
        "2024-07-02 10:15:04.123456",
        "2024-07-02T10:15:04+05:30",
        "0001-01-01T05:53:28+05:53",
        "half ½ of ¾",
    ],
)
def test_fewer_digits_identifiers_and_moments_could_not(text: str) -> None:
    assert not holds_number(text)


def test_a_mask_covers_every_digit_and_leaves_harmless_text_alone() -> None:
    assert masked("to+1 (415) 555-0123 x2") == "to+# (###) ###-#### x#"
    assert masked("٤١٥٥٥٥٠") == "#######"
    assert masked("④①⑤⑤⑤⑤⓪") == "#######"
    assert masked("Locale 2") == "Locale 2"


@settings(deadline=None)
@given(st.text(max_size=30), st.text(" -.()", max_size=3), st.text(max_size=30))
def test_no_number_hides_in_a_text(before: str, between: str, after: str) -> None:
    assert holds_number(f"{before}a415{between}555{between}0123b{after}")
    assert not holds_number(masked(f"{before}a415{between}555{between}0123b{after}"))
