"""Every chart of the sample and of hard frames, drawn once per width for the tests that look at all of them alike."""

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from verify_analytics import charts, load, metrics, model
from verify_analytics.errors import DoubtfulWarning

SAMPLE = Path(__file__).parents[3] / "data" / "sample" / "callbacks.parquet"
AS_OF = "2026-10-29T00:00Z"


class Given(NamedTuple):
    """The sample as the metrics take it."""

    callbacks: Any
    pulse: Any
    attempts: Any
    sessions: Any


@cache
def sample() -> Given:
    """Read and fold the sample once."""
    callbacks, told, pulse = load.callbacks(SAMPLE), load.verifications(SAMPLE), load.pulse(SAMPLE)
    attempts = model.attempts(callbacks, as_of=AS_OF, verifications=told, pulse=pulse)
    kept = load.keep(attempts)
    return Given(callbacks, pulse, kept, load.keep(model.sessions(kept)))


def delivery(*by: str, **options: Any) -> Callable[[], pd.DataFrame]:
    return lambda: metrics.delivery_rate(sample().attempts, by=list(by), **options)


def halves(metric: Callable[..., pd.DataFrame], **options: Any) -> pd.DataFrame:
    """Compare the first days of the sample with the later ones."""
    middle = int(pd.Timestamp("2026-10-25T12:00Z").timestamp() * 1e6)
    sessions = sample().sessions
    sides = [metric(sessions.filter(f"started_us {sign} {middle}"), **options) for sign in ("<", ">=")]
    return metrics.compare(*sides, names=("first days", "later days"))


# Name of the picture: the chart, and the frame it draws.
PICTURES: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
    "delivery by channel and role": ("delivery_rate", delivery("channel", "role", totals=True)),
    "delivery by country": ("delivery_rate", delivery("country", top=5, totals=True)),
    "delivery by day": ("delivery_rate", delivery("day")),
    "delivery by channel and 6 hours": ("delivery_rate", delivery("channel", "6h")),
    "delivery by country and day": ("delivery_rate", delivery("country", "day")),
    "delivery by weekday": ("delivery_rate", delivery("weekday")),
    "delivery by local hour": ("delivery_rate", delivery("local_hour")),
    "delivery by hour of the week": ("delivery_rate", delivery("weekday", "hour")),
    "delivery by month": ("delivery_rate", delivery("month")),
    "verification": ("verification_rate", lambda: metrics.verification_rate(sample().sessions)),
    "verification by country": (
        "verification_rate",
        lambda: metrics.verification_rate(sample().sessions, by="country", top=5, totals=True),
    ),
    "codes": ("error_codes", lambda: metrics.error_codes(sample().attempts)),
    "codes by day": ("error_codes", lambda: metrics.error_codes(sample().attempts, by="day")),
    "retries": ("retries", lambda: metrics.retries(sample().attempts)),
    "ways": ("retry_flow", lambda: metrics.retries(sample().attempts)),
    "attempts": ("attempts_per_session", lambda: metrics.retries(sample().attempts)),
    "attempts by country": ("attempts_per_session", lambda: metrics.retries(sample().attempts, by="country", top=3)),
    "gaps of attempts": ("retry_gaps", lambda: metrics.retries(sample().attempts)),
    "time to verify": ("time_to_verify", lambda: metrics.time_to_verify(sample().sessions)),
    "time to verify by country": ("time_to_verify", lambda: metrics.time_to_verify(sample().sessions, by="country")),
    "time to deliver": ("time_to_deliver", lambda: metrics.time_to_deliver(sample().attempts, floor=0.5)),
    "time to deliver, not seen": ("time_to_deliver", lambda: metrics.time_to_deliver(sample().attempts)),
    "switch": ("when_to_switch", lambda: metrics.when_to_switch(sample().sessions)),
    "funnel": ("funnel", lambda: metrics.funnel(sample().attempts)),
    "funnel by country": ("funnel", lambda: metrics.funnel(sample().attempts, by="country", top=2, totals=True)),
    "compared shares": ("compare", lambda: halves(metrics.verification_rate)),
    "compared times": ("compare", lambda: halves(metrics.time_to_verify)),
    "webhooks": (
        "webhook_health",
        lambda: metrics.webhook_health(sample().callbacks, as_of=AS_OF, pulse=sample().pulse),
    ),
    "webhooks by day": (
        "webhook_health",
        lambda: metrics.webhook_health(sample().callbacks, as_of=AS_OF, pulse=sample().pulse, by="day"),
    ),
    "collector": ("collector_health", lambda: metrics.collector_health(sample().pulse, as_of=AS_OF)),
    "collector by day": ("collector_health", lambda: metrics.collector_health(sample().pulse, as_of=AS_OF, by="day")),
    "gaps": ("collector_gaps", lambda: metrics.collector_gaps(sample().pulse, as_of=AS_OF)),
    "completeness": ("completeness", lambda: metrics.completeness(sample().attempts)),
    "completeness by day": ("completeness", lambda: metrics.completeness(sample().attempts, by="day")),
    "order": ("lawful_order", lambda: metrics.lawful_order(sample().attempts)),
    "receipts": ("receipt_trust", lambda: metrics.receipt_trust(sample().attempts)),
    "transitions": ("transitions", lambda: metrics.transitions(sample().callbacks, as_of=AS_OF)),
}


@cache
def frame_of(picture: str) -> pd.DataFrame:
    """Measure the frame of a picture, once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulWarning)
        return PICTURES[picture][1]()


@cache
def drawn(picture: str, *, narrow: bool) -> charts.Chart:
    """Draw a picture, once, and see that its frame is still what it was."""
    before = frame_of(picture).copy(deep=True)
    chart: charts.Chart = getattr(charts, PICTURES[picture][0])(frame_of(picture), narrow=narrow)
    pd.testing.assert_frame_equal(frame_of(picture), before)
    return chart
