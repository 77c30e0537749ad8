"""What a notebook needs beside the metrics: to open a store, to show a frame readably, to put its pictures away.

``study`` opens a store once for all cells, ``show`` gives a frame as a person reads it, ``export`` writes what was
shown. Nothing here computes a figure.
"""

from typing import NoReturn

from verify_analytics.errors import no_name

from .exporting import export
from .showing import Readable, show
from .studying import Study, study

__all__ = ["Readable", "Study", "export", "show", "study"]


def __getattr__(name: str) -> NoReturn:
    raise no_name("verify_analytics.notebook", name, __all__)
