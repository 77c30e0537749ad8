"""Who says that a session is verified: the application itself, or the provider's callbacks; never both at once."""

import warnings
from collections.abc import Iterable

from verify_analytics.errors import ArgumentError, DoubtfulWarning, near_name

SOURCES = ("app", "callback")


def checked_sources(source: str | None) -> tuple[str, ...]:
    """Give the sources to ask, each by itself: both, or the one that was named.

    Raises
    ------
    ArgumentError
        For a name that is no source.

    Examples
    --------
    >>> checked_sources(None), checked_sources("app")
    (('app', 'callback'), ('app',))
    """
    if source is None:
        return SOURCES
    if source not in SOURCES:
        raise ArgumentError(f"no source {source!r} says when a session is verified: {near_name(str(source), SOURCES)}")
    return (source,)


def warn_not_observable(sources: Iterable[str], *, asked_by: str) -> None:
    """Say that nothing can be seen from these sources; pointed at the line that asked for the metric."""
    named = " and ".join(repr(each) for each in sources)
    warnings.warn(
        f"{asked_by}: not observable: no session can be watched from {named}. Was the application's report of its "
        "verifications given to model.attempts (verifications=), and do callbacks say 'verified'?",
        DoubtfulWarning,
        # Metrics ask through one function of their own.
        stacklevel=4,
    )
