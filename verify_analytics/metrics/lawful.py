"""Did everything happen in an order in which it can? What contradicts itself, counted, and listed to be looked at."""

import warnings
from datetime import timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics import model
from verify_analytics.errors import ArgumentError, DoubtfulWarning, near_name, options_by_name
from verify_analytics.model.columns import ATTEMPTS
from verify_analytics.model.frames import Frame
from verify_analytics.model.frames import opened as plain
from verify_analytics.model.moments import SECOND_US, duration_us

from .by import SESSION_BY, By, checked_by
from .clusters import checked_cluster
from .counting import moment, warn_if_stale
from .engine import collected, opened
from .frames import put_together, split_and_total, tally_rows
from .order_checks import ATTEMPT, CHECKS, SESSION, checked_attempts, checked_sessions, flag
from .tally import Tally, tally_flags

# The one check whose denominator is smaller: without its first attempt nobody knows when a session began.
_OF_BEGUN = "verified_before_start"


@options_by_name
def lawful_order(
    attempts: IntoFrame,
    *,
    by: By = (),
    top: int | None = None,
    totals: bool = False,
    cluster: str = "session",
    window: str | timedelta = "10min",
    tolerance: str | timedelta = "2s",
) -> pd.DataFrame:
    """Say how often something happened that cannot have happened so: what to doubt before any other figure.

    Of the attempts that are old enough and were watched (`unit` is ``attempt``):

    ``delivered_and_undelivered``
        Both receipts arrived. Of these ``undelivered_after_delivered`` and ``delivered_after_undelivered`` say which
        arrived later (neither, if at one moment). The model counts them as delivered.
    ``failed_and_receipt``
        It was never handed to the network, and a receipt of the network came.
    ``sequence_jump``
        Numbered k above 1, and nothing of number k - 1 was ever seen.
    ``sequence_shared``
        Another attempt of the session carries the same number.
    ``facts_conflict``
        Its callbacks name different sessions, channels, countries, blocks, recipients, numbers or providers.
    ``codes_differ``
        Callbacks of its end name different error codes.
    ``requested_after_arrival``
        Requested later than its first callback arrived, by more than `tolerance`: two clocks that disagree.
    ``requested_before_previous``
        Requested before the attempt with the number before it, both by the provider's clock.

    Of the sessions that are old enough and were watched (`unit` is ``session``):

    ``verified_after_expired``
        A callback said that it expired, and after that either source saw it verified.
    ``expired_after_verified``
        The same the other way round: what was verified cannot expire.
    ``verified_before_start``
        Verified, by either source, before its first attempt was requested / sessions whose first attempt was seen.

    Each is a share of all attempts or sessions judged. One attempt may be found by several.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine, with all attempts of each session.
    by
        As for ``metrics.retries``: what was known when the session started (``first_channel``, ``country``,
        ``number_block`` with `top`), and times, of the attempt's or the session's start.
    top, totals, cluster
        As for `delivery_rate`. The largest are chosen for attempts and for sessions apart.
    window
        How long after its last attempt a session may still be verified, as for ``model.sessions``.
    tolerance
        How far the provider's clock may be ahead of ours. Two clocks set over a network differ by much less.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `unit`, and the columns of `delivery_rate`. `unknown` is 0: whatever the statuses mean, what
        contradicts itself does. One row per group and measure, those of attempts first.

    Raises
    ------
    ArgumentError
        For a `by`, `window` or `tolerance` that is not allowed, something that is no dataframe, a frame of several
        `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.attempts``.

    Warns
    -----
    DoubtfulWarning
        Where sessions are here without all their attempts, and where `as_of` is later than the collector is known to
        have listened.

    Notes
    -----
    Order is by first arrival, for callbacks tell no time of their own: a receipt that was tried again after minutes
    arrives after what it precedes, so a few pairs in the wrong order are the road's doing (see `webhook_health`), and
    the pair itself is the finding. What the application reports is by its own clock.
    `unlawful` lists what is counted here; ``model.story`` tells one session.

    References
    ----------
    `verify_analytics.stats.cluster_wilson` for the interval.
    """
    asked_by = "metrics.lawful_order"
    names = checked_by(by, SESSION_BY, grain="sessions and their attempts", top=top)
    checked_cluster(cluster)
    frames = _checked(attempts, window=window, tolerance=tolerance, asked_by=asked_by)
    counted: list[Tally] = []

    def measured(split: list[str]) -> pd.DataFrame:
        parts = []
        for unit, frame in frames.items():
            kept = top if split else None
            found = tally_flags(frame, split, _flags(unit), started="started_us", cluster=cluster, top=kept)
            counted.append(found)
            parts.append(_finish(found, unit, len(split)))
        return pd.concat(parts, ignore_index=True)

    made = split_and_total(measured, names, totals=totals)
    warn_if_stale(counted[0].context, asked_by=asked_by)
    return made


