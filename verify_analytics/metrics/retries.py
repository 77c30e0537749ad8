"""What do people do when the code does not come? Further attempts, how soon, on which channel, and what followed."""

import warnings
from collections.abc import Sequence
from datetime import timedelta

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame
from numpy.typing import NDArray

from verify_analytics import model
from verify_analytics.errors import DoubtfulWarning, options_by_name
from verify_analytics.model.columns import ATTEMPTS
from verify_analytics.model.frames import Frame

from .by import SESSION_BY, By, checked_by, key
from .clusters import checked_cluster
from .counting import CONTEXT, CONTEXT_OF_SESSIONS, Counts, count_keyed, warn_if_stale, with_keys
from .engine import opened
from .frames import split_and_total
from .judged import SEEN, refuse_if_mixed, warn_if_cut_apart
from .retry_figures import Figures
from .retry_sessions import CLUSTER, FACTS, with_recipients, with_retries
from .sources import checked_sources


@options_by_name
def retries(
    attempts: IntoFrame,
    *,
    by: By = (),
    top: int | None = None,
    totals: bool = False,
    cluster: str = "session",
    window: str | timedelta = "10min",
    source: str | None = None,
) -> pd.DataFrame:
    """Say how often a code is asked for again, how soon, on which channel, and how often that was followed by success.

    Counted by session, of the sessions old enough to be judged. Attempts made after the verification answer a new need
    and are in none of these figures.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine, with all attempts of each session.
    by
        Up to two of what was known when the session started: ``first_channel``, ``country``, ``number_block`` (with
        `top`), and the times of `delivery_rate`, here of the session's start.
    top, totals
        As for `delivery_rate`.
    cluster
        The unit of independence of the rates: ``"session"``, or ``"recipient"``, all sessions of one recipient.
    window
        How long after its last attempt a session may still be verified, as for ``model.sessions``.
    source
        Who says that a session is verified: ``"app"`` or ``"callback"``. Without it both are given, never pooled.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `source` (empty where no verification is asked about), `from_channel`, `to_channel` (empty
        but for flows), `measure`, `count`, `n`, `rate`, `mean`, `seconds`, `low`, `high`, `interval`,
        `design_effect`, the counts `immature`, `unobserved`, `unknown`, `not_observable`, `incomplete`, then
        `as_of`, `patience_seconds`, `window_seconds`, and `small`, `shrunk`, `shrunk_low`, `shrunk_high`, `pooled` as
        for `delivery_rate`. The measures:

        ``attempts_per_session``
            `mean` attempts per session, `count` / `n`, with the interval of a mean (``"t"``).
        ``reaches_attempt_2`` to ``reaches_attempt_5``
            Sessions that made a k-th attempt / all. As far as anybody got.
        ``gap_to_attempt_2_p50``, ``gap_to_attempt_2_p90``, …
            `seconds` from attempt k - 1 to k: median and 90 % point over `n` sessions whose attempts were all seen.
            `low` and `high` are seconds too (``"log_log"``); a missing `high` is "no upper bound".
        ``resent_too_early``, ``fell_back_too_early``
            Sessions in which the earlier attempt was delivered after the next one had started, on the same channel
            (a resend) or on another (a fallback) / sessions that made such an attempt.
        ``second_attempt``
            Of the sessions with a second attempt on a known channel, those that went from one channel to another or
            the same.
        ``verified_before_attempt_2``, …
            Verified before attempt k + 1 / sessions that reached attempt k, for k = 1, 2, …
        ``rescue``
            Verified after a fallback had started / sessions that fell back unverified. *Followed by* the fallback,
            not caused by it: many of them would have verified without.
        ``second_attempt_then_verified``
            Of the sessions of one flow, those verified.

        Left out and counted: `immature`, `unobserved`, `unknown` (no attempt was seen), and for measures of a source
        `not_observable`. `incomplete` sessions lack an attempt or its number; they are out of the gaps only.
        One row per group, source, flow and measure.

    Raises
    ------
    ArgumentError
        For a `by`, `window` or `source` that cannot be, something that is no dataframe, a frame of several `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.attempts``.

    Warns
    -----
    DoubtfulWarning
        Where sessions come without all their attempts (a filter on attempts cuts sessions apart), where several
        attempts share one requested time (gaps are then taken between first arrivals), and where `as_of` is later
        than the collector is known to have listened.

    Notes
    -----
    Verified counts when it came within the window. Delivered is known by the arrival of the receipt, which a retry of
    the provider's may delay: "too early" is an upper bound. Gaps below 0 (a wrong clock) are left out. Impatient people
    differ from patient ones, so a rate after a retry says nothing about what the retry did.
    Sessions are taken as independent, so the design effect of a rate is 1; with ``cluster="recipient"`` those of one
    recipient are alike, and one row per recipient of several sessions is brought over from the engine. The intervals
    of means and gaps take sessions as independent always.

    References
    ----------
    `verify_analytics.stats.cluster_wilson`, `mean_interval` and `quantile_intervals` for the intervals.
    """
    asked_by = "metrics.retries"
    names = checked_by(by, SESSION_BY, grain="sessions", top=top)
    checked_cluster(cluster)
    sources = checked_sources(source)
    columns = [column.name for column in ATTEMPTS]
    frame = opened(attempts, columns, asked_by=asked_by, made_by="model.attempts")
    sessions: Frame = nw.from_native(model.sessions(nw.to_native(frame), window=window))
    told = with_retries(with_recipients(sessions, cluster), frame.filter(nw.col("is_attempt")), sources)
    kinds = [*FACTS, CLUSTER, *(f"_end_{each}" for each in sources)]
    counted: list[Counts] = []

    def measured(split: list[str]) -> pd.DataFrame:
        keyed = with_keys(told, split, started="started_us", top=top if split else None)
        counts = count_keyed(keyed, split, kinds, context=CONTEXT_OF_SESSIONS)
        counted.append(counts)
        gaps = count_keyed(_gaps(frame, keyed, split), split, ["attempt_sequence", "seconds_since_previous"])
        return Figures(counts, gaps, sources).frame()

    made = split_and_total(measured, names, totals=totals)
    refuse_if_mixed(bool(_is_true(counted[0].table["_mixed"]).any()))
    _warn(counted[0], asked_by=asked_by)
    return made


