"""Many questions at once: Holm, Benjamini and Hochberg, held to R's p.adjust and to statsmodels."""

import math
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from verify_analytics import stats
from verify_analytics.errors import ArgumentError

METHODS = {"multitest_holm": stats.holm, "multitest_fdr_bh": stats.benjamini_hochberg}


@pytest.mark.parametrize("name", METHODS)
def test_adjusted_p_values_agree_with_r_p_adjust(name: str, published: dict[str, Any]) -> None:
    check = published[name]
    p = np.array(check["inputs"]["p_values"])
    adjusted = METHODS[name](p)[np.argsort(p)]
    assert adjusted == pytest.approx(np.array(check["expected"]["adjusted"]), abs=check["tolerance"])


@pytest.mark.parametrize("seed", range(3))
def test_adjusted_p_values_agree_with_statsmodels_with_equal_ones_too(seed: int) -> None:
    p = np.round(np.random.default_rng(seed).random(40) ** 3, 2)
    assert stats.holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert stats.benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


@pytest.mark.parametrize("adjust", [stats.holm, stats.benjamini_hochberg])
def test_what_could_not_be_answered_stays_so_and_is_not_counted(adjust: Any) -> None:
    assert adjust([0.01, math.nan, 0.2]) == pytest.approx(
        np.append(np.insert(adjust([0.01, 0.2]), 1, math.nan), []), nan_ok=True
    )
    assert len(adjust([])) == 0
    assert np.isnan(adjust([math.nan])).all()
    assert adjust([0.0, 1.0]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("adjust", [stats.holm, stats.benjamini_hochberg])
@pytest.mark.parametrize("p", [[1.2], [-0.1], [[0.1, 0.2]]])
def test_what_is_no_list_of_p_values_is_refused(adjust: Any, p: Any) -> None:
    with pytest.raises(ArgumentError, match="from 0 to 1"):
        adjust(p)
