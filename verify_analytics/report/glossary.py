"""What is each figure of this report a share of? The project's own definitions, of the metrics that are shown."""

from collections.abc import Iterable
from typing import NamedTuple

from verify_analytics.metrics.definitions import DEFINITIONS

KINDS = {"rate": "share", "seconds": "time", "number": "mean", "curve": "share by second", "count": "count"}
SAME = "the same"
# What a person calls a metric.
NAMES = {
    "delivery_rate": "Delivery",
    "error_codes": "Error codes",
    "retries": "Retries and changes of channel",
    "verification_rate": "Verification",
    "time_to_verify": "Time to verify",
    "time_to_deliver": "Time to deliver",
    "when_to_switch": "When to offer another way",
    "funnel": "How far sessions get",
    "receipt_trust": "Trust in receipts",
    "webhook_health": "Callbacks as they arrive",
    "collector_health": "The collector",
    "completeness": "Completeness",
    "lawful_order": "Lawful order",
    "transitions": "Steps from state to state",
}


class Term(NamedTuple):
    """One figure: its name in the tables, whether it is a share or a time, what is counted, and of how many."""

    measure: str
    kind: str
    above: str
    below: str


class Terms(NamedTuple):
    """The figures of one metric, and where on the page they stand."""

    name: str
    anchor: str
    terms: tuple[Term, ...]


def anchor(metric: str) -> str:
    """Name the place of a metric's definitions.

    >>> anchor("delivery_rate")
    'define-delivery-rate'
    """
    return f"define-{metric.replace('_', '-')}"


def glossary(shown: Iterable[str]) -> list[Terms]:
    """Define every figure of the metrics that are shown, each in full: "the same" is written out."""
    wanted = list(dict.fromkeys(shown))
    made = []
    for metric in (name for name in NAMES if name in wanted):
        terms: list[Term] = []
        for entry in (entry for entry in DEFINITIONS if entry.metric == metric and entry.measure != "not_observable"):
            below = entry.below
            if below.startswith(SAME):
                like = below.removeprefix(f"{SAME} as ").partition(",")[0]
                meant = next(
                    (term.below for term in terms if term.measure == like), terms[-1].below if terms else below
                )
                rest = below.removeprefix(f"{SAME} as {like}").removeprefix(SAME)
                below = meant + rest
            terms.append(Term(entry.measure, KINDS[entry.kind], entry.above, below))
        made.append(Terms(NAMES[metric], anchor(metric), tuple(terms)))
    return made
