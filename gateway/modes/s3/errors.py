"""What a store refuses → S3's code and status: one table, looked up along the MRO.

Its texts and statuses are in `problems.TABLE`. Every error of the contract is
here; a test holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.common.refusals import entry
from gateway.common.xml import document, element, legible
from gateway.modes.s3 import replies
from gateway.modes.s3.problems import TABLE, S3Problem
from gateway.modes.s3.replies import Headers, Reply
from gateway.storage import (
    AlreadyExists,
    Archived,
    BadDigest,
    BadKey,
    Busy,
    Conflict,
    Corrupt,
    DisabledEncryptionKey,
    Forbidden,
    Full,
    IncompleteBody,
    InvalidPart,
    InvalidPartOrder,
    InvalidRange,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchAnnotation,
    NoSuchEncryptionKey,
    NoSuchKey,
    NoSuchStore,
    NoSuchUpload,
    NoSuchVersion,
    NoSuchVolume,
    NotEmpty,
    NotFound,
    NotModified,
    OriginDenied,
    OriginFailed,
    PartTooSmall,
    PreconditionFailed,
    Protected,
    QuotaExceeded,
    ReadOnly,
    StorageError,
    TimedOut,
    TooLarge,
    TooManyAnnotations,
    Unauthorized,
    Unavailable,
    Unprocessable,
    Unsupported,
    WrongKey,
)
from gateway.storage.checksums import decode
from gateway.web.http_fields import instead
from gateway.web.refusal_headers import headers_of

CODES: Mapping[type[StorageError], str] = {
    StorageError: "InternalError",
    NotFound: "NoSuchKey",
    NoSuchStore: "NoSuchBucket",
    NoSuchVolume: "NoSuchBucket",
    NoSuchKey: "NoSuchKey",
    NoSuchVersion: "NoSuchVersion",
    NoSuchUpload: "NoSuchUpload",
    NoSuchAnnotation: "NoSuchAnnotation",
    AlreadyExists: "BucketAlreadyExists",
    NotEmpty: "BucketNotEmpty",
    NotModified: "NotModified",
    PreconditionFailed: "PreconditionFailed",
    MethodNotAllowed: "MethodNotAllowed",
    Conflict: "OperationAborted",
    Protected: "AccessDenied",
    Archived: "InvalidObjectState",
    InvalidRange: "InvalidRange",
    InvalidRequest: "InvalidRequest",
    BadDigest: "BadDigest",
    IncompleteBody: "IncompleteBody",
    TooLarge: "EntityTooLarge",
    TooManyAnnotations: "AnnotationLimitExceeded",
    InvalidPart: "InvalidPart",
    PartTooSmall: "EntityTooSmall",
    InvalidPartOrder: "InvalidPartOrder",
    WrongKey: "InvalidRequest",
    NoSuchEncryptionKey: "KMS.NotFoundException",
    DisabledEncryptionKey: "KMS.DisabledException",
    BadKey: "InvalidArgument",
    Unprocessable: "UnprocessableEntity",
    Unauthorized: "AccessDenied",
    Forbidden: "AccessDenied",
    Unsupported: "NotImplemented",
    ReadOnly: "MethodNotAllowed",
    Full: "InsufficientStorage",
    QuotaExceeded: "QuotaExceeded",
    Corrupt: "InternalError",
    Unavailable: "ServiceUnavailable",
    Busy: "SlowDown",
    OriginFailed: "ServiceUnavailable",
    OriginDenied: "UpstreamDenied",
    TimedOut: "ServiceUnavailable",
}

_SPEAKING = (
    InvalidRequest,
    Unsupported,
    Conflict,
    ReadOnly,
    Unavailable,
    Full,
    Corrupt,
)
"""Errors whose own message says more than the table's text."""

_WORDED = frozenset(
    {"EntityTooSmall", "IncompleteBody", "InvalidPart", "InvalidPartOrder", "EntityTooLarge"}
)
"""Codes whose text clients know by heart: it stays, and what the error says is `Advice`."""


def code_of(error: StorageError | S3Problem) -> str:
    if isinstance(error, S3Problem):
        return error.code
    if isinstance(error, BadDigest) and _of_payload(error):
        return "XAmzContentSHA256Mismatch"  # a signed payload hash; Content-MD5 is BadDigest
    return entry(CODES, error)


def _of_payload(error: BadDigest) -> bool:
    return error.algorithm == "SHA256" and not error.kept


def message_of(error: StorageError | S3Problem) -> str:
    if isinstance(error, S3Problem):
        return error.message
    code = code_of(error)
    if isinstance(error, BadDigest):
        return TABLE[code][1] if not error.kept else _wrong_sum(error)
    if isinstance(error, Protected):
        return "Access Denied because object protected by object lock."
    if isinstance(error, _SPEAKING) and error.message and code not in _WORDED:
        return error.message
    return TABLE[code][1]


