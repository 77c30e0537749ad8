"""Which of many differences still stand when many were asked for at once? Holm, Benjamini and Hochberg."""

import numpy as np
from numpy.typing import ArrayLike

from verify_analytics.errors import ArgumentError

from .checks import Floats


def holm(p: ArrayLike) -> Floats:
    """Adjust p-values so that even one false alarm among all of them is as rare as each was by itself.

    Holm's step-down: the smallest of m is multiplied by m, the next by m - 1, and so on, never falling, at most 1.

    Parameters
    ----------
    p
        P-values, one per question asked; NaN for a question that could not be answered.

    Returns
    -------
    numpy.ndarray
        One adjusted p-value per question, in the order given. NaN stays NaN, and does not count as asked.

    Raises
    ------
    ArgumentError
        For a value outside [0, 1].

    Notes
    -----
    Valid whatever the questions have to do with each other. For a few comparisons to act on; for a long list to look
    into, `benjamini_hochberg` finds more. All questions that were asked count, not only those that looked promising.

    References
    ----------
    Holm S (1979), A simple sequentially rejective multiple test procedure, Scand J Stat 6:65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values, order = _ordered(p)
    adjusted = np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1))
    return _back(values, order, adjusted)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjust p-values so that, of those called different at 0.05, about 5 % on the average are false alarms.

    The step-up procedure for the false discovery rate: the i-th smallest of m is multiplied by m / i, never above a
    later one.

    Parameters
    ----------
    p
        P-values, one per question asked; NaN for a question that could not be answered.

    Returns
    -------
    numpy.ndarray
        One adjusted p-value per question, in the order given. NaN stays NaN, and does not count as asked.

    Raises
    ------
    ArgumentError
        For a value outside [0, 1].

    Notes
    -----
    Valid for independent questions and for those that go together; not for questions that go against each other (each
    group against all others of few). Single findings of the list may well be false.

    References
    ----------
    Benjamini Y, Hochberg Y (1995), Controlling the false discovery rate, J R Stat Soc B 57:289-300.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    array([0.03, 0.04, 0.04])
    """
    values, order = _ordered(p)
    factors = len(order) / np.arange(1, len(order) + 1)
    adjusted = np.minimum.accumulate((values[order] * factors)[::-1])[::-1]
    return _back(values, order, adjusted)


def _ordered(p: ArrayLike) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    values = np.atleast_1d(np.asarray(p, dtype=float))
    if values.ndim != 1 or np.any((values < 0) | (values > 1)):
        raise ArgumentError(f"p-values are a list of numbers from 0 to 1; got {p!r}")
    return values, np.argsort(values, kind="stable")[: np.sum(~np.isnan(values))]


def _back(values: Floats, order: np.ndarray[tuple[int], np.dtype[np.intp]], adjusted: Floats) -> Floats:
    found = np.full(values.shape, np.nan)
    found[order] = np.minimum(adjusted, 1.0)
    return found
