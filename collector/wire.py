"""What a callback says, in our words.

The one place that knows Plivo's names, and the declaration of the columns that the analysts read. Names are translated
and moments are read; what a status means is nobody's business here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from collector import form
from collector.digits import digits_of, holds_number, is_number, masked
from collector.form import octets
from collector.moments import microseconds

PROVIDER = "plivo"
MOST_FIELDS = 64
# Longer than any identifier or status, and short enough for every index a database may lay over it.
LONGEST_VALUE = 255
# Fits an integer of every database and engine.
_LONGEST_SEQUENCE = 9

Source = Literal["body", "query"]
Params = Sequence[tuple[str, str, str]]
Extra = dict[str, str | list[str | None] | None]


class Column(NamedTuple):
    """One column of the window: its name, its kind (`moment`: microseconds since 1970 UTC), whether it may be null."""

    name: str
    kind: Literal["text", "integer", "moment"]
    nullable: bool


# The window: the table `callbacks` as the toolkit reads it. The store's own `callback_id` stays behind it.
COLUMNS = (
    Column("arrival_id", "text", nullable=False),
    Column("received_at", "moment", nullable=False),
    Column("provider", "text", nullable=False),
    Column("session_id", "text", nullable=False),
    Column("session_status", "text", nullable=True),
    Column("attempt_id", "text", nullable=True),
    Column("attempt_sequence", "integer", nullable=True),
    Column("channel", "text", nullable=True),
    Column("channel_status", "text", nullable=True),
    Column("error_code", "text", nullable=True),
    Column("requested_at", "moment", nullable=True),
    Column("recipient_key", "text", nullable=True),
    Column("country", "text", nullable=True),
    Column("number_block", "text", nullable=True),
    Column("proof", "text", nullable=False),
    Column("digest", "text", nullable=False),
    Column("extra", "text", nullable=True),
)

KNOWN = frozenset(
    {
        "SessionUUID",
        "SessionStatus",
        "RequestTime",
        "Recipient",
        "ChannelErrorCode",
        "Channel",
        "AttemptUUID",
        "AttemptSequence",
        "ChannelStatus",
    }
)

# What is kept in the words of the provider, in which nobody expects a number.
_WORDS = ("SessionStatus", "Channel", "ChannelStatus", "ChannelErrorCode")


class Unreadable(Exception):  # noqa: N818 - it reads as what the request is
    """A request that cannot become a row, and goes to quarantine as it came.

    Parameters
    ----------
    reason
        One word, of `UNREADABLE` where reading found it; it holds nothing of the request.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# Every reason that reading has. Whoever takes requests in may have others, of how a body was sent.
UNREADABLE = (
    "too_many_fields",
    "not_utf8",
    "nul_character",
    "field_twice",
    "field_too_long",
    "no_session",
    "session_is_number",
)


@dataclass(frozen=True)
class Reading:
    """What one callback says: the provider's side of a row. One per readable request.

    None stands for a field that was not sent, was empty, or could not be read; in the last case its name is in `extra`.
    """

    session_id: str
    session_status: str | None = None
    attempt_id: str | None = None
    attempt_sequence: int | None = None
    channel: str | None = None
    channel_status: str | None = None
    error_code: str | None = None
    requested_at: int | None = None
    # Digits only. It is on its way to `recipient.describe` and never shown.
    recipient: str | None = field(default=None, repr=False)
    # A field the provider added, or one that could not be read → its value; None where the value could hold a number;
    # a list where the name came more than once.
    extra: Extra = field(default_factory=dict)


def parse_form(raw: bytes) -> list[tuple[str, str]]:
    """Take a readable form apart into its names and values.

    Raises
    ------
    Unreadable
        More than 64 fields, a NUL character, or bytes that are no UTF-8. Where such a form must still be recognised or
        its signature checked, `collector.form.pairs` takes it as it is.
    """
    found = form.pairs(raw)
    _check(found)
    return found


