"""For notebooks alone: open a study from the parameters, show a frame so that it reads well, export what was shown.

Nothing in here computes a figure: every number comes from `metrics`, and can be had there without a notebook.
"""

from typing import TYPE_CHECKING, NoReturn

from verify_analytics.errors import unknown_name

from .answers import answers
from .display import Shown, show
from .exporting import Written, export
from .opening import Study, study

__all__ = ["Shown", "Study", "Written", "answers", "export", "show", "study"]

if not TYPE_CHECKING:
    # Hidden from type checkers, which would take any name for known.

    def __getattr__(name: str) -> NoReturn:
        """Answer a name that is not here with the nearest one."""
        unknown_name(__name__, name, __all__)
