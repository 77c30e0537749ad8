"""Says what makes a history: the same plan gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from verify_analytics.errors import ArgumentError
from verify_analytics.simulate.features import Features

# Sessions made at once: about 40 MB of numbers.
CHUNK = 16_384
EARLIEST_YEAR, LATEST_YEAR = 2000, 2100
MOST_DAYS = 3_660
MOST_SECONDS = 365 * 86_400


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to simulate; see `history.history` for each field.

    Raises
    ------
    ArgumentError
        For fewer than one session or day, a moment without a zone or outside of 2000 to 2099, a length that is not
        positive or beyond reason.

    Examples
    --------
    >>> Plan(sessions=5, seed=1, end=datetime(2026, 9, 29))
    Traceback (most recent call last):
        ...
    verify_analytics.errors.ArgumentError: end=2026-09-29T00:00:00 has no time zone; write UTC, as in 2026-10-29T00:00Z
    """

    sessions: int
    seed: int
    end: datetime
    days: int = 28
    as_of: datetime | None = None
    patience_seconds: float = 900.0
    window_seconds: float = 600.0
    expiry_seconds: float = 600.0
    features: Features = field(default_factory=Features)
    chunk_sessions: int = CHUNK

    def __post_init__(self) -> None:
        for name in ("end", "as_of"):
            moment = getattr(self, name)
            if moment is not None and moment.utcoffset() is None:
                raise ArgumentError(f"{name}={moment.isoformat()} has no time zone; write UTC, as in 2026-10-29T00:00Z")
            # Compared by year before any arithmetic: the ends of the calendar leave no room for it.
            if moment is not None and not EARLIEST_YEAR <= moment.year < LATEST_YEAR:
                raise ArgumentError(f"{name}={moment.isoformat()} is not between {EARLIEST_YEAR} and {LATEST_YEAR}")
        positive = ("sessions", "days", "patience_seconds", "window_seconds", "expiry_seconds", "chunk_sessions")
        for name in positive:
            if not getattr(self, name) > 0:
                raise ArgumentError(f"{name}={getattr(self, name)}: it must be more than 0")
        for name in ("days", "patience_seconds", "window_seconds", "expiry_seconds"):
            most = MOST_DAYS if name == "days" else MOST_SECONDS
            if getattr(self, name) > most:
                raise ArgumentError(f"{name}={getattr(self, name)}: it must be at most {most:,}")
        if self.seed < 0:
            raise ArgumentError(f"seed={self.seed}: it must not be negative")

    @property
    def end_at(self) -> datetime:
        """The end in UTC."""
        return self.end.astimezone(UTC)

    @property
    def read_at(self) -> datetime:
        """The moment from which the truth is told, in UTC."""
        return (self.as_of or self.end).astimezone(UTC)
