"""Answers what becomes of one request, before the store is asked: to be stored, to be kept apart, or to be refused.

The one way in. `serve` hands over what came over HTTP, `replay` what was captured, and both get the same decision from
the same function: byte limits first, then the signature, and only what is proved is read.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from collector import form, probe, recipient, signature, verifications, wire
from collector.errors import Refused
from collector.items import Arrival, Nonce, Outcome, Raw, Verification
from collector.logs import log
from collector.probe import Probe, Seen
from collector.settings import Settings

LARGEST_BODY = 65_536
"""Bytes; a body of this size or larger is refused."""
LARGEST_HEADERS = 16_384
"""Bytes of request line and headers; as many or more are refused."""
FORM = "application/x-www-form-urlencoded"

_NOT_HERE = "There is nothing at this path."
_NOT_PROVED = "The request could not be shown to come from the provider."


class Request(NamedTuple):
    """A request as it came, before anything is believed.

    Attributes
    ----------
    path, query
        Raw: percent-encoded, each character one byte.
    received_at
        Microseconds since 1970, UTC.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    received_at: int


class Door:
    """The decision about requests under one set of settings; it remembers nothing between two of them.

    Parameters
    ----------
    settings
        Tokens, URLs, peppers and secrets.
    digest_key_id
        The key id of the pepper that keys digests: the store's oldest, from `store.accept_peppers`.
    knows_public_paths
        Also take a request under the path of its public URL: a capture may have been taken before a proxy cut it.
    accepts_unproved
        Take what no signature proves, marked as such: for captures whose tokens are gone.
    """

    def __init__(
        self,
        settings: Settings,
        digest_key_id: str,
        *,
        knows_public_paths: bool = False,
        accepts_unproved: bool = False,
    ) -> None:
        self._settings = settings
        self._accepts_unproved = accepts_unproved
        by_id = {recipient.key_id(pepper): pepper for pepper in settings.peppers}
        self._digest_pepper = by_id[digest_key_id]
        self._recipient_pepper = settings.peppers[-1]
        self._recipient_key_id = recipient.key_id(self._recipient_pepper)
        self.urls = _urls_by_path(settings, knows_public_paths=knows_public_paths)

    def open(self, request: Request) -> Arrival | Verification | Probe:
        """Decide about one request.

        Returns
        -------
        Arrival, Verification or Probe
            What the store is to be given; an arrival without a row is one for quarantine. A probe is only answered.

        Raises
        ------
        Refused
            With the status and the constant text of the answer.
        """
        _check_size(request)
        if request.path == verifications.PATH:
            secrets = self._settings.verification_secrets
            return verifications.read(request.method, request.headers, request.body, request.received_at, secrets)
        urls = self.urls.get(request.path)
        if urls is None:
            raise Refused(404, "not_found", _NOT_HERE)
        if request.method not in {"GET", "POST"}:
            raise Refused(405, "method", "This path takes POST and GET.")
        return self._callback(request, urls)

    def _callback(self, request: Request, urls: Sequence[str]) -> Arrival | Probe:
        is_post = request.method == "POST"
        body = form.pairs(request.body) if is_post else []
        proof = signature.verify(
            request.method,
            urls,
            request.query,
            body,
            # Few of a request's headers say anything about it.
            [header for header in request.headers if header[0][:8].lower() == "x-plivo-"],
            tokens=self._settings.tokens,
            main_tokens=self._settings.main_tokens,
        )
        if not self._accepts_unproved:
            self._need(proof)
        if probe.is_marked(proof.nonces):
            return self._probe(request, proof)
        arrival = self._arrival(request, body, proof)
        if arrival.row is not None and arrival.row["session_id"] == probe.NIL:
            return self._probe(request, proof)
        return arrival

    def reread(self, request: Request, proof: signature.Proof) -> Arrival:
        """Read once more what was proved when it came; tokens and URLs may have changed since."""
        return self._arrival(request, form.pairs(request.body) if request.method == "POST" else [], proof)

    def _arrival(self, request: Request, body: list[tuple[str, str]], proof: signature.Proof) -> Arrival:
        params = [("body", name, value) for name, value in body]
        if request.query:
            params += [("query", name, value) for name, value in form.pairs(form.query_octets(request.query))]
        digest = wire.digest(params, self._digest_pepper)
        row, reason = self._read(request, params, proof, digest, is_post=request.method == "POST")
        if row is None and not proof:
            # Quarantine is for what was proved: anybody could fill it otherwise.
            raise Refused(403, "signature", _NOT_PROVED)
        return Arrival(
            received_at=request.received_at,
            nonces=hashed(proof.nonces),
            digest=digest,
            proof=proof.text or "none",
            raw=Raw(request.method, _address(request), request.headers, request.body),
            row=row,
            reason=reason,
            has_unproved_v3=bool(proof) and proof.v3_unproved,
        )

    def _probe(self, request: Request, proof: signature.Proof) -> Probe:
        nonce = next((nonce for _, nonce in proof.nonces), "")
        seen = Seen(request.method, request.path, request.query, request.body)
        return Probe(probe.echo(self._recipient_pepper, nonce, seen))

    def _need(self, proof: signature.Proof) -> None:
        if not proof:
            raise Refused(403, "signature", _NOT_PROVED)
        # A V3 signature that is missing is one that somebody may have taken away to change what it covered.
        if self._settings.v3 == "require" and not any(family == "v3" for family, _ in proof.nonces):
            raise Refused(403, "v3_required", _NOT_PROVED)

    def _read(
        self, request: Request, params: wire.Params, proof: signature.Proof, digest: str, *, is_post: bool
    ) -> tuple[dict[str, Any] | None, str]:
        """Make the row of a readable callback, or say why it is none."""
        try:
            if is_post:
                _check_type(request.headers)
            reading = wire.read(params, carrier="body" if is_post else "query")
            described = recipient.describe(reading.recipient, self._recipient_pepper, self._recipient_key_id)
        except wire.Unreadable as odd:
            return None, odd.reason
        except Exception as error:  # noqa: BLE001 - our own mistake must not lose what the provider sent once
            log.error("reading_failed", exc_info=error)
            return None, "our_mistake"
        return {
            "arrival_id": wire.arrival_id(request.received_at, proof.nonces, digest),
            "received_at": request.received_at,
            "provider": wire.PROVIDER,
            "session_id": reading.session_id,
            "session_status": reading.session_status,
            "attempt_id": reading.attempt_id,
            "attempt_sequence": reading.attempt_sequence,
            "channel": reading.channel,
            "channel_status": reading.channel_status,
            "error_code": reading.error_code,
            "requested_at": reading.requested_at,
            "recipient_key": described.recipient_key,
            "country": described.country,
            "number_block": described.number_block,
            "proof": proof.text or "none",
            "digest": digest,
            "extra": json.dumps(reading.extra, ensure_ascii=False) if reading.extra else None,
        }, ""


