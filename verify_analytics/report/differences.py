"""How is a difference between two periods written? Both figures, how many, the difference and its interval."""

import math

import pandas as pd

from verify_analytics.charts.words import count, percent

JOINER = "\N{WORD JOINER}"
MINUS = "\N{MINUS SIGN}"


def apart(row: pd.Series) -> str:
    r"""Write the two figures of a comparison of shares, the later first.

    >>> apart(pd.Series({"value_first": 0.8, "n_first": 50, "value_second": 0.75, "n_second": 40}))
    '80\xa0% of 50 against 75\xa0% of 40'
    """
    sides = (
        f"{percent(float(row[f'value_{side}']), float(row[f'n_{side}']))} of {count(row[f'n_{side}'])}"
        for side in ("first", "second")
    )
    return " against ".join(sides)


def points(row: pd.Series) -> str:
    """Write a difference of shares in points, with its interval; an end that is not known is left open.

    >>> points(pd.Series({"difference": 0.051, "low": -0.0123, "high": 0.1})).replace(JOINER, "")
    '+5.1 points (−1.2 to +10.0)'
    """
    low, high = float(row["low"]), float(row["high"])
    ends = (_signed(low), _signed(high))
    span = f"{ends[0]} to {ends[1]}"
    if math.isnan(low) or math.isnan(high):
        span = f"up to {ends[1]}" if math.isnan(low) else f"{ends[0]} or more"
    return f"{_signed(float(row['difference']))} points ({span})"


def by_points(row: pd.Series) -> str:
    """Write by how much a figure is higher or lower, with its interval, without signs; else as `points` does.

    >>> by_points(pd.Series({"difference": -0.1, "low": -0.14, "high": -0.06}))
    'by 10.0 points (6.0 to 14.0)'
    """
    low, high = float(row["low"]), float(row["high"])
    if math.isnan(low) or math.isnan(high) or low * high <= 0:
        return f"by {points(row)}"
    least, most = sorted((abs(low), abs(high)))
    return f"by {abs(100 * float(row['difference'])):.1f} points ({100 * least:.1f} to {100 * most:.1f})"


def _signed(value: float) -> str:
    """Write a share as signed points.

    >>> _signed(0.05).replace(JOINER, ""), _signed(-0.0004).replace(JOINER, ""), _signed(0.0)
    ('+5.0', '−0.0', '0')
    """
    if value == 0:
        return "0"
    sign = "+" if value > 0 else MINUS
    return f"{sign}{JOINER}{abs(100 * value):.1f}"
