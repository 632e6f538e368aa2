"""One HTTP/1.1 answer on its way in, whatever pieces it comes in, for the own generator.

What is not kept is only counted, so that large bodies cost little. A chunked body is held
until it is whole: lists come so, objects do not.
"""

from __future__ import annotations

import re

from benchmarks.connection import Answer
from benchmarks.steps import Exchange

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_SIZE = re.compile(rb"([0-9a-fA-F]+)[^\r\n]*\r\n")


class Reading:
    """One answer on its way in. `take` gives it when it is whole."""

    __slots__ = ("_at", "_buffer", "_exchange", "_head", "_left", "_length", "chunked", "status")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self._buffer = exchange, bytearray()
        self._head, self.status, self.chunked = b"", 0, False
        self._left = self._length = self._at = 0

    def take(self, piece: memoryview) -> Answer | None:
        if not self.status:
            self._buffer += piece
            if not self._begun():
                return None
        elif self.chunked or self._kept:
            self._buffer += piece
            self._left -= len(piece)
        else:
            self._left -= len(piece)
        if self.chunked:
            return self._chunks()
        if self._left > 0:
            return None
        body = bytes(self._buffer) if self._kept else b""
        return Answer(self.status, self._length, body, self._head)

    @property
    def _kept(self) -> bool:
        return self._exchange.keep or self.status >= 400

    def _begun(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, status = bytes(self._buffer[: end + 2]), int(self._buffer[9:12])
        del self._buffer[: end + 4]
        if status == 100:
            return self._begun()
        self._head, self.status = head, status
        if self._exchange.bodiless or status in (204, 304):
            return True
        found = _LENGTH.search(head)
        if found is None:
            self.chunked = bool(_CHUNKED.search(head))
            if not self.chunked:
                raise ConnectionError("an answer with neither Content-Length nor chunks")
            return True
        self._length = int(found[1])
        self._left = self._length - len(self._buffer)
        return True

    def _chunks(self) -> Answer | None:
        """Go on from chunk to chunk as far as they have come."""
        while found := _SIZE.match(self._buffer, self._at):
            size = int(found[1], 16)
            if found.end() + size + 2 > len(self._buffer):
                return None
            self._at = found.end() + size + 2
            self._length += size
            if not size:
                body = bytes(self._buffer) if self._kept else b""
                return Answer(self.status, self._length, body, self._head)
        return None

    def closes(self) -> bool:
        return bool(_CLOSE.search(self._head))
