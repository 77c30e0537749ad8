"""Gives what a store would hold of a history, without running a collector: whole columns at once, as Arrow tables.

Keys, digests and arrivals have the collector's form and not its values: those depend on secrets of a store.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from verify_analytics.simulate.callbacks import NO_ATTEMPT
from verify_analytics.simulate.contents import Own, Words, digests, hashes, joined, times
from verify_analytics.simulate.countries import PLACES, Integers
from verify_analytics.simulate.manners import EXTRAS
from verify_analytics.simulate.networks import CODES, Flags
from verify_analytics.simulate.people import ATTEMPTS
from verify_analytics.simulate.rhythm import MINUTE, inside
from verify_analytics.simulate.words import (
    CHANNELS,
    NO_ERROR,
    SESSION_STATUSES,
    STATUSES,
    read_times,
    written_times,
)

if TYPE_CHECKING:
    from verify_analytics.simulate.history import History, Part

_TEXT, _COUNT, _MOMENT = pa.string(), pa.int64(), pa.timestamp("us", tz="UTC")
# Few words in many rows: kept as numbers of words while rows are made, and written as text.
_WORD = pa.dictionary(pa.int16(), _TEXT)
CALLBACKS = pa.schema(
    [
        pa.field("arrival_id", _TEXT, nullable=False),
        pa.field("received_at", _MOMENT, nullable=False),
        pa.field("provider", _WORD, nullable=False),
        pa.field("session_id", _TEXT, nullable=False),
        pa.field("session_status", _WORD),
        pa.field("attempt_id", _TEXT),
        pa.field("attempt_sequence", _COUNT),
        pa.field("channel", _WORD),
        pa.field("channel_status", _WORD),
        pa.field("error_code", _WORD),
        pa.field("requested_at", _MOMENT),
        pa.field("recipient_key", _TEXT),
        pa.field("country", _WORD),
        pa.field("number_block", _TEXT),
        pa.field("proof", _WORD, nullable=False),
        pa.field("digest", _TEXT, nullable=False),
        pa.field("extra", _WORD),
    ]
)
VERIFICATIONS = pa.schema(
    [
        pa.field("session_id", _TEXT, nullable=False),
        pa.field("verified_at", _MOMENT, nullable=False),
        pa.field("received_at", _MOMENT, nullable=False),
    ]
)
PULSE = pa.schema(
    [
        pa.field("collector", _TEXT, nullable=False),
        pa.field("minute", _MOMENT, nullable=False),
        *(pa.field(name, _COUNT, nullable=False) for name in ("accepted", "repeated", "quarantined", "refused")),
        pa.field("refused_by", _TEXT, nullable=False),
    ]
)

_COUNTRIES = tuple(dict.fromkeys(place.country for place in PLACES))
_COUNTRY_OF = np.array([_COUNTRIES.index(place.country) for place in PLACES], dtype=np.int16)
_PROOFS = ("v2+v2-ma", "v2", "v2-ma", "v2+v2-ma+v3+v3-ma", "v2+v3", "v2-ma+v3-ma")
# A missing code is no word; the usual way to write "no error" is one of the codes.
_ERRORS = tuple(dict.fromkeys((*CODES, *(code for code in NO_ERROR if code is not None))))
_NO_ERROR = np.array([-1 if code is None else _ERRORS.index(code) for code in NO_ERROR], dtype=np.int16)
# The one way to write a time that is there and cannot be read; see `words.TIME_GRAINS`.
_ZERO_TIME = 7
_ZERO_TIME_EXTRA = {"RequestTime": written_times(np.zeros(1, np.int64), np.full(1, _ZERO_TIME))[0]}
_EXTRA = tuple(json.dumps(extra) for extra in (dict(EXTRAS), _ZERO_TIME_EXTRA, dict(EXTRAS) | _ZERO_TIME_EXTRA))


class Minutes(NamedTuple):
    """How many callbacks came in each minute: one element per minute in which any came, in order."""

    minute_us: Integers
    came: Integers
    repeated: Integers
    """Of those that came: with a nonce that was received before."""


def callbacks(parts: Sequence[Part]) -> pa.Table:
    """Give the callbacks of some parts. One row per arrival, by time; columns as in `CALLBACKS`."""
    said = pa.concat_tables([_said(part) for part in parts]).combine_chunks()
    sizes = np.cumsum([0, *(len(part.said.session) for part in parts)])[:-1]
    which = np.concatenate([part.arrivals.callback + first for part, first in zip(parts, sizes, strict=True)])
    received_us = np.concatenate([part.arrivals.received_us for part in parts])
    nonce = np.concatenate([part.arrivals.nonce for part in parts])
    order = np.argsort(received_us, kind="stable")
    received_us = received_us[order]
    found = said.take(pa.array(which[order]))
    identity = (pa.array(received_us).cast(_TEXT), pa.array(nonce[order]).cast(_TEXT), found["digest"])
    found = found.append_column("arrival_id", hashes(joined("arrival", *identity, between="\0")))
    found = found.append_column("received_at", pa.array(received_us).cast(_MOMENT))
    return found.select(CALLBACKS.names).cast(CALLBACKS)


def verifications(parts: Sequence[Part]) -> pa.Table:
    """Give the reports of some parts. One row per session and moment reported, by time; as in `VERIFICATIONS`."""
    session_ids = pa.concat_arrays([pa.array(part.manners.session_id, _TEXT) for part in parts])
    firsts = np.cumsum([0, *(part.story.sessions for part in parts)])[:-1]
    session = np.concatenate([part.reports.session + first for part, first in zip(parts, firsts, strict=True)])
    verified_us, received_us = (
        np.concatenate([getattr(part.reports, name) for part in parts]) for name in ("verified_us", "received_us")
    )
    # The same report again changes nothing in a store: of equal ones the first stays.
    order = np.lexsort((np.arange(len(session)), received_us, verified_us, session))
    same = np.zeros(len(order), dtype=np.bool_)
    same[1:] = (np.diff(session[order]) == 0) & (np.diff(verified_us[order]) == 0)
    kept = np.sort(order[~same])
    kept = kept[np.argsort(received_us[kept], kind="stable")]
    columns = (
        session_ids.take(pa.array(session[kept])),
        pa.array(verified_us[kept]).cast(_MOMENT),
        pa.array(received_us[kept]).cast(_MOMENT),
    )
    return pa.table(columns, schema=VERIFICATIONS)


def minutes(parts: Sequence[Part]) -> Minutes:
    """Count what came in each minute, and what of it repeated a nonce."""
    came = np.concatenate([part.arrivals.received_us for part in parts]) // MINUTE * MINUTE
    again = np.concatenate([_is_repeated(part) for part in parts])
    minute_us, which = np.unique(came, return_inverse=True)
    return Minutes(minute_us, np.bincount(which), np.bincount(which, weights=again).astype(np.int64))


def pulse(up_us: Integers, counted: Sequence[Minutes]) -> pa.Table:
    """Give the pulse of a collector that was up in some minutes, and in those in which something came.

    Parameters
    ----------
    up_us
        When each minute began in which it was up.
    counted
        What came, of all parts.
    """
    minute_us = np.unique(np.concatenate([up_us, *(one.minute_us for one in counted)]))
    came, repeated = np.zeros((2, len(minute_us)), dtype=np.int64)
    for one in counted:
        here = np.searchsorted(minute_us, one.minute_us)
        came[here] += one.came
        repeated[here] += one.repeated
    size = len(minute_us)
    none = np.zeros(size, dtype=np.int64)
    columns = (
        pa.repeat("replay", size), pa.array(minute_us).cast(_MOMENT), came - repeated, repeated, none, none,
        pa.repeat("{}", size),
    )  # fmt: skip
    return pa.table(columns, schema=PULSE)


def minutes_up(history: History) -> Integers:
    """Say when each minute of a history began in which the collector was up."""
    minute_us = np.arange(history.start_us // MINUTE * MINUTE, history.end_us, MINUTE)
    return minute_us[~inside(minute_us, history.outages)]


def plain(table: pa.Table) -> pa.Table:
    """Turn words that are kept as numbers of words into text."""
    fields = [field.with_type(_TEXT) if field.type == _WORD else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _is_repeated(part: Part) -> Flags:
    """Say which arrivals bring a nonce that came before; those of one callback lie side by side."""
    callback, nonce = part.arrivals.callback, part.arrivals.nonce
    again = np.zeros(len(callback), dtype=np.bool_)
    # A nonce is either the same for all tries of a callback or another one for each.
    again[1:] = (np.diff(callback) == 0) & (nonce[1:] == nonce[:-1])
    return again


def _said(part: Part) -> pa.Table:
    """Give what each callback of a part says. One row per element of `Said`, whether it arrives or not."""
    said, manners, start = part.said, part.manners, part.story.start
    session, attempt, bare = said.session, np.maximum(said.attempt, 0), said.attempt == NO_ATTEMPT
    of_session, about = pa.array(session), pa.array(session * ATTEMPTS + attempt, mask=~said.named)
    session_id = pa.array(manners.session_id, _TEXT).take(of_session)
    attempt_id = pa.array(manners.attempt_id, _TEXT).take(about)
    number = pa.array(start.recipient, _TEXT)
    time_format = manners.time_format[session]
    time, requested_us = times(said.requested_us, time_format), read_times(said.requested_us, time_format)
    zero_time = time_format == _ZERO_TIME
    words = Words(
        bare=bare,
        sequence=part.story.sequence[session, attempt],
        channel=part.story.channel[session, attempt],
        status=said.status,
        error=np.where(said.code > 0, said.code, _NO_ERROR[manners.no_error[session]]),
        session_status=said.session_status,
        loud=manners.loud[session],
        extra=manners.extra[session],
        plus=manners.plus[session],
        timeless=np.asarray(time.is_null()),
    )
    columns = {
        "provider": _worded(np.zeros(len(session)), ("plivo",)),
        "session_id": session_id,
        "session_status": _worded(words.session_status, SESSION_STATUSES),
        "attempt_id": attempt_id,
        "attempt_sequence": pa.array(words.sequence, mask=bare),
        "channel": _worded(np.where(bare, -1, words.channel), CHANNELS),
        "channel_status": _worded(np.where(bare, -1, words.status - 1), STATUSES[1:]),
        "error_code": _worded(words.error, _ERRORS),
        "requested_at": pa.array(requested_us, mask=requested_us < 0).cast(_MOMENT),
        "recipient_key": joined("simulate:", hashes(joined("recipient\0", number))).take(of_session),
        "country": _worded(_COUNTRY_OF[start.place[session]], _COUNTRIES),
        "number_block": pc.utf8_slice_codeunits(number, 0, -4).take(of_session),
        "proof": _worded((manners.signers + 3 * manners.v3)[session], _PROOFS),
        "digest": digests(words, _ERRORS, Own(attempt_id, number.take(of_session), time, session_id)),
        "extra": _worded(words.extra + 2 * zero_time - 1, _EXTRA),
    }
    return pa.table(columns)


def _worded(numbers: Any, vocabulary: Sequence[str]) -> pa.DictionaryArray:
    """Give words by their numbers, null where a number is negative."""
    indices = pa.array(numbers.astype(np.int16), mask=numbers < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(vocabulary, _TEXT))
