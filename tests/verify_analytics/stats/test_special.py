"""The quantiles that exact intervals are made of, held to scipy over the sizes that can occur."""

import numpy as np
import pytest
from scipy import special as scipy
from scipy.stats import norm, t

from verify_analytics.stats import special

SHARES = np.array([1e-6, 0.005, 0.025, 0.5, 0.975])
# Among them both sides of the border from which on densities are integrated.
SIZES = np.array([0.3, 1, 4.5, 40, 299, 301, 2_500, 1e5])


def test_beta_quantiles_agree_with_scipy() -> None:
    share, a, b = (grid.ravel() for grid in np.meshgrid(SHARES, SIZES, SIZES))
    assert special.beta_quantile(share, a, b) == pytest.approx(scipy.betaincinv(a, b, share), rel=1e-10)


def test_gamma_quantiles_agree_with_scipy_on_both_sides() -> None:
    share, a = (grid.ravel() for grid in np.meshgrid(SHARES, SIZES))
    assert special.gamma_quantile(share, a) == pytest.approx(scipy.gammaincinv(a, share), rel=1e-10)
    assert special.gamma_quantile(share, a, upper=True) == pytest.approx(scipy.gammainccinv(a, share), rel=1e-10)


def test_shares_and_quantiles_undo_each_other_for_a_thousand_million() -> None:
    for a, b in [(1e9, 1e9), (3.0, 1e9), (1e9, 700.0)]:
        assert special.beta_share(special.beta_quantile(0.025, a, b), a, b) == pytest.approx(0.025, rel=1e-6)
    assert special.gamma_share(special.gamma_quantile(0.025, 1e9), 1e9) == pytest.approx(0.025, rel=1e-6)
    # By hand: the median of a gamma distribution of shape a is a - 1/3 for a large a.
    assert special.gamma_quantile(0.5, 1e6) == pytest.approx(1e6 - 1 / 3, abs=1e-4)


def test_nothing_lies_below_the_least_and_everything_below_the_greatest() -> None:
    assert special.beta_share([0.0, 1.0], 3, 5).tolist() == [0, 1]
    assert special.gamma_share(0.0, 3) == 0
    assert special.gamma_share(0.0, 3, upper=True) == 1


def test_gamma_functions_normal_and_student_agree_with_scipy() -> None:
    z = np.exp(np.linspace(-5, 15, 301))
    assert special.log_gamma(z) == pytest.approx(scipy.gammaln(z), rel=1e-12, abs=1e-13)
    assert special.digamma(z) == pytest.approx(scipy.digamma(z), rel=1e-12, abs=1e-13)
    assert special.trigamma(z) == pytest.approx(scipy.polygamma(1, z), rel=1e-12)
    at = np.linspace(-6, 12, 50)
    assert special.normal_tail(at) == pytest.approx(norm.sf(at), rel=1e-12)
    degrees = np.array([1.0, 2, 5, 30, 1e6])
    assert special.student_quantile(0.025, degrees) == pytest.approx(t.isf(0.025, degrees), rel=1e-9)
