"""Is one slice or period different from another? Two metrics' figures side by side, with a plain verdict."""

import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from verify_analytics import stats
from verify_analytics.errors import ArgumentError, DoubtfulWarning, near_name, options_by_name
from verify_analytics.model.moments import SECOND_US, duration_us

from .pairs import DESCRIBES, checked_frame, paired, pools_differ, side_of, slices
from .verdicts import NUMBER, SECONDS, SHARE, difference, surprise, told, verdicts

ADJUST = {"holm": stats.holm, "benjamini_hochberg": stats.benjamini_hochberg}
FIGURES = (
    *("first", "second", "unit", "value_first", "value_second", "count_first", "n_first", "count_second", "n_second"),
    *("difference", "low", "high", "interval", "p", "p_adjusted", "adjust", "verdict", "sentence", "only_in"),
    *("as_of_first", "as_of_second", "patience_seconds"),
)


@options_by_name
def compare(
    frame: pd.DataFrame,
    other: pd.DataFrame | None = None,
    *,
    names: tuple[str, str] = ("first", "second"),
    between: str | None = None,
    first: Any = None,
    second: Any = None,
    relevant: float = 0.1,
    relevant_time: str | timedelta = "10s",
    adjust: str | None = None,
) -> pd.DataFrame:
    """Say whether two groups or periods differ, by how much, and whether there are enough data to tell.

    Parameters
    ----------
    frame
        What a metric gave, with one row per group and measure.
    other
        The same metric of other sessions (another period, another filter); `frame` minus `other` is told.
    names
        What to call the two frames, such as ``("before", "after")``.
    between
        Instead of a second frame: a column of `frame` by which it is split, of which two values are compared, within
        each group of the other column.
    first, second
        The two values of `between`; a period is named by its beginning.
    relevant
        The smallest difference that would matter, of shares (0.1 is 10 points, and 1 or more is refused) and of means.
    relevant_time
        The same for times.
    adjust
        How to account for many questions asked at once: ``"holm"``, so that even one false alarm is rare, or
        ``"benjamini_hochberg"``, so that few of those called different are false alarms. Every row with a `p` counts
        as asked: filter the frames first, to the measures you came for.

    Returns
    -------
    pandas.DataFrame
        The columns that tell rows apart (but `between`), `measure`, `first` and `second` (what is compared), `unit`
        (``"share"``, ``"seconds"``, ``"number"``), `value_first`, `value_second`, `count_first`, `n_first`,
        `count_second`, `n_second` (missing where a figure is no count), `difference` (first minus second), `low`,
        `high`, `interval` (``"newcombe"``; ``"cluster_newcombe"`` with effective counts; ``"mover"`` from other
        intervals; ``"none"``), `p`, `p_adjusted` (equal to `p` without `adjust`), `adjust` (what the verdict was
        adjusted by, or empty), `verdict`, `sentence`, `only_in` (the side which alone has this row, or empty),
        `as_of_first`, `as_of_second`, `patience_seconds`. The verdicts, of the first against the second:

        ``higher``, ``lower``
            The interval leaves 0 out; with `adjust`, `p_adjusted` is below 0.05.
        ``no evidence of a difference``
            Not so, and the interval lies within plus and minus `relevant`: a difference that matters is excluded.
        ``too little data``
            Not so, and the interval reaches beyond `relevant`, so both no difference and one that matters are
            plausible; or one side has no cases, no interval or no such row.

        One row per group and measure that either side has.

    Raises
    ------
    ArgumentError
        For frames split by different columns or with no row in common, for a frame that holds a row twice, for
        frames measured with different patience, window or horizon, and for a `between`, value, `relevant`,
        `relevant_time`, `names` or `adjust` that cannot be.
    SchemaError
        For a frame without the columns of a metric.

    Warns
    -----
    DoubtfulWarning
        Where rows are in one side only, where ``"others"`` pools other groups in one frame than in the other, and where
        channels are compared without their `role`.

    Notes
    -----
    The interval is Newcombe's hybrid: ``difference - √((v₁ - l₁)² + (h₂ - v₂)²)`` to
    ``difference + √((h₁ - v₁)² + (v₂ - l₂)²)`` from either side's own interval (MOVER). So it takes over what those
    know of sessions that are alike, and serves shares of a curve, quantiles and means. An open bound is NaN. `p` is
    the score test of two proportions, on counts divided by the design effect; of other figures, and of a share of a
    curve in which some were still waiting (so that it is no count of n), it is read off the interval. Test and interval
    may disagree by a hair at the edge.

    To be called "no evidence", an interval must be no wider than ``2 relevant``. A study large enough to find a true
    difference of `relevant` four times in five (`verify_analytics.stats.sample_size_two_proportions`) has one of about
    ``1.4 relevant``. With fewer data a difference may well be there and be missed, and that is said.

    With `adjust` the verdict accounts for all questions, and the interval shown is still that of each by itself.
    Paired data are not for it: the same sessions in both sides, before and after, or two measures of one group. That
    cannot be seen in the figures. Two roles, or two channels, of attempts are such a case: a first message and its
    fallback call belong to one session, and the call is there because the message failed. Compare channels within the
    role ``first_choice``, where each session has one attempt. Nor is it known why groups differ: see whether they do
    within countries.
    A share of codes that one side never had is 0 of that side's cases. Curves are not compared: compare the shares
    within so many seconds.

    References
    ----------
    Newcombe RG (1998), Interval estimation for the difference between independent proportions, Stat Med 17:873-890,
    method 10. Zou GY, Donner A (2008), Construction of confidence limits about effect measures: a general approach,
    Stat Med 27:1693-1702, for MOVER.

    Examples
    --------
    >>> made = pd.DataFrame(
    ...     {"country": ["DE", "FR"], "measure": "confirmed", "count": [56, 48], "n": [70, 80], "rate": [0.8, 0.6]}
    ... ).assign(interval="wilson")
    >>> made["low"], made["high"] = stats.wilson(made["count"], made["n"])
    >>> found = compare(made, between="country", first="DE", second="FR").iloc[0]
    >>> print(f"{found['verdict']}, by {found['low']:.4f} to {found['high']:.4f}")
    higher, by 0.0524 to 0.3339
    >>> print(found["sentence"].partition(";")[0])
    confirmed: 80.0 % in DE, 60.0 % in FR: higher by 20.0 points
    """
    relevant_seconds = _checked(relevant, relevant_time, adjust)
    if (other is None) == (between is None):
        raise ArgumentError("compare takes two frames, or one frame and between= with first= and second=")
    if other is None:
        sides, called = slices(checked_frame(frame), str(between), first, second), (str(first), str(second))
    elif first is not None or second is not None:
        raise ArgumentError("first= and second= are values of between=; what two frames are called is names=")
    else:
        sides, called = (checked_frame(frame), checked_frame(other)), _names(names)
    rows = paired(*sides, called)
    if relevant >= 1 and (rows["unit"] == SHARE).any():
        raise ArgumentError(f"relevant={relevant!r} is no difference of shares that could matter: 0.1 is 10 points")
    only = rows["only_in"] != ""
    if only.any():
        said = ", ".join(f"{(rows['only_in'] == name).sum()} in {name!r}" for name in called)
        _doubt(f"{only.sum()} of {len(rows)} rows are in one side only ({said}); they cannot be compared")
    if between == "channel" and "role" not in frame.columns and (rows["measure"] == "confirmed").any():
        _doubt(
            "channels are compared whatever the role of their attempts: most calls follow a message that failed, and "
            'meet the harder phones. Split by=["channel", "role"], or filter attempts to one role before'
        )
    if pools_differ(*sides):
        _doubt("top= kept other groups in one frame than in the other, so their 'others' are not alike")
    return _judged(rows, called, adjust, {SHARE: relevant, NUMBER: relevant, SECONDS: relevant_seconds})


