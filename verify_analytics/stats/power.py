"""How many sessions does an experiment need to tell two rates apart? And what can this many tell? Power."""

from typing import NamedTuple

import numpy as np

from verify_analytics.errors import ArgumentError

from .checks import normal_quantile
from .special import normal_tail


class Detectable(NamedTuple):
    """The nearest rates below and above that would be told apart; NaN where there is none within 0 and 1."""

    below: float
    above: float


def power_two_proportions(
    p1: float,
    p2: float,
    *,
    n: float | None = None,
    power: float | None = None,
    confidence: float = 0.95,
    design_effect: float = 1.0,
) -> float:
    """Say how likely an experiment is to show a difference that is there, or how large it must be for that.

    With `n` the power, with `power` the n: of a two-sided comparison of two independent groups of `n` each, by the
    normal approximation: ``Φ((|p1 - p2| √n - z √(2 p̄ (1 - p̄))) / √(p1 (1 - p1) + p2 (1 - p2)))``, with p̄ the mean of
    the two, as R's `power.prop.test`.

    Parameters
    ----------
    p1, p2
        The two true rates, between 0 and 1.
    n
        Size of each group. Give either this or `power`.
    power
        Probability that the difference is shown, between 0 and 1.
    confidence
        One minus the probability of seeing a difference where there is none; strictly between 0 and 1.
    design_effect
        How many rows are worth one independent one, at least 1 (see the design effect of a rate).

    Returns
    -------
    float
        The power (with `n`), or the size of each group (with `power`), not rounded; infinite for equal rates.

    Raises
    ------
    ArgumentError
        For rates outside [0, 1], a design effect below 1, both or neither of `n` and `power`, or a power that is not
        between (1 - confidence) / 2 and 1.

    Notes
    -----
    Plan with the smallest difference that would change a decision, not with the one seen: the power of a difference
    already seen says nothing new. Below some 5 successes or failures in a group the approximation is rough. The chance
    of "showing" a difference in the wrong direction is not counted.

    References
    ----------
    Fleiss JL, Levin B, Paik MC (2003), Statistical Methods for Rates and Proportions, 3rd ed., Wiley, chapter 4.

    Examples
    --------
    >>> round(power_two_proportions(0.5, 0.75, power=0.9), 1)
    76.7
    >>> round(power_two_proportions(0.5, 0.75, n=76.7), 2)
    0.9
    """
    if (n is None) == (power is None):
        raise ArgumentError(f"give either n or power, and get the other; got n={n!r} and power={power!r}")
    if n is None:
        return sample_size_two_proportions(
            p1, p2, power=power or 0.0, confidence=confidence, design_effect=design_effect
        )
    z = normal_quantile(confidence)
    difference, equal, apart = _spreads(p1, p2)
    _checked_effect(design_effect)
    if not n >= 0:
        raise ArgumentError(f"n is a number from 0 up, the size of each group; got {n!r}")
    far = difference * np.sqrt(n / design_effect) - z * equal
    if apart == 0:
        return float(far > 0)
    return float(normal_tail(-far / apart))


def sample_size_two_proportions(
    p1: float, p2: float, *, power: float = 0.8, confidence: float = 0.95, design_effect: float = 1.0
) -> float:
    """Say how many each of two groups must have for a difference that is there to be shown.

    ``n = design_effect · ((z √(2 p̄ (1 - p̄)) + z_power √(p1 (1 - p1) + p2 (1 - p2))) / (p1 - p2))²``.

    Parameters
    ----------
    p1, p2, power, confidence, design_effect
        As for `power_two_proportions`.

    Returns
    -------
    float
        The size of each group, not rounded; infinite for equal rates.

    Raises
    ------
    ArgumentError
        As for `power_two_proportions`.

    Notes
    -----
    As for `power_two_proportions`.

    References
    ----------
    Fleiss JL, Levin B, Paik MC (2003), Statistical Methods for Rates and Proportions, 3rd ed., Wiley, chapter 4.

    Examples
    --------
    From 90 to 92 % verified:

    >>> round(sample_size_two_proportions(0.90, 0.92))
    3213
    """
    z = normal_quantile(confidence)
    difference, equal, apart = _spreads(p1, p2)
    _checked_effect(design_effect)
    if not (1 - confidence) / 2 < power < 1:
        raise ArgumentError(f"power lies between {(1 - confidence) / 2:g} and 1, for example 0.8; got {power!r}")
    if difference == 0:
        return float("inf")
    z_power = normal_quantile(2 * power - 1) if power > 0.5 else -normal_quantile(1 - 2 * power) if power < 0.5 else 0.0
    return float(design_effect * (max(0.0, z * equal + z_power * apart) / difference) ** 2)


def detectable_difference(
    p1: float, *, n: float, power: float = 0.8, confidence: float = 0.95, design_effect: float = 1.0
) -> Detectable:
    """Say how far another rate must lie from this one for groups of `n` each to tell them apart.

    The rates below and above `p1` at which `power_two_proportions` reaches `power`, by halving.

    Parameters
    ----------
    p1
        The rate to compare with, between 0 and 1.
    n
        Size of each group.
    power, confidence, design_effect
        As for `power_two_proportions`.

    Returns
    -------
    Detectable
        `below` and `above`, two rates; NaN where even 0, or 1, would not be told apart.

    Raises
    ------
    ArgumentError
        As for `power_two_proportions`.

    Notes
    -----
    As for `power_two_proportions`. It is no interval: it says what could be seen, not what was.

    References
    ----------
    Fleiss JL, Levin B, Paik MC (2003), Statistical Methods for Rates and Proportions, 3rd ed., Wiley, chapter 4.

    Examples
    --------
    >>> below, above = detectable_difference(0.9, n=1000)
    >>> f"{below:.3f} {above:.3f}"
    '0.859 0.934'
    """
    if not (1 - confidence) / 2 < power < 1:
        raise ArgumentError(f"power lies between {(1 - confidence) / 2:g} and 1, for example 0.8; got {power!r}")

    def reached(p2: float) -> bool:
        return power_two_proportions(p1, p2, n=n, confidence=confidence, design_effect=design_effect) >= power

    def nearest(end: float) -> float:
        near, far = p1, end
        if near == far or not reached(far):
            return float("nan")
        for _ in range(60):
            middle = (near + far) / 2
            near, far = (near, middle) if reached(middle) else (middle, far)
        return far

    return Detectable(nearest(0.0), nearest(1.0))


def _spreads(p1: float, p2: float) -> tuple[float, float, float]:
    """Give the difference, and the spread of one observation of it if the rates are equal and if they are not."""
    if not (0 <= p1 <= 1 and 0 <= p2 <= 1):
        raise ArgumentError(f"a rate lies between 0 and 1, for example 0.9; got {p1!r} and {p2!r}")
    mean = (p1 + p2) / 2
    return abs(p1 - p2), float(np.sqrt(2 * mean * (1 - mean))), float(np.sqrt(p1 * (1 - p1) + p2 * (1 - p2)))


def _checked_effect(design_effect: float) -> None:
    if not design_effect >= 1:
        raise ArgumentError(f"a design effect is a number from 1 up; got {design_effect!r}")
