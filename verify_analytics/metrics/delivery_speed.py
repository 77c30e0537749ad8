"""How long does it take until a message or call arrives? Curves over all attempts, also those that never do."""

import warnings
from datetime import timedelta
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.errors import ArgumentError, DoubtfulWarning, options_by_name
from verify_analytics.model.frames import Frame

from .by import ATTEMPT_BY, By, checked_by, columns_of
from .clusters import checked_cluster, cluster_columns
from .counting import CONTEXT, Counts, Ints, warn_if_stale
from .curves import MEASURED, curve_rows, horizon_ticks, in_long_form, nothing_seen
from .engine import opened
from .frames import divided, split_and_total
from .judged import CLOCK_FAULTS, NOT_OBSERVABLE, SEEN
from .outcomes import IMMATURE, UNKNOWN, UNOBSERVED
from .watching import BESIDE, TICKS_PER_SECOND, Floats, Watched, left_beside, units_by_group, watched, with_ticks

NEEDED = ("is_attempt", "mature", "outcome", "started_us", "delivered_us", "settled_us", *CONTEXT)
RECEIPT, ACCEPTED = "receipt", "accepted"


class Trusted(NamedTuple):
    """How far the receipts of each group can be trusted: coverage, of how many, and whether that is enough."""

    coverage: Floats
    n: Ints
    enough: "np.ndarray[tuple[int], np.dtype[np.bool_]]"


@options_by_name
def time_to_deliver(
    attempts: IntoFrame,
    *,
    by: By = (),
    horizon: str | timedelta = "10min",
    top: int | None = None,
    totals: bool = False,
    floor: float = 0.8,
    cluster: str = "session",
) -> pd.DataFrame:
    """Say what share of all attempts has a delivery receipt after how many seconds, and how long that takes on average.

    The clock runs from the attempt's start to the arrival, here, of the receipt that says delivered. An attempt that
    is undelivered or failed has ended otherwise and stays in the denominator. All others are still waiting, and count
    for as long as they were watched: up to `as_of`.

    Parameters
    ----------
    attempts
        What ``model.attempts`` gives, of any engine; filter it as you like, by what was known when they started. Rows
        that are no attempt are ignored.
    by, top, totals, cluster
        As for `delivery_rate`.
    horizon
        How far the curve is drawn, and over how long the restricted mean is taken; at most a day.
    floor
        The receipt coverage, from 0 to 1, below which a group says ``"not_observable"`` and nothing else. 0 shows all.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, then those of `time_to_verify` from `measure` on (without `source` and `window_seconds`;
        "verified" is delivered here), and after `horizon_seconds`: `coverage`, `coverage_n`, `floor`. `coverage` is
        (delivered + undelivered) / (delivered + undelivered + accepted) of the mature attempts of the group, and
        `coverage_n` its denominator: the rate ``coverage`` of `delivery_rate`, which has its interval.

        ``not_observable`` is the only row of a group whose coverage is below `floor` or not known (NaN: no mature
        attempt that the network took). Its `n` is 0 and its attempts are counted in `not_observable`.

        `n` attempts are in the curve, `censored` of them without an end when last watched; immature ones are in, too.
        Left out, and counted beside: `unobserved` (waited while the collector was not listening), `unknown` (only
        statuses that nobody listed), `clock_faults` (settled before they started: a clock is wrong, nothing is
        clamped), `immature` (started at `as_of` or later). These and `n` add up to all attempts of the group.
        One row per group and measure, and per second of a curve.

    Raises
    ------
    ArgumentError
        For a `by`, `top`, `cluster`, `horizon` or `floor` that cannot be, something that is no dataframe, a frame of
        several `as_of`.
    SchemaError
        For a frame that lacks a column of ``model.attempts``.

    Warns
    -----
    DoubtfulWarning
        Where no group passes the floor, where attempts were settled before they started, and where `as_of` is later
        than the collector is known to have listened.

    Notes
    -----
    Times are those of arrivals. A callback whose first try failed comes 60, 180 or 420 s later, so a step there is the
    collector's trouble and not the carrier's; the clock of the start is the provider's, that of the end ours. Where no
    requested time is known the start is the first arrival, and the time too short (``started_at_source`` tells).
    A mature attempt that the network took and that never got a receipt is not taken out: it stays among those waiting
    up to `as_of`, so the curve ends at the confirmed rate. Where carriers send no receipt it runs too low, by up to
    one minus the coverage; hence the floor. A group is judged as a whole: countries with and without receipts pooled
    may pass together, so split by country first. Taking those without a receipt out instead, or censoring them when
    they were accepted, would take them for the same as the others, and a silent carrier for a fast one.
    Delivered after undelivered counts as delivered, at its own time. For a call the receipt comes when it is over.
    Never compare channels bare: most calls follow a message that failed. Use ``by=["channel", "role"]``. No
    verification is asked about; delivered is what the network claims, not what a person read.

    References
    ----------
    As for `time_to_verify`.
    """
    asked_by = "metrics.time_to_deliver"
    names = checked_by(by, ATTEMPT_BY, grain="attempts", top=top)
    ticks = horizon_ticks(horizon)
    if isinstance(floor, bool) or not isinstance(floor, int | float) or not 0 <= floor <= 1:
        raise ArgumentError(f"floor={floor!r} is no receipt coverage: give a share from 0 to 1, for example 0.8")
    columns = dict.fromkeys([*NEEDED, *columns_of(names), *cluster_columns(checked_cluster(cluster))])
    frame = opened(attempts, list(columns), asked_by=asked_by, made_by="model.attempts").filter(nw.col("is_attempt"))
    classified = with_ticks(_with_ends(frame))
    counted: list[Counts] = []
    seen: list[bool] = []

    def measured(split: list[str]) -> pd.DataFrame:
        kept = top if split else None
        found = watched(
            classified, split, unit="attempt", cluster=cluster, context=CONTEXT, top=kept, also=["_receipt"]
        )
        trusted = _trusted(found.counts, floor)
        counted.append(found.counts)
        seen.append(bool((trusted.enough & (found.counts.total(found.counts.table["_class"] == SEEN) > 0)).any()))
        return _finish(found, trusted, ticks, floor, split)

    made = split_and_total(measured, names, totals=totals)
    warn_if_stale(counted[0].context, asked_by=asked_by)
    if not seen[0]:
        warnings.warn(
            f"{asked_by}: not observable: no group has a receipt coverage of at least floor={floor:g}. Carriers of "
            "some countries send no receipts; by='country' shows the coverage of each",
            DoubtfulWarning,
            stacklevel=3,
        )
    faults = int(counted[0].rows[counted[0].table["_class"] == CLOCK_FAULTS].sum())
    if faults:
        warnings.warn(
            f"{asked_by}: {faults} attempt{'s' * (faults > 1)} settled before the start: a clock is wrong. They are "
            "left out; their settled_us lies before their started_us",
            DoubtfulWarning,
            stacklevel=3,
        )
    return made


