"""For notebooks alone: open a study from the parameters, show a frame so that it reads well, export what was shown.

Nothing in here computes a figure; every number comes from `metrics` and can be had there without a notebook.
"""

from .opening import Study, study

__all__ = ["Study", "study"]
