"""What happened to one session? Its callbacks in the order in which they came, each with its meaning."""

import narwhals as nw
from narwhals.typing import IntoFrameT

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
)


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
        same content had come before. One row per arrival.

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
        .sort("received_us", "arrival_id")
    )
    return nw.to_native(told.select(*STORY))  # type: ignore[no-any-return]
