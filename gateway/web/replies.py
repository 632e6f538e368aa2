"""What a mode's handler answers, and how it becomes WSGI's.

Header names are in lower case. A value may come from another door or an
upstream; so what a header cannot hold is never put into one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from gateway.storage import PIECE, BytesBody, Readable, Stretch, lent, whole_file
from gateway.web.http_fields import Headers

AT_ONCE = 1 << 20
"""Bytes that a server may be given for a client that takes them when it likes. A page of a list
is less; a picture is not, or what a store had to read whole."""


@dataclass(slots=True)
class Reply:
    """`body`: bytes, or what is to be sent in pieces (closed by who sends it): that is what many
    bytes become. `length`: of a body that is not bytes, or that a HEAD does not have."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes | Readable = b""
    length: int | None = None

    def __post_init__(self) -> None:
        body = self.body
        if isinstance(body, bytes) and len(body) > AT_ONCE:
            self.body = BytesBody(body)
            self.length = len(body) if self.length is None else self.length


class Sending:
    """A body as WSGI iterates it. Unlike a generator's, its `close` closes what was never begun."""

    __slots__ = ("_body",)

    def __init__(self, body: Readable) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(partial(self._body.read, PIECE), b"")

    def stretch(self, most: int, /) -> Stretch | None:
        return lent(self._body, most)

    def whole_file(self) -> str:
        return whole_file(self._body)

    def close(self) -> None:
        self._body.close()


_LINES = {one.value: f"{one.value} {one.phrase}" for one in HTTPStatus}
_BODILESS = frozenset({204, 304})


def send(
    reply: Reply, environ: dict[str, Any], start_response: Callable[..., Any]
) -> list[bytes] | Sending:
    """Begin a reply, and give its body. Its headers are sent as they are, several of a name too."""
    body, headers = reply.body, [*reply.headers]
    head = environ["REQUEST_METHOD"] == "HEAD"
    length = len(body) if isinstance(body, bytes) else reply.length
    if head and reply.length is not None:
        length = reply.length
    if length is not None and reply.status not in _BODILESS:
        headers.append(("content-length", str(length)))
    line = _LINES.get(reply.status) or f"{reply.status} Unknown"
    start_response(line, headers)
    if head or reply.status in _BODILESS:
        return _closed(body)
    return [body] if isinstance(body, bytes) else Sending(body)


def _closed(body: bytes | Readable) -> list[bytes]:
    """None of it."""
    if not isinstance(body, bytes):
        body.close()
    return []
