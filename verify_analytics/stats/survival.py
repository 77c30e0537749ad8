"""What share still waits after each time? Kaplan and Meier, also for those that came under watch late."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from verify_analytics.errors import ArgumentError

from .checks import Floats, histories, normal_quantile
from .intervals import Band


class KaplanMeier(NamedTuple):
    """A falling step curve with what it was made of; every array has one value per distinct time, in rising order.

    `survival` holds from its `time` up to the next one; `variance` is Greenwood's. `at_risk`, `events` and `censored`
    are (weighted) counts: those watched and still waiting just before that time, and what became of them at it.
    """

    time: Floats
    survival: Floats
    at_risk: Floats
    events: Floats
    censored: Floats
    variance: Floats


def kaplan_meier(
    durations: ArrayLike, events: ArrayLike, *, weights: ArrayLike | None = None, entry: ArrayLike | None = None
) -> KaplanMeier:
    """Say what share still waits after each time, when some are not watched to their end.

    The product of (1 - d / n) over the times at which something ended: d ends among n at risk. Greenwood's variance is
    ``S² · sum of d / (n (n - d))``.

    Parameters
    ----------
    durations
        Times from the start at which each unit ended or was last seen, at least 0; one per unit or group of units.
    events
        1 for an end (any number above 0), 0 for still waiting when last seen (censored).
    weights
        How many units each row stands for; fractions are taken. Without it, one each.
    entry
        From when on each unit was watched (late entry, left truncation), less than its duration; 0 for from the start.
        Without it, all from the start.

    Returns
    -------
    KaplanMeier
        One value per distinct duration. No data give empty arrays. `variance` is NaN from where the last one at risk
        ended, because nothing is left to measure it by.

    Raises
    ------
    ArgumentError
        As for `cumulative_incidence`, and for an entry that is missing, below 0, or not before its duration.

    Notes
    -----
    Ends come before censorings, and both before entries, at the same time: who enters at t is at risk after t.
    It takes all ends as one kind. One minus it is the share that arrived only if nothing else can end the wait;
    otherwise use `cumulative_incidence`. With late entry the first few at risk decide the whole curve: where they all
    end it is 0 ever after, whatever the others do.

    References
    ----------
    Kaplan EL, Meier P (1958), Nonparametric estimation from incomplete observations, JASA 53:457-481.
    Greenwood M (1926), The natural duration of cancer, Reports on Public Health and Medical Subjects 33.

    Examples
    --------
    >>> curve = kaplan_meier([9, 13, 13, 18], [1, 1, 0, 1])
    >>> curve.survival, curve.variance.round(4)
    (array([0.75, 0.5 , 0.  ]), array([0.0469, 0.0625,    nan]))
    """
    time, kind, weight = histories(durations, events, weights)
    distinct, place = np.unique(time, return_inverse=True)
    ended = np.bincount(place, weights=weight * (kind > 0), minlength=len(distinct)).astype(float)
    censored = np.bincount(place, weights=weight * (kind == 0), minlength=len(distinct)).astype(float)
    at_risk = np.cumsum((ended + censored)[::-1])[::-1]
    if entry is not None:
        at_risk = at_risk - _not_yet(distinct, _entries(entry, time), weight)
    safe = np.where(at_risk > 0, at_risk, 1.0)
    left = np.where(at_risk - ended > 1e-12 * at_risk, at_risk - ended, 0.0)
    survival: Floats = np.cumprod(np.where(at_risk > 0, left / safe, 1.0), dtype=float)
    some_left = (left > 0) | (at_risk <= 0)
    terms = np.where(some_left & (at_risk > 0), ended / (safe * np.where(left > 0, left, 1.0)), np.nan)
    variance = survival**2 * np.cumsum(np.where(at_risk > 0, terms, 0.0))
    return KaplanMeier(distinct, survival, at_risk, ended, censored, variance)


def survival_band(curve: KaplanMeier, *, confidence: float = 0.95) -> Band:
    """Say between which curves the true one plausibly runs, at each time taken by itself.

    The interval is symmetric for log(-log S): from ``S ** exp(z s)`` to ``S ** exp(-z s)`` with
    ``s = sqrt(variance) / |S log S|``, so that it stays within 0 and 1.

    Parameters
    ----------
    curve
        What `kaplan_meier` gave.
    confidence
        Two-sided coverage aimed at, for each time by itself; strictly between 0 and 1.

    Returns
    -------
    Band
        `low` and `high`; one value per distinct time of the curve.

    Raises
    ------
    ArgumentError
        For a confidence outside (0, 1).

    Notes
    -----
    While nothing has ended the band is Wilson's for none of the fewest at risk so far. Where the curve has come down
    to 0 the upper bound is what it was worth just before, times Wilson's for none of the last ones at risk.

    References
    ----------
    Kalbfleisch JD, Prentice RL (2002), The Statistical Analysis of Failure Time Data, 2nd ed., Wiley, section 1.4.

    Examples
    --------
    >>> low, high = survival_band(kaplan_meier([9, 13, 13, 18, 23], [1, 1, 0, 1, 1]))
    >>> low.round(3), high.round(3)
    (array([0.204, 0.126, 0.012, 0.   ]), array([0.969, 0.882, 0.719, 0.238]))
    """
    z = normal_quantile(confidence)
    inside = (curve.survival > 0) & (curve.survival < 1)
    share = np.where(inside, curve.survival, 0.5)
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.exp(z * np.sqrt(np.where(inside, curve.variance, 0.0)) / np.abs(share * np.log(share)))
    fewest = np.minimum.accumulate(curve.at_risk)
    other = z * z / (fewest + z * z)
    before = np.concatenate((np.ones(1), curve.survival))[:-1]
    # Once at 0 the curve stays there, and so does what is known about it.
    last = np.maximum.accumulate(np.where(curve.survival > 0, 0.0, before * z * z / (curve.at_risk + z * z)))
    low = np.where(inside, share**power, np.where(curve.survival > 0, 1 - other, 0.0))
    high = np.where(inside, share ** (1 / power), np.where(curve.survival > 0, 1.0, last))
    return Band(low, high)


def _entries(entry: ArrayLike, time: Floats) -> Floats:
    since = np.atleast_1d(np.asarray(entry, dtype=float))
    if since.shape != time.shape:
        raise ArgumentError(f"entry must have one value per duration; got {since.shape} for {time.shape}")
    from_start = since == 0
    wrong = ~(from_start | ((since > 0) & (since < time)))
    if np.any(wrong):
        raise ArgumentError(
            f"an entry is a number from 0 up, before its duration; got {since[wrong][0]:g} for {time[wrong][0]:g}"
        )
    return np.where(from_start, -1.0, since)


def _not_yet(distinct: Floats, since: Floats, weight: Floats) -> Floats:
    """Say how many are not watched yet at each time: who enters at a time is at risk only after it."""
    order = np.argsort(since, kind="stable")
    later = np.concatenate((np.cumsum(weight[order][::-1])[::-1], np.zeros(1)))
    return later[np.searchsorted(since[order], distinct, side="left")]
