"""What a store refuses → a code of `problems`: one table, looked up along the MRO, so that a row is
there only for what is not said as its root is; and the answer that is made of it.

What an HTTP origin has answered itself is passed on as it came, its page and its redirects too;
only what it says to the gateway alone (407) is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from gateway.common.refusals import entry
from gateway.modes.public import replies
from gateway.modes.public.problems import TABLE, PublicProblem
from gateway.storage import (
    AlreadyExists,
    Archived,
    BadKey,
    Conflict,
    Corrupt,
    DisabledEncryptionKey,
    Forbidden,
    Full,
    InvalidRange,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchEncryptionKey,
    NotEmpty,
    NotFound,
    NotModified,
    OriginAnswer,
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
from gateway.web.http_fields import Headers
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

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
    Archived: "Forbidden",
    InvalidRange: "InvalidRange",
    InvalidRequest: "BadRequest",
    TooLarge: "TooLarge",
    WrongKey: "Forbidden",
    NoSuchEncryptionKey: "Forbidden",
    DisabledEncryptionKey: "Forbidden",
    BadKey: "NotFound",
    Unprocessable: "Unprocessable",
    Unauthorized: "Forbidden",
    Forbidden: "Forbidden",
    Unsupported: "NotImplemented",
    ReadOnly: "Forbidden",
    Full: "Full",
    Corrupt: "Corrupt",
    Unavailable: "Unavailable",
    OriginFailed: "BadGateway",
    TimedOut: "TimedOut",
}

_OURS = frozenset({304, 407, 412, 416})
"""Of an origin's statuses, those that are for the gateway: it says itself what comes of them."""

_OF_PAGE = frozenset({"content-type", "content-encoding", "content-language"})


def code_of(error: StorageError | PublicProblem) -> str:
    if isinstance(error, PublicProblem):
        return error.code
    return entry(CODES, error)


def _passed_on(error: StorageError | PublicProblem) -> OriginAnswer | None:
    """The answer of an origin that is to be passed on."""
    origin = error.origin if isinstance(error, StorageError) else None
    return None if origin is None or origin.status in _OURS else origin


def headers_of(error: StorageError | PublicProblem) -> Headers:
    if isinstance(error, PublicProblem):
        return [*error.headers]
    if isinstance(error, InvalidRange):
        return [("content-range", f"bytes */{error.size}")]
    if isinstance(error, Unavailable) and code_of(error) == "Unavailable":
        return [("retry-after", str(error.retry_after or 1))]
    return []


def reply(
    error: StorageError | PublicProblem, request_id: str, method: str = "GET"
) -> tuple[str, Reply]:
    """(code, answer)."""
    code, origin = code_of(error), _passed_on(error)
    if origin is not None:
        code = "" if origin.status < 400 else code
        status, told = TABLE.get(code, (0, ""))
        told = told if status == origin.status else ""
        return code, _as_answered(origin, told, request_id, method)
    status, told = TABLE[code]
    return code, page(status, told, request_id, headers_of(error))


def _as_answered(origin: OriginAnswer, told: str, request_id: str, method: str) -> Reply:
    headers = replies.of_origin(origin)
    if method == "HEAD":
        said = {name.lower(): text for name, text in origin.headers}.get("content-length", "")
        return Reply(origin.status, headers, length=whole_number(said))
    if origin.page is not None:
        return Reply(origin.status, headers, origin.page)
    ours = page(origin.status, told, request_id)  # its own was too long, or is not for visitors
    others = [one for one in headers if one[0] not in _OF_PAGE]
    return Reply(ours.status, others + ours.headers, ours.body)


def page(status: int, told: str, request_id: str, headers: Headers = []) -> Reply:  # noqa: B006 - it is only read
    try:
        title = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        title = str(status)
    body = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}'
        f"</title></head>\n<body>\n<h1>{escape(title)}</h1>\n<p>{escape(told)}</p>\n"
        f"<p>Request: {escape(request_id)}</p>\n</body>\n</html>\n"
    )
    said = [*headers, ("content-type", "text/html; charset=utf-8"), replies.STRICT]
    return Reply(status, said, body.encode())
