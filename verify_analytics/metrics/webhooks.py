"""Do the webhooks arrive as they should? Redeliveries and their gaps, and callbacks that are odd in themselves."""

from datetime import datetime
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import options_by_name
from verify_analytics.model import outcomes
from verify_analytics.model.frames import any_of, is_true
from verify_analytics.model.moments import SECOND_US

from .arrivals import arrivals_until, looked_from
from .by import CALLBACK_BY, By, checked_by
from .clusters import checked_cluster
from .counting import Context, moment, warn_if_stale
from .frames import in_long_form, split_and_total, tally_rows
from .gaps import LAST_TRY_MINUTES, gaps_between, pulse_rows
from .periods import MINUTE_US
from .tally import Tally, tally_flags

# The provider tries again 60 s after the first try, 120 s after that one and 240 s after that (its page on callbacks).
RETRY_SECONDS = (60, 120, 240)
# The same, where one try or two in between did not arrive.
SKIPPED_SECONDS = (180, 360, 420)
# A gap may be off by the provider's time-out (8 s, if its wait starts when a try is given up) and by how much longer
# one try was on its way than the other. Well below 30 s, at which neighbouring waits could not be told apart.
TOLERANCE_SECONDS = 15

MEASURES = (
    ("redelivered", "again", "arrival"),
    ("after_60s", "after_60s", "again"),
    ("after_120s", "after_120s", "again"),
    ("after_240s", "after_240s", "again"),
    ("after_skipped_try", "after_skipped_try", "again"),
    ("after_other_gap", "after_other_gap", "again"),
    ("soon_after_outage", "soon_after_outage", "covered"),
    ("unproved", "unproved", "arrival"),
    ("unknown_status", "unknown_status", "content"),
    ("without_attempt", "without_attempt", "content"),
)


@options_by_name
def webhook_health(
    callbacks: IntoFrame,
    *,
    as_of: str | datetime,
    pulse: IntoFrame | None = None,
    by: By = (),
    top: int | None = None,
    totals: bool = False,
    cluster: str = "session",
) -> pd.DataFrame:
    """Say how many callbacks came more than once, after which wait, and how many were odd in themselves.

    Of all arrivals up to `as_of`:

    ``redelivered``
        Arrivals whose content had arrived before / arrivals. `count` is distinct arrivals less distinct contents of
        each attempt.
    ``after_60s``, ``after_120s``, ``after_240s``
        Redeliveries that came so long after the arrival before of the same content, within 15 s / redeliveries: the
        provider's first, second and third retry.
    ``after_skipped_try``
        The same after 180, 360 or 420 s: a retry, while one or two before it did not arrive.
    ``after_other_gap``
        The same after any other gap, seconds or days: not the provider's documented retries. With the four before it
        adds up to all redeliveries.
    ``soon_after_outage``
        Arrivals in the 7 minutes after a gap of the collector, which is how long retries of what met the gap may take
        / arrivals while it is known whether there was a gap.
    ``unproved``
        Arrivals taken in without a verified signature / arrivals.
    ``unknown_status``
        Contents with a status that nobody has listed for the channel / contents: redeliveries count once.
    ``without_attempt``
        Contents that name no attempt (some tell a session's end) / contents.

    Parameters
    ----------
    callbacks
        As ``load.callbacks`` gives them, of any engine. A filter by anything that a redelivery repeats is safe; one by
        time cuts a redelivery off from what it repeats.
    as_of
        The moment we look from, with its time zone. What was received later does not exist yet.
    pulse
        As ``load.pulse`` gives it, or None where the store has none: ``soon_after_outage`` is then not observable.
    by
        Up to two of ``channel``, ``country``, ``number_block`` (with `top`) and the times of `delivery_rate`, here of
        the arrival: a redelivery counts when it came.
    top, totals, cluster
        As for `delivery_rate`.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, then `measure`, `count`, `n`, `rate`, `low`, `high`, `interval` (``"cluster_wilson"``,
        ``"wilson"``, or ``"not_observable"`` where there is no pulse for any of the group), `design_effect`,
        `coverage_unknown` (arrivals before the first or after the last known minute of the pulse, and all where there
        is none), `as_of`, `small`, `shrunk`, `shrunk_low`, `shrunk_high`, `pooled`. A rate of nothing is NaN.
        One row per group and measure; without `by`, one group, also when nothing arrived.

    Raises
    ------
    ArgumentError
        For an `as_of` without zone, a `by` that is not allowed, or something that is no dataframe.
    SchemaError
        For a frame that lacks a column of ``load.callbacks`` or ``load.pulse``.

    Warns
    -----
    DoubtfulWarning
        Where `as_of` is later than the collector is known to have listened.

    Notes
    -----
    What does not arrive is not seen here: a callback of which all tries were lost is in no figure (see `completeness`),
    and a late one of which only a retry arrived looks like a first arrival. A provider that says the same thing twice
    on purpose cannot be told from one that tries again. One outage brings many redeliveries at once, over all sessions:
    intervals know that arrivals of one session are alike, and nothing of that. Retries are documented; their jitter is
    not: in the simulator, which holds callbacks up for as long as 15 s, no retry is more than 12 s off its time.

    References
    ----------
    The provider's page on Verify callbacks for the retries; its article on messaging for the time-out of 8 seconds.
    `verify_analytics.stats.cluster_wilson` for the interval.
    """
    asked_by = "metrics.webhook_health"
    names = checked_by(by, CALLBACK_BY, grain="callbacks", top=top)
    checked_cluster(cluster)
    as_of_us = looked_from(as_of)
    listened = _listened(pulse, as_of_us)
    frame = arrivals_until(callbacks, as_of_us=as_of_us).with_columns(_state=outcomes.state())
    flags = {**_of_redeliveries(), **_of_contents(), **_of_outages(listened)}

    def measured(split: list[str]) -> pd.DataFrame:
        kept = top if split else None
        found = tally_flags(frame, split, flags, started="received_us", cluster=cluster, context=(), top=kept)
        return _finish(found, as_of_us, known=listened.until_us is not None)

    made = split_and_total(measured, names, totals=totals)
    context = Context(moment(as_of_us), np.nan, np.nan, moment(listened.until_us))
    warn_if_stale(context, asked_by=asked_by)
    return made