@options_by_name
def unlawful(
    attempts: IntoFrame, *, what: str, window: str | timedelta = "10min", tolerance: str | timedelta = "2s"
) -> pd.DataFrame:
    """List the attempts or sessions behind one measure of `lawful_order`, to be looked at with ``model.story``.

    Parameters
    ----------
    attempts, window, tolerance
        As for `lawful_order`.
    what
        The measure.

    Returns
    -------
    pandas.DataFrame
        `what`, `session_id`, `attempt_id`, `attempt_sequence`, `channel` (of a session, its first one; no attempt),
        `country`, `first_at` and `second_at` (UTC; the two moments that do not go together, or the first and the last
        arrival), `seconds` from the one to the other, `counted` (whether it is in the `count` of `lawful_order`; what
        is too young or was not watched all the time is listed all the same), `as_of`. In order of `first_at`.
        One row per attempt, or session, that was found.

    Raises
    ------
    ArgumentError
        For a `what` that is no measure; else as for `lawful_order`.
    SchemaError
        As for `lawful_order`.

    Warns
    -----
    DoubtfulWarning
        Where sessions are here without all their attempts.
    """
    if what not in CHECKS:
        raise ArgumentError(f"nothing is listed under what={what!r}: {near_name(str(what), CHECKS)}")
    check = CHECKS[what]
    frames = _checked(attempts, window=window, tolerance=tolerance, asked_by="metrics.unlawful")
    frame = frames[check.unit]
    named = {"channel": "channel" if check.unit == ATTEMPT else "first_channel"}
    own = ("attempt_id", "attempt_sequence") if check.unit == ATTEMPT else ()
    rows = frame.filter(nw.col(flag(what))).select(
        *("session_id", *own, "country", "as_of_us"),
        *(nw.col(column).alias(name) for name, column in named.items()),
        _first=nw.col(check.first),
        _second=nw.col(check.second),
        _counted=nw.col("_begun" if what == _OF_BEGUN else "_judged"),
    )
    return _listed(collected(rows), what)


def _checked(
    attempts: IntoFrame, *, window: str | timedelta, tolerance: str | timedelta, asked_by: str
) -> dict[str, Frame]:
    """Give attempts and sessions with what each check finds; warns of sessions that were cut apart."""
    tolerance_us = duration_us(tolerance, name="tolerance")
    duration_us(window, name="window")
    opened(attempts, [column.name for column in ATTEMPTS], asked_by=asked_by, made_by="model.attempts")
    frame = plain(attempts)
    sessions = plain(model.sessions(nw.to_native(frame), window=window))
    alone = frame.filter(nw.col("is_attempt"))
    here = alone.group_by("session_id").agg(nw.len().alias("_here"), nw.col("attempts_in_session").max())
    cut = here.filter(nw.col("_here") < nw.col("attempts_in_session")).with_columns(_all=nw.lit(0))
    missing = collected(cut.group_by("_all").agg(nw.len().alias("sessions")))["sessions"]
    if len(missing):
        warnings.warn(
            f"{asked_by}: {int(missing.iloc[0])} sessions are here without all their attempts. A filter on attempts "
            "cuts sessions apart: give all attempts, and choose sessions with by=",
            DoubtfulWarning,
            stacklevel=4,
        )
    return {ATTEMPT: checked_attempts(alone, tolerance_us=tolerance_us), SESSION: checked_sessions(sessions)}


def _flags(unit: str) -> dict[str, nw.Expr]:
    of_unit = {name: nw.col(flag(name)) & nw.col("_judged") for name, check in CHECKS.items() if check.unit == unit}
    begun = {"begun": nw.col("_begun")} if unit == SESSION else {}
    return {
        "judged": nw.col("_judged"),
        "immature": ~nw.col("mature"),
        "unobserved": nw.col("_unobserved"),
        **begun,
        **of_unit,
    }


def _finish(found: Tally, unit: str, place: int) -> pd.DataFrame:
    measures = [name for name, check in CHECKS.items() if check.unit == unit]
    parts = [tally_rows(found, name, [name], ["begun" if name == _OF_BEGUN else "judged"]) for name in measures]
    nothing = np.zeros(len(found.groups), dtype=np.int64)
    beside = {"immature": found.total(["immature"]), "unobserved": found.total(["unobserved"]), "unknown": nothing}
    made = put_together(parts, beside, found.context)
    made.insert(place, "unit", pd.Series(unit, index=made.index, dtype="str"))
    return made


def _listed(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    def texts(name: str) -> pd.Series:
        if name not in rows:
            return pd.Series(None, index=rows.index, dtype="str")
        return rows[name].astype("str").where(rows[name].notna(), None).astype("str")

    def moments(name: str) -> pd.Series:
        micros = rows[name].astype("Int64")
        return pd.to_datetime(micros, unit="us", utc=True).astype("datetime64[us, UTC]")

    none = pd.Series(pd.NA, index=rows.index, dtype="Int64")
    between: Any = rows["_second"].astype("Int64") - rows["_first"].astype("Int64")
    made = pd.DataFrame(
        {
            "what": pd.Series(what, index=rows.index, dtype="str"),
            "session_id": texts("session_id"),
            "attempt_id": texts("attempt_id"),
            "attempt_sequence": rows["attempt_sequence"].astype("Int64") if "attempt_sequence" in rows else none,
            "channel": texts("channel"),
            "country": texts("country"),
            "first_at": moments("_first"),
            "second_at": moments("_second"),
            "seconds": between.astype("float64") / SECOND_US,
            "counted": rows["_counted"].astype("bool"),
            "as_of": pd.Series([moment(at) for at in rows["as_of_us"]], index=rows.index, dtype="datetime64[us, UTC]"),
        }
    )
    return made.sort_values(["first_at", "session_id", "attempt_id"], kind="stable", ignore_index=True)
