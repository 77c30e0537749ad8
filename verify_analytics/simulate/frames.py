"""Gives what a store would hold of a history, without running a collector.

For studies over thousands of small histories: callbacks, verifications and pulse as pandas frames in the shape of the
window. Keys, digests and arrivals have the collector's form and not its values: those depend on secrets of a store.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from verify_analytics.simulate.manners import MAIN, PLAIN, fields_of
from verify_analytics.simulate.rhythm import MINUTE, inside
from verify_analytics.simulate.truth import heard

if TYPE_CHECKING:
    from verify_analytics.simulate.history import History, Part

_KNOWN = {
    "SessionUUID", "SessionStatus", "RequestTime", "Recipient", "ChannelErrorCode", "Channel", "AttemptUUID",
    "AttemptSequence", "ChannelStatus",
}  # fmt: skip


def frames(history: History) -> dict[str, pd.DataFrame]:
    """Give what a collector would have stored of a history by its end.

    Returns
    -------
    dict
        ``callbacks`` (one row per arrival), ``verifications`` (one row per session and moment reported) and ``pulse``
        (one row per minute in which the collector was up). Moments are UTC with microseconds; text that is missing is
        None.
    """
    parts = [part for chunk in history.chunks() for part in chunk]
    rows = [row for part in parts for row in _rows(part)]
    callbacks = pd.DataFrame(rows).sort_values("received_at", kind="stable", ignore_index=True)
    for name in ("received_at", "requested_at"):
        callbacks[name] = _moments(callbacks[name])
    callbacks["attempt_sequence"] = callbacks["attempt_sequence"].astype("Int64")
    return {"callbacks": callbacks, "verifications": _verifications(parts), "pulse": _pulse(history, parts)}


def _rows(part: Part) -> list[dict[str, object]]:
    fields = fields_of(part.said, part.story, part.manners)
    session = part.said.session.tolist()
    callback, nonces = part.arrivals.callback.tolist(), part.arrivals.nonce.tolist()
    found = []
    for one, row, nonce in zip(heard(part), callback, nonces, strict=True):
        number = part.story.start.recipient[session[row]]
        digest = "1:" + _hash("digest", *(f"{name}={value}" for name, value in sorted(fields[row])))
        extra = {name: value for name, value in fields[row] if name not in _KNOWN}
        if one.requested_us is None:
            extra |= {name: value for name, value in fields[row] if name == "RequestTime"}
        code = next((value for name, value in fields[row] if name == "ChannelErrorCode"), None)
        found.append(
            {
                "arrival_id": _hash("arrival", str(one.received_us), str(nonce), digest),
                "received_at": one.received_us,
                "provider": "plivo",
                "session_id": one.session_id,
                "session_status": one.session_status,
                "attempt_id": one.attempt_id,
                "attempt_sequence": one.sequence,
                "channel": one.channel,
                "channel_status": one.status or None,
                "error_code": code,
                "requested_at": one.requested_us,
                "recipient_key": f"simulate:{_hash('recipient', number)}",
                "country": one.country,
                "number_block": number[:-4],
                "proof": _proof(part, session[row]),
                "digest": digest,
                "extra": json.dumps(extra, ensure_ascii=False) if extra else None,
            }
        )
    return found


def _verifications(parts: list[Part]) -> pd.DataFrame:
    rows = [
        (part.manners.session_id[session], verified_us, received_us)
        for part in parts
        for session, verified_us, received_us in zip(
            part.reports.session.tolist(),
            part.reports.verified_us.tolist(),
            part.reports.received_us.tolist(),
            strict=True,
        )
    ]
    found = pd.DataFrame(rows, columns=["session_id", "verified_at", "received_at"]).sort_values(
        "received_at", kind="stable"
    )
    # The same report again changes nothing in a store.
    found = found.drop_duplicates(["session_id", "verified_at"], ignore_index=True)
    for name in ("verified_at", "received_at"):
        found[name] = _moments(found[name])
    return found


def _pulse(history: History, parts: list[Part]) -> pd.DataFrame:
    minutes = np.arange(history.start_us // MINUTE * MINUTE, history.end_us, MINUTE)
    minutes = minutes[~inside(minutes, history.outages)]
    received = np.concatenate([part.arrivals.received_us for part in parts]) // MINUTE * MINUTE
    minutes = np.union1d(minutes, received)
    count = Counter(received.tolist())
    again: Counter[int] = Counter()
    for part in parts:
        same = pd.DataFrame({"callback": part.arrivals.callback, "nonce": part.arrivals.nonce}).duplicated().to_numpy()
        again.update((part.arrivals.received_us[same] // MINUTE * MINUTE).tolist())
    return pd.DataFrame(
        {
            "collector": "replay",
            "minute": _moments(pd.Series(minutes)),
            "accepted": [count[minute] - again[minute] for minute in minutes.tolist()],
            "repeated": [again[minute] for minute in minutes.tolist()],
            "quarantined": 0,
            "refused": 0,
            "refused_by": "{}",
        }
    )


def _proof(part: Part, session: int) -> str:
    """Say what a collector with all tokens would have proved."""
    signers = part.manners.signers[session]
    kinds = {PLAIN: ("",), MAIN: ("-ma",)}.get(int(signers), ("", "-ma"))
    families = ("v2", "v3") if part.manners.v3[session] else ("v2",)
    return "+".join(f"{family}{kind}" for family in families for kind in kinds)


def _moments(us: pd.Series) -> pd.Series:
    return pd.to_datetime(us.astype("Int64"), unit="us", utc=True).astype("datetime64[us, UTC]")


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