def _with_ends(frame: Frame) -> Frame:
    """Say of each attempt whether it can be watched (`_class`), what became of it (`_event`) and when (`_spent`, µs).

    Nested choices, each written as a positive test, as for sessions.
    """
    started, settled, cut = nw.col("started_us"), nw.col("settled_us"), nw.col("as_of_us")
    outcome = nw.col("outcome").fill_null(UNKNOWN)
    otherwise = nw.when(settled.is_null()).then(nw.lit(0)).otherwise(nw.lit(2))
    event = nw.when(nw.col("delivered_us").is_null()).then(otherwise).otherwise(nw.lit(1)).cast(nw.Int64)
    took = nw.when(outcome.is_in(["accepted"])).then(nw.lit(ACCEPTED)).otherwise(nw.lit("none"))
    receipt = nw.when(outcome.is_in(["delivered", "undelivered"])).then(nw.lit(RECEIPT)).otherwise(took)
    frame = frame.with_columns(
        _event=event,
        _receipt=nw.when(nw.col("mature")).then(receipt).otherwise(nw.lit("none")),
        _spent=nw.when(settled.is_null()).then(cut).otherwise(settled) - started,
    )
    # The last one asked is the first one that counts.
    kind = nw.when(nw.col("_spent") < 0).then(nw.lit(CLOCK_FAULTS)).otherwise(nw.lit(SEEN))
    kind = nw.when(started >= cut).then(nw.lit(IMMATURE)).otherwise(kind)
    kind = nw.when(outcome.is_in([UNKNOWN, UNOBSERVED])).then(outcome).otherwise(kind)
    return frame.with_columns(_class=kind)


def _trusted(counts: Counts, floor: float) -> Trusted:
    receipts = counts.total(counts.table["_receipt"] == RECEIPT)
    n = receipts + counts.total(counts.table["_receipt"] == ACCEPTED)
    coverage = divided(receipts, n)
    return Trusted(coverage, n, np.asarray((coverage >= floor) | (floor == 0), dtype=bool))


def _finish(found: Watched, trusted: Trusted, horizon: float, floor: float, split: list[str]) -> pd.DataFrame:
    """Make the rows of each group; of one whose receipts cannot be trusted, that nothing can be seen."""
    parts = [
        curve_rows(units, horizon) if enough else nothing_seen()
        for units, enough in zip(units_by_group(found), trusted.enough, strict=True)
    ]
    beside = left_beside(found.counts)
    all_seen = found.counts.total(found.counts.table["_class"] == SEEN)
    beside[NOT_OBSERVABLE] = np.where(trusted.enough, 0, all_seen)
    beside["censored"] = np.where(trusted.enough, beside["censored"], 0)
    made = in_long_form(parts, found, {**beside, "coverage": trusted.coverage, "coverage_n": trusted.n}, window=False)
    made = made.assign(horizon_seconds=horizon / TICKS_PER_SECOND, floor=float(floor))
    first = [*split, *MEASURED, *BESIDE, "horizon_seconds", "coverage", "coverage_n", "floor"]
    return made[[*first, *(name for name in made.columns if name not in first)]]
