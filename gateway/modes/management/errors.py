"""What is refused → a code of `problems`: one table, looked up along the MRO.

Every error of the contract is here; a test holds that.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.common.refusals import entry, words
from gateway.modes.management import wire
from gateway.modes.management.auth import HEADER
from gateway.modes.management.problems import PROBLEMS, ManagementProblem
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
    NoSuchAnnotation,
    NoSuchKey,
    NoSuchStore,
    NoSuchUpload,
    NoSuchVersion,
    NoSuchVolume,
    NotEmpty,
    NotFound,
    NotModified,
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
    Unsupported,
)
from gateway.web.api.json_bodies import NotJson
from gateway.web.api.parameters import Unfit, UnfitMember
from gateway.web.refusal_headers import headers_of
from gateway.web.replies import Reply

Refusal = StorageError | ManagementProblem | Unfit | NotJson
REFUSALS = (StorageError, ManagementProblem, Unfit, NotJson)

CODES: Mapping[type[Exception], str] = {
    Unfit: "InvalidArgument",
    UnfitMember: "ValidationError",
    NotJson: "MalformedJSON",
    StorageError: "InternalError",
    NotFound: "NoSuchCredential",
    NoSuchStore: "NoSuchBucket",
    NoSuchVolume: "NoSuchVolume",
    NoSuchKey: "NoSuchKey",
    NoSuchVersion: "NoSuchKey",
    NoSuchUpload: "NoSuchUpload",
    NoSuchAnnotation: "NoSuchKey",
    AlreadyExists: "AlreadyExists",
    NotEmpty: "BucketNotEmpty",
    NotModified: "Conflict",
    PreconditionFailed: "Conflict",
    MethodNotAllowed: "NoSuchKey",
    Conflict: "Conflict",
    Protected: "ObjectLocked",
    Archived: "Conflict",
    InvalidRange: "InvalidRequest",
    InvalidRequest: "InvalidRequest",
    BadDigest: "BadDigest",
    BadKey: "InvalidArgument",
    IncompleteBody: "IncompleteBody",
    TooLarge: "EntityTooLarge",
    Unauthorized: "Unauthorized",
    Forbidden: "AccessDenied",
    Unsupported: "NotImplemented",
    ReadOnly: "ReadOnly",
    Full: "InsufficientStorage",
    QuotaExceeded: "InsufficientStorage",
    Corrupt: "InternalError",
    Unavailable: "ServiceUnavailable",
    Busy: "SlowDown",
    OriginFailed: "ServiceUnavailable",
    TimedOut: "ServiceUnavailable",
}

_SPEAKING = (
    AlreadyExists,
    Conflict,
    Full,
    InvalidRequest,
    NotFound,
    Protected,
    ReadOnly,
    Unavailable,
    Unsupported,
)
"""Errors whose own message says more than the table's text, where they have one of their own."""

_CHALLENGE = ("www-authenticate", f'Key header="{HEADER}"')
"""A 401 says how to authenticate (RFC 9110 §15.5.2)."""


def code_of(error: Exception) -> str:
    return entry(CODES, error)


def message_of(error: Refusal, code: str) -> str:
    if not isinstance(error, StorageError):
        return error.message
    return words(error, _SPEAKING, PROBLEMS[code][1])


def reply(error: Refusal, request_id: str) -> tuple[str, Reply]:
    """(code, answer)."""
    code = error.code if isinstance(error, ManagementProblem) else code_of(error)
    headers = [*error.headers] if isinstance(error, ManagementProblem) else []
    status = PROBLEMS[code][0]
    if status == 401:
        headers.append(_CHALLENGE)
    if isinstance(error, StorageError):
        headers += headers_of(error)
    said = {"code": code, "message": message_of(error, code), "requestId": request_id}
    answer = wire.reply(said, status)
    answer.headers += headers
    return code, answer
