"""Does a text look like somebody's phone number? None may come in: what is kept of a recipient is a keyed hash.

Said twice, for one text and as a condition of DuckDB; a test holds the two together.
"""

import hashlib
import hmac
import re

from verify_analytics.errors import ArgumentError

SHORTEST_PEPPER = 32
"""Numbers are few enough to be tried one by one, so a key that could be guessed would give them back."""
HOW_TO_HASH = (
    'give the column itself as columns={"recipient": …} with pepper="…", which keeps a keyed hash and no number, '
    "or leave it out"
)
# What people write between the digits, and before them.
_BETWEEN = r"[\s().,/+_\-]"
_BEFORE = r"^(?i:tel|sms|whatsapp):"
_DIGITS = r"[0-9]{7,}"
# Where digits alone may be a key of a database, only the plus tells.
_PLUSSED = r"(^|[^0-9A-Za-z+/=])\+[\s(]*[0-9]([\s().\-]*[0-9]){6,}"


def looks_like_a_number(text: str) -> bool:
    """Say whether a text is nothing but a phone number, however it is written, or holds one with its plus.

    Examples
    --------
    >>> looks_like_a_number("+1 (415) 555-0123"), looks_like_a_number("whatsapp:14155550123")
    (True, True)
    >>> looks_like_a_number("0a1b2c3d:" + 64 * "0"), looks_like_a_number("451")
    (False, False)
    """
    bare = re.sub(_BETWEEN, "", re.sub(_BEFORE, "", text))
    return re.fullmatch(_DIGITS, bare) is not None or re.search(_PLUSSED, text) is not None


def masked(text: str) -> str:
    """Write ``#`` for each digit of what looks like a phone number: the names of columns are, in a file without them.

    >>> masked("+1 415 555 0123"), masked("Recipient2")
    ('+# ### ### ####', 'Recipient2')
    """
    return re.sub(r"\d", "#", text) if looks_like_a_number(text) else text


def number_condition(column: str, *, only_with_plus: bool = False) -> str:
    """Write the same as a condition on a column of texts.

    Parameters
    ----------
    column
        Its name, quoted.
    only_with_plus
        For identifiers, in which digits are nothing odd.
    """
    plussed = f"regexp_matches({column}, '{_PLUSSED}')"
    if only_with_plus:
        return plussed
    return f"({plussed} OR regexp_full_match({bare(column)}, '{_DIGITS}'))"


def key_expression(column: str, pepper: str | bytes) -> str:
    """Write the keyed hash of a column of phone numbers, the one that a collector makes with the same pepper.

    Parameters
    ----------
    column
        Its name, quoted; texts in any punctuation. What is no number gives null.
    pepper
        At least 32 characters.

    Returns
    -------
    str
        An expression of DuckDB: eight digits that name the pepper, and HMAC-SHA-256 over the number's digits.

    Raises
    ------
    ArgumentError
        If the pepper is too short to keep numbers from being found by trying them all.
    """
    secret = pepper.encode() if isinstance(pepper, str) else pepper
    if not isinstance(secret, bytes) or len(secret) < SHORTEST_PEPPER:
        raise ArgumentError(
            f"pepper= needs at least {SHORTEST_PEPPER} characters, or every number could be found by trying; "
            "make one with python3 -c 'import secrets; print(secrets.token_hex(32))' and keep it"
        )
    name = hmac.new(secret, b"name of a pepper", hashlib.sha256).hexdigest()[:8]
    block = (secret if len(secret) <= 64 else hashlib.sha256(secret).digest()).ljust(64, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in block).hex() for pad in (0x36, 0x5C))
    digits = bare(column)
    hashed = f"sha256(unhex('{outer}') || unhex(sha256(unhex('{inner}') || encode({digits}))))"
    return f"CASE WHEN regexp_full_match({digits}, '[0-9]+') THEN '{name}:' || {hashed} END"


def bare(column: str) -> str:
    """Write a column of texts without what stands between the digits of a number."""
    return f"regexp_replace(regexp_replace({column}, '{_BEFORE}', ''), '{_BETWEEN}', '', 'g')"
