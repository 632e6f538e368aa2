"""A request's body: how long it is, what was promised of it, and where to pull it from.

A body is framed (`aws-chunked`) when `x-amz-content-sha256` says so, and other
headers must not contradict it: framing is never taken for content.

| x-amz-content-sha256 | coding aws-chunked | x-amz-decoded-content-length | trailer |
|---|---|---|---|
| STREAMING-…-TRAILER | may be there | must be, else 411 | names what comes; may be absent |
| STREAMING-AWS4-HMAC-SHA256-PAYLOAD | may be there | must be, else 411 | 400 |
| a SHA-256 | dropped: the bytes are those that were hashed | 400 | 400 |
| UNSIGNED-PAYLOAD, or absent | 400, as AWS answers | 400 | 400 (see `auth` for anonymous ones) |

The size of what is not framed is Content-Length, and 411 without; Transfer-Encoding:
chunked is the server's. Call this after the request was authorized: it takes the
request's place among those that may hold a thread while they read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway.common.sigv4 import UNSIGNED, ChunkSigner
from gateway.modes.s3 import sums
from gateway.modes.s3.chunked import ChunkedReader, trailer_names
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.signatures.auth import SIGNED_CHUNKS, UNSIGNED_CHUNKS_TRAILER
from gateway.storage import NOTHING, BytesBody, Intake, Readable
from gateway.storage.checksums import encode
from gateway.storage.types import Checksum
from gateway.web import http_fields
from gateway.web.http_fields import content_length
from gateway.web.request_head import header_name, whole_number

LARGEST_PUT = 5 << 30
"""Bytes of one PUT or one part (Amazon S3 User Guide, "Multipart upload limits")."""

XML_LIMIT = 2 << 20
COMPLETE_LIMIT = 8 << 20
"""10,000 parts with ETag and checksum are about 3 MiB as SDKs write them."""

LOOKED_AT = 64 << 10
"""Bytes of a body that is read though its request is refused."""

_STREAMING = "STREAMING-"
_OF_TRAILERS = ("HTTP_X_AMZ_TRAILER",)
_OF_FRAMING = ("HTTP_X_AMZ_DECODED_CONTENT_LENGTH", *_OF_TRAILERS)
_SPEAKING = frozenset({"HTTP_CONTENT_ENCODING", *_OF_FRAMING})
_HEX = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(slots=True)
class Body:
    """`size` is None where the source's end is its own proof: in a form."""

    source: Readable
    size: int | None
    checksums: Mapping[str, Checksum]
    digests: Mapping[str, str]


def receive(request: S3Request, *, limit: int = LARGEST_PUT, summed: bool = True) -> Body:
    """The body of an upload. Not `summed`: checksums in headers are not its own.

    Raises S3Problem and `Busy`, before a byte is read.
    """
    payload = request.authenticated.payload
    framed = payload.startswith(_STREAMING)
    _refuse_contradiction(request.environ, payload, framed)
    request.received = True
    body = _chunked(request, limit) if framed else _plain(request, payload, limit)
    if summed:
        body.checksums = sums.of_body(request, body.checksums)
    # Framing has bytes of its own.
    if body.size or framed:
        admit(request)
    return body


def admit(request: S3Request) -> None:
    """Take the request's place among those that may hold a thread while they read. Raises
    `Busy`."""
    if (take := request.environ.get("gateway.admission")) is not None:
        take()


def _refuse_contradiction(environ: Mapping[str, Any], payload: str, framed: bool) -> None:
    """Raise for headers of framing that `payload` does not announce."""
    if environ.keys().isdisjoint(_SPEAKING) or (framed and payload != SIGNED_CHUNKS):
        return
    said = payload or "(none)"
    if not framed and not _HEX.fullmatch(payload):
        coding = environ.get("HTTP_CONTENT_ENCODING", "")
        if "aws-chunked" in coding.lower():
            raise S3Problem(
                "InvalidArgument",
                f"aws-chunked encoding is not supported when x-amz-content-sha256 {said} is"
                " supplied.",
                ArgumentName="Content-Encoding",
                ArgumentValue=coding,
            )
    for key in _OF_TRAILERS if framed else _OF_FRAMING:
        if value := environ.get(key):
            name = header_name(key)
            raise S3Problem(
                "InvalidArgument",
                f"{name} is not supported when x-amz-content-sha256 {said} is supplied.",
                ArgumentName=name,
                ArgumentValue=value,
            )


