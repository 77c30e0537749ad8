"""Do the numbers of a session's attempts add up? Attempts that share a number, and holes between numbers."""

import narwhals as nw

from verify_analytics.model.frames import Frame, is_true

SEQUENCE_COLUMNS = ("session_id", "key", "attempt_sequence", "seconds_since_previous")


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

    def number(steps: int) -> nw.Expr:
        return nw.col("attempt_sequence").shift(steps).over("session_id", order_by=["_number", "key"])

    placed = attempts.with_columns(_number=nw.col("attempt_sequence").fill_null(-1))
    placed = placed.with_columns(_one_before=number(1), _two_before=number(2), _one_after=number(-1))
    mine, before = nw.col("attempt_sequence"), nw.col("_one_before")
    return placed.with_columns(
        _shares_number=is_true(mine == before) | is_true(mine == nw.col("_one_after")),
        _previous_shared=is_true(before == nw.col("_two_before")) & is_true(mine == before + 1),
    )


def previous_never_seen() -> nw.Expr:
    """Say whether nothing of the attempt with the number before was ever seen; over what `with_shared_numbers` gave.

    The model knows how long after the one before each attempt started, unless that one was not seen or several carry
    one of the two numbers.
    """
    numbered = is_true(nw.col("attempt_sequence") > 1)
    lonely = numbered & nw.col("seconds_since_previous").is_null()
    return lonely & ~nw.col("_shares_number") & ~nw.col("_previous_shared")
