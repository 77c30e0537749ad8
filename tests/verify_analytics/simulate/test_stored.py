"""Columns made all at once say what a plain reading of each callback, row by row, says."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from verify_analytics.model.columns import CALLBACKS, PULSE, VERIFICATIONS, Column
from verify_analytics.simulate import Features, History, stored
from verify_analytics.simulate.history import Part
from verify_analytics.simulate.manners import MAIN, PLAIN, fields_of
from verify_analytics.simulate.truth import heard

WINDOW = {
    "SessionUUID", "SessionStatus", "RequestTime", "Recipient", "ChannelErrorCode", "Channel", "AttemptUUID",
    "AttemptSequence", "ChannelStatus",
}  # fmt: skip
ODD = Features(
    bots=0.05, lost=0.02, late=0.05, redelivered=0.3, no_attempt_id=0.1, odd_status=0.2, odd_channel=0.2, odd_code=0.5,
    time_formats=0.9, clock_faults=0.2, reuse=0.3, plus_sign=0.5, code_spelling=0.9, extra_fields=0.5, loud_case=0.5,
    duplicate_reports=0.5, v3=0.5,
)  # fmt: skip


def sha256(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def row_by_row(part: Part) -> Iterator[dict[str, Any]]:
    """Write each arrival's row on its own, from its fields and from what a reader without errors reads in it."""
    fields, session = fields_of(part.said, part.story, part.manners), part.said.session.tolist()
    arrivals = zip(part.arrivals.callback.tolist(), part.arrivals.nonce.tolist(), strict=True)
    for one, (callback, nonce) in zip(heard(part), arrivals, strict=True):
        number, said = part.story.start.recipient[session[callback]], dict(fields[callback])
        extra = {name: value for name, value in said.items() if name not in WINDOW}
        if one.requested_us is None and "RequestTime" in said:
            extra["RequestTime"] = said["RequestTime"]
        digest = "1:" + sha256("digest", *(f"{name}={value}" for name, value in sorted(said.items())))
        kinds = {PLAIN: [""], MAIN: ["-ma"]}.get(int(part.manners.signers[session[callback]]), ["", "-ma"])
        families = ["v2", "v3"] if part.manners.v3[session[callback]] else ["v2"]
        yield {
            "arrival_id": sha256("arrival", str(one.received_us), str(nonce), digest),
            "received_at": one.received_us,
            "provider": "plivo",
            "session_id": one.session_id,
            "session_status": one.session_status,
            "attempt_id": one.attempt_id,
            "attempt_sequence": one.sequence,
            "channel": one.channel,
            "channel_status": one.status or None,
            "error_code": said.get("ChannelErrorCode"),
            "requested_at": one.requested_us,
            "recipient_key": f"simulate:{sha256('recipient', number)}",
            "country": one.country,
            "number_block": number[:-4],
            "proof": "+".join(f"{family}{kind}" for family in families for kind in kinds),
            "digest": digest,
            "extra": json.dumps(extra) if extra else None,
        }


@pytest.fixture(scope="module")
def parts(make: Callable[..., History]) -> list[Part]:
    made = make(1200, features=ODD, chunk_sessions=500)
    return [part for chunk in made.chunks() for part in chunk]


def numbers_for_moments(table: pa.Table) -> list[dict[str, Any]]:
    whole = [
        field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field
        for field in stored.plain(table).schema
    ]
    rows: list[dict[str, Any]] = stored.plain(table).cast(pa.schema(whole)).to_pylist()
    return rows


def test_every_column_says_what_its_callback_says(parts: list[Part]) -> None:
    rows = sorted((row for part in parts for row in row_by_row(part)), key=lambda row: row["received_at"])
    found = numbers_for_moments(stored.callbacks(parts))
    assert len(found) == len(rows) > 5000
    assert found == rows


def test_every_oddity_is_in_what_was_compared(parts: list[Part]) -> None:
    table = stored.plain(stored.callbacks(parts))
    for name in ("attempt_id", "channel", "channel_status", "error_code", "requested_at", "extra", "attempt_sequence"):
        assert 0 < table[name].null_count < len(table), name
    assert len(table["extra"].unique()) == 4
    assert {"", "000", "0", None} < set(table["error_code"].unique().to_pylist())
    assert len(table["proof"].unique()) == 6


def test_of_equal_reports_the_first_received_is_kept(parts: list[Part]) -> None:
    first: dict[tuple[str, int], int] = {}
    for part in parts:
        for session, verified, received in zip(*vars(part.reports).values(), strict=True):
            key = (part.manners.session_id[session], int(verified))
            first[key] = min(first.get(key, int(received)), int(received))
    found = numbers_for_moments(stored.verifications(parts))
    assert {(row["session_id"], row["verified_at"]): row["received_at"] for row in found} == first
    assert [row["received_at"] for row in found] == sorted(first.values())
    assert len(first) < sum(len(part.reports.session) for part in parts)


def test_minutes_of_parts_add_up_to_those_of_the_whole(parts: list[Part]) -> None:
    up = parts[0].arrivals.received_us[:1] // 60_000_000 * 60_000_000 - 60_000_000
    apart = stored.pulse(up, [stored.minutes([part]) for part in parts])
    assert apart.equals(stored.pulse(up, [stored.minutes(parts)]))
    assert apart["repeated"].to_numpy().sum() > 0
    assert apart["minute"].cast(pa.int64())[0].as_py() == up[0]
    nonces = sum(len({*zip(part.arrivals.callback, part.arrivals.nonce, strict=True)}) for part in parts)
    assert apart["accepted"].to_numpy().sum() == nonces


@pytest.mark.parametrize(
    ("made", "declared"),
    [(stored.CALLBACKS, CALLBACKS), (stored.VERIFICATIONS, VERIFICATIONS), (stored.PULSE, PULSE)],
    ids=["callbacks", "verifications", "pulse"],
)
def test_the_columns_are_those_that_the_model_declares(made: pa.Schema, declared: tuple[Column, ...]) -> None:
    types = {pa.string(): "text", pa.int64(): "integer", pa.timestamp("us", tz="UTC"): "moment"}
    plain = stored.plain(made.empty_table()).schema
    assert [Column(field.name, types[field.type], field.nullable) for field in plain] == list(declared)  # type: ignore[arg-type]
