"""Reads an application's own report that a code was validated: who may report, and what a report must say.

The provider is not known to call back when somebody verifies, so the application that checked the code may say so.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from collector.digits import is_number
from collector.errors import Refused
from collector.items import Verification

PATH = "/verifications"
LARGEST_BODY = 1_024
LONGEST_SESSION_ID = 128
FUTURE = 5 * 60 * 1_000_000
"""How far a report's time may lie ahead of the collector's clock, in microseconds."""
EARLIEST = 946_684_800_000_000
"""2000-01-01 UTC, in microseconds since 1970: an earlier report is a clock that was never set, or a wrong unit."""

_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})")
_PRINTABLE = re.compile(r"[!-~]+")


def read(
    method: str, headers: Sequence[tuple[str, str]], body: bytes, received_at: int, secrets: Sequence[bytes]
) -> Verification:
    """Read one report.

    Parameters
    ----------
    method, headers, body
        Of the request, as received.
    received_at
        Microseconds since 1970, UTC.
    secrets
        Any of them may have signed; none means that reports are not taken here.

    Raises
    ------
    Refused
        404 without a secret, 405, 413 over 1 KB, 403 for a signature that proves nothing, 400 for a body that is not
        the JSON it should be, 422 for a moment that cannot be (unreadable, without a zone, too far ahead, before
        2000) and for a session that is nothing but a phone number.
    """
    if not secrets:
        raise Refused(404, "not_found", "There is nothing at this path.")
    if method != "POST":
        raise Refused(405, "method", "This path takes POST.")
    if len(body) > LARGEST_BODY:
        raise Refused(413, "body_too_large", "A report has at most 1 KB.")
    if not _is_signed(headers, body, secrets):
        raise Refused(403, "verification_signature", "The signature proves nothing.")
    session_id, verified_at = _parsed(body)
    if is_number(session_id):
        raise Refused(422, "verification_session", "session_id is the provider's SessionUUID, never a phone number.")
    moment = _moment(verified_at)
    if moment - received_at > FUTURE:
        raise Refused(422, "verification_time", "verified_at lies more than five minutes ahead.")
    if moment < EARLIEST:
        raise Refused(422, "verification_time", "verified_at lies before the year 2000.")
    return Verification(session_id, moment, received_at)


def _is_signed(headers: Sequence[tuple[str, str]], body: bytes, secrets: Sequence[bytes]) -> bool:
    """Compare with every secret, whatever was found before: the time taken tells nothing."""
    given = [value.strip() for name, value in headers if name.lower() == "x-signature"]
    match = _SIGNATURE.fullmatch(given[0]) if len(given) == 1 else None
    claimed = match[1].lower().encode() if match else b""
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(hmac.new(secret, body, hashlib.sha256).hexdigest().encode(), claimed)
    return found


def _parsed(body: bytes) -> tuple[str, str]:
    wrong = Refused(400, "verification_json", 'Send {"session_id": "…", "verified_at": "2026-09-01T12:00:00Z"}.')
    try:
        report: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise wrong from None
    if not isinstance(report, dict):
        raise wrong
    session_id, verified_at = report.get("session_id"), report.get("verified_at")
    if not isinstance(session_id, str) or not isinstance(verified_at, str):
        raise wrong
    if len(session_id) > LONGEST_SESSION_ID or not _PRINTABLE.fullmatch(session_id):
        raise wrong
    return session_id, verified_at


def _moment(text: str) -> int:
    wrong = Refused(422, "verification_time", "verified_at is a moment with a zone, such as 2026-09-01T12:00:00Z.")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong from None
    offset = moment.utcoffset()
    if offset is None:
        raise wrong
    # Integers throughout: a float would lose the last microseconds.
    since = moment.replace(tzinfo=None) - datetime(1970, 1, 1) - offset  # noqa: DTZ001 - both are UTC by now
    return since // timedelta(microseconds=1)
