"""Which digits of a text are, or could be, somebody's phone number.

The one place that knows how numbers are written, so that a number read from a callback, one typed by an operator and
one hidden in a field nobody expected are all recognised in the same way.
"""

from __future__ import annotations

import re
import unicodedata

# Fewer digits in a row do not name anybody: no subscriber number of E.164 is shorter with its country code.
SHORTEST_NUMBER = 7

# A text that is nothing but digits names somebody from here on; E.164 ends at fifteen.
_WHOLE_NUMBER = range(8, 16)

# What people put between the digits of a number.
_BETWEEN = r"\s().,/+_\-\u2010-\u2015\u2212"
_WRITTEN_NUMBER = re.compile(rf"[{_BETWEEN}]*\d[\d{_BETWEEN}]*")
_PUNCTUATION = re.compile(rf"(?<=\d)[{_BETWEEN}]+(?=\d)")
_NO_DIGIT = re.compile(r"\D+")
_RUN = re.compile(rf"\d{{{SHORTEST_NUMBER}}}")
# Two harmless texts full of digits and dashes. Seven digits in a row are dropped even inside them.
_UUID = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])", re.IGNORECASE)
_TIMESTAMP = re.compile(
    r"(?<!\d)(?:0000|0001|19\d\d|20\d\d)[-/](?:0\d|1[0-2])[-/](?:[0-2]\d|3[01])[T ]+"
    r"[0-2]\d:[0-5]\d(?::[0-6]\d(?:[.,]\d{1,6})?)?(?: ?[+-][01]\d:?[0-5]\d)?(?!\d)"
)


def digits_of(text: str) -> str | None:
    """Read a phone number however it is punctuated.

    Parameters
    ----------
    text
        With or without ``+``, with spaces, dashes, dots, brackets, in any script's digits.

    Returns
    -------
    str or None
        The digits as ASCII and nothing else: the one form in which this project compares numbers. None where there is
        no digit, or anything but a number. Nothing is guessed: a leading ``00`` or ``0`` stays, because what it stands
        for depends on the country.

    Examples
    --------
    >>> digits_of("+1 (415) 555-0123")
    '14155550123'
    >>> digits_of("anonymous") is None
    True
    """
    if text.isascii() and text.isdigit():
        return text
    plain = _plain(text)
    if not _WRITTEN_NUMBER.fullmatch(plain):
        return None
    if plain.isascii():
        return _NO_DIGIT.sub("", plain)
    return "".join(str(unicodedata.decimal(character)) for character in plain if character.isdecimal())


def is_number(text: str) -> bool:
    """Say whether a text is nothing but a phone number: eight to fifteen digits, however they are punctuated.

    It is for identifiers, in which digits are nothing odd.

    Examples
    --------
    >>> is_number("+1 (415) 555-0123"), is_number("s-14155550123")
    (True, False)
    """
    digits = digits_of(text)
    return digits is not None and len(digits) in _WHOLE_NUMBER


def holds_number(text: str) -> bool:
    """Say whether a text could give somebody's number away: seven or more digits in a row.

    Digits of every script count, and punctuation between digits does not break a row, except in a UUID or a
    timestamp written with dashes.

    Examples
    --------
    >>> holds_number("call 415-555-0123"), holds_number("2024-07-02 10:15:04"), holds_number("code 1234")
    (True, False, False)
    """
    plain = _plain(text)
    if _RUN.search(plain):
        return True
    return bool(_RUN.search(_PUNCTUATION.sub("", _TIMESTAMP.sub("time", _UUID.sub("uuid", plain)))))


def rows_of_digits(text: str) -> list[str]:
    """Find what `holds_number` found: each row of seven or more digits, as ASCII, without what stands between them.

    Examples
    --------
    >>> rows_of_digits("call +1 415-555-0123, code 1234; or 7/7")
    ['14155550123']
    """
    joined = _PUNCTUATION.sub("", _plain(text))
    ascii_only = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in joined)
    return re.findall(rf"\d{{{SHORTEST_NUMBER},}}", ascii_only)


def masked(text: str) -> str:
    """Write ``#`` for each digit of a text that could give somebody's number away; leave any other text alone."""
    if not holds_number(text):
        return text
    return "".join("#" if character.isnumeric() else character for character in text)


def _plain(text: str) -> str:
    """Write look-alikes as the characters they look like, and leave out what is not seen (joiners, accents)."""
    if text.isascii():
        return text
    normal = unicodedata.normalize("NFKC", text)
    return "".join(character for character in normal if unicodedata.category(character) not in {"Cf", "Me", "Mn"})
