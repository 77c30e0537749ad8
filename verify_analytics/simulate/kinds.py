"""Names the kinds of live requests, and what a collector must make of each."""

from __future__ import annotations

from typing import NamedTuple

ACCEPTED, REPEATED, QUARANTINED, REPORTED = "accepted", "repeated", "quarantined", "verifications"


class Kind(NamedTuple):
    """One kind of request: what it is called, which share of all it has, and what must become of it.

    Parameters
    ----------
    becomes
        How a collector counts it: ``accepted``, ``repeated``, ``quarantined``, ``verifications``, empty for a report
        that it has already, or else the reason for which it is refused.
    """

    name: str
    share: float
    status: int
    becomes: str


# Callbacks by POST get whatever share is left.
POSTED = Kind("callbacks by POST", 0.0, 200, ACCEPTED)
FETCHED = Kind("callbacks by GET", 0.12, 200, ACCEPTED)
DISORDERED = Kind("callbacks, later ones first", 0.08, 200, ACCEPTED)
AGAIN = Kind("redelivered, same nonce", 0.08, 200, REPEATED)
AGAIN_FRESH = Kind("redelivered, fresh nonce", 0.04, 200, ACCEPTED)
FORGED = Kind("signed with another token", 0.05, 403, "signature")
ELSEWHERE = Kind("signed for another address", 0.02, 403, "signature")
UNSIGNED = Kind("not signed", 0.03, 403, "signature")
GARBAGE = Kind("malformed and not signed", 0.02, 403, "signature")
STOLEN = Kind("a used nonce with another body", 0.05, 403, "nonce_reused")
UNREADABLE = Kind("malformed but signed", 0.04, 200, QUARANTINED)
LOST = Kind("to a path that is not served", 0.01, 404, "not_found")
DELETED = Kind("by a method that is not taken", 0.01, 405, "method")
REPORT = Kind("successes reported", 0.06, 200, REPORTED)
REPORT_AGAIN = Kind("successes reported again", 0.01, 200, "")
REPORT_FORGED = Kind("reports signed with another secret", 0.02, 403, "verification_signature")
REPORT_BAD = Kind("reports that are no JSON", 0.01, 400, "verification_json")
REPORT_NAIVE = Kind("reports without a time zone", 0.01, 422, "verification_time")
KINDS = (
    POSTED, FETCHED, DISORDERED, AGAIN, AGAIN_FRESH, FORGED, ELSEWHERE, UNSIGNED, GARBAGE, STOLEN, UNREADABLE, LOST,
    DELETED, REPORT, REPORT_AGAIN, REPORT_FORGED, REPORT_BAD, REPORT_NAIVE,
)  # fmt: skip
REPORTS = frozenset(kind.name for kind in (REPORT, REPORT_AGAIN, REPORT_FORGED, REPORT_BAD, REPORT_NAIVE))
