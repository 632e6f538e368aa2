"""A request's body as an application reads it, from a socket that blocks.

Counted by Content-Length or by chunks (RFC 9112 §6, §7.1), never read beyond
its end. `100 Continue` goes out at the first read, when the client waits for it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

from gateway.testing.server import wire

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_LINE = 4096
_PIECE = 256 << 10


class Broken(OSError):
    """The client went away, or its framing is none: the connection ends."""


class SocketReader:
    """Bytes of a connection: what had been read before its body was known, then the socket."""

    def __init__(self, connection: socket.socket, before: bytes) -> None:
        self._socket, self.rest = connection, before

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def some(self, most: int) -> bytes:
        """At least one byte, at most `most`. Raises `Broken`."""
        if not self.rest:
            self.rest = self._socket.recv(max(most, 1 << 16))
            if not self.rest:
                raise Broken("the client went away")
        piece, self.rest = self.rest[:most], self.rest[most:]
        return piece

    def line(self) -> bytes:
        """Up to CRLF, without it. Raises `Broken`."""
        while b"\r\n" not in self.rest:
            if len(self.rest) > _LINE:
                raise Broken("a line of a chunk is too long")
            more = self._socket.recv(1 << 16)
            if not more:
                raise Broken("the client went away")
            self.rest += more
        found, _, self.rest = self.rest.partition(b"\r\n")
        return found


class Body:
    """`wsgi.input`. `length` None: it comes in chunks. `untouched`: the client still waits
    for `100 Continue`; `ended`: the next byte is the next request's."""

    def __init__(self, source: SocketReader, length: int | None, *, expected: bool) -> None:
        self._source, self._chunked, self.untouched = source, length is None, expected
        self._left = length or 0
        self._first = True
        self.ended = length == 0

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self._some(_PIECE), b""))
        pieces, missing = [], size
        while missing and (piece := self._some(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _some(self, most: int) -> bytes:
        if self.ended:
            return b""
        if self.untouched:
            self._source.send(wire.CONTINUE)
            self.untouched = False
        if not self._left and self._chunked and not self._next_chunk():
            return b""
        piece = self._source.some(min(most, self._left))
        self._left -= len(piece)
        self.ended = not self._left and not self._chunked
        return piece

    def _next_chunk(self) -> bool:
        """Whether there is another one."""
        if not self._first and self._source.line():
            raise Broken("a chunk is longer than its size")
        self._first = False
        size = self._source.line().partition(b";")[0].strip()
        if not _SIZE.fullmatch(size):
            raise Broken("a chunk's size is no number")
        self._left = int(size, 16)
        if not self._left:
            while self._source.line():
                pass  # trailers, which nobody asked for
            self.ended = True
        return not self.ended

    def readline(self, size: int = -1) -> bytes:
        line = bytearray()
        while (size < 0 or len(line) < size) and not line.endswith(b"\n"):
            if not (byte := self._some(1)):
                break
            line += byte
        return bytes(line)

    def readlines(self, hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def skip(self, most: int) -> bool:
        """Read and forget what is left, if it is at most that. Whether the end was reached."""
        while not self.ended and most > 0:
            most -= len(self._some(min(most, _PIECE)))
        return self.ended
