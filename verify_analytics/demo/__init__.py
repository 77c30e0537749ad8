"""The whole road once, for a new user: a collector, a month of callbacks, live traffic, a report.

Everything is simulated and stays on this machine. What was sent is compared with what was stored, refused and counted;
a difference ends the demo with an error.
"""

from verify_analytics.demo.road import Show, run

__all__ = ["Show", "run"]
