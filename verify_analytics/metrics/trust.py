"""Can receipts be believed? People verified whose receipt says no, and deliveries that nobody ever answered."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame
from numpy.typing import NDArray

from verify_analytics import stats
from verify_analytics.errors import options_by_name

from .by import SESSION_BY, By, checked_by
from .clusters import checked_cluster
from .counting import warn_if_stale
from .frames import in_long_form, split_and_total, tally_rows, with_context
from .judged import NOT_OBSERVABLE, of_source, tally_sessions, warn_if_blind
from .outcomes import LEFT_OUT
from .session_receipts import DELIVERED, NO_RECEIPT, PLACES, SILENT, judged, sessions_with_receipts
from .sources import checked_sources
from .tally import Tally

# Verified with one attempt: its receipt said yes, it said no, or there was none.
ONE_YES, ONE_NO, ONE_NOTHING = "one_yes", "one_no", "one_nothing"
# Verified with several: at least one was delivered, or none.
MORE_YES, MORE_NO = "more_yes", "more_no"
# Not verified, with a delivered attempt or without.
UNANSWERED, REST = "unanswered", "rest"
SEEN = (ONE_YES, ONE_NO, ONE_NOTHING, MORE_YES, MORE_NO, UNANSWERED, REST)
CATEGORIES = (*LEFT_OUT, NOT_OBSERVABLE, *SEEN)
# Name, what is counted, and among which.
MEASURES: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
    ("verified_against_receipt", (ONE_NO,), (ONE_YES, ONE_NO, ONE_NOTHING)),
    ("delivered_not_verified", (UNANSWERED,), (ONE_YES, MORE_YES, UNANSWERED)),
)

COLUMNS = (
    *("source", "measure", "count", "n", "rate", "low", "high", "interval", "design_effect"),
    *("rate_of_others", "difference", "difference_low", "difference_high", "not_asked", *LEFT_OUT, NOT_OBSERVABLE),
)


@options_by_name
def receipt_trust(
    attempts: IntoFrame,
    *,
    by: By = (),
    top: int | None = None,
    totals: bool = False,
    window: str | timedelta = "10min",
    source: str | None = None,
    cluster: str = "session",
) -> pd.DataFrame:
    """Say how often a receipt is contradicted by what people did: verified though not delivered, or never answered.

    Two shares, both of sessions old enough to be judged that the source could see:

    ``verified_against_receipt``
        Of the sessions verified with one attempt, those whose receipt says undelivered or failed, and never
        delivered. Somebody typed the code in, so it had arrived: this receipt lies.
    ``delivered_not_verified``
        Of the sessions with a delivered attempt, those not verified within the window. High for one country or block
        among its peers, it is suspect: receipts that are made up, or traffic that nobody reads.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine, with all attempts of each session.
    by
        As for `verification_rate`; ``country``, or ``number_block`` with `top`, is what is mostly asked.
    top, totals, cluster
        As for `verification_rate`.
    window
        How long after its last attempt a session may still be verified, as for ``model.sessions``.
    source
        Who says that a session is verified: ``"app"`` or ``"callback"``. Without it both are given, never pooled.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, `source`, `measure`, `count`, `n`, `rate`, `low`, `high`, `interval` (as for
        `verification_rate`), `design_effect`; `rate_of_others`, the same share over all other groups, and
        `difference`, the group's less theirs, from `difference_low` to `difference_high`, all NaN without a split;
        the counts `not_asked`, `immature`, `unobserved`, `unknown`, `not_observable`, then `as_of`,
        `patience_seconds`, `window_seconds`, `small`, `shrunk`, `shrunk_low`, `shrunk_high`, `pooled`.
        `not_asked` are seen sessions that are not in the `n` of this measure: not verified or with several attempts;
        without a delivered attempt. The others left out are those of `funnel`. All these and `n` add up to all
        sessions of the group.
        One row per group, source and measure; without `by`, one group, also when there are no attempts.

    Raises
    ------
    ArgumentError
        As for `funnel`.
    SchemaError
        As for `funnel`.

    Warns
    -----
    DoubtfulWarning
        As for `funnel`.

    Notes
    -----
    With several attempts one does not know which code was typed in, so only one attempt tells on its receipt. These
    sessions are a selected group: where the receipt was right and nothing came, people ask again and are not in it.
    So it is no share of all receipts that are wrong.
    A delivered code that is not typed in is ordinary (people change their minds); only differences between groups
    speak. They are differences of this time, not adjusted for channel or hour, and each interval is for one group
    asked about beforehand: of twenty groups that do not differ, about one will seem to. Lists for review, no verdict.

    References
    ----------
    `verify_analytics.stats.cluster_wilson`; `verify_analytics.stats.newcombe` for the difference, of both sizes
    divided by their design effects.
    """
    asked_by = "metrics.receipt_trust"
    names = checked_by(by, SESSION_BY, grain="sessions", top=top)
    sources, unit = checked_sources(source), checked_cluster(cluster)
    sessions = sessions_with_receipts(attempts, window=window, asked_by=asked_by)
    counted: list[tuple[str, Tally]] = []

    def measured(split: list[str]) -> pd.DataFrame:
        found = [
            (each, tally_sessions(judged(sessions, each), split, _category(), CATEGORIES, cluster=unit, top=top))
            for each in sources
        ]
        counted.extend(found)
        made = in_long_form([part for each, one in found for part in _parts(one, each)])
        return with_context(made[[*split, *COLUMNS]], found[0][1].context, window=True)

    made = split_and_total(measured, names, totals=totals)
    warn_if_stale(counted[0][1].context, asked_by=asked_by)
    warn_if_blind(counted[: len(sources)], SEEN, asked_by=asked_by)
    return made


def _category() -> nw.Expr:
    """Put each session into one of `CATEGORIES`."""
    kind, furthest = nw.col("_class"), nw.col("_furthest")
    number = {place: at for at, place in enumerate(PLACES, 1)}
    delivered = furthest == number[DELIVERED]
    nothing = furthest.is_in([number[SILENT], number[NO_RECEIPT]])
    one = nw.when(nothing).then(nw.lit(ONE_NOTHING)).otherwise(nw.lit(ONE_NO))
    one = nw.when(delivered).then(nw.lit(ONE_YES)).otherwise(one)
    more = nw.when(delivered).then(nw.lit(MORE_YES)).otherwise(nw.lit(MORE_NO))
    verified = nw.when(nw.col("_attempt") == 1).then(one).otherwise(more)
    waited = nw.when(delivered).then(nw.lit(UNANSWERED)).otherwise(nw.lit(REST))
    seen = nw.when(nw.col("_verified") == 1).then(verified).otherwise(waited)
    return nw.when(kind.is_in([*LEFT_OUT, NOT_OBSERVABLE])).then(kind).otherwise(seen)


def _parts(found: Tally, source: str) -> Iterator[pd.DataFrame]:
    """Make the measures of one source."""
    for measure, count, n in MEASURES:
        part = of_source(tally_rows(found, measure, count, n), found, source, SEEN)
        not_asked = found.total([name for name in SEEN if name not in n])
        yield _beside_others(part, found.clusters(count, n)).assign(not_asked=not_asked)


def _beside_others(part: pd.DataFrame, groups: stats.Clusters) -> pd.DataFrame:
    """Put beside each group all others together, and how far they are apart.

    What is summed up of clusters can be subtracted; where a recipient has sessions in several groups, it is one
    cluster in each.
    """
    others = stats.Clusters(*(values.sum() - values for values in groups))
    sides: list[NDArray[np.float64]] = []
    for side in (groups, others):
        effect = stats.cluster_wilson(side).design_effect
        divisor = np.where(np.isnan(effect), 1.0, effect)
        sides.extend((side.successes / divisor, side.trials / divisor))
    difference, low, high = stats.newcombe(*sides)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(others.trials > 0, others.successes / others.trials, np.nan)
    return part.assign(rate_of_others=rate, difference=difference, difference_low=low, difference_high=high)
