"""The things that travel from the door to the store, and what can become of them."""

import enum
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

Nonce = tuple[str, str]  # (family, hash of the nonce)


class Raw(NamedTuple):
    """A request as it came, for quarantine."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """A proved request, ready to be written: as a row of ``callbacks``, or raw where it could not be read.

    Attributes
    ----------
    received_at
        Microseconds since 1970, UTC.
    nonces
        The proved ones, hashed, sorted; empty only for what `replay` accepts unproved.
    digest
        Keyed hash of the content as received.
    row
        Columns of ``callbacks``; None if the request could not be read.
    reason
        Why it could not be read; empty otherwise.
    has_unproved_v3
        It was proved by V2 alone although V3 signatures came along.
    """

    received_at: int
    nonces: tuple[Nonce, ...]
    digest: str
    proof: str
    raw: Raw
    row: dict[str, Any] | None
    reason: str = ""
    has_unproved_v3: bool = False

    def unstorable(self) -> "Arrival":
        """Give the same arrival for quarantine, because the database refused its row."""
        return replace(self, row=None, reason="unstorable")


@dataclass(frozen=True, slots=True)
class Verification:
    """A success that the application reported; times in microseconds since 1970, UTC."""

    session_id: str
    verified_at: int
    received_at: int


class Outcome(enum.Enum):
    """What became of one proved request."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    QUARANTINED = "quarantined"
    KNOWN = "known"  # this very arrival is in the store: a capture replayed twice
    FORGED = "forged"
    FULL = "full"  # quarantine holds no more


Item = Arrival | Verification
"""What a writer takes."""
