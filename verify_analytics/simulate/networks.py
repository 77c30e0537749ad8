"""Decides what networks do with a code: whether it arrives, when, and what they say of it.

Everything is drawn for every cell (session, attempt), on both roads, whether the attempt comes about or not: so a
cell has the same luck whatever features are switched on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from verify_analytics.simulate import countries
from verify_analytics.simulate.countries import Integers
from verify_analytics.simulate.features import Features
from verify_analytics.simulate.streams import Floats, Streams
from verify_analytics.simulate.words import (
    DELIVERED,
    FAILED,
    NONE,
    ODD_CODES,
    SMS,
    STATUS,
    TELEGRAM,
    UNDELIVERED,
    VOICE,
    WHATSAPP,
)

Flags = NDArray[np.bool_]
NEVER = np.inf
# Seconds after which nobody sends a receipt any more.
LATEST = 6 * 3600.0
# The hangup cause of a call that ended well.
NORMAL_HANGUP = "4000"
SHIELD = "452"
# What bots are blocked for, and how often.
_SHIELDED = 0.72

CODES = (
    "",
    *sorted(
        {
            *(NORMAL_HANGUP, SHIELD, *ODD_CODES),
            *(*countries.SMS_UNDELIVERED, *countries.SMS_UNREACHABLE, *countries.SMS_FAILED),
            *(code for _, code in (*countries.VOICE_UNDELIVERED, *countries.VOICE_FAILED)),
        }
    ),
)
CODE = {text: index for index, text in enumerate(CODES)}


@dataclass(frozen=True)
class Sending:
    """What becomes of each cell: seconds after its request, `NEVER` where it does not happen. One shape throughout."""

    fate: Integers
    ringing: Floats
    accepted: Floats
    delivered: Floats
    """When the code reaches the person."""
    ended: Floats
    """When the network knows the end."""
    undelivered_code: Integers
    undelivered_status: Integers
    failed_code: Integers
    failed_status: Integers


def by_channel(call: Flags, voice: Sending, message: Sending) -> Sending:
    """Take each cell from the road it is sent on."""
    return Sending(
        **{f.name: np.where(call, getattr(voice, f.name), getattr(message, f.name)) for f in fields(Sending)}
    )


def messages(place: Integers, bot: Flags, streams: Streams) -> Sending:
    """Send every cell as an SMS. `place` and `bot` have one element per cell, as all results."""
    shape = place.shape
    # One draw per session: a handset that is off, or that no SMS reaches, stays so for all its attempts.
    off = (streams.uniform("reach.sms", shape[0]) < countries.column("unreachable")[place[:, 0]])[:, None]
    luck = streams.uniform("sms.fate", shape)
    shielded = bot & (streams.uniform("sms.shield", shape) < _SHIELDED)
    failed = shielded | (luck < countries.column("failed")[place])
    lost = off | (luck > 1 - countries.column("undelivered")[place])
    fate = np.where(failed, FAILED, np.where(lost, UNDELIVERED, DELIVERED))

    accepted = 0.4 + 0.7 * streams.lognormal("sms.accepted", shape, sigma=0.7)
    quick = countries.column("seconds")[place] * streams.lognormal("sms.quick", shape, sigma=0.55)
    slow = 90.0 * streams.lognormal("sms.slow", shape, sigma=1.1)
    is_slow = streams.uniform("sms.is_slow", shape) < countries.column("slow")[place]
    delivered = np.minimum(accepted + np.where(is_slow, slow, quick), LATEST)
    receipt = 0.2 + 0.8 * streams.lognormal("sms.receipt", shape, sigma=0.8)
    given_up = np.minimum(accepted + 25.0 * streams.lognormal("sms.given_up", shape, sigma=1.3), LATEST)

    draw = streams.uniform("sms.undelivered_code", shape)
    undelivered = np.where(off, _sms_code("unreachable", place, draw), _sms_code("undelivered", place, draw))
    failed_code = _sms_code("failed", place, streams.uniform("sms.failed_code", shape))
    return Sending(
        fate=fate,
        ringing=np.full(shape, NEVER),
        accepted=np.where(failed, NEVER, accepted),
        delivered=np.where(fate == DELIVERED, delivered, NEVER),
        ended=np.where(failed, 0.5 + 0.3 * receipt, receipt + np.where(fate == DELIVERED, delivered, given_up)),
        undelivered_code=undelivered,
        undelivered_status=np.full(shape, STATUS["undelivered"]),
        failed_code=np.where(shielded, CODE[SHIELD], failed_code),
        failed_status=np.full(shape, STATUS["failed"]),
    )


def calls(place: Integers, streams: Streams) -> Sending:
    """Make every cell a call."""
    shape = place.shape
    # A handset that is off takes no calls either; the same luck as for SMS, of which this is a part.
    off = (streams.uniform("reach.voice", shape[0]) < 0.4 * countries.column("unreachable")[place[:, 0]])[:, None]
    luck = streams.uniform("voice.fate", shape)
    failed = luck < 0.025
    answered = ~failed & ~off & (luck < 0.025 + 0.975 * countries.column("answered")[place])
    ringing = 1.0 + 1.2 * streams.lognormal("voice.ringing", shape, sigma=0.5)
    picked_up = ringing + 2.0 + 7.0 * streams.lognormal("voice.picked_up", shape, sigma=0.6)
    spoken = picked_up + 4.0 + 2.0 * streams.uniform("voice.spoken", shape)
    hung_up = picked_up + 14.0 + 9.0 * streams.lognormal("voice.hung_up", shape, sigma=0.5)
    rung_out = ringing + 22.0 + 30.0 * streams.uniform("voice.rung_out", shape)
    undelivered_status, undelivered_code = _voice_end(
        countries.VOICE_UNDELIVERED, streams.uniform("voice.undelivered_code", shape)
    )
    failed_status, failed_code = _voice_end(countries.VOICE_FAILED, streams.uniform("voice.failed_code", shape))
    at_once = failed | (undelivered_status == STATUS["busy"])
    return Sending(
        fate=np.where(failed, FAILED, np.where(answered, DELIVERED, UNDELIVERED)),
        ringing=np.where(failed, NEVER, ringing),
        accepted=np.where(answered, picked_up, NEVER),
        delivered=np.where(answered, spoken, NEVER),
        ended=np.where(answered, hung_up, np.where(at_once, ringing + 2.0, rung_out)),
        undelivered_code=undelivered_code,
        undelivered_status=undelivered_status,
        failed_code=failed_code,
        failed_status=failed_status,
    )


def receipts(fate: Integers, place: Integers, call: Flags, streams: Streams, features: Features) -> Integers:
    """Say what the receipt of each attempt tells. What did not leave the provider, and calls, are always known."""
    missing = streams.uniform("receipts.missing", fate.shape) < features.missing_receipts
    never_here = (countries.column("receipts")[place] == 0) & features.no_receipts
    lies = streams.uniform("receipts.lying", fate.shape) < features.lying_receipts
    told = np.where(lies, DELIVERED + UNDELIVERED - fate, fate)
    return np.where(call | (fate == FAILED), fate, np.where(missing | never_here, NONE, told))


def endings(
    known: Integers, call: Flags, sent: Sending, streams: Streams, features: Features
) -> tuple[Integers, Integers]:
    """Give the last status and the error code that go with each end, as numbers of `STATUSES` and `CODES`."""
    status = np.where(call, STATUS["completed"], STATUS["delivered"])
    status = np.where(known == UNDELIVERED, sent.undelivered_status, status)
    status = np.where(known == FAILED, sent.failed_status, status)
    code = np.where(call, CODE[NORMAL_HANGUP], CODE[""])
    code = np.where(known == UNDELIVERED, sent.undelivered_code, code)
    code = np.where(known == FAILED, sent.failed_code, code)
    odd = streams.uniform("odd.code", known.shape)
    which = np.where(odd < features.odd_code / 2, CODE[ODD_CODES[0]], CODE[ODD_CODES[1]])
    bad = (known == UNDELIVERED) | (known == FAILED)
    return status, np.where(bad & (odd < features.odd_code), which, code)


def message_channels(shape: tuple[int, ...], streams: Streams, features: Features) -> Integers:
    """Give the channel of each message: SMS, but for a few over channels that the documents do not name."""
    odd = streams.uniform("odd.channel", shape)
    return np.where(odd < features.odd_channel * 0.7, WHATSAPP, np.where(odd < features.odd_channel, TELEGRAM, SMS))


def is_call(channel: Integers) -> Flags:
    """Say which cells are calls."""
    return np.equal(channel, VOICE)


def _sms_code(kind: str, place: Integers, draw: Floats) -> Integers:
    names, cumulative = countries.share_of_codes(kind)
    chosen = np.minimum((draw[..., None] >= cumulative[place]).sum(axis=-1), len(names) - 1)
    codes: Integers = np.array([CODE[name] for name in names])[chosen]
    return codes


def _voice_end(table: dict[tuple[str, str], float], draw: Floats) -> tuple[Integers, Integers]:
    cumulative = np.cumsum(list(table.values()))
    chosen = np.minimum(np.searchsorted(cumulative / cumulative[-1], draw, side="right"), len(table) - 1)
    statuses, codes = zip(*table, strict=True)
    return np.array([STATUS[status] for status in statuses])[chosen], np.array([CODE[code] for code in codes])[chosen]
