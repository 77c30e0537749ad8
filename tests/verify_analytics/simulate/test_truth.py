"""The truth tells what happened, and what could be known of it from the lines of the capture."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import phonenumbers
import pytest

from tests.verify_analytics.simulate.conftest import KEYS, Capture, read_capture
from verify_analytics.simulate import Features, History
from verify_analytics.simulate.spells import Begun, Speech, speech
from verify_analytics.simulate.truth import SCHEMA
from verify_analytics.simulate.witness import Heard, Reading, Reported, conclude

Make = Callable[..., History]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micro(moment: datetime) -> int:
    since: int = (moment - EPOCH) // timedelta(microseconds=1)
    return since


def requested(text: str) -> int | None:
    """Read RequestTime without the simulator's help."""
    if text.isdigit():
        return int(text.ljust(16, "0"))
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return micro(moment) if moment.year > 1999 else None


def heard(capture: Capture) -> Iterator[Heard]:
    """Read the callbacks of a capture from its text alone."""
    for line in capture.callbacks:
        fields = line.fields
        number = phonenumbers.parse("+" + fields["Recipient"].removeprefix("+"))
        yield Heard(
            received_us=micro(line.received_at),
            session_id=fields["SessionUUID"],
            session_status=fields.get("SessionStatus"),
            attempt_id=fields.get("AttemptUUID") or None,
            sequence=int(fields["AttemptSequence"]) if "AttemptSequence" in fields else None,
            channel=fields.get("Channel"),
            status=fields.get("ChannelStatus"),
            code=fields.get("ChannelErrorCode"),
            requested_us=requested(fields["RequestTime"]) if "RequestTime" in fields else None,
            country=phonenumbers.region_code_for_number(number),
        )


def reported(capture: Capture) -> Iterator[Reported]:
    for line in capture.reports:
        verified_at = datetime.fromisoformat(line.report["verified_at"])
        yield Reported(line.report["session_id"], micro(verified_at), micro(line.received_at))


@pytest.fixture(scope="module")
def truth(world: History) -> pd.DataFrame:
    return world.truth()


ARRIVED = ["sequence", "channel", "role", "country", "outcome", "error_code", "mature"]


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(days=3, hours=7, microseconds=123)], ids=["end", "earlier"])
def test_the_truth_is_what_a_reader_of_the_capture_alone_concludes(
    ago: timedelta, world: History, capture: Capture, make: Make
) -> None:
    as_of = datetime(2026, 10, 29, tzinfo=UTC) - ago
    truth = make(1500, features=world.plan.features, as_of=as_of).truth()
    # An empty span says only that the receiver was up.
    outages = tuple((micro(down), micro(up)) for down, up in capture.down if down < up)
    reading = Reading(micro(as_of), 900_000_000, 600_000_000, outages)
    attempts, sessions = conclude(heard(capture), reported(capture), reading)
    seen = truth[truth["arrived_attempt"]].set_index("attempt_id")
    assert set(seen.index) == set(attempts)
    for name in ARRIVED:
        told = seen[f"arrived_{name}"].astype(object)
        wanted = pd.Series({key: getattr(one, name) for key, one in attempts.items()}, dtype=object)
        assert told.where(told.notna(), None).to_dict() == wanted.to_dict()
    rows = truth[truth["arrived_session"]].drop_duplicates("session_id").set_index("session_id")
    for row in rows.itertuples():
        assert row.arrived_session_outcome == sessions[str(row.Index)].outcome
        assert row.arrived_session_mature == sessions[str(row.Index)].mature
    received = [one.received_us for one in reported(capture) if one.received_us <= micro(as_of)]
    app = speech(
        [Begun(one.started_us, one.reached, one.verified_app_us is not None) for one in sessions.values()], received
    )
    assert len(app.silences) == (as_of.day == 29)
    waited_us = {name: (one.started_us, one.last_started_us + reading.window_us) for name, one in sessions.items()}
    assert rows["arrived_observable_app"].to_dict() == {name: app.covers(*waited_us[name]) for name in rows.index}
    # What callbacks say of sessions' ends is not silent for long in this history.
    said_us = [moment for one in sessions.values() for moment in one.told_us]
    callback = Speech(min(said_us), max(said_us))
    assert rows["arrived_observable_callback"].to_dict() == {
        name: callback.covers(*waited_us[name]) for name in rows.index
    }
    assert 0.6 < rows["arrived_observable_app"].astype(bool).mean() < 0.97