def _wrong_sum(error: BadDigest) -> str:
    return f"The {error.algorithm} you specified did not match the calculated checksum."


def _advice(error: StorageError) -> Mapping[str, str]:
    if (code_of(error) in _WORDED or isinstance(error, Protected)) and error.message:
        return {"Advice": error.message}
    return {}


def _details(error: StorageError, environ: Mapping[str, Any]) -> Mapping[str, str]:
    if isinstance(error, NoSuchStore):
        return {"BucketName": error.name}
    if isinstance(error, NoSuchVersion):
        return {"Key": error.key or "", "VersionId": error.version}
    if isinstance(error, NoSuchUpload):
        return {"UploadId": error.upload}
    if isinstance(error, NotFound) and error.key:
        return {"Key": error.key}
    if isinstance(error, InvalidRange):
        asked = environ.get("HTTP_RANGE", "")
        return {"RangeRequested": asked, "ActualObjectSize": str(error.size)}
    if isinstance(error, MethodNotAllowed):
        return {"Method": environ["REQUEST_METHOD"], "ResourceType": "DeleteMarker"}
    if isinstance(error, PreconditionFailed):
        return {"Condition": error.condition}
    if isinstance(error, InvalidPart) and not isinstance(error, PartTooSmall):
        return {"PartNumber": str(error.number or "")}
    if isinstance(error, PartTooSmall):
        return {
            "PartNumber": str(error.number),
            "ProposedSize": str(error.size),
            "MinSizeAllowed": str(error.minimum),
        }
    if isinstance(error, TooLarge):
        return {"ProposedSize": str(error.size or ""), "MaxSizeAllowed": str(error.limit)}
    if isinstance(error, BadDigest) and not error.kept:
        return _digests(error)
    return {}


def _digests(error: BadDigest) -> Mapping[str, str]:
    """Amazon S3 writes the Content-MD5 that was sent in hex, and what it computed as it came."""
    declared = _hex(error.algorithm, error.declared)
    if not _of_payload(error):
        return {"ExpectedDigest": declared, "CalculatedDigest": error.computed}
    computed = _hex(error.algorithm, error.computed)
    return {"ClientComputedContentSHA256": declared, "S3ComputedContentSHA256": computed}


def _hex(algorithm: str, text: str) -> str:
    """An upstream may have said it in hex, or not at all."""
    try:
        return decode(algorithm, text).hex()
    except InvalidRequest:
        return text


def _headers(error: StorageError) -> Headers:
    if isinstance(error, NotModified):
        return replies.validators(error.info)
    if isinstance(error, (NoSuchKey, MethodNotAllowed)) and error.delete_marker is not None:
        marker = [("x-amz-delete-marker", "true"), ("x-amz-version-id", error.delete_marker)]
        return marker + ([("allow", "DELETE")] if isinstance(error, MethodNotAllowed) else [])
    if isinstance(error, ReadOnly):
        return [("allow", "GET, HEAD")]
    return headers_of(error)


_ALSO_HEADERS = (("Allow", "allow"), ("Region", "x-amz-bucket-region"))
"""Elements of the document that clients look for in a header: botocore, where to sign for."""


def reply(
    error: StorageError | S3Problem, resource: str, environ: Mapping[str, Any]
) -> tuple[str, Reply]:
    """(code, answer) of the request. `resource` is the path asked for."""
    request_id: str = environ["gateway.request_id"]
    if isinstance(error, S3Problem):
        code, message, details, headers = error.code, error.message, error.extra, Headers()
        for name, header in _ALSO_HEADERS:
            if (text := details.get(name)) is not None:
                headers.append((header, text))
    else:
        code, message = code_of(error), message_of(error)
        details, headers = {**_details(error, environ), **_advice(error)}, _headers(error)
    status = TABLE[code][0]
    if status == 304:
        return code, Reply(status, headers)
    body = document(
        "Error",
        element("Code", code),
        element("Message", legible(message)),
        *(element(name, legible(text)) for name, text in details.items() if text),
        element("Resource", legible(resource)),
        element("RequestId", request_id),
        element("HostId", request_id),
        namespace="",
    )
    return code, Reply(status, [*headers, ("content-type", replies.XML)], body)


def to_head(answer: Reply, code: str, error: StorageError | S3Problem, region: str) -> None:
    """Say in headers what the document says, which a HEAD does not get: code and message under
    the names that AWS's website endpoints use, and where the bucket is, if it is anywhere."""
    answer.body = b""
    if answer.status == 304:
        return
    message = message_of(error)
    said = ("x-amz-error-code", code), ("x-amz-error-message", replies.value(message))
    answer.headers = instead(answer.headers, *said)
    if answer.status != 404 and all(name != "x-amz-bucket-region" for name, _ in answer.headers):
        answer.headers.append(("x-amz-bucket-region", region))
