"""A provider whose truth is known: sessions, delays, losses, redeliveries and bots, signed like the real one.

`history` makes a history; it writes a capture of what arrived and the truth beside it. `send` posts a capture over
HTTP with the provider's retries, `live` posts good and bad requests whose answers are known. Nothing here knows the
collector, the model or the metrics, so that all of them can be judged by it. All phone numbers are made up.
"""

from verify_analytics.simulate.features import Features
from verify_analytics.simulate.history import History, history
from verify_analytics.simulate.live import Live, live
from verify_analytics.simulate.plan import Plan
from verify_analytics.simulate.send import SendResult, send

__all__ = ["Features", "History", "Live", "Plan", "SendResult", "history", "live", "send"]