def test_there_is_one_row_for_each_attempt_asked_for_before_the_end(make: Make) -> None:
    busy = make(5000, days=1)
    story = busy.chunk(0)[0].story
    later = story.exists & (story.requested_us >= busy.end_us)
    assert later.any()
    truth = busy.truth()
    assert len(truth) == truth["attempt_id"].nunique()
    assert (~truth["true_bot"]).sum() == int(story.exists.sum() - later.sum())
    assert truth["true_requested_at"].max() < pd.Timestamp("2026-10-29T00:00Z")
    assert list(truth.columns) == SCHEMA.names


def test_in_a_quiet_world_what_arrived_is_what_happened(make: Make) -> None:
    truth = make(800, features=Features.quiet(reuse=0.1)).truth()
    truth = truth[truth["true_requested_at"] < truth["as_of"] - pd.Timedelta("8h")]
    assert len(truth) > 900
    assert truth["arrived_attempt"].all()
    for name in ("role", "channel", "country", "sequence"):
        assert (truth[f"arrived_{name}"] == truth[f"true_{name}"]).all()
    assert (truth["arrived_started_at"] == truth["true_requested_at"]).all()
    assert (truth["arrived_outcome"] == truth["true_outcome"]).all()
    assert truth["arrived_error_code"].fillna("").tolist() == truth["true_error_code"].fillna("").tolist()
    assert (
        truth["arrived_session_outcome"] == np.where(truth["true_verified_at"].notna(), "verified", "abandoned")
    ).all()


def test_every_outcome_and_role_occurs_in_a_lively_week(truth: pd.DataFrame) -> None:
    seen = truth[truth["arrived_attempt"]]
    assert set(seen["arrived_outcome"]) == {
        "delivered", "undelivered", "failed", "accepted", "silent", "pending", "unknown", "unobserved",
    }  # fmt: skip
    assert set(seen["arrived_role"]) == {"first_choice", "resend", "fallback", "after_verified", "unknown"}
    assert set(truth["true_role"]) == {"first_choice", "resend", "fallback", "after_verified"}
    assert set(truth["true_outcome"]) == {"delivered", "undelivered", "failed"}
    assert not truth["arrived_attempt"].all()
    assert seen["arrived_outcome"].notna().all()
    assert truth.loc[~truth["arrived_attempt"], "arrived_outcome"].isna().all()


def test_what_cannot_be_told_from_callbacks_is_in_the_truth(truth: pd.DataFrame) -> None:
    silent = truth[
        truth["true_country"].isin(["US", "CA"]) & (truth["true_channel"] == "sms") & truth["arrived_attempt"]
    ]
    arrived = silent[silent["true_outcome"] == "delivered"]
    assert (arrived["true_receipt"].isna()).all()
    assert (arrived["arrived_outcome"] == "accepted").mean() > 0.85
    assert arrived["true_delivered_at"].notna().all()
    assert truth["true_bot"].sum() > 50


def test_the_file_holds_the_same_as_the_table(world: History, truth: pd.DataFrame, tmp_path: Path) -> None:
    rows = world.write_truth(tmp_path / "truth.parquet")
    read = pd.read_parquet(tmp_path / "truth.parquet")
    assert rows == len(read)
    pd.testing.assert_frame_equal(read, truth)
    assert str(read["as_of"].dtype) == "datetime64[us, UTC]"


def test_cutting_a_history_into_parts_changes_no_conclusion(make: Make, tmp_path: Path) -> None:
    made = make(400, days=2, chunk_sessions=50, features=Features(outage_minutes=(60,)))
    made.write_capture(tmp_path / "c", **KEYS)
    found = read_capture(tmp_path / "c")
    outages = tuple((span.from_us, span.to_us) for span in made.outages)
    reading = Reading(made.as_of_us, 900_000_000, 600_000_000, outages)
    attempts, _ = conclude(heard(found), reported(found), reading)
    truth = made.truth()
    told = truth[truth["arrived_attempt"]].set_index("attempt_id")["arrived_outcome"].to_dict()
    assert told == {key: one.outcome for key, one in attempts.items()}
    assert len(truth) > 450
