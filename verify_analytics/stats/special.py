"""Quantiles of the gamma and the beta distribution, which exact intervals are made of, in numpy alone."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# From here on a distribution is smooth enough to be integrated; below, its series need few terms.
LARGE = 300.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
# What lies where the density has fallen by e**-45 is nothing beside what is integrated.
_FALL = 45.0
_TINY = 1e-300
# Bernoulli's numbers in Stirling's series of log Γ, and from where on six of them are exact to 14 digits.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_FAR = 9


class Tails(NamedTuple):
    """What a distribution has beyond a point, and its density there times the point."""

    tail: Floats
    flow: Floats


def beta_quantile(share: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """Give the point below which a beta distribution has this share; ask for (1 - share) by turning `a` and `b`.

    Newton's method on the logarithms of both sides, where the distribution is concave, kept between bounds.
    Accurate to about 1e-12 of its value for `a` and `b` from 0.1 to 1e10.
    """
    given = np.broadcast_arrays(*(np.asarray(one, dtype=float) for one in (share, a, b)))
    q, first, second = (np.atleast_1d(one).astype(float) for one in given)

    def tails(x: Floats) -> Tails:
        return Tails(beta_share(x, first, second), _beta_front(x, 1 - x, first, second) / np.maximum(1 - x, 1e-16))

    start = np.log(first / (first + second))
    found = np.exp(_solved(tails, np.log(q), start, np.full(q.shape, -745.0), np.zeros(q.shape), rising=True))
    return found.reshape(given[0].shape)


def beta_share(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """Give the share of a beta distribution below `x`: the regularised incomplete beta function."""
    point, first, second = np.broadcast_arrays(*(np.asarray(one, dtype=float) for one in (x, a, b)))
    large = (first > LARGE) & (second > LARGE)
    # Either half is reckoned from its own end, the other one is what is missing to 1.
    turned = np.where(
        large,
        point > (first - 1) / np.where(large, first + second - 2, 1.0),
        point > (first + 1) / (first + second + 2),
    )
    # Both the point and what is missing to 1 are handed on: near 1 the difference would have lost its digits.
    y, rest = np.where(turned, 1 - point, point), np.where(turned, point, 1 - point)
    p, q = np.where(turned, second, first), np.where(turned, first, second)
    result = np.zeros(point.shape)
    front = _beta_front(y, rest, p, q)
    inside = (y > 0) & (front > 0)
    few, many = inside & ~large, inside & large
    result[few] = front[few] * _beta_fraction(y[few], p[few], q[few]) / p[few]
    result[many] = front[many] * _beta_integral(y[many], rest[many], p[many], q[many])
    return np.where(turned, 1 - result, result)


def gamma_quantile(share: ArrayLike, a: ArrayLike, *, upper: bool = False) -> Floats:
    """Give the point below (or above, with `upper`) which a gamma distribution of shape `a` has this share."""
    given = np.broadcast_arrays(np.asarray(share, dtype=float), np.asarray(a, dtype=float))
    q, shape = (np.atleast_1d(one).astype(float) for one in given)

    def tails(x: Floats) -> Tails:
        return Tails(gamma_share(x, shape, upper=upper), shape * _gamma_front(x, shape))

    # P(X > a + sqrt(2 a t) + t) is at most exp(-t).
    beyond = -np.log(np.minimum(q, 1e-3)) * 1.01
    high = np.log(shape + np.sqrt(2 * shape * beyond) + beyond)
    low = np.full(q.shape, -745.0)
    start = np.clip(np.log(shape), low, high)
    found = np.exp(_solved(tails, np.log(q), start, low, high, rising=not upper))
    return found.reshape(given[0].shape)


def gamma_share(x: ArrayLike, a: ArrayLike, *, upper: bool = False) -> Floats:
    """Give the share of a gamma distribution below (or above) `x`: the regularised incomplete gamma function."""
    point, shape = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(a, dtype=float))
    large = shape > LARGE
    from_above = np.where(large, point > shape - 1, point > shape + 1)
    front = _gamma_front(point, shape)
    result = np.zeros(point.shape)
    inside = (point > 0) & (front > 0)
    for above in (False, True):
        few = inside & ~large & (from_above == above)
        part = _gamma_fraction if above else _gamma_series
        result[few] = front[few] * part(point[few], shape[few])
        many = inside & large & (from_above == above)
        result[many] = front[many] * _gamma_integral(point[many], shape[many], above=above)
    return np.where(from_above == upper, result, 1 - result)


def normal_tail(z: ArrayLike) -> Floats:
    """Give the share of the standard normal distribution above `z`."""
    values = np.asarray(z, dtype=float)
    found = [math.erfc(one / math.sqrt(2)) / 2 for one in values.ravel()]
    return np.array(found, dtype=float).reshape(values.shape)


def student_quantile(share: float, degrees: ArrayLike) -> Floats:
    """Give the point above which Student's t has this share (at most one half)."""
    freedom = np.asarray(degrees, dtype=float)
    small = np.maximum(freedom, _TINY)
    # t² / (t² + ν) is beta distributed (½, ν/2): ask for the other end, which is not near 1.
    far = beta_quantile(2 * share, small / 2, np.full(freedom.shape, 0.5))
    found: Floats = np.sqrt(small * (1 - far) / far)
    return found


