"""Which outcomes of an attempt count, and what is counted beside them; the words are those of sessions, too."""

from typing import Any

import narwhals as nw

from .counting import Ints
from .tally import Tally

# An outcome that says what became of the attempt; only these are denominators.
KNOWN = ("delivered", "undelivered", "failed", "accepted", "silent")
# The provider said that it did not arrive, and may have said why.
UNSUCCESSFUL = ("failed", "undelivered")
# What is in no rate. Age comes first: an attempt that is too young counts as immature, whatever else it is.
LEFT_OUT = IMMATURE, UNOBSERVED, UNKNOWN = ("immature", "unobserved", "unknown")
CATEGORIES = (*LEFT_OUT, *KNOWN)


def category() -> nw.Expr:
    """Put each attempt into one of `CATEGORIES`; what is left over is unknown, so that they add up to all attempts."""
    outcome = nw.col("outcome").fill_null(UNKNOWN)
    chain: Any = nw.when(~nw.col("mature")).then(nw.lit(IMMATURE))
    chain = chain.when(outcome.is_in([*KNOWN, UNOBSERVED])).then(outcome)
    made: nw.Expr = chain.otherwise(nw.lit(UNKNOWN))
    return made


def left_out(tally: Tally) -> dict[str, Ints]:
    """Count what is in no rate of its group: too young, not watched, or with no status that anybody listed."""
    return {name: tally.total([name]) for name in LEFT_OUT}
