"""How are many charts drawn in little time? By two processes: this one, and a helper that draws while we still count.

Drawing takes longer than all counting of a small store. What comes out is the same whoever draws, to the byte; where no
helper can be started, or it ends before its work is done, everything is drawn here.
"""

import contextlib
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from types import TracebackType
from typing import NamedTuple, Self

import pandas as pd

from verify_analytics import charts

# The helper gets the places of modules from us and runs no file of the caller's: a script that makes a report would
# otherwise run a second time.
HELPER = "import sys; sys.path[:] = sys.argv[1:]; from verify_analytics.report.drawing import help_out; help_out()"
LONGEST_GOODBYE = 5.0
# Of these the message of a broken pipe, or of a helper that could not read what it got, is none of the user's concern.
BROKEN = (OSError, EOFError, ValueError, pickle.PickleError)


class Task(NamedTuple):
    """One chart to draw: the name of its files, the function that draws, and what it draws."""

    name: str
    draw: Callable[..., charts.Chart]
    frame: pd.DataFrame


class Picture(NamedTuple):
    """One chart as files: wide and narrow as SVG, wide as PNG."""

    wide: str
    narrow: str
    png: bytes


def drawn(task: Task) -> Picture:
    """Draw one chart twice, wide and narrow."""
    wide, narrow = (task.draw(task.frame, narrow=narrow) for narrow in (False, True))
    return Picture(charts.svg(wide, name=task.name), charts.svg(narrow, name=f"{task.name}-narrow"), charts.png(wide))


class Studio:
    """Takes charts to draw and gives their files back; used with ``with``, which ends the helper.

    Parameters
    ----------
    helper
        Whether a second process helps; with one processor it only costs.
    """

    def __init__(self, *, helper: bool = (os.cpu_count() or 1) > 1) -> None:
        self._tasks: deque[Task] = deque()
        self._pictures: dict[str, Picture] = {}
        self._change = Condition()
        self._closed = False
        self._helper = _started() if helper else None
        self._thread = Thread(target=self._hand_over, daemon=True)
        if self._helper is not None:
            self._thread.start()

    def __enter__(self) -> Self:
        """Open for tasks."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the helper, whatever happened."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        if self._helper is None:
            return
        if kind is not None:
            self._helper.kill()
        self._thread.join(LONGEST_GOODBYE)
        for pipe in (self._helper.stdin, self._helper.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        try:
            self._helper.wait(LONGEST_GOODBYE)
        except subprocess.TimeoutExpired:
            self._helper.kill()
            self._helper.wait()

    def ask(self, task: Task) -> None:
        """Put a chart on the list; the helper, if there is one, begins at once."""
        with self._change:
            self._tasks.append(task)
            self._change.notify_all()

    def pictures(self, say: Callable[[str], None]) -> dict[str, Picture]:
        """Draw what is left, beside the helper, and give all that was asked for by its name."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        while (task := self._next()) is not None:
            say(f"drawing {task.name}")
            self._pictures[task.name] = drawn(task)
        if self._helper is not None:
            self._thread.join()
        while (task := self._next()) is not None:  # what a helper that broke off has put back
            self._pictures[task.name] = drawn(task)
        return self._pictures

    def _next(self) -> Task | None:
        with self._change:
            return self._tasks.popleft() if self._tasks else None

    def _hand_over(self) -> None:
        """Give the helper one task after the other; put back what it could not do."""
        helper = self._helper
        if helper is None or helper.stdin is None or helper.stdout is None:
            return
        while True:
            with self._change:
                self._change.wait_for(lambda: bool(self._tasks) or self._closed)
                if not self._tasks:
                    return
                task = self._tasks.popleft()
            try:
                pickle.dump(task, helper.stdin)
                helper.stdin.flush()
                picture = pickle.load(helper.stdout)  # what our own helper wrote  # noqa: S301
            except BROKEN:
                picture = None
            if not isinstance(picture, Picture):
                with self._change:
                    self._tasks.appendleft(task)
                return
            self._pictures[task.name] = picture


def _started() -> subprocess.Popen[bytes] | None:
    """Start a helper; None where that cannot be."""
    if not sys.executable:
        return None
    command = [sys.executable, "-c", HELPER, *(path or "." for path in sys.path)]
    try:
        # Our own interpreter with our own words; it ends when its input does.
        return subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def help_out() -> None:
    """Draw what comes in, until nothing more comes; a chart that fails is left to the one who asked."""
    given, taken = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            task = pickle.load(given)  # what the process that started us wrote  # noqa: S301
        except EOFError:
            return
        try:
            made: Picture | None = drawn(task)
        except Exception:  # noqa: BLE001 - it is drawn again there, where the error belongs
            made = None
        pickle.dump(made, taken)
        taken.flush()
