"""Which sessions can be judged, and what one source saw of their end; for every metric that asks who was verified."""

import warnings
from collections.abc import Iterable, Sequence

import narwhals as nw
import numpy as np
import pandas as pd

from verify_analytics.errors import ArgumentError, DoubtfulWarning
from verify_analytics.model.frames import Frame, is_true

from .counting import CONTEXT_OF_SESSIONS, MISSING
from .engine import collected
from .outcomes import IMMATURE, LEFT_OUT, UNKNOWN, UNOBSERVED
from .sources import warn_not_observable, watched_to_the_end
from .tally import Tally, tally

# A unit of which something is said; why of another nothing is, beside what `outcomes` names.
SEEN, NOT_OBSERVABLE, CLOCK_FAULTS = "seen", "not_observable", "clock_faults"
# What stands for an interval where there can be none: its source could not tell.
NOTHING_TO_SEE = "not observable"

NEEDED = (
    *("session_id", "started_us", "last_started_us", "ended_us", "mature", "unobserved", "lowest_sequence"),
    *("highest_sequence", "attempts", "attempts_before_verified", "second_started_us", MISSING, *CONTEXT_OF_SESSIONS),
)


def class_of(source: str = "") -> nw.Expr:
    """Say whether a session counts, and where a source is asked, whether it could see; age is asked first."""
    seen = nw.lit(SEEN)
    if source:
        seen = nw.when(watched_to_the_end(source)).then(seen).otherwise(nw.lit(NOT_OBSERVABLE))
    kind = nw.when(nw.col("attempts_before_verified") > 0).then(seen).otherwise(nw.lit(UNKNOWN))
    kind = nw.when(nw.col("unobserved")).then(nw.lit(UNOBSERVED)).otherwise(kind)
    return nw.when(nw.col("mature")).then(kind).otherwise(nw.lit(IMMATURE))


def in_time(source: str) -> nw.Expr:
    """Say whether a source reports a session verified before it ended otherwise; missing where it does not."""
    return nw.col(f"verified_{source}_us") <= nw.col("ended_us")


def with_end(sessions: Frame, source: str = "") -> Frame:
    """Put beside each session whether it can be judged, whether it was verified in time, and with which attempt.

    Parameters
    ----------
    sessions
        As ``model.sessions`` gives them.
    source
        Who is asked; nobody, where it is empty.

    Returns
    -------
    Frame
        With ``_class`` (one of `LEFT_OUT`, `NOT_OBSERVABLE` or ``"seen"``), ``_verified`` and ``_fault`` (verified
        before the start, which only a wrong clock can say), which are 0 or 1, and ``_attempt``, how many attempts were
        made before the verification.
    """
    made = sessions.with_columns(_class=class_of(source), _attempt=_attempts_made())
    if not source:
        return made.with_columns(_verified=nw.lit(0), _fault=nw.lit(0))
    # Where the first attempt was never seen the start is not known, and a verification before it is no wonder.
    wrong = is_true(nw.col(f"verified_{source}_us") < nw.col("started_us")) & is_true(nw.col("lowest_sequence") == 1)
    return made.with_columns(
        _verified=nw.when(in_time(source)).then(nw.lit(1)).otherwise(nw.lit(0)),
        _fault=nw.when(wrong).then(nw.lit(1)).otherwise(nw.lit(0)),
    )


def _attempts_made() -> nw.Expr:
    """Give the attempt a session had come to when it was verified, or ended: by number, or as many as were seen.

    Where attempts after the verification are among those seen, the highest number is not of this need: then a second
    attempt is known by its start, and further ones are counted as seen.
    """
    seen, highest = nw.col("attempts_before_verified"), nw.col("highest_sequence")
    second = nw.when(nw.col("second_started_us").is_null()).then(nw.lit(1)).otherwise(nw.lit(2))
    most = nw.when(second > seen).then(second).otherwise(seen)
    by_number = nw.when(highest > most).then(highest).otherwise(most)
    return nw.when(nw.col("attempts") <= seen).then(by_number).otherwise(most).cast(nw.Int64)


