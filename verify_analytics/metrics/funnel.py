"""Where are people lost between asking for a code and being verified? Steps and losses, by session."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import options_by_name

from .by import SESSION_BY, By, checked_by
from .clusters import checked_cluster
from .counting import warn_if_stale
from .frames import in_long_form, split_and_total, tally_rows, with_context
from .judged import NOT_OBSERVABLE, of_source, tally_sessions, warn_if_blind
from .outcomes import LEFT_OUT
from .session_receipts import (
    ACCOUNT,
    DELIVERED,
    NETWORK,
    NO_RECEIPT,
    PLACES,
    POLICY,
    SILENT,
    UNDELIVERED,
    judged,
    sessions_with_receipts,
)
from .sources import checked_sources
from .tally import Tally

# Where a session ended that was not verified, and where one that was: how far its attempts got, either way.
LOST = {place: f"lost_{place}" for place in PLACES}
WON = {place: f"won_{place}" for place in PLACES}
SEEN = (*LOST.values(), *WON.values())
CATEGORIES = (*LEFT_OUT, NOT_OBSERVABLE, *SEEN)

COLUMNS = (
    *("source", "kind", "measure", "count", "n", "rate", "low", "high", "interval", "design_effect"),
    *(*LEFT_OUT, NOT_OBSERVABLE),
)
# What a loss is called: the place that was reached, and no further.
LOSSES = (
    ("not_handed_over_policy", POLICY),
    ("not_handed_over_account", ACCOUNT),
    ("not_handed_over_network", NETWORK),
    ("silent", SILENT),
    ("undelivered", UNDELIVERED),
    ("no_receipt", NO_RECEIPT),
    ("delivered_not_verified", DELIVERED),
)
# The network took it.
TAKEN = (UNDELIVERED, NO_RECEIPT, DELIVERED)
AGAINST = (POLICY, ACCOUNT, NETWORK, UNDELIVERED)


@options_by_name
def funnel(
    attempts: IntoFrame,
    *,
    by: By = (),
    top: int | None = None,
    totals: bool = False,
    window: str | timedelta = "10min",
    source: str | None = None,
    cluster: str = "session",
) -> pd.DataFrame:
    """Say how many of those who asked for a code got how far, and where the others were lost.

    Every share is of all sessions, so that losses can be added. A session got as far as the furthest of the attempts
    it made before it was verified, or ended. `kind` tells three sorts of rows apart:

    ``step``
        ``sessions``, all of them. ``accepted``: at least one attempt was taken by the network (accepted, undelivered
        or delivered). ``delivered``: at least one was delivered, by its receipt. ``verified``: within the window.
    ``loss``
        Not verified, and named by how far it got: ``not_handed_over_policy``, ``not_handed_over_account``,
        ``not_handed_over_network`` (no attempt got further than to fail, for a fraud rule, for the account, or for any
        other reason; of others nothing may have been said),
        ``silent`` (not even that was said), ``undelivered``, ``no_receipt`` (accepted, and nothing more was heard),
        ``delivered_not_verified``. With ``verified`` they add up to ``sessions``.
    ``verified``
        What is among ``verified``: ``verified_delivered``; ``verified_without_receipt``, no attempt said more than
        accepted; ``verified_against_receipt``, each receipt said undelivered or failed. They add up to ``verified``.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine, with all attempts of each session.
    by
        As for `verification_rate`: what was known when the session started.
    top, totals, cluster
        As for `verification_rate`.
    window
        How long after its last attempt a session may still be verified, as for ``model.sessions``.
    source
        Who says that a session is verified: ``"app"`` or ``"callback"``. Without it both are given, never pooled.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `source`, `kind`, `measure`, `count`, `n`, `rate`, `low`, `high`, `interval`,
        `design_effect`, the counts `immature`, `unobserved`, `unknown`, `not_observable`, then `as_of`,
        `patience_seconds`, `window_seconds`, and `small`, `shrunk`, `shrunk_low`, `shrunk_high`, `pooled` as for
        `delivery_rate`. First rows with an empty `source`, of all sessions that were seen, which ask of no
        verification: steps up to ``delivered``. Then those of each source, of the sessions it could see. `interval` as
        for `verification_rate`, ``"none"`` for ``sessions``, which are all by definition.
        Left out: `immature` and `not_observable` as for `verification_rate`; `unobserved`, the session or one of its
        attempts waited while the collector was not listening; `unknown`, no attempt was seen, or no status that
        anybody listed. These and `n` add up to all sessions of the group.
        One row per group, source and measure; without `by`, one group, also when there are no attempts.

    Raises
    ------
    ArgumentError
        For a `by`, `top`, `window`, `source` or `cluster` that cannot be, something that is no dataframe, or a frame of
        several `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.attempts``.

    Warns
    -----
    DoubtfulWarning
        Where sessions come without all their attempts, where no session can be watched from any source asked, and
        where `as_of` is later than the collector is known to have listened.

    Notes
    -----
    The steps are not nested: people are verified whose attempts have no receipt, or one that says the contrary, so
    ``verified`` may be more than ``delivered``. Receipts lie, and some countries send none: see `receipt_trust`, and
    ``coverage`` of `delivery_rate`, before a step is read as a loss. How far, from nearest to furthest: silent, policy,
    account, network, undelivered, no receipt, delivered; no receipt is further than undelivered, for it may have
    arrived. A session of two attempts is named by one of them: counts of attempts are in `delivery_rate`.
    ``verified`` is that of `verification_rate`, but for the sessions left out as `unobserved` or `unknown` here alone.

    References
    ----------
    `verify_analytics.stats.cluster_wilson` for the intervals.
    """
    asked_by = "metrics.funnel"
    names = checked_by(by, SESSION_BY, grain="sessions", top=top)
    sources, unit = checked_sources(source), checked_cluster(cluster)
    sessions = sessions_with_receipts(attempts, window=window, asked_by=asked_by)
    counted: list[tuple[str, Tally]] = []

    def measured(split: list[str]) -> pd.DataFrame:
        found = [
            (each, tally_sessions(judged(sessions, each), split, _category(), CATEGORIES, cluster=unit, top=top))
            for each in ("", *sources)
        ]
        counted.extend(found)
        made = in_long_form([part for each, one in found for part in _parts(one, each)])
        return with_context(made[[*split, *COLUMNS]], found[0][1].context, window=True)

    made = split_and_total(measured, names, totals=totals)
    # All of all is no estimate, and nothing to lean on other groups.
    made.loc[made["measure"] == "sessions", ["shrunk", "shrunk_low", "shrunk_high"]] = np.nan
    warn_if_stale(counted[0][1].context, asked_by=asked_by)
    warn_if_blind(counted[1 : 1 + len(sources)], SEEN, asked_by=asked_by)
    return made


def _category() -> nw.Expr:
    """Put each session into one of `CATEGORIES`."""
    kind, furthest = nw.col("_class"), nw.col("_furthest")
    chain = nw.when(kind.is_in([*LEFT_OUT, NOT_OBSERVABLE])).then(kind)
    for number, place in enumerate(PLACES[:-1], 1):
        chain = chain.when(furthest == number).then(_ended(place))
    return chain.otherwise(_ended(PLACES[-1]))


def _ended(place: str) -> nw.Expr:
    return nw.when(nw.col("_verified") == 1).then(nw.lit(WON[place])).otherwise(nw.lit(LOST[place]))


def _parts(found: Tally, source: str) -> Iterator[pd.DataFrame]:
    """Make the measures of one source, or those that ask of no verification."""
    for kind, measure, count in _measures(source):
        part = tally_rows(found, measure, count, SEEN)
        if measure == "sessions":
            part = part.assign(low=np.nan, high=np.nan, interval="none", design_effect=np.nan)
        yield of_source(part, found, source, SEEN).assign(kind=kind)


def _measures(source: str) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Give the kind and name of each measure, and the categories that it counts."""

    def either(*places: str) -> list[str]:
        return [ends[place] for ends in (LOST, WON) for place in places]

    yield "step", "sessions", SEEN
    yield "step", "accepted", either(*TAKEN)
    yield "step", "delivered", either(DELIVERED)
    if not source:
        return
    yield "step", "verified", tuple(WON.values())
    for measure, place in LOSSES:
        yield "loss", measure, (LOST[place],)
    yield "verified", "verified_delivered", (WON[DELIVERED],)
    yield "verified", "verified_without_receipt", (WON[NO_RECEIPT], WON[SILENT])
    yield "verified", "verified_against_receipt", tuple(WON[place] for place in AGAINST)
