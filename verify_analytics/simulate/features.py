"""Names what can be switched on and off in the simulated provider, and says how strong it is.

Each feature draws from a stream of its own (`streams`), so switching one leaves what the others drew untouched.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from verify_analytics.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class Features:
    """How strong each feature of the simulated world is; 0, ``()`` or False switches it off.

    Shares are in [0, 1] and say of what in their comment. ``Features()`` is the world of the demo, `Features.quiet` one
    in which nothing odd happens and every callback arrives once and in time.

    Examples
    --------
    >>> Features(outage_minutes=(), lost=0).lost
    0
    >>> Features(lost=2)
    Traceback (most recent call last):
        ...
    verify_analytics.errors.ArgumentError: lost=2 is no share: it must lie in [0, 1]
    """

    # What people do.
    resends: bool = True
    """Whether impatient people ask for another code."""
    fallback: bool = True
    """Whether some of them ask for it over the other channel."""
    voice_first: bool = True
    """Whether some sessions begin with a call."""
    reuse: float = 0.03
    """Of verified sessions: the same recipient needs a code again before the session's code has expired."""
    returning: float = 0.2
    """Of sessions: their recipient had one before."""
    bots: float = 0.012
    """Machine-made sessions beside every session of a person, in bursts over neighbouring numbers."""

    # What networks do.
    no_receipts: bool = True
    """Whether carriers of some countries (`countries.PLACES`) send no receipts."""
    missing_receipts: float = 0.01
    """Of attempts where carriers send receipts: this one sends none."""
    lying_receipts: float = 0.004
    """Of attempts: the receipt says delivered for undelivered, or the other way round."""

    # What the provider says.
    verified_callbacks: float = 0.5
    """Of sessions: the provider tells when they are verified."""
    expired_callbacks: float = 0.6
    """Of sessions: the provider tells when they expire."""
    no_attempt_id: float = 0.003
    """Of callbacks, and again of attempts with all their callbacks: AttemptUUID is missing. (Half of the callbacks
    about a session's end have none anyway.)"""
    odd_status: float = 0.003
    """Of attempts: a status nobody listed, for half of them in every callback."""
    odd_channel: float = 0.004
    """Of messages: sent over a channel that the provider does not document."""
    odd_code: float = 0.01
    """Of unsuccessful attempts: an error code nobody listed."""
    loud_case: float = 0.005
    """Of sessions: statuses and channels come with capitals."""
    time_formats: float = 0.06
    """Of sessions: RequestTime in another format than the usual one, for some of them unreadable or missing."""
    code_spelling: float = 0.08
    """Of sessions: "no error" is ``000``, ``0`` or a missing field instead of an empty one."""
    plus_sign: float = 0.03
    """Of sessions: Recipient begins with a plus sign."""
    extra_fields: float = 0.02
    """Of sessions: fields that the provider does not document."""
    get: float = 0.04
    """Of sessions: callbacks are fetched by GET."""
    v3: float = 0.15
    """Of sessions: V3 signatures come along with V2."""
    rotation: bool = True
    """Whether the first third of the history is signed with the oldest of several tokens."""

    # What happens on the way.
    lost: float = 0.003
    """Of callbacks: never arrive."""
    late: float = 0.004
    """Of callbacks: one or more first tries do not arrive, a later one does."""
    redelivered: float = 0.015
    """Of callbacks: arrive, the answer is not heard, and they come again."""
    fresh_nonce: float = 0.5
    """Of redelivered callbacks: each try has a nonce of its own (nobody knows what the provider does)."""
    disorder: float = 0.02
    """Of callbacks: held up for seconds, so that later ones overtake them."""
    outage_minutes: tuple[int, ...] = (31, 8)
    """For each outage of the collector, its length. Nothing arrives in it."""

    # What the application reports.
    app_reports: float = 0.97
    """Of verifications: the application reports them."""
    duplicate_reports: float = 0.01
    """Of these reports: sent twice."""
    clock_faults: float = 0.001
    """Of these reports: the application's clock was minutes behind."""
    reporter_gaps: tuple[tuple[float, float], ...] = ((0.0, 0.06), (0.55, 0.6))
    """Parts of the period, as fractions (from, to), in which the application reports nothing: it begins late and stops
    once."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not 0 <= value <= 1:
                raise ArgumentError(f"{field.name}={value} is no share: it must lie in [0, 1]")
        if any(minutes < 1 for minutes in self.outage_minutes):
            raise ArgumentError(f"outage_minutes={self.outage_minutes}: an outage lasts at least one whole minute")
        for gap in self.reporter_gaps:
            if not 0 <= gap[0] < gap[1] <= 1:
                raise ArgumentError(f"reporter_gaps has {gap}; a gap is (from, to) with 0 <= from < to <= 1")

    @classmethod
    def quiet(cls, **chosen: float | tuple[int, ...] | tuple[tuple[float, float], ...]) -> Features:
        """Give a world in which nothing odd happens, but for what is chosen.

        People still ask again and fall back, the application still reports each verification; everything else is off.

        Examples
        --------
        >>> Features.quiet(redelivered=0.5).redelivered, Features.quiet().outage_minutes
        (0.5, ())
        """
        usual = cls()
        off: dict[str, Any] = {field.name: type(getattr(usual, field.name))() for field in fields(cls)}
        people = {"resends": True, "fallback": True, "voice_first": True, "app_reports": 1.0}
        return cls(**{**off, **people, **chosen})