def _gaps(attempts: Frame, keyed: Frame, split: Sequence[str]) -> Frame:
    """Give one row per later attempt of the sessions that count and are whole, in the group of its session."""
    whole = keyed.filter((nw.col("_class") == SEEN) & nw.col("complete"))
    later = attempts.filter(nw.col("role").is_in(["resend", "fallback"]) & (nw.col("seconds_since_previous") >= 0))
    kept = ["session_id", "attempt_sequence", "seconds_since_previous", *CONTEXT]
    groups = ["session_id", "_all", *(key(name) for name in split)]
    return later.select(*kept).join(whole.select(*groups), on="session_id", how="inner")


def _is_true(values: pd.Series) -> NDArray[np.bool_]:
    """Read a column of flags from any engine; nothing is false."""
    return values.astype("boolean").fillna(value=False).to_numpy(dtype=bool)


def _warn(counts: Counts, *, asked_by: str) -> None:
    """Say what a reader should doubt; pointed at the line that asked for the metric."""
    warn_if_stale(counts.context, asked_by=asked_by, stacklevel=5)
    missing = int(counts.rows[_is_true(counts.table["_missing"])].sum())
    warn_if_cut_apart(missing, int(counts.rows.sum()), asked_by=asked_by, stacklevel=5)
    if _is_true(counts.table["requested_at_shared"]).any():
        warnings.warn(
            f"{asked_by}: attempts of one session share a requested time, so it is the session's and not theirs; gaps "
            "are taken between first arrivals, which retries of the provider's may delay",
            DoubtfulWarning,
            stacklevel=4,
        )