def _plain(request: S3Request, payload: str, limit: int) -> Body:
    size = announced(request, limit)
    digests = content_md5(request)
    if _HEX.fullmatch(payload):
        digests["SHA256"] = encode(bytes.fromhex(payload))
    elif payload not in ("", UNSIGNED):
        computed = "" if size else sha256(b"").hexdigest()
        digests = {"ClientComputedContentSHA256": payload, "S3ComputedContentSHA256": computed}
        raise S3Problem("XAmzContentSHA256Mismatch", **digests)
    source: Readable = request.environ["wsgi.input"] if size else BytesBody(b"")
    return Body(source, size, NOTHING, digests)


def _chunked(request: S3Request, limit: int) -> Body:
    environ = request.environ
    size = _decoded_length(environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH", ""))
    _check_size(request, size, limit)
    seed = request.authenticated.seed
    if seed is None and request.authenticated.payload != UNSIGNED_CHUNKS_TRAILER:
        raise S3Problem("InvalidRequest", "Signed chunks need a signed request.")
    trailers = trailer_names(environ.get("HTTP_X_AMZ_TRAILER", ""))
    reader = ChunkedReader(
        environ["wsgi.input"],
        decoded_length=size,
        trailers=trailers,
        signer=None if seed is None else ChunkSigner(seed),
    )
    promised = sums.in_trailer(trailers, reader.trailer)
    return Body(reader, size, promised, content_md5(request))


def _decoded_length(text: str) -> int:
    """AWS answers 411 for one that is absent and for one that is no number."""
    size = whole_number(text, 0, 10**19)
    if size is None:
        raise S3Problem("MissingContentLength")
    return size


def announced(request: S3Request, limit: int) -> int:
    """Content-Length. Raises S3Problem, also when it is beyond `limit` or what may be stored."""
    try:
        size = content_length(request.environ)
    except ValueError as error:
        raise S3Problem("InvalidArgument", str(error)) from None
    if size is None:
        raise S3Problem("MissingContentLength")
    _check_size(request, size, limit)
    return size


def _check_size(request: S3Request, size: int, limit: int) -> None:
    most = min(limit, request.gateway.options.max_body)
    if size > most:
        raise S3Problem("EntityTooLarge", ProposedSize=str(size), MaxSizeAllowed=str(most))


def content_md5(request: S3Request) -> dict[str, str]:
    try:
        return http_fields.content_md5(request.environ)
    except ValueError:
        given = {"Content-MD5": request.header("content-md5")}
        raise S3Problem("InvalidDigest", **given) from None


def document(
    request: S3Request, *, limit: int = XML_LIMIT, checked: bool = False, summed: bool = True
) -> bytes:
    """A body that is a document, whole: b"" when none was announced.

    `checked`: Content-MD5 or a checksum must be there. Not `summed`: as for `receive`
    (in CompleteMultipartUpload they are the object's).
    """
    if request.scope == "bucket" and request.authenticated.payload == UNSIGNED_CHUNKS_TRAILER:
        raise S3Problem("InvalidRequest", "The value of x-amz-content-sha256 header is invalid.")
    if not request.environ.get("CONTENT_LENGTH") and not request.header(
        "x-amz-decoded-content-length"
    ):
        if "HTTP_TRANSFER_ENCODING" in request.environ:
            raise S3Problem("MissingContentLength")
        return b""
    body = _received_document(request, limit, summed)
    if checked and not body.checksums and "MD5" not in body.digests:
        raise S3Problem(
            "InvalidRequest",
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
        )
    intake = Intake(body.source, size=body.size, checksums=body.checksums, digests=body.digests)
    return b"".join(iter(intake.read, b""))


def check_signed(request: S3Request) -> None:
    """Of a request that is refused for where it goes: raise when its body, if it is small
    and was not read, is not the one that was signed. The signature's part comes first."""
    payload, environ = request.authenticated.payload, request.environ
    if request.received or request.method not in ("PUT", "POST") or not _HEX.fullmatch(payload):
        return
    length = environ.get("CONTENT_LENGTH") or "0"
    size = whole_number(length, 0, LOOKED_AT)
    if size is None or "HTTP_EXPECT" in environ or "HTTP_TRANSFER_ENCODING" in environ:
        return
    source: Readable = environ["wsgi.input"] if size else BytesBody(b"")
    intake = Intake(source, size=size, digests={"SHA256": encode(bytes.fromhex(payload))})
    while intake.read():
        pass


def _received_document(request: S3Request, limit: int, summed: bool) -> Body:
    try:
        return receive(request, limit=limit, summed=summed)
    except S3Problem as problem:
        if problem.code == "EntityTooLarge":
            raise S3Problem("MaxMessageLengthExceeded", MaxMessageLengthBytes=str(limit)) from None
        raise
