"""What can go wrong on the analysts' side, and how it is said.

"Impossible" is an error, "doubtful" is a warning. A message says what was asked, what is there, and what to try.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class VerifyAnalyticsError(Exception):
    """The work cannot be done as asked; a command prints the message and exits with status 2."""


class NotFoundError(VerifyAnalyticsError):
    """What was named does not exist."""


class SchemaError(VerifyAnalyticsError):
    """The data are there, but not in the declared shape."""


class ArgumentError(VerifyAnalyticsError, ValueError):
    """An argument has a value that cannot be meant."""


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


def no_name(module: str, asked: str, known: Iterable[str]) -> AttributeError:
    """Say that a module has no such name, with the nearest one it has.

    >>> str(no_name("metrics", "delivery_rat", ["delivery_rate", "retries"]))
    "metrics has no 'delivery_rat': did you mean 'delivery_rate'? Known: delivery_rate, retries"
    """
    return AttributeError(f"{module} has no {asked!r}: {near_name(asked, known)}", name=asked)
