"""Who says that a session is verified: the application itself, or the provider's callbacks; never both at once."""

from verify_analytics.errors import ArgumentError, near_name

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