def _doubt(said: str) -> None:
    warnings.warn(f"metrics.compare: {said}", DoubtfulWarning, stacklevel=4)


def _checked(relevant: float, relevant_time: str | timedelta, adjust: str | None) -> float:
    if isinstance(relevant, bool) or not isinstance(relevant, int | float) or not 0 < relevant < float("inf"):
        raise ArgumentError(f"relevant={relevant!r} is no difference that could matter: 0.1 is 10 points")
    if adjust is not None and adjust not in ADJUST:
        raise ArgumentError(
            f"adjust={adjust!r} is no way to account for many questions: {near_name(str(adjust), ADJUST)}"
        )
    return duration_us(relevant_time, name="relevant_time") / SECOND_US


def _names(names: tuple[str, str]) -> tuple[str, str]:
    if isinstance(names, str) or len(names) != 2 or str(names[0]) == str(names[1]):
        raise ArgumentError(f"names={names!r} must be two different names, such as ('before', 'after')")
    return str(names[0]), str(names[1])


def _judged(
    rows: pd.DataFrame, called: tuple[str, str], adjust: str | None, relevant: Mapping[str, float]
) -> pd.DataFrame:
    """Add what can be said of each pair."""
    one, two = side_of(rows, "first"), side_of(rows, "second")
    apart, low, high = difference(one, two)
    p = surprise(one, two, apart, low, high)
    adjusted = ADJUST[adjust](p) if adjust and len(p) else p
    matters = rows["unit"].map(relevant).to_numpy(dtype=float)
    text = {"first": called[0], "second": called[1], "adjust": adjust or ""}
    made = rows.assign(
        **{name: pd.Series(value, index=rows.index, dtype="str") for name, value in text.items()},
        difference=apart,
        low=low,
        high=high,
        p=p,
        p_adjusted=adjusted,
        verdict=pd.Series(
            verdicts(apart, low, high, adjusted, matters, by_p=adjust is not None), index=rows.index, dtype="str"
        ),
    )
    # What all rows have in common needs not be said of each.
    groups = [name for name in rows.columns[: rows.columns.get_loc("unit")] if name not in ("measure", "pooled")]
    vary = [name for name in groups if name not in DESCRIBES and rows[name].nunique(dropna=False) > 1]
    sentences = [told(row, float(limit), vary) for row, limit in zip(made.to_dict("records"), matters, strict=True)]
    made["sentence"] = pd.Series(sentences, index=made.index, dtype="str")
    return made[[*(name for name in rows.columns[: rows.columns.get_loc("unit")]), *FIGURES]]