class _Listened(NamedTuple):
    """Between which moments coverage is known, and the minutes that follow an outage; None where nothing is known."""

    from_us: int | None
    until_us: int | None
    soon_after: list[int]


def _listened(pulse: IntoFrame | None, as_of_us: int) -> _Listened:
    minutes = pulse_rows(pulse, ["minute_us"], as_of_us=as_of_us)["minute_us"].to_numpy(dtype=np.int64)
    if not len(minutes):
        return _Listened(None, None, [])
    # Gaps end where a minute begins, so what follows one is whole minutes too.
    ends = [gap.to_us // MINUTE_US for gap in gaps_between(minutes)]
    soon = sorted({end + later for end in ends for later in range(LAST_TRY_MINUTES)})
    return _Listened(int(minutes.min()), int(minutes.max()) + MINUTE_US, soon)


def _of_redeliveries() -> dict[str, nw.Expr]:
    """Tell redeliveries by the time since the arrival before."""
    again = ~nw.col("_before_us").is_null()
    retried = {f"after_{seconds}s": _waited((seconds,)) for seconds in RETRY_SECONDS}
    skipped = _waited(SKIPPED_SECONDS)
    return {
        "arrival": ~nw.col("received_us").is_null(),
        "again": again,
        **retried,
        "after_skipped_try": skipped,
        "after_other_gap": again & ~any_of([*retried.values(), skipped]),
    }


def _waited(choices: tuple[int, ...]) -> nw.Expr:
    """Say whether an arrival came one of these numbers of seconds after the one before, as near as tolerated."""
    gap = nw.col("received_us") - nw.col("_before_us")
    near = TOLERANCE_SECONDS * SECOND_US
    return any_of(is_true((gap >= each * SECOND_US - near) & (gap <= each * SECOND_US + near)) for each in choices)


def _of_contents() -> dict[str, nw.Expr]:
    first = nw.col("_before_us").is_null()
    return {
        "content": first,
        "unproved": nw.col("proof").fill_null("none") == "none",
        "unknown_status": first & outcomes.is_unlisted(of="_state"),
        "without_attempt": first & nw.col("attempt_id").is_null(),
    }


def _of_outages(listened: _Listened) -> dict[str, nw.Expr]:
    received = nw.col("received_us")
    if listened.from_us is None or listened.until_us is None:
        never = received.is_null()
        return {"covered": never, "soon_after_outage": never}
    covered = is_true((received >= listened.from_us) & (received < listened.until_us))
    soon = is_true((received // MINUTE_US).is_in(listened.soon_after)) if listened.soon_after else received.is_null()
    return {"covered": covered, "soon_after_outage": covered & soon}


def _finish(found: Tally, as_of_us: int, *, known: bool) -> pd.DataFrame:
    arrived, covered = found.total(["arrival"]), found.total(["covered"])
    parts = [tally_rows(found, name, [count], [n]) for name, count, n in MEASURES]
    made = in_long_form([part.assign(coverage_unknown=arrived - covered) for part in parts])
    nothing_known = (made["n"] == 0) & ((made["coverage_unknown"] > 0) | (not known))
    blind = (made["measure"] == "soon_after_outage") & nothing_known
    return made.assign(
        interval=made["interval"].where(~blind, "not_observable").astype("str"),
        as_of=pd.Series([moment(as_of_us)] * len(made), index=made.index, dtype="datetime64[us, UTC]"),
    )
