"""What followed what in an attempt? Its callbacks in the order in which they arrived, from state to state."""

from datetime import datetime

import narwhals as nw
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import options_by_name
from verify_analytics.model import outcomes
from verify_analytics.model.frames import either

from .arrivals import arrivals_until, looked_from
from .clusters import checked_cluster
from .counting import moment
from .frames import rate_rows
from .tally import Tally, tally_flags

START, UNLISTED = "(start)", "(unlisted)"
STATES = (*outcomes.STATES, UNLISTED)
# What may follow a state: anything stronger that is not another end, and the same said again (a callback on the end of
# a session repeats the state of its last attempt).
MAY_FOLLOW = {
    "queued": ("queued", "ringing", "accepted", "failed", "undelivered", "delivered"),
    "ringing": ("ringing", "accepted", "failed", "undelivered", "delivered"),
    "accepted": ("accepted", "failed", "undelivered", "delivered"),
    "failed": ("failed",),
    "undelivered": ("undelivered",),
    "delivered": ("delivered",),
}
# A message fails before the carrier has it.
NOT_OF_SMS = (("accepted", "failed"),)


def lawful(channel: str, before: str, after: str) -> str:
    """Say whether one state may follow another: ``yes``, ``no``, or ``not known`` where nobody listed a status.

    Examples
    --------
    >>> lawful("sms", "accepted", "delivered"), lawful("sms", "delivered", "undelivered")
    ('yes', 'no')
    >>> lawful("sms", "accepted", "failed"), lawful("voice", "accepted", "failed")
    ('no', 'yes')
    >>> lawful("sms", "(start)", "delivered"), lawful("sms", "(unlisted)", "queued")
    ('yes', 'not known')
    """
    if UNLISTED in (before, after):
        return "not known"
    if before == START:
        return "yes"
    return "yes" if after in MAY_FOLLOW[before] and not (channel == "sms" and (before, after) in NOT_OF_SMS) else "no"


@options_by_name
def transitions(callbacks: IntoFrame, *, as_of: str | datetime, cluster: str = "session") -> pd.DataFrame:
    """Say what followed each state of an attempt, how often, and whether it may.

    Of the callbacks that name an attempt and a status, each content once (redeliveries are dropped), in the order in
    which they arrived: from each state of the attempt to its next, and from ``"(start)"`` to its first.

    Lawful is any step to a state that is not weaker, but for those between two ends (failed, undelivered, delivered):

    =================  ===========================================================================
    from               what may follow
    =================  ===========================================================================
    (start)            anything: what came before it was lost or is late
    queued             queued, ringing, accepted, failed, undelivered, delivered
    ringing            ringing, accepted, failed, undelivered, delivered
    accepted           accepted, undelivered, delivered; failed, but for ``sms``
    failed             failed
    undelivered        undelivered
    delivered          delivered
    =================  ===========================================================================

    A state may follow itself: the provider repeats the last one when it tells a session's end. A status that nobody
    listed for the channel is ``"(unlisted)"``, and what stands before and after it is ``not known``.

    Parameters
    ----------
    callbacks
        As ``load.callbacks`` gives them, of any engine.
    as_of
        The moment we look from, with its time zone. What was received later does not exist yet.
    cluster
        As for `delivery_rate`.

    Returns
    -------
    pandas.DataFrame
        `channel`, `from_state`, `to_state`, `lawful` (``yes``, ``no``, ``not known``), `measure` (``next_state``),
        `count`, `n` (all steps of the channel that start there), `rate` (count / n), `low`, `high`, `interval`,
        `design_effect`, `without_attempt` (contents that name no attempt, of the channel) and `without_status`
        (contents that name an attempt and no status, of the channel), `as_of`.
        One row per channel and step that was seen.

    Raises
    ------
    ArgumentError
        For an `as_of` without zone, another `cluster`, or something that is no dataframe.
    SchemaError
        For a frame that lacks a column of ``load.callbacks``.

    Notes
    -----
    Order is by arrival, for Verify callbacks carry no number of their own: a step that may not be is either the
    provider's or the road's. What was held up or tried again arrives late; compare with ``redelivered`` of
    `webhook_health`. Not every attempt has come to its end: a share is of the steps seen, and no chance of what will
    follow.

    References
    ----------
    ``model.outcomes`` for the states; the provider's article on message states for what may follow.
    `verify_analytics.stats.cluster_wilson` for the interval.
    """
    checked_cluster(cluster)
    as_of_us = looked_from(as_of)
    contents = arrivals_until(callbacks, as_of_us=as_of_us).filter(nw.col("_before_us").is_null())
    told = contents.with_columns(_listed=outcomes.state()).with_columns(
        _unlisted=nw.when(outcomes.is_unlisted(of="_listed")).then(nw.lit(UNLISTED))
    )
    told = told.with_columns(to_state=either("_listed", "_unlisted"))
    has_attempt, has_status = ~nw.col("attempt_id").is_null(), ~nw.col("to_state").is_null()
    steps = told.filter(has_attempt & has_status)
    before = nw.col("to_state").shift(1).over("session_id", "attempt_id", order_by=["received_us", "arrival_id"])
    steps = steps.with_columns(_state_before=before).with_columns(from_state=nw.col("_state_before").fill_null(START))
    flags = {"step": has_attempt, **{f"to_{state}": nw.col("to_state") == state for state in STATES}}
    split = ["channel", "from_state"]
    found = tally_flags(steps, split, flags, started="received_us", cluster=cluster, context=())
    beside = {"without_attempt": ~has_attempt, "without_status": has_attempt & ~has_status}
    without = tally_flags(told, ["channel"], beside, started="received_us", cluster=cluster, context=())
    return _finish(found, without, as_of_us)


def _finish(found: Tally, without: Tally, as_of_us: int) -> pd.DataFrame:
    n = found.total(["step"])
    parts = []
    for place, state in enumerate(STATES):
        name = f"to_{state}"
        part = rate_rows(found.groups, "next_state", found.total([name]), n, clusters=found.clusters([name], ["step"]))
        parts.append(part.assign(to_state=state, _to=place))
    made = pd.concat(parts)
    made = made[made["count"] > 0]
    order = {state: place for place, state in enumerate((START, *STATES))}
    made = made.assign(_from=made["from_state"].map(order))
    channels = {channel: place for place, channel in enumerate(found.groups["channel"].unique())}
    made = made.assign(_channel=made["channel"].map(channels)).sort_values(["_channel", "_from", "_to"])
    counted = without.groups.assign(
        without_attempt=without.total(["without_attempt"]), without_status=without.total(["without_status"])
    )
    made = made.merge(counted, on="channel", how="left")
    steps = zip(made["channel"], made["from_state"], made["to_state"], strict=True)
    made["lawful"] = pd.Series([lawful(*step) for step in steps], index=made.index, dtype="str")
    made["to_state"] = made["to_state"].astype("str")
    made["as_of"] = pd.Series([moment(as_of_us)] * len(made), index=made.index, dtype="datetime64[us, UTC]")
    first = ["channel", "from_state", "to_state", "lawful", "measure", "count", "n", "rate", "low", "high"]
    return made[[*first, "interval", "design_effect", "without_attempt", "without_status", "as_of"]]