def checks_of(settings: Settings) -> dict[str, str]:
    """Give what a store keeps of the peppers: key id → check value, oldest first."""
    return {recipient.key_id(pepper): recipient.check_value(pepper) for pepper in settings.peppers}


def refusal(outcome: Outcome | None) -> Refused | None:
    """Give the refusal that an outcome in the store amounts to, if it does."""
    if outcome is Outcome.FORGED:
        return Refused(403, "nonce_reused", _NOT_PROVED)
    if outcome is None:
        return Refused(503, "store", "The collector could not store this; send it again.")
    if outcome is Outcome.FULL:
        return Refused(503, "quarantine_full", "The collector cannot keep this now; send it again.")
    return None


def hashed(nonces: Sequence[tuple[str, str]]) -> tuple[Nonce, ...]:
    """Give the form in which nonces are bound: never to be shown again, and half as long as the whole hash."""
    return tuple(sorted((family, hashlib.sha256(nonce.encode()).hexdigest()[:32]) for family, nonce in nonces))


def _urls_by_path(settings: Settings, *, knows_public_paths: bool) -> Mapping[str, tuple[str, ...]]:
    """Sort the public URLs by the paths under which their requests arrive here."""
    found: dict[str, tuple[str, ...]] = {}
    for path, url in zip(settings.paths, settings.public_urls, strict=True):
        paths = {path, urlsplit(url).path or "/"} if knows_public_paths else {path}
        for one in paths:
            found[one] = (*found.get(one, ()), url)
    return found


def _check_size(request: Request) -> None:
    if len(request.body) >= LARGEST_BODY:
        raise Refused(413, "body_too_large", "The body is too large.")
    # The four bytes are the separators that belong to each header on the wire, and about what the first line adds.
    size = len(request.method) + len(request.path) + len(request.query) + 12
    if size + sum(len(name) + len(value) + 4 for name, value in request.headers) >= LARGEST_HEADERS:
        raise Refused(431, "headers_too_large", "The headers are too large.")


def _check_type(headers: Sequence[tuple[str, str]]) -> None:
    """Take a body for a form unless it says that it is something else."""
    for name, value in headers:
        match name.lower():
            case "content-type" if value != FORM and value.partition(";")[0].strip().lower() not in {FORM, ""}:
                raise wire.Unreadable("content_type")
            case "content-encoding" if value.strip().lower() not in {"identity", ""}:
                raise wire.Unreadable("content_encoding")


def _address(request: Request) -> str:
    return f"{request.path}?{request.query}" if request.query else request.path
