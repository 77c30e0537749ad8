"""How far is the work? A bar in a notebook that is drawn in one place, and silence everywhere else unless asked.

DuckDB's own bar needs ipywidgets, which leave nothing behind in a notebook that papermill ran; see
``docs/decisions/0028-what-a-notebook-shows-while-it-works.md``.
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from html import escape
from typing import Any, Protocol, TextIO, TypeVar

import duckdb

from verify_analytics import load
from verify_analytics.errors import DoubtfulWarning, LeftOutNotice

R = TypeVar("R")
# Work that is over sooner shows no bar; afterwards it is drawn anew this often.
QUIET_SECONDS = 0.5
PAUSE_SECONDS = 0.5
PLAIN = {DoubtfulWarning: "Doubtful", LeftOutNotice: "Left out"}


class Face(Protocol):
    """Where progress is shown."""

    def show(self, words: str, share: float | None) -> None:
        """Show what is being done and what share of it is done, if known."""

    def close(self) -> None:
        """Take it away."""


class InNotebook:
    """A bar in the output of a cell, always the same one; it is gone when the work is done."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, words: str, share: float | None) -> None:
        """Draw the bar, or draw it anew in its place."""
        shown = bar(words, share)
        if self._handle is None:
            from IPython.display import display

            self._handle = display(shown, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(shown, raw=True)

    def close(self) -> None:
        """Leave an empty output: what the cell shows in the end is the answer."""
        if self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)
            self._handle = None


class OnTerminal:
    """Lines on standard error."""

    def show(self, words: str, share: float | None) -> None:
        """Write one line."""
        sys.stderr.write(f"{_spoken(words, share)}\n")

    def close(self) -> None:
        """Leave the lines where they are."""


def bar(words: str, share: float | None) -> dict[str, str]:
    """Make the bar in HTML that needs no script, and the same in words.

    >>> bar("folding", 0.42)["text/plain"]
    'folding: 42 %'
    """
    value = "" if share is None else f' value="{100 * share:.0f}"'
    drawn = f'<progress max="100"{value} aria-label="{escape(words)}"></progress> {escape(_spoken(words, share))}'
    return {"text/plain": _spoken(words, share), "text/html": f'<div role="status">{drawn}</div>'}


def _spoken(words: str, share: float | None) -> str:
    return words if share is None else f"{words}: {100 * share:.0f} %"


def face(progress: bool | None) -> Face | None:
    """Choose where progress is shown: in a notebook there, elsewhere nowhere unless asked.

    Parameters
    ----------
    progress
        None decides by itself, True asks for it, False for silence.
    """
    if progress is False:
        return None
    if in_notebook():
        return InNotebook()
    return OnTerminal() if progress else None


def speak_plainly() -> None:
    """Show what is doubtful as a sentence in a notebook, without the path and the line of code before it.

    Other warnings stay as they are, and a script, too. Called again it changes nothing.
    """
    if not in_notebook() or hasattr(warnings.showwarning, "plain"):
        return
    before = warnings.showwarning

    def show(  # noqa: PLR0917 - the arguments of warnings.showwarning
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is None and issubclass(category, tuple(PLAIN)):
            from IPython.display import display

            word = next(word for kind, word in PLAIN.items() if issubclass(category, kind))
            said = f"{word}: {message}"
            html = f'<p role="note"><strong>{word}:</strong> {escape(str(message))}</p>'
            display({"text/plain": said, "text/html": html}, raw=True)  # type: ignore[no-untyped-call]
        else:
            before(message, category, filename, lineno, file, line)

    show.plain = True  # type: ignore[attr-defined]
    warnings.showwarning = show


def in_notebook() -> bool:
    """Say whether this runs in the kernel of a notebook."""
    python = sys.modules.get("IPython")
    shell = None if python is None else python.get_ipython()
    return hasattr(shell, "kernel")


class Steps:
    """Does pieces of work one after the other and shows how far each one is.

    Parameters
    ----------
    shown
        Where; None shows nothing and does the work in the calling thread.
    """

    def __init__(self, shown: Face | None) -> None:
        self._face = shown
        self._began = time.monotonic()
        self._share: float | None = None
        self._rows = ""
        self._started = self._began

    def __call__(self, words: str, work: Callable[[], R]) -> R:
        """Do one piece of work and give what it gave, or raise what it raised."""
        if self._face is None:
            return work()
        self._share, self._rows, self._started = None, "", time.monotonic()
        ours = load.connection()
        with ThreadPoolExecutor(1) as pool, load.watched(self._read), _counted(ours) as counted:
            done = pool.submit(work)
            try:
                self._wait(done, words, ours if counted else None)
            except BaseException:
                # Ctrl-C, or the button that stops a cell: the query must end before the thread can.
                # Told again until it has heard: the first word may come before the query begins.
                while not wait([done], timeout=PAUSE_SECONDS).done:
                    ours.interrupt()
                raise
            return done.result()

    def close(self) -> None:
        """Take the bar away."""
        if self._face is not None:
            self._face.close()

    def _read(self, table: str, rows: int, of: int | None) -> None:
        self._rows = f"{table}, {rows:,} rows so far"
        self._share = min(1.0, rows / of) if of else None

    def _wait(self, done: "Future[R]", words: str, counted: duckdb.DuckDBPyConnection | None) -> None:
        while True:
            try:
                done.exception(timeout=PAUSE_SECONDS if self._shows() else QUIET_SECONDS / 5)
            except NotYet:
                if self._shows() and self._face is not None:
                    self._face.show(*self._told(words, counted))
            else:
                return

    def _told(self, words: str, counted: duckdb.DuckDBPyConnection | None) -> tuple[str, float | None]:
        if self._rows:
            return f"{words} ({self._rows})", self._share
        percent = -1.0 if counted is None else counted.query_progress()
        return f"{words} ({time.monotonic() - self._started:.0f} s so far)", percent / 100 if percent >= 0 else None

    def _shows(self) -> bool:
        return time.monotonic() - self._began >= QUIET_SECONDS


@contextmanager
def _counted(ours: duckdb.DuckDBPyConnection) -> Iterator[bool]:
    """Have DuckDB count how far a query is; say whether it does.

    It counts only while its own bar is on, which is kept from being drawn. In a notebook it refuses without ipywidgets:
    then nobody knows how far a query is, and only the time is told.
    """
    was = ours.sql("SELECT current_setting('enable_progress_bar'), current_setting('progress_bar_time')").fetchall()[0]
    try:
        ours.execute("SET enable_progress_bar = true")
    except duckdb.Error:
        yield False
        return
    ours.execute("SET enable_progress_bar_print = false")
    ours.execute("SET progress_bar_time = 0")
    try:
        yield True
    finally:
        ours.execute(f"SET progress_bar_time = {int(was[1])}")
        ours.execute("SET enable_progress_bar_print = true")
        ours.execute(f"SET enable_progress_bar = {'true' if was[0] else 'false'}")
