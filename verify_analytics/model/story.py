"""What happened to one session? Its callbacks in the order in which they came, each with its meaning."""

from typing import Any

import narwhals as nw
from narwhals.typing import IntoFrameT

from verify_analytics.errors import options_by_name
from verify_analytics.model import outcomes
from verify_analytics.model.columns import CALLBACKS, require, with_microseconds
from verify_analytics.model.frames import is_true, names, opened

STORY = (
    "received_at",
    "seconds_since_first",
    "attempt_sequence",
    "channel",
    "channel_status",
    "state",
    "error_code",
    "session_status",
    "session_end",
    "redelivery",
    "attempt_id",
    "proof",
    "arrival_id",
    "meaning",
)

IN_WORDS = {
    "voice": {
        "queued": "the call was queued",
        "ringing": "the phone rang",
        "accepted": "the call was taken",
        "failed": "the call failed",
        "undelivered": "nobody took the call",
        "delivered": "the call was completed",
    },
    outcomes.OTHER: {
        "queued": "the provider queued the message",
        "ringing": "the phone rang",
        "accepted": "the network took the message",
        "failed": "the message was not handed over",
        "undelivered": "the network could not deliver the message",
        "delivered": "the message was delivered",
    },
}
"""Channel → state → what happened, for people."""


@options_by_name
def story(callbacks: IntoFrameT, *, session_id: str) -> IntoFrameT:
    """Tell one session's callbacks in order, with what each of them means.

    Parameters
    ----------
    callbacks
        As `load.callbacks` gives them.
    session_id
        Of one session; where there is none of this name, the story is empty.

    Returns
    -------
    frame of the same engine
        The columns `STORY`, sorted by arrival: ``seconds_since_first`` from the session's first arrival; ``state`` what
        channel and status mean (null: no status, or one that nobody listed); ``error_code`` null where there is no
        error; ``session_end`` ``verified`` or ``expired`` where the callback says so; ``redelivery`` true where the
        same content had come before; ``meaning`` the same in words, such as ``"again: the network took the message"``.
        One row per arrival.

    Raises
    ------
    SchemaError
        If a column is missing.
    """
    frame = opened(callbacks)
    needed = [column.name for column in with_microseconds(CALLBACKS)]
    require(needed, names(frame), what="callbacks", advice="Bring them in with load.callbacks(...)")
    told = (
        frame.filter(nw.col("session_id") == session_id)
        .with_columns(
            state=outcomes.state(),
            session_end=nw.when(outcomes.reported_end("verified"))
            .then(nw.lit("verified"))
            .when(outcomes.reported_end("expired"))
            .then(nw.lit("expired")),
            _first=nw.col("received_us").min().over("session_id"),
            _digest_before=nw.col("digest").shift(1).over("digest", order_by=["received_us", "arrival_id"]),
        )
        .with_columns(
            error_code=outcomes.error_code(of="state"),
            seconds_since_first=(nw.col("received_us") - nw.col("_first")).cast(nw.Float64) / 1_000_000,
            redelivery=is_true(nw.col("_digest_before") == nw.col("digest")),
        )
        .with_columns(
            _again=nw.when(nw.col("redelivery")).then(nw.lit("again: ")).otherwise(nw.lit("")),
            _what=_in_words(),
            _code=nw.when(~nw.col("error_code").is_null())
            .then(nw.concat_str([nw.lit(", error code "), nw.col("error_code")]))
            .otherwise(nw.lit("")),
            _end=nw.when(~nw.col("session_end").is_null())
            .then(nw.concat_str([nw.lit("; the session is "), nw.col("session_end")]))
            .otherwise(nw.lit("")),
        )
        .with_columns(
            meaning=nw.concat_str([nw.col("_again"), nw.col("_what"), nw.col("_code"), nw.col("_end")]),
        )
        .sort("received_us", "arrival_id")
    )
    return nw.to_native(told.select(*STORY))  # type: ignore[no-any-return]


def _in_words() -> nw.Expr:
    """Say in words what a callback's channel and state mean."""
    chain: Any = nw
    called = nw.col("channel").fill_null("") == "voice"
    for channel, words in IN_WORDS.items():
        of_channel = called if channel == "voice" else ~called
        for state, said in words.items():
            chain = chain.when(of_channel & (nw.col("state").fill_null("") == state)).then(nw.lit(said))
    unlisted = ~nw.col("channel_status").fill_null("").is_in([""])
    chain = chain.when(unlisted).then(nw.lit("a status that nobody listed"))
    found: nw.Expr = chain.otherwise(nw.lit("no word of an attempt"))
    return found
