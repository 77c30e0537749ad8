"""What may be said of a difference: its interval from two intervals, how surprising it is, a verdict, a sentence."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from verify_analytics import stats

Floats = NDArray[np.floating[Any]]
Texts = NDArray[np.object_]

HIGHER, LOWER = "higher", "lower"
NO_EVIDENCE, TOO_LITTLE = "no evidence of a difference", "too little data"
VERDICTS = (HIGHER, LOWER, NO_EVIDENCE, TOO_LITTLE)
LEVEL = 0.05  # the frames' intervals are 95 %
_Z = 1.959963984540054
SHARE, SECONDS, NUMBER = "share", "seconds", "number"


class Side(NamedTuple):
    """One side of many comparisons: values with their intervals, and counts where there are any; NaN where not."""

    value: Floats
    low: Floats
    high: Floats
    successes: Floats
    trials: Floats
    effect: Floats


def difference(one: Side, other: Side) -> tuple[Floats, Floats, Floats]:
    """Subtract, and put the two intervals together: Newcombe's where both are Wilson's.

    A bound that does not exist (NaN) leaves that side of the difference open, NaN too.
    """
    apart = one.value - other.value
    low = apart - np.hypot(one.value - one.low, other.high - other.value)
    high = apart + np.hypot(one.high - one.value, other.value - other.low)
    return apart, low, high


def surprise(one: Side, other: Side, apart: Floats, low: Floats, high: Floats) -> Floats:
    """Give p for no difference: the score test on effective counts, else read off the interval.

    Counts are asked only where the value is their share. Off the interval: how many half-widths, of the half that
    points to 0, the difference is away from 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.where(apart > 0, apart - low, high - apart)
        z = np.where(apart == 0, 0.0, np.abs(apart) / half * _Z)
    read_off = np.array([np.nan if np.isnan(each) else _two_tails(each) for each in z])
    counted = _is_of_counts(one) & _is_of_counts(other)
    one_effect, other_effect = (np.where(np.isnan(side.effect), 1.0, side.effect) for side in (one, other))
    tested = stats.two_proportions_p(
        np.where(counted, one.successes / one_effect, 0.0),
        np.where(counted, one.trials / one_effect, 0.0),
        np.where(counted, other.successes / other_effect, 0.0),
        np.where(counted, other.trials / other_effect, 0.0),
    )
    return np.where(counted, tested, read_off)


def _is_of_counts(side: Side) -> NDArray[np.bool_]:
    """Say where the value is the count's share; a share of a curve with some still waiting is more than that."""
    near = np.abs(side.successes - side.value * side.trials) <= 1e-6 * (1 + side.trials)
    # No cases at all: no value, and no surprise either.
    nothing = (side.trials == 0) & ~np.isnan(side.successes)
    return np.asarray(near | nothing, dtype=bool)


def _two_tails(z: float) -> float:
    return math.erfc(z / math.sqrt(2))


def verdicts(apart: Floats, low: Floats, high: Floats, p: Floats, relevant: Floats, *, by_p: bool) -> Texts:
    """Give one of `VERDICTS` for each difference.

    Higher or lower where the interval leaves 0 out (`by_p`: where p is below 5 %). Else no evidence where it lies
    within plus and minus `relevant`, and too little data where it reaches beyond, or does not exist.
    """
    differs = (p < LEVEL) if by_p else (low > 0) | (high < 0)
    settled = (low >= -relevant) & (high <= relevant)
    otherwise = np.where(settled, NO_EVIDENCE, TOO_LITTLE)
    made: Texts = np.where(differs, np.where(apart > 0, HIGHER, LOWER), otherwise).astype(object)
    return made


def told(row: Mapping[Any, Any], relevant: float) -> str:
    """Say one comparison in plain words."""
    unit, verdict = row["unit"], row["verdict"]
    sides = ", ".join(f"{_value(row[f'value_{side}'], unit)} in {row[side]}" for side in ("first", "second"))
    begun = f"{row['measure']}: {sides}"
    if np.isnan(row["difference"]):
        return f"{begun}: too little data to compare."
    low, high = (_apart(row[name], unit, signed=True) for name in ("low", "high"))
    span = f"the true difference plausibly lies between {low} and {high}"
    if verdict in (HIGHER, LOWER):
        return f"{begun}: {verdict} by {_apart(abs(row['difference']), unit)}; {span}."
    if verdict == NO_EVIDENCE:
        return f"{begun}: no evidence of a difference, and one of more than {_apart(relevant, unit)} is excluded."
    return f"{begun}: too little data to tell; {span}."


def _value(value: float, unit: str) -> str:
    if np.isnan(value):
        return "nothing known"
    return f"{100 * value:.1f} %" if unit == SHARE else f"{value:.1f} s" if unit == SECONDS else f"{value:.2f}"


def _apart(value: float, unit: str, *, signed: bool = False) -> str:
    """Write a difference: of shares in points (1 point is 1 % of all)."""
    if np.isnan(value):
        return "no bound"
    sign = "+" if signed else ""
    if unit == SHARE:
        return f"{100 * value:{sign}.1f} points"
    return f"{value:{sign}.1f} s" if unit == SECONDS else f"{value:{sign}.2f}"
