"""The frames are what a collector would hold of the capture."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from tests.verify_analytics.simulate.conftest import Capture
from verify_analytics.simulate import History

WINDOW = [
    "arrival_id", "received_at", "provider", "session_id", "session_status", "attempt_id", "attempt_sequence",
    "channel", "channel_status", "error_code", "requested_at", "recipient_key", "country", "number_block", "proof",
    "digest", "extra",
]  # fmt: skip


@pytest.fixture(scope="module")
def frames(world: History) -> dict[str, pd.DataFrame]:
    return world.frames()


def test_there_is_a_row_for_every_callback_of_the_capture(frames: dict[str, pd.DataFrame], capture: Capture) -> None:
    callbacks = frames["callbacks"]
    assert list(callbacks.columns) == WINDOW
    assert callbacks["arrival_id"].is_unique
    assert callbacks["received_at"].tolist() == [line.received_at for line in capture.callbacks]
    fields = [line.fields for line in capture.callbacks]
    assert Counter(callbacks["session_id"]) == Counter(row["SessionUUID"] for row in fields)
    assert Counter(callbacks["error_code"].fillna("none")) == Counter(
        row.get("ChannelErrorCode", "none") for row in fields
    )
    assert Counter(callbacks["channel_status"].fillna("")) == Counter(
        row.get("ChannelStatus", "").lower() for row in fields
    )
    assert Counter(callbacks["attempt_id"].fillna("")) == Counter(row.get("AttemptUUID", "") for row in fields)


def test_content_that_came_before_has_the_digest_it_had(frames: dict[str, pd.DataFrame], capture: Capture) -> None:
    by_content = Counter(tuple(sorted(line.fields.items())) for line in capture.callbacks)
    assert Counter(frames["callbacks"]["digest"].value_counts()) == Counter(by_content.values())


def test_a_number_is_never_kept(frames: dict[str, pd.DataFrame], world: History) -> None:
    numbers = {number for part in world.chunk(0) for number in part.story.start.recipient}
    text = frames["callbacks"].drop(columns=["number_block"]).to_csv()
    assert not numbers & set(re.findall(r"\d{9,}", text))
    assert set(frames["callbacks"]["number_block"]) <= {number[:-4] for number in numbers}


def test_each_report_is_kept_once(frames: dict[str, pd.DataFrame], capture: Capture) -> None:
    kept = frames["verifications"]
    wanted = {(line.report["session_id"], line.report["verified_at"]) for line in capture.reports}
    assert len(kept) == len(wanted) < len(capture.reports)
    assert set(zip(kept["session_id"], kept["verified_at"], strict=True)) == {
        (session, pd.Timestamp(moment)) for session, moment in wanted
    }


def test_pulse_has_every_minute_but_those_of_an_outage(frames: dict[str, pd.DataFrame], capture: Capture) -> None:
    pulse = frames["pulse"]
    start = datetime(2026, 10, 22, tzinfo=UTC)
    minutes = [start + timedelta(minutes=i) for i in range(7 * 24 * 60)]
    up = [moment for moment in minutes if not any(down <= moment < until for down, until in capture.down)]
    assert pulse["minute"].tolist() == up
    assert len(up) == 7 * 24 * 60 - 39


def test_pulse_counts_what_came(frames: dict[str, pd.DataFrame], capture: Capture) -> None:
    pulse = frames["pulse"]
    nonces = Counter(line.headers["X-Plivo-Signature-V2-Nonce"] for line in capture.callbacks)
    assert pulse["accepted"].sum() == len(nonces)
    assert pulse["repeated"].sum() == len(capture.callbacks) - len(nonces) > 50
    of_minute = (pulse["accepted"] + pulse["repeated"]).loc[lambda count: count > 0]
    came = Counter(line.received_at.replace(second=0, microsecond=0) for line in capture.callbacks)
    assert dict(zip(pulse["minute"][of_minute.index], of_minute, strict=True)) == came
