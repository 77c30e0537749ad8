"""One function per question: frames of attempts or sessions in, a small pandas frame of numbers out.

Counting happens where the data are (pandas, Polars, DuckDB, …); rates, intervals and curves are finished here. Every
figure carries its numerator, denominator and interval, from when it was seen, and how many were left out and why.
"""

from typing import TYPE_CHECKING, NoReturn

from verify_analytics.errors import unknown_name

# Imported at once and not on demand: a function and its module may share a name, and the function must win.
from .clock_faults import clock_faults
from .collector import collector_gaps, collector_health
from .compare import compare
from .completeness import completeness
from .delivery import delivery_rate
from .delivery_speed import time_to_deliver
from .error_codes import error_codes
from .funnel import funnel
from .lawful import lawful_order, unlawful
from .retries import retries
from .speed import time_to_verify
from .switching import when_to_switch
from .transitions import transitions
from .trust import receipt_trust
from .verification import verification_rate
from .webhooks import webhook_health

__all__ = [
    "clock_faults",
    "collector_gaps",
    "collector_health",
    "compare",
    "completeness",
    "delivery_rate",
    "error_codes",
    "funnel",
    "lawful_order",
    "receipt_trust",
    "retries",
    "time_to_deliver",
    "time_to_verify",
    "transitions",
    "unlawful",
    "verification_rate",
    "webhook_health",
    "when_to_switch",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, which would take any name for known.

    def __getattr__(name: str) -> NoReturn:
        """Answer a name that is not here with the nearest one."""
        unknown_name(__name__, name, __all__)
