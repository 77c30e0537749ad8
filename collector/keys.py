"""The keys under which a number is kept, for whoever wants to join callbacks with data of their own."""

from collections.abc import Sequence

from collector import recipient
from collector.digits import SHORTEST_NUMBER, digits_of
from collector.errors import CollectorError

LARGEST_INPUT = 16 * 1024 * 1024
"""Bytes of standard input: half a million numbers."""


def numbers(given: bytes) -> list[str]:
    """Read phone numbers, one a line, however they are punctuated.

    Raises
    ------
    CollectorError
        At a line that is no number. It says which, and nothing of what stands there.
    """
    try:
        lines = given.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise CollectorError("what came on standard input is no text in UTF-8: give one number a line") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        digits = digits_of(line)
        if digits is None or not SHORTEST_NUMBER <= len(digits) <= recipient.LONGEST_NUMBER:
            raise CollectorError(
                f"line {number} is no phone number: write each on a line of its own, with its country code, "
                "such as +1 201 555 0123"
            )
        found.append(digits)
    if not found:
        raise CollectorError("no number came: give one a line on standard input, such as +1 201 555 0123")
    return found


def keys_of(number: str, peppers: Sequence[bytes]) -> list[str]:
    """Give the recipient keys of a number, the newest pepper's first: rows written before a rotation keep the older."""
    made = (recipient.describe(number, pepper, recipient.key_id(pepper)).recipient_key for pepper in reversed(peppers))
    return [key for key in made if key is not None]
