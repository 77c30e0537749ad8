"""Do the numbers of a session's attempts add up? Attempts that share a number, and holes between numbers."""

import narwhals as nw

from verify_analytics.model.frames import Frame, is_true

SEQUENCE_COLUMNS = ("session_id", "attempt_sequence", "seconds_since_previous")


def with_shared_numbers(attempts: Frame) -> Frame:
    """Add whether another attempt of the session carries the same number, as far as it is in the frame.

    Parameters
    ----------
    attempts
        Attempts alone.

    Returns
    -------
    Frame
        With ``_shares_number``, and ``_previous_shared``: several attempts carry the number before this one's.
    """
    kept = attempts.with_columns(_number=nw.col("attempt_sequence").fill_null(-1))
    numbers = (
        kept.filter(~nw.col("attempt_sequence").is_null())
        .select("session_id", "_number")
        .group_by("session_id", "_number")
        .agg(nw.len().alias("_carriers"))
    )
    shared = numbers.filter(nw.col("_carriers") > 1).select("session_id", "_number").with_columns(_several=nw.lit(1))
    after = shared.with_columns(nw.col("_number") + 1).select(
        "session_id", "_number", _after_several=nw.col("_several")
    )
    joined = kept.join(shared, on=["session_id", "_number"], how="left")
    joined = joined.join(after, on=["session_id", "_number"], how="left")
    return joined.with_columns(
        _shares_number=~nw.col("_several").is_null(),
        _previous_shared=~nw.col("_after_several").is_null(),
    )


def previous_never_seen() -> nw.Expr:
    """Say whether nothing of the attempt with the number before was ever seen; over what `with_shared_numbers` gave.

    The model knows how long after the one before each attempt started, unless that one was not seen or several carry
    one of the two numbers.
    """
    numbered = is_true(nw.col("attempt_sequence") > 1)
    lonely = numbered & nw.col("seconds_since_previous").is_null()
    return lonely & ~nw.col("_shares_number") & ~nw.col("_previous_shared")
