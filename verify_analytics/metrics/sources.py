"""Who says that a session is verified: the application itself, or the provider's callbacks; never both at once."""

import warnings
from collections.abc import Iterable

import narwhals as nw

from verify_analytics.errors import ArgumentError, DoubtfulWarning, near_name
from verify_analytics.model.frames import is_true
from verify_analytics.model.moments import SECOND_US

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


def columns_of_source(source: str) -> list[str]:
    """Name the columns in which a frame of sessions holds what one source says."""
    return [f"verified_{source}_us", f"observable_{source}", f"{source}_last_us"]


def watched_to_the_end(source: str) -> nw.Expr:
    """Say whether a source was reporting for as long as a session could be verified, not only when it started.

    What began shortly before the last report may have been verified after it, untold. And the last report is always of
    a session that was verified: to let that one in, and nothing that began after it, would choose by what became of
    them.
    """
    window_us = (nw.col("window_seconds") * SECOND_US).cast(nw.Int64)
    beyond = is_true(nw.col("last_started_us") + window_us > nw.col(f"{source}_last_us"))
    return nw.col(f"observable_{source}") & ~beyond


def warn_not_observable(sources: Iterable[str], *, asked_by: str) -> None:
    """Say that nothing can be seen from these sources; pointed at the line that asked for the metric."""
    named = " and ".join(repr(each) for each in sources)
    warnings.warn(
        f"{asked_by}: not observable: no session can be watched from {named}. Was the application's report of its "
        "verifications given to model.attempts (verifications=), and do callbacks say 'verified'?",
        DoubtfulWarning,
        # Metrics ask through one function of their own.
        stacklevel=5,
    )