def read(params: Params, *, carrier: Source | None = None) -> Reading:
    """Read a callback: Plivo's names become ours, statuses lose their capitals, moments become numbers.

    Parameters
    ----------
    params
        Every (source, name, value) of the request, where source is ``body`` or ``query``.
    carrier
        Where the callback itself is: in the body of a ``POST``, in the query of a ``GET``. Fields from elsewhere are
        extras whatever they are called. By default the body, when there is one.

    Returns
    -------
    Reading
        `session_status`, `channel` and `channel_status` are lower-cased and stripped; `error_code` is exactly as sent,
        an empty one too; unknown values stay as they are. One of these that could hold a number, and an `attempt_id`
        that is nothing but one, is None, with its name in `extra`.

    Raises
    ------
    Unreadable
        No SessionUUID, or one that is nothing but a phone number; a known field twice, even with the same value; a
        known field of more than 255 characters; more than 64 fields; a NUL character or bytes that are no UTF-8,
        anywhere.
    """
    _check([(name, value) for _, name, value in params])
    if carrier is None:
        carrier = "body" if any(source == "body" for source, _, _ in params) else "query"
    known: dict[str, str] = {}
    others: list[tuple[str, str | None]] = []
    for source, name, value in params:
        if source != carrier or name not in KNOWN:
            others.append((name, value))
            continue
        if name in known:
            raise Unreadable("field_twice")
        if len(value) > LONGEST_VALUE:
            raise Unreadable("field_too_long")
        known[name] = value
    session_id = _text(known.get("SessionUUID"))
    if session_id is None:
        raise Unreadable("no_session")
    if is_number(session_id):
        # Every question asks by session: without it there is no row, and quarantine is where clear content may be.
        raise Unreadable("session_is_number")
    others += [(name, None) for name in _without_numbers(known)]
    sequence = _sequence(known.get("AttemptSequence", ""))
    requested_at = microseconds(known.get("RequestTime", ""))
    recipient = digits_of(known.get("Recipient", ""))
    # A recipient that is no number may still be somebody's name: only the fact is kept.
    unread = (("AttemptSequence", sequence), ("RequestTime", requested_at), ("Recipient", recipient))
    others += [
        (name, known[name] if name != "Recipient" else None)
        for name, value in unread
        if value is None and _text(known.get(name)) is not None
    ]
    return Reading(
        session_id=session_id,
        session_status=_word(known.get("SessionStatus")),
        attempt_id=_text(known.get("AttemptUUID")),
        attempt_sequence=sequence,
        channel=_word(known.get("Channel")),
        channel_status=_word(known.get("ChannelStatus")),
        error_code=known.get("ChannelErrorCode"),
        requested_at=requested_at,
        recipient=recipient,
        extra=_extra(others),
    )


def canonical(params: Params) -> bytes:
    """Write down a request's content so that equal content, and only that, gives equal bytes.

    Every (source, name, value) as received and decoded once, repeated ones as often as they came, sorted; each text as
    ``<length in bytes>:<bytes>,``. Order and percent-encoding do not count, and what we make of a value never does: a
    better parser must not turn a provider's retry into a forgery.
    """
    rows = sorted([(octets(source), octets(name), octets(value)) for source, name, value in params])
    return _netstrings([text for row in rows for text in row])


def digest(params: Params, pepper: bytes) -> str:
    """Give a request's content its fingerprint: ``1:`` (the format) and 64 hexadecimal digits.

    Keyed with the store's oldest pepper: a plain hash of a row would give the recipient's number back to anybody who
    tries the ten thousand numbers of its block.
    """
    return f"1:{hmac.new(pepper, canonical(params), hashlib.sha256).hexdigest()}"


def arrival_id(received_at: int, nonces: Sequence[tuple[str, str]], digest: str) -> str:
    """Name one arrival of a callback, everywhere and for good: 64 hexadecimal digits.

    Parameters
    ----------
    received_at
        Microseconds since 1970 UTC.
    nonces
        The proved (family, nonce), in any order.
    digest
        Of the content, from `digest`.
    """
    parts = [str(received_at), *(part for nonce in sorted(nonces) for part in nonce), digest]
    return hashlib.sha256(_netstrings(octets(part) for part in parts)).hexdigest()


def _check(found: Sequence[tuple[str, str]]) -> None:
    if len(found) > MOST_FIELDS:
        raise Unreadable("too_many_fields")
    text = "".join(name + value for name, value in found)
    if "\0" in text:
        raise Unreadable("nul_character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable("not_utf8") from None


def _without_numbers(known: dict[str, str]) -> list[str]:
    """Take out the texts that would give somebody's number away, and say which: only the recipient's field may."""
    hidden = [name for name in _WORDS if holds_number(known.get(name, ""))]
    if is_number(known.get("AttemptUUID", "")):
        hidden.append("AttemptUUID")
    for name in hidden:
        del known[name]
    return hidden


def _netstrings(texts: Iterable[bytes]) -> bytes:
    return b"".join([b"%d:%s," % (len(text), text) for text in texts])


def _text(value: str | None) -> str | None:
    """Take an identifier as it is; an empty field says as little as none."""
    return value if value and not value.isspace() else None


def _word(value: str | None) -> str | None:
    return value.strip().lower() or None if value is not None else None


def _sequence(value: str) -> int | None:
    value = value.strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _LONGEST_SEQUENCE else None


def _extra(others: Sequence[tuple[str, str | None]]) -> Extra:
    """Collect what has no column: values by name, without those that could hold a number."""
    lists: dict[str, list[str | None]] = {}
    for name, value in others:
        lists.setdefault(masked(name), []).append(None if value is None or holds_number(value) else value)
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}
