"""One session's callbacks in the order in which they came, each with its meaning."""

from typing import Any

from verify_analytics import model


def test_a_session_is_told_in_order_with_meaning(engine: Any, callback: Any, rows_of: Any, after: Any) -> None:
    rows = [
        callback(9.5, "undelivered", error_code="30"),
        callback(2, "sent", error_code="000"),
        callback(62, "sent", error_code="000"),
        callback(70, None, attempt_id=None, channel=None, session_status="verified"),
        callback(80, "landed"),
        callback(1, "sent", session_id="s2", attempt_id="other"),
    ]
    told = rows_of(model.story(engine.callbacks(rows), session_id="s1"))
    shown = [
        (row["seconds_since_first"], row["state"], row["error_code"], row["session_end"], row["redelivery"])
        for row in told
    ]
    assert shown == [
        (0.0, "accepted", None, None, False),
        (7.5, "undelivered", "30", None, False),
        (60.0, "accepted", None, None, True),
        (68.0, None, None, "verified", False),
        (78.0, None, None, None, False),
    ]
    assert told[0]["received_at"] == after(2)
    assert [row["meaning"] for row in told] == [
        "the network took the message",
        "the network could not deliver the message, error code 30",
        "again: the network took the message",
        "no word of an attempt; the session is verified",
        "a status that nobody listed",
    ]


def test_the_later_arrival_is_the_redelivery_whatever_its_id(quick: Any, callback: Any, rows_of: Any) -> None:
    rows = [callback(10, "sent"), callback(9, "sent")]
    assert rows[0]["arrival_id"] < rows[1]["arrival_id"]
    told = rows_of(model.story(quick.callbacks(rows), session_id="s1"))
    assert [(row["seconds_since_first"], row["redelivery"]) for row in told] == [(0, False), (1, True)]


def test_a_session_that_nobody_has_heard_of_has_no_story(engine: Any, callback: Any, rows_of: Any) -> None:
    assert rows_of(model.story(engine.callbacks([callback(1, "sent")]), session_id="s7")) == []


def test_every_state_of_every_channel_has_words(quick: Any, callback: Any, rows_of: Any) -> None:
    channels = {"sms": "sms", "voice": "voice", "pigeon": model.outcomes.OTHER}
    for channel, row in channels.items():
        statuses = model.outcomes.MEANING[row]
        told = rows_of(
            model.story(
                quick.callbacks([callback(at, status, channel=channel) for at, status in enumerate(statuses)]),
                session_id="s1",
            )
        )
        said = {row["state"]: row["meaning"] for row in told}
        assert set(said) == set(statuses.values())
        assert len(set(said.values())) == len(said)
        assert all(("call" in text or "phone" in text) == (channel == "voice") for text in said.values())
