"""The strict reading of HTTP/1.1 answers (RFC 9112), for one connection at a time.

What is ambiguous is refused: both lengths, a length that is no number, folded
lines, stray control characters. A body that ends before its announced end is
`OriginFailed`, raised by who reads it; so it is never passed on as complete.

May surprise: headers of one name are joined with ", ", as RFC 9110 §5.3 allows;
S3 has none for which that changes anything. Values stay latin-1 text.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from gateway.storage import PIECE, OriginFailed

HEAD_LIMIT = 64 * 1024
LINES_LIMIT = 1000
DOCUMENT_LIMIT = 32 * 1024 * 1024
"""Bytes of a document (a page of 1,000 keys, each of them escaped, has less than 10 MiB)."""

_HEAD = re.compile(
    r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n\0]*)?"
    r"(?:\r\n[A-Za-z0-9!#$%&'*+.^_`|~-]+:[^\r\n\0]*)*"
)
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?")

Headers = dict[str, str]


class ByteSource(Protocol):
    """Where bytes come from: `receive` gives some, b"" when the other side has closed."""

    def receive(self, size: int, /) -> bytes: ...


class Head(NamedTuple):
    """`length`: bytes of the body; None: to the end of the connection; -1: in chunks.
    `keeps`: the connection may be used again after the body. `text`: all of it, as it came."""

    status: int
    headers: Headers
    length: int | None
    keeps: bool
    text: str = ""


def parse_head(data: bytes, method: str) -> Head:
    """`data` without the empty line. Raises `OriginFailed`."""
    text = data.decode("latin-1")
    if text.count("\r\n") > LINES_LIMIT:
        raise broken("its head has too many lines")
    match = _HEAD.fullmatch(text)
    if match is None:
        raise broken("its head is malformed")
    headers: Headers = {}
    for line in text.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    status = int(match[2])
    keeps = _keeps(match[1], headers.get("connection"))
    if match[1] == "0" and "transfer-encoding" in headers:  # RFC 9112 §6.1
        raise broken("its framing is not that of its version")
    length = _length(headers, status, method)
    return Head(status, headers, length, keeps and length is not None, text)


def _keeps(minor: str, connection: str | None) -> bool:
    """RFC 9112 §9.3."""
    if connection is None:
        return minor == "1"
    options = {one.strip(" \t") for one in connection.lower().split(",")}
    return "close" not in options and (minor == "1" or "keep-alive" in options)


def _length(headers: Headers, status: int, method: str) -> int | None:
    """RFC 9112 §6.3."""
    if method == "HEAD" or status in (204, 304) or status < 200:
        return 0
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise broken("its framing is ambiguous")
        return -1
    if length is None:
        return None
    if _LENGTH.fullmatch(length) is None:
        raise broken("its length is not a number")
    return int(length)


def broken(why: str) -> OriginFailed:
    return OriginFailed(f"The answer of the upstream cannot be used: {why}.", status=502)


def ended(expected: int | None, received: int) -> OriginFailed:
    what = "its end was missing" if expected is None else f"{received} of {expected} bytes came"
    return OriginFailed(f"The answer of the upstream was cut: {what}.", status=502)


class Lengthy:
    """A body of a known length. `rest` are bytes of it that came with the head. `clean`:
    nothing came behind it, which would be taken for the next answer."""

    __slots__ = ("_rest", "_source", "clean", "left", "length")

    def __init__(self, source: ByteSource, rest: bytes, length: int) -> None:
        self._source, self._rest = source, rest[:length]
        self.length = self.left = length
        self.clean = len(rest) <= length

    def read(self, size: int = PIECE, /) -> bytes:
        if self.left <= 0:
            return b""
        if self._rest:
            piece, self._rest = self._rest[:size], self._rest[size:]
        else:
            piece = self._source.receive(min(size, self.left))
            if not piece:
                raise ended(self.length, self.length - self.left)
        self.left -= len(piece)
        return piece


class Chunked:
    """A body in chunks (RFC 9112 §7.1); trailers are read and dropped. `left` is 0 when
    its end was there; `clean` as above. Of chunks that are here already, a read takes as many
    as there are: an upstream may send each byte in one of its own."""

    __slots__ = ("_at", "_chunk", "_received", "_rest", "_source", "left")

    def __init__(self, source: ByteSource, rest: bytes) -> None:
        self._source, self._rest, self._at = source, rest, 0
        self._chunk = self._received = 0
        self.left = 1

    @property
    def clean(self) -> bool:
        return self._at >= len(self._rest)

    def read(self, size: int = PIECE, /) -> bytes:
        pieces = list[bytes]()
        while size and self.left:
            if not self._chunk and ((pieces and not self._has_line) or not self._begin()):
                break
            if self.clean:
                if pieces:
                    break
                self._more()
            piece = self._cut(min(size, self._chunk))
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _cut(self, size: int) -> bytes:
        """The next bytes of the chunk, of those that are here."""
        piece = self._rest[self._at : self._at + size]
        self._at += len(piece)
        self._chunk -= len(piece)
        self._received += len(piece)
        if not self._chunk and self._line():
            raise broken("a chunk has more bytes than it says")
        return piece

    def _begin(self) -> bool:
        match = _CHUNK.fullmatch(self._line())
        if match is None:
            raise broken("the size of a chunk is malformed")
        self._chunk = int(match[1], 16)
        if self._chunk:
            return True
        trailers = 0
        while line := self._line():
            trailers += len(line)
            if trailers > HEAD_LIMIT:
                raise broken("its trailers are too long")
        self.left = 0
        return False

    @property
    def _has_line(self) -> bool:
        return self._rest.find(b"\r\n", self._at) >= 0

    def _line(self) -> bytes:
        while (end := self._rest.find(b"\r\n", self._at)) < 0:
            if len(self._rest) - self._at > HEAD_LIMIT:
                raise broken("a line is too long")
            self._more()
        line, self._at = self._rest[self._at : end], end + 2
        return line

    def _more(self) -> None:
        data = self._source.receive(PIECE)
        if not data:
            raise ended(None, self._received)
        self._rest, self._at = self._rest[self._at :] + data, 0


class Unframed:
    """A body that ends with the connection: nothing proves that it is whole."""

    clean = False

    __slots__ = ("_rest", "_source", "left")

    def __init__(self, source: ByteSource, rest: bytes) -> None:
        self._source, self._rest, self.left = source, rest, 1

    def read(self, size: int = PIECE, /) -> bytes:
        if self._rest:
            piece, self._rest = self._rest[:size], self._rest[size:]
            return piece
        return self._source.receive(size)


Framed = Lengthy | Chunked | Unframed


def framed(source: ByteSource, rest: bytes, length: int | None) -> Framed:
    if length is None:
        return Unframed(source, rest)
    return Chunked(source, rest) if length < 0 else Lengthy(source, rest, length)
