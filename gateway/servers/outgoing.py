"""What of answers waits to be sent: pieces as they came, and stretches of open files.

Nothing is copied but a head and the little that follows it, which leave together.
"""

from __future__ import annotations

from collections import deque

from gateway.servers import stretches
from gateway.storage import Stretch

_TOGETHER = 1 << 14
"""Bytes up to which two pieces become one: a small answer is sent at once."""


class Outgoing:
    """`len` is what is left of all pieces, in bytes."""

    __slots__ = ("_at", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | Stretch] = deque()
        self._at = self._size = 0
        """`_at`: so much of the first has been sent."""

    def __len__(self) -> int:
        return self._size

    def append(self, piece: bytes | Stretch) -> None:
        self._size += len(piece)
        pieces = self._pieces
        if isinstance(piece, bytes) and pieces and len(piece) < _TOGETHER:
            last = pieces[-1]
            if isinstance(last, bytes) and len(last) + len(piece) <= _TOGETHER:
                pieces[-1] = last + piece
                return
        pieces.append(piece)

    def next(self, most: int) -> memoryview | Stretch:
        """What comes next; `most` is for bytes. Something must be here."""
        first = self._pieces[0]
        if isinstance(first, bytes):
            return memoryview(first)[self._at : self._at + most]
        return Stretch(first.file, first.start + self._at, first.length - self._at)

    def skip(self, count: int) -> None:
        """So much of that has been sent."""
        self._at += count
        self._size -= count
        if self._at == len(self._pieces[0]):
            self._pieces.popleft()
            self._at = 0

    def keep(self) -> None:
        """Read what is left of all files. Raises `OSError`; `EOFError`: one has less."""
        if self._pieces and isinstance(self._pieces[0], Stretch):
            rest = self.next(0)
            assert isinstance(rest, Stretch)
            self._pieces[0], self._at = rest, 0
        for place, piece in enumerate(self._pieces):
            if isinstance(piece, Stretch):
                self._pieces[place] = stretches.read(piece)

    def clear(self) -> None:
        self._pieces.clear()
        self._at = self._size = 0
