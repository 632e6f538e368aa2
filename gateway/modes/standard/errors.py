"""What a store refuses → a code of `problems`: one table, looked up along the MRO.

Every error of the contract is here; a test holds that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from gateway.common.refusals import entry
from gateway.modes.standard.problems import PROBLEMS, StandardProblem
from gateway.modes.standard.wire import JSON, validators
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
from gateway.web.api.parameters import Unfit
from gateway.web.http_fields import Headers
from gateway.web.refusal_headers import headers_of
from gateway.web.replies import Reply

CODES: Mapping[type[StorageError], str] = {
    StorageError: "internal_error",
    NotFound: "file_not_found",
    NoSuchStore: "service_not_found",
    NoSuchVolume: "service_not_found",
    NoSuchKey: "file_not_found",
    NoSuchVersion: "version_gone",
    NoSuchUpload: "file_not_found",
    NoSuchAnnotation: "file_not_found",
    AlreadyExists: "already_exists",
    NotEmpty: "not_empty",
    NotModified: "not_modified",
    PreconditionFailed: "precondition_failed",
    MethodNotAllowed: "version_deleted",
    Conflict: "conflict",
    Protected: "protected",
    Archived: "archived",
    InvalidRange: "invalid_range",
    InvalidRequest: "invalid_request",
    BadDigest: "bad_digest",
    IncompleteBody: "incomplete_body",
    TooLarge: "too_large",
    TooManyAnnotations: "invalid_request",
    InvalidPart: "invalid_request",
    PartTooSmall: "invalid_request",
    InvalidPartOrder: "invalid_request",
    WrongKey: "encrypted",
    NoSuchEncryptionKey: "invalid_request",
    DisabledEncryptionKey: "invalid_request",
    BadKey: "invalid_path",
    Unprocessable: "unprocessable",
    Unauthorized: "unauthorized",
    Forbidden: "forbidden",
    Unsupported: "unsupported",
    ReadOnly: "read_only",
    Full: "insufficient_storage",
    QuotaExceeded: "quota_exceeded",
    Corrupt: "corrupt",
    Unavailable: "unavailable",
    Busy: "busy",
    OriginFailed: "origin_failed",
    OriginDenied: "origin_denied",
    TimedOut: "timed_out",
}

_SPEAKING = (InvalidRequest, Unsupported, Conflict, Protected, ReadOnly, Unavailable, Full)
"""Errors whose own message says more than the table's text."""

CHALLENGE = ("www-authenticate", 'Key header="x-owncdn-key"')
"""A 401 says how to authenticate (RFC 9110 §15.5.2)."""


def code_of(error: StorageError) -> str:
    return entry(CODES, error)


def _message(error: StorageError, code: str) -> str:
    speaks = isinstance(error, _SPEAKING) and not isinstance(error, WrongKey)
    return error.message if speaks and error.message else PROBLEMS[code][1]


def _headers(error: StorageError) -> Headers:
    if isinstance(error, NotModified):
        return validators(error.info)
    return headers_of(error)


def reply(
    error: StorageError | StandardProblem | Unfit,
    request_id: str,
    sid: str | None = None,
    path: str | None = None,
) -> tuple[str, Reply]:
    """(code, answer)."""
    if isinstance(error, Unfit):
        code = "missing_parameter" if error.missing else "invalid_parameter"
        error = StandardProblem(code, error.message)
    if isinstance(error, StandardProblem):
        code, message, headers = error.code, error.message, list(error.headers)
    else:
        code = code_of(error)
        message, headers = _message(error, code), _headers(error)
    status = PROBLEMS[code][0]
    if status == 304:
        return code, Reply(status, headers)
    if status == 401:
        headers.append(CHALLENGE)
    said = {"error": code, "message": message, "sid": sid, "path": path, "requestId": request_id}
    return code, Reply(status, [*headers, *JSON], json.dumps(said).encode())
