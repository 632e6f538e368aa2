"""A request's body that is one object in JSON (RFC 8259), whole.

May surprise: the media type is not looked at, for who sends it by `curl -d` calls it a form;
what is no JSON is refused whatever it is called. A member that is there twice is refused, for
parsers differ in which of the two they take.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from gateway.storage import Intake, InvalidRequest, Readable, TooLarge
from gateway.web.api.parameters import UnfitMember, shown
from gateway.web.http_fields import content_length, content_md5


class NotJson(Exception):
    """The body cannot be read at all. The message is for the client."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def receive(environ: dict[str, Any], limit: int) -> dict[str, Any]:
    """Call it for who may do what the body is for: it takes the request's place among those
    that may hold a thread while they read. No body is an empty object. Raises `NotJson`,
    `UnfitMember`, `InvalidRequest` (`TooLarge`, `IncompleteBody`, `BadDigest`) and `Busy`."""
    data = _data(environ, limit)
    if not data:
        return {}
    try:
        found = json.loads(data.decode(), object_pairs_hook=once, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()  # halves of surrogates are no text
    except (ValueError, RecursionError) as error:
        raise NotJson(f"The body is not JSON: {_why(error)}.") from None
    if not isinstance(found, dict):
        raise NotJson("The body is not an object in JSON.")
    return found


def _data(environ: dict[str, Any], limit: int) -> bytes:
    try:
        size, digests = content_length(environ), content_md5(environ)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    if size is None and "HTTP_TRANSFER_ENCODING" not in environ:
        size = 0
    if size is not None and size > limit:
        raise TooLarge(limit=limit, size=size)
    if size == 0:
        return b""
    if (admit := environ.get("gateway.admission")) is not None:
        admit()
    return _whole(environ["wsgi.input"], size, limit, digests)


def _whole(source: Readable, size: int | None, limit: int, digests: Mapping[str, str]) -> bytes:
    """A chunked one does not say its size, and is read as far as it may be long."""
    intake = Intake(source, size=size, digests=digests, md5=False)
    pieces, received = [], 0
    while piece := intake.read():
        received += len(piece)
        if received > limit:
            raise TooLarge(limit=limit)
        pieces.append(piece)
    if size is None and not received:  # a client that is gone looks like that on some servers
        raise NotJson("The body is chunked, and empty or broken off.")
    return b"".join(pieces)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises `UnfitMember` for a name that is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise UnfitMember(f"The member {shown(twice)} is there twice.")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is not UTF-8" if isinstance(error, UnicodeError) else "a number is none, or too long"
