"""Which sessions are not meant? Test numbers and load tests go as whole sessions: half a session would lie.

A session cut apart has lost its first attempt or its receipt, and shows as a failure that never was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import narwhals as nw

from verify_analytics.errors import ArgumentError, options_by_name
from verify_analytics.load.phones import looks_like_a_number
from verify_analytics.model.columns import CALLBACKS
from verify_analytics.model.finish import attempts
from verify_analytics.model.frames import Frame, is_true, opened
from verify_analytics.model.moments import microseconds, moment

BY_RECIPIENT = "test recipient"
# Later than anything that was received: a session's start is told by all that is known of it.
_AT_LAST = "2099-12-31T23:59:59Z"
KEPT = -1
"""The place of no reason."""
Period = tuple[str | datetime, str | datetime]


@dataclass(frozen=True, kw_only=True)
class Exclusions:
    """Which sessions to leave out: those of test numbers, and those that began during a load test.

    Parameters
    ----------
    recipients
        Recipient keys, as the column ``recipient_key`` has them: keyed hashes, never phone numbers. A recipient has one
        key for each pepper.
    periods
        Pairs of moments with their time zone. A session that started at or after the first and before the second goes
        as a whole, with what came of it later.

    Raises
    ------
    ArgumentError
        If a recipient looks like a phone number, or a period does not begin before it ends.

    Examples
    --------
    >>> Exclusions(periods=[("2026-10-25T02:00Z", "2026-10-25T03:00Z")]).reasons
    ('period 2026-10-25T02:00Z to 2026-10-25T03:00Z',)
    """

    recipients: Iterable[str] = ()
    periods: Iterable[Period] = ()

    def __post_init__(self) -> None:
        """Read the arguments once, so that nothing about them is found out later."""
        if any(isinstance(given, str) for given in (self.recipients, self.periods)):
            raise ArgumentError("recipients= is a list of recipient keys, and periods= a list of pairs of moments")
        keys = tuple(dict.fromkeys(self.recipients))
        for key in keys:
            if not isinstance(key, str) or not key.strip():
                raise ArgumentError("recipients= takes recipient keys, texts as the column recipient_key has them")
            if looks_like_a_number(key):
                # The number itself is not repeated: messages are kept and sent around.
                raise ArgumentError(
                    "recipients= takes recipient keys, and one of these looks like a phone number; find the key of a "
                    "test number in the column recipient_key of its callbacks"
                )
        object.__setattr__(self, "recipients", keys)
        object.__setattr__(self, "periods", tuple(_period(each) for each in self.periods))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Name each reason for leaving a session out, in the order in which they are tried."""
        periods = [f"period {_written(begin)} to {_written(end)}" for begin, end in self.periods]
        return (*((BY_RECIPIENT,) if self.recipients else ()), *periods)


Exclusions.__init__ = options_by_name(Exclusions.__init__)  # type: ignore[method-assign]


def _period(given: Any) -> tuple[datetime, datetime]:
    try:
        first, second = given
    except (TypeError, ValueError):
        raise ArgumentError(
            'periods= takes pairs of moments, such as [("2026-10-25T02:00Z", "2026-10-25T03:00Z")]'
        ) from None
    begin, end = moment(first, name="periods"), moment(second, name="periods")
    if begin >= end:
        raise ArgumentError(f"periods=: {_written(begin)} is not before {_written(end)}")
    return begin, end


def _written(value: Any) -> str:
    precise = value.isoformat(timespec="minutes" if not value.second and not value.microsecond else "auto")
    return str(precise).replace("+00:00", "Z")


def judged(callbacks: Any, exclude: Exclusions) -> Frame:
    """Add ``_excluded`` to every callback: the place of its session's reason in `Exclusions.reasons`, or -1.

    Parameters
    ----------
    callbacks
        As `load` makes them, in any engine; lazy ones stay lazy.
    exclude
        What to leave out.

    Returns
    -------
    Frame
        One row per arrival.
    """
    frame = opened(callbacks).select(*(c.name for c in CALLBACKS), "received_us", "requested_us")
    reasons: list[Frame] = []
    if exclude.recipients:
        of_tests = frame.filter(nw.col("recipient_key").fill_null("").is_in(list(exclude.recipients)))
        reasons.append(of_tests.select("session_id").unique())
    if exclude.periods:
        made = opened(attempts(frame.to_native(), as_of=_AT_LAST))
        started = made.group_by("session_id").agg(nw.col("session_started_us").min())
        for begin, end in exclude.periods:
            within = (nw.col("session_started_us") >= microseconds(begin)) & (  # type: ignore[arg-type]
                nw.col("session_started_us") < microseconds(end)  # type: ignore[arg-type]
            )
            reasons.append(started.filter(is_true(within)).select("session_id"))
    judging = frame.with_columns(_excluded=nw.lit(KEPT, dtype=nw.Int64))
    # The first reason is written last, over the others.
    for place, sessions in reversed(list(enumerate(reasons))):
        marked = sessions.with_columns(_here=nw.lit(1, dtype=nw.Int64))
        judging = (
            judging.join(marked, on="session_id", how="left")
            .with_columns(
                _excluded=nw.when(nw.col("_here").is_null()).then(nw.col("_excluded")).otherwise(nw.lit(place))
            )
            .drop("_here")
        )
    return judging


def kept(callbacks: Any, exclude: Exclusions) -> Any:
    """Give the callbacks of the sessions that are not excluded, in their own engine."""
    names = opened(callbacks).collect_schema().names()
    return judged(callbacks, exclude).filter(nw.col("_excluded") == KEPT).select(*names).to_native()
