"""What can go wrong on the analysts' side, and how it is said.

"Impossible" is an error, "doubtful" is a warning. A message says what was asked, what is there, and what to try.
"""

import inspect
import traceback
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_HERE = str(Path(__file__).parent)
_LIBRARIES = ("site-packages", "concurrent/futures", "threading.py")


class VerifyAnalyticsError(Exception):
    """The work cannot be done as asked; a command prints the message and exits with status 2."""

    def _render_traceback_(self) -> list[str]:
        """Tell a notebook the line that asked and the sentence, and not the way through our files."""
        asked = [each for each in traceback.extract_tb(self.__traceback__) if not _is_ours(each)]
        line = [f"line {asked[-1].lineno}: {asked[-1].line}"] if asked and asked[-1].line else []
        return [*line, f"{type(self).__name__}: {self}"]


def _is_ours(line: traceback.FrameSummary) -> bool:
    """Say whether a line is of this package or of one that it stands on, and not of who asked."""
    return line.filename.startswith(_HERE) or any(part in line.filename for part in _LIBRARIES)


class NotFoundError(VerifyAnalyticsError):
    """What was named does not exist."""


class SchemaError(VerifyAnalyticsError):
    """The data are there, but not in the declared shape."""


class ArgumentError(VerifyAnalyticsError, ValueError):
    """An argument has a value that cannot be meant."""


class UnknownNameError(VerifyAnalyticsError, AttributeError):
    """A module has nothing of this name."""


class OptionError(ArgumentError, TypeError):
    """A function takes no such option."""


class DoubtfulWarning(UserWarning):
    """The number can be computed, but a reader should know why it may mislead."""


class LeftOutNotice(UserWarning):
    """Something was left out, as asked or because it could not be read; it says how much. No doubt is meant."""


def near_name(asked: str, known: Iterable[str]) -> str:
    """End a message about an unknown name: the nearest known one, and all that are known.

    >>> near_name("contry", ["channel", "country"])
    "did you mean 'country'? Known: channel, country"
    """
    names = sorted(known)
    near = get_close_matches(asked, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}Known: {', '.join(names) or 'none'}"


def unknown_name(module: str, name: str, known: Iterable[str]) -> NoReturn:
    """Answer a name that a module does not have with the nearest one that it has.

    Raises
    ------
    UnknownNameError
        Always. It is an `AttributeError`, as Python expects of a module.
    """
    short = module.rpartition(".")[2]
    if name.startswith("_"):
        # Python and its tools ask for these to see whether they are there.
        raise UnknownNameError(f"{short} has no {name}")
    raise UnknownNameError(f"{short} has no {name!r}: {near_name(name, known)}")


def options_by_name(function: Callable[P, R]) -> Callable[P, R]:
    """Answer an option that a function does not have with the nearest one that it has.

    Raises
    ------
    OptionError
        When it is called with an unknown option, or with an option that is not named. It is a `TypeError` as well.
    """
    known = inspect.signature(function).parameters
    said = function.__qualname__.removesuffix(".__init__")
    options = [name for name, each in known.items() if each.kind is each.KEYWORD_ONLY]
    most = sum(each.kind is each.POSITIONAL_OR_KEYWORD for each in known.values())
    open_ended = any(each.kind is each.VAR_POSITIONAL for each in known.values())

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise OptionError(f"{said} has no option {name!r}: {near_name(name, {*known} - {'self'})}")
        if len(args) > most and not open_ended:
            raise OptionError(f"{said} takes its options by name: {', '.join(options) or 'none'}")
        return function(*args, **kwargs)

    return checked
