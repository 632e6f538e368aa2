"""A range of an upstream that knows no ranges."""

from __future__ import annotations

from gateway.storage import (
    PIECE,
    Get,
    ObjectInfo,
    Opened,
    Range,
    Readable,
    range_of,
)


def cut_out(info: ObjectInfo, body: Readable, wanted: Range) -> Opened:
    """A range of an upstream that sent the whole instead: what is before it is passed over."""
    start, length = range_of(info, Get(range=wanted))
    left = start
    while left and (piece := body.read(min(left, PIECE))):
        left -= len(piece)
    return Opened(info=info, body=_Stretch(body, length), start=start, length=length)


class _Stretch:
    """The next `length` bytes of a body."""

    __slots__ = ("_body", "_left")

    def __init__(self, body: Readable, length: int) -> None:
        self._body, self._left = body, length

    def read(self, size: int = PIECE, /) -> bytes:
        if self._left <= 0:
            return b""
        piece = self._body.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()
