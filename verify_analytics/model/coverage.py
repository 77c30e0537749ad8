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


def covered_minutes(frame: Frame, pulse: IntoFrame | None, *, as_of_us: int) -> Frame | None:
    """Say of each covered minute when the run of covered minutes ends that it lies in.

    Parameters
    ----------
    frame
        Any of the same engine.
    pulse
        As `load.pulse` gives it, or None where the store has none.
    as_of_us
        Minutes that end later do not exist yet: their row is written when they are over.

    Returns
    -------
    Frame or None
        ``_minute`` and ``_run_end``, the last minute of its run. One row per covered minute.
    """
    if pulse is None:
        return None
    known = beside(frame, pulse, what="pulse")
    require(_NEEDED, names(known), what="pulse", advice="Bring it in with load.pulse(...)")
    return (
        known.filter(nw.col("minute_us") <= as_of_us - MINUTE_US)
        .with_columns(_minute=nw.col("minute_us") // MINUTE_US)
        .group_by("_minute")
        .agg(nw.len().alias("_collectors"))
        .with_columns(nw.lit(1).alias(ONE))
        # In an unbroken run the minute and its rank grow alike, so their difference names the run.
        # A running sum of ones: pandas counts a column that is itself the order as the rows happen to lie.
        .with_columns(_rank=nw.col(ONE).cum_sum().over(ONE, order_by="_minute").cast(nw.Int64))
        .with_columns(_run=nw.col("_minute") - nw.col("_rank"))
        .with_columns(_run_end=nw.col("_minute").max().over("_run"))
        .select("_minute", "_run_end")
    )


def with_coverage(frame: Frame, covered: Frame | None) -> Frame:
    """Add how far coverage is known, and up to when it lasted without a break from each start.

    Parameters
    ----------
    frame
        With ``started_us``.
    covered
        What `covered_minutes` gave.

    Returns
    -------
    Frame
        With ``coverage_known``; ``covered_until_us``, the end of the last covered minute; ``observed_until_us``, the
        end of the run of covered minutes that holds the start, or the start itself where its minute is not covered.
        The later the start, the later this is, or the same.
    """
    if covered is None:
        return frame.with_columns(
            coverage_known=nw.lit(False),
            covered_until_us=no_number("started_us"),
            observed_until_us=no_number("started_us"),
        )
    bounds = extremes(covered, "_minute", "_first_minute", "_last_minute")
    minute, first = nw.col("started_us") // MINUTE_US, nw.col("_first_minute")
    # What lies before the first known minute is taken as covered.
    begun = nw.when(is_true(minute < first)).then(first).otherwise(minute)
    bounded = on_every_row(frame, bounds).with_columns(_minute=begun)
    return bounded.join(covered, on="_minute", how="left").with_columns(
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
