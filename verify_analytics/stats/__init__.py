"""Intervals and curves: plain arrays in, named tuples of arrays out.

This room knows proportions and times, and nothing of callbacks. Data come first and by position, options by keyword.
Impossible input raises `ArgumentError`; a number that does not exist (0 of 0, a quantile never reached) is NaN.
"""

from .clustered import ClusteredInterval, Clusters, cluster_wilson, clusters_of
from .incidence import (
    CumulativeIncidence,
    cumulative_incidence,
    incidence_at,
    incidence_quantiles,
    restricted_mean,
)
from .proportion import Difference, Interval, newcombe, wilson

__all__ = [
    "ClusteredInterval",
    "Clusters",
    "CumulativeIncidence",
    "Difference",
    "Interval",
    "cluster_wilson",
    "clusters_of",
    "cumulative_incidence",
    "incidence_at",
    "incidence_quantiles",
    "newcombe",
    "restricted_mean",
    "wilson",
]
