"""What is refused → an error of `problems`: one table, looked up along the MRO.

Every error of the contract is here; a test holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.common.refusals import entry, words
from gateway.modes.ozone import wire
from gateway.modes.ozone.problems import PROBLEMS, OzoneProblem
from gateway.storage import (
    AlreadyExists,
    Archived,
    BadDigest,
    BadKey,
    Busy,
    Conflict,
    Corrupt,
    Forbidden,
    Full,
    IncompleteBody,
    InvalidRange,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchKey,
    NoSuchStore,
    NoSuchVolume,
    NotEmpty,
    NotFound,
    NotModified,
    OriginDenied,
    OriginFailed,
    PreconditionFailed,
    Protected,
    QuotaExceeded,
    ReadOnly,
    StorageError,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
    Unsupported,
    WrongKey,
)
from gateway.web.api.parameters import Unfit
from gateway.web.http_fields import Headers
from gateway.web.refusal_headers import headers_of
from gateway.web.replies import Reply

Refusal = StorageError | OzoneProblem | Unfit
REFUSALS = (StorageError, OzoneProblem, Unfit)

CODES: Mapping[type[Exception], str] = {
    Unfit: "invalidQueryParam",
    StorageError: "internalServerError",
    NotFound: "invalidKey",
    NoSuchVolume: "volumeNotFound",
    NoSuchStore: "invalidBucketName",
    NoSuchKey: "invalidKey",
    AlreadyExists: "bucketAlreadyExists",
    NotEmpty: "bucketNotEmpty",
    NotModified: "notModified",
    PreconditionFailed: "preconditionFailed",
    MethodNotAllowed: "invalidKey",
    Conflict: "keyOperationConflict",
    Protected: "accessDenied",
    Archived: "accessDenied",
    InvalidRange: "invalidRange",
    InvalidRequest: "invalidRequest",
    BadDigest: "badDigest",
    IncompleteBody: "incompleteBody",
    TooLarge: "entityTooLarge",
    WrongKey: "invalidRequest",
    BadKey: "invalidKey",
    Unprocessable: "invalidRequest",
    Unauthorized: "Unauthorized",
    Forbidden: "accessDenied",
    Unsupported: "notImplemented",
    ReadOnly: "accessDenied",
    Full: "insufficientStorage",
    QuotaExceeded: "quotaExceeded",
    Corrupt: "internalServerError",
    Unavailable: "serviceUnavailable",
    Busy: "slowDown",
    OriginFailed: "originFailed",
    OriginDenied: "originFailed",
    TimedOut: "serviceUnavailable",
}

_SPEAKING = (
    Archived,
    BadKey,
    Conflict,
    Full,
    InvalidRequest,
    NoSuchVolume,
    Protected,
    ReadOnly,
    Unavailable,
    Unsupported,
)
"""Errors whose own message says more than the table's text, where they have one of their own."""

_ABSENT = (NotFound, MethodNotAllowed)

_CHALLENGE = ("www-authenticate", "OZONE")
"""A 401 says how to authenticate (RFC 9110 §15.5.2)."""


class Told(NamedTuple):
    """What an error says beside itself. `absent`: the status of a bucket or key that is not
    there."""

    resource: str
    request_id: str
    host: str
    absent: int


def code_of(error: Refusal) -> str:
    if isinstance(error, OzoneProblem):
        return error.code
    return entry(CODES, error)


def _message(error: Refusal, code: str) -> str:
    if not isinstance(error, StorageError):
        return error.message
    return words(error, _SPEAKING, PROBLEMS[code][1])


def _headers(error: Refusal) -> Headers:
    if isinstance(error, OzoneProblem):
        return [*error.headers]
    if isinstance(error, NotModified):
        return wire.validators(error.info)
    return headers_of(error) if isinstance(error, StorageError) else []


def reply(error: Refusal, told: Told) -> tuple[str, Reply]:
    """(code, answer)."""
    code, headers = code_of(error), _headers(error)
    status = PROBLEMS[code][0]
    if status == 304:
        return code, Reply(status, headers)
    if isinstance(error, _ABSENT) and status == 400:
        status = told.absent
    if status == 401:
        headers.append(_CHALLENGE)
    said = {
        "httpCode": status,
        "shortMessage": code,
        "resource": told.resource,
        "message": _message(error, code),
        "requestID": told.request_id,
        "hostName": told.host,
    }
    answer = wire.document(said, status)
    answer.headers += headers
    return code, answer
