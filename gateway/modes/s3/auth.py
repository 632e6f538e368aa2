"""A request → who makes it: Signature Version 4 in the Authorization header or the query.

Nothing here reads a body: `Authenticated.payload` says what the signature says
of it. Which headers must be signed is in `signed_headers`.

Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, NamedTuple

from gateway.access.identity import ANONYMOUS, Credential, Identity, Keys
from gateway.common import sigv4
from gateway.modes.s3 import claims
from gateway.modes.s3.claims import Claim
from gateway.modes.s3.diagnosis import Signed, suspect
from gateway.modes.s3.problems import TABLE, S3Problem
from gateway.storage import Secret
from gateway.web.request_head import variable

log = logging.getLogger("gateway.s3")

SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIGNED_STREAMS = frozenset({SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER})
_PAYLOADS = _SIGNED_STREAMS | {sigv4.UNSIGNED, UNSIGNED_CHUNKS_TRAILER}

_ECHOED = 8 * 1024
"""Bytes of a canonical request that is explained and sent back: key ids are no secret, so
anybody may cause the work."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class SignedRequest(NamedTuple):
    """What a signature can cover. `path` is decoded, in WSGI's latin-1 form, and the one that
    the key is made from (`gateway.web.request_head`): what is signed is what is served.
    `hosts`: of these the signature is one of; it is explained by the first."""

    method: str
    path: str
    query: str
    hosts: tuple[str, ...]
    environ: dict[str, Any]

    @classmethod
    def of(cls, environ: dict[str, Any], *hosts: str) -> SignedRequest:
        """`hosts` replace the Host header (behind a proxy)."""
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if not hosts:
            hosts = (environ.get("HTTP_HOST", ""),)
        return cls(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), hosts, environ)

    def __repr__(self) -> str:
        return f"SignedRequest({self.method} {self.path!r})"  # queries and headers hold secrets


class Authenticated(NamedTuple):
    """`payload` is what `x-amz-content-sha256` says: a SHA-256 in hex, UNSIGNED-PAYLOAD, one
    of the STREAMING literals, or "". `seed` is there for the signed streaming ones."""

    identity: Identity = ANONYMOUS
    credential: Credential | None = None
    payload: str = ""
    seed: sigv4.Seed | None = None


def authenticate(request: SignedRequest, keys: Keys, *, now_ms: int, region: str) -> Authenticated:
    """Who makes the request; `ANONYMOUS` when it does not say. Raises S3Problem."""
    parameters = claims.auth_parameters(request.query) if request.query else None
    authorization = request.environ.get("HTTP_AUTHORIZATION", "")
    if authorization and parameters:
        raise S3Problem(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter,"
            " Signature query string parameter or the Authorization header should be specified",
            ArgumentName="Authorization",
        )
    if authorization:
        return _by_header(request, authorization, keys, now_ms, region)
    if parameters:
        return _by_query(request, parameters, keys, now_ms, region)
    return Authenticated(payload=_anonymous_payload(request))


def _by_header(
    request: SignedRequest, authorization: str, keys: Keys, now_ms: int, region: str
) -> Authenticated:
    claim, signature = claims.claim_of_header(authorization)
    _refuse_token(request.environ.get("HTTP_X_AMZ_SECURITY_TOKEN"))
    timestamp = claims.date_of_header(request.environ, now_ms)
    claim.check_scope(timestamp, region)
    payload = request.environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if payload is None:
        raise S3Problem(
            "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
        )
    query = sigv4.canonical_query(request.query)
    return _verify(request, claim, signature, keys, timestamp, query, _payload(payload))


def _by_query(
    request: SignedRequest, parameters: Mapping[str, str], keys: Keys, now_ms: int, region: str
) -> Authenticated:
    claim, signature = claims.claim_of_query(parameters)
    _refuse_token(
        parameters.get("X-Amz-Security-Token") or request.environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
    )
    timestamp = claims.date_of_query(parameters, now_ms)
    claim.check_scope(timestamp, region)
    payload = request.environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if payload is None:
        payload = parameters.get("X-Amz-Content-Sha256", sigv4.UNSIGNED)
    query = sigv4.canonical_query(request.query, "X-Amz-Signature")
    return _verify(request, claim, signature, keys, timestamp, query, _payload(payload))


