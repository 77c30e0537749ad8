"""Was anybody listening? Which minutes the collector was up, and whether an attempt's waiting lay wholly in them.

A minute is covered if any collector wrote a pulse for it. Minutes that follow each other without a break form a run;
waiting is observed if it ends in the run it began in. What lies before the first or after the last known minute is not
known, and no gap.
"""

import narwhals as nw
from narwhals.typing import IntoFrame

from verify_analytics.model.columns import require
from verify_analytics.model.frames import ONE, Frame, beside, extremes, is_true, names, no_number, on_every_row
from verify_analytics.model.moments import MINUTE_US

_NEEDED = ["minute_us"]


def with_coverage(attempts: Frame, pulse: IntoFrame | None, *, as_of_us: int) -> Frame:
    """Add how far coverage is known, and up to when it lasted without a break from each start.

    Parameters
    ----------
    attempts
        With ``started_us``.
    pulse
        As `load.pulse` gives it, or None where the store has none.
    as_of_us
        Minutes that end later do not exist yet: their row is written when they are over.

    Returns
    -------
    Frame
        With ``coverage_known``; ``covered_until_us``, the end of the last covered minute; ``observed_until_us``, the
        end of the run of covered minutes that holds the start, or the start itself where its minute is not covered.
    """
    if pulse is None:
        return attempts.with_columns(
            coverage_known=nw.lit(False),
            covered_until_us=no_number("started_us"),
            observed_until_us=no_number("started_us"),
        )
    frame = beside(attempts, pulse, what="pulse")
    require(_NEEDED, names(frame), what="pulse", advice="Bring it in with load.pulse(...)")
    minutes = (
        frame.filter(nw.col("minute_us") <= as_of_us - MINUTE_US)
        .with_columns(_minute=nw.col("minute_us") // MINUTE_US)
        .group_by("_minute")
        .agg(nw.len().alias("_collectors"))
        .with_columns(nw.lit(1).alias(ONE))
        # In an unbroken run the minute and its rank grow alike, so their difference names the run.
        # A running sum of ones: pandas counts a column that is itself the order as the rows happen to lie.
        .with_columns(_rank=nw.col(ONE).cum_sum().over(ONE, order_by="_minute").cast(nw.Int64))
        .with_columns(_run=nw.col("_minute") - nw.col("_rank"))
        .with_columns(_run_end=nw.col("_minute").max().over("_run"))
    )
    bounds = extremes(minutes, "_minute", "_first_minute", "_last_minute")
    minute, first = nw.col("started_us") // MINUTE_US, nw.col("_first_minute")
    # What lies before the first known minute is taken as covered.
    begun = nw.when(is_true(minute < first)).then(first).otherwise(minute)
    bounded = on_every_row(attempts, bounds).with_columns(_minute=begun)
    runs = minutes.select("_minute", "_run_end")
    return bounded.join(runs, on="_minute", how="left").with_columns(
        coverage_known=~nw.col("_last_minute").is_null(),
        covered_until_us=(nw.col("_last_minute") + 1) * MINUTE_US,
        observed_until_us=nw.when(nw.col("_run_end").is_null() & ~nw.col("_last_minute").is_null())
        .then(nw.col("started_us"))
        .otherwise((nw.col("_run_end") + 1) * MINUTE_US),
    )


def unobserved(last_us: nw.Expr) -> nw.Expr:
    """Say whether waiting from the start to this moment, judged by time alone, met a minute without pulse.

    Parameters
    ----------
    last_us
        The last moment of waiting; the whole minute it lies in must be covered.

    Returns
    -------
    nw.Expr
        Over the columns that `with_coverage` gave. False where coverage is not known.
    """
    end = (last_us // MINUTE_US + 1) * MINUTE_US
    beyond = is_true(end > nw.col("covered_until_us"))
    return is_true(
        nw.when(beyond)
        .then(nw.col("observed_until_us") < nw.col("covered_until_us"))
        .otherwise(nw.col("observed_until_us") < end)
    )