def log_gamma(z: Floats) -> Floats:
    """Give log Γ(z) of positive numbers, by Stirling's series from 9 on and by Γ(z + 1) = z Γ(z) below."""
    shift = np.where(z < _FAR, float(_FAR), 0.0)
    w = z + shift
    product = np.ones(z.shape)
    for step in range(_FAR):
        product = product * np.where(shift > 0, z + step, 1.0)
    return (w - 0.5) * np.log(w) - w + 0.5 * math.log(2 * math.pi) + _series(w) - np.log(product)


def digamma(z: Floats) -> Floats:
    """Give the derivative of log Γ, by its series from 9 on and by ψ(z + 1) = ψ(z) + 1 / z below."""
    shift = np.where(z < _FAR, float(_FAR), 0.0)
    w = z + shift
    square, total = 1 / (w * w), np.zeros(np.shape(z))
    for order, term in reversed(list(enumerate(_STIRLING))):
        total = total * square + (2 * order + 1) * term
    below = np.zeros(np.shape(z))
    for step in range(_FAR):
        below = below + np.where(shift > 0, 1 / (z + step), 0.0)
    found: Floats = np.log(w) - 0.5 / w - total * square - below
    return found


def trigamma(z: Floats) -> Floats:
    """Give the second derivative of log Γ at positive numbers, in the same way."""
    shift = np.where(z < _FAR, float(_FAR), 0.0)
    w = z + shift
    square, total = 1 / (w * w), np.zeros(np.shape(z))
    for order, term in reversed(list(enumerate(_STIRLING))):
        total = total * square + (2 * order + 1) * (2 * order + 2) * term
    below = np.zeros(np.shape(z))
    for step in range(_FAR):
        below = below + np.where(shift > 0, 1 / (z + step) ** 2, 0.0)
    return 1 / w + 0.5 * square + total * square / w + below


def _series(z: Floats) -> Floats:
    square, total = 1 / (z * z), np.zeros(z.shape)
    for term in reversed(_STIRLING):
        total = total * square + term
    return total / z


def _stirling_error(z: Floats) -> Floats:
    """Give by how much log Γ(z + 1) exceeds Stirling's formula (Loader 2000)."""
    big = np.maximum(z, 15.0)
    small = np.minimum(z, 15.0)
    exact = log_gamma(small + 1) - (small + 0.5) * np.log(small) + small - 0.5 * math.log(2 * math.pi)
    return np.where(z >= 15, _series(big), exact)


def _deviance(x: Floats, mean: Floats) -> Floats:
    """Give x log(x / mean) + mean - x without the loss of digits where the two are close (Loader 2000)."""
    excess = (mean - x) / x
    close = np.abs(excess) < 0.5
    return x * (excess - np.where(close, np.log1p(np.where(close, excess, 0.0)), np.log(mean / x)))


def _gamma_front(x: Floats, a: Floats) -> Floats:
    """Give x**a exp(-x) / Γ(a + 1)."""
    return np.exp(-_stirling_error(a) - _deviance(a, np.maximum(x, _TINY))) / np.sqrt(2 * np.pi * a)


def _beta_front(x: Floats, rest: Floats, a: Floats, b: Floats) -> Floats:
    """Give x**a (1 - x)**b / B(a, b); `rest` is 1 - x."""
    n = a + b
    error = _stirling_error(n) - _stirling_error(a) - _stirling_error(b)
    far = _deviance(a, n * np.maximum(x, _TINY)) + _deviance(b, n * np.maximum(rest, _TINY))
    return np.exp(error - far) * np.sqrt(a * b / n / (2 * np.pi))


