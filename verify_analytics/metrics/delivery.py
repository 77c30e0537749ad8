"""Do the messages and calls arrive? Delivery by channel, role, country and time."""

import narwhals as nw
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import options_by_name

from .by import ATTEMPT_BY, By, checked_by, columns_of
from .clusters import checked_cluster, cluster_columns
from .counting import CONTEXT, warn_if_stale
from .engine import opened
from .frames import put_together, split_and_total, tally_rows
from .outcomes import CATEGORIES, KNOWN, category, left_out
from .tally import Tally, tally

# Refused before anything was sent, because of a rule or because of the account, and not because of the network.
POLICY_CODES = ("451", "452")  # fraud threshold breached, potential SMS pumping
ACCOUNT_CODES = ("450", "900")  # destination country not enabled, insufficient credit

NEEDED = ("is_attempt", "mature", "outcome", "error_code", "started_us", *CONTEXT)


POLICY, ACCOUNT = "failed_policy", "failed_account"


@options_by_name
def delivery_rate(
    attempts: IntoFrame, *, by: By = (), top: int | None = None, totals: bool = False, cluster: str = "session"
) -> pd.DataFrame:
    """Say what share of the attempts reached the phone, and how far that share can be trusted.

    Of the attempts old enough to be judged, four shares and a split:

    ``confirmed``
        delivered / known. A receipt says it arrived.
    ``accepted``
        (delivered + accepted) / known. Counts what the network took without ever sending a receipt; the provider's
        own advice for countries without receipts, the United States and Canada among them.
    ``coverage``
        (delivered + undelivered) / (delivered + undelivered + accepted). Of what the network took, the share that got
        a receipt at all: where it is low, ``confirmed`` says little.
    ``not_handed_over``
        failed / known. Never reached the network.
    ``not_handed_over_policy``, ``not_handed_over_account``
        The parts of ``not_handed_over`` with code 451 or 452 (a fraud rule), and with 450 or 900 (a country not
        enabled, no credit): to be mended in the settings, not by the carrier.

    *Known* are the outcomes delivered, undelivered, failed, accepted and silent.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine; filter it as you like. Rows that are no attempt are ignored.
    by
        Up to two of ``channel``, ``role``, ``country``, ``number_block`` (with `top`); a period of the start in UTC:
        ``day``, ``week``, ``month``, ``quarter``, ``year``, or a span that divides a day (``"15min"``, ``"6h"``); what
        repeats: ``hour`` and ``weekday`` (0 is Monday) in UTC, ``local_hour`` and ``local_weekday`` on the recipient's
        own clock (missing where country and block do not settle it).
    top
        How many channels, roles, countries or blocks to keep apart, the largest first; the rest are ``"others"``.
    totals
        Whether to add the rows of all groups together, marked ``"all"``.
    cluster
        The unit of independence: ``"session"``, or ``"recipient"`` (all sessions of one recipient).

    Returns
    -------
    pandas.DataFrame
        The `by` columns (missing text is ``"not known"``), then `measure`, `count`, `n`, `rate`, `low`, `high`,
        `interval` (``"cluster_wilson"``, or ``"wilson"`` where no design effect could be estimated and it is NaN),
        `design_effect`, `immature`, `unobserved`, `unknown`, `as_of`, `patience_seconds`; `small` (`n` below 30),
        `shrunk`, `shrunk_low`, `shrunk_high` (what the rate plausibly is in the light of the other groups, for ranking
        and small groups: NaN with fewer than three groups, and where none is small), `pooled` (``"others"``, ``"all"``
        or empty).
        In each group known + immature + unobserved + unknown = attempts. `immature` are too young to be judged,
        whatever is known of them already; `unobserved` waited while the collector was not listening; `unknown` had only
        statuses that nobody listed. A rate of nothing is NaN.
        One row per group and measure; without `by`, one group, also when there are no attempts.

    Raises
    ------
    ArgumentError
        For a `by` that is not allowed, something that is no dataframe, or a frame of several `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.attempts``.

    Warns
    -----
    DoubtfulWarning
        Where `as_of` is later than the collector is known to have listened.

    Notes
    -----
    The unit is the attempt. Attempts come in sessions, and whoever does not get the code asks again: sessions with many
    attempts are those that fail, so a sample of attempts tells less than as many sessions would. The interval is
    widened by that design effect. A plain Wilson interval is marked and somewhat too narrow.
    Channels must not be compared bare: most calls follow a message that failed, so they meet the harder phones. Use
    ``by=["channel", "role"]``. Delivered is what the network claims, not what a person read.

    References
    ----------
    `verify_analytics.stats.cluster_wilson` for the interval. The provider's page on delivery reports for ``accepted``.
    """
    asked_by = "metrics.delivery_rate"
    names = checked_by(by, ATTEMPT_BY, grain="attempts", top=top)
    columns = dict.fromkeys([*NEEDED, *columns_of(names), *cluster_columns(checked_cluster(cluster))])
    frame = opened(attempts, list(columns), asked_by=asked_by, made_by="model.attempts").filter(nw.col("is_attempt"))
    counted: list[Tally] = []

    def measured(split: list[str]) -> pd.DataFrame:
        kept = top if split else None
        found = tally(frame, split, _category(), _CATEGORIES, started="started_us", cluster=cluster, top=kept)
        counted.append(found)
        return _finish(found)

    made = split_and_total(measured, names, totals=totals)
    warn_if_stale(counted[0].context, asked_by=asked_by)
    return made


_CATEGORIES = (*CATEGORIES, POLICY, ACCOUNT)


def _category() -> nw.Expr:
    """Put each attempt into a category; of those that failed it is told whose matter that was."""
    code = nw.col("error_code").fill_null("")
    failed = nw.col("mature") & (nw.col("outcome").fill_null("") == "failed")
    of_account = nw.when(failed & code.is_in(ACCOUNT_CODES)).then(nw.lit(ACCOUNT)).otherwise(category())
    return nw.when(failed & code.is_in(POLICY_CODES)).then(nw.lit(POLICY)).otherwise(of_account)


def _finish(found: Tally) -> pd.DataFrame:
    failed = ("failed", POLICY, ACCOUNT)
    known = (*KNOWN, POLICY, ACCOUNT)
    receipts = ("delivered", "undelivered")
    measures = (
        ("confirmed", ("delivered",), known),
        ("accepted", ("delivered", "accepted"), known),
        ("coverage", receipts, (*receipts, "accepted")),
        ("not_handed_over", failed, known),
        ("not_handed_over_policy", (POLICY,), known),
        ("not_handed_over_account", (ACCOUNT,), known),
    )
    parts = [tally_rows(found, name, count, n) for name, count, n in measures]
    return put_together(parts, left_out(found), found.context)
