"""Is there a difference at all, and is it still there within countries? Score tests, Mantel and Haenszel."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from verify_analytics.errors import ArgumentError

from .checks import Floats, normal_quantile
from .proportion import Numbers, counts_of, plain
from .special import gamma_share, normal_tail


class ChiSquared(NamedTuple):
    """A test: its statistic, the degrees of freedom of chi-squared, and how surprising that is under no difference."""

    statistic: float
    degrees: int
    p: float


class Stratified(NamedTuple):
    """One difference and one odds ratio for all strata together, with intervals, and the test of no difference."""

    difference: float
    difference_low: float
    difference_high: float
    odds_ratio: float
    odds_ratio_low: float
    odds_ratio_high: float
    statistic: float
    p: float


def two_proportions_p(count_1: ArrayLike, n_1: ArrayLike, count_2: ArrayLike, n_2: ArrayLike) -> Numbers:
    """Say how surprising the difference of two shares would be if the true shares were equal.

    The two-sided score test with the pooled share: ``z = (p1 - p2) / √(p (1 - p) (1 / n1 + 1 / n2))``, without
    continuity correction; z² is Pearson's chi-squared.

    Parameters
    ----------
    count_1, n_1, count_2, n_2
        Successes and trials of either group; numbers or arrays that broadcast.

    Returns
    -------
    float or numpy.ndarray
        One p-value per pair of groups. NaN where either group is empty; 1 where both have none, or both have all.

    Raises
    ------
    ArgumentError
        For a count below 0 or above its n.

    Notes
    -----
    A small p-value is no large difference, and a large one no proof of equality: show the difference with its interval
    (`newcombe`), which may disagree with the test by a hair at its edge. Below some 5 successes or failures expected in
    a group it is rough. Take care when many are asked at once (`holm`). Groups must be independent.

    References
    ----------
    Fleiss JL, Levin B, Paik MC (2003), Statistical Methods for Rates and Proportions, 3rd ed., Wiley, chapter 3.

    Examples
    --------
    >>> round(float(two_proportions_p(83, 86, 70, 82)), 4)
    0.0113
    """
    k_1, m_1 = counts_of(count_1, n_1)
    k_2, m_2 = counts_of(count_2, n_2)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (k_1 + k_2) / (m_1 + m_2)
        z = np.abs(k_1 / m_1 - k_2 / m_2) / np.sqrt(pooled * (1 - pooled) * (1 / m_1 + 1 / m_2))
    known = (m_1 > 0) & (m_2 > 0)
    p = np.where((pooled > 0) & (pooled < 1), 2 * normal_tail(np.nan_to_num(z)), 1.0)
    return plain(np.where(known, p, np.nan))


def equal_proportions(counts: ArrayLike, ns: ArrayLike) -> ChiSquared:
    """Say how surprising it would be to see several shares so far apart if the true ones were all equal.

    Pearson's chi-squared of the table of successes and failures: the sum of ``(k - n p)² / (n p (1 - p))``, with p the
    pooled share.

    Parameters
    ----------
    counts, ns
        Successes and trials, one of each per group. Groups without trials are left out.

    Returns
    -------
    ChiSquared
        `statistic`, `degrees` (groups less one) and `p`. NaN statistic and p with fewer than two groups; p is 1 where
        no group has any, or all have all.

    Raises
    ------
    ArgumentError
        For a count below 0 or above its n.

    Notes
    -----
    It says that some differ, not which, and not by how much. With very many trials the least difference is "there".
    Where trials come in clusters (several attempts of a session) it sees differences that are not there.

    References
    ----------
    Fleiss JL, Levin B, Paik MC (2003), Statistical Methods for Rates and Proportions, 3rd ed., Wiley, chapter 9.

    Examples
    --------
    >>> test = equal_proportions([83, 90, 129, 70], [86, 93, 136, 82])
    >>> f"{test.statistic:.1f} {test.degrees} {test.p:.4f}"
    '12.6 3 0.0056'
    """
    k, m = (np.atleast_1d(one) for one in counts_of(counts, ns))
    k, m = k[m > 0], m[m > 0]
    degrees = max(len(m) - 1, 0)
    if not degrees:
        return ChiSquared(np.nan, degrees, np.nan)
    pooled = float(np.sum(k) / np.sum(m))
    if not 0 < pooled < 1:
        return ChiSquared(0.0, degrees, 1.0)
    statistic = float(np.sum((k - m * pooled) ** 2 / (m * pooled * (1 - pooled))))
    return ChiSquared(statistic, degrees, float(gamma_share(statistic / 2, degrees / 2, upper=True)))


def mantel_haenszel(tables: ArrayLike, *, correction: bool = True, confidence: float = 0.95) -> Stratified:
    """Say how far two groups differ when like is compared with like: within each country, then all together.

    Each stratum is a table ``[[a, b], [c, d]]``: successes and failures of the first group, and of the second. The
    common odds ratio is ``Σ a d / N / Σ b c / N`` and the common difference of shares
    ``Σ (a n2 - c n1) / N / Σ n1 n2 / N``.

    Parameters
    ----------
    tables
        Array of shape (strata, 2, 2) with counts from 0 up. A stratum in which either group is empty compares nothing
        and adds nothing.
    correction
        Whether to take ½ off the sum before squaring it, as R's `mantelhaen.test` does unless told otherwise.
    confidence
        Two-sided coverage of both intervals, strictly between 0 and 1.

    Returns
    -------
    Stratified
        `difference` and `odds_ratio` with their intervals, the chi-squared `statistic` of one degree of freedom for no
        difference in any stratum, and its `p`. One of each for all strata. NaN where nothing can be compared; the odds
        ratio is infinite where only its denominator is 0, and its interval NaN where either sum is 0.

    Raises
    ------
    ArgumentError
        For another shape, a negative or missing count, or a confidence outside (0, 1).

    Notes
    -----
    One number for all strata tells the truth only if the groups differ about alike in each; look at the strata too.
    The odds ratio is not how many times more likely: for rates near 90 % it is far from it. Prefer the difference.

    References
    ----------
    Mantel N, Haenszel W (1959), Statistical aspects of the analysis of data from retrospective studies of disease,
    J Natl Cancer Inst 22:719-748.
    Robins J, Breslow N, Greenland S (1986), Estimators of the Mantel-Haenszel variance, Biometrics 42:311-323.
    Sato T (1989), On the variance estimator for the Mantel-Haenszel risk difference, Biometrics 45:1323-1324.

    Examples
    --------
    >>> both = mantel_haenszel([[[20, 14], [10, 24]], [[15, 12], [3, 15]]])
    >>> f"{both.odds_ratio:.2f} ({both.odds_ratio_low:.2f} to {both.odds_ratio_high:.2f})"
    '4.22 (1.86 to 9.58)'
    """
    z = normal_quantile(confidence)
    a, b, c, d = _cells(tables)
    n_1, n_2 = a + b, c + d
    n = n_1 + n_2
    difference, spread = _common_difference(a, c, n_1, n_2)
    odds_ratio, log_spread = _common_odds_ratio(a, b, c, d)
    won = a + c
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = n_1 * won / n
        variance = np.sum(np.where(n > 1, n_1 * n_2 * won * (n - won) / n**2 / np.maximum(n - 1, 1), 0.0))
        off = max(0.0, abs(float(np.sum(a - expected))) - (0.5 if correction else 0.0))
        statistic = float(off**2 / variance) if variance > 0 else float("nan")
        factor = np.exp(z * log_spread)
    p = float(2 * normal_tail(np.sqrt(statistic))) if variance > 0 else float("nan")
    return Stratified(
        difference,
        float(np.clip(difference - z * spread, -1.0, 1.0)),
        float(np.clip(difference + z * spread, -1.0, 1.0)),
        odds_ratio,
        float(odds_ratio / factor),
        float(odds_ratio * factor),
        statistic,
        p,
    )


def _cells(tables: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    try:
        cells = np.asarray(tables, dtype=float)
    except (TypeError, ValueError) as error:
        raise ArgumentError("tables are numbers of the shape (strata, 2, 2)") from error
    if cells.size == 0:
        cells = cells.reshape(0, 2, 2)
    if cells.ndim != 3 or cells.shape[1:] != (2, 2):
        raise ArgumentError(f"tables have the shape (strata, 2, 2): [[won, lost], [won, lost]] each; got {cells.shape}")
    if not np.all(np.isfinite(cells) & (cells >= 0)):
        raise ArgumentError("the counts of a table are numbers from 0 up, none missing")
    cells = cells[np.all(cells.sum(axis=2) > 0, axis=1)]
    return cells[:, 0, 0], cells[:, 0, 1], cells[:, 1, 0], cells[:, 1, 1]


def _common_difference(a: Floats, c: Floats, n_1: Floats, n_2: Floats) -> tuple[float, float]:
    """Give the common difference of shares with its standard error (Sato 1989)."""
    n = n_1 + n_2
    total = float(np.sum(n_1 * n_2 / n))
    if not total > 0:
        return float("nan"), float("nan")
    difference = float(np.sum((a * n_2 - c * n_1) / n)) / total
    p = (n_1**2 * c - n_2**2 * a + n_1 * n_2 * (n_2 - n_1) / 2) / n**2
    q = (a * (n_2 - c) + c * (n_1 - a)) / (2 * n)
    return difference, float(np.sqrt(max(0.0, difference * np.sum(p) + np.sum(q)))) / total


def _common_odds_ratio(a: Floats, b: Floats, c: Floats, d: Floats) -> tuple[float, float]:
    """Give the common odds ratio, and the standard error of its logarithm (Robins, Breslow and Greenland 1986)."""
    n = a + b + c + d
    for_it, against = a * d / n, b * c / n
    r, s = float(np.sum(for_it)), float(np.sum(against))
    if r == 0 or s == 0:
        return (float("inf") if r > 0 else 0.0 if s > 0 else float("nan")), float("nan")
    alike, unlike = (a + d) / n, (b + c) / n
    variance = (
        np.sum(alike * for_it) / (2 * r * r)
        + np.sum(alike * against + unlike * for_it) / (2 * r * s)
        + np.sum(unlike * against) / (2 * s * s)
    )
    return r / s, float(np.sqrt(variance))
