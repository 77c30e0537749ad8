"""How many of those who ask for a code are verified? By source, and with which attempt."""

from collections.abc import Iterator, Sequence

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics import stats
from verify_analytics.errors import options_by_name

from .by import SESSION_BY, By, checked_by, columns_of
from .clusters import checked_cluster, cluster_columns
from .counting import Ints, warn_if_cut, warn_if_stale
from .engine import opened
from .frames import in_long_form, split_and_total, tally_rows, with_context
from .judged import (
    CLOCK_FAULTS,
    NEEDED,
    NOT_OBSERVABLE,
    SEEN,
    of_source,
    tally_sessions,
    warn_if_blind,
    with_end,
)
from .outcomes import LEFT_OUT
from .sources import checked_sources, columns_of_source
from .tally import Tally

# With which attempt: further ones are taken together.
PLACES = ("1", "2", "3_or_later")
WAITED = "waited"
VERIFIED = tuple(f"verified_{place}" for place in PLACES)
# Verified, too, but at a time that cannot be.
FAULTS = tuple(f"fault_{place}" for place in PLACES)
JUDGED = (WAITED, *VERIFIED, *FAULTS)
CATEGORIES = (*LEFT_OUT, NOT_OBSERVABLE, *JUDGED)
ATTEMPTS_OF_VERIFIED = "_attempts_of_verified"

COLUMNS = (
    *("source", "measure", "count", "n", "rate", "mean", "low", "high", "interval", "design_effect"),
    *(*LEFT_OUT, NOT_OBSERVABLE, CLOCK_FAULTS),
)


@options_by_name
def verification_rate(
    sessions: IntoFrame,
    *,
    by: By = (),
    top: int | None = None,
    totals: bool = False,
    source: str | None = None,
    cluster: str = "session",
) -> pd.DataFrame:
    """Say what share of those who asked for a code were verified, and how many needed more than one attempt.

    Of the sessions that are old enough to be judged and that the source could see:

    ``verified``
        Verified within the window / all of them.
    ``first_attempt_conversion``
        Verified within the window before any second attempt / all of them.
    ``attempts_before_verification``
        `mean` attempts made before the verification, `count` attempts / `n` verified sessions.
    ``verified_with_attempt_1``, ``verified_with_attempt_2``, ``verified_with_attempt_3_or_later``
        Of the verified sessions, those that had come to this attempt when they were verified; they add up to 1.

    Parameters
    ----------
    sessions
        What ``model.sessions`` gives, of any engine; filter it by what was known at a session's start.
    by
        Up to two of ``first_channel``, ``country``, ``number_block`` (with `top`), and of the periods, hours and
        weekdays that `delivery_rate` knows: only what was known when the session started.
    top, totals
        As for `delivery_rate`.
    source
        Who says that a session is verified: ``"app"``, the application itself, or ``"callback"``, the provider.
        Without it both are given, each by itself; they are never pooled.
    cluster
        The unit of independence: ``"session"``, or ``"recipient"`` (all sessions of one recipient).

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `source`, `measure`, `count`, `n`, `rate`, `mean`, `low`, `high`, `interval`,
        `design_effect`, the counts `immature`, `unobserved`, `unknown`, `not_observable`, `clock_faults`, then
        `as_of`, `patience_seconds`, `window_seconds`, and `small`, `shrunk`, `shrunk_low`, `shrunk_high`, `pooled` as
        for `delivery_rate`. `rate` is NaN for a mean and `mean` for a rate.
        `interval` is ``"cluster_wilson"``, ``"wilson"`` (no design effect could be estimated), ``"t"`` of a mean, or
        ``"not observable"``: this source could see none of the group's sessions, and nothing is known of them.
        Left out: `immature`, too young; `unobserved`, waited while the collector was not listening; `unknown`, none
        of the attempts it needed was seen; `not_observable`, the source was not reporting from its start to the window
        after its last attempt. These and the `n` of
        ``verified`` add up to all sessions of the group. `clock_faults` are among that `n`: see Notes.
        One row per group, source and measure; without `by`, one group, also when there are no sessions.

    Raises
    ------
    ArgumentError
        For a `by`, `top`, `source` or `cluster` that cannot be, something that is no dataframe, or a frame of several
        `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.sessions``.

    Warns
    -----
    DoubtfulWarning
        Where no session can be watched from any source asked, where sessions were made of attempts from which a filter
        had taken some, and where `as_of` is later than the collector is known to have listened.

    Notes
    -----
    Verified counts when it came before the session's end: the window after its last attempt, or an expiry that a
    callback told. Attempts after the verification answer a new need and are not counted.
    An application may report a success before the session began; its clock is wrong, but somebody was verified. Only
    verified sessions can have that fault, so to leave them out would make every rate too low. They count, and
    `clock_faults` says how many of `n` they are; `metrics.clock_faults` lists them.
    People who ask twice differ from those who ask once: a share by attempt says nothing about what a second attempt
    does. Sessions whose earlier attempts were not seen count as having come to the highest number seen.
    The interval of a mean is good from some 30 sessions on; where all needed the same number there is none, and
    `interval` is ``"none"``.
    Equal to ``verified_before_attempt_2`` of `retries` for ``first_attempt_conversion``, given the same attempts.

    References
    ----------
    `verify_analytics.stats.cluster_wilson`; `verify_analytics.stats.mean_interval`, for clusters by the linear form of
    a ratio: Cochran WG (1977), Sampling Techniques, 3rd ed., ch. 6.
    """
    asked_by = "metrics.verification_rate"
    names = checked_by(by, SESSION_BY, grain="sessions", top=top)
    sources = checked_sources(source)
    said = [column for each in sources for column in columns_of_source(each)]
    columns = dict.fromkeys([*NEEDED, *said, *columns_of(names), *cluster_columns(checked_cluster(cluster))])
    frame = opened(sessions, list(columns), asked_by=asked_by, made_by="model.sessions")
    counted: list[tuple[str, Tally]] = []

    def measured(split: list[str]) -> pd.DataFrame:
        found = [
            (
                each,
                tally_sessions(
                    with_end(frame, each).with_columns(_attempts_of_verified()),
                    *(split, _category(), CATEGORIES),
                    cluster=cluster,
                    top=top,
                    summed=[ATTEMPTS_OF_VERIFIED],
                ),
            )
            for each in sources
        ]
        counted.extend(found)
        made = in_long_form([part for each, one in found for part in _parts(one, each)])
        return with_context(made[[*split, *COLUMNS]], found[0][1].context, window=True)

    made = split_and_total(measured, names, totals=totals)
    asked = counted[: len(sources)]
    warn_if_stale(asked[0][1].context, asked_by=asked_by)
    warn_if_cut(asked[0][1].context, asked_by=asked_by)
    warn_if_blind(asked, JUDGED, asked_by=asked_by)
    return made


