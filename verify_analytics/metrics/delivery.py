"""Do the messages and calls arrive? Delivery by channel, role, country and time."""

import narwhals as nw
import pandas as pd
from narwhals.typing import IntoFrame

from .by import ATTEMPT_BY, By, checked_by
from .counting import CONTEXT, Counts, count_rows, opened, warn_if_stale
from .frames import put_together, rate_rows
from .outcomes import KNOWN, left_out

# Refused before anything was sent, because of a rule or because of the account, and not because of the network.
POLICY_CODES = ("451", "452")  # fraud threshold breached, potential SMS pumping
ACCOUNT_CODES = ("450", "900")  # destination country not enabled, insufficient credit

NEEDED = ("is_attempt", "mature", "outcome", "error_code", "started_us", *CONTEXT)


def delivery_rate(attempts: IntoFrame, *, by: By = ()) -> pd.DataFrame:
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
        Up to two of ``channel``, ``role``, ``country``, ``day``, ``hour`` (day and hour in UTC, of the start).

    Returns
    -------
    pandas.DataFrame
        The `by` columns (missing text is ``"not known"``), then `measure`, `count`, `n`, `rate`, `low`, `high`,
        `interval` (``"wilson"``), `design_effect` (NaN: see Notes), `immature`, `unobserved`, `unknown`, `as_of`,
        `patience_seconds`. In each group known + immature + unobserved + unknown = attempts. `immature` are too young
        to be judged, whatever is known of them already; `unobserved` waited while the collector was not listening;
        `unknown` had only statuses that nobody listed. A rate of nothing is NaN.
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
    The unit is the attempt. Several attempts of one session are alike, which a plain Wilson interval does not know: it
    is marked by a missing `design_effect` and is somewhat too narrow.
    Channels must not be compared bare: most calls follow a message that failed, so they meet the harder phones. Use
    ``by=["channel", "role"]``. Delivered is what the network claims, not what a person read.

    References
    ----------
    `verify_analytics.stats.wilson` for the interval. The provider's page on delivery reports for ``accepted``.
    """
    asked_by = "metrics.delivery_rate"
    names = checked_by(by, ATTEMPT_BY, grain="attempts")
    columns = dict.fromkeys([*NEEDED, *(name for name in names if name not in ("day", "hour"))])
    frame = opened(attempts, list(columns), asked_by=asked_by, made_by="model.attempts").filter(nw.col("is_attempt"))
    counts = count_rows(
        frame,
        names,
        ["mature", "outcome", "_reason"],
        started="started_us",
        made={"_reason": _reason()},
    )
    warn_if_stale(counts.context, asked_by=asked_by)
    return _finish(counts)


def _reason() -> nw.Expr:
    """Name whose matter an error code is: few names, so that counts stay few."""
    policy, account = nw.col("error_code").is_in(POLICY_CODES), nw.col("error_code").is_in(ACCOUNT_CODES)
    of_account = nw.when(account).then(nw.lit("account")).otherwise(nw.lit("other"))
    return nw.when(policy).then(nw.lit("policy")).otherwise(of_account)


def _finish(counts: Counts) -> pd.DataFrame:
    mature = counts.table["mature"].astype(bool)
    outcome, reason = counts.table["outcome"], counts.table["_reason"]
    found = {name: counts.total(mature & (outcome == name)) for name in KNOWN}
    known = counts.total(mature & outcome.isin(KNOWN))
    receipts = found["delivered"] + found["undelivered"]
    failed = mature & (outcome == "failed")
    measures = (
        ("confirmed", found["delivered"], known),
        ("accepted", found["delivered"] + found["accepted"], known),
        ("coverage", receipts, receipts + found["accepted"]),
        ("not_handed_over", found["failed"], known),
        ("not_handed_over_policy", counts.total(failed & (reason == "policy")), known),
        ("not_handed_over_account", counts.total(failed & (reason == "account")), known),
    )
    parts = [rate_rows(counts.groups, name, count, n) for name, count, n in measures]
    return put_together(parts, left_out(counts), counts.context)
