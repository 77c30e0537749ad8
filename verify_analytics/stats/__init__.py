"""Intervals, curves and comparisons: plain arrays in, named tuples of arrays out.

This room knows proportions, counts and times, and nothing of callbacks. Data come first and by position, options by
keyword. Impossible input raises `ArgumentError`; a number that does not exist (0 of 0, a quantile never
reached) is NaN.
"""

from .association import ChiSquared, Stratified, equal_proportions, mantel_haenszel, two_proportions_p
from .clustered import ClusteredInterval, Clusters, cluster_wilson, clusters_of
from .counts import mean_interval, poisson_exact
from .exact import clopper_pearson, jeffreys
from .incidence import (
    CumulativeIncidence,
    cumulative_incidence,
    incidence_at,
    incidence_quantiles,
    restricted_mean,
)
from .intervals import Band, Estimate, Mean, incidence_band, incidence_interval_at, quantile_intervals
from .multiplicity import benjamini_hochberg, holm
from .power import Detectable, detectable_difference, power_two_proportions, sample_size_two_proportions
from .proportion import Difference, Interval, newcombe, wilson
from .shrinkage import Shrunk, ShrunkRates, beta_binomial_shrinkage, shrunk_rates
from .survival import KaplanMeier, kaplan_meier, survival_band
from .waiting import conditional_incidence, restricted_mean_interval

__all__ = [
    "Band",
    "ChiSquared",
    "ClusteredInterval",
    "Clusters",
    "CumulativeIncidence",
    "Detectable",
    "Difference",
    "Estimate",
    "Interval",
    "KaplanMeier",
    "Mean",
    "Shrunk",
    "ShrunkRates",
    "Stratified",
    "benjamini_hochberg",
    "beta_binomial_shrinkage",
    "clopper_pearson",
    "cluster_wilson",
    "clusters_of",
    "conditional_incidence",
    "cumulative_incidence",
    "detectable_difference",
    "equal_proportions",
    "holm",
    "incidence_at",
    "incidence_band",
    "incidence_interval_at",
    "incidence_quantiles",
    "jeffreys",
    "kaplan_meier",
    "mantel_haenszel",
    "mean_interval",
    "newcombe",
    "poisson_exact",
    "power_two_proportions",
    "quantile_intervals",
    "restricted_mean",
    "restricted_mean_interval",
    "sample_size_two_proportions",
    "shrunk_rates",
    "survival_band",
    "two_proportions_p",
    "wilson",
]
