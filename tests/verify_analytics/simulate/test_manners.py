"""Callbacks are written as the provider's documents say, with the doubtful points in every form."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from verify_analytics.simulate import Features, History
from verify_analytics.simulate.history import Part
from verify_analytics.simulate.manners import fields_of
from verify_analytics.simulate.people import ATTEMPTS
from verify_analytics.simulate.words import TIME_GRAINS, read_times, written_times

Make = Callable[..., History]
NINE = [
    "SessionUUID", "SessionStatus", "RequestTime", "Recipient", "ChannelErrorCode", "Channel", "AttemptUUID",
    "AttemptSequence", "ChannelStatus",
]  # fmt: skip


def written(make: Make, **features: Any) -> tuple[Part, list[dict[str, str]]]:
    part = make(500, features=Features.quiet(**features)).chunk(0)[0]
    return part, [dict(fields) for fields in fields_of(part.said, part.story, part.manners)]


def test_a_callback_has_the_nine_fields_in_the_provider_s_order(make: Make) -> None:
    part, rows = written(make)
    assert all(list(row) == NINE for row in rows)
    for i, row in enumerate(rows):
        session, attempt = int(part.said.session[i]), int(part.said.attempt[i])
        assert row["SessionUUID"] == part.manners.session_id[session]
        assert row["AttemptUUID"] == part.manners.attempt_id[session * ATTEMPTS + attempt]
        assert row["AttemptSequence"] == str(attempt + 1)
        assert row["Recipient"] == part.story.start.recipient[session]
        assert row["Channel"] in {"sms", "voice"}
        assert row["ChannelErrorCode"] in {"", "4000"} or row["ChannelStatus"] not in {"queued", "sent", "delivered"}


def test_request_time_is_that_of_the_attempt_to_the_microsecond(make: Make) -> None:
    part, rows = written(make)
    for i, row in enumerate(rows):
        requested_us = int(part.story.requested_us[part.said.session[i], part.said.attempt[i]])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", row["RequestTime"])
        read = datetime.fromisoformat(row["RequestTime"]).replace(tzinfo=UTC)
        assert (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == requested_us


def test_a_code_sent_anew_after_verification_counts_on(make: Make) -> None:
    part, rows = written(make, reuse=1.0)
    last = [row for i, row in enumerate(rows) if part.said.attempt[i] == ATTEMPTS - 1]
    assert len(last) > 200
    assert {row["AttemptSequence"] for row in last} >= {"2", "3"}


@pytest.mark.parametrize("written_so", range(len(TIME_GRAINS)))
def test_what_is_read_of_a_moment_is_the_moment_cut_to_the_format(written_so: int) -> None:
    moments = np.array([1788264000_123456, 1788264000_999999, 1788264000_000000, 1790812799_999999])
    formats = np.full(4, written_so)
    texts, read = written_times(moments, formats), read_times(moments, formats).tolist()
    for text, moment, found in zip(texts, moments.tolist(), read, strict=True):
        if text is None or text.startswith("0001"):
            assert found == -1
            continue
        if text.isdigit():
            us = int(text) * 10 ** (16 - len(text))
        else:
            parsed = datetime.fromisoformat(text)
            parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
            us = (parsed - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        assert us == found
        assert 0 <= moment - us < 1_000_000


def test_every_format_of_a_moment_is_used(make: Make) -> None:
    _, rows = written(make, time_formats=1.0)
    forms = {re.sub(r"\d+", "9", row["RequestTime"]) if "RequestTime" in row else None for row in rows}
    lengths = {len(row["RequestTime"]) for row in rows if row.get("RequestTime", "x").isdigit()}
    assert forms == {
        "9-9-9T9:9:9.9Z", "9-9-9T9:9:9.9+9:9", "9-9-9 9:9:9", "9", "9-9-9T9:9:9+9:9", None,
    }  # fmt: skip
    assert lengths == {10, 13, 16}


def test_no_error_is_spelt_in_four_ways(make: Make) -> None:
    _, rows = written(make, code_spelling=1.0)
    assert {row.get("ChannelErrorCode") for row in rows if row["ChannelStatus"] == "queued"} == {"000", "0", None}
    _, rows = written(make)
    assert {row.get("ChannelErrorCode") for row in rows if row["ChannelStatus"] == "queued"} == {""}


@pytest.mark.parametrize(
    ("feature", "shows"),
    [
        ("plus_sign", lambda row: row["Recipient"].startswith("+")),
        ("loud_case", lambda row: row["ChannelStatus"].isupper() and row["Channel"].isupper()),
        ("extra_fields", lambda row: row["Brandname"] == "Example Ltd"),
        ("no_attempt_id", lambda row: row["AttemptUUID"] == "" and row["AttemptSequence"] != ""),
        ("odd_channel", lambda row: row["Channel"] in {"whatsapp", "telegram", "voice"}),
    ],
)
def test_a_manner_shows_in_every_callback_when_it_is_everybody_s(
    feature: str, shows: Callable[[dict[str, str]], bool], make: Make
) -> None:
    _, rows = written(make, **{feature: 1.0})
    assert all(shows(row) for row in rows)


def test_a_callback_about_the_session_alone_names_no_attempt(make: Make) -> None:
    part, rows = written(make, verified_callbacks=1.0, expired_callbacks=1.0)
    bare = [row for row in rows if "AttemptUUID" not in row]
    assert {row["SessionStatus"] for row in bare} == {"verified", "expired"}
    assert all(list(row) == NINE[:5] for row in bare)
    assert len(bare) == int((part.said.attempt < 0).sum()) > 100
