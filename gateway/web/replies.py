"""What a mode's handler answers, before it is HTTP.

Header names are in lower case. A value may come from another door or an
upstream; so what a header cannot hold is never put into one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from gateway.storage import PIECE, Readable
from gateway.web.http_fields import Headers


@dataclass(slots=True)
class Reply:
    """`body`: bytes, or what is to be sent in pieces (closed by who sends it). `length`:
    of a body that is not bytes, or that a HEAD does not have."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes | Readable = b""
    length: int | None = None


class Sending:
    """A body as WSGI iterates it. Unlike a generator's, its `close` closes what was never begun."""

    __slots__ = ("_body", "_left")

    def __init__(self, body: Readable, length: int) -> None:
        self._body, self._left = body, length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._left <= 0:
            raise StopIteration
        piece = self._body.read(min(self._left, PIECE))
        if not piece:
            raise StopIteration
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


class Limited:
    """`length` bytes of the server's input, which may not end by itself; None: to its end."""

    __slots__ = ("_input", "_left")

    def __init__(self, source: IO[bytes], length: int | None) -> None:
        self._input, self._left = source, length

    def read(self, size: int = PIECE, /) -> bytes:
        if self._left is None:
            return self._input.read(size)
        if self._left <= 0:
            return b""
        piece = self._input.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """The server closes its input."""
