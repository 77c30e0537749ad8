"""What do all callbacks of one attempt say together? `fold` and `merge`, made of minimum and maximum alone.

Minimum and maximum may be taken in any order, any number of times, over any split of the rows. So callbacks that come
twice, late or out of order, and days that are folded apart and merged later, cannot change a state.
"""

import narwhals as nw
from narwhals.typing import IntoFrame, IntoFrameT

from verify_analytics.model import outcomes
from verify_analytics.model.columns import (
    CALLBACKS,
    FACTS,
    LARGEST,
    SMALLEST,
    STATES,
    require,
    with_microseconds,
)
from verify_analytics.model.frames import WHOLE, Frame, beside, is_duckdb, names, opened
from verify_analytics.model.repeated import joined_where_repeated

_TEXTS = tuple(fact for fact in FACTS if fact not in WHOLE)
# In a row of `_by_texts` smallest and largest are the same text, and what names an attempt is its key.
_ID = "CASE WHEN is_attempt THEN key END"
_TOLD_BY = {f"{text}_max": f'"{text}"' for text in _TEXTS} | {"attempt_id": _ID, "attempt_id_max": _ID}
_NEEDED = [column.name for column in with_microseconds(CALLBACKS)]


def fold(callbacks: IntoFrameT) -> IntoFrameT:
    """Reduce callbacks to the state of each attempt; no clock and no neighbour is asked.

    Parameters
    ----------
    callbacks
        As `load.callbacks` gives them.

    Returns
    -------
    frame of the same engine
        The columns `STATES`: smallest and largest of each fact, when each state was first seen (microseconds since
        1970 UTC, by arrival; null if never), smallest and largest error code of failed and undelivered. One row per
        key: the attempt, or ``session:<session_id>`` for callbacks that name no attempt.

    Raises
    ------
    SchemaError
        If a column is missing.
    """
    return nw.to_native(folded(opened_callbacks(callbacks)))  # type: ignore[no-any-return]


def opened_callbacks(callbacks: IntoFrame) -> Frame:
    """Open callbacks, and make sure that they come from `load`."""
    frame = opened(callbacks)
    require(_NEEDED, names(frame), what="callbacks", advice="Bring them in with load.callbacks(...)")
    return frame


def folded(callbacks: Frame) -> Frame:
    """Fold what `opened_callbacks` gave."""
    single = _states_of_callbacks(callbacks)
    return joined_where_repeated(_by_texts(single), _TOLD_BY) if is_duckdb(single) else _joined(single)


def merge(states: IntoFrameT, *more: IntoFrameT) -> IntoFrameT:
    """Put states that were folded apart together, as if their callbacks had been folded at once.

    Parameters
    ----------
    states, more
        What `fold` or `merge` gave, all of one engine. Overlapping and repeated parts do no harm.

    Returns
    -------
    frame of the same engine
        The columns `STATES`. One row per key.

    Raises
    ------
    SchemaError
        If a column is missing.
    ArgumentError
        If the parts are of different engines.
    """
    frame = opened(states)
    parts = [frame, *(beside(frame, part, what="further states") for part in more)]
    for part in parts:
        require(STATES, names(part), what="states", advice="Make them with model.fold(callbacks)")
    together = parts[0] if len(parts) == 1 else nw.concat([part.select(*STATES) for part in parts])
    whole = joined_where_repeated(together) if is_duckdb(together) else _joined(together)
    return nw.to_native(whole)  # type: ignore[no-any-return]


def _joined(states: Frame) -> Frame:
    """Take the smallest and the largest by key: the whole of the law."""
    grouped = states.group_by("key").agg(
        *(nw.col(name).min() for name in SMALLEST),
        *(nw.col(name).max() for name in LARGEST),
    )
    return grouped.select(*STATES)


def _by_texts(states: Frame) -> Frame:
    """Take the smallest and the largest by the texts that should not vary, and no text but those of error codes.

    A text is dear to hold as the smallest of a group so far, and cheap as what names the group. Almost every attempt
    says the same in all its callbacks, and then this is its one row. What `_TOLD_BY` tells is left out.
    """
    held = {*_TEXTS, *_TOLD_BY, "is_attempt"}
    grouped = states.group_by(*_TEXTS).agg(
        *(nw.col(name).min() for name in SMALLEST if name not in held),
        *(nw.col(name).max() for name in LARGEST if name not in held),
    )
    return with_key(grouped).with_columns(is_attempt=~nw.col("attempt_id").is_null())


def with_key(callbacks: Frame) -> Frame:
    """Add to which attempt each callback belongs, or else to which session."""
    named = ~nw.col("attempt_id").is_null()
    session = nw.concat_str([nw.lit("session:"), nw.col("session_id")])
    return callbacks.with_columns(key=nw.when(named).then(nw.col("attempt_id")).otherwise(session))


def _states_of_callbacks(callbacks: Frame) -> Frame:
    """Give the state that each callback alone would make."""
    read = (
        with_key(callbacks)
        .with_columns(is_attempt=~nw.col("attempt_id").is_null(), _state=outcomes.state())
        .with_columns(_code=outcomes.error_code(of="_state"))
    )
    in_state = {name: nw.col("_state").fill_null("") == name for name in outcomes.STATES}
    received = nw.col("received_us")
    seen = {f"{name}_us": nw.when(here).then(received) for name, here in in_state.items()}
    ends = {f"{end}_us": nw.when(outcomes.reported_end(end)).then(received) for end in ("verified", "expired")}
    codes = {
        f"code_{name}{side}": nw.when(in_state[name]).then(nw.col("_code"))
        for name in ("failed", "undelivered")
        for side in ("", "_max")
    }
    return read.with_columns(
        first_received_us=received,
        last_received_us=received,
        has_unknown_status=outcomes.is_unlisted(of="_state"),
        **seen,
        **ends,
        **codes,
        **{f"{fact}_max": nw.col(fact) for fact in FACTS},
    )