def _verify(
    request: SignedRequest,
    claim: Claim,
    given: str,
    keys: Keys,
    timestamp: str,
    query: str,
    payload: str,
) -> Authenticated:
    headers = claim.headers
    credential = keys.credential(claim.key_id)
    if credential is None:
        raise S3Problem("InvalidAccessKeyId", AWSAccessKeyId=claim.key_id)
    path, scope = sigv4.canonical_path(request.path), claim.scope
    key = sigv4.signing_key(credential.secret.reveal(), claim.day, claim.region)
    provided = given.encode("latin-1")
    for host in request.hosts:
        lines = headers.lines(request.environ, host)
        canonical = sigv4.canonical_request(
            request.method, path, query, lines, claim.signed, payload
        )
        expected = sigv4.signature(key, sigv4.string_to_sign(timestamp, scope, canonical))
        if compare_digest(expected.encode(), provided):
            break
    else:
        lines = headers.lines(request.environ, request.hosts[0])
        signed = Signed(request.method, path, query, lines, claim.signed, payload)
        raise _mismatch(request, claim, given, signed, key, timestamp)
    seed = None
    if payload in _SIGNED_STREAMS:
        seed = sigv4.Seed(key=Secret(key), scope=scope, timestamp=timestamp, signature=expected)
    return Authenticated(credential.identity, credential, payload, seed)


def _payload(text: str) -> str:
    if _SHA256.fullmatch(text) or text in _PAYLOADS:
        return text
    raise S3Problem(
        "InvalidArgument",
        f"x-amz-content-sha256 must be {', '.join(sorted(_PAYLOADS))}, or a valid sha256 value.",
        ArgumentName="x-amz-content-sha256",
        ArgumentValue=text,
    )


def _anonymous_payload(request: SignedRequest) -> str:
    """Unsigned botocore sends a trailer, but does not say so in x-amz-content-sha256."""
    payload = request.environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    if not payload:
        return UNSIGNED_CHUNKS_TRAILER if "HTTP_X_AMZ_TRAILER" in request.environ else ""
    if payload in _SIGNED_STREAMS:
        raise S3Problem("InvalidRequest", "Signed chunks need a signed request.")
    return _payload(payload)


def _refuse_token(token: str | None) -> None:
    if token:
        raise S3Problem("InvalidToken", "Session tokens are not supported; use a permanent key.")


def _mismatch(
    request: SignedRequest, claim: Claim, given: str, signed: Signed, key: bytes, timestamp: str
) -> S3Problem:
    canonical = sigv4.canonical_request(*signed)
    text = sigv4.string_to_sign(timestamp, claim.scope, canonical)
    message = _dropped(request, claim)
    if len(canonical) > _ECHOED:
        return S3Problem(
            "SignatureDoesNotMatch", message, AWSAccessKeyId=claim.key_id, StringToSign=text
        )
    if message:
        log.info("%r: %s", claim.key_id, message)
    else:
        _explain(request, claim, given, signed, key, timestamp)
    return S3Problem(
        "SignatureDoesNotMatch",
        message,
        AWSAccessKeyId=claim.key_id,
        StringToSign=text,
        SignatureProvided=given,
        StringToSignBytes=text.encode("latin-1").hex(" "),
        CanonicalRequest=canonical,
        CanonicalRequestBytes=canonical.encode("latin-1").hex(" "),
    )


def _dropped(request: SignedRequest, claim: Claim) -> str:
    """What is to be said when signed headers came without a value at a server that drops what
    is not ASCII; "" otherwise."""
    environ = request.environ
    names = [one for one in claim.signed.split(";") if environ.get(variable(one)) == ""]
    if not names or environ.get("SERVER_SOFTWARE") != "Granian":
        return ""
    return (
        f"{TABLE['SignatureDoesNotMatch'][1]} The signed header {', '.join(names)} arrived empty:"
        " this server drops values outside ASCII. Send them encoded (RFC 2047)."
    )


def _explain(
    request: SignedRequest, claim: Claim, given: str, signed: Signed, key: bytes, timestamp: str
) -> None:
    """Log which line differs, when a usual suspect would have fitted; never the signature."""
    if not log.isEnabledFor(logging.INFO):
        return
    provided = given.encode("latin-1")

    def fits(variation: Signed) -> bool:
        text = sigv4.string_to_sign(timestamp, claim.scope, sigv4.canonical_request(*variation))
        return compare_digest(sigv4.signature(key, text).encode(), provided)

    found = suspect(signed, request.path, request.query, fits)
    if found:
        log.info("The signature of key %r does not match: %s.", claim.key_id, found)