def tally_sessions(
    sessions: Frame,
    by: Sequence[str],
    category: nw.Expr,
    categories: Sequence[str],
    *,
    cluster: str,
    top: int | None,
    summed: Sequence[str] = (),
) -> Tally:
    """Do as `tally`, from the start of each session; `top` is of the split, and of nothing where there is none."""
    return tally(
        sessions,
        by,
        category,
        categories,
        started="started_us",
        cluster=cluster,
        context=(*CONTEXT_OF_SESSIONS, MISSING),
        top=top if by else None,
        of_sessions=True,
        summed=summed,
    )


def of_source(part: pd.DataFrame, found: Tally, source: str, seen: Iterable[str]) -> pd.DataFrame:
    """Put beside the rows of a measure who said so and what was left out, and say where nothing can be seen.

    Parameters
    ----------
    part
        One row per group.
    found
        The counts they were made from.
    source
        Who was asked; empty for nobody.
    seen
        The categories of the sessions that were judged.
    """
    blind = found.total([NOT_OBSERVABLE]) if source else np.zeros(len(part), dtype=np.int64)
    nothing = (found.total(seen) == 0) & (blind > 0)
    return part.assign(
        interval=part["interval"].mask(nothing, NOTHING_TO_SEE),
        source=pd.Series(source, index=part.index, dtype="str"),
        **{name: found.total([name]) for name in LEFT_OUT},
        not_observable=blind,
    )


def warn_if_blind(found: Sequence[tuple[str, Tally]], seen: Iterable[str], *, asked_by: str) -> None:
    """Warn where there are sessions to be judged, and not one of them can be watched from any source asked."""
    judged = list(seen)
    if sum(tally.total(judged).sum() for _, tally in found):
        return
    if sum(tally.total([NOT_OBSERVABLE]).sum() for _, tally in found):
        warn_not_observable([each for each, _ in found], asked_by=asked_by)


def check_whole(attempts: Frame, *, asked_by: str) -> None:
    """Doubt sessions that come without all their attempts, and refuse attempts of one session of several readings.

    Parameters
    ----------
    attempts
        As ``model.attempts`` gives them, filtered or not.
    asked_by
        The metric's name.

    Raises
    ------
    ArgumentError
        Where attempts of one session were seen from several moments.

    Warns
    -----
    DoubtfulWarning
        Where attempts are missing that the model had seen.
    """
    of_sessions = (
        attempts.with_columns(_given=nw.col("is_attempt").cast(nw.Int64))
        .group_by("session_id")
        .agg(
            nw.col("_given").sum(),
            nw.col("attempts_in_session").max().alias("_in_session"),
            nw.col("as_of_us").min().alias("_as_of_first_us"),
            nw.col("as_of_us").max().alias("_as_of_last_us"),
        )
        .with_columns(nw.col("_given").cast(nw.Int64))
    )
    flagged = of_sessions.with_columns(
        _missing=nw.when(nw.col("_given") < nw.col("_in_session")).then(nw.lit(1)).otherwise(nw.lit(0)),
        _mixed=nw.when(nw.col("_as_of_last_us") > nw.col("_as_of_first_us")).then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    counted = collected(flagged.select("_missing", "_mixed").group_by("_missing", "_mixed").agg(nw.len().alias("rows")))
    refuse_if_mixed(bool((counted["_mixed"] == 1).any()))
    missing = int(counted.loc[counted["_missing"] == 1, "rows"].sum())
    warn_if_cut_apart(missing, int(counted["rows"].sum()), asked_by=asked_by, stacklevel=6)


def refuse_if_mixed(mixed: bool) -> None:
    """Refuse attempts of one session that were seen from several moments."""
    if mixed:
        raise ArgumentError(
            "the frame holds more than one as_of for the same sessions: compute the metric on each reading by itself"
        )


def warn_if_cut_apart(missing: int, sessions: int, *, asked_by: str, stacklevel: int) -> None:
    """Doubt sessions that come without attempts that the model had seen."""
    if missing:
        warnings.warn(
            f"{asked_by}: {missing} of {sessions} sessions are here without all their attempts. A filter on attempts "
            "cuts sessions apart: give all attempts, and choose sessions with by=",
            DoubtfulWarning,
            stacklevel=stacklevel,
        )
