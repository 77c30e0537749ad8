"""Gives what a store would hold of a history, without running a collector.

For studies over thousands of small histories: callbacks, verifications and pulse as pandas frames in the shape of the
window. What is in them is said in `stored`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from verify_analytics.simulate import stored

if TYPE_CHECKING:
    from verify_analytics.simulate.history import History


def frames(history: History) -> dict[str, pd.DataFrame]:
    """Give what a collector would have stored of a history by its end.

    Returns
    -------
    dict
        ``callbacks`` (one row per arrival), ``verifications`` (one row per session and moment reported) and ``pulse``
        (one row per minute in which the collector was up). Moments are UTC with microseconds; text that is missing is
        missing as pandas has it.
    """
    parts = [part for chunk in history.chunks() for part in chunk]
    callbacks: pd.DataFrame = stored.plain(stored.callbacks(parts)).to_pandas()
    # A number that may be missing stays one of whole numbers.
    callbacks["attempt_sequence"] = callbacks["attempt_sequence"].astype("Int64")
    return {
        "callbacks": callbacks,
        "verifications": stored.verifications(parts).to_pandas(),
        "pulse": stored.pulse(stored.minutes_up(history), [stored.minutes(parts)]).to_pandas(),
    }
