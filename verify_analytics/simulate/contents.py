"""Hashes what callbacks say: whole columns at once, as one text for each callback.

The text is that of `manners.fields_of`, its fields sorted by name. All of it but two identifiers, a number and a moment
are words that repeat, so those are written once for each way in which they come together.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.manners import EXTRAS, word
from verify_analytics.simulate.networks import Flags
from verify_analytics.simulate.people import ATTEMPTS
from verify_analytics.simulate.texts import hexadecimal
from verify_analytics.simulate.words import CHANNELS, SESSION_STATUSES, STATUSES, USUAL_TIME, written_times


class Words(NamedTuple):
    """The words of each callback, as numbers: one element per callback.

    Parameters
    ----------
    bare
        Whether it names no attempt at all, not even an empty one; then `sequence`, `channel` and `status` do not count.
    error
        Of a vocabulary that `digests` is given; -1 where the field is missing.
    timeless
        Whether it says no time of its request.
    """

    bare: Flags
    sequence: Integers
    channel: Integers
    status: Integers
    error: Integers
    session_status: Integers
    loud: Flags
    extra: Flags
    plus: Flags
    timeless: Flags


class Own(NamedTuple):
    """The texts of each callback that do not repeat, as Arrow columns; null where there is none."""

    attempt_id: Any
    recipient: Any
    time: Any
    session_id: Any


def digests(words: Words, errors: tuple[str, ...], own: Own) -> Any:
    """Hash the content of each callback.

    Parameters
    ----------
    words, errors
        What repeats, and the vocabulary of error codes.
    own
        What does not.

    Returns
    -------
    Arrow array
        ``1:`` and 64 hexadecimal digits. One element per callback.
    """
    # One number for all words of a callback: each digit has room for its vocabulary, and that of errors for -1.
    room = (2, ATTEMPTS + 1, len(CHANNELS), len(STATUSES), len(errors) + 1, len(SESSION_STATUSES), 2, 2, 2, 2)
    mixed: Integers = np.zeros(len(words.bare), dtype=np.int64)
    for column, size in zip(words, room, strict=True):
        mixed = mixed * size + column.astype(np.int64) % size
    met = pc.dictionary_encode(pa.array(mixed))
    first = np.unique(np.asarray(met.indices), return_index=True)[1].tolist()
    pieces = [_pieces(Words(*(column[row].item() for column in words)), errors) for row in first]
    before, between, then, last = (pa.array(one).take(met.indices) for one in zip(*pieces, strict=True))
    attempt_id, time = (pc.coalesce(one, pa.scalar("")) for one in (own.attempt_id, own.time))
    return joined("1:", hashes(joined(before, attempt_id, between, own.recipient, then, time, last, own.session_id)))


def hashes(texts: Any) -> Any:
    """Hash texts: SHA-256, as 64 hexadecimal digits each."""
    sha256 = hashlib.sha256
    raw = b"".join([sha256(text).digest() for text in texts.cast(pa.binary()).to_pylist()])
    return hexadecimal(np.frombuffer(raw, dtype=np.uint8).reshape(-1, 32))


def joined(*parts: Any, between: str = "") -> Any:
    """Join texts and columns of texts, element by element."""
    return pc.binary_join_element_wise(*parts, between)


def times(requested_us: Integers, time_format: Integers) -> Any:
    """Write the moments of requests as `words.written_times` does; null where the field is missing."""
    # This is the usual format.
    found = pa.array(requested_us).cast(pa.timestamp("us")).cast(pa.string())
    odd = time_format != USUAL_TIME
    written = pa.array(written_times(requested_us[odd], time_format[odd]), pa.string())
    return pc.replace_with_mask(found, pa.array(odd), written)


def _pieces(one: Words, errors: tuple[str, ...]) -> tuple[str, str, str, str]:
    """Write all that stands around attempt, number, moment and session in the text of one callback."""
    about = [] if one.bare else [f"AttemptSequence={one.sequence}", "AttemptUUID="]
    fields = dict(EXTRAS) if one.extra else {}
    if not one.bare:
        fields["Channel"] = word(CHANNELS[one.channel], loud=bool(one.loud))
        fields["ChannelStatus"] = word(STATUSES[one.status], loud=bool(one.loud))
    if one.error >= 0:
        fields["ChannelErrorCode"] = errors[one.error]
    middle = [f"{name}={value}" for name, value in sorted(fields.items())]
    return (
        "\0".join(["digest", *about]),
        "\0".join(["", *middle, "Recipient=+" if one.plus else "Recipient="]),
        "" if one.timeless else "\0RequestTime=",
        f"\0SessionStatus={SESSION_STATUSES[one.session_status]}\0SessionUUID=",
    )
