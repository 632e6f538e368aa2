"""A request → who makes it: Signature Version 4 in the Authorization header or the query.

Nothing here reads a body: `Authenticated.payload` says what the signature says
of it.

May surprise: every `x-amz-*` header that is present must be signed, in
presigned URLs too, so that whoever passes on a URL or sits in between cannot
add one. A server may fold `x_amz_foo` into `x-amz-foo` (`gateway.web.request_head`): then what
was signed tells which of the two was sent. An unsigned one counts as the one with
dashes, and is refused as such; a signed one has its own variable, and no effect.

Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, NamedTuple

from gateway.access.identity import ANONYMOUS, Credential, Identity, Keys
from gateway.common import sigv4
from gateway.common.remembering import remembered
from gateway.modes.s3 import known_headers
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.signatures import claims
from gateway.modes.s3.signatures.claims import Claim
from gateway.modes.s3.signatures.diagnosis import mismatch
from gateway.modes.s3.signatures.suspects import Signed
from gateway.storage import Secret
from gateway.web.request_head import UNDERSCORE, header_name, variable

LARGEST_HEAD = 8 << 10
"""Characters of a request's query and signed headers together."""

SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIGNED_STREAMS = frozenset({SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER})
_PAYLOADS = _SIGNED_STREAMS | {sigv4.UNSIGNED, UNSIGNED_CHUNKS_TRAILER}

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
    of the STREAMING literals, or "". `seed` is there for the signed streaming ones. `unknown`:
    the names of signed headers that nobody has decided about (`known_headers`)."""

    identity: Identity = ANONYMOUS
    credential: Credential | None = None
    payload: str = ""
    seed: sigv4.Seed | None = None
    unknown: tuple[str, ...] = ()


def authenticate(request: SignedRequest, keys: Keys, *, now_ms: int, region: str) -> Authenticated:
    """Who makes the request; `ANONYMOUS` when it does not say. Raises S3Problem."""
    if len(request.query) > LARGEST_HEAD:
        raise _too_large()
    parameters = claims.auth_parameters(request.query) if request.query else None
    authorization = request.environ.get("HTTP_AUTHORIZATION", "")
    if authorization and parameters:
        raise S3Problem(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter,"
            " Signature query string parameter or the Authorization header should be specified",
            ArgumentName="Authorization",
            ArgumentValue=authorization,
        )
    if authorization:
        return _by_header(request, authorization, keys, now_ms, region)
    if parameters:
        return _by_query(request, parameters, keys, now_ms, region)
    return Authenticated(payload=_anonymous_payload(request))


def _by_header(
    request: SignedRequest, authorization: str, keys: Keys, now_ms: int, region: str
) -> Authenticated:
    try:
        claim, signature = claims.claim_of_header(authorization)
    except claims.SignedByVersion2:  # what is wrong with a date is said first, as of version 4
        claims.date_of_header(request.environ, now_ms, version_2=True)
        raise
    if request.environ.get("HTTP_X_AMZ_SECURITY_TOKEN"):
        raise no_tokens()
    timestamp = claims.date_of_header(request.environ, now_ms)
    claim.check_scope(timestamp, region)
    payload = request.environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if payload is None:
        raise S3Problem(
            "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
        )
    query = request.query and sigv4.canonical_query(request.query)
    return _verify(request, claim, signature, keys, timestamp, query, _payload(payload))


def _by_query(
    request: SignedRequest, parameters: Mapping[str, str], keys: Keys, now_ms: int, region: str
) -> Authenticated:
    claim, signature = claims.claim_of_query(parameters)
    if parameters.get("X-Amz-Security-Token") or request.environ.get("HTTP_X_AMZ_SECURITY_TOKEN"):
        raise no_tokens()
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
    headers = signed_headers(claim.signed)
    if headers is None:
        raise claim.malformed(
            "SignedHeaders must be names of headers, each once, separated by ';'."
        )
    credential = keys.credential(claim.key_id)
    if credential is None:
        raise S3Problem("InvalidAccessKeyId", AWSAccessKeyId=claim.key_id)
    path, scope = sigv4.canonical_path(request.path), claim.scope
    key = sigv4.signing_key(credential.secret.reveal(), claim.day, claim.region)
    provided = given.encode("latin-1")
    for host in request.hosts:
        lines = headers.lines(request.environ, host)
        if len(lines) + len(query) > LARGEST_HEAD:
            raise _too_large()
        canonical = sigv4.canonical_request(
            request.method, path, query, lines, claim.signed, payload
        )
        expected = sigv4.signature(key, sigv4.string_to_sign(timestamp, scope, canonical))
        if compare_digest(expected.encode(), provided):
            break
    else:
        lines = headers.lines(request.environ, request.hosts[0])
        signed = Signed(request.method, path, query, lines, claim.signed, payload)
        raise mismatch(signed, claim, given, key, timestamp, request.path, request.environ)
    seed = None
    if payload in _SIGNED_STREAMS:
        seed = sigv4.Seed(key=Secret(key), scope=scope, timestamp=timestamp, signature=expected)
    return Authenticated(credential.identity, credential, payload, seed, headers.unknown)


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
    """Unsigned botocore sends a trailer, but does not say so in x-amz-content-sha256. What is
    no hash is none of any body, which is for who reads it to say."""
    payload = request.environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    if not payload:
        return UNSIGNED_CHUNKS_TRAILER if "HTTP_X_AMZ_TRAILER" in request.environ else ""
    if payload in _SIGNED_STREAMS:
        raise S3Problem("InvalidRequest", "Signed chunks need a signed request.")
    return _payload(payload) if payload.startswith("STREAMING-") else payload


def check_head(environ: Mapping[str, Any]) -> None:
    """Raise when all headers and the query together are too large."""
    said = [text for key, text in environ.items() if key.startswith("HTTP_")]
    if sum(map(len, said)) + len(environ.get("QUERY_STRING", "")) > LARGEST_HEAD:
        raise _too_large()


def _too_large() -> S3Problem:
    return S3Problem("RequestHeaderSectionTooLarge", MaxSizeAllowed=str(LARGEST_HEAD))


def no_tokens() -> S3Problem:
    return S3Problem("InvalidToken", "Session tokens are not supported; use a permanent key.")


# which headers it covers: names that are read once, values of each request

_AMZ = "HTTP_X_AMZ_"
BY_NETWORK = frozenset({"HTTP_X_AMZ_CF_ID"})
"""What CloudFront adds to requests of others; the gateway gives it no meaning."""

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")


class SignedHeaders:
    """The headers that `SignedHeaders` names, in its order."""

    __slots__ = ("_amz", "_folded", "_host", "_keys", "_layout", "_names", "unknown")

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._keys = [variable(name) for name in names]
        self._folded = [(key, _fold(key)) for key in self._keys if UNDERSCORE in key]
        self._host = names.index("host") if "host" in names else None
        self._amz = sum(key.startswith(_AMZ) for key in self._keys)
        self._layout = "".join([name.replace("%", "%%") + ":%s\n" for name in names])
        self.unknown = known_headers.unknown(names)

    def _unfold(self, environ: dict[str, Any]) -> None:
        """Give headers whose names have `_` the variables of those names.

        Raises S3Problem for two headers of which the server made one.
        """
        for key, folded in self._folded:
            if key in environ:  # the server tells them apart
                continue
            if [_fold(one) for one in self._keys].count(folded) > 1:
                raise S3Problem(
                    "InvalidRequest",
                    f"The header {header_name(key)} cannot be told from another one whose name has"
                    " '-' where it has '_': send one of them.",
                )
            if folded in environ:
                environ[key] = environ.pop(folded)

    def lines(self, environ: dict[str, Any], host: str) -> str:
        """Canonical; `host` stands for the Host header, and what is not there for "". In
        `environ` headers whose names have `_` get the variables of those names.

        Raises S3Problem when one that must be signed is not.
        """
        if self._folded:
            self._unfold(environ)
        values: list[Any] = [environ.get(key) for key in self._keys]
        if self._host is not None:
            values[self._host] = host
        amz = self._amz
        if None in values:
            amz = sum(key.startswith(_AMZ) and key in environ for key in self._keys)
            values = [value or "" for value in values]
        # One count over all names is three times as fast as a look at each.
        if self._host is None or "\n".join(environ).count(_AMZ) != amz:
            self._refuse_others(environ)
        lines = self._layout % tuple(values)
        if " " in lines or "\t" in lines:  # hardly ever in what SDKs sign
            return sigv4.canonical_headers([*zip(self._names, values, strict=True)])
        return lines

    def _refuse_others(self, environ: Mapping[str, Any]) -> None:
        missing = {key for key in environ if key.startswith(_AMZ)}
        missing = {"HTTP_HOST", *missing}.difference(self._keys, BY_NETWORK)
        if missing:
            raise S3Problem(
                "AccessDenied",
                "There were headers present in the request which were not signed",
                HeadersNotSigned=", ".join(sorted(map(header_name, missing))),
            )


@remembered(texts=512, longest=512)
def signed_headers(text: str) -> SignedHeaders | None:
    """From names in lower case, separated by ";". None when it is no such list."""
    names = text.split(";")
    if not all(_NAME.fullmatch(name) for name in names) or len(set(names)) != len(names):
        return None
    return SignedHeaders(names)


def _fold(key: str) -> str:
    """The variable that a server gives which makes no difference between `-` and `_`."""
    return key.replace(UNDERSCORE, "_")
