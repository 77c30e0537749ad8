"""One chart per question, under the name of its metric: a small frame in, a matplotlib Figure out.

A chart draws what the metric's frame says and computes nothing. `png` and `svg` make files of it; `alt` on each chart
says in words what it shows.
"""

from typing import TYPE_CHECKING, NoReturn

from verify_analytics.errors import unknown_name

# Imported at once and not on demand: a function and its module may share a name, and the function must win.
from .attempts import attempts_per_session, retry_gaps
from .canvas import Chart
from .compare import compare
from .delivery import delivery_rate
from .doubts import completeness, lawful_order, receipt_trust
from .error_codes import error_codes
from .files import inline, png, svg
from .flow import retry_flow
from .funnel import funnel
from .retries import retries
from .speed import time_to_deliver, time_to_verify
from .switching import when_to_switch
from .transitions import transitions
from .verification import verification_rate
from .webhooks import collector_gaps, collector_health, webhook_health

__all__ = [
    "Chart",
    "attempts_per_session",
    "collector_gaps",
    "collector_health",
    "compare",
    "completeness",
    "delivery_rate",
    "error_codes",
    "funnel",
    "inline",
    "lawful_order",
    "png",
    "receipt_trust",
    "retries",
    "retry_flow",
    "retry_gaps",
    "svg",
    "time_to_deliver",
    "time_to_verify",
    "transitions",
    "verification_rate",
    "webhook_health",
    "when_to_switch",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, which would take any name for known.

    def __getattr__(name: str) -> NoReturn:
        """Answer a name that is not here with the nearest one."""
        unknown_name(__name__, name, __all__)
