"""Who wants to see how far a long reading is? Nobody, unless asked: a script stays silent."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Watch = Callable[[str, int, int | None], None]
# How often it is told, at most.
PAUSE_SECONDS = 0.2

_watching: list[Watch] = []


@contextmanager
def watched(by: Watch) -> Iterator[None]:
    """Have it told how far the reading of a store is, while the block runs.

    Parameters
    ----------
    by
        Called with the name of the table, how many rows have come, and how many are expected: None where that is not
        known. At most five times a second, and from the thread that reads.

    Examples
    --------
    >>> with watched(lambda table, rows, of: print(table, rows, of)):
    ...     tell("callbacks", 1000, None)
    callbacks 1000 None
    """
    _watching.append(by)
    try:
        yield
    finally:
        _watching.remove(by)


def tell(table: str, rows: int, of: int | None) -> None:
    """Tell whoever watches; nobody does unless `watched` was entered."""
    for watch in tuple(_watching):
        watch(table, rows, of)


class Pace:
    """Says when it is time to tell again."""

    def __init__(self, pause: float = PAUSE_SECONDS) -> None:
        self._pause = pause
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Say whether the pause is over; if so, the next one begins."""
        now = time.monotonic()
        if now - self._last < self._pause:
            return False
        self._last = now
        return True
