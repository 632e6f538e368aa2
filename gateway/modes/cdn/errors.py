"""What is refused → a code of `problems`: one table, looked up along the MRO.

Every error of the contract is here; a test holds that. What a client caused is never 532.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.common.refusals import entry, words
from gateway.modes.cdn import wire
from gateway.modes.cdn.problems import PROBLEMS, CdnProblem
from gateway.storage import (
    AlreadyExists,
    Archived,
    BadKey,
    Busy,
    Conflict,
    Corrupt,
    Forbidden,
    Full,
    InvalidRange,
    InvalidRequest,
    MethodNotAllowed,
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
from gateway.web.api.parameters import Unfit
from gateway.web.api.typed_bodies import Untyped
from gateway.web.http_fields import Headers
from gateway.web.refusal_headers import headers_of
from gateway.web.replies import Reply

Refusal = StorageError | CdnProblem | Unfit | NotJson | Untyped
REFUSALS = (StorageError, CdnProblem, Unfit, NotJson, Untyped)

CODES: Mapping[type[Exception], str] = {
    Unfit: "InvalidParameter",
    NotJson: "MalformedBody",
    Untyped: "MalformedBody",
    StorageError: "Failed",
    NotFound: "NotFound",
    AlreadyExists: "Conflict",
    NotEmpty: "Conflict",
    NotModified: "Conflict",
    PreconditionFailed: "Conflict",
    Conflict: "Conflict",
    Protected: "Conflict",
    Archived: "Conflict",
    QuotaExceeded: "Conflict",
    MethodNotAllowed: "NotFound",
    InvalidRange: "InvalidRequest",
    InvalidRequest: "InvalidRequest",
    BadKey: "InvalidParameter",
    TooLarge: "EntityTooLarge",
    Unauthorized: "Unauthorized",
    Forbidden: "AccessDenied",
    ReadOnly: "AccessDenied",
    Unsupported: "NotOffered",
    Corrupt: "Failed",
    Full: "NoSpace",
    Unavailable: "NotAvailable",
    OriginFailed: "NotAvailable",
    TimedOut: "NotAvailable",
    Busy: "Busy",
}

_SPEAKING = (
    AlreadyExists,
    BadKey,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotEmpty,
    NotFound,
    QuotaExceeded,
    Unsupported,
)
"""Errors whose own message says more than the table's text, where they have one of their own."""

_CHALLENGE = ("www-authenticate", 'Token header="X-UCDN-Token"')
"""A 401 says how to authenticate (RFC 9110 §15.5.2)."""


def code_of(error: Refusal) -> str:
    if isinstance(error, CdnProblem):
        return error.code
    return entry(CODES, error)


def message_of(error: Refusal, code: str) -> str:
    if not isinstance(error, StorageError):
        return error.message
    return words(error, _SPEAKING, PROBLEMS[code][1])


def _headers(error: Refusal, status: int) -> Headers:
    found = headers_of(error) if isinstance(error, StorageError) else []
    found += error.headers if isinstance(error, CdnProblem) else []
    return [*found, _CHALLENGE] if status == 401 else found


def reply(error: Refusal) -> tuple[str, Reply]:
    """(code, answer)."""
    code = code_of(error)
    status = PROBLEMS[code][0]
    more = error.said if isinstance(error, CdnProblem) else {}
    answer = wire.reply({"message": message_of(error, code), **more}, status)
    answer.headers += _headers(error, status)
    return code, answer
