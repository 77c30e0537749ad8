"""Every frame has the columns it declares, of the kinds it declares, in every engine."""

from typing import Any

from verify_analytics import model


def test_attempts_and_sessions_have_the_declared_columns(engine: Any, callback: Any, after: Any, kinds: Any) -> None:
    callbacks = engine.callbacks(
        [
            callback(1, "sent"),
            callback(5, "delivered"),
            callback(40, "undelivered", attempt_id="a2", attempt_sequence=2, requested_at=30, error_code="30"),
            callback(70, None, attempt_id=None, session_status="verified", channel=None, requested_at=None),
        ]
    )
    verifications = engine.verifications([{"session_id": "s1", "verified_at": 60, "received_at": 61}])
    for given in ({}, {"verifications": verifications, "pulse": engine.pulse(range(60))}):
        attempts = model.attempts(callbacks, as_of=after(3600), **given)
        assert kinds(attempts) == {column.name: column.kind for column in model.ATTEMPTS}
        assert kinds(model.sessions(attempts)) == {column.name: column.kind for column in model.SESSIONS}