def _category() -> nw.Expr:
    """Put each session into one of `CATEGORIES`."""
    right, wrong = (_by_attempt(names) for names in (VERIFIED, FAULTS))
    verified = nw.when(nw.col("_fault") == 1).then(wrong).otherwise(right)
    judged = nw.when(nw.col("_verified") == 1).then(verified).otherwise(nw.lit(WAITED))
    return nw.when(nw.col("_class").is_in([*LEFT_OUT, NOT_OBSERVABLE])).then(nw.col("_class")).otherwise(judged)


def _attempts_of_verified() -> nw.Expr:
    """Give the attempts that a verified session had made, and 0 for any other."""
    verified = (nw.col("_class") == SEEN) & (nw.col("_verified") == 1)
    return nw.when(verified).then(nw.col("_attempt")).otherwise(nw.lit(0)).cast(nw.Int64).alias(ATTEMPTS_OF_VERIFIED)


def _by_attempt(names: Sequence[str]) -> nw.Expr:
    first, second, later = names
    beyond = nw.when(nw.col("_attempt") == 2).then(nw.lit(second)).otherwise(nw.lit(later))
    return nw.when(nw.col("_attempt") == 1).then(nw.lit(first)).otherwise(beyond)


def _parts(found: Tally, source: str) -> Iterator[pd.DataFrame]:
    """Make the measures of one source."""
    verified = (*VERIFIED, *FAULTS)
    places = list(zip(VERIFIED, FAULTS, strict=True))
    rates: list[tuple[str, Sequence[str], Sequence[str]]] = [
        ("verified", verified, JUDGED),
        ("first_attempt_conversion", places[0], JUDGED),
    ]
    shares = [(f"verified_with_attempt_{name}", place, verified) for name, place in zip(PLACES, places, strict=True)]
    made = [
        *(tally_rows(found, *rate).assign(mean=np.nan) for rate in rates),
        _mean_attempts(found, verified),
        *(tally_rows(found, *share).assign(mean=np.nan) for share in shares),
    ]
    faults = found.total(FAULTS)
    for part in made:
        yield of_source(part, found, source, JUDGED).assign(clock_faults=faults)


def _mean_attempts(found: Tally, verified: Sequence[str]) -> pd.DataFrame:
    """Make the mean of the attempts that verified sessions had made, with an interval over clusters."""
    place, attempts, size, clusters = _attempts_by_cluster(found, verified)
    groups = len(found.groups)
    made, n = np.zeros(groups, dtype=np.int64), np.zeros(groups, dtype=np.int64)
    np.add.at(made, place, attempts * clusters)
    np.add.at(n, place, size * clusters)
    value = np.full((3, groups), np.nan)
    for group in np.flatnonzero(n):
        mine = place == group
        mean = made[group] / n[group]
        # Each cluster as one value, whose mean is that of all sessions: with one session a cluster, its attempts.
        apart = (attempts[mine] - mean * size[mine]) * (clusters[mine].sum() / n[group])
        value[:, group] = stats.mean_interval(mean + apart, weights=clusters[mine])
    mean, low, high = value
    return found.groups.assign(
        measure="attempts_before_verification",
        count=made,
        n=n,
        rate=np.nan,
        mean=mean,
        # Nobody is verified before a first attempt.
        low=np.maximum(low, 1.0),
        high=high,
        interval=pd.Series(np.where(np.isnan(low) & (n > 0), "none", "t"), index=found.groups.index, dtype="str"),
        design_effect=np.nan,
        _group=range(groups),
    )


def _attempts_by_cluster(found: Tally, verified: Sequence[str]) -> tuple[Ints, Ints, Ints, Ints]:
    """Give each cluster's attempts and verified sessions; clusters with the same sums are one row, or several.

    Returns
    -------
    tuple
        The group, attempts, sessions, and how many clusters have these. One value each per row.
    """
    size = found.of_clusters(verified)
    there = size > 0
    return found.place[there], found.sums(ATTEMPTS_OF_VERIFIED)[there], size[there], found.weight[there]
