"""When did no collector listen? The minutes without a pulse, found in one place for every metric and report."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.typing import IntoFrame

from verify_analytics.model.columns import require
from verify_analytics.model.frames import names, opened

from .counting import Ints
from .engine import collected
from .periods import MINUTE_US

# The provider tries a callback for the last time 60 + 120 + 240 seconds after the first time.
LAST_TRY_MINUTES = 7


class Gap(NamedTuple):
    """A time in which no collector listened; `to_us` is the first minute in which one listened again."""

    from_us: int
    to_us: int

    @property
    def minutes(self) -> int:
        """Length in whole minutes."""
        return (self.to_us - self.from_us) // MINUTE_US


def pulse_rows(pulse: IntoFrame | None, columns: Sequence[str], *, as_of_us: int) -> pd.DataFrame:
    """Bring over the minutes of a pulse that were over at a moment; none where there is no pulse.

    Parameters
    ----------
    pulse
        As `load.pulse` gives it, or None where the store has none.
    columns
        What to bring over, ``minute_us`` among it.
    as_of_us
        Minutes that end later do not exist yet: their row is written when they are over.

    Returns
    -------
    pandas.DataFrame
        One row per collector and minute, in no order.
    """
    if pulse is None:
        return pd.DataFrame({name: pd.Series(dtype="int64") for name in columns})
    frame = opened(pulse)
    require(columns, names(frame), what="pulse", advice="Bring it in with load.pulse(...)")
    return collected(frame.filter(nw.col("minute_us") <= as_of_us - MINUTE_US).select(*columns))


def gaps_between(minutes: Any) -> tuple[Gap, ...]:
    """Find where consecutive minutes, of whichever collector, lie more than a minute apart.

    What lies before the first and after the last is not known, and no gap.

    Examples
    --------
    >>> [gap.minutes for gap in gaps_between([0, 60_000_000, 240_000_000])]
    [2]
    """
    heard: Ints = np.unique(np.asarray(minutes, dtype=np.int64))
    before = np.flatnonzero(np.diff(heard) > MINUTE_US)
    return tuple(Gap(int(heard[at]) + MINUTE_US, int(heard[at + 1])) for at in before)
