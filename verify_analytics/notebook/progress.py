"""How does a notebook tell that it is at work? A bar in one place, changed as the work goes on; silent in scripts."""

import sys
from html import escape
from typing import Any, Protocol


class Told(Protocol):
    """Is told what is done now; used in a ``with``."""

    def step(self, words: str) -> None:
        """Say what is done now."""


class Bar:
    """A bar of known steps: one output that is changed in place, so that a run by papermill keeps one line of it.

    Parameters
    ----------
    steps
        How many there will be.
    """

    def __init__(self, steps: int) -> None:
        self._steps, self._done = steps, -1
        self._handle: Any = _display("", None)

    def step(self, words: str) -> None:
        """Move on by one step."""
        self._done += 1
        self._show(words)

    def end(self, words: str) -> None:
        """Fill the bar, and leave a line that says what was done."""
        self._done = self._steps
        self._show(words)

    def _show(self, words: str) -> None:
        if self._handle is not None:
            label = escape(words)
            bar = f'<progress max="{self._steps}" value="{self._done}" aria-label="{label}"></progress>'
            _display(f"{bar} {label}" if self._done < self._steps else label, self._handle, plain=words)


def _display(html: str, handle: Any, *, plain: str = "") -> Any:
    """Show or change an output where there is a kernel to show it; None where there is none."""
    shell = sys.modules.get("IPython")
    here = shell.get_ipython() if shell is not None else None
    if here is None or not hasattr(here, "kernel"):
        return None
    data = {"text/html": html, "text/plain": plain}
    from IPython.display import display

    if handle is None:
        return display(data, raw=True, display_id=True)
    handle.update(data, raw=True)
    return handle
