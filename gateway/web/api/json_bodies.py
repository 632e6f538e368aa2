"""A request's body that is one object in JSON (RFC 8259), whole.

May surprise: the media type is not looked at, for who sends it by `curl -d` calls it a form;
what is no JSON is refused whatever it is called. A member that is there twice is refused, for
parsers differ in which of the two they take.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from gateway.web import request_head, short_bodies
from gateway.web.api.parameters import UnfitMember, shown


class NotJson(Exception):
    """The body cannot be read at all. The message is for the client."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def receive(environ: dict[str, Any], limit: int) -> dict[str, Any]:
    """No body is an empty object. Raises `NotJson`, `UnfitMember`, and what
    `short_bodies.receive` raises."""
    data = short_bodies.receive(environ, limit)
    if not data:
        if request_head.has_body(environ):  # a client that is gone looks like that on some servers
            raise NotJson("The body is chunked, and empty or broken off.")
        return {}
    try:
        found = json.loads(data.decode(), object_pairs_hook=once, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()  # halves of surrogates are no text
    except (ValueError, RecursionError) as error:
        raise NotJson(f"The body is not JSON: {_why(error)}.") from None
    if not isinstance(found, dict):
        raise NotJson("The body is not an object in JSON.")
    return found


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
