"""Did every callback arrive that should have? Attempts whose story is whole, and what the others lack."""

import narwhals as nw
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import options_by_name
from verify_analytics.model.frames import any_of, is_true
from verify_analytics.model.frames import opened as plain

from .by import ATTEMPT_BY, By, checked_by, columns_of
from .clusters import checked_cluster, cluster_columns
from .counting import CONTEXT, warn_if_stale
from .engine import opened
from .frames import put_together, split_and_total, tally_rows
from .sequences import SEQUENCE_COLUMNS, previous_never_seen, with_shared_numbers
from .tally import Tally, tally_flags

NEEDED = (
    "is_attempt",
    "mature",
    "outcome",
    "channel",
    "started_us",
    "has_unknown_status",
    *("queued_us", "accepted_us", "failed_us", "undelivered_us", "delivered_us"),
    *SEQUENCE_COLUMNS,
    *CONTEXT,
)
MEASURES = (
    ("whole", "whole", "judged"),
    ("lacks_previous_attempt", "previous", "judged"),
    ("lacks_acceptance", "acceptance", "judged"),
    ("lacks_end", "end", "judged"),
    ("lacks_several", "several", "judged"),
    ("without_queued", "not_queued", "message"),
)


@options_by_name
def completeness(
    attempts: IntoFrame, *, by: By = (), top: int | None = None, totals: bool = False, cluster: str = "session"
) -> pd.DataFrame:
    """Say of which share of the attempts the whole story arrived, and what is missing of the others.

    A story is whole when nothing is missing that the provider would have said, given what it did say:

    ==================================  =================================================  ==========================
    what arrived                        what must have been said, too                      missing, it counts as
    ==================================  =================================================  ==========================
    an attempt numbered 2 or more       something of the attempt with the number before    ``lacks_previous_attempt``
    a message delivered or undelivered  ``sent``                                           ``lacks_acceptance``
    a call completed                    ``in-progress`` or ``answer``                      ``lacks_acceptance``
    a call not answered, or failed      nothing: it need not have been taken up            whole
    a message failed                    nothing: it is refused before the carrier has it   whole
    a message ``sent``                  nothing: many carriers never send a receipt        whole
    a message queued only               ``sent`` or ``failed``                             ``lacks_end``
    a call queued, ringing or answered  how it ended: the provider itself hangs up         ``lacks_end``
    ==================================  =================================================  ==========================

    Every channel but ``voice`` is read as messages. Of all attempts old enough to be judged:

    ``whole``
        whole / judged: completeness.
    ``lacks_previous_attempt``, ``lacks_acceptance``, ``lacks_end``
        The reasons / judged. An attempt has at most one of the last two, and may lack the one before it beside.
    ``lacks_several``
        Those with two reasons / judged. So whole + the three reasons - several = judged, exactly.
    ``without_queued``
        Messages of which no ``queued`` arrived / judged messages. For information, and no reason: the provider shows
        it in an example and promises it nowhere.

    *Judged* are mature attempts that are not unobserved and had no status that nobody listed.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine. A filter that parts the attempts of a session does no harm, but
        for attempts that carry a number which another attempt carries too: whole sessions tell them apart.
    by, top, totals, cluster
        As for `delivery_rate`.

    Returns
    -------
    pandas.DataFrame
        The columns of `delivery_rate`. `unobserved` attempts waited while the collector was down: what they lack is our
        own doing and is shown by `collector_health`. `unknown` had a status that nobody listed, which may be the very
        one that seems to be missing. In each group judged + immature + unobserved + unknown = attempts.
        One row per group and measure; without `by`, one group, also when there are no attempts.

    Raises
    ------
    ArgumentError, SchemaError
        As for `delivery_rate`.

    Warns
    -----
    DoubtfulWarning
        As for `delivery_rate`.

    Notes
    -----
    It is an upper bound: an attempt of which nothing arrived, and that no other one followed, is not seen at all, and
    a receipt that was lost cannot be told from one that was never sent (see ``coverage`` of `delivery_rate`).
    A lost callback and a status that the provider passed over look alike. The provider tries for 7 minutes: with a
    patience below that, some of what is missing is still on its way.

    References
    ----------
    The provider's page on Verify callbacks for the statuses of a channel, its article on message states (sent, then
    delivered or undelivered; failed before the carrier). `verify_analytics.stats.cluster_wilson` for the interval.
    """
    asked_by = "metrics.completeness"
    names = checked_by(by, ATTEMPT_BY, grain="attempts", top=top)
    columns = dict.fromkeys([*NEEDED, *columns_of(names), *cluster_columns(checked_cluster(cluster))])
    opened(attempts, list(columns), asked_by=asked_by, made_by="model.attempts")
    frame = with_shared_numbers(plain(attempts).filter(nw.col("is_attempt")))
    counted: list[Tally] = []

    def measured(split: list[str]) -> pd.DataFrame:
        kept = top if split else None
        found = tally_flags(frame, split, _flags(), started="started_us", cluster=cluster, top=kept)
        counted.append(found)
        beside = {name: found.total([name]) for name in ("immature", "unobserved", "unknown")}
        return put_together(
            [tally_rows(found, name, [count], [n]) for name, count, n in MEASURES], beside, found.context
        )

    made = split_and_total(measured, names, totals=totals)
    warn_if_stale(counted[0].context, asked_by=asked_by)
    return made


def _flags() -> dict[str, nw.Expr]:
    """Say what each attempt is; `judged` and what is left out exclude each other."""
    mature, outcome = nw.col("mature"), nw.col("outcome").fill_null("unknown")
    unobserved = outcome == "unobserved"
    odd = nw.col("has_unknown_status") | (outcome == "unknown")
    judged = mature & ~unobserved & ~odd
    previous, acceptance, end = judged & previous_never_seen(), judged & _lacks_acceptance(), judged & _lacks_end()
    return {
        "immature": ~mature,
        "unobserved": mature & unobserved,
        "unknown": mature & ~unobserved & odd,
        "judged": judged,
        "whole": judged & ~any_of([previous, acceptance, end]),
        "previous": previous,
        "acceptance": acceptance,
        "end": end,
        "several": previous & (acceptance | end),
        "message": judged & ~_is_call(),
        "not_queued": judged & ~_is_call() & nw.col("queued_us").is_null(),
    }


def _is_call() -> nw.Expr:
    return nw.col("channel").fill_null("") == "voice"


def _lacks_acceptance() -> nw.Expr:
    """Say whether the network must have taken it, and nothing said so."""
    delivered, undelivered = (~nw.col(f"{name}_us").is_null() for name in ("delivered", "undelivered"))
    return nw.col("accepted_us").is_null() & (delivered | (undelivered & ~_is_call()))


def _lacks_end() -> nw.Expr:
    """Say whether it must have come to an end, and nothing said so."""
    unsettled = ~any_of(~nw.col(f"{name}_us").is_null() for name in ("failed", "undelivered", "delivered"))
    return is_true(unsettled & (_is_call() | nw.col("accepted_us").is_null()))
