"""Requests that are no reads, passed on to the origin as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drivers.http import meaning, questions
from drivers.http.asking import Asking
from drivers.http.targets import Origin, key_of, of_key, redirected
from gateway.storage import (
    BytesBody,
    Forward,
    Forwards,
    IncompleteBody,
    InvalidRequest,
    Opened,
    OriginFailed,
    Readable,
    Store,
    pieces,
)

_METHOD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_NEVER = frozenset({"CONNECT", "TRACE"})
"""A tunnel, and an echo of what only the gateway and the origin say to each other."""


class Passing(Store, Forwards):
    """What a store has that passes on: an origin, once it is open."""

    origins: tuple[Origin, ...]
    asking: Asking

    def forward(self, key: str, body: Readable | None, request: Forward) -> Opened:
        method = request.method
        if _METHOD.fullmatch(method) is None or method.upper() in _NEVER:
            raise InvalidRequest("A request of that method is not passed on.", key=key)
        lines = questions.passed_on(request.headers)
        stream: Iterator[bytes] | None = None
        if body is not None:
            lines.append(_framing(request.size))
            stream = _chunks(body) if request.size is None else _counted(body, request.size)
        elif request.size == 0:
            lines.append(("content-length", "0"))
        heard = self.asking.forward(method, key, request.query, lines, stream)
        info = meaning.info_of(key, heard.length, heard)
        opened = heard.body or BytesBody(b"")
        return Opened(info=info, body=opened, length=heard.length, status=heard.status)

    def refers_to(self, key: str, reference: str) -> str | None:
        for origin in self.origins:
            try:
                named = origin.home(redirected(of_key(origin.base, key), reference))
            except OriginFailed:
                return None
            if (found := key_of(origin.base, named)) is not None:
                return found
        return None


def _framing(size: int | None) -> tuple[str, str]:
    if size is None:
        return "transfer-encoding", "chunked"
    return "content-length", str(size)


def _counted(body: Readable, size: int) -> Iterator[bytes]:
    """Just so many bytes: what is short of them is never a complete request."""
    sent = 0
    for piece in pieces(body):
        sent += len(piece)
        if sent > size:
            raise IncompleteBody(expected=size, received=sent)
        yield piece
    if sent < size:
        raise IncompleteBody(expected=size, received=sent)


def _chunks(body: Readable) -> Iterator[bytes]:
    for piece in pieces(body):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