def _gamma_series(x: Floats, a: Floats) -> Floats:
    term, total = np.ones(x.shape), np.ones(x.shape)
    for step in range(1, 5000):
        term = term * x / (a + step)
        total = total + term
        if np.all(term < 1e-17 * total):
            break
    return total


def _gamma_fraction(x: Floats, a: Floats) -> Floats:
    def terms(step: int) -> tuple[Floats, Floats]:
        return -step * (step - a), x + 2 * step + 1 - a

    return a * _fraction(x + 1 - a, terms)


def _beta_fraction(x: Floats, a: Floats, b: Floats) -> Floats:
    one = np.ones(x.shape)

    def terms(step: int) -> tuple[Floats, Floats]:
        m = step // 2
        if step % 2:
            return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), one
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), one

    return _fraction(one, terms)


def _fraction(first: Floats, terms: Callable[[int], tuple[Floats, Floats]]) -> Floats:
    """Give 1 / (first + n1 / (d1 + n2 / (d2 + ...))) by the method of Lentz."""
    c = np.full(first.shape, 1 / _TINY)
    d = 1 / np.where(np.abs(first) < _TINY, _TINY, first)
    total = d
    for step in range(1, 5000):
        numerator, denominator = terms(step)
        d = denominator + numerator * d
        d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
        c = denominator + numerator / c
        c = np.where(np.abs(c) < _TINY, _TINY, c)
        total = total * c * d
        if np.all(np.abs(c * d - 1) < 1e-15):
            break
    return total


def _length(slope: Floats, bend: Floats) -> Floats:
    """Say how far from the point the density has fallen to nothing: slope * L + bend * L² / 2 = _FALL."""
    return 2 * _FALL / (slope + np.sqrt(slope * slope + 2 * bend * _FALL))


def _gamma_integral(x: Floats, a: Floats, *, above: bool) -> Floats:
    """Give the tail from a point at or beyond the mode, in units of the front factor."""
    sign = 1.0 if above else -1.0
    slope = np.maximum(sign * (1 - (a - 1) / x), 0.0)
    length = _length(slope, (a - 1) / (x + 12 * np.sqrt(a)) ** 2)
    length = length if above else np.minimum(length, x)
    step = np.outer(length, (_NODES + 1) / 2) * sign
    fall = (a - 1)[:, None] * np.log1p(step / x[:, None]) - step
    return np.exp(fall) @ (_WEIGHTS / 2) * length * a / x


def _beta_integral(x: Floats, rest: Floats, a: Floats, b: Floats) -> Floats:
    """Give what lies below a point at or below the mode, in units of the front factor."""
    slope = np.maximum((a - 1) / x - (b - 1) / rest, 0.0)
    spread = np.sqrt(a * b / (a + b)) / (a + b)
    length = np.minimum(_length(slope, (a - 1) / x**2 + (b - 1) / (rest + 12 * spread) ** 2), x)
    step = np.outer(length, (_NODES + 1) / 2)
    fall = (a - 1)[:, None] * np.log1p(-step / x[:, None]) + (b - 1)[:, None] * np.log1p(step / rest[:, None])
    return np.exp(fall) @ (_WEIGHTS / 2) * length / (x * rest)


def _solved(
    tails: Callable[[Floats], Tails], goal: Floats, start: Floats, low: Floats, high: Floats, *, rising: bool
) -> Floats:
    """Find the logarithm of the point whose tail is exp(goal)."""
    u = start
    for _ in range(200):
        x = np.exp(u)
        tail, flow = tails(x)
        off = np.log(np.maximum(tail, _TINY)) - goal
        too_far = (off > 0) == rising
        high, low = np.where(too_far, u, high), np.where(too_far, low, u)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = u - off * tail / flow * (1.0 if rising else -1.0)
        new = np.where((step > low) & (step < high), step, (low + high) / 2)
        # What Newton leaves is about the square of what was left before; so near, rounding may point out of the bounds.
        near = np.abs(off) <= 1e-7
        u = np.where(near, np.where(np.isfinite(step), step, u), new)
        if np.all(near):
            break
    return u
