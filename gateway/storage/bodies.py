"""Bodies: pulled in pieces, never held whole.

Where what comes next lies in a file as it is to be sent, a body may say so (`Lends`): then a
server has the system send it, and none of it passes through Python. A body that does not say it
is read, and so is one whose wrapper does not know of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Protocol, runtime_checkable

PIECE = 256 * 1024
"""Bytes moved at a time. Measured on granian: 8 KiB halves the throughput, and
1 MiB is slower too."""


class Readable(Protocol):
    """Bytes that are pulled. `read` gives up to `size` bytes, fewer when that is what
    there is now, and b"" at the end only. `close` may be called twice."""

    def read(self, size: int = PIECE, /) -> bytes: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """`length` bytes of an open file from `start` on. `file` is a descriptor of the body's, good
    until that is asked for something else, or closed."""

    file: int
    start: int
    length: int

    def __len__(self) -> int:
        return self.length


@runtime_checkable
class Lends(Protocol):
    """A body, or what wraps one, that may have its next bytes in a file."""

    def stretch(self, most: int, /) -> Stretch | None:
        """What comes next, 1 to `most` bytes, which then count as read; None: `read` tells. Raises
        what `read` does. To be asked by who sends it only: what is lent is not looked at."""

    def whole_file(self) -> str:
        """The path of a file that has the object whose bytes these are, and nothing else, so that
        another server can send it; "" where there is none, or what is left may not be lent."""


def whole_file(body: object) -> str:
    """Of what may not know that it can be asked."""
    ask = getattr(body, "whole_file", None)
    return "" if ask is None else str(ask())


def lent(body: object, most: int) -> Stretch | None:
    """Of what may not know that it can be asked."""
    ask = getattr(body, "stretch", None)
    found: Stretch | None = None if ask is None else ask(most)
    return found


@dataclass(slots=True, eq=False)
class BytesBody:
    """A body that is already bytes: all of `data`, until something was read."""

    data: bytes
    _at: int = field(default=0, init=False, repr=False)

    def read(self, size: int = PIECE, /) -> bytes:
        at, data = self._at, self.data
        piece = data[at : at + size] if at or size < len(data) else data
        self._at = at + len(piece)
        if self._at == len(data):
            self.data, self._at = b"", 0
        return piece

    def close(self) -> None:
        self.data = b""


class FileBody:
    """`length` bytes of an open binary file from where it stands; closes it."""

    __slots__ = ("_file", "_left")

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def read(self, size: int = PIECE, /) -> bytes:
        if self._left <= 0:
            return b""
        piece = self._file.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._file.close()


class IteratorBody:
    """A body from pieces that something else makes."""

    __slots__ = ("_pieces", "_rest")

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def begin(self) -> None:
        """Take the first bytes now, while what is wrong with them can still be told."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return
            self._rest = piece

    def read(self, size: int = PIECE, /) -> bytes:
        if not self._rest:
            self.begin()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def stretch(self, most: int, /) -> Stretch | None:
        return None if self._rest else lent(self._pieces, most)

    def whole_file(self) -> str:
        found = whole_file(self._pieces)  # also of one that is to be read this time
        return "" if self._rest else found

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


def pieces(body: Readable, size: int = PIECE) -> Iterator[bytes]:
    """The body in pieces; it is closed at the end, and when the iterator is."""
    try:
        while piece := body.read(size):
            yield piece
    finally:
        body.close()
