"""One function per question: frames of attempts or sessions in, a small pandas frame of numbers out.

Counting happens where the data are (pandas, Polars, DuckDB, …); rates, intervals and curves are finished here. Every
figure carries its numerator, denominator and interval, from when it was seen, and how many were left out and why.
"""

# Imported at once and not on demand: a function and its module may share a name, and the function must win.
from .collector import collector_gaps, collector_health
from .completeness import completeness
from .delivery import delivery_rate
from .error_codes import error_codes
from .lawful import lawful_order, unlawful
from .retries import retries
from .speed import clock_faults, time_to_verify
from .transitions import transitions
from .webhooks import webhook_health

__all__ = [
    "clock_faults",
    "collector_gaps",
    "collector_health",
    "completeness",
    "delivery_rate",
    "error_codes",
    "lawful_order",
    "retries",
    "time_to_verify",
    "transitions",
    "unlawful",
    "webhook_health",
]
