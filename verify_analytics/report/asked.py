"""Which figures does a report ask for? Every metric with its split, under the name its files have."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import narwhals as nw
import pandas as pd

from verify_analytics import metrics
from verify_analytics.errors import DoubtfulWarning

ATTEMPTS, SESSIONS, CALLBACKS, PULSE = "attempts", "sessions", "callbacks", "pulse"
# Small multiples and blocks: as many as one can look at.
MOST_COUNTRIES, MOST_BLOCKS = 6, 20


class Asked(NamedTuple):
    """One question: the metric, what splits it, what it is asked of, and how many groups are kept apart.

    `role` asks of the attempts of one role alone, where no session has two.
    """

    metric: str
    by: tuple[str, ...] = ()
    of: str = ATTEMPTS
    top: int | None = None
    role: str = ""


class Given(NamedTuple):
    """What is asked: everything folded once; the pulse is None where the store keeps none."""

    attempts: Any
    sessions: Any
    callbacks: Any
    pulse: Any | None
    as_of: Any
    window: Any


# In the order in which they are asked: what takes longest to draw comes early.
FRAMES: dict[str, Asked] = {
    "time-to-verify-by-country": Asked("time_to_verify", ("country",), of=SESSIONS, top=MOST_COUNTRIES),
    "delivery": Asked("delivery_rate"),
    "delivery-by-channel-and-role": Asked("delivery_rate", ("channel", "role")),
    "delivery-by-country": Asked("delivery_rate", ("country",)),
    "delivery-by-channel-and-day": Asked("delivery_rate", ("channel", "day")),
    "delivery-by-country-and-day": Asked("delivery_rate", ("country", "day"), top=MOST_COUNTRIES),
    "delivery-by-weekday-and-hour": Asked("delivery_rate", ("weekday", "hour")),
    "error-codes": Asked("error_codes"),
    "error-codes-by-day": Asked("error_codes", ("day",)),
    "retries": Asked("retries"),
    "verification": Asked("verification_rate", of=SESSIONS),
    "time-to-verify": Asked("time_to_verify", of=SESSIONS),
    "time-to-deliver": Asked("time_to_deliver", ("country",), top=MOST_COUNTRIES, role="first_choice"),
    "when-to-switch": Asked("when_to_switch", of=SESSIONS),
    "funnel": Asked("funnel"),
    "webhook-health": Asked("webhook_health", of=CALLBACKS),
    "webhook-health-by-day": Asked("webhook_health", ("day",), of=CALLBACKS),
    "collector-health": Asked("collector_health", ("day",), of=PULSE),
    "completeness": Asked("completeness"),
    "lawful-order": Asked("lawful_order"),
    "receipt-trust": Asked("receipt_trust"),
}
BLOCKS = {"delivery-by-number-block": Asked("delivery_rate", ("number_block",), top=MOST_BLOCKS)}
WINDOWED = {"retries", "funnel", "receipt_trust", "lawful_order"}
PLACED = {"webhook_health"}


def asked_for(*, number_blocks: bool) -> dict[str, Asked]:
    """Name what a report asks; blocks of numbers only where somebody said so."""
    return FRAMES | (BLOCKS if number_blocks else {})


def answer(asked: Asked, given: Given) -> pd.DataFrame:
    """Ask one question."""
    options: dict[str, Any] = {"by": asked.by}
    if asked.top is not None:
        options["top"] = asked.top
    if asked.metric in WINDOWED:
        options["window"] = given.window
    if asked.of in {CALLBACKS, PULSE}:
        options |= {"as_of": given.as_of}
    if asked.metric in PLACED:
        options["pulse"] = given.pulse
    of = getattr(given, asked.of)
    if asked.role:
        of = nw.from_native(of).filter(nw.col("role") == asked.role).to_native()
    frame: pd.DataFrame = getattr(metrics, asked.metric)(of, **options)
    return frame


def answers(
    asked: Mapping[str, Asked],
    given: Given,
    say: Callable[[str], None],
    ready: Callable[[str, pd.DataFrame], None] | None = None,
) -> tuple[dict[str, pd.DataFrame], tuple[str, ...]]:
    """Ask every question once; what the metrics doubt is kept for the reader of the report, each doubt once."""
    frames = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DoubtfulWarning)
        for name, question in asked.items():
            say(f"computing {name}")
            frames[name] = answer(question, given)
            if ready is not None:
                ready(name, frames[name])
    doubts = [str(each.message).partition(": ")[2] for each in caught if issubclass(each.category, DoubtfulWarning)]
    for other in caught:
        if not issubclass(other.category, DoubtfulWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return frames, tuple(dict.fromkeys(doubts))
