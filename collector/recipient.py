"""What may be kept of a phone number, so that a recipient is recognised and nobody is named.

The number itself never leaves this module: neither in a result, nor in an error, nor in a log.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

import phonenumbers

from collector.digits import SHORTEST_NUMBER, digits_of

# E.164 allows no more. A longer row of digits could be two numbers, or a number and its extension: cutting four digits
# off would leave somebody in plain sight.
LONGEST_NUMBER = 15
HIDDEN_DIGITS = 4
KEY = re.compile(r"[0-9a-f]{8}:[0-9a-f]{64}")
"""How a recipient key is written."""
PLACES_REMEMBERED = 4_096
_places: dict[str, tuple[str | None, str | None]] = {}


class Recipient(NamedTuple):
    """What is stored of a number; all three are None when there was none.

    Parameters
    ----------
    recipient_key
        ``<key id>:<64 hexadecimal digits>``, the same for the same number under the same pepper.
    country
        Two letters of ISO 3166, None when the number is not valid anywhere or belongs to no country.
    number_block
        The number's digits without the last four, None when it is not as long as a number of its country is.
    """

    recipient_key: str | None
    country: str | None
    number_block: str | None


def describe(number: str | None, pepper: bytes, key_id: str) -> Recipient:
    """Describe a recipient without naming them.

    Parameters
    ----------
    number
        The number as `collector.digits.digits_of` reads it. Anything that is no number, and None, describes nobody.
    pepper
        The newest secret of ``COLLECTOR_PEPPER``.
    key_id
        The name of that pepper, from `key_id`.

    Returns
    -------
    Recipient
        The key is HMAC-SHA-256 over the ASCII digits of the number with its country code and without ``+``
        (``14155550123``): a form that any other system can make without a library, and that no new edition of one can
        change. A local number has a key too, though no country.
    """
    digits = digits_of(number) if number is not None else None
    if digits is None:
        return Recipient(None, None, None)
    recipient_key = f"{key_id}:{_keyed(pepper, digits)}"
    # One recipient comes in many callbacks, and finding the country costs more than all the rest. Remembered under the
    # key, so that no number stays in memory.
    place = _places.get(recipient_key)
    if place is None:
        if len(_places) >= PLACES_REMEMBERED:
            _places.clear()
        place = _places[recipient_key] = _place(digits)
    return Recipient(recipient_key, *place)


def key_id(pepper: bytes) -> str:
    """Name a pepper without giving it away: eight hexadecimal digits that stand before every key made with it."""
    return _keyed(pepper, "name of a pepper")[:8]


def check_value(pepper: bytes) -> str:
    """Make what a store keeps of a pepper, to notice that it is missing or was changed: 64 hexadecimal digits."""
    return _keyed(pepper, "check value of a pepper")


def _keyed(pepper: bytes, text: str) -> str:
    return hmac.new(pepper, text.encode("ascii"), hashlib.sha256).hexdigest()


def _place(digits: str) -> tuple[str | None, str | None]:
    """Find a number's country and its block."""
    if not SHORTEST_NUMBER <= len(digits) <= LONGEST_NUMBER:
        return None, None
    try:
        parsed = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None, None
    # The length alone decides on the block, and a length without area code will not do: pumped traffic likes ranges
    # that were never given out.
    length = phonenumbers.is_possible_number_with_reason(parsed)
    block = digits[:-HIDDEN_DIGITS] if length == phonenumbers.ValidationResult.IS_POSSIBLE else None
    # None for a number that no country has; "001" for one that belongs to the whole world.
    region = phonenumbers.region_code_for_number(parsed) if phonenumbers.is_valid_number(parsed) else None
    return (region if region and region.isalpha() else None), block
