"""Callbacks become attempts, and attempts sessions: the words of this project as columns.

``fold`` reduces callbacks to states with minimum and maximum alone; ``merge`` puts states together; ``finish`` looks at
them from one moment. ``attempts`` is the three together, ``sessions`` groups what it gave,
``silences`` lists when a source told nothing, ``story`` tells one session.
"""

from typing import TYPE_CHECKING, NoReturn

from verify_analytics.errors import unknown_name
from verify_analytics.model.columns import (
    ATTEMPTS,
    CALLBACKS,
    PULSE,
    SESSIONS,
    SILENCES,
    STATES,
    STATES_VERSION,
    VERIFICATIONS,
)
from verify_analytics.model.finish import attempts, finish
from verify_analytics.model.fold import fold, merge
from verify_analytics.model.sessions import sessions
from verify_analytics.model.silences import silences
from verify_analytics.model.story import story

__all__ = [
    "ATTEMPTS",
    "CALLBACKS",
    "PULSE",
    "SESSIONS",
    "SILENCES",
    "STATES",
    "STATES_VERSION",
    "VERIFICATIONS",
    "attempts",
    "finish",
    "fold",
    "merge",
    "sessions",
    "silences",
    "story",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, which would take any name for known.

    def __getattr__(name: str) -> NoReturn:
        """Answer a name that is not here with the nearest one."""
        unknown_name(__name__, name, __all__)
