"""Which outcomes of an attempt count, and what is counted beside them; shared by every metric of attempts."""

from .counting import Counts, Ints

# An outcome that says what became of the attempt; only these are denominators.
KNOWN = ("delivered", "undelivered", "failed", "accepted", "silent")
# The provider said that it did not arrive, and may have said why.
UNSUCCESSFUL = ("failed", "undelivered")


def left_out(counts: Counts) -> dict[str, Ints]:
    """Count what is in no rate of its group: too young, not watched, or with no status that anybody listed.

    Age comes first: an attempt that is too young counts as immature, whatever else it is. The unknown are what is left
    over, so that known + immature + unobserved + unknown is always every attempt.
    """
    mature = counts.table["mature"].astype(bool)
    outcome = counts.table["outcome"]
    known, unobserved = counts.total(mature & outcome.isin(KNOWN)), counts.total(mature & (outcome == "unobserved"))
    return {
        "immature": counts.total(~mature),
        "unobserved": unobserved,
        "unknown": counts.total(mature) - known - unobserved,
    }
