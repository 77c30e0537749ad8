"""Writes what happens as JSON, one line each: words and counts, never a number of a person, a body, a query or a token.

A message is a word of ours; what belongs to it comes as ``extra``. Of an exception only its type and the places in the
code are written, because its text may repeat what was sent.
"""

import json
import logging
import re
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType

log = logging.getLogger("collector")

_TELLING = re.compile(r"/\S*|\d[\d.:]{4,}")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Format a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of one record."""
        is_ours = record.name == log.name
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        pattern = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        if is_ours:
            line["event"] = pattern
            line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        else:
            # Another library may have written a path or an address into its message: those are left out.
            line |= {"event": "library", "from": record.name, "said": _TELLING.sub("…", pattern)}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, default=str)


def to_standard_error(level: int = logging.INFO) -> None:
    """Send what is logged in this process to standard error, as JSON lines: ours from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda thrown: _uncaught(thrown.exc_type, thrown.exc_value, thrown.exc_traceback)
    # What ends in a finalizer, where nobody is to catch it.
    sys.unraisablehook = lambda thrown: _uncaught(thrown.exc_type, thrown.exc_value, thrown.exc_traceback)
    # Waitress counts its own queue aloud at every request; our own gauge says the same.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def _uncaught(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    """Write what nobody caught as one line like all others, instead of a traceback with its text."""
    if not issubclass(kind, SystemExit):
        log.critical("uncaught", exc_info=(kind, error or Exception(), where))
