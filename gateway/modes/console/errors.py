"""What a store refuses → a code of `problems`: one table, looked up along the MRO."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.common.refusals import entry
from gateway.modes.console.problems import TABLE, ConsoleProblem
from gateway.storage import (
    AlreadyExists,
    Archived,
    BadKey,
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

CODES: Mapping[type[StorageError], str] = {
    StorageError: "InternalError",
    NotFound: "NotFound",
    AlreadyExists: "Conflict",
    NotEmpty: "Conflict",
    NotModified: "NotModified",
    PreconditionFailed: "PreconditionFailed",
    MethodNotAllowed: "NotFound",
    Conflict: "Conflict",
    Protected: "Forbidden",
    Archived: "Conflict",
    InvalidRange: "InvalidRange",
    InvalidRequest: "BadRequest",
    TooLarge: "TooLarge",
    WrongKey: "Unprocessable",
    BadKey: "BadRequest",
    Unprocessable: "Unprocessable",
    Unauthorized: "Unauthorized",
    Forbidden: "Forbidden",
    Unsupported: "Unsupported",
    ReadOnly: "Forbidden",
    Full: "Full",
    Corrupt: "Corrupt",
    Unavailable: "Unavailable",
    OriginFailed: "BadGateway",
    TimedOut: "TimedOut",
}

_SILENT = (NotFound, Forbidden, MethodNotAllowed, Corrupt, OriginFailed)
"""Errors whose own message is for the log, or says what somebody else should not know."""


def code_of(error: StorageError | ConsoleProblem) -> str:
    if isinstance(error, ConsoleProblem):
        return error.code
    return entry(CODES, error)


def told(error: StorageError | ConsoleProblem) -> tuple[str, int, str]:
    """(code, status, sentence)."""
    code = code_of(error)
    status, sentence = TABLE[code]
    if isinstance(error, ConsoleProblem):
        return code, status, str(error)
    speaks = error.message and type(error) is not StorageError and not isinstance(error, _SILENT)
    return code, status, error.message if speaks else sentence
