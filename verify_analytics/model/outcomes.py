"""What does a status mean? The one table from (channel, status) to state, and what counts as an error code.

These are opinions, applied on reading. To correct one, edit `MEANING`: every past month is corrected with it.
"""

from typing import Any

import narwhals as nw

STATES = ("queued", "ringing", "accepted", "failed", "undelivered", "delivered")
"""From weakest to strongest: the strongest state seen is the one that counts."""

RECEIPTS = ("failed", "undelivered", "delivered")
"""States that settle an attempt, from weakest to strongest."""

OTHER = "any other"

MEANING = {
    "sms": {
        "queued": "queued",
        "sent": "accepted",
        "failed": "failed",
        "undelivered": "undelivered",
        "delivered": "delivered",
    },
    "voice": {
        "queued": "queued",
        "ringing": "ringing",
        "in-progress": "accepted",
        "answer": "accepted",
        "failed": "failed",
        "canceled": "failed",
        "cancel": "failed",
        "timeout": "failed",
        "no-answer": "undelivered",
        "busy": "undelivered",
        "completed": "delivered",
    },
    OTHER: {
        "queued": "queued",
        "sent": "accepted",
        "failed": "failed",
        "undelivered": "undelivered",
        "delivered": "delivered",
        "read": "delivered",
    },
}
"""Channel → status → state. A pair that is not here is no state: it is counted as an unknown status."""

SESSION_MEANING = {"verified": "verified", "validated": "verified", "expired": "expired"}
"""Session status → the end it reports. Everything else (``in-progress``) reports none."""

NO_ERROR = ("", "000")
"""Error codes that say that nothing went wrong."""

NO_ERROR_IF_COMPLETED = "0"
"""For a voice call that did not complete it is hang-up cause 0, "unknown"; anywhere else it says that all is well."""


def _listed(channel: str) -> nw.Expr:
    """Say whether a callback belongs to a row of `MEANING`; a missing channel is any other one."""
    # Null is filled first: engines disagree on what a comparison with null is.
    name = nw.col("channel").fill_null("")
    return name == channel if channel != OTHER else ~name.is_in([known for known in MEANING if known != OTHER])


def state() -> nw.Expr:
    """Give the state that a callback's (channel, status) stands for; null if there is no status or nobody listed it."""
    chain: Any = nw
    status = nw.col("channel_status").fill_null("")
    for channel, meanings in MEANING.items():
        for name in STATES:
            statuses = [word for word, means in meanings.items() if means == name]
            if statuses:
                chain = chain.when(_listed(channel) & status.is_in(statuses)).then(nw.lit(name))
    found: nw.Expr = chain
    return found


def is_unlisted(of: str) -> nw.Expr:
    """Say whether a callback has a status that nobody listed; an empty status says nothing.

    Parameters
    ----------
    of
        The column that holds what `state` gave.
    """
    return nw.col(of).is_null() & ~nw.col("channel_status").fill_null("").is_in([""])


def reported_end(end: str) -> nw.Expr:
    """Say whether a callback's session status reports this end of its session."""
    words = [word for word, means in SESSION_MEANING.items() if means == end]
    return nw.col("session_status").fill_null("").is_in(words)


def error_code(of: str) -> nw.Expr:
    """Give the error code of callbacks, null where there is no error.

    Parameters
    ----------
    of
        The column that holds what `state` gave.
    """
    code = nw.col("error_code").fill_null("").str.strip_chars()
    uncompleted_call = _listed("voice") & nw.col(of).fill_null("").is_in(["failed", "undelivered"])
    no_error = code.is_in(list(NO_ERROR)) | ((code == NO_ERROR_IF_COMPLETED) & ~uncompleted_call)
    return nw.when(~no_error).then(code)
